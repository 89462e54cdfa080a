//! What hooks change of writes, and how they stop them.

use std::time::Duration;

use bson::doc;
use bson::oid::ObjectId;
use resource_api::config::AuthMode;
use resource_api::etag::etag as digest;
use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::{domain, etag, hooked, path, person};
use crate::support::{Answer, Api, Ask};

const WRITES: [&str; 5] = ["on_insert", "on_update", "on_replace", "on_delete_item", "on_delete_resource"];

/// Each of these events at the path of its name.
fn hooks(receiver: &Receiver) -> Value {
    WRITES.iter().map(|event| (format!("{event}_people"), json!(receiver.at(&format!("/{event}"))))).collect()
}

/// A write of each kind.
async fn writes(api: &Api, ann: &Value) -> Vec<Answer> {
    vec![
        api.post("/people", json!({ "name": "new" })).await,
        api.edit("PATCH", &path(ann), etag(ann), json!({ "age": 9 })).await,
        api.edit("PUT", &path(ann), etag(ann), json!({ "name": "other" })).await,
        api.edit("DELETE", &path(ann), etag(ann), json!({})).await,
        api.request("DELETE", "/people").answer().await,
    ]
}

/// HOOK-03, POST-08: what a hook makes of documents is stored, hashed, and not validated.
#[actix_rt::test]
async fn what_hooks_change_is_stored_and_hashed_and_not_validated_again() {
    let receiver = Receiver::start();
    let api = hooked(&receiver, &["on_insert", "on_update", "on_replace"]).await;
    let date = bson::DateTime::from_millis(1_577_836_800_000);
    let friend = ObjectId::parse_str("5f0000000000000000000abc").unwrap();
    receiver.changes("/on_insert", "documents", |documents| {
        let day = json!({ "$date": "2020-01-01T00:00:00Z" });
        documents[0] = json!({
            "name": "longer than ten letters", "friend": { "$oid": "5f0000000000000000000abc" }, "born": day,
            "_updated": day, "_created": day, "score": { "$numberLong": "1" },
        });
    });
    let ann = person(&api, "ann").await;
    let stored = doc! {
        "name": "longer than ten letters", "friend": friend, "born": date, "_updated": date, "_created": date, "score": 1_i64,
    };
    assert_eq!(etag(&ann), digest(&stored, &[]));
    let read = api.get(&path(&ann)).await.is(200);
    assert_eq!(read.header("etag"), format!("\"{}\"", etag(&ann)));
    assert_eq!(read.json()["name"], "longer than ten letters");
    assert_eq!(read.json()["born"], "Wed, 01 Jan 2020 00:00:00 GMT");
    // As what they were: dates and ids are found as such.
    for condition in
        [json!({ "friend": "5f0000000000000000000abc" }), json!({ "born": "Wed, 01 Jan 2020 00:00:00 GMT" })]
    {
        let found = api.get(&format!("/people?where={}", crate::support::encoded(&condition))).await.is(200);
        assert_eq!(found.json()["_meta"]["total"], 1, "{condition}");
    }

    receiver.changes("/on_update", "updates", |updates| {
        updates["name"] = json!("another that is too long");
        updates["pet"] = json!({ "kind": "cat" });
    });
    let patched = api.edit("PATCH", &path(&ann), etag(&ann), json!({ "age": 7, "pet": { "name": "tom" } })).await;
    let ann = patched.is(200).json();
    let read = api.get(&path(&ann)).await.is(200);
    assert_eq!(read.header("etag"), format!("\"{}\"", etag(&ann)));
    assert_eq!((&read.json()["name"], &read.json()["age"]), (&json!("another that is too long"), &json!(7)));
    assert_eq!(read.json()["pet"], json!({ "kind": "cat" }));

    receiver.changes("/on_replace", "document", |document| {
        *document = json!({
            "name": "put in a longer form", "_updated": { "$date": "2021-01-01T00:00:00Z" },
            "_created": { "$date": "2020-01-01T00:00:00Z" },
        });
    });
    let ann = api.edit("PUT", &path(&ann), etag(&ann), json!({ "name": "put" })).await.is(200).json();
    let id = ObjectId::parse_str(ann["_id"].as_str().unwrap()).unwrap();
    let put = doc! {
        "name": "put in a longer form", "_updated": bson::DateTime::from_millis(1_609_459_200_000), "_created": date, "_id": id,
    };
    assert_eq!(etag(&ann), digest(&put, &[]));
    assert_eq!(api.get(&path(&ann)).await.is(200).json()["name"], "put in a longer form");
    // A hook changes what the one before it made of the document.
    receiver.says("/on_insert", 204, json!({}));
    assert_eq!(person(&api, "as sent").await["name"], "as sent");
}

