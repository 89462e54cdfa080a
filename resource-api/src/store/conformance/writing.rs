//! Cases of `commit` and `get`.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Regex, Timestamp, doc};
use futures_util::future::join_all;

use super::*;
use crate::query::Test;

/// DB-07, DB-03.
pub(in crate::store) async fn a_document_comes_back_with_every_type_as_it_was(store: &Store) {
    prepare(store, vec![index("int64"), index("decimal"), index("date")]).await;
    let document = doc! {
        "_id": ObjectId::new(),
        "int32": 1_i32,
        "int64": 1_i64,
        "large": i64::MAX - 1,
        "double": 1.0,
        "infinite": f64::NEG_INFINITY,
        "decimal": Bson::Decimal128("1.50".parse().unwrap()),
        "date": DateTime::from_millis(-1),
        "text": "Zürich\0\u{1F409}",
        "binary": Bson::Binary(Binary { subtype: BinarySubtype::UserDefined(0x80), bytes: vec![0, 255, 1] }),
        "regex": Bson::RegularExpression(Regex { pattern: "^a".try_into().unwrap(), options: "i".try_into().unwrap() }),
        "timestamp": Bson::Timestamp(Timestamp { time: 7, increment: 8 }),
        "null": Bson::Null,
        "bool": false,
        "list": [1_i64, [], {}, Bson::MinKey],
        "empty": {},
        "": { "a.b": { "$c": Bson::MaxKey } },
    };
    stored(store, [document.clone()]).await;
    assert_eq!(get(store, document["_id"].clone()).await.unwrap(), document);
    assert_eq!(find(store, &all()).await, (vec![document], Some(1)));
}

/// POST-10, DS-03.
pub(in crate::store) async fn an_id_that_is_taken_is_a_conflict(store: &Store) {
    stored(store, [doc! { "_id": 1, "n": 1 }]).await;
    let taken = commit(store, [insert(doc! { "_id": 2 }), insert(doc! { "_id": 1, "n": 2 })]).await;
    assert_eq!(taken, Outcome::Conflict { index: 1, field: "_id".to_owned() });
    assert_eq!(get(store, 1).await.unwrap(), doc! { "_id": 1, "n": 1 });
    assert_eq!(get(store, 2).await, None);
}

/// DB-02.
pub(in crate::store) async fn ids_of_any_type_are_kept_apart_and_numbers_equal_across_types(store: &Store) {
    let ids = [
        Bson::from(1),
        "1".into(),
        true.into(),
        Bson::Null,
        DateTime::from_millis(1).into(),
        ObjectId::from_bytes([1; 12]).into(),
        doc! { "a": 1, "b": 2 }.into(),
        doc! { "b": 2, "a": 1 }.into(),
        1.5.into(),
    ];
    stored(store, ids.iter().enumerate().map(|(n, id)| doc! { "_id": id, "n": n as i32 })).await;
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(get(store, id.clone()).await.unwrap().get_i32("n").unwrap(), n as i32, "{id}");
        let by_id = Find { filter: Filter::equal("_id", id.clone()), ..all() };
        assert_eq!(find(store, &by_id).await.1, Some(1), "{id}");
    }
    for equal in [Bson::Int64(1), Bson::Double(1.0), Bson::Decimal128("1.0".parse().unwrap())] {
        assert_eq!(get(store, equal.clone()).await.unwrap().get_i32("n").unwrap(), 0);
        assert!(matches!(commit(store, [insert(doc! { "_id": equal })]).await, Outcome::Conflict { .. }));
    }
}

/// ETAG-10, DS-01.
pub(in crate::store) async fn a_replacement_needs_the_etag_and_filter_it_was_read_with(store: &Store) {
    stored(store, [doc! { "_id": 1, "_etag": "a", "owner": "eve" }]).await;
    let replace = |guard: Guard| {
        Write::replace("things", guard, &doc! { "_id": 1, "_etag": "b", "owner": "eve", "n": 2 }).unwrap()
    };
    let foreign = Guard { filter: Filter::equal("owner", "adam"), ..guard(1, "a") };
    assert_eq!(commit(store, [replace(guard(1, "b"))]).await, Outcome::Changed { index: 0 });
    assert_eq!(commit(store, [replace(foreign)]).await, Outcome::Changed { index: 0 });
    assert_eq!(get(store, 1).await.unwrap().get("n"), None);
    assert_eq!(commit(store, [replace(guard(1, "a"))]).await, Outcome::Done(vec![1]));
    assert_eq!(get(store, 1).await.unwrap().get("n"), Some(&Bson::Int32(2)));
    assert_eq!(commit(store, [replace(guard(1, "a"))]).await, Outcome::Changed { index: 0 });
    assert_eq!(commit(store, [replace(unguarded(1))]).await, Outcome::Done(vec![1]));
    let missing = Write::replace("things", unguarded(2), &doc! { "_id": 2 }).unwrap();
    assert_eq!(commit(store, [missing]).await, Outcome::Missing { index: 0 });
}

