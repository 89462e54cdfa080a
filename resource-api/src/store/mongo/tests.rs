//! The suite, and what is MongoDB's own.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use shared::Secret;
use shared::store::servers;
use shared::store::{Mongo, StoreError};

use super::MongoDocuments;
use crate::query::{Filter, Find, Test};
use crate::store::conformance::{Server, Store, document_store_conformance, domain, is_on, unique};
use crate::store::{DocumentStore as _, Guard, Outcome, Write};

async fn connected() -> Option<Mongo> {
    Some(Mongo::connect(&servers::mongodb()?, "unused").await.unwrap())
}

/// Cases that the server of `scripts/backends`, SecantusDB, does not pass, each a construct of its own, and why. MongoDB's manual
/// decides: its own server is held to all.
const DEVIATIONS: [(&str, &str); 3] = [
    (
        "a_unique_value_given_up_in_a_batch_is_free_in_it",
        "a unique value that was given up earlier in the same transaction stays taken",
    ),
    ("an_array_in_an_array_is_one_value_to_a_unique_rule", "an array within an array counts as its elements"),
    ("an_index_takes_a_text_of_megabytes", "an index of a text of many megabytes takes it minutes"),
];

async fn empty(case: &str) -> Option<((), Store)> {
    let mongo = connected().await?;
    let info = mongo.database().run_command(doc! { "buildInfo": 1 }).await.unwrap();
    let server = if info.contains_key("secantusVersion") { Server::StandIn } else { Server::MongoDb };
    if let Some((_, why)) = DEVIATIONS.iter().find(|(known, _)| *known == case)
        && server == Server::StandIn
    {
        eprintln!("not held to by this server: {why}");
        return None;
    }
    is_on(server);
    Some(((), Arc::new(MongoDocuments::new(mongo.within(LIMIT), LIMIT))))
}

/// The servers that tests have are slow at much at once.
const LIMIT: Duration = Duration::from_secs(60);

document_store_conformance!(empty);

/// A bulk is stored whole or not at all, on a server that has no transactions, too.
#[actix_rt::test]
async fn a_standalone_server_takes_a_refused_batch_back() {
    let Some(mongo) = connected().await else { return };
    let collection = mongo.collection::<Document>("things");
    let store = MongoDocuments::new(mongo.clone().without_transactions(), LIMIT);
    store.prepare(&domain("things", vec![unique("n")])).await.unwrap();
    let insert = |document: Document| Write::insert("things", &document).unwrap();
    let kept = doc! { "_id": 1, "n": 1, "b": "as it was" };
    assert_eq!(store.commit(vec![insert(kept.clone())]).await.unwrap(), Outcome::Done(vec![1]));
    let guard = || Guard { id: 1.into(), filter: Filter::All, etag: None };
    let source = || "things".to_owned();
    let batch = vec![
        insert(doc! { "_id": 2, "n": 2 }),
        Write::Set { source: source(), guard: guard(), fields: doc! { "b": "changed", "c": 1 } },
        Write::Delete { source: source(), guard: guard() },
        insert(doc! { "_id": 3, "n": 3 }),
        Write::DeleteMany { source: source(), filter: Filter::equal("n", 3) },
        insert(doc! { "_id": 4, "n": 2 }),
    ];
    let conflict = Outcome::Conflict { index: 5, field: "n".to_owned() };
    assert_eq!(store.commit(batch.clone()).await.unwrap(), conflict);
    assert_eq!(collection.find_one(doc! {}).await.unwrap(), Some(kept));
    assert_eq!(collection.count_documents(doc! {}).await.unwrap(), 1);
    assert_eq!(store.commit(batch[..5].to_vec()).await.unwrap(), Outcome::Done(vec![1, 1, 1, 1, 1]));
    assert_eq!(collection.find_one(doc! {}).await.unwrap(), Some(doc! { "_id": 2, "n": 2 }));
}

