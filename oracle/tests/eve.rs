//! A bounded run of the oracle; `scripts/oracle` plays more.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod support;

use std::collections::BTreeSet;

use oracle::{Options, Reference, differences, run};

use support::{given, told_in};

/// Everything that the generator can think of is answered as Eve answers it, but for what docs/from-eve.md lists.
#[actix_rt::test]
async fn generated_requests_are_answered_as_eve_answers_them() {
    let (Some(python), Some(mongodb)) = (given("TEST_EVE_PYTHON"), given("TEST_MONGODB_URL")) else { return };
    let reference = Reference::Eve(python.into());
    let options = Options { reference, mongodb, seed: 1, histories: 20, length: 50, world: None, shown: 3 };
    let report = run(&options).await.unwrap();
    assert!(report.counted.is_empty(), "{report}");
    assert!(report.requests >= 3000 && report.etags >= 800, "too little was compared: {report}");
    // Good and bad requests, in every way that is common.
    for status in [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 422, 428] {
        assert!(report.statuses.contains_key(&status), "nothing was answered with {status}: {report}");
    }
}

/// docs/from-eve.md tells every difference that the comparison lets pass, and no other.
#[test]
fn the_table_of_differences_and_the_comparison_know_the_same() {
    let known: BTreeSet<&str> = differences::all().map(|difference| difference.id).collect();
    assert_eq!(told_in("from-eve.md"), known);
}
