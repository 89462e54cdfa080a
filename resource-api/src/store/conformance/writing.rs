//! Cases of `commit` and `get`.

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, Regex, Timestamp, doc};
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
    prepare(store, vec![unique("name")]).await;
    let things = || "things".to_owned();
    let batch = [
        insert(doc! { "_id": 1, "name": "a", "_etag": "1" }),
        Write::Set { source: things(), guard: guard(1, "1"), fields: doc! { "name": "b", "_etag": "2" } },
        insert(doc! { "_id": 2, "name": "a" }),
        Write::Delete { source: things(), guard: guard(1, "2") },
        insert(doc! { "_id": 1, "name": "b" }),
        insert(doc! { "_id": 3, "name": "c" }),
        Write::DeleteMany { source: things(), filter: Filter::one_of("name", ["a".into(), "c".into()]) },
    ];
    assert_eq!(commit(store, batch).await, Outcome::Done(vec![1, 1, 1, 1, 1, 1, 2]));
    assert_eq!(find(store, &all()).await, (vec![doc! { "_id": 1, "name": "b" }], Some(1)));
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

pub(in crate::store) async fn exactly_one_of_sixty_four_parallel_inserts_of_a_unique_value_is_done(store: &Store) {
    prepare(store, vec![unique("name")]).await;
    let tasks = (0..64).map(|id| {
        let store = store.clone();
        actix_rt::spawn(async move { commit(&store, [insert(doc! { "_id": id, "name": "one" })]).await })
    });
    let outcomes: Vec<Outcome> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let conflict = Outcome::Conflict { index: 0, field: "name".to_owned() };
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == conflict).count(), 63, "{outcomes:?}");
    assert_eq!(find(store, &all()).await.1, Some(1));
}

/// VAL-43: documents without the field do not count, a null does.
pub(in crate::store) async fn a_unique_rule_counts_equal_numbers_and_ignores_documents_without_the_field(
    store: &Store,
) {
    prepare(store, vec![unique("a.b")]).await;
    let with = |id: i32, value: Bson| insert(doc! { "_id": id, "a": { "b": value } });
    let conflict = Outcome::Conflict { index: 0, field: "a.b".to_owned() };
    stored(store, [doc! { "_id": 1 }, doc! { "_id": 2 }, doc! { "_id": 3, "a": {} }, doc! { "_id": 4, "a": 1 }]).await;
    assert_eq!(commit(store, [with(5, 1.into())]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(6, 1.0.into())]).await, conflict);
    assert_eq!(commit(store, [with(6, Bson::Int64(1))]).await, conflict);
    assert_eq!(commit(store, [with(6, "1".into())]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(7, Bson::Null)]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(8, Bson::Null)]).await, conflict);
    let long = "x".repeat(5000);
    assert_eq!(commit(store, [with(9, format!("{long}a").into())]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(10, format!("{long}b").into())]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(11, format!("{long}b").into())]).await, conflict);
}

pub(in crate::store) async fn a_unique_rule_holds_for_each_element_of_an_array(store: &Store) {
    prepare(store, vec![unique("tags")]).await;
    let with = |id: i32, value: Bson| insert(doc! { "_id": id, "tags": value });
    let conflict = Outcome::Conflict { index: 0, field: "tags".to_owned() };
    assert_eq!(commit(store, [with(1, vec!["a", "b", "a"].into())]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(2, vec!["c", "b"].into())]).await, conflict);
    assert_eq!(commit(store, [with(2, "a".into())]).await, conflict);
    assert_eq!(commit(store, [with(2, vec!["c"].into())]).await, Outcome::Done(vec![1]));
    // An array within an array is a value of its own.
    assert_eq!(commit(store, [with(3, vec![Bson::from(vec!["c"])].into())]).await, Outcome::Done(vec![1]));
    assert_eq!(find(store, &all()).await.1, Some(3));
}

