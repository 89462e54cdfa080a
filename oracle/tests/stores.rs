//! A bounded run of resource-api's two stores against each other; `scripts/oracle --stores` plays more.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod support;

use std::collections::BTreeSet;

use oracle::{Options, Reference, differences, run};

use support::{given, told_in};

/// FILT-14, DB-07: whatever the generator can think of is answered alike where documents are in SQLite and where they are in
/// MongoDB, but for what docs/stores.md lists.
#[actix_rt::test]
async fn both_stores_give_the_same_answers() {
    let Some(mongodb) = given("TEST_MONGODB_URL") else { return };
    let options =
        Options { reference: Reference::Sqlite, mongodb, seed: 1, histories: 8, length: 50, world: None, shown: 3 };
    let report = run(&options).await.unwrap();
    assert!(report.counted.is_empty(), "{report}");
    assert!(report.requests >= 1500 && report.etags >= 300, "too little was compared: {report}");
}

/// docs/stores.md tells every difference that the comparison lets pass, and no other.
#[test]
fn the_table_of_the_stores_and_the_comparison_know_the_same() {
    let known: BTreeSet<&str> = differences::of_stores().map(|difference| difference.id).collect();
    assert_eq!(told_in("stores.md"), known);
}