/// HOOK-02, HOOK-03: each in a list sees what the one before it made.
#[actix_rt::test]
async fn several_hooks_of_one_event_are_called_one_after_the_other() {
    let receiver = Receiver::start();
    for (place, letter) in [("/1", "a"), ("/2", "b"), ("/3", "c")] {
        receiver.changes(place, "documents", move |documents| {
            documents[0]["name"] = json!(format!("{}{letter}", documents[0]["name"].as_str().unwrap()));
        });
    }
    let hooks = json!({ "on_insert_people": receiver.at("/3"), "on_insert": [receiver.at("/1"), { "url": receiver.at("/2") }] });
    let api = Api::open(domain(json!({ "HOOKS": hooks }))).await;
    assert_eq!(person(&api, "x").await["name"], "xabc");
    // The first that refuses ends it.
    receiver.says("/2", 409, json!({ "message": "enough" }));
    assert_eq!(api.post("/people", json!({ "name": "y" })).await.refused(409), "enough");
    assert_eq!(receiver.paths(), ["/1", "/2", "/3", "/1", "/2"]);
}

/// HOOK-03: a status of the receiver's choice reaches the client unchanged, with its words, and nothing is written.
#[actix_rt::test]
async fn a_refusal_reaches_the_client_unchanged_and_nothing_is_written() {
    let receiver = Receiver::start();
    let api =
        hooked(&receiver, &[&WRITES[..], &["on_inserted", "on_updated", "on_replaced", "on_deleted_item"]].concat())
            .await;
    let ann = person(&api, "ann").await;
    let before = api.get("/people").await.is(200).text;
    for (status, reply, told) in [
        (
            402,
            (|| Reply::json(402, &json!({ "message": "pay \"first\" – Zürich" }))) as fn() -> Reply,
            "pay \"first\" – Zürich",
        ),
        (418, || Reply::of(418, "text/plain; charset=utf-8", "I'm a teapot"), "I'm a teapot"),
        (
            422,
            || Reply::json(422, &json!({ "_error": { "code": 422, "message": "not on Sundays" } })),
            "not on Sundays",
        ),
        (409, || Reply::of(409, "text/html", "<p>no"), "Conflict"),
    ] {
        for event in WRITES {
            receiver.answers(&format!("/{event}"), move |_| Some(reply()));
        }
        for answer in writes(&api, &ann).await {
            assert_eq!(answer.refused(status), told);
        }
    }
    assert_eq!(api.get("/people").await.is(200).text, before);
    // Nobody was told of what was not done.
    let after: Vec<String> = receiver.paths().into_iter().filter(|path| path.contains("ed")).collect();
    assert_eq!(after, ["/on_inserted"]);
}

/// HOOK-03: a receiver that is away, slow, broken or not to be understood is 503, and nothing is written. Redirects lead nowhere.
#[actix_rt::test]
async fn a_hook_that_does_not_work_is_503_and_nothing_is_written() {
    let receiver = Receiver::start();
    let elsewhere = Receiver::start();
    let api = Api::start(domain(json!({ "HOOKS": hooks(&receiver) })), |config| {
        config.auth.mode = AuthMode::None;
        config.hooks.answer = 2000;
    })
    .await;
    let ann = person(&api, "ann").await;
    let before = api.get("/people").await.is(200).text;
    let redirect = elsewhere.at("/");
    let all = |reply: Box<dyn Fn() -> Option<Reply> + Send + Sync>| {
        let reply = std::sync::Arc::new(reply);
        for event in WRITES {
            let reply = reply.clone();
            receiver.answers(&format!("/{event}"), move |_| reply());
        }
    };
    let everywhere: [Box<dyn Fn() -> Option<Reply> + Send + Sync>; 5] = [
        Box::new(|| Some(Reply::json(500, &json!({ "message": "inside" })))),
        Box::new(|| Some(Reply::json(503, &json!({})))),
        Box::new(move || Some(Reply::json(307, &json!({})).header("Location", &redirect))),
        Box::new(|| None),
        Box::new(|| Some(Reply::of(200, "text/plain", &"x".repeat(3000)))),
    ];
    for reply in everywhere {
        all(reply);
        for answer in writes(&api, &ann).await {
            assert_eq!(answer.header("retry-after"), "1");
            let message = answer.refused(503);
            assert!(message.starts_with("The server is temporarily unable"), "{message}");
        }
    }
    // What changes something has to be understood; a refusal's body has not.
    let member = |name: &'static str, value: Value| json!({ name: value });
    for (event, write, body) in [
        ("on_insert", 0, "<html>".to_owned()),
        ("on_insert", 0, "\"fine\"".to_owned()),
        ("on_insert", 0, member("document", json!({})).to_string()),
        ("on_insert", 0, member("documents", json!([])).to_string()),
        ("on_insert", 0, member("documents", json!([{ "_updated": "today" }])).to_string()),
        ("on_update", 1, member("updates", json!([])).to_string()),
        ("on_update", 1, member("updates", json!({ "_id": "x" })).to_string()),
        ("on_replace", 2, member("document", json!({ "_id": { "$oid": "5f0000000000000000000abc" } })).to_string()),
    ] {
        all(Box::new(|| Some(Reply::json(404, &json!({})))));
        let answer = body.clone();
        receiver.answers(&format!("/{event}"), move |_| Some(Reply::of(200, "application/json", &answer)));
        writes(&api, &ann).await.swap_remove(write).is(503);
        assert_eq!(api.get("/people").await.is(200).text, before, "{event}: {body}");
    }
    assert!(elsewhere.calls().is_empty());
    // And all is well again when the receiver is.
    all(Box::new(|| Some(Reply::nothing())));
    for answer in writes(&api, &ann).await.into_iter().take(2) {
        assert!(answer.status < 300);
    }
}

