//! User-restricted access: everybody sees his own (URRA-01 to URRA-06).

use serde_json::{Value, json};

use crate::support::{Answer, Api, Ask, encoded};

fn domain(more: Value) -> Value {
    let mut notes = json!({
        "auth_field": "owner",
        "schema": { "text": { "type": "string" }, "slug": { "type": "string", "unique_to_user": true } }
    });
    notes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": { "notes": notes }
    })
}

async fn api(more: Value) -> Api {
    let api = Api::start(domain(more), |_| ()).await;
    api.auth.token("alice", "notes:read notes:write", json!({}));
    api.auth.token("bob", "notes:read notes:write", json!({}));
    api
}

async fn ask(api: &Api, token: &str, method: &str, path: &str, body: Value) -> Answer {
    api.request(method, path).token(token).json(&body).answer().await
}

/// URRA-01, URRA-02, URRA-04, D-013: lists, items and edits reach only one's own.
#[actix_rt::test]
async fn everybody_reaches_only_what_is_his() {
    let api = api(json!({})).await;
    let hers = ask(&api, "alice", "POST", "/notes", json!({ "text": "hers" })).await.is(201);
    let his = ask(&api, "bob", "POST", "/notes", json!({ "text": "his" })).await.is(201).id();
    let item = format!("/notes/{}", hers.id());
    let list = ask(&api, "alice", "GET", "/notes", json!(null)).await.json();
    assert_eq!(list["_meta"]["total"], 1);
    assert_eq!(list["_items"][0]["text"], "hers");
    assert!(list["_items"][0].get("owner").is_none());
    ask(&api, "alice", "GET", &item, json!(null)).await.is(200);
    ask(&api, "bob", "GET", &item, json!(null)).await.refused(404);
    ask(&api, "bob", "PATCH", &item, json!({ "text": "x" })).await.refused(404);
    // PUT-07: after the ETag.
    ask(&api, "bob", "PUT", &item, json!({ "text": "x" })).await.refused(428);
    let stolen = api.request("PUT", &item).token("bob").header("If-Match", hers.etag()).json(&json!({ "text": "x" }));
    stolen.answer().await.refused(403);
    ask(&api, "bob", "DELETE", &item, json!(null)).await.is(204);
    ask(&api, "alice", "GET", &item, json!(null)).await.is(200);
    // URRA-04: the field is nobody's to send.
    let forged = ask(&api, "bob", "POST", "/notes", json!({ "owner": "u_alice" })).await.is(422);
    assert_eq!(forged.json()["_issues"]["owner"], "unknown field");
    // DEL-04: only one's own collection.
    ask(&api, "alice", "DELETE", "/notes", json!(null)).await.is(204);
    ask(&api, "bob", "GET", &format!("/notes/{his}"), json!(null)).await.is(200);
    // VAL-44: unique among one's own.
    for (token, status) in [("alice", 201), ("bob", 201), ("alice", 422)] {
        ask(&api, token, "POST", "/notes", json!({ "slug": "one" })).await.is(status);
    }
}

/// URRA-01, URRA-04: in the schema it is shown, and overwritten.
#[actix_rt::test]
async fn an_owner_in_the_schema_is_overwritten_by_the_caller() {
    let api = api(json!({ "schema": { "owner": { "type": "string" }, "text": { "type": "string" } } })).await;
    let id = ask(&api, "alice", "POST", "/notes", json!({ "owner": "u_bob" })).await.is(201).id();
    let note = ask(&api, "alice", "GET", &format!("/notes/{id}"), json!(null)).await.is(200);
    assert_eq!(note.json()["owner"], "u_alice");
    let put = api.request("PUT", &format!("/notes/{id}")).token("alice").header("If-Match", note.etag());
    put.json(&json!({ "owner": "u_bob", "text": "new" })).answer().await.is(200);
    let note = ask(&api, "alice", "GET", &format!("/notes/{id}"), json!(null)).await.is(200).json();
    assert_eq!((&note["owner"], &note["text"]), (&json!("u_alice"), &json!("new")));
    let patch = api
        .request("PATCH", &format!("/notes/{id}"))
        .token("alice")
        .header("If-Match", note["_etag"].as_str().unwrap());
    patch.json(&json!({ "owner": "u_bob" })).answer().await.is(200);
    let note = ask(&api, "alice", "GET", &format!("/notes/{id}"), json!(null)).await.is(200).json();
    assert_eq!(note["owner"], "u_alice");
}

