//! The parsers and the pure rules behind them, in this process.

use std::time::Duration;

use bson::{Bson, DateTime, Document, RawDocumentBuf, bson};
use resource_api::domain::validate::{Circumstances, Mode, validate};
use resource_api::domain::{Domain, Format, convert, parse};
use resource_api::query::Query;

use crate::grammar::{self, BODY, DOMAIN, PROJECTION, SORT, TYPES, WHERE_MONGO, WHERE_PYTHON};
use crate::{Case, Target, run};

/// Of the processor's time, unoptimised. The slowest known is a domain file in YAML whose aliases multiply, up to the library's limit.
const LONGEST: Duration = Duration::from_secs(4);

fn things() -> Domain {
    parse(Format::Json, &grammar::domain().to_string()).unwrap()
}

/// The parameter is understood if it has to be, in time; what is understood can be asked of documents.
fn query(target: &Target, parameter: &str) {
    let domain = things();
    let resource = domain.resource("things").unwrap();
    let documents = documents();
    run(target, 4000, |case| {
        let text = format!("{parameter}={}", shared::form::encode(&case.lossy()));
        in_time(|| match Query::parse(&domain, resource, &text) {
            Ok(query) => {
                let filter = query.find().filter;
                documents.iter().for_each(|document| _ = filter.matches_raw(document));
                Ok(())
            }
            Err(error) if case.valid => Err(format!("refused: {error}")),
            Err(error) => is_told(&error.to_string()),
        })
    });
}

fn in_time(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let begun = processor_time();
    work()?;
    let took = processor_time() - begun;
    if took > LONGEST { Err(format!("too slow: {took:?}")) } else { Ok(()) }
}

/// Of this thread, so that a busy machine makes nothing slow.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

fn is_told(message: &str) -> Result<(), String> {
    if message.is_empty() { Err("refused without a word".to_owned()) } else { Ok(()) }
}

fn documents() -> Vec<RawDocumentBuf> {
    let mut random = crate::random::Random::new(7);
    let typed = |text: String| match convert::parse_json(text.as_bytes()).unwrap() {
        Bson::Array(documents) => documents,
        document => vec![document],
    };
    let values = (0..20).flat_map(|_| typed((BODY.generate)(&mut random)));
    let domain = things();
    let resource = domain.resource("things").unwrap();
    values
        .map(|value| RawDocumentBuf::try_from(&convert::document(value, resource, &domain.settings).unwrap()).unwrap())
        .collect()
}

/// FILT-01, FILT-02.
#[test]
fn any_filter_in_mongodbs_language_is_understood_or_refused() {
    query(&WHERE_MONGO, "where");
}

/// FILT-06 to FILT-09.
#[test]
fn any_filter_in_pythons_language_is_understood_or_refused() {
    query(&WHERE_PYTHON, "where");
}

/// SORT-01 to SORT-03.
#[test]
fn any_sort_is_understood_or_refused() {
    query(&SORT, "sort");
}

/// PROJ-01 to PROJ-07.
#[test]
fn any_projection_is_understood_or_refused() {
    query(&PROJECTION, "projection");
}

/// REQ-05, SER-01, VAL-40.
#[test]
fn any_body_is_accepted_or_refused_with_issues() {
    let domain = things();
    let resource = domain.resource("things").unwrap();
    let settings = &domain.settings;
    let original = Document::new();
    run(&BODY, 4000, |case: &Case| {
        in_time(|| {
            let values = match convert::parse_json(&case.text) {
                Ok(Bson::Array(values)) => values,
                Ok(value) => vec![value],
                Err(error) if case.valid => return Err(error.to_string()),
                Err(error) => return is_told(&error.to_string()),
            };
            for value in values {
                let document = match convert::document(value, resource, settings) {
                    Ok(document) => document,
                    Err(error) if case.valid => return Err(error.to_string()),
                    Err(error) => return is_told(&error.to_string()),
                };
                for mode in [Mode::Insert, Mode::Update { original: &original }, Mode::Replace { original: &original }]
                {
                    let now = DateTime::from_millis(0);
                    let circumstances = Circumstances { resource, settings, mode, subject: None, now };
                    let checked = validate(document.clone(), &circumstances).finish(&[]);
                    match checked {
                        Ok(document) => _ = RawDocumentBuf::try_from(&document).map_err(|error| error.to_string())?,
                        Err(issues) if case.valid => return Err(issues.to_document(false).to_string()),
                        Err(issues) => is_told(&issues.to_document(true).to_string())?,
                    }
                }
            }
            Ok(())
        })
    });
}

/// CFG-18.
#[test]
fn any_domain_file_is_read_or_refused_with_its_faults() {
    run(&DOMAIN, 1500, |case| {
        let text = case.lossy();
        let (format, text) = text.split_once('\n').unwrap_or((&text, ""));
        let format = match format {
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            _ => Format::Toml,
        };
        in_time(|| match parse(format, text) {
            Ok(_) => Ok(()),
            Err(error) if case.valid => Err(error.to_string()),
            Err(error) => is_told(&error.to_string()),
        })
    });
}

/// Contract 2.4: whatever types a domain makes for itself, values of every kind pass them or are issues.
#[test]
fn any_types_of_a_domain_are_read_or_refused_and_judge_every_value() {
    let values = [
        bson!("a"),
        bson!("9780060512750"),
        bson!("#00ff00"),
        bson!(5),
        bson!(-2.5),
        bson!(true),
        Bson::Null,
        bson!("Tue, 06 Nov 2012 10:33:31 GMT"),
        bson!("5f0000000000000000000abc"),
        bson!([5, "a", [1]]),
        bson!({ "a": 5, "type": "Point", "coordinates": [1, 2] }),
    ];
    run(&TYPES, 1500, |case| {
        in_time(|| {
            let domain = match parse(Format::Json, &case.lossy()) {
                Ok(domain) => domain,
                Err(error) if case.valid => return Err(error.to_string()),
                Err(error) => return is_told(&error.to_string()),
            };
            let settings = &domain.settings;
            for resource in domain.resources.values() {
                for (name, value) in resource.schema.keys().flat_map(|name| values.iter().map(move |it| (name, it))) {
                    let document = convert::document(bson!({ name: value.clone() }), resource, settings);
                    let now = DateTime::from_millis(0);
                    let circumstances = Circumstances { resource, settings, mode: Mode::Insert, subject: None, now };
                    let checked = validate(document.map_err(|error| error.to_string())?, &circumstances).finish(&[]);
                    checked.err().map_or(Ok(()), |issues| is_told(&issues.to_document(true).to_string()))?;
                }
            }
            Ok(())
        })
    });
}