/// HOOK-03: so is one that takes longer than it may.
#[actix_rt::test]
async fn a_hook_that_is_too_slow_is_503_and_nothing_is_written() {
    let receiver = Receiver::start();
    let without = Api::open(domain(json!({}))).await;
    let ann = person(&without, "ann").await;
    let folder = without.stop().await;
    let api = Api::start_in(folder, domain(json!({ "HOOKS": hooks(&receiver) })), |config| {
        config.auth.mode = AuthMode::None;
        config.hooks.timeout = 0.5;
    })
    .await;
    let before = api.get("/people").await.is(200).text;
    for event in WRITES {
        receiver.answers(&format!("/{event}"), |_| Some(Reply::nothing().after(Duration::from_secs(10))));
    }
    for answer in writes(&api, &ann).await {
        assert_eq!(answer.header("retry-after"), "1");
        answer.refused(503);
    }
    assert_eq!(api.get("/people").await.is(200).text, before);
    assert_eq!(receiver.paths().len(), WRITES.len());
}

/// HOOK-03, POST-04: documents that break rules never reach a hook; of a bulk all is stored as the hook made it, or nothing.
#[actix_rt::test]
async fn hooks_hear_of_valid_documents_only_and_a_bulk_stays_whole() {
    let receiver = Receiver::start();
    let mut domain = domain(json!({ "HOOKS": {} }));
    domain["DOMAIN"]["people"]["schema"]["name"]["unique"] = json!(true);
    domain["DOMAIN"]["people"]["hooks"] =
        json!({ "on_insert": receiver.at("/in"), "on_inserted": receiver.at("/done") });
    let api = Api::open(domain).await;
    api.post("/people", json!({ "name": "ann" })).await.is(201);
    assert_eq!(receiver.take(2).await.len(), 2);
    for refused in [
        json!({ "name": "far longer than ten" }),
        json!({ "name": "ann" }),
        json!([{ "name": "bo" }, { "name": "ann" }]),
        json!([{ "name": "bo" }, {}]),
    ] {
        api.post("/people", refused).await.is(422);
    }
    assert!(receiver.paths().is_empty());
    let names = async || {
        let items = api.get("/people").await.is(200).json()["_items"].take();
        items.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The rule is the store's, whatever a hook does.
    receiver.changes("/in", "documents", |documents| documents[1]["name"] = json!("ann"));
    api.post("/people", json!([{ "name": "bo" }, { "name": "cy" }])).await.is(422);
    receiver.says("/in", 403, json!({}));
    api.post("/people", json!([{ "name": "bo" }, { "name": "cy" }])).await.is(403);
    assert_eq!(names().await, ["ann"]);
    receiver.changes("/in", "documents", |documents| {
        for one in documents.as_array_mut().unwrap() {
            one["name"] = json!(format!("{}!", one["name"].as_str().unwrap()));
        }
    });
    let answer = api.post("/people", json!([{ "name": "bo" }, { "name": "cy" }])).await.is(201).json();
    assert_eq!((&answer["_items"][0]["name"], &answer["_items"][1]["name"]), (&json!("bo!"), &json!("cy!")));
    assert_eq!(names().await, ["ann", "bo!", "cy!"]);
    let told = receiver.take(4).await.into_iter().filter(|call| call.path == "/done").count();
    assert_eq!(told, 1);
}
