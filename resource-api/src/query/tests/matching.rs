use bson::RawDocumentBuf;
use serde_json::{Value, json};

use super::document;
use crate::query::mongo_syntax::parse_trusted;

/// A filter, documents that match, documents that do not.
pub(super) fn check(filter: Value, yes: &[Value], no: &[Value]) {
    let parsed = parse_trusted(&document(filter.clone())).unwrap();
    for (candidates, expected) in [(yes, true), (no, false)] {
        for candidate in candidates {
            let candidate = document(candidate.clone());
            let raw = RawDocumentBuf::try_from(&candidate).unwrap();
            assert_eq!(parsed.matches(&candidate), expected, "{filter} {candidate}");
            assert_eq!(parsed.matches_raw(&raw), expected, "raw {filter} {candidate}");
        }
    }
}

/// FILT-14: a value, or an array that has it.
#[test]
fn equality_looks_into_arrays() {
    check(
        json!({ "a": 1 }),
        &[json!({ "a": 1 }), json!({ "a": 1.0 }), json!({ "a": [0, 1] }), json!({ "a": { "$numberLong": "1" } })],
        &[json!({ "a": 2 }), json!({ "a": "1" }), json!({ "a": [[1]] }), json!({ "b": 1 }), json!({})],
    );
    check(
        json!({ "a": [1, 2] }),
        &[json!({ "a": [1, 2] }), json!({ "a": [[1, 2], 3] })],
        &[json!({ "a": [2, 1] }), json!({ "a": [1, 2, 3] }), json!({ "a": [[[1, 2]]] })],
    );
    check(json!({ "a": [] }), &[json!({ "a": [] }), json!({ "a": [[]] })], &[json!({ "a": [1] }), json!({})]);
}

/// FILT-14: documents are equal field by field, in order.
#[test]
fn documents_are_equal_in_order() {
    check(
        json!({ "a": { "b": 1, "c": 2 } }),
        &[json!({ "a": { "b": 1, "c": 2.0 } }), json!({ "a": [{ "b": 1, "c": 2 }] })],
        &[json!({ "a": { "c": 2, "b": 1 } }), json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1, "c": 2, "d": 3 } })],
    );
}

/// FILT-14: null matches what is missing, and nothing else does.
#[test]
fn null_matches_missing() {
    check(
        json!({ "a": null }),
        &[json!({ "a": null }), json!({}), json!({ "a": [1, null] }), json!({ "a": { "$undefined": true } })],
        &[json!({ "a": 0 }), json!({ "a": [] }), json!({ "a": false })],
    );
    check(
        json!({ "a.b": null }),
        &[json!({}), json!({ "a": 5 }), json!({ "a": {} }), json!({ "a": null }), json!({ "a": [{ "b": 1 }, {}] })],
        // No element is a document, so there is no place that lacks the field.
        &[json!({ "a": [5] }), json!({ "a": [] }), json!({ "a": { "b": 1 } }), json!({ "a": [{ "b": 1 }] })],
    );
    check(
        json!({ "a": { "$ne": null } }),
        &[json!({ "a": 1 }), json!({ "a": [] })],
        &[json!({}), json!({ "a": null })],
    );
    check(json!({ "a": { "$gte": null } }), &[json!({}), json!({ "a": null })], &[json!({ "a": 1 })]);
    check(json!({ "a": { "$in": [null, 1] } }), &[json!({}), json!({ "a": 1 })], &[json!({ "a": 2 })]);
    check(json!({ "a": { "$nin": [null, 1] } }), &[json!({ "a": 2 })], &[json!({}), json!({ "a": 1 })]);
}