/// Nor is half of one stored because the other half came too late.
#[actix_rt::test]
async fn a_standalone_server_takes_a_late_batch_back() {
    let Some(url) = servers::mongodb() else { return };
    let (url, relay) = servers::relayed(&url);
    let mongo = Mongo::connect(&url, "unused").await.unwrap().without_transactions();
    let collection = mongo.collection::<Document>("things");
    let store = MongoDocuments::new(mongo.within(Duration::from_secs(2)), LIMIT);
    store.prepare(&domain("things", vec![])).await.unwrap();
    let batch: Vec<Write> = (0..20).map(|id| Write::insert("things", &doc! { "_id": id }).unwrap()).collect();
    relay.delay(Duration::from_millis(400));
    let late = store.commit(batch).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    relay.restore();
    assert_eq!(collection.count_documents(doc! {}).await.unwrap(), 0);
}

/// Indexes that an Eve of old made stay, those of rules that are gone do not.
#[actix_rt::test]
async fn indexes_of_others_stay() {
    let Some(mongo) = connected().await else { return };
    let collection = mongo.collection::<Document>("things");
    let theirs = mongodb::IndexModel::builder().keys(doc! { "theirs": 1 }).build();
    collection.create_index(theirs).await.unwrap();
    let store = MongoDocuments::new(mongo.clone(), LIMIT);
    let rule = crate::domain::Index { name: "unique_n".to_owned(), ..unique("n") };
    store.prepare(&domain("things", vec![rule])).await.unwrap();
    let mut names = collection.list_index_names().await.unwrap();
    names.sort();
    assert_eq!(names, ["_id_", "theirs_1", "unique_n"]);
    store.prepare(&domain("things", vec![])).await.unwrap();
    let mut names = collection.list_index_names().await.unwrap();
    names.sort();
    assert_eq!(names, ["_id_", "theirs_1"]);
}

/// A document that MongoDB has no room for is told from an outage, however it is written; what is there stays.
#[actix_rt::test]
async fn a_document_that_is_too_large_is_told_from_an_outage() {
    let Some(mongo) = connected().await else { return };
    for mongo in [mongo.clone(), mongo.without_transactions()] {
        let store = MongoDocuments::new(mongo, LIMIT);
        let guard = || Guard { id: 1.into(), filter: Filter::All, etag: None };
        let small = Write::insert("things", &doc! { "_id": 1, "n": 1 }).unwrap();
        assert_eq!(store.commit(vec![small]).await.unwrap(), Outcome::Done(vec![1]));
        let large = doc! { "_id": 1, "text": "x".repeat(17 << 20) };
        let replace = || Write::replace("things", guard(), &large).unwrap();
        let insert = || Write::insert("things", &doc! { "_id": 2, "text": "x".repeat(17 << 20) }).unwrap();
        let other = || Write::insert("things", &doc! { "_id": 3 }).unwrap();
        for writes in [vec![insert()], vec![replace()], vec![other(), insert()], vec![other(), replace()]] {
            let refused = store.commit(writes).await;
            assert!(matches!(refused, Err(StoreError::TooLarge)), "{refused:?}");
        }
        let kept = store.scan("things", None, 10).await.unwrap();
        assert_eq!(kept.len(), 1);
        let gone = Write::Delete { source: "things".to_owned(), guard: guard() };
        assert_eq!(store.commit(vec![gone]).await.unwrap(), Outcome::Done(vec![1]));
    }
}

/// A datasource may be a view of the database's, which has no indexes of its own.
#[actix_rt::test]
async fn a_view_is_served_as_a_collection_is() {
    let Some(mongo) = connected().await else { return };
    let things = mongo.collection::<Document>("things");
    things.insert_many([doc! { "_id": 1, "open": true }, doc! { "_id": 2, "open": false }]).await.unwrap();
    let pipeline = vec![doc! { "$match": { "open": true } }];
    mongo.database().create_collection("open_things").view_on("things".to_owned()).pipeline(pipeline).await.unwrap();
    let store = MongoDocuments::new(mongo, LIMIT);
    store.prepare(&domain("open_things", vec![unique("n")])).await.unwrap();
    let all = Find { count: true, ..Find::default() };
    let found = store.find("open_things", &all).await.unwrap();
    assert_eq!((found.items.len(), found.total), (1, Some(1)));
}

