//! `docs/resource-api.md`, run as it is printed, and held to what there is.

use std::process::Command;

use resource_api::domain::{Format, parse};

use crate::place::Place;

const GUIDE: &str = include_str!("../../../docs/resource-api.md");

/// The blocks of this language between two marks.
fn blocks(language: &str, from: &str, to: &str) -> String {
    let part = GUIDE.split(from).nth(1).unwrap().split(to).next().unwrap();
    part.split(&format!("```{language}\n")).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// A test for GOLD-01 to GOLD-06 as a reader meets them: FILT-01, FILT-06, SORT-01, PROJ-02, PAGE-01, EMB-01, URL-04, URL-10, GET-05, POST-03,
/// PATCH-01, PUT-04, ETAG-06, REQ-01.
#[test]
fn every_line_of_the_guide_does_what_it_says() {
    let domain = blocks("toml", "<!-- the domain file -->", "<!-- end of the domain file -->");
    let place = Place::new(serde_json::json!({}));
    place.write("domain.toml", &domain);
    let config = place.read("config.toml").replace("domain.json", "domain.toml");
    place.write("config.toml", &config);
    place.run(&["check", &place.path("domain.toml")]).is(0).says("4 resources, no faults");
    let (mut service, url) = place.serve();
    let tour = blocks("sh", "<!-- tour -->", "<!-- end of tour -->").replace("http://127.0.0.1:5002", &url);
    let output =
        Command::new("bash").args(["-euo", "pipefail", "-c", &tour]).current_dir(place.at("")).output().unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{errors}");
    let mut rest = text.as_str();
    for expected in EXPECTED {
        // What one command prints may be in one line, in an order that is not told.
        let ends = expected.iter().map(|part| match rest.find(part) {
            Some(place) => place + part.len(),
            None => panic!("{part} is missing in\n{rest}\n{errors}\nof\n{text}"),
        });
        rest = &rest[ends.max().unwrap_or(0)..];
    }
    // Every parameter there is has its line.
    let names = [
        "where",
        "sort",
        "projection",
        "page",
        "max_results",
        "total",
        "paginate",
        "after",
        "embedded",
        "pretty",
        "callback",
    ];
    for name in names {
        let said = tour.lines().any(|line| {
            line.contains("$API") && [" ", "'", "?", "&"].iter().any(|before| line.contains(&format!("{before}{name}")))
        });
        assert!(said, "no line asks with {name}");
    }
}

/// What the commands of the tour print, one after the other.
const EXPECTED: &[&[&str]] = &[
    // The bulk, home, items, the schema.
    &["\"_status\": \"OK\", \"_items\": ["],
    &["{\"_links\": {\"child\": [{\"href\": \"authors\""],
    &["\"slug\": \"lem\""],
    &["\"slug\": \"le-guin\""],
    &["\"slug\": {\"type\": \"string\", \"regex\": \"[a-z-]+\""],
    // where, as JSON and in Python's words.
    &["\"total\": 3"],
    &["\"total\": 2"],
    &["\"total\": 2"],
    &["\"total\": 4"],
    &["\"total\": 1"],
    &["\"total\": 1"],
    &["\"total\": 2"],
    &["\"total\": 2"],
    &["\"total\": 1"],
    // sort.
    &["The Language of the Night"],
    &["Solaris"],
    &["The Language of the Night"],
    // projection.
    &["\"title\": \"The Dispossessed\", \"year\": 1974, \"_updated\""],
    &["\"total\": 5"],
    &["\"name\": {\"last\": \"Le Guin\"}"],
    // Pages, without a total, by cursor.
    &["\"page\": 2, \"max_results\": 2, \"total\": 5"],
    &["\"_meta\": {\"page\": 1, \"max_results\": 2}"],
    &["after="],
    &["The Left Hand of Darkness"],
    &["The Left Hand of Darkness"],
    // Embedded, the other views, the sub-resource.
    &["\"author\": {\"_id\": "],
    &["\"total\": 3"],
    &["\"total\": 3"],
    &["\"_status\": \"OK\""],
    // Conditions, layout, HEAD, OPTIONS.
    &["304"],
    &["\n    \"slug\": \"lem\""],
    &["x-total-count: 6"],
    &["allow: "],
    // Other origins.
    &[
        "access-control-allow-origin: https://shop.example",
        "access-control-allow-headers: Authorization, Content-Type, If-Match",
    ],
    &["show({"],
    // What breaks rules.
    &[
        "\"title\": \"min length is 1\"",
        "\"author\": \"required field\"",
        "\"year\": \"must be of integer type\"",
        "\"shelf\": \"unknown field\"",
    ],
    &["\"slug\": \"value 'lem' is not unique\"", "\"last\": \"required field\""],
    &["the same answer"],
    &["the Idempotency-Key was used before with another request"],
    // Edits.
    &["\"code\": 428"],
    &["\"code\": 412"],
    &["204"],
    &["\"_id\": \"5f0000000000000000000abc\""],
    // Forms.
    &["\"_status\": \"OK\""],
    &["\"_status\": \"OK\""],
    &["\"code\": 412"],
    &["204"],
];

/// The configuration of its first section is one.
#[test]
fn the_guides_first_configuration_is_valid() {
    let config = GUIDE.split("```toml\n# config.toml\n").nth(1).unwrap().split("```").next().unwrap();
    shared::config::parse::<resource_api::Config>(config).unwrap();
    let domain = blocks("toml", "<!-- the domain file -->", "<!-- end of the domain file -->");
    assert_eq!(parse(Format::Toml, &domain).unwrap().warnings, Vec::<String>::new());
}
