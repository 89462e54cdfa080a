//! Which events there are, in which order, and what each is told.

use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{domain, etag, hooked, path, person};
use crate::support::{Api, Ask, with};

const EVENTS: [&str; 23] = [
    "on_pre_GET",
    "on_pre_POST",
    "on_pre_PATCH",
    "on_pre_PUT",
    "on_pre_DELETE",
    "on_post_GET",
    "on_post_POST",
    "on_post_PATCH",
    "on_post_PUT",
    "on_post_DELETE",
    "on_fetched_resource",
    "on_fetched_item",
    "on_insert",
    "on_inserted",
    "on_replace",
    "on_replaced",
    "on_update",
    "on_updated",
    "on_delete_item",
    "on_deleted_item",
    "on_delete_resource",
    "on_delete_resource_originals",
    "on_deleted_resource",
];

/// Everything of the whole API, of the API for people, and of people themselves.
fn everything(receiver: &Receiver) -> Value {
    let hooks = |place: &str, end: &str| -> Value {
        EVENTS.iter().map(|event| (format!("{event}{end}"), json!(receiver.at(&format!("{place}/{event}"))))).collect()
    };
    let mut domain = domain(json!({ "HOOKS": with(hooks("/all", ""), hooks("/people", "_people")) }));
    domain["DOMAIN"]["people"]["hooks"] = hooks("/own", "");
    domain
}

/// Checks that these events of people were told since the last time, each first to those of the whole API.
async fn heard(receiver: &Receiver, events: &[&str]) {
    let expected: Vec<String> =
        events.iter().flat_map(|event| ["/all", "/people", "/own"].map(|place| format!("{place}/{event}"))).collect();
    let calls = receiver.take(expected.len()).await;
    assert_eq!(calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(), expected);
}

/// HOOK-01, HOOK-02, REQ-02, POST-08: what each request tells of, in order, generic first; HEAD is a GET before and nothing after;
/// home and errors belong to no resource.
#[actix_rt::test]
async fn every_request_tells_of_its_events_in_order() {
    let receiver = Receiver::start();
    let api = Api::open(everything(&receiver)).await;

    let ann = person(&api, "ann").await;
    heard(&receiver, &["on_pre_POST", "on_insert", "on_inserted", "on_post_POST"]).await;
    api.get(&path(&ann)).await.is(200);
    heard(&receiver, &["on_pre_GET", "on_fetched_item", "on_post_GET"]).await;
    api.get("/people/ann").await.is(200);
    heard(&receiver, &["on_pre_GET", "on_fetched_item", "on_post_GET"]).await;
    api.get("/people").await.is(200);
    heard(&receiver, &["on_pre_GET", "on_fetched_resource", "on_post_GET"]).await;
    api.request("HEAD", "/people").answer().await.is(200);
    heard(&receiver, &["on_pre_GET", "on_fetched_resource"]).await;
    let ann = api.edit("PATCH", &path(&ann), etag(&ann), json!({ "age": 7 })).await.is(200).json();
    heard(&receiver, &["on_pre_PATCH", "on_update", "on_updated", "on_post_PATCH"]).await;
    let ann = api.edit("PUT", &path(&ann), etag(&ann), json!({ "name": "ann" })).await.is(200).json();
    heard(&receiver, &["on_pre_PUT", "on_replace", "on_replaced", "on_post_PUT"]).await;
    api.edit("DELETE", &path(&ann), etag(&ann), json!({})).await.is(204);
    heard(&receiver, &["on_pre_DELETE", "on_delete_item", "on_deleted_item", "on_post_DELETE"]).await;
    // What is gone is not deleted again.
    api.edit("DELETE", &path(&ann), etag(&ann), json!({})).await.is(204);
    heard(&receiver, &["on_pre_DELETE", "on_post_DELETE"]).await;
    // PUT-04: a PUT that creates is an insertion.
    api.edit("PUT", "/people/5f0000000000000000000abc", "", json!({ "name": "bo" })).await.is(201);
    heard(&receiver, &["on_pre_PUT", "on_insert", "on_inserted", "on_post_PUT"]).await;
    let collection = ["on_delete_resource", "on_delete_resource_originals", "on_deleted_resource"];
    api.request("DELETE", "/people").answer().await.is(204);
    heard(&receiver, &["on_pre_DELETE", collection[0], collection[1], collection[2], "on_post_DELETE"]).await;
    api.request("DELETE", "/people").answer().await.is(204);
    heard(&receiver, &["on_pre_DELETE", collection[0], "on_post_DELETE"]).await;
    // To Eve, what validation says is an answer like others.
    api.post("/people", json!({ "age": 1 })).await.is(422);
    heard(&receiver, &["on_pre_POST", "on_post_POST"]).await;

    for (method, path, status, before, after) in [
        ("GET", "/", 200, None, Some("/all/on_post_GET")),
        ("GET", "/nowhere", 404, None, Some("/all/on_post_GET")),
        ("PUT", "/people", 405, None, Some("/all/on_post_PUT")),
        ("GET", "/people/nobody", 404, Some("on_pre_GET"), Some("/all/on_post_GET")),
        ("HEAD", "/nowhere", 404, None, None),
        ("OPTIONS", "/people", 200, None, None),
    ] {
        api.request(method, path).answer().await.is(status);
        let before = before.into_iter().flat_map(|event| ["/all", "/people", "/own"].map(|it| format!("{it}/{event}")));
        let expected: Vec<String> = before.chain(after.map(str::to_owned)).collect();
        let calls = receiver.take(expected.len()).await;
        assert_eq!(calls.iter().map(|call| call.path.clone()).collect::<Vec<_>>(), expected, "{method} {path}");
        for call in calls.iter().filter(|call| call.path.contains("on_post")) {
            let told = call.json();
            assert_eq!((&told["resource"], &told["status"]), (&Value::Null, &json!(status)), "{path}");
        }
    }
    // A resource without hooks of its own.
    api.post("/plain", json!({ "name": "x" })).await.is(201);
    let calls = receiver.take(4).await;
    let paths: Vec<&str> = calls.iter().map(|call| call.path.as_str()).collect();
    assert_eq!(paths, ["/all/on_pre_POST", "/all/on_insert", "/all/on_inserted", "/all/on_post_POST"]);
    assert!(calls.iter().all(|call| call.json()["resource"] == "plain"));
}