/// URRA-03: a query for somebody else's documents is refused without a challenge.
#[actix_rt::test]
async fn a_query_for_another_owner_is_refused() {
    let api = api(json!({ "schema": { "owner": { "type": "string" } } })).await;
    ask(&api, "alice", "POST", "/notes", json!({})).await.is(201);
    let list = async |filter: Value| {
        ask(&api, "alice", "GET", &format!("/notes?where={}", encoded(&filter)), json!(null)).await
    };
    for foreign in [json!({ "owner": "u_bob" }), json!({ "$and": [{ "owner": "u_bob" }, { "text": "x" }] })] {
        let answer = list(foreign).await;
        assert!(!answer.has("www-authenticate"));
        assert_eq!(answer.refused(401), "Incompatible User-Restricted Resource request.");
    }
    assert_eq!(list(json!({ "owner": "u_alice" })).await.is(200).json()["_meta"]["total"], 1);
    assert_eq!(list(json!({ "$or": [{ "owner": "u_bob" }] })).await.is(200).json()["_meta"]["total"], 0);
}

/// URRA-05: a public method shows everybody's.
#[actix_rt::test]
async fn public_methods_see_everybodys_documents() {
    let api = api(json!({ "public_methods": ["GET"], "public_item_methods": ["GET"] })).await;
    for token in ["alice", "bob"] {
        ask(&api, token, "POST", "/notes", json!({})).await.is(201);
    }
    assert_eq!(api.get("/notes").await.is(200).json()["_meta"]["total"], 2);
    assert_eq!(ask(&api, "alice", "GET", "/notes", json!(null)).await.json()["_meta"]["total"], 2);
}

/// URRA-06, D-014, decisions 5 and 17: another claim; without it a user is refused; a machine owns what carries its id.
#[actix_rt::test]
async fn the_claim_named_by_the_domain_says_who_owns() {
    let mut domain = domain(json!({}));
    domain["AUTH_VALUE_CLAIM"] = json!("department");
    let api = Api::start(domain, |_| ()).await;
    let scopes = "notes:read notes:write";
    api.auth.token("alice", scopes, json!({ "department": "sales" }));
    api.auth.token("carol", scopes, json!({ "department": "sales" }));
    api.auth.token("bob", scopes, json!({}));
    api.auth.token("machine", scopes, json!({ "sub": "shop", "username": null }));
    ask(&api, "alice", "POST", "/notes", json!({ "text": "ours" })).await.is(201);
    assert_eq!(ask(&api, "carol", "GET", "/notes", json!(null)).await.json()["_meta"]["total"], 1);
    ask(&api, "bob", "GET", "/notes", json!(null)).await.refused(403);
    ask(&api, "machine", "POST", "/notes", json!({ "text": "its" })).await.is(201);
    let list = ask(&api, "machine", "GET", "/notes", json!(null)).await.json();
    assert_eq!((&list["_meta"]["total"], &list["_items"][0]["text"]), (&json!(1), &json!("its")));
}

/// URRA-07: a resource of any fields can be replaced by its owner.
#[actix_rt::test]
async fn an_owner_can_replace_a_document_of_any_fields() {
    let api = api(json!({ "allow_unknown": true })).await;
    let note = ask(&api, "alice", "POST", "/notes", json!({ "any": [1] })).await.is(201);
    let path = format!("/notes/{}", note.id());
    let item = ask(&api, "alice", "GET", &path, json!(null)).await.is(200).json();
    assert!(item.get("owner").is_none());
    let put = api.request("PUT", &path).token("alice").header("If-Match", note.etag()).json(&json!({ "other": 1 }));
    put.answer().await.is(200);
    ask(&api, "bob", "GET", &path, json!(null)).await.refused(404);
}

/// VAL-45, EMB-05: a POST may refer to anybody's document, a PUT that creates only to one's own; no answer shows another's.
#[actix_rt::test]
async fn references_to_others_are_stored_by_post_and_shown_by_nobody() {
    let mut domain = domain(json!({}));
    domain["BANDWIDTH_SAVER"] = json!(false);
    let about = json!({ "type": "objectid", "data_relation": { "resource": "notes", "embeddable": true } });
    domain["DOMAIN"]["notes"]["schema"]["about"] = about;
    let api = Api::start(domain, |_| ()).await;
    for name in ["alice", "bob"] {
        api.auth.token(name, "notes:read notes:write", json!({}));
    }
    let his = ask(&api, "bob", "POST", "/notes", json!({ "text": "his" })).await.is(201).id();
    let path = "/notes?embedded=%7B%22about%22:1%7D";
    let posted = ask(&api, "alice", "POST", path, json!({ "about": his })).await.is(201);
    assert_eq!(posted.json()["about"], Value::Null, "{}", posted.text);
    let hers = ask(&api, "bob", "POST", path, json!({ "about": his })).await.is(201);
    assert_eq!(hers.json()["about"]["text"], "his");
    let put = ask(&api, "alice", "PUT", "/notes/5f0000000000000000000abc", json!({ "about": his })).await.is(422);
    assert!(put.text.contains("must exist in resource 'notes'"), "{}", put.text);
    ask(&api, "bob", "PUT", "/notes/5f0000000000000000000abc", json!({ "about": his })).await.is(201);
}