/// PUT-01: what the document is named like does not matter.
pub(in crate::store) async fn a_replacement_may_begin_with_an_operators_name(store: &Store) {
    stored(store, [doc! { "_id": 1, "_etag": "a", "n": 1 }]).await;
    let document = doc! { "$set": { "n": 2 }, "$b": "$n", "_id": 1, "_etag": "b" };
    let replace = |guard: Guard| Write::replace("things", guard, &document).unwrap();
    assert_eq!(commit(store, [replace(guard(1, "b"))]).await, Outcome::Changed { index: 0 });
    assert_eq!(commit(store, [replace(guard(1, "a"))]).await, Outcome::Done(vec![1]));
    assert_eq!(get(store, 1).await.unwrap(), document);
    let missing = Write::replace("things", unguarded(2), &doc! { "$set": 1, "_id": 2 }).unwrap();
    assert_eq!(commit(store, [missing]).await, Outcome::Missing { index: 0 });
}

/// DB-05.
pub(in crate::store) async fn setting_fields_keeps_the_others_and_their_order(store: &Store) {
    prepare(store, vec![index("b"), index("d")]).await;
    stored(store, [doc! { "_id": 1, "a": 1_i64, "b": { "x": 1 }, "c": "c" }]).await;
    let set = Write::Set { source: "things".to_owned(), guard: unguarded(1), fields: doc! { "d": 4, "b": [2] } };
    assert_eq!(commit(store, [set]).await, Outcome::Done(vec![1]));
    let expected = doc! { "_id": 1, "a": 1_i64, "b": [2], "c": "c", "d": 4 };
    let changed = get(store, 1).await.unwrap();
    assert_eq!(changed.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert_eq!(changed, expected);
    assert_eq!(matching(store, Filter::equal("b", 2)).await, [1]);
    assert_eq!(matching(store, Filter::equal("d", 4)).await, [1]);
    assert_eq!(matching(store, Filter::equal("b", doc! { "x": 1 })).await, NONE);
    let set = Write::Set { source: "things".to_owned(), guard: unguarded(2), fields: doc! { "d": 4 } };
    assert_eq!(commit(store, [set]).await, Outcome::Missing { index: 0 });
}

/// DEL-03, ETAG-10.
pub(in crate::store) async fn a_delete_needs_the_state_it_was_decided_on(store: &Store) {
    prepare(store, vec![index("n")]).await;
    stored(store, [doc! { "_id": 1, "_etag": "a", "n": 1 }]).await;
    let delete = |guard: Guard| Write::Delete { source: "things".to_owned(), guard };
    assert_eq!(commit(store, [delete(guard(1, "b"))]).await, Outcome::Changed { index: 0 });
    let outside = Guard { filter: Filter::field("n", Test::Gt(1.into())), ..unguarded(1) };
    assert_eq!(commit(store, [delete(outside)]).await, Outcome::Changed { index: 0 });
    assert_eq!(commit(store, [delete(guard(1, "a"))]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [delete(guard(1, "a"))]).await, Outcome::Missing { index: 0 });
    assert_eq!(find(store, &all()).await, (vec![], Some(0)));
    assert_eq!(matching(store, Filter::equal("n", 1)).await, NONE);
}

/// Decisions 18: no half bulk.
pub(in crate::store) async fn a_refused_batch_changes_nothing(store: &Store) {
    prepare(store, vec![unique("name"), index("n")]).await;
    stored(store, [doc! { "_id": 1, "name": "a", "n": 1 }, doc! { "_id": 2, "name": "b", "n": 1 }]).await;
    let batch = [
        insert(doc! { "_id": 3, "name": "c", "n": 1 }),
        Write::Set { source: "things".to_owned(), guard: unguarded(1), fields: doc! { "name": "z", "n": 2 } },
        Write::Delete { source: "things".to_owned(), guard: unguarded(2) },
        Write::DeleteMany { source: "things".to_owned(), filter: Filter::equal("n", 1) },
        Write::insert("others", &doc! { "_id": 1 }).unwrap(),
        Write::Set { source: "things".to_owned(), guard: unguarded(9), fields: doc! {} },
    ];
    assert_eq!(commit(store, batch).await, Outcome::Missing { index: 5 });
    assert_eq!(matching(store, Filter::All).await, [1, 2]);
    assert_eq!(matching(store, Filter::equal("n", 1)).await, [1, 2]);
    assert_eq!(matching(store, Filter::equal("name", "a")).await, [1]);
    assert_eq!(store.find("others", &all()).await.unwrap().total, Some(0));
    let many = (10..500).map(|id| insert(doc! { "_id": id, "name": format!("{}", id % 400) }));
    assert_eq!(commit(store, many).await, Outcome::Conflict { index: 400, field: "name".to_owned() });
    assert_eq!(find(store, &all()).await.1, Some(2));
}

pub(in crate::store) async fn a_batch_sees_its_own_writes(store: &Store) {
    prepare(store, vec![unique("name"), index("n")]).await;
    let things = || "things".to_owned();
    let batch = [
        insert(doc! { "_id": 1, "name": "a", "n": 1, "_etag": "1" }),
        Write::Set { source: things(), guard: guard(1, "1"), fields: doc! { "n": 2, "_etag": "2" } },
        insert(doc! { "_id": 2, "name": "b", "n": 1 }),
        Write::Delete { source: things(), guard: guard(1, "2") },
        insert(doc! { "_id": 1, "name": "d", "n": 3 }),
        insert(doc! { "_id": 3, "name": "c", "n": 1 }),
        Write::DeleteMany { source: things(), filter: Filter::equal("n", 1) },
    ];
    assert_eq!(commit(store, batch).await, Outcome::Done(vec![1, 1, 1, 1, 1, 1, 2]));
    assert_eq!(find(store, &all()).await, (vec![doc! { "_id": 1, "name": "d", "n": 3 }], Some(1)));
    let taken = [insert(doc! { "_id": 4, "name": "e" }), insert(doc! { "_id": 5, "name": "e" })];
    assert_eq!(commit(store, taken).await, Outcome::Conflict { index: 1, field: "name".to_owned() });
}

/// DEL-01.
pub(in crate::store) async fn deleting_many_takes_what_the_filter_matches(store: &Store) {
    prepare(store, vec![index("n"), index("tags")]).await;
    stored(store, (0..100).map(|id| doc! { "_id": id, "n": id % 10, "tags": [id % 3, id % 5], "x": id % 7 })).await;
    let delete = |filter| Write::DeleteMany { source: "things".to_owned(), filter };
    assert_eq!(commit(store, [delete(Filter::equal("n", 3))]).await, Outcome::Done(vec![10]));
    assert_eq!(commit(store, [delete(Filter::equal("tags", 4))]).await, Outcome::Done(vec![20]));
    let (left, total) = find(store, &all()).await;
    assert_eq!((left.len(), total), (70, Some(70)));
    let scanned = left.iter().filter(|item| item.get("x") == Some(&Bson::Int32(0))).count() as u64;
    assert_eq!(commit(store, [delete(Filter::equal("x", 0))]).await, Outcome::Done(vec![scanned]));
    assert_eq!(matching(store, Filter::equal("n", 3)).await, NONE);
    assert_eq!(commit(store, [delete(Filter::All)]).await, Outcome::Done(vec![70 - scanned]));
    assert_eq!(find(store, &all()).await, (vec![], Some(0)));
    assert_eq!(matching(store, Filter::equal("n", 4)).await, NONE);
    stored(store, [doc! { "_id": 1, "n": 4 }]).await;
    assert_eq!(matching(store, Filter::equal("n", 4)).await, [1]);
}

/// ETAG-10.
pub(in crate::store) async fn exactly_one_of_fifty_parallel_replacements_of_one_etag_is_done(store: &Store) {
    stored(store, [doc! { "_id": 1, "_etag": "first" }]).await;
    let tasks = (0..50).map(|n| {
        let store = store.clone();
        actix_rt::spawn(async move {
            let document = doc! { "_id": 1, "_etag": format!("etag {n}"), "n": n };
            commit(&store, [Write::replace("things", guard(1, "first"), &document).unwrap()]).await
        })
    });
    let outcomes: Vec<Outcome> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<usize> = (0..50).filter(|n| outcomes[*n] == Outcome::Done(vec![1])).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Changed { index: 0 }).count(), 49);
    assert_eq!(get(store, 1).await.unwrap().get("n"), Some(&Bson::Int32(winners[0] as i32)));
}

