//! Resources whose documents are in several databases: `mongo_prefix`, and the claim that lets a caller choose.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use shared::store::StoreUrl;

use crate::support::{Answer, Api, Ask, encoded, store_in, with};

fn domain() -> Value {
    let people = json!({
        "name": { "type": "string", "unique": true },
        "city": { "type": "objectid", "data_relation": { "resource": "cities", "embeddable": true } },
    });
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "BANDWIDTH_SAVER": false,
        "DOMAIN": {
            "people": { "schema": people },
            // The same collection's name in another database.
            "staff": { "schema": people, "mongo_prefix": "OTHER", "datasource": { "source": "people" } },
            "cities": { "schema": { "name": { "type": "string", "unique": true } }, "mongo_prefix": "third" },
        }
    })
}

/// A store of its own in a folder: of the kind that the tests run on.
fn place(folder: &Path, name: &str) -> StoreUrl {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    store_in(&folder)
}

async fn open(domain: Value) -> (Api, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let stores: BTreeMap<String, StoreUrl> =
        ["OTHER", "THIRD"].map(|name| (name.to_owned(), place(folder.path(), name))).into();
    let api = Api::start(domain, |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.stores = stores;
    })
    .await;
    (api, folder)
}

fn total(answer: Answer) -> Value {
    answer.is(200).json()["_meta"]["total"].clone()
}

/// Contract 2.1 and 2.2, `mongo_prefix`: every request of a resource goes to the database of its prefix; references lead into
/// others.
#[actix_rt::test]
async fn each_resource_is_in_the_store_of_its_prefix() {
    let (api, _folder) = open(domain()).await;
    let oslo = api.post("/cities", json!({ "name": "Oslo" })).await.is(201).id();
    let ada = json!({ "name": "ada", "city": oslo });
    let in_main = api.post("/people", ada.clone()).await.is(201);
    // Unique in each of the two, though both call the collection the same.
    let in_other = api.post("/staff", ada.clone()).await.is(201);
    for path in ["/people", "/staff"] {
        let taken = api.post(path, ada.clone()).await.is(422).json();
        assert_eq!(taken["_issues"]["name"], "value 'ada' is not unique");
        let nowhere = json!({ "name": "bob", "city": "5f0000000000000000000abc" });
        api.post(path, nowhere).await.is(422);
    }
    api.post("/people", json!([{ "name": "cid" }, { "name": "dan", "city": oslo }])).await.is(201);
    assert_eq!((total(api.get("/people").await), total(api.get("/staff").await)), (json!(3), json!(1)));
    let (main, other) = (format!("/people/{}", in_main.id()), format!("/staff/{}", in_other.id()));
    api.get(&format!("/staff/{}", in_main.id())).await.is(404);

    let embedded = encoded(&json!({ "city": 1 }));
    for path in ["/people?sort=name", "/staff?sort=name"] {
        let found = api.get(&format!("{path}&embedded={embedded}")).await.is(200).json();
        assert_eq!(found["_items"][0]["city"]["name"], "Oslo");
    }
    let changed = api.edit("PATCH", &other, &in_other.etag(), json!({ "name": "eve" })).await.is(200);
    assert_eq!(api.get(&main).await.is(200).json()["name"], "ada");
    assert_eq!(api.get(&other).await.is(200).json()["name"], "eve");
    api.edit("PUT", &other, &changed.etag(), json!({ "name": "ada" })).await.is(200);
    api.request("DELETE", "/people").answer().await.is(204);
    assert_eq!((total(api.get("/people").await), total(api.get("/staff").await)), (json!(0), json!(1)));
    api.get("/readyz").await.is(200);
}

/// The answer that an `Idempotency-Key` keeps is in one commit with the documents, so in their store.
#[actix_rt::test]
async fn a_repeated_post_is_known_in_each_store() {
    let (api, _folder) = open(domain()).await;
    for path in ["/people", "/staff"] {
        let post = async || {
            api.request("POST", path)
                .header("Idempotency-Key", "k1")
                .json(&json!({ "name": "x" }))
                .answer()
                .await
                .is(201)
        };
        let (first, second) = (post().await, post().await);
        assert_eq!(first.text, second.text);
        assert_eq!(total(api.get(path).await), 1);
    }
}