/// FILT-10 (F): what the server refuses of a query is the client's fault, and no outage.
#[actix_rt::test]
async fn a_query_that_the_server_refuses_is_told_from_an_outage() {
    let Some(mongo) = connected().await else { return };
    let store = MongoDocuments::new(mongo, LIMIT);
    let stored = Write::insert("things", &doc! { "_id": 1 }).unwrap();
    assert_eq!(store.commit(vec![stored]).await.unwrap(), Outcome::Done(vec![1]));
    // `where` has no such filter: it is refused before.
    let filter = Filter::field("a", Test::Type(vec![99.into()]));
    let counted = Find { filter: filter.clone(), limit: Some(0), count: true, ..Find::default() };
    let listed = Find { filter: filter.clone(), ..Find::default() };
    let behind = Find { after: Some(vec![1.into()]), ..listed.clone() };
    let mut refused = vec![store.get("things", &1.into(), &filter).await.err()];
    for find in [counted, listed, behind] {
        refused.push(store.find("things", &find).await.err());
    }
    for refused in refused {
        assert!(matches!(&refused, Some(StoreError::Refused(told)) if told.contains("99")), "{refused:?}");
    }
}

/// `mongo_indexes` are on the server as they are written (CFG-19).
#[actix_rt::test]
async fn indexes_are_made_as_they_are_written() {
    let Some(mongo) = connected().await else { return };
    let written = serde_json::json!({ "DOMAIN": { "things": {
        "schema": { "name": { "type": "string", "unique": true } },
        "mongo_indexes": {
            "by_name_and_age": [["name", 1], ["age", -1]],
            "some": [[["code", 1]], { "unique": true, "partialFilterExpression": { "code": { "$gt": 5 } } }],
            "old": [[["at", 1]], { "expireAfterSeconds": 60, "sparse": true }],
        },
    } } });
    let domain = crate::domain::parse(crate::domain::Format::Json, &written.to_string()).unwrap();
    let store = MongoDocuments::new(mongo.clone(), LIMIT);
    // A second start changes nothing.
    for _ in 0..2 {
        store.prepare(&domain).await.unwrap();
        let known: Vec<_> =
            mongo.collection::<Document>("things").list_indexes().await.unwrap().try_collect().await.unwrap();
        let of = |name: &str| {
            let index =
                known.iter().find(|index| index.options.as_ref().unwrap().name.as_deref() == Some(name)).unwrap();
            (index.keys.clone(), index.options.clone().unwrap())
        };
        assert_eq!(of("by_name_and_age").0, doc! { "name": 1, "age": -1 });
        let (keys, options) = of("some");
        assert_eq!((keys, options.unique), (doc! { "code": 1 }, Some(true)));
        assert_eq!(options.partial_filter_expression, Some(doc! { "code": { "$gt": 5 } }));
        let (keys, options) = of("old");
        assert_eq!(
            (keys, options.sparse, options.expire_after),
            (doc! { "at": 1 }, Some(true), Some(Duration::from_secs(60)))
        );
        assert_eq!(known.iter().filter(|index| index.options.as_ref().unwrap().unique == Some(true)).count(), 2);
    }
}

/// a connection that breaks costs nobody an error; the driver asks once more, and writes no write twice.
#[actix_rt::test]
async fn a_broken_connection_is_not_seen() {
    let Some((url, relay)) = servers::mongodb_relayed() else { return };
    let store = MongoDocuments::new(Mongo::connect(&url, "unused").await.unwrap(), LIMIT);
    let breaks = || {
        relay.cut();
        relay.restore();
    };
    for n in 0..3 {
        breaks();
        let write = Write::insert("things", &doc! { "_id": n, "n": 0 }).unwrap();
        assert_eq!(store.commit(vec![write]).await.unwrap(), Outcome::Done(vec![1]));
        breaks();
        assert!(store.get("things", &n.into(), &Filter::All).await.unwrap().is_some());
        breaks();
        let found = store.find("things", &Find { count: true, ..Find::default() }).await.unwrap();
        assert_eq!((found.items.len(), found.total), (n as usize + 1, Some(n as u64 + 1)));
        breaks();
        let guard = Guard { id: n.into(), filter: Filter::equal("n", 0), etag: None };
        let write = Write::Set { source: "things".to_owned(), guard, fields: doc! { "n": 1 } };
        assert_eq!(store.commit(vec![write]).await.unwrap(), Outcome::Done(vec![1]));
        breaks();
        let two = ["a", "b"].map(|id| Write::insert("others", &doc! { "_id": format!("{id}{n}") }).unwrap());
        assert_eq!(store.commit(two.into()).await.unwrap(), Outcome::Done(vec![1, 1]));
    }
}