/// FILT-14: type bracketing. A range sees values of its own type alone.
#[test]
fn ranges_keep_to_their_type() {
    check(
        json!({ "a": { "$gt": 5 } }),
        &[json!({ "a": 5.5 }), json!({ "a": [1, 9] }), json!({ "a": { "$numberDecimal": "5.01" } })],
        &[
            json!({ "a": 5 }),
            json!({ "a": "9" }),
            json!({ "a": null }),
            json!({}),
            json!({ "a": true }),
            json!({ "a": {} }),
        ],
    );
    check(
        json!({ "a": { "$lt": "b" } }),
        &[json!({ "a": "a" }), json!({ "a": "" })],
        &[json!({ "a": 1 }), json!({ "a": "b" })],
    );
    check(json!({ "a": { "$lte": 5, "$gte": 5 } }), &[json!({ "a": 5 }), json!({ "a": [1, 9] })], &[json!({ "a": 4 })]);
    check(
        json!({ "a": { "$gt": { "$date": "2020-01-01T00:00:00Z" } } }),
        &[json!({ "a": { "$date": "2021-01-01T00:00:00Z" } })],
        &[json!({ "a": { "$date": "2019-01-01T00:00:00Z" } }), json!({ "a": 1_900_000_000_000_i64 })],
    );
    check(
        json!({ "a": { "$gt": [1, 2] } }),
        &[json!({ "a": [1, 3] }), json!({ "a": [2] })],
        &[json!({ "a": [1, 2] }), json!({ "a": 9 })],
    );
    check(json!({ "a": { "$lt": true } }), &[json!({ "a": false })], &[json!({ "a": 0 }), json!({ "a": true })]);
}

/// FILT-14: not-a-number is in order with itself alone; the edges of all values have an order with everything.
#[test]
fn nan_and_the_edges_of_all_values() {
    let nan = json!({ "$numberDouble": "NaN" });
    check(json!({ "a": nan }), &[json!({ "a": nan })], &[json!({ "a": 1 }), json!({})]);
    check(json!({ "a": { "$gte": nan } }), &[json!({ "a": nan })], &[json!({ "a": 1 })]);
    check(json!({ "a": { "$lt": 5 } }), &[json!({ "a": -9 })], &[json!({ "a": nan })]);
    check(json!({ "a": { "$gt": nan } }), &[], &[json!({ "a": nan }), json!({ "a": 1 })]);
    check(
        json!({ "a": { "$gt": { "$minKey": 1 } } }),
        &[json!({ "a": 1 }), json!({ "a": "x" })],
        &[json!({ "a": { "$minKey": 1 } })],
    );
    check(json!({ "a": { "$lte": { "$maxKey": 1 } } }), &[json!({ "a": 1 }), json!({ "a": { "$maxKey": 1 } })], &[]);
    check(json!({ "a": { "$lt": { "$minKey": 1 } } }), &[], &[json!({ "a": 1 })]);
}

/// FILT-14: paths go through documents, arrays of documents and positions.
#[test]
fn paths_lead_through_arrays() {
    check(
        json!({ "a.b": 1 }),
        &[
            json!({ "a": { "b": 1 } }),
            json!({ "a": { "b": [1] } }),
            json!({ "a": [{ "b": 0 }, { "b": 1 }] }),
            json!({ "a": [{ "b": [0, 1] }] }),
        ],
        // An array in an array is not looked into.
        &[json!({ "a": [[{ "b": 1 }]] }), json!({ "a": 1 }), json!({ "a.b": 1 })],
    );
    check(
        json!({ "a.0": 1 }),
        &[
            json!({ "a": [1, 2] }),
            json!({ "a": { "0": 1 } }),
            json!({ "a": [{ "0": 1 }] }),
            json!({ "a": { "0": [1] } }),
        ],
        // What a position leads to is taken whole.
        &[json!({ "a": [2, 1] }), json!({ "a": [[1]] })],
    );
    check(json!({ "a.00": 1 }), &[json!({ "a": { "00": 1 } })], &[json!({ "a": [1] })]);
    check(
        json!({ "a.1.b": 1 }),
        &[json!({ "a": [0, { "b": 1 }] }), json!({ "a": [0, [{ "b": 1 }]] })],
        &[json!({ "a": [{ "b": 1 }] })],
    );
    check(json!({ "a.0.1": 6 }), &[json!({ "a": [[5, 6]] })], &[json!({ "a": [[6, 5]] })]);
    check(json!({ "a.0": [1] }), &[json!({ "a": [[1]] })], &[json!({ "a": [1] })]);
}