pub(in crate::store) async fn a_document_of_sixteen_megabytes_is_kept(store: &Store) {
    prepare(store, vec![index("list")]).await;
    let document = doc! { "_id": 1, "text": "ä".repeat((8 << 20) - 2000), "list": (0..100).collect::<Vec<i32>>() };
    stored(store, [document.clone()]).await;
    assert_eq!(get(store, 1).await.unwrap(), document);
    assert_eq!(matching(store, Filter::equal("list", 99)).await, [1]);
}

pub(in crate::store) async fn an_index_takes_a_text_of_megabytes(store: &Store) {
    prepare(store, vec![index("text")]).await;
    let text = "ä".repeat((8 << 20) - 2000);
    stored(store, [doc! { "_id": 1, "text": &text }, doc! { "_id": 2, "text": &text[2..] }]).await;
    assert_eq!(matching(store, Filter::equal("text", text.as_str())).await, [1]);
}

pub(in crate::store) async fn a_source_may_have_any_name(store: &Store) {
    let names =
        ["doc_1", "a b", "x\"; DROP TABLE doc_1; --", "people", "People", "köln", "document_source", "a.b", "'"];
    for (n, name) in names.iter().enumerate() {
        store.prepare(&domain(name, vec![index("n")])).await.unwrap();
        let write = Write::insert(*name, &doc! { "_id": 1, "n": n as i32 }).unwrap();
        assert_eq!(commit(store, [write]).await, Outcome::Done(vec![1]));
    }
    for (n, name) in names.iter().enumerate() {
        let find = Find { filter: Filter::equal("n", n as i32), ..all() };
        assert_eq!(store.find(name, &find).await.unwrap().total, Some(1), "{name}");
        assert_eq!(store.find(name, &all()).await.unwrap().total, Some(1), "{name}");
    }
}
