//! Cases of `find`.

use std::sync::atomic::{AtomicBool, Ordering};

use bson::oid::ObjectId;
use bson::{Bson, DateTime, RawDocumentBuf, doc};
use shared::store::StoreError;

use super::*;
use crate::query::{Test, compare_by, place, total_order};
use crate::store::SCAN_BYTES;

pub(in crate::store) async fn a_source_nobody_wrote_to_is_empty(store: &Store) {
    assert_eq!(get(store, 1).await, None);
    assert_eq!(find(store, &all()).await, (vec![], Some(0)));
    let delete = Write::DeleteMany { source: "things".to_owned(), filter: Filter::All };
    assert_eq!(commit(store, [delete]).await, Outcome::Done(vec![0]));
    prepare(store, vec![index("n")]).await;
    assert_eq!(find(store, &Find { filter: Filter::equal("n", 1), ..all() }).await, (vec![], Some(0)));
}

/// FILT-14.
pub(in crate::store) async fn null_matches_what_is_missing_and_comparisons_keep_to_their_type(store: &Store) {
    for indexes in [vec![], vec![index("n")], vec![index("-n")]] {
        prepare(store, indexes).await;
        let delete = Write::DeleteMany { source: "things".to_owned(), filter: Filter::All };
        assert!(matches!(commit(store, [delete]).await, Outcome::Done(_)));
        let values = [
            Bson::Null,
            1.into(),
            Bson::Int64(2),
            2.5.into(),
            Bson::Decimal128("3".parse().unwrap()),
            f64::NAN.into(),
            f64::INFINITY.into(),
            "2".into(),
            "b".into(),
            true.into(),
            DateTime::from_millis(2).into(),
            ObjectId::from_bytes([2; 12]).into(),
            doc! { "a": 2 }.into(),
        ];
        stored(store, values.iter().enumerate().map(|(n, value)| doc! { "_id": n as i32, "n": value })).await;
        stored(store, [doc! { "_id": 50 }]).await;
        let test = |test: Test| Filter::field("n", test);
        assert_eq!(matching(store, test(Test::Eq(Bson::Null))).await, [0, 50]);
        assert_eq!(matching(store, test(Test::Eq(2.0.into()))).await, [2]);
        assert_eq!(matching(store, test(Test::Gt(1.into()))).await, [2, 3, 4, 6]);
        assert_eq!(matching(store, test(Test::Gte(Bson::Int64(3)))).await, [4, 6]);
        assert_eq!(matching(store, test(Test::Lt(2.5.into()))).await, [1, 2]);
        assert_eq!(matching(store, test(Test::Lte(2.5.into()))).await, [1, 2, 3]);
        assert_eq!(matching(store, test(Test::Gt("2".into()))).await, [8]);
        assert_eq!(matching(store, test(Test::Gte(DateTime::from_millis(0).into()))).await, [10]);
        assert_eq!(matching(store, test(Test::Lt(ObjectId::from_bytes([3; 12]).into()))).await, [11]);
        assert_eq!(matching(store, test(Test::Eq(doc! { "a": 2.0 }.into()))).await, [12]);
        assert_eq!(matching(store, test(Test::Ne(Bson::Null))).await, (1..13).collect::<Vec<_>>());
        let within = test(Test::Gte(2.into())).and(test(Test::Lt(3.into())));
        assert_eq!(matching(store, within).await, [2, 3]);
        let choice = Test::In([Bson::Null, 1.into(), "b".into()].into_iter().collect());
        assert_eq!(matching(store, test(choice)).await, [0, 1, 8, 50]);
        assert_eq!(matching(store, test(Test::In(Vec::new().into()))).await, NONE);
    }
}

