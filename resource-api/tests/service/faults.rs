//! A store that goes away and comes back.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::store::StoreUrl;
use shared::store::servers::{Relayed, chosen};

use crate::support::Api;
use crate::tokens::people;

/// Decisions 17, X-027: while MongoDB is gone everything is 503 in time, and within five seconds of its return all is as before.
#[actix_rt::test]
async fn documents_are_back_within_five_seconds_of_mongodbs_return() {
    let Some(cluster) = chosen() else { return };
    let relayed = Relayed::before(&cluster);
    let api = Api::start(people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.store = StoreUrl::Mongo(relayed.cluster.store.clone());
    })
    .await;
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
