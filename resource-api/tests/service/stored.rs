//! What lies in the store after writes (section 21), read as the operator's export shows it.

use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Document, doc};
use resource_api::config::AuthMode;
use resource_api::domain::{Format, parse};
use resource_api::query::Filter;
use resource_api::store::{Outcome, Write};
use resource_api::transfer::export;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Api, Ask, store_in, with};
use crate::tokens::people;

/// A resource's documents in Extended JSON, one a line.
async fn lines(folder: &Arc<TempDir>, domain: &Value, resource: &str) -> Vec<Value> {
    let mut config = resource_api::Config::default();
    config.auth.mode = AuthMode::None;
    config.store = store_in(folder.path());
    let domain = parse(Format::Json, &domain.to_string()).unwrap();
    let app = resource_api::App::open(&config, domain, "127.0.0.1:1".parse().unwrap()).await.unwrap();
    let mut out = Vec::new();
    export(&app, resource, &Filter::All, &mut out, &()).await.unwrap();
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// DB-07, DB-03: every type keeps itself on the way into the store and out of it, as MongoDB would hold it.
#[actix_rt::test]
async fn types_survive_the_store_and_its_export() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"] = json!({
        "ref": { "type": "objectid" }, "born": { "type": "datetime" }, "price": { "type": "decimal" },
        "link": { "type": "dbref" }, "small": { "type": "integer" }, "big": { "type": "integer" },
        "real": { "type": "float" }, "any": {}, "place": { "type": "point" }, "none": { "nullable": true },
    });
    let api = Api::open(domain.clone()).await;
    let id = "5f0000000000000000000abc";
    let born = "Tue, 06 Nov 2012 10:33:31 GMT";
    let place = json!({ "type": "Point", "coordinates": [1.5, 2.0] });
    let body = json!({
        "ref": id, "born": born, "price": "1.50", "link": { "$ref": "people", "$id": id }, "small": 5,
        "big": 1_i64 << 40, "real": 3, "any": [1, { "deep": ["ä", true] }], "place": place, "none": null,
    });
    let created = api.post("/people", body).await.is(201);
    let folder = api.stop().await;
    let [stored] = &lines(&folder, &domain, "people").await[..] else { panic!("not one document") };
    let stamp = |value: &Value| value["$date"].as_str().unwrap().to_owned();
    assert_eq!(stamp(&stored["_updated"]), stamp(&stored["_created"]));
    let mut rest = stored.clone();
    for name in ["_updated", "_created"] {
        rest.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        rest,
        json!({
            "_id": { "$oid": created.id() }, "ref": { "$oid": id }, "born": { "$date": "2012-11-06T10:33:31Z" },
            "price": { "$numberDecimal": "1.50" }, "link": { "$ref": "people", "$id": id }, "small": 5,
            "big": 1_i64 << 40, "real": 3.0, "any": [1, { "deep": ["ä", true] }], "place": place, "none": null,
            "_etag": created.etag(),
        })
    );
}

/// DB-05: PATCH sets what it changes and leaves the rest, PUT leaves nothing else; DELETE of a collection takes what its
/// filters let through.
#[actix_rt::test]
async fn edits_touch_what_they_are_about() {
    let view = |field: &str| {
        json!({
            "datasource": { "source": "all", "filter": { "gone": { "$ne": true } } },
            "schema": { field: { "type": "string" }, "gone": { "type": "boolean" } }
        })
    };
    let mut domain = people();
    domain["DOMAIN"] = json!({ "names": view("name"), "notes": view("note"), "everything": {
        "allow_unknown": true, "datasource": { "source": "all" },
    } });
    let api = Api::open(domain.clone()).await;
    let all = json!({ "name": "ada", "note": "n", "gone": false, "more": { "a": 1 } });
    let created = api.post("/everything", all).await.is(201);
    api.post("/everything", json!({ "gone": true })).await.is(201);
    let path = |view: &str| format!("/{view}/{}", created.id());
    let patched = api.edit("PATCH", &path("names"), &created.etag(), json!({ "name": "bob" })).await.is(200);
    let whole = api.get(&path("everything")).await.json();
    assert_eq!((&whole["name"], &whole["note"], &whole["more"]), (&json!("bob"), &json!("n"), &json!({ "a": 1 })));
    api.edit("PUT", &path("notes"), &patched.etag(), json!({ "note": "new" })).await.is(200);
    let whole = api.get(&path("everything")).await.json();
    assert_eq!((&whole["note"], whole.get("name"), whole.get("more")), (&json!("new"), None, None));
    assert_eq!(whole["_created"], created.json()["_created"]);
    api.request("DELETE", "/notes").answer().await.is(204);
    let folder = api.stop().await;
    let left = lines(&folder, &domain, "everything").await;
    assert_eq!(left.iter().map(|document| &document["gone"]).collect::<Vec<_>>(), [&json!(true)]);
}