/// FILT-14.
pub(in crate::store) async fn elements_of_arrays_and_fields_within_them_are_found(store: &Store) {
    let documents = [
        doc! { "_id": 0, "a": [1, 5] },
        doc! { "_id": 1, "a": [[1], 2] },
        doc! { "_id": 2, "a": [] },
        doc! { "_id": 3, "a": 1 },
        doc! { "_id": 4, "a": [{ "b": 1 }, { "b": [4, 7] }, 3] },
        doc! { "_id": 5, "a": { "b": 4 } },
        doc! { "_id": 6, "a": [{ "c": 1 }] },
    ];
    stored(store, documents).await;
    for indexes in
        [vec![], vec![index("a"), index("a.b")], vec![index("-a -a.b"), index("a.b a"), index("a.0"), index("a.1.b")]]
    {
        prepare(store, indexes).await;
        let found = async |path: &str, test: Test| matching(store, Filter::field(path, test)).await;
        assert_eq!(found("a", Test::Eq(1.into())).await, [0, 3]);
        assert_eq!(found("a", Test::Eq(vec![1].into())).await, [1]);
        assert_eq!(found("a", Test::Eq(vec![1, 5].into())).await, [0]);
        assert_eq!(found("a", Test::Eq(Bson::Array(vec![]))).await, [2]);
        assert_eq!(found("a.b", Test::Eq(4.into())).await, [4, 5]);
        assert_eq!(found("a.b", Test::Eq(Bson::Null)).await, [3, 6]);
        assert_eq!(found("a.0", Test::Eq(1.into())).await, [0]);
        assert_eq!(found("a.1.b", Test::Eq(7.into())).await, [4]);
        // Two elements may satisfy one bound each.
        let between = |path: &str| Filter::field(path, Test::Gt(4.into())).and(Filter::field(path, Test::Lt(2.into())));
        assert_eq!(matching(store, between("a")).await, [0]);
        assert_eq!(matching(store, between("a.b")).await, [4]);
        let (items, total) = find(store, &Find { filter: Filter::field("a.b", Test::Gte(1.into())), ..all() }).await;
        assert_eq!((items.len(), total), (2, Some(2)));
    }
}

pub(in crate::store) async fn mixed_types_sort_in_the_order_of_their_types(store: &Store) {
    let rising = [
        Bson::MinKey,
        Bson::Null,
        f64::NAN.into(),
        Bson::Double(f64::NEG_INFINITY),
        Bson::Int64(i64::MIN),
        (-1.5).into(),
        0.into(),
        Bson::Decimal128("0.1".parse().unwrap()),
        Bson::Double(0.1),
        Bson::Int64((1 << 53) + 1),
        Bson::Double(1e300),
        "".into(),
        "a".into(),
        "a\0".into(),
        "a b".into(),
        "b".into(),
        doc! {}.into(),
        doc! { "a": 1 }.into(),
        doc! { "b": 1 }.into(),
        doc! { "a": "x" }.into(),
        ObjectId::from_bytes([0; 12]).into(),
        false.into(),
        true.into(),
        DateTime::from_millis(-5).into(),
        DateTime::from_millis(5).into(),
        Bson::MaxKey,
    ];
    // Stored in another order than the wanted one.
    let documents =
        (0..rising.len()).map(|n| (n * 7) % rising.len()).map(|n| doc! { "_id": n as i32, "v": &rising[n] });
    stored(store, documents).await;
    let expected: Vec<i32> = (0..rising.len() as i32).collect();
    for indexes in [vec![], vec![index("v")], vec![index("-v")]] {
        prepare(store, indexes).await;
        assert_eq!(ids(store, Find { sort: by("v"), ..all() }).await, expected);
        let falling = ids(store, Find { sort: by("-v"), ..all() }).await;
        assert!(falling.iter().rev().eq(&expected), "{falling:?}");
    }
}

pub(in crate::store) async fn an_array_sorts_by_its_least_or_greatest_element(store: &Store) {
    let documents = [
        doc! { "_id": 0, "a": [3, 9] },
        doc! { "_id": 1, "a": 4 },
        doc! { "_id": 2, "a": [] },
        doc! { "_id": 3 },
        doc! { "_id": 4, "a": [5, 1] },
        doc! { "_id": 5, "a": ["x", 2] },
    ];
    stored(store, documents).await;
    for indexes in [vec![], vec![index("a")]] {
        prepare(store, indexes).await;
        assert_eq!(ids(store, Find { sort: by("a"), ..all() }).await, [2, 3, 4, 5, 0, 1]);
        assert_eq!(ids(store, Find { sort: by("-a"), ..all() }).await, [5, 0, 4, 1, 3, 2]);
    }
}

