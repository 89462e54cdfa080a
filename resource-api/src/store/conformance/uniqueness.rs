//! What may be stored once.

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use futures_util::future::join_all;

use super::*;
use crate::query::Test;

pub(in crate::store) async fn a_unique_value_given_up_in_a_batch_is_free_in_it(store: &Store) {
    prepare(store, vec![unique("name")]).await;
    let things = || "things".to_owned();
    let batch = [
        insert(doc! { "_id": 1, "name": "a", "_etag": "1" }),
        Write::Set { source: things(), guard: guard(1, "1"), fields: doc! { "name": "b", "_etag": "2" } },
        insert(doc! { "_id": 2, "name": "a" }),
        Write::Delete { source: things(), guard: guard(1, "2") },
        insert(doc! { "_id": 1, "name": "b" }),
    ];
    assert_eq!(commit(store, batch).await, Outcome::Done(vec![1, 1, 1, 1, 1]));
    assert_eq!(ids(store, all()).await, [1, 2]);
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
    assert_eq!(find(store, &all()).await.1, Some(2));
}

/// MongoDB's manual, "Multikey Indexes": each element has a key.
pub(in crate::store) async fn an_array_in_an_array_is_one_value_to_a_unique_rule(store: &Store) {
    prepare(store, vec![unique("tags")]).await;
    let with = |id: i32, value: Bson| insert(doc! { "_id": id, "tags": value });
    assert_eq!(commit(store, [with(1, vec!["c"].into())]).await, Outcome::Done(vec![1]));
    assert_eq!(commit(store, [with(2, vec![Bson::from(vec!["c"])].into())]).await, Outcome::Done(vec![1]));
    let taken = commit(store, [with(3, vec![Bson::from(vec!["c"]), Bson::from("d")].into())]).await;
    assert_eq!(taken, Outcome::Conflict { index: 0, field: "tags".to_owned() });
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
    // Many at once.
    let named = |id: i32, name: Bson| insert(doc! { "_id": id, "name": name });
    let many = (6000..8000).map(|id| named(id, id.into()));
    assert_eq!(commit(store, many).await, Outcome::Done(vec![1; 2000]));
    let second = Outcome::Conflict { index: 1, field: "name".to_owned() };
    for taken in [Bson::from(1249), Bson::from(6500), Bson::from(9000), Bson::from(vec![-5, 1249])] {
        assert_eq!(commit(store, [named(9000, 9000.into()), named(9001, taken), named(9002, 1.into())]).await, second);
    }
    assert!(matching(store, Filter::equal("name", 9000)).await.is_empty());
    // What has no value has null, unless the rule leaves it out.
    let nameless = |id: i32| insert(doc! { "_id": id });
    assert_eq!(commit(store, [nameless(9000)]).await, Outcome::Done(vec![1]));
    let joined = commit(store, [named(9001, 9001.into()), nameless(9002)]).await;
    assert_eq!(joined, if unique("name").sparse { Outcome::Done(vec![1, 1]) } else { second });
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