pub(in crate::store) async fn a_unique_rule_of_two_fields_holds_for_the_pair(store: &Store) {
    prepare(store, vec![unique("owner -name")]).await;
    let with = |id: i32, owner: &str, name: &str| insert(doc! { "_id": id, "owner": owner, "name": name });
    assert_eq!(commit(store, [with(1, "a", "x")]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(2, "a", "y")]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(3, "b", "x")]).await, Outcome::Done(vec![1]));
    // Where one text ends and the next begins must not matter.
    assert_eq!(commit(store, [with(4, "ax", "")]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(5, "", "ax")]).await, Outcome::Done(vec![1]));
    let taken = commit(store, [with(6, "a", "y")]).await;
    assert_eq!(taken, Outcome::Conflict { index: 0, field: "owner".to_owned() });
}

pub(in crate::store) async fn a_unique_value_is_free_again_after_a_change_or_a_delete(store: &Store) {
    prepare(store, vec![unique("name")]).await;
    stored(store, [doc! { "_id": 1, "name": "a" }, doc! { "_id": 2, "name": "b" }]).await;
    let set = |id: i32, name: &str| Write::Set {
        source: "things".to_owned(),
        guard: unguarded(id),
        fields: doc! { "name": name },
    };
    assert_eq!(commit(store, [set(1, "b")]).await, Outcome::Conflict { index: 0, field: "name".to_owned() });
    assert_eq!(commit(store, [set(1, "a")]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [set(1, "c"), set(2, "a")]).await, Outcome::Done(vec![1, 1]));
    let delete = Write::Delete { source: "things".to_owned(), guard: unguarded(2) };
    assert_eq!(commit(store, [delete, set(1, "a")]).await, Outcome::Done(vec![1, 1]));
    assert_eq!(matching(store, Filter::equal("name", "a")).await, [1]);
}

/// Architecture §4: a collection taken over with duplicates still starts.
pub(in crate::store) async fn stored_duplicates_stay_and_nothing_may_join_them(store: &Store) {
    stored(store, (0..2500).map(|id| doc! { "_id": id, "name": id / 2 })).await;
    prepare(store, vec![unique("name")]).await;
    assert_eq!(matching(store, Filter::equal("name", 7)).await, [14, 15]);
    let conflict = Outcome::Conflict { index: 0, field: "name".to_owned() };
    assert_eq!(commit(store, [insert(doc! { "_id": 5000, "name": 1249 })]).await, conflict);
    let set = |fields: Document| Write::Set { source: "things".to_owned(), guard: unguarded(14), fields };
    assert_eq!(commit(store, [set(doc! { "other": 1 })]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [set(doc! { "name": -1 })]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [set(doc! { "name": 7 })]).await, conflict);
}

/// A rule for each owner (VAL-44) leaves out what has no value, though every document has an owner.
pub(in crate::store) async fn a_partial_unique_rule_counts_only_the_documents_of_its_filter(store: &Store) {
    let options = doc! { "partialFilterExpression": { "name": { "$exists": true } } };
    prepare(store, vec![Index { sparse: false, options, ..unique("owner name") }]).await;
    stored(store, [doc! { "_id": 1, "owner": "a" }, doc! { "_id": 2, "owner": "a" }]).await;
    stored(store, [doc! { "_id": 3, "owner": "a", "name": "x" }, doc! { "_id": 4, "owner": "b", "name": "x" }]).await;
    let conflict = Outcome::Conflict { index: 0, field: "owner".to_owned() };
    assert_eq!(commit(store, [insert(doc! { "_id": 5, "owner": "a", "name": "x" })]).await, conflict);
    assert_eq!(matching(store, Filter::equal("owner", "a")).await, [1, 2, 3]);
    let named = Write::Set { source: "things".to_owned(), guard: unguarded(1), fields: doc! { "name": "x" } };
    assert_eq!(commit(store, [named]).await, conflict);
}

fn vacant(path: &str, value: impl Into<Bson>, filter: Filter) -> Write {
    Write::Vacant { source: "things".to_owned(), path: path.to_owned(), value: value.into(), filter }
}