/// FILT-14: `$ne`, `$nin`, `$not` and `$nor` are what the positive question is not.
#[test]
fn negations_turn_the_whole_search_round() {
    check(
        json!({ "a": { "$ne": 1 } }),
        &[json!({ "a": 2 }), json!({}), json!({ "a": [2, 3] })],
        &[json!({ "a": 1 }), json!({ "a": [2, 1] })],
    );
    check(
        json!({ "a": { "$not": { "$gt": 5 } } }),
        &[json!({}), json!({ "a": 5 }), json!({ "a": "x" })],
        &[json!({ "a": [1, 6] })],
    );
    check(
        json!({ "a": { "$not": { "$gt": 1, "$lt": 5 } } }),
        &[json!({ "a": 1 }), json!({ "a": 9 })],
        // Each condition finds an element of its own.
        &[json!({ "a": 3 }), json!({ "a": [0, 9] })],
    );
    check(
        json!({ "$nor": [{ "a": 1 }, { "b": 1 }] }),
        &[json!({ "a": 2 }), json!({})],
        &[json!({ "a": 1 }), json!({ "b": 1 })],
    );
    check(json!({ "a": { "$not": { "$not": { "$eq": 1 } } } }), &[json!({ "a": 1 })], &[json!({ "a": 2 }), json!({})]);
}

/// FILT-14.
#[test]
fn and_or() {
    check(json!({ "$or": [{ "a": 1 }, { "b": 1 }] }), &[json!({ "b": 1 })], &[json!({ "a": 2 })]);
    check(
        json!({ "$and": [{ "a": 1 }, { "b": 1 }], "c": 1 }),
        &[json!({ "a": 1, "b": 1, "c": 1 })],
        &[json!({ "a": 1, "b": 1 })],
    );
    check(json!({}), &[json!({}), json!({ "a": 1 })], &[]);
}

/// FILT-14: `$in` takes values of all types and regular expressions.
#[test]
fn in_and_nin() {
    check(
        json!({ "a": { "$in": [3, "x", 1, [5]] } }),
        &[json!({ "a": 1.0 }), json!({ "a": "x" }), json!({ "a": [9, 3] }), json!({ "a": [5] })],
        &[json!({ "a": 2 }), json!({})],
    );
    check(json!({ "a": { "$in": [] } }), &[], &[json!({ "a": 1 }), json!({})]);
    check(json!({ "a": { "$nin": [] } }), &[json!({ "a": 1 }), json!({})], &[]);
    let regex = json!({ "$regularExpression": { "pattern": "^x", "options": "i" } });
    check(
        json!({ "a": { "$in": [1, regex] } }),
        &[json!({ "a": 1 }), json!({ "a": "Xy" }), json!({ "a": ["b", "xb"] })],
        &[json!({ "a": "yx" })],
    );
    check(
        json!({ "a": { "$nin": [1, regex] } }),
        &[json!({ "a": "yx" }), json!({})],
        &[json!({ "a": 1 }), json!({ "a": "xy" })],
    );
}

/// FILT-14: `$all` asks of every value that some element has it.
#[test]
fn all() {
    check(json!({ "a": { "$all": [1, 2] } }), &[json!({ "a": [2, 1, 3] })], &[json!({ "a": [1] }), json!({ "a": 1 })]);
    check(json!({ "a": { "$all": [1] } }), &[json!({ "a": 1 }), json!({ "a": [1] })], &[json!({ "a": [] })]);
    check(json!({ "a": { "$all": [] } }), &[], &[json!({ "a": [] }), json!({})]);
    check(
        json!({ "a": { "$all": [[1, 2]] } }),
        &[json!({ "a": [1, 2] }), json!({ "a": [[1, 2]] })],
        &[json!({ "a": [2, 1] })],
    );
    check(
        json!({ "a": { "$all": [{ "$elemMatch": { "b": 1 } }, { "$elemMatch": { "b": 2 } }] } }),
        &[json!({ "a": [{ "b": 1 }, { "b": 2 }] })],
        &[json!({ "a": [{ "b": 1 }] })],
    );
}

