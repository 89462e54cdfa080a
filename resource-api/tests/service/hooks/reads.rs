//! What hooks change of what is looked up and shown.

use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::{etag, hooked, path, person};
use crate::support::{Api, Ask};

async fn names(api: &Api) -> Vec<Value> {
    let page = api.get("/people").await.is(200).json();
    page["_items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect()
}

/// HOOK-01: a condition of the hook's narrows what a request sees and touches, in lists, items and writes.
#[actix_rt::test]
async fn a_hook_before_the_request_narrows_what_it_reaches() {
    let receiver = Receiver::start();
    let before = ["on_pre_GET", "on_pre_PATCH", "on_pre_PUT", "on_pre_DELETE", "on_pre_POST"];
    let api = hooked(&receiver, &before).await;
    let ann = api.post("/people", json!({ "name": "ann", "age": 1 })).await.is(201).json();
    let friend = json!({ "name": "bo", "age": 2, "friend": ann["_id"] });
    let bo = api.post("/people", friend).await.is(201).json();
    assert_eq!(names(&api).await, ["ann", "bo"]);
    for lookup in [
        json!({ "age": { "$gte": 2 } }),
        json!({ "$or": [{ "name": "bo" }, { "name": "cy" }] }),
        json!({ "friend": ann["_id"] }),
        json!({ "friend": { "$oid": ann["_id"] } }),
        json!({ "_created": { "$gt": { "$date": "2020-01-01T00:00:00Z" } }, "name": { "$regex": "^b" } }),
    ] {
        for event in &before[..4] {
            receiver.says(&format!("/{event}"), 200, json!({ "lookup": lookup }));
        }
        assert_eq!(names(&api).await, ["bo"], "{lookup}");
        assert_eq!(api.get("/people").await.header("x-total-count"), "1");
        api.get(&path(&bo)).await.is(200);
        api.get(&path(&ann)).await.is(404);
        api.get("/people/ann").await.is(404);
        api.edit("PATCH", &path(&ann), etag(&ann), json!({ "age": 9 })).await.is(404);
        api.edit("DELETE", &path(&ann), etag(&ann), json!({})).await.is(204);
    }
    api.edit("PUT", &path(&ann), etag(&ann), json!({ "name": "x" })).await.is(409);
    api.request("DELETE", "/people").answer().await.is(204);
    receiver.says("/on_pre_GET", 200, json!({}));
    assert_eq!(names(&api).await, ["ann"]);
    // The condition comes on top of what the client asks for, and can't be got around by it.
    receiver.says("/on_pre_GET", 200, json!({ "lookup": { "age": 1 } }));
    assert_eq!(api.get("/people?where={\"age\":{\"$ne\":1}}").await.is(200).json()["_items"], json!([]));
    // What can't be understood shows nothing.
    for lookup in [json!({ "lookup": [] }), json!({ "lookup": { "age": { "$almost": 1 } } }), json!({ "where": {} })] {
        receiver.says("/on_pre_GET", 200, lookup);
        api.get("/people").await.is(503);
    }
    receiver.says("/on_pre_GET", 403, json!({ "message": "closed on Sundays" }));
    assert_eq!(api.get(&path(&ann)).await.refused(403), "closed on Sundays");
    receiver.says("/on_pre_POST", 403, json!({}));
    api.post("/people", json!({ "name": "cy" })).await.is(403);
    // A POST has nothing to look up.
    receiver.says("/on_pre_POST", 200, json!({ "lookup": {} }));
    api.post("/people", json!({ "name": "cy" })).await.is(503);
}

/// HOOK-04: what a hook makes of an answer is shown, and the headers stay those of the stored documents.
#[actix_rt::test]
async fn what_hooks_show_leaves_the_headers_as_they_were() {
    let receiver = Receiver::start();
    let api = hooked(&receiver, &["on_fetched_item", "on_fetched_resource"]).await;
    let ann = person(&api, "ann").await;
    let (item, list) = (api.get(&path(&ann)).await.is(200), api.get("/people").await.is(200));
    let told = receiver.take(2).await;
    // As the client sees them.
    assert_eq!(told[0].json()["document"], item.json());
    assert_eq!(told[1].json()["response"], list.json());
    receiver.changes("/on_fetched_item", "document", |document| {
        document["name"] = json!("ANN – Zürich");
        document["half"] = json!(0.5);
        document["_etag"] = json!("other");
    });
    receiver.changes("/on_fetched_resource", "response", |response| {
        response["_items"][0]["name"] = json!("ANN");
        response["more"] = json!([1, 2.0, null, true]);
    });
    let shown = api.get(&path(&ann)).await.is(200);
    assert_eq!((&shown.json()["name"], &shown.json()["half"]), (&json!("ANN – Zürich"), &json!(0.5)));
    assert!(shown.text.contains(r#""name": "ANN \u2013 Z\u00fcrich""#), "{}", shown.text);
    assert_eq!(shown.header("etag"), format!("\"{}\"", etag(&ann)));
    assert_eq!(shown.header("last-modified"), ann["_updated"]);
    let pretty = api.get(&format!("{}?pretty", path(&ann))).await.is(200);
    assert!(pretty.text.starts_with("{\n    \"") && pretty.json()["name"] == "ANN – Zürich", "{}", pretty.text);
    let listed = api.get("/people").await.is(200);
    assert_eq!(
        (&listed.json()["_items"][0]["name"], &listed.json()["more"]),
        (&json!("ANN"), &json!([1, 2.0, null, true]))
    );
    assert!(listed.text.ends_with(r#""more": [1, 2.0, null, true]}"#), "{}", listed.text);
    assert_eq!(listed.header("last-modified"), ann["_updated"]);
    assert_eq!(listed.header("x-total-count"), "1");
    // Nothing is shown of what has not changed.
    receiver.take(3).await;
    let unchanged = api.request("GET", &path(&ann)).header("If-None-Match", etag(&ann)).answer().await;
    assert_eq!(unchanged.is(304).text, "");
    assert!(receiver.paths().is_empty());

    receiver.answers("/on_fetched_item", |_| Some(Reply::of(200, "application/json", "[]")));
    api.get(&path(&ann)).await.is(503);
    receiver.says("/on_fetched_item", 451, json!({ "message": "withheld" }));
    assert_eq!(api.get(&path(&ann)).await.refused(451), "withheld");
}