/// Pool and time-outs are options of the URL, `timeoutMS` among them; a query may take longer if it is let.
#[actix_rt::test]
async fn time_outs_are_options_of_the_url() {
    let Some((url, relay)) = servers::mongodb_relayed() else { return };
    let with = |option: &str| Secret::new(format!("{}&{option}", url.expose()));
    let mongo = Mongo::connect(&with("timeoutMS=1500"), "unused").await.unwrap();
    let (patient, hasty) = (MongoDocuments::new(mongo.clone(), LIMIT), MongoDocuments::new(mongo, Duration::ZERO));
    let write = || vec![Write::insert("things", &doc! { "_id": 1 }).unwrap()];
    assert_eq!(patient.commit(write()).await.unwrap(), Outcome::Done(vec![1]));
    relay.delay(Duration::from_secs(4));
    let started = Instant::now();
    let late = patient.commit(write()).await.unwrap_err();
    assert!(matches!(&late, StoreError::Unavailable(told) if told.contains("1.5 s")), "{late}");
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(patient.find("things", &Find::default()).await.is_ok());
    assert!(hasty.ping().await.is_err());
    relay.cut();
    let started = Instant::now();
    assert!(Mongo::connect(&with("serverSelectionTimeoutMS=200"), "unused").await.is_err());
    assert!(started.elapsed() < Duration::from_millis(1900), "{:?}", started.elapsed());
    for bad in ["timeoutMS=", "timeoutMS=x", "timeoutms=0", "maxPoolSize=x", "noSuchOption=1"] {
        let told = Mongo::connect(&with(bad), "unused").await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains("the mongodb URL can't be read"), "{bad}: {told}");
    }
}

mod timed {
    use super::*;

    async fn filled(option: &str) -> Option<(MongoDocuments, servers::Relay)> {
        let (url, relay) = servers::mongodb_relayed()?;
        let url = Secret::new(format!("{}{option}", url.expose()));
        let store = MongoDocuments::new(Mongo::connect(&url, "unused").await.unwrap(), LIMIT);
        let all = (0..40).map(|id| Write::insert("things", &doc! { "_id": id }).unwrap()).collect();
        assert_eq!(store.commit(all).await.unwrap(), Outcome::Done(vec![1; 40]));
        Some((store, relay))
    }

    const LATE: Duration = Duration::from_millis(300);

    /// Two pages at once, and how long that takes when each answer comes late.
    async fn took(store: &MongoDocuments, relay: &servers::Relay, count: bool) -> Duration {
        let page = Find { limit: Some(25), count, ..Find::default() };
        // The connections that it needs are there.
        for _ in 0..2 {
            let (one, two) = futures_util::future::join(store.find("things", &page), store.find("things", &page)).await;
            assert_eq!(one.unwrap().total, count.then_some(40));
            two.unwrap();
        }
        relay.delay(LATE);
        let started = Instant::now();
        let (one, two) = futures_util::future::join(store.find("things", &page), store.find("things", &page)).await;
        assert!(one.is_ok() && two.is_ok());
        started.elapsed()
    }

    /// LIST-02: the total costs no time of its own.
    #[actix_rt::test]
    async fn a_page_and_its_total_are_asked_for_side_by_side() {
        let Some((store, relay)) = filled("").await else { return };
        let took = took(&store, &relay, true).await;
        assert!(took >= LATE && took < LATE * 2, "{took:?}");
    }

    /// `maxPoolSize` is heeded: of two queries on one connection one waits.
    #[actix_rt::test]
    async fn the_size_of_the_pool_is_an_option_of_the_url() {
        let Some((store, relay)) = filled("&maxPoolSize=1").await else { return };
        let took = took(&store, &relay, false).await;
        assert!(took >= LATE * 2, "{took:?}");
    }
}
