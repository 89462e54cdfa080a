//! The README's curl tour, run as it is printed there.
#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;

use support::Running;

/// The shell lines between the tour's marks.
fn tour() -> String {
    let readme = include_str!("../README.md");
    let tour = readme.split("<!-- tour").nth(1).unwrap().split("<!-- end of tour").next().unwrap();
    tour.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// A test for GOLD-02, POST-04, ETAG-06, ETAG-07, DEL-01 and B-062 as a reader meets them.
#[actix_rt::test]
async fn the_tour_in_the_readme_works_when_pasted() {
    let running = Running::start("").await;
    let addresses = &running.stack.addresses;
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &tour()])
        .env("CURL_CA_BUNDLE", running.stack.ca.as_ref().unwrap())
        .env("AUTH", &addresses.auth)
        .env("API", &addresses.api)
        .env("PASSWORD", running.password("demo"));
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{errors}");
    let mut rest = text.as_str();
    for expected in [
        "\"name\": \"Vienna\"",
        "\"name\": \"Graz\"",
        "\"total\": ",
        "\"iso\": \"AT\"",
        "\"_status\": \"OK\"",
        "value 'mary@example.org' is not unique",
        "unallowed value",
        "\"code\": 428",
        "\"_status\": \"OK\"",
        "204",
    ] {
        let Some(place) = rest.find(expected) else { panic!("{expected} is missing in\n{rest}\n{errors}\nof\n{text}") };
        rest = &rest[place + expected.len()..];
    }
}