/// POST-12: a write concern changes nothing: what is answered with 201 is stored.
#[actix_rt::test]
async fn no_write_concern_makes_a_write_less_than_stored() {
    for concern in [json!({ "w": 0 }), json!({ "w": 5 })] {
        let domain = with(people(), json!({ "MONGO_WRITE_CONCERN": concern }));
        let api = Api::open(domain.clone()).await;
        api.post("/people", json!({ "name": "x" })).await.is(201);
        let folder = api.stop().await;
        assert_eq!(lines(&folder, &domain, "people").await.len(), 1);
    }
}

/// PATCH-12: what raised exceptions in Eve is done, or told for what it is.
#[actix_rt::test]
async fn an_edit_fails_for_a_reason_and_not_by_accident() {
    let mut domain = people();
    domain["DOMAIN"]["people"] = json!({ "allow_unknown": true });
    let api = Api::open(domain.clone()).await;
    let created = api.post("/people", json!({ "a": 1 })).await.is(201);
    let item = format!("/people/{}", created.id());
    let patched = api.edit("PATCH", &item, &created.etag(), json!({ "a": { "b": 1 } })).await.is(200);
    assert_eq!(api.get(&item).await.json()["a"], json!({ "b": 1 }));
    let deep = (0..300).fold(json!(1), |inner, _| json!([inner]));
    let refused = api.edit("PATCH", &item, &patched.etag(), json!({ "a": deep })).await;
    assert!([400, 422].contains(&refused.status), "{}", refused.text);
}

/// A service over documents that somebody else stored.
async fn over(documents: Vec<Document>) -> Api {
    let api = Api::open(people()).await;
    let folder = api.stop().await;
    let store = resource_api::store::open(&store_in(folder.path()), Duration::from_secs(2)).await.unwrap();
    let writes = documents.iter().map(|document| Write::insert("people", document).unwrap()).collect();
    assert!(matches!(store.commit(writes).await.unwrap(), Outcome::Done(_)));
    drop(store);
    Api::start_in(folder, people(), |config| config.auth.mode = AuthMode::None).await
}

fn second_of_january(year: i32) -> bson::DateTime {
    bson::DateTime::builder().year(year).month(1).day(2).build().unwrap()
}

/// LIST-02: the latest of the page, wherever it stands in it.
#[actix_rt::test]
async fn a_pages_date_is_that_of_its_latest_document() {
    let stored = [(1, 2010), (2, 2020), (3, 2015)];
    let document = |(id, year)| doc! { "_id": ObjectId::from_bytes([id; 12]), "_updated": second_of_january(year) };
    let api = over(stored.map(document).into()).await;
    assert_eq!(api.get("/people").await.is(200).header("last-modified"), "Thu, 02 Jan 2020 00:00:00 GMT");
    let page = api.get("/people?max_results=1&page=3").await.is(200);
    assert_eq!(page.header("last-modified"), "Fri, 02 Jan 2015 00:00:00 GMT");
}

/// PUT-01, PATCH-13: whatever becomes of a document, it was made when it was made.
#[actix_rt::test]
async fn an_edit_keeps_the_date_of_creation() {
    let (id, made) = (ObjectId::from_bytes([1; 12]), second_of_january(2010));
    let api = over(vec![doc! { "_id": id, "name": "x", "_created": made, "_updated": made }]).await;
    let path = format!("/people/{}", id.to_hex());
    for method in ["PUT", "PATCH"] {
        let etag = api.get(&path).await.etag();
        let edited = api.edit(method, &path, &etag, json!({ "name": method })).await.is(200).json();
        assert_eq!(edited["_created"], "Sat, 02 Jan 2010 00:00:00 GMT", "{method}");
        assert_ne!(edited["_updated"], edited["_created"], "{method}");
        assert_eq!(api.get(&path).await.json()["_created"], edited["_created"], "{method}");
    }
}
