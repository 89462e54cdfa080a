//! Several embedded stores as one.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bson::{Bson, Document, doc};
use shared::store::{StoreError, StoreUrl};
use tempfile::TempDir;

use super::routed::{Routed, Routes};
use super::{Candidate, DocumentStore, Each, Guard, Outcome, Write, open};
use crate::domain::connections::at;
use crate::domain::{Collections, Index, IndexDirection};
use crate::query::{Filter, Find};

async fn stores(routes: Routes) -> (Routed, [Arc<dyn DocumentStore>; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let one =
        async |name: &str| open(&StoreUrl::Sqlite(folder.path().join(name)), Duration::from_secs(10)).await.unwrap();
    let (main, other) = (one("main.db").await, one("other.db").await);
    // SAME leads to the main store by another name.
    let named = BTreeMap::from([("OTHER".to_owned(), other.clone()), ("SAME".to_owned(), main.clone())]);
    (Routed::new(main.clone(), named, routes), [main, other], folder)
}

fn unique(path: &str) -> Index {
    let keys = vec![(path.to_owned(), IndexDirection::Ascending)];
    Index { name: format!("unique_{path}"), keys, unique: true, sparse: true, options: Document::new() }
}

fn insert(source: &str, id: i32) -> Write {
    Write::insert(source, &doc! { "_id": id, "name": id % 2 }).unwrap()
}

async fn count(store: &dyn DocumentStore, source: &str) -> u64 {
    store.find(source, &Find { count: true, ..Find::default() }).await.unwrap().total.unwrap()
}

/// Every kind of write and read has the name of the collection there.
#[actix_rt::test]
async fn a_collection_is_in_the_store_of_its_connection() {
    let (routed, [main, other], _folder) = stores(Routes::Own).await;
    let there = at("OTHER", "things");
    let source = || there.clone();
    let guard = |id: i32| Guard { id: id.into(), filter: Filter::All, etag: None };
    let batch = vec![
        Write::Vacant { source: source(), path: "name".to_owned(), value: 1.into(), filter: Filter::All },
        insert(&there, 1),
        insert(&there, 2),
        Write::Set { source: source(), guard: guard(1), fields: doc! { "a": 1 } },
        Write::replace(source(), guard(2), &doc! { "_id": 2, "name": 5 }).unwrap(),
        insert(&there, 3),
        Write::Delete { source: source(), guard: guard(3) },
        insert(&there, 4),
        Write::DeleteMany { source: source(), filter: Filter::equal("_id", 4) },
    ];
    assert_eq!(routed.commit(batch).await.unwrap(), Outcome::Done(vec![0, 1, 1, 1, 1, 1, 1, 1, 1]));
    assert_eq!((count(&*main, "things").await, count(&*other, "things").await), (0, 2));
    assert_eq!(count(&routed, &there).await, 2);
    assert!(routed.get(&there, &1.into(), &Filter::All).await.unwrap().is_some());
    assert!(routed.get("things", &1.into(), &Filter::All).await.unwrap().is_none());
    assert_eq!(routed.scan(&there, Some(&Bson::from(1)), 5).await.unwrap().len(), 1);
    let candidate = |id: i32| Candidate {
        document: doc! { "_id": id },
        vacancies: vec![Write::Vacant {
            source: source(),
            path: "n".to_owned(),
            value: id.into(),
            filter: Filter::All,
        }],
    };
    let record = there.replace("things", "records");
    let also = Box::new(move |left: &[super::LeftOut]| vec![insert(&record, left.len() as i32)]);
    let Each::Done(left) = routed.insert_each(&there, vec![candidate(1), candidate(7)], also).await.unwrap() else {
        panic!("refused")
    };
    assert_eq!(left.iter().map(|left| left.index).collect::<Vec<_>>(), [0]);
    assert_eq!((count(&*other, "things").await, count(&*other, "records").await), (3, 1));
    routed.ping().await.unwrap();
    assert_eq!(routed.sources().await.unwrap(), [at("OTHER", "records"), there]);
}

/// A commit is in one store or none.
#[actix_rt::test]
async fn a_commit_across_stores_is_refused_whole() {
    let (routed, [main, other], _folder) = stores(Routes::Own).await;
    let across = vec![insert("things", 1), insert(&at("OTHER", "things"), 1)];
    assert!(matches!(routed.commit(across).await, Err(StoreError::Corrupt(_))));
    assert_eq!((count(&*main, "things").await, count(&*other, "things").await), (0, 0));
    // Two names of one store are one.
    let within = vec![insert("things", 1), insert(&at("SAME", "things"), 2)];
    assert_eq!(routed.commit(within).await.unwrap(), Outcome::Done(vec![1, 1]));
    let nowhere = routed.commit(vec![insert(&at("GONE", "things"), 1)]).await;
    assert!(matches!(nowhere, Err(StoreError::Corrupt(told)) if told.contains("GONE")));
}

/// Unique rules hold where their collection is, and nowhere else; with callers who choose, everywhere.
#[actix_rt::test]
async fn each_store_has_the_indexes_of_its_collections() {
    for (routes, expected) in [(Routes::Own, [false, true]), (Routes::OwnAndAny, [true, true])] {
        let (routed, stores, _folder) = stores(routes).await;
        let mut collections = Collections::new();
        collections.insert("plain".into(), vec![unique("name")]);
        collections.insert(at("OTHER", "things").into(), vec![unique("name")]);
        // Both of one collection.
        collections.insert(at("SAME", "plain").into(), vec![unique("n")]);
        routed.prepare_collections(&collections).await.unwrap();
        for (store, expected) in stores.iter().zip(expected) {
            let twice = store.commit(vec![insert("things", 1), insert("things", 3)]).await.unwrap();
            assert_eq!(matches!(twice, Outcome::Conflict { .. }), expected, "{routes:?}");
        }
        for field in ["name", "n"] {
            let twice = [1, 2].map(|id: i32| Write::insert("plain", &doc! { "_id": id, field: 1 }).unwrap());
            let conflict = Outcome::Conflict { index: 1, field: field.to_owned() };
            assert_eq!(stores[0].commit(twice.into()).await.unwrap(), conflict, "{routes:?}");
        }
    }
}
