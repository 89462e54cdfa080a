use std::cmp::Ordering;

use bson::Document;
use serde_json::{Value, json};

use super::document;
use crate::query::Direction::{self, Ascending, Descending};
use crate::query::compare_by;

fn order(path: &str, direction: Direction, one: &Document, two: &Document) -> Ordering {
    let sort = vec![(path.to_owned(), direction)];
    compare_by(&sort, one, two)
}

/// Each document comes before all that follow, in this direction.
fn sorted(path: &str, direction: Direction, documents: &[Value]) {
    let documents: Vec<Document> = documents.iter().cloned().map(document).collect();
    for (index, one) in documents.iter().enumerate() {
        for two in &documents[index + 1..] {
            assert_eq!(order(path, direction, one, two), Ordering::Less, "{path} {one} {two}");
        }
    }
}

/// SORT: an array counts by its least element upwards and its greatest downwards; empty is less than missing.
#[test]
fn arrays_count_by_their_best_element() {
    sorted(
        "a",
        Ascending,
        &[json!({ "a": [] }), json!({}), json!({ "a": [9, 1] }), json!({ "a": 2 }), json!({ "a": [3, 8] })],
    );
    sorted(
        "a",
        Descending,
        &[json!({ "a": [9, 1] }), json!({ "a": [3, 8] }), json!({ "a": 2 }), json!({ "a": null }), json!({ "a": [] })],
    );
    sorted("a", Ascending, &[json!({ "a": 5 }), json!({ "a": [[1]] })]);
}

/// SORT-02: dotted paths lead through arrays.
#[test]
fn paths_lead_through_arrays() {
    sorted(
        "a.b",
        Ascending,
        &[json!({ "a": [{ "b": 5 }, {}] }), json!({ "a": [{ "b": 7 }, { "b": 1 }] }), json!({ "a": { "b": 2 } })],
    );
    sorted("a.b", Ascending, &[json!({ "a": 1 }), json!({ "a": { "b": 0 } })]);
    sorted("a.1", Ascending, &[json!({ "a": [9, 1] }), json!({ "a": [0, 2] }), json!({ "a": { "1": 3 } })]);
    sorted(
        "a.0.b",
        Descending,
        &[json!({ "a": [{ "b": 3 }, { "b": 9 }] }), json!({ "a": [{ "b": 2 }] }), json!({ "a": [1] })],
    );
    for (path, one, two) in [
        ("a", json!({}), json!({ "a": null })),
        ("a.b", json!({ "a": [] }), json!({})),
        ("a.b", json!({ "a": [[{ "b": 1 }]] }), json!({})),
    ] {
        assert_eq!(order(path, Ascending, &document(one), &document(two)), Ordering::Equal, "{path}");
    }
}

/// SORT-01: the first field that differs decides.
#[test]
fn several_fields_decide_in_turn() {
    let sort = vec![("a".to_owned(), Ascending), ("b".to_owned(), Descending)];
    let [one, two, three] =
        [json!({ "a": 1, "b": 1 }), json!({ "a": 1, "b": 2 }), json!({ "a": 2, "b": 9 })].map(document);
    assert_eq!(compare_by(&sort, &one, &two), Ordering::Greater);
    assert_eq!(compare_by(&sort, &one, &three), Ordering::Less);
    assert_eq!(compare_by(&Vec::new(), &one, &three), Ordering::Equal);
}