/// HOOK-02: what is told has who asked, what it is about, and values with their types.
#[actix_rt::test]
async fn an_event_says_who_did_what_to_which_document() {
    let receiver = Receiver::start();
    let api = Api::start(everything(&receiver), |_| ()).await;
    api.auth.token("alice", "people:read people:write", json!({ "roles": ["clerk"], "client_id": "shop" }));
    let ann = json!({ "name": "ann", "born": "Tue, 06 Nov 2012 10:33:31 GMT", "friend": "5f0000000000000000000abc" });
    let request = api.request("POST", "/people?pretty").token("alice").header("X-Request-Id", "story-1");
    let answer = request.json(&ann).answer().await.is(201);
    let calls = receiver.take(12).await;
    for call in &calls {
        let told = call.json();
        assert_eq!(told["event"], call.path.rsplit('/').next().unwrap());
        assert_eq!(told["resource"], "people");
        assert_eq!(told["method"], "POST");
        assert_eq!((&told["path"], &told["query"]), (&json!("/people"), &json!("pretty")));
        assert_eq!(told["request_id"], "story-1");
        assert_eq!(call.header("x-request-id"), "story-1");
        assert_eq!(told["who"], json!({ "sub": "u_alice", "client_id": "shop", "roles": ["clerk"] }));
        assert_eq!(call.header("content-type"), "application/json");
        assert!(!call.text.contains("Bearer") && !call.headers.contains_key("authorization"));
    }
    let before = calls.iter().find(|call| call.path == "/own/on_insert").unwrap().json()["documents"][0].clone();
    assert_eq!(before["born"], json!({ "$date": "2012-11-06T10:33:31Z" }));
    assert_eq!(before["friend"], json!({ "$oid": "5f0000000000000000000abc" }));
    assert!(before.get("_etag").is_none() && before.get("_id").is_none() && before["_created"]["$date"].is_string());
    let stored = calls.iter().find(|call| call.path == "/own/on_inserted").unwrap().json()["documents"][0].clone();
    assert_eq!(stored["_id"], json!({ "$oid": answer.id() }));
    assert_eq!(stored["_etag"], answer.etag());
    let after = calls.last().unwrap().json();
    assert_eq!(after["response"], answer.json());
    assert_eq!(after["status"], 201);

    let place = format!("/people/{}", answer.id());
    let edit = api.request("PATCH", &place).token("alice").header("If-Match", answer.etag());
    let patched = edit.json(&json!({ "age": 7 })).answer().await.is(200);
    let calls = receiver.take(12).await;
    assert_eq!(calls[0].json()["lookup"], json!({ "_id": { "$oid": answer.id() } }));
    let update = calls[3].json();
    assert_eq!(update["updates"]["age"], 7);
    assert!(update["updates"].get("name").is_none());
    assert_eq!(update["original"]["friend"], before["friend"]);
    let updated = calls[6].json();
    assert_eq!(updated["updates"]["_etag"], patched.etag());
    assert_eq!(updated["original"]["_etag"], answer.etag());
    let delete = api.request("DELETE", &place).token("alice").header("If-Match", patched.etag());
    delete.answer().await.is(204);
    let calls = receiver.take(12).await;
    assert_eq!(calls[3].json()["original"]["age"], 7);
    assert_eq!(calls[6].json()["original"]["_id"], json!({ "$oid": answer.id() }));
    assert_eq!((&calls[9].json()["status"], &calls[9].json()["response"]), (&json!(204), &Value::Null));
    // Whoever isn't let in causes no event but that of the error.
    api.get("/people").await.is(401);
    let calls = receiver.take(1).await;
    assert_eq!(calls[0].path, "/all/on_post_GET");
    assert_eq!((&calls[0].json()["who"], &calls[0].json()["status"]), (&Value::Null, &json!(401)));
}

/// POST-08, DEL-04: a bulk is one event with all of it, and so are the originals of a collection.
#[actix_rt::test]
async fn a_bulk_is_one_event() {
    let receiver = Receiver::start();
    let api = hooked(&receiver, &["on_insert", "on_inserted", "on_delete_resource_originals"]).await;
    api.post("/people", json!([{ "name": "ann" }, { "name": "bo" }])).await.is(201);
    let calls = receiver.take(2).await;
    for call in &calls {
        let names: Vec<Value> =
            call.json()["documents"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["ann", "bo"], "{}", call.path);
    }
    api.request("DELETE", "/people").answer().await.is(204);
    let call = &receiver.take(1).await[0];
    assert_eq!(call.json()["originals"].as_array().unwrap().len(), 2);
    assert_eq!(call.json()["lookup"], json!({}));
}