/// VAL-43, VAL-44: a list as a whole, and a part of a collection; the batch's own documents count, too.
pub(in crate::store) async fn a_vacancy_that_is_taken_is_a_conflict(store: &Store) {
    prepare(store, vec![index("a")]).await;
    stored(store, [doc! { "_id": 1, "a": [1, 2], "k": "x" }, doc! { "_id": 2, "a": 3, "k": "y" }, doc! { "_id": 3 }])
        .await;
    let list = |items: &[i32]| Bson::from(items.to_vec());
    let taken = Outcome::Conflict { index: 1, field: "a".to_owned() };
    let mut next = 10;
    for (value, filter, expected) in [
        (list(&[1, 2]), Filter::All, Some(&taken)),
        (list(&[2, 1]), Filter::All, None),
        (list(&[1, 2]), Filter::equal("k", "y"), None),
        (3.into(), Filter::equal("k", "y"), Some(&taken)),
        (3.0.into(), Filter::field("_id", Test::Ne(1.into())), Some(&taken)),
        (3.into(), Filter::field("_id", Test::Ne(2.into())), None),
        (Bson::Null, Filter::All, Some(&taken)),
        (Bson::Null, Filter::field("a", Test::Exists(true)), None),
        (4.into(), Filter::All, None),
    ] {
        next += 1;
        let outcome =
            commit(store, [insert(doc! { "_id": next, "b": 1, "a": "new" }), vacant("a", value.clone(), filter)]).await;
        assert_eq!(matches!(outcome, Outcome::Done(_)), expected.is_none(), "{value}");
        if let Some(expected) = expected {
            assert_eq!(outcome, *expected);
        } else {
            assert_eq!(outcome, Outcome::Done(vec![1, 0]));
        }
        assert_eq!(get(store, next).await.is_some(), expected.is_none(), "{value}");
    }
    let own = [vacant("a", 9, Filter::All), insert(doc! { "_id": 90, "a": 9 }), vacant("a", 9, Filter::All)];
    assert_eq!(commit(store, own).await, Outcome::Conflict { index: 2, field: "a".to_owned() });
    assert_eq!(get(store, 90).await, None);
    let elsewhere = Write::Vacant {
        source: "nobody wrote here".to_owned(),
        path: "a".to_owned(),
        value: 3.into(),
        filter: Filter::All,
    };
    assert_eq!(commit(store, [elsewhere]).await, Outcome::Done(vec![0]));
}

/// VAL-43: creations and edits that want one value, each guarded by its vacancy.
pub(in crate::store) async fn exactly_one_of_sixty_four_parallel_batches_finds_a_vacancy(store: &Store) {
    prepare(store, vec![index("a")]).await;
    stored(store, (0..32).map(|id| doc! { "_id": id, "_etag": "e" })).await;
    for value in [Bson::from(vec![1, 2]), "one".into(), doc! { "x": 1 }.into()] {
        let batches = (0..64).map(|number| {
            let (store, value) = (store.clone(), value.clone());
            let id = ObjectId::new();
            let write = if number < 32 {
                Write::Set { source: "things".to_owned(), guard: unguarded(number), fields: doc! { "a": &value } }
            } else {
                insert(doc! { "_id": id, "a": &value })
            };
            let but_itself = if number < 32 { Bson::from(number) } else { id.into() };
            let vacant = vacant("a", value, Filter::field("_id", Test::Ne(but_itself)));
            actix_rt::spawn(async move { commit(&store, [vacant, write]).await })
        });
        let mut done = 0;
        for outcome in futures_util::future::join_all(batches).await {
            match outcome.unwrap() {
                Outcome::Done(touched) => {
                    assert_eq!(touched, [0, 1]);
                    done += 1;
                }
                refused => assert_eq!(refused, Outcome::Conflict { index: 0, field: "a".to_owned() }),
            }
        }
        assert_eq!(done, 1, "{value}");
        assert_eq!(matching(store, Filter::equal("a", value)).await.len(), 1);
    }
}

pub(in crate::store) async fn a_document_of_sixteen_megabytes_is_kept(store: &Store) {
    prepare(store, vec![index("text"), index("list")]).await;
    let document = doc! { "_id": 1, "text": "ä".repeat((8 << 20) - 2000), "list": (0..100).collect::<Vec<i32>>() };
    stored(store, [document.clone()]).await;
    assert_eq!(get(store, 1).await.unwrap(), document);
    assert_eq!(matching(store, Filter::equal("text", document.get_str("text").unwrap())).await, [1]);
    assert_eq!(matching(store, Filter::equal("list", 99)).await, [1]);
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
