//! A store that goes away or is slow, and comes back.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::store::StoreUrl;
use shared::store::servers::{Relayed, Slowed, chosen};

use crate::support::{Answer, Api};
use crate::tokens::people;

/// Everything public, on a MongoDB behind a relay. `None` where tests use files.
async fn relayed() -> Option<(Api, Relayed)> {
    let relayed = Relayed::before(&chosen()?);
    let api = Api::start(people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.store = StoreUrl::Mongo(relayed.cluster.store.clone());
    });
    Some((api.await, relayed))
}

/// Decisions 17, X-027: while MongoDB is gone everything is 503 in time, and within five seconds of its return all is as before.
#[actix_rt::test]
async fn documents_are_back_within_five_seconds_of_mongodbs_return() {
    let Some((api, relayed)) = relayed().await else { return };
    let path = format!("/people/{}", api.post("/people", json!({ "name": "x" })).await.is(201).id());
    api.get("/readyz").await.is(200);
    relayed.mongodb.cut();
    let cut = Instant::now();
    for gone in [api.get(&path).await, api.get("/people").await, api.post("/people", json!({ "name": "y" })).await] {
        assert_eq!(gone.header("retry-after"), "1");
        gone.refused(503);
    }
    api.get("/readyz").await.is(503);
    assert!(cut.elapsed() < Duration::from_secs(20), "each within the time for a call: {:?}", cut.elapsed());
    relayed.mongodb.restore();
    let restored = Instant::now();
    while api.get(&path).await.status != 200 {
        assert!(restored.elapsed() < Duration::from_secs(5), "not back yet");
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    api.get("/readyz").await.is(200);
    api.post("/people", json!({ "name": "z" })).await.is(201);
}

/// Decisions 17: a MongoDB that takes two seconds to answer each call is waited for, but a request no longer than ten seconds; nothing piles
/// up, and within two seconds of its recovery everything is as fast as before.
#[actix_rt::test]
async fn a_slow_mongodb_is_waited_for_within_limits() {
    let Some((api, relayed)) = relayed().await else { return };
    let path = format!("/people/{}", api.post("/people", json!({ "name": "x" })).await.is(201).id());
    let status = |answer: Answer| {
        assert!(answer.status != 503 || answer.header("retry-after") == "1", "{}", answer.text);
        answer.status
    };
    let ask = async |caller: usize| match caller % 4 {
        0 => status(api.get(&path).await),
        1 => status(api.get("/people?max_results=5").await),
        2 => status(api.post("/people", json!({ "name": "y" })).await),
        _ => status(api.post("/people", json!([{ "name": "y" }, { "name": "z" }])).await),
    };
    let slowed = Slowed::by(Duration::from_secs(2), &relayed.mongodb, &ask).await;
    slowed.bears(Duration::from_secs(6), Duration::from_secs(11), &ask).await;
    slowed.ends(&ask).await;
}