/// FILT-14: `$elemMatch` asks all of one element.
#[test]
fn elem_match() {
    check(
        json!({ "a": { "$elemMatch": { "b": 1, "c": { "$gt": 1 } } } }),
        &[json!({ "a": [{ "b": 1, "c": 2 }] })],
        &[json!({ "a": [{ "b": 1, "c": 1 }, { "b": 2, "c": 2 }] }), json!({ "a": { "b": 1, "c": 2 } }), json!({})],
    );
    check(
        json!({ "a": { "$elemMatch": { "$gt": 1, "$lt": 5 } } }),
        &[json!({ "a": [0, 3] })],
        &[json!({ "a": [0, 9] }), json!({ "a": 3 })],
    );
    check(
        json!({ "a": { "$elemMatch": { "$or": [{ "b": 1 }, { "c": 1 }] } } }),
        &[json!({ "a": [{ "c": 1 }] })],
        &[json!({ "a": [1] })],
    );
    check(
        json!({ "a": { "$elemMatch": { "$not": { "$gt": 1 } } } }),
        &[json!({ "a": [0, 9] })],
        &[json!({ "a": [5] }), json!({ "a": [] })],
    );
    check(
        json!({ "a": { "$elemMatch": { "$elemMatch": { "$gt": 1 } } } }),
        &[json!({ "a": [[2]] })],
        &[json!({ "a": [2] })],
    );
    // An array is a document whose names are positions.
    check(
        json!({ "a": { "$elemMatch": { "0": 5 } } }),
        &[json!({ "a": [[5, 6]] })],
        &[json!({ "a": [[6, 5]] }), json!({ "a": [5] })],
    );
    check(json!({ "a": { "$elemMatch": {} } }), &[json!({ "a": [{}] })], &[json!({ "a": [1] })]);
    check(
        json!({ "a.b": { "$elemMatch": { "$eq": 1 } } }),
        &[json!({ "a": [{ "b": [1] }] })],
        &[json!({ "a": [{ "b": 1 }] })],
    );
}

/// FILT-14: an array itself is counted, not the arrays in it.
#[test]
fn size() {
    check(
        json!({ "a": { "$size": 2 } }),
        &[json!({ "a": [1, 2] })],
        &[json!({ "a": [[1, 2]] }), json!({ "a": 2 }), json!({})],
    );
    check(json!({ "a": { "$size": 0.0 } }), &[json!({ "a": [] })], &[json!({})]);
}

/// FILT-14.
#[test]
fn exists() {
    check(json!({ "a": { "$exists": true } }), &[json!({ "a": null }), json!({ "a": [] })], &[json!({})]);
    check(json!({ "a": { "$exists": 0 } }), &[json!({})], &[json!({ "a": null })]);
    check(
        json!({ "a.b": { "$exists": true } }),
        &[json!({ "a": [{}, { "b": 1 }] })],
        &[json!({ "a": [{}] }), json!({ "a": [1] })],
    );
    check(
        json!({ "a.b": { "$exists": false } }),
        &[json!({ "a": [1] }), json!({ "a": [] })],
        &[json!({ "a": [{}, { "b": 1 }] })],
    );
}

/// FILT-14: by number or by name; an array has the types of its elements too.
#[test]
fn types() {
    check(
        json!({ "a": { "$type": "string" } }),
        &[json!({ "a": "x" }), json!({ "a": [1, "x"] })],
        &[json!({ "a": 1 }), json!({})],
    );
    check(json!({ "a": { "$type": 4 } }), &[json!({ "a": [] })], &[json!({ "a": 1 })]);
    check(
        json!({ "a": { "$type": ["number", "null"] } }),
        &[json!({ "a": 1.5 }), json!({ "a": { "$numberLong": "1" } }), json!({ "a": null })],
        &[json!({ "a": "x" }), json!({})],
    );
    check(
        json!({ "a": { "$type": "int" } }),
        &[json!({ "a": 1 })],
        &[json!({ "a": 1.0 }), json!({ "a": { "$numberLong": "1" } })],
    );
    check(
        json!({ "a": { "$type": [-1, 127] } }),
        &[json!({ "a": { "$minKey": 1 } }), json!({ "a": { "$maxKey": 1 } })],
        &[json!({ "a": 1 })],
    );
}

/// FILT-14: a path of many positions is bounded before it is searched for.
#[test]
fn a_path_that_branches_at_every_step_ends_soon() {
    let mut nested = json!({ "0": 1 });
    for _ in 0..40 {
        nested = json!({ "0": [nested] });
    }
    let started = std::time::Instant::now();
    check(json!({ "0.0.0.0.0.0.0.0.0.0.0.0": "x" }), &[], &[nested]);
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
    assert!(parse_trusted(&document(json!({ "0.0.0.0.0.0.0.0.0.0.0.0.0": 1 }))).is_err());
}