pub(in crate::store) async fn equal_sort_keys_come_by_id_in_the_last_direction(store: &Store) {
    stored(store, (0..20).map(|id| doc! { "_id": (id * 7) % 20, "a": 1, "b": ((id * 7) % 20) / 10 })).await;
    for indexes in
        [vec![], vec![index("a")], vec![index("b a")], vec![index("a -b")], vec![index("b"), index("a b _id")]]
    {
        prepare(store, indexes).await;
        let rising: Vec<i32> = (0..20).collect();
        let falling: Vec<i32> = (0..20).rev().collect();
        let halves: Vec<i32> = (10..20).chain(0..10).collect();
        for (sort, expected) in [
            ("a", &rising),
            ("-a", &falling),
            ("b", &rising),
            ("-b", &falling),
            ("-b a", &halves),
            ("a -b", &falling),
            ("-b _id", &halves),
            ("_id -b", &rising),
            ("-_id", &falling),
        ] {
            assert_eq!(ids(store, Find { sort: by(sort), ..all() }).await, *expected, "{sort}");
            let equal = Find { sort: by(sort), filter: Filter::equal("a", 1), ..all() };
            assert_eq!(ids(store, equal).await, *expected, "{sort}, a = 1");
            let one_of = Filter::one_of("b", [0.into(), 1.into(), 2.into()]);
            assert_eq!(ids(store, Find { sort: by(sort), filter: one_of, ..all() }).await, *expected, "{sort}, b in");
        }
        assert_eq!(ids(store, all()).await, rising);
    }
}

/// LIST-02, PAGE-04.
pub(in crate::store) async fn pages_are_disjoint_whole_and_tell_the_total(store: &Store) {
    stored(store, (0..110).map(|id| doc! { "_id": id, "a": id % 3, "b": [id % 5, id % 7], "c": id % 11 })).await;
    let filters = [
        Filter::All,
        Filter::equal("a", 1),
        Filter::one_of("a", [0.into(), 2.into()]),
        Filter::field("a", Test::Gte(1.into())),
        Filter::equal("b", 4),
        Filter::one_of("b", [1.into(), 2.into(), 6.into()]),
        Filter::equal("a", 1).and(Filter::equal("c", 3)),
        Filter::Or(vec![Filter::equal("a", 1), Filter::equal("c", 3)]),
        Filter::one_of("_id", (0..400).step_by(3).map(Bson::from)),
        Filter::equal("a", 77),
    ];
    for indexes in [vec![], vec![index("a"), index("b")], vec![index("a -c"), index("c")]] {
        prepare(store, indexes).await;
        for filter in &filters {
            for sort in ["_id", "-_id", "a", "-c", "c a", "b"] {
                let whole = Find { filter: filter.clone(), sort: by(sort), ..all() };
                let expected = ids(store, whole.clone()).await;
                let total = Some(expected.len() as u64);
                let mut seen = Vec::new();
                for skip in (0..125).step_by(25) {
                    let page = Find { skip, limit: Some(25), ..whole.clone() };
                    let (items, told) = find(store, &page).await;
                    assert_eq!(told, total, "{page:?}");
                    seen.extend(items.iter().map(|item| item.get_i32("_id").unwrap()));
                    let uncounted = find(store, &Find { count: false, ..page }).await;
                    assert_eq!(uncounted, (items, None));
                }
                assert_eq!(seen, expected, "{whole:?}");
            }
        }
    }
}

