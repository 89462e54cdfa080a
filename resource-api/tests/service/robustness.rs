//! Input that is small and means harm.

use serde_json::{Value, json};

use crate::support::{Api, Ask, with};
use crate::tokens::people;

fn open_people() -> Value {
    let mut domain = people();
    domain["DOMAIN"]["people"]["allow_unknown"] = json!(true);
    domain
}

/// A name of many dots must not end the process by the depth of what it stands for.
#[actix_rt::test]
async fn a_name_of_a_hundred_thousand_dots_does_no_harm() {
    let deep = vec!["a"; 100_000].join(".");
    let mut body = json!({ "name": "x" });
    body[&deep] = json!(1);
    let api = Api::open(people()).await;
    assert_eq!(api.post("/people", body.clone()).await.is(422).json()["_issues"][&deep], "unknown field");
    let open = Api::open(open_people()).await;
    let id = open.post("/people", body).await.is(201).id();
    assert_eq!(open.get(&format!("/people/{id}")).await.is(200).json()[&deep], 1);
    let nested = (0..120).fold(json!(1), |inner, _| json!({ "a": inner }));
    let issues = open.post("/people", json!({ "name": "x", "nested": nested })).await.is(422).json();
    assert_eq!(issues["_issues"]["validation exception"], "documents can't be nested deeper than 100 levels");
}

/// BSON can't hold such names: the client's fault, not the server's.
#[actix_rt::test]
async fn a_name_with_a_null_character_is_refused() {
    let api = Api::open(open_people()).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let path = format!("/people/{}", created.id());
    let body = json!({ "name": "x", "inner": { "a\u{0}b": 1 } });
    let told = json!("the name 'a\\x00b' has a null character");
    let refused = api.post("/people", body.clone()).await.is(422);
    assert_eq!(refused.json()["_issues"]["validation exception"], told);
    for method in ["PATCH", "PUT"] {
        let refused = api.edit(method, &path, &created.etag(), body.clone()).await.is(422);
        assert_eq!(refused.json()["_issues"]["validator exception"], told);
    }
}

/// The store keeps no lists as ids.
#[actix_rt::test]
async fn an_id_that_is_a_list_is_refused() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["_id"] = json!({});
    let api = Api::open(domain).await;
    let refused = api.post("/people", json!({ "_id": [1], "name": "x" })).await.is(422);
    assert_eq!(refused.json()["_issues"]["_id"], "can't be a list");
}

/// A body that fits the limit of bytes may still be too much to hold.
#[actix_rt::test]
async fn a_body_of_too_many_values_is_too_large() {
    let api = Api::open(open_people()).await;
    let zeros = format!("{{\"name\": \"x\", \"zeros\": [{}0]}}", "0,".repeat(1_000_000));
    let request = api.request("POST", "/people").header("Content-Type", "application/json").body(zeros);
    assert_eq!(request.answer().await.refused(413), "more than 250000 values in one body");
}

/// VAL-43: to Eve's query null is also the value of documents without the field.
#[actix_rt::test]
async fn a_unique_null_is_taken_by_a_document_without_the_field() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["code"] = json!({ "type": "integer", "nullable": true, "unique": true });
    let api = Api::open(domain).await;
    let nothing = json!({ "name": "null", "code": null });
    api.post("/people", json!([{ "name": "a", "code": 1 }, nothing])).await.is(201);
    let both = api.post("/people", json!([{ "name": "b", "code": 1 }, nothing])).await.is(422).json();
    for index in [0, 1] {
        assert_eq!(both["_items"][index]["_status"], "ERR", "{both}");
    }
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["code"] = json!({ "type": "integer", "nullable": true, "unique": true });
    let api = Api::open(domain).await;
    api.post("/people", json!({ "name": "without" })).await.is(201);
    let refused = api.post("/people", nothing).await.is(422);
    assert_eq!(refused.json()["_issues"]["code"], "value 'None' is not unique");
    // The rule says nothing of fields that are not sent.
    api.post("/people", json!({ "name": "without" })).await.is(201);
}

/// URRA-04, URRA-05: a public list shows everybody's documents, and not whose they are.
#[actix_rt::test]
async fn a_public_list_does_not_tell_whose_documents_they_are() {
    let notes = json!({ "auth_field": "owner", "schema": { "text": { "type": "string" } } });
    let public = with(notes, json!({ "public_methods": ["GET"] }));
    let domain = json!({ "RESOURCE_METHODS": ["GET", "POST"], "DOMAIN": { "notes": public } });
    let api = Api::start(domain, |_| ()).await;
    api.auth.token("alice", "notes:read notes:write", json!({}));
    api.request("POST", "/notes").token("alice").json(&json!({ "text": "hers" })).answer().await.is(201);
    assert_eq!(api.get("/notes").await.is(200).json()["_meta"]["total"], 1);
    for query in ["where=owner%3D%3D%22u_alice%22", "where=%7B%22owner%22%3A%7B%22%24gt%22%3A%22u%22%7D%7D"] {
        assert_eq!(api.get(&format!("/notes?{query}")).await.refused(400), "filter on 'owner' not allowed");
    }
    assert_eq!(api.get("/notes?sort=owner").await.refused(400), "sort on 'owner' not allowed");
}

/// PUT-04: also under an id of the domain's own choice.
#[actix_rt::test]
async fn of_parallel_puts_to_a_missing_custom_id_one_creates() {
    let domain = json!({
        "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PUT"],
        "DOMAIN": { "books": {
            "id_field": "isbn", "item_lookup_field": "isbn", "item_url": "regex(\"[0-9]+\")",
            "schema": { "isbn": { "type": "string" }, "title": { "type": "string" } }
        } }
    });
    let api = Api::open(domain).await;
    let puts = (0..32).map(|number| {
        let request = api.request("PUT", "/books/7");
        request.json(&json!({ "title": number.to_string() })).answer()
    });
    let done = futures_util::future::join_all(puts).await;
    assert_eq!(done.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(done.iter().all(|answer| matches!(answer.status, 201 | 409 | 428)));
    api.post("/books", json!({ "isbn": "7" })).await.refused(409);
    assert_eq!(api.get("/books").await.json()["_meta"]["total"], 1);
}