/// One that is away is 503 for its own resources, and /readyz tells its name in the log.
#[actix_rt::test]
async fn a_store_that_is_away_takes_its_own_resources_with_it() {
    let Some(cluster) = shared::store::servers::chosen() else { return };
    let relayed = shared::store::servers::Relayed::before(&cluster);
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start(domain(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.stores.insert("other".to_owned(), StoreUrl::Mongo(relayed.cluster.store.clone()));
        // On the embedded store: both kinds beside each other.
        config.stores.insert("THIRD".to_owned(), StoreUrl::Sqlite(folder.path().join("third.db")));
    })
    .await;
    let oslo = api.post("/cities", json!({ "name": "Oslo" })).await.is(201).id();
    api.post("/staff", json!({ "name": "ada", "city": oslo })).await.is(201);
    relayed.mongodb.cut();
    api.get("/staff").await.refused(503);
    api.get("/readyz").await.is(503);
    api.get("/people").await.is(200);
    api.get("/cities").await.is(200);
    relayed.mongodb.restore();
    let restored = std::time::Instant::now();
    while api.get("/staff").await.status != 200 {
        assert!(restored.elapsed() < std::time::Duration::from_secs(30), "not back yet");
        actix_rt::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    api.get("/readyz").await.is(200);
}

/// Contract 2.4, `set_mongo_prefix()`: what the claim names is where everything of a request is, references too; without it each
/// resource is where its own prefix says.
#[actix_rt::test]
async fn a_claim_chooses_the_store_of_all_that_a_caller_does() {
    let folder = tempfile::tempdir().unwrap();
    let stores: BTreeMap<String, StoreUrl> =
        ["OTHER", "third", "acme"].map(|name| (name.to_owned(), place(folder.path(), name))).into();
    let api = Api::start(with(domain(), json!({ "AUTH_MONGO_PREFIX_CLAIM": "tenant" })), |config| {
        config.stores = stores;
    })
    .await;
    let scopes = "people:read people:write staff:read staff:write cities:read cities:write";
    for (token, more) in [
        ("none", json!({})),
        ("null", json!({ "tenant": null })),
        ("acme", json!({ "tenant": "ACME" })),
        ("other", json!({ "tenant": "OTHER" })),
        ("main", json!({ "tenant": "MONGO" })),
        ("gone", json!({ "tenant": "GONE" })),
        ("odd", json!({ "tenant": { "$ne": 1 } })),
        ("list", json!({ "tenant": ["ACME"] })),
        ("empty", json!({ "tenant": "" })),
    ] {
        api.auth.token(token, scopes, more);
    }
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        api.request(method, path).token(token).json(&body).answer().await
    };
    for refused in ["gone", "odd", "list", "empty"] {
        for path in ["/people", "/people/5f0000000000000000000abc"] {
            ask(refused, "GET", path, json!(null)).await.refused(403);
        }
        ask(refused, "POST", "/people", json!({ "name": "x" })).await.refused(403);
    }
    let oslo = ask("acme", "POST", "/cities", json!({ "name": "Oslo" })).await.is(201).id();
    for (token, status) in [("none", 422), ("other", 422), ("main", 422), ("acme", 201)] {
        ask(token, "POST", "/people", json!({ "name": "ada", "city": oslo })).await.is(status);
    }
    // Unique in each store by itself, by its own index, and by name there: /people and /staff are one collection.
    for (token, status) in [("none", 201), ("main", 422), ("other", 201), ("null", 422), ("acme", 422)] {
        ask(token, "POST", "/people", json!({ "name": "ada" })).await.is(status);
    }
    ask("acme", "POST", "/staff", json!({ "name": "ada" })).await.is(422);
    let count = async |token: &str, path: &str| total(ask(token, "GET", path, json!(null)).await);
    for (token, people, staff, cities) in
        [("none", 1, 1, 0), ("main", 1, 1, 0), ("other", 1, 1, 0), ("acme", 1, 1, 1), ("null", 1, 1, 0)]
    {
        let found = (count(token, "/people").await, count(token, "/staff").await, count(token, "/cities").await);
        assert_eq!(found, (json!(people), json!(staff), json!(cities)), "{token}");
    }
    let embedded = encoded(&json!({ "city": 1 }));
    let found = ask("acme", "GET", &format!("/people?embedded={embedded}"), json!(null)).await.is(200).json();
    assert_eq!(found["_items"][0]["city"]["name"], "Oslo");
    let key = |token: &str| api.request("POST", "/staff").token(token).header("Idempotency-Key", "one");
    for token in ["acme", "main"] {
        let post = async || key(token).json(&json!({ "name": "once" })).answer().await.is(201).text;
        assert_eq!(post().await, post().await);
    }
    ask("acme", "DELETE", "/people", json!(null)).await.is(204);
    assert_eq!(count("main", "/people").await, 2);
    assert_eq!(count("acme", "/people").await, 0);
}

/// What leads nowhere stops the start, by name.
#[actix_rt::test]
async fn a_prefix_that_leads_nowhere_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |domain: Value, stores: &[&str], mode| {
        let mut config =
            resource_api::Config { store: place(folder.path(), "main"), ..resource_api::Config::default() };
        config.auth.mode = mode;
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.stores = stores.iter().map(|name| ((*name).to_owned(), place(folder.path(), name))).collect();
        let domain = resource_api::domain::parse(resource_api::domain::Format::Json, &domain.to_string()).unwrap();
        match resource_api::App::open(&config, domain, config.server.listen).await {
            Ok(_) => "started".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let none = resource_api::config::AuthMode::None;
    assert_eq!(start(domain(), &["OTHER", "third"], none).await, "started");
    let told = start(domain(), &["OTHER"], none).await;
    assert!(told.starts_with("mongo_prefix THIRD: nothing says where it leads"), "{told}");
    let claim = with(domain(), json!({ "AUTH_MONGO_PREFIX_CLAIM": "tenant" }));
    let told = start(claim, &["OTHER", "third"], none).await;
    assert!(told.starts_with("AUTH_MONGO_PREFIX_CLAIM asks for a claim of a token"), "{told}");
}