/// PAGE: a place in the order leads on from there, whatever happened to the document that had it.
pub(in crate::store) async fn what_follows_a_place_is_the_rest_of_the_order(store: &Store) {
    stored(store, (0..120).map(|id| doc! { "_id": id, "a": id % 4, "b": [id % 7, 100 - id], "c": id % 5 })).await;
    let filters = [
        Filter::All,
        Filter::equal("a", 1),
        Filter::one_of("a", [0.into(), 2.into()]),
        Filter::field("a", Test::Gte(1.into())),
        Filter::equal("b", 4),
        Filter::equal("a", 1).and(Filter::equal("c", 3)),
        Filter::one_of("_id", (0..400).step_by(3).map(Bson::from)),
        Filter::equal("_id", 7),
    ];
    let sets = [
        vec![],
        vec![index("a"), index("b"), index("-c")],
        vec![index("a -c"), index("c a")],
        vec![index("a _id c"), index("-c -_id b")],
    ];
    for indexes in sets {
        prepare(store, indexes).await;
        for filter in &filters {
            for sort in ["_id", "-_id", "a", "-c", "c a", "a -c", "b", "-b"] {
                let whole = Find { filter: filter.clone(), sort: by(sort), ..all() };
                let expected = ids(store, whole.clone()).await;
                let order = total_order(&whole.sort);
                let (mut seen, mut after) = (Vec::new(), None);
                loop {
                    let count = seen.len() % 2 == 0;
                    let page = Find { after, limit: Some(7), count, ..whole.clone() };
                    let found = store.find("things", &page).await.unwrap();
                    assert_eq!(found.total, count.then_some(expected.len() as u64), "{page:?}");
                    let Some(last) = found.items.last() else { break };
                    after = place(&order, last);
                    seen.extend(found.items.iter().map(|item| item.get_i32("_id").unwrap()));
                    assert!(seen.len() <= expected.len(), "{whole:?} goes round");
                }
                assert_eq!(seen, expected, "{whole:?}");
            }
        }
    }
    let page = Find { sort: by("a"), limit: Some(3), ..all() };
    let last = store.find("things", &page).await.unwrap().items.pop().unwrap();
    let after = place(&total_order(&page.sort), &last);
    let gone = Write::DeleteMany { source: "things".to_owned(), filter: Filter::one_of("_id", [0.into(), 8.into()]) };
    assert_eq!(commit(store, [gone]).await, Outcome::Done(vec![2]));
    assert_eq!(ids(store, Find { after, ..page }).await, [12, 16, 20]);
}

/// PAGE: the document at a place may have changed, and be none any more of those that the filter finds.
pub(in crate::store) async fn a_place_may_have_another_value_than_all_that_is_found(store: &Store) {
    stored(store, (0..30).map(|id| doc! { "_id": id, "a": id % 3, "b": id % 4 })).await;
    let filters = [Filter::equal("a", 1), Filter::equal("a", 1).and(Filter::equal("b", 2)), Filter::equal("_id", 7)];
    for indexes in [vec![], vec![index("a")], vec![index("-a b")], vec![index("b -a")]] {
        prepare(store, indexes).await;
        for (filter, sort) in
            filters.iter().flat_map(|filter| ["a", "-a", "b a", "-b a", "a -b"].map(|sort| (filter, sort)))
        {
            let whole = Find { filter: filter.clone(), sort: by(sort), ..all() };
            let order = total_order(&whole.sort);
            let (found, _) = find(store, &whole).await;
            for (a, b) in (0..3).flat_map(|a| (1..4).map(move |b| (a, b))) {
                let place_at = doc! { "_id": 15, "a": a, "b": b };
                let behind = found.iter().filter(|document| compare_by(&order, document, &place_at).is_gt());
                let expected: Vec<_> = behind.map(|document| document.get_i32("_id").unwrap()).collect();
                let after = place(&order, &RawDocumentBuf::try_from(&place_at).unwrap());
                assert_eq!(ids(store, Find { after, ..whole.clone() }).await, expected, "{whole:?} behind {place_at}");
            }
        }
    }
}

pub(in crate::store) async fn a_page_of_none_counts(store: &Store) {
    prepare(store, vec![index("a")]).await;
    stored(store, (0..30).map(|id| doc! { "_id": id, "a": id % 3, "b": id % 2 })).await;
    for (filter, total) in [(Filter::All, 30), (Filter::equal("a", 1), 10), (Filter::equal("b", 1), 15)] {
        let none = Find { filter, limit: Some(0), ..all() };
        assert_eq!(find(store, &none).await, (vec![], Some(total)));
    }
}

pub(in crate::store) async fn a_search_brings_no_more_than_memory_is_for(store: &Store) {
    let long = "x".repeat(1 << 20);
    for id in 0..30 {
        stored(store, [doc! { "_id": id, "n": id, "long": &long }]).await;
    }
    for sort in ["_id", "-n"] {
        let all = Find { sort: by(sort), ..all() };
        assert!(matches!(store.find("things", &all).await, Err(StoreError::Deadline)));
        assert_eq!(ids(store, Find { limit: Some(20), ..all }).await.len(), 20);
    }
}

