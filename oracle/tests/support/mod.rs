//! What the tests of the oracle share.
#![allow(dead_code, reason = "each test file has its own copy")]

use std::collections::BTreeSet;

/// The ids in the table of a file of docs/ that has such.
pub fn told_in(name: &str) -> BTreeSet<&'static str> {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let text: &'static str = std::fs::read_to_string(path).unwrap().leak();
    let table = text.split("\n| id |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(id, _)| id).collect()
}

/// What scripts/test sets; without it a test is skipped, but not in CI.
pub fn given(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{variable} is not set: run scripts/test");
        eprintln!("skipped: {variable} is not set");
    }
    value
}
