//! What is told when it is done: nobody waits for it, and it is told in order. How a receiver knows the sender.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use resource_api::config::AuthMode;
use serde_json::{Value, json};
use shared::Secret;
use shared::store::servers::free_port;

use super::receiver::{Call, Receiver, Reply};
use super::{domain, etag, hooked, path, person};
use crate::support::{Api, with};

const AFTER: [&str; 5] = ["on_inserted", "on_updated", "on_replaced", "on_deleted_item", "on_deleted_resource"];

/// Calls of `path` are answered one by one, each when something is sent.
fn held(receiver: &Receiver, path: &str) -> Sender<()> {
    let (open, opened) = channel();
    receiver.answers(path, move |_| opened.recv().ok().map(|()| Reply::nothing()));
    open
}

/// HOOK-02: what was refused, for whatever reason, is told to nobody.
#[actix_rt::test]
async fn only_what_was_done_is_told() {
    let receiver = Receiver::start();
    let api = hooked(&receiver, &[&AFTER[..], &["on_update"]].concat()).await;
    let ann = person(&api, "ann").await;
    assert_eq!(receiver.take(1).await[0].json()["documents"][0]["_etag"], ann["_etag"]);
    let taken = with(json!({ "name": "bo" }), json!({ "_id": ann["_id"] }));
    for (refused, status) in [
        (api.post("/people", json!({ "name": 1 })).await, 422),
        (api.post("/people", taken.clone()).await, 409),
        (api.post("/people", json!([{ "name": "cy" }, taken])).await, 409),
        (api.edit("PATCH", &path(&ann), "stale", json!({ "age": 1 })).await, 412),
        (api.edit("PUT", &path(&ann), "stale", json!({ "name": "x" })).await, 412),
        (api.edit("PUT", &path(&ann), etag(&ann), json!({ "name": 1 })).await, 422),
        (api.edit("DELETE", &path(&ann), "stale", json!({})).await, 412),
    ] {
        refused.is(status);
    }
    // What goes while a hook is asked can't be changed any more.
    let open = held(&receiver, "/on_update");
    let place = path(&ann);
    let patch = api.edit("PATCH", &place, etag(&ann), json!({ "age": 1 }));
    let delete = async {
        receiver.has(1).await;
        api.edit("DELETE", &path(&ann), etag(&ann), json!({})).await.is(204);
        receiver.has(2).await;
        open.send(()).unwrap();
    };
    futures_util::future::join(patch, delete).await.0.is(412);
    api.stop().await;
    assert_eq!(receiver.paths(), ["/on_update", "/on_deleted_item"]);
}

/// A slow receiver costs a request nothing; what waits for it is told in order, also while the service stops.
#[actix_rt::test]
async fn nobody_waits_for_what_is_told_later_and_a_stop_tells_the_rest() {
    let receiver = Receiver::start();
    let api = hooked(&receiver, &["on_inserted"]).await;
    let open = held(&receiver, "/on_inserted");
    for name in ["a", "b", "c", "d"] {
        person(&api, name).await;
    }
    assert!(receiver.calls().len() <= 1, "{:?}", receiver.paths());
    (0..4).for_each(|_| open.send(()).unwrap());
    api.stop().await;
    let told: Vec<Value> = receiver.calls().iter().map(|call| call.json()["documents"][0]["name"].clone()).collect();
    assert_eq!(told, ["a", "b", "c", "d"]);
}

/// A receiver that is away for a moment is told later, once, with what comes behind it still behind it.
#[actix_rt::test]
async fn what_a_receiver_does_not_take_is_sent_again() {
    let receiver = Receiver::start();
    let api = hooked(&receiver, &["on_inserted", "on_deleted_item"]).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    receiver.answers("/on_inserted", move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Some(Reply::json(503, &json!({}))),
        _ => Some(Reply::nothing()),
    });
    let ann = person(&api, "ann").await;
    api.edit("DELETE", &path(&ann), etag(&ann), json!({})).await.is(204);
    let calls = receiver.take(3).await;
    assert_eq!(
        calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(),
        ["/on_inserted", "/on_inserted", "/on_deleted_item"]
    );
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert_eq!(calls[0].text, calls[1].text);
    assert_ne!(calls[1].header("webhook-id"), calls[2].header("webhook-id"));
    // A refusal is an answer: there is nothing to try again.
    receiver.says("/on_inserted", 400, json!({}));
    let bo = person(&api, "bo").await;
    api.edit("DELETE", &path(&bo), etag(&bo), json!({})).await.is(204);
    assert_eq!(receiver.take(2).await.len(), 2);
}

/// Of too many that wait the newest are dropped, and the requests that caused them are done all the same.
#[actix_rt::test]
async fn a_full_queue_drops_what_comes_last() {
    let receiver = Receiver::start();
    let hooks = json!({ "on_inserted": receiver.at("/in") });
    let metrics = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let api = Api::start(domain(json!({ "HOOKS": hooks })), |config| {
        config.auth.mode = AuthMode::None;
        config.hooks.waiting = 2;
        config.hooks.timeout = 60.0;
        config.metrics.listen = Some(metrics);
    })
    .await;
    let open = held(&receiver, "/in");
    for name in ["a", "b", "c", "d"] {
        person(&api, name).await;
    }
    let counted = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
    assert!(counted.contains("evergate_hooks_dropped_total 2\n"), "{counted}");
    (0..4).for_each(|_| open.send(()).unwrap());
    api.stop().await;
    let told: Vec<Value> = receiver.calls().iter().map(|call| call.json()["documents"][0]["name"].clone()).collect();
    assert_eq!(told, ["a", "b"]);
}

/// The signature over id, time and body by the key, as a receiver computes it (Standard Webhooks).
fn signature(call: &Call, key: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{}.{}.{}", call.header("webhook-id"), call.header("webhook-timestamp"), call.text).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Every call is signed with the configured secret, or its webhook's own, which is told nowhere.
#[actix_rt::test]
async fn a_receiver_can_verify_who_calls() {
    let receiver = Receiver::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "whsec_MDEyMzQ1Njc4OWFiY2RlZg==\n").unwrap();
    let hooks = json!({
        "on_insert": receiver.at("/common?key=1"),
        "on_inserted": { "url": receiver.at("/own"), "secret": { "file": file }, "timeout": 2 },
    });
    let api = Api::start(domain(json!({ "HOOKS": hooks })), |config| {
        config.auth.mode = AuthMode::None;
        config.hooks.secret = Some(Secret::new("a secret of the service"));
    })
    .await;
    person(&api, "ann").await;
    let calls = receiver.take(2).await;
    assert_eq!(calls[0].path, "/common?key=1");
    assert_eq!(calls[0].header("webhook-signature"), signature(&calls[0], b"a secret of the service"));
    assert_eq!(calls[1].header("webhook-signature"), signature(&calls[1], b"0123456789abcdef"));
    for call in &calls {
        let age = shared::clock::now() - call.header("webhook-timestamp").parse::<i64>().unwrap();
        assert!((0..=60).contains(&age), "{age}");
        assert!(call.header("webhook-id").starts_with("msg_"));
        assert!(!call.text.contains("secret"));
    }
    assert_ne!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
}
