use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::Place;

fn people() -> Value {
    json!({ "DOMAIN": { "people": { "schema": {
        "name": { "type": "string", "required": true, "maxlength": 20 },
        "number": { "type": "integer", "unique": true },
        "born": { "type": "datetime" },
        "friend": { "type": "objectid", "data_relation": { "resource": "people" } },
        "level": { "type": "integer", "default": 1 },
    } } } })
}

fn values(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// POST-02, POST-08, VAL-43: what is wrong with a line is told by its number, beside the line itself; the rest goes in.
#[actix_rt::test]
async fn lines_that_are_refused_are_in_the_error_file_with_number_and_reason() {
    let place = Place::new(people());
    let file = place.write(
        "people.ndjson",
        "{\"name\": \"ada\", \"number\": 1}\n\n{\"name\": 5}\nno json\n{\"name\": \"bob\", \"number\": 1}\n{\"name\": \"cid\", \"born\": \"Tue, 06 Nov 2012 10:33:31 GMT\"}",
    );
    place
        .run(&["import", "people", &file])
        .is(1)
        .says("2 documents inserted, 3 left out")
        .says("people.ndjson:3: {\"name\":");
    let errors = values(&place.read("people.ndjson.errors.ndjson"));
    assert_eq!(errors.iter().map(|error| error["line"].as_u64().unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(errors[0]["reason"], json!({ "name": "must be of string type" }));
    assert!(errors[1]["reason"].as_str().unwrap().starts_with("it is not JSON"));
    assert_eq!(errors[1]["text"], "no json");
    assert_eq!(errors[2]["reason"], json!({ "number": "value '1' is not unique" }));
    let stored = place.stored("people").await;
    assert_eq!(stored.len(), 2);
    // As after a POST: the default, dates, an ETag.
    for member in [
        "\"level\":1",
        "\"_created\":{\"$date\":",
        "\"_updated\":",
        "\"_etag\":\"",
        "\"born\":{\"$date\":\"2012-11-06T10:33:31Z\"}",
    ] {
        assert!(stored[1].contains(member), "{member} is missing in {}", stored[1]);
    }
    // The same file is not taken twice by mistake; another file's errors are not overwritten.
    place.run(&["import", "people", &file]).is(1).says("this file is in already: 2 documents, 3 lines left out");
    let precious = place.write("precious", "no errors of ours");
    place.run(&["import", "people", &file, "--again", "--errors", &precious]).is(1).says("is not the error file");
    assert_eq!(place.read("precious"), "no errors of ours");
    place.run(&["import", "people", &file, "--again"]).is(1).says("1 documents inserted, 4 left out");
    place.run(&["import", "nobody", &file]).is(1).says("there is no resource nobody");
    place.run(&["import", "people", "missing.ndjson"]).is(1).says("missing.ndjson: No such file");
}

/// Ids, dates, 64-bit integers and ETags of a database that Eve used come as they are.
#[actix_rt::test]
async fn what_mongoexport_writes_is_validated_and_keeps_its_ids_dates_and_etags() {
    let place = Place::new(people());
    let first = r#"{"_id":{"$oid":"5f0000000000000000000abc"},"name":"ada","level":3,"born":{"$date":"2012-11-06T10:33:31Z"},"_updated":{"$date":"2013-01-02T03:04:05Z"},"_created":{"$date":"2012-01-02T03:04:05Z"},"_etag":"0123456789abcdef0123456789abcdef01234567"}"#;
    // A default is added, so that the ETag is no longer the document's.
    let second = r#"{"_id":{"$oid":"5f0000000000000000000abd"},"name":"bob","friend":{"$oid":"5f0000000000000000000abc"},"number":{"$numberLong":"7"},"_etag":"0123456789abcdef0123456789abcdef01234567"}"#;
    let third =
        r#"{"_id":{"$oid":"5f0000000000000000000abe"},"name":"cid","friend":{"$oid":"5f0000000000000000000999"}}"#;
    let fourth = r#"{"_id":{"$oid":"5f0000000000000000000abf"},"name":"dan","_created":"soon"}"#;
    let file = place.write("one.ndjson", &format!("{first}\n"));
    place.run(&["import", "people", &file]).is(0).says("1 documents inserted, 0 left out");
    assert!(!place.at("one.ndjson.errors.ndjson").exists());
    let file = place.write("more.ndjson", &[second, third, fourth].join("\n"));
    place
        .run(&["import", "people", &file])
        .is(1)
        .says("1 documents inserted, 2 left out")
        .says("must exist in resource")
        .says("_created is no date");
    let stored = place.stored("people").await;
    assert_eq!(stored[0], first);
    assert!(
        stored[1].contains("\"number\":{\"$numberLong\":\"7\"}") && stored[1].contains("\"level\":1"),
        "{}",
        stored[1]
    );
    assert!(!stored[1].contains("0123456789abcdef"), "{}", stored[1]);
}

/// Trusted documents are neither checked nor changed; what every stored document needs is added, and unique rules hold.
#[actix_rt::test]
async fn trusted_documents_go_in_as_they_are() {
    let place = Place::new(people());
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(b"{\"nam\":5,\"number\":1}\n{\"_id\":\"x\",\"name\":\"ada\",\"_etag\":\"e\"}\n{\"number\":1}\n{\"_id\":[1]}\n").unwrap();
    std::fs::write(place.at("odd.gz"), zipped.finish().unwrap()).unwrap();
    let told = place
        .run(&["import", "people", &place.path("odd.gz"), "--trust"])
        .is(1)
        .says("2 documents inserted, 2 left out");
    assert!(told.error.contains("odd.gz:3: {\"number\":\"value '1' is not unique\"}"), "{told:?}");
    assert!(told.error.contains("odd.gz:4: an _id can't be an array"), "{told:?}");
    let stored = place.stored("people").await;
    assert!(stored[0].starts_with("{\"_id\":\"x\",\"name\":\"ada\",\"_etag\":\"e\",\"_updated\":"), "{}", stored[0]);
    assert!(stored[1].contains("\"nam\":5") && stored[1].contains("\"_etag\":\""), "{}", stored[1]);
}

/// Nothing twice, nothing lost, whatever the moment of the kill; the error file tells each line once.
#[actix_rt::test]
async fn an_import_killed_again_and_again_goes_on_where_it_stopped() {
    let place = Place::new(people());
    let mut lines = String::new();
    let count = 40_000;
    for number in 0..count {
        // Every thousandth line is wrong.
        let name = if number % 1000 == 999 { "7".to_owned() } else { format!("\"n{number}\"") };
        writeln!(lines, "{{\"name\": {name}, \"number\": {number}}}").unwrap();
    }
    let file = place.write("many.ndjson", &lines);
    let arguments = ["import", "people", &file];
    let (mut kills, mut wait) = (0, Duration::from_millis(300));
    loop {
        let mut child = place.start(&arguments);
        let begun = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if begun.elapsed() > wait {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if ended.is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        wait += Duration::from_millis(150);
    }
    assert!(kills >= 2, "the import was too quick to be killed: {kills}");
    place.run(&arguments).is(1).says(&format!(
        "this file is in already: {} documents, {} lines",
        count - count / 1000,
        count / 1000
    ));
    let stored = place.stored("people").await;
    let numbers: HashSet<u64> =
        stored.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_u64().unwrap()).collect();
    assert_eq!((stored.len(), numbers.len()), (count - count / 1000, count - count / 1000));
    let errors = values(&place.read("many.ndjson.errors.ndjson"));
    let expected: Vec<_> = (1..=count / 1000).map(|thousand| json!(thousand * 1000)).collect();
    assert_eq!(errors.iter().map(|error| error["line"].clone()).collect::<Vec<_>>(), expected);
}

/// What was stored without a word in the error file is told by the next run, be it that nothing else is left to do.
#[actix_rt::test]
async fn refusals_that_the_error_file_missed_are_told_when_the_import_goes_on() {
    for (lines, wrong) in [(20, vec![3, 7, 20]), (12_000, vec![2, 4999, 5001, 12_000])] {
        let place = Place::new(people());
        let line = |line: u64| match wrong.iter().position(|wrong| *wrong == line) {
            // Known before the commit, and in it only.
            Some(0) => "no json\n".to_owned(),
            Some(_) => "{\"name\": \"again\", \"number\": 1}\n".to_owned(),
            None => format!("{{\"name\": \"n\", \"number\": {line}}}\n"),
        };
        let file = place.write("some.ndjson", &(1..=lines).map(line).collect::<String>());
        // The documents are in before the file's folder turns out to be missing.
        let errors = place.path("missing/errors");
        place.run(&["import", "people", &file, "--errors", &errors]).is(1).says("missing/errors: No such file");
        assert!(!place.stored("people").await.is_empty());
        place.run(&["import", "people", &file]).is(1).says(&format!(
            "{} documents inserted, {} left out",
            lines - wrong.len() as u64,
            wrong.len()
        ));
        let errors = values(&place.read("some.ndjson.errors.ndjson"));
        assert_eq!(errors.iter().map(|error| error["line"].as_u64().unwrap()).collect::<Vec<_>>(), wrong);
        assert_eq!(errors[0]["text"], "no json");
        for error in &errors[1..] {
            assert_eq!(error["reason"], json!({ "number": "value '1' is not unique" }));
            assert_eq!(error["text"], "{\"name\": \"again\", \"number\": 1}");
        }
        place.run(&["import", "people", &file]).is(1).says("this file is in already");
        assert_eq!(values(&place.read("some.ndjson.errors.ndjson")).len(), wrong.len());
    }
}

/// VAL-27, VAL-43: of lines of one import, too, whatever is unique: lists as a whole, what alternatives or other rules hold.
#[actix_rt::test]
async fn duplicates_within_one_import_are_refused_where_no_index_keeps_them_apart() {
    let place = Place::new(json!({ "DOMAIN": { "things": { "schema": {
        "tags": { "type": "list", "unique": true },
        "code": { "anyof": [{ "type": "string", "unique": true }, { "type": "integer" }] },
        "rest": { "type": "string", "unique": true, "nullable": true },
    } } } }));
    let lines = [
        r#"{"tags": ["a", "b"]}"#,
        r#"{"tags": ["b", "a"]}"#,
        r#"{"tags": ["a", "b"]}"#,
        r#"{"tags": [1], "code": "x"}"#,
        r#"{"tags": [2], "code": "x"}"#,
        r#"{"tags": [3], "code": 1}"#,
        r#"{"tags": [4], "code": 1}"#,
        r#"{"tags": [5], "rest": "r"}"#,
        r#"{"tags": [6], "rest": "r"}"#,
        // The line whose list this would repeat was left out.
        r#"{"tags": [2]}"#,
    ];
    let file = place.write("things.ndjson", &lines.join("\n"));
    place.run(&["import", "things", &file]).is(1).says("7 documents inserted, 3 left out");
    let errors = values(&place.read("things.ndjson.errors.ndjson"));
    let told: Vec<_> = errors.iter().map(|error| (error["line"].as_u64().unwrap(), error["reason"].clone())).collect();
    assert_eq!(told[0], (3, json!({ "tags": "value '['a', 'b']' is not unique" })));
    assert_eq!(told[1], (5, json!({ "code": "value 'x' is not unique" })));
    assert_eq!(told[2], (9, json!({ "rest": "value 'r' is not unique" })));
    assert_eq!(told.len(), 3);
}

/// The longest a write of the service may wait is a commit or two of the import.
#[actix_rt::test]
async fn a_service_goes_on_writing_while_an_import_runs() {
    let mut domain = people();
    domain["RESOURCE_METHODS"] = json!(["GET", "POST"]);
    let place = Place::new(domain);
    let (mut service, url) = place.serve();
    let lines: String = (0..60_000).map(|number| format!("{{\"name\": \"n\", \"number\": {number}}}\n")).collect();
    let file = place.write("many.ndjson", &lines);
    let mut import = place.start(&["import", "people", &file, "--trust"]);
    let client = reqwest::Client::new();
    let mut written = 0;
    while import.try_wait().unwrap().is_none() {
        let body = json!({ "name": "online", "number": 1_000_000 + written });
        let answer = client.post(format!("{url}/people")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
        written += 1;
    }
    assert!(written > 10, "{written}");
    service.kill().unwrap();
    service.wait().unwrap();
    assert_eq!(place.stored("people").await.len(), 60_000 + written);
}

/// An interrupted import of another state of the file could put lines in twice or leave some out.
#[actix_rt::test]
async fn a_file_that_changed_under_its_import_is_noticed() {
    let place = Place::new(people());
    // So many that it is not done before it is killed.
    let lines: String = (0..300_000).map(|number| format!("{{\"name\": \"n\", \"number\": {number}}}\n")).collect();
    let file = place.write("many.ndjson", &lines);
    let mut child = place.start(&["import", "people", &file]);
    while place.stored("people").await.is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    place.write("many.ndjson", &lines[..lines.len() / 2]);
    place.run(&["import", "people", &file]).is(1).says("the file has changed since its import began");
}

#[test]
fn documents_come_by_standard_input_too() {
    let place = Place::new(people());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_resource-api"))
        .args(["import", "people", "-", "--config", &place.path("config.toml")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"name\":\"a\"}\n{\"name\":\"b\"}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2 documents inserted, 0 left out\n");
}
