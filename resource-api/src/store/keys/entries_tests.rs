#![allow(clippy::unwrap_used)]

use bson::{Bson, RawDocumentBuf, doc};

use super::*;

fn components(fields: &str) -> Vec<Component> {
    fields.split(' ').map(|field| Component::new(field.trim_start_matches('-'), field.starts_with('-'))).collect()
}

fn entries(document: &bson::Document, fields: &str, sparse: bool) -> Entries {
    of(&RawDocumentBuf::try_from(document).unwrap(), &components(fields), sparse).unwrap()
}

/// The keys of these tuples, in order.
fn keys<const N: usize>(tuples: impl IntoIterator<Item = [Bson; N]>) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> =
        tuples.into_iter().map(|tuple| tuple.iter().flat_map(|value| key::of(value).unwrap()).collect()).collect();
    keys.sort();
    keys
}

#[test]
fn each_element_of_an_array_is_a_key_and_what_is_missing_is_null() {
    let document = doc! { "a": [3, 1, 3, [2]], "b": [], "c": { "d": 5 }, "e": [{ "f": 1 }, { "f": [2, 4] }, {}, 7] };
    for (path, expected) in [
        ("a", vec![1.into(), 3.into(), Bson::Array(vec![2.into()])]),
        ("a.0", vec![3.into()]),
        ("a.3", vec![Bson::Array(vec![2.into()])]),
        ("a.9", vec![Bson::Null]),
        ("b", vec![Bson::Undefined]),
        ("c.d", vec![5.into()]),
        ("c.x", vec![Bson::Null]),
        ("c.d.x", vec![Bson::Null]),
        ("e.f", vec![Bson::Null, 1.into(), 2.into(), 4.into()]),
        ("e.1.f", vec![2.into(), 4.into(), Bson::Null]),
        ("x", vec![Bson::Null]),
    ] {
        let found = entries(&document, path, false);
        assert_eq!(found.keys, keys(expected.into_iter().map(|value| [value])), "{path}");
        assert_eq!(found.multikey, !path.starts_with('c') && path != "x", "{path}");
    }
}

#[test]
fn paths_into_one_array_go_through_it_together_and_other_arrays_give_every_pair() {
    let document = doc! { "a": [{ "x": 1, "y": 2 }, { "x": 3 }], "b": [5, 6], "c": 7 };
    let together = entries(&document, "a.x a.y", false);
    assert_eq!(together.keys, keys([[1.into(), 2.into()], [3.into(), Bson::Null]]));
    let crossed = entries(&document, "a.x b c", false);
    let pairs = [(1, 5), (1, 6), (3, 5), (3, 6)].map(|(x, b)| [x.into(), b.into(), 7.into()]);
    assert_eq!(crossed.keys, keys(pairs));
}

#[test]
fn a_sparse_index_leaves_out_what_has_none_of_its_fields() {
    assert_eq!(entries(&doc! { "a": 1 }, "x y", true).keys, Vec::<Vec<u8>>::new());
    assert_eq!(entries(&doc! { "x": 1 }, "x y", true).keys, keys([[1.into(), Bson::Null]]));
    assert_eq!(entries(&doc! { "x": Bson::Null }, "x", true).keys, keys([[Bson::Null]]));
    assert_eq!(entries(&doc! { "a": 1 }, "x", false).keys, keys([[Bson::Null]]));
}

#[test]
fn a_descending_component_is_inverted() {
    let less = entries(&doc! { "a": 1, "b": 1 }, "a -b", false);
    let more = entries(&doc! { "a": 1, "b": 2 }, "a -b", false);
    assert!(more.keys[0] < less.keys[0]);
}

/// Two long arrays would fill an index with their product; the index is given up instead.
#[test]
fn too_many_combinations_are_cut_short_and_told() {
    let long: Vec<i32> = (0..2000).collect();
    let both = entries(&doc! { "a": &long, "b": &long }, "a b", false);
    assert!(both.incomplete && both.keys.len() <= 1000);
    let one = entries(&doc! { "a": long }, "a", false);
    assert!(!one.incomplete && one.keys.len() == 2000);
}

/// A number in a path may be a position or a name, so each level of a document made for it doubles the ways.
#[test]
fn a_path_of_numbers_through_a_document_made_for_it_ends_soon() {
    let mut deep = Bson::from(1);
    for _ in 0..60 {
        deep = Bson::Array(vec![doc! { "0": deep }.into()]);
    }
    let found = entries(&doc! { "a": deep }, &format!("a{}", ".0".repeat(80)), false);
    assert!(found.incomplete);
}
