//! An Eve database is served as it is, beside Eve, and Eve goes on with what was written meanwhile.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod support;

use std::path::Path;

use oracle::server::{Answer, Caller, Eve, Keeps, ResourceApi};
use oracle::step::Request;
use serde_json::{Value, json};

use support::given;

fn domain() -> Value {
    // In an order that both keep: without one, Eve's is the database's.
    let by_id = json!({ "default_sort": [["_id", 1]] });
    json!({
        "RESOURCE_METHODS": ["GET", "POST"],
        "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": {
            "people": { "datasource": by_id, "schema": {
                "firstname": { "type": "string", "minlength": 1 },
                "lastname": { "type": "string", "required": true, "unique": true },
                "born": { "type": "datetime" },
                "role": { "type": "list", "allowed": ["author", "copy"] },
                "location": { "type": "dict", "schema": { "city": { "type": "string" } } },
                "height": { "type": "float" },
            } },
            "works": { "datasource": by_id, "schema": {
                "title": { "type": "string", "required": true },
                "owner": { "type": "objectid", "data_relation": { "resource": "people", "embeddable": true } },
            } },
        },
    })
}

async fn send(to: &Caller, method: &str, target: &str, etag: Option<&str>, body: Option<Value>) -> Answer {
    let mut headers: Vec<(String, String)> =
        etag.map(|etag| ("if-match".to_owned(), etag.to_owned())).into_iter().collect();
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let body = body.map(|body| body.to_string());
    to.send(&Request { method: method.to_owned(), target: target.to_owned(), headers, body }).await.unwrap()
}

/// The document of a write that was accepted, by id and ETag.
#[track_caller]
fn written(answer: &Answer, status: u16) -> (String, String) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    (text("_id"), text("_etag"))
}

/// Both answer the same, to the byte.
async fn same(eve: &Caller, ours: &Caller, target: &str) {
    let (one, other) = (send(eve, "GET", target, None, None).await, send(ours, "GET", target, None, None).await);
    let seen = |answer: &Answer| (answer.status, answer.header("etag").map(str::to_owned), answer.body.clone());
    assert_eq!(seen(&one), seen(&other), "{target}");
}

#[actix_rt::test]
async fn an_eve_database_is_served_as_it_is_and_eve_goes_on_with_it() {
    let (Some(python), Some(mongodb)) = (given("TEST_EVE_PYTHON"), given("TEST_MONGODB_URL")) else { return };
    let database = format!("take_over_{}", std::process::id());
    let keeps = Keeps::in_database(&mongodb, &database);
    let server = Eve::start(Path::new(&python), &mongodb, &database, &domain()).unwrap();
    let eve = &server.caller;
    let ada = json!({
        "firstname": "Ada", "lastname": "Lovelace", "born": "Sun, 10 Dec 1815 00:00:00 GMT", "role": ["author"],
        "location": { "city": "London" }, "height": 1.5,
    });
    let (id, etag) = written(&send(eve, "POST", "/people", None, Some(ada)).await, 201);
    for other in [json!({ "lastname": "Somerville", "height": 2 }), json!({ "lastname": "Noether", "role": [] })] {
        written(&send(eve, "POST", "/people", None, Some(other)).await, 201);
    }
    written(&send(eve, "POST", "/works", None, Some(json!({ "title": "Notes", "owner": id }))).await, 201);

    let running = ResourceApi::start(&domain(), &keeps, None, None).unwrap();
    let ours = &running.caller;
    let item = format!("/people/{id}");
    let everything = [
        "/people",
        "/people?sort=-lastname",
        "/people?where=%7B%22height%22%3A%7B%22%24gt%22%3A1%7D%7D",
        "/people?where=%7B%22lastname%22%3A%7B%22%24in%22%3A%5B%22Noether%22%5D%7D%7D&projection=%7B%22lastname%22%3A1%7D",
        "/people?max_results=1&page=2",
        "/works?embedded=%7B%22owner%22%3A1%7D",
        &item,
    ];
    for target in everything {
        same(eve, ours, target).await;
    }

    // Each takes the ETags that the other gave out, and sees at once what the other wrote.
    let change = |name: &str| Some(json!({ "firstname": name }));
    let (_, newer) = written(&send(ours, "PATCH", &item, Some(&etag), change("Augusta")).await, 200);
    same(eve, ours, &item).await;
    let late = send(eve, "PATCH", &item, Some(&etag), change("Late")).await;
    assert_eq!(late.status, 412, "{}", late.body);
    let (_, newest) = written(&send(eve, "PATCH", &item, Some(&newer), change("Ada")).await, 200);
    same(eve, ours, &item).await;
    let late = send(ours, "PATCH", &item, Some(&newer), change("Late")).await;
    assert_eq!(late.status, 412, "{}", late.body);
    let (_, _) = written(&send(ours, "PATCH", &item, Some(&newest), change("Augusta Ada")).await, 200);

    let curie = json!({ "lastname": "Curie", "born": "Thu, 07 Nov 1867 00:00:00 GMT" });
    let (new, tag) = written(&send(ours, "POST", "/people", None, Some(curie)).await, 201);
    for target in everything {
        same(eve, ours, target).await;
    }
    for side in [eve, ours] {
        for taken in ["Curie", "Noether"] {
            let refused = send(side, "POST", "/people", None, Some(json!({ "lastname": taken }))).await;
            assert_eq!(refused.status, 422, "{}", refused.body);
        }
    }

    // Eve by itself again.
    drop(running);
    let gone = send(eve, "DELETE", &format!("/people/{new}"), Some(&tag), None).await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    let left: Value = serde_json::from_str(&send(eve, "GET", "/people", None, None).await.body).unwrap();
    assert_eq!(left["_meta"]["total"], 3);
}