/// CFG-19: made, changed and dropped at start, over data that is there.
pub(in crate::store) async fn an_index_changes_no_answer(store: &Store) {
    stored(store, (0..3000).map(|id| doc! { "_id": id, "a": id % 100, "b": { "c": [id % 7, "x"] } })).await;
    let filter = Filter::equal("a", 7).and(Filter::equal("b.c", 3));
    let expected = matching(store, filter.clone()).await;
    assert!(!expected.is_empty());
    let special =
        |kind: &str| Index { keys: vec![("b".to_owned(), IndexDirection::Special(kind.to_owned()))], ..index("b") };
    for indexes in [
        vec![index("a")],
        vec![index("b.c"), index("a")],
        vec![index("a b.c")],
        vec![index("-b.c a"), special("hashed"), special("2dsphere"), special("text")],
        vec![Index { sparse: true, ..index("missing") }, Index { sparse: true, ..index("a missing") }],
        vec![],
    ] {
        prepare(store, indexes.clone()).await;
        prepare(store, indexes).await;
        assert_eq!(matching(store, filter.clone()).await, expected);
        assert_eq!(matching(store, Filter::field("missing", Test::Exists(false))).await.len(), 3000);
        assert_eq!(matching(store, Filter::equal("missing", Bson::Null)).await.len(), 3000);
        let page = Find { sort: by("missing"), limit: Some(3), ..all() };
        assert_eq!(ids(store, page).await, [0, 1, 2]);
    }
}

pub(in crate::store) async fn a_reader_sees_whole_batches(store: &Store) {
    prepare(store, vec![index("n")]).await;
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, done) = (store.clone(), std::sync::Arc::clone(&done));
        actix_rt::spawn(async move {
            for batch in 0..60 {
                stored(&store, (0..10).map(|place| doc! { "_id": batch * 10 + place, "n": 1 })).await;
            }
            done.store(true, Ordering::Relaxed);
        })
    };
    while !done.load(Ordering::Relaxed) {
        for filter in [Filter::All, Filter::equal("n", 1)] {
            let (items, total) = find(store, &Find { filter, limit: Some(1000), ..all() }).await;
            assert_eq!((items.len() as u64 % 10, Some(items.len() as u64)), (0, total));
        }
        actix_rt::task::yield_now().await;
    }
    writer.await.unwrap();
    assert_eq!(find(store, &all()).await.1, Some(600));
}

pub(in crate::store) async fn sources_are_told_by_their_names(store: &Store) {
    assert!(store.sources().await.unwrap().is_empty());
    for source in ["works", "a source", "people"] {
        let write = Write::insert(source, &doc! { "_id": 1 }).unwrap();
        assert!(matches!(commit(store, [write]).await, Outcome::Done(_)));
    }
    let named = store.sources().await.unwrap();
    assert_eq!(named, ["a source", "people", "works"]);
    prepare(store, vec![index("a")]).await;
    let named = store.sources().await.unwrap();
    assert!(named.is_sorted() && named.iter().any(|name| name == "things"), "{named:?}");
}

pub(in crate::store) async fn a_piece_of_a_scan_is_bounded_by_its_bytes(store: &Store) {
    let text = "x".repeat(900 << 10);
    for n in 0..12 {
        stored(store, [doc! { "_id": n, "text": &text }]).await;
    }
    let (mut found, mut pieces) = (Vec::new(), 0);
    loop {
        let piece = store.scan("things", found.last(), 100).await.unwrap();
        if piece.is_empty() {
            break;
        }
        let bytes: usize = piece.iter().map(|document| document.as_bytes().len()).sum();
        assert!(bytes < SCAN_BYTES + (1 << 20), "{bytes}");
        pieces += 1;
        found.extend(piece.iter().map(|document| Bson::from(document.get_i32("_id").unwrap())));
    }
    assert_eq!(found, (0..12).map(Bson::from).collect::<Vec<_>>());
    assert_eq!(pieces, 3);
}
