//! How often one may call (RATE-01 to RATE-04).

use std::time::{Duration, Instant};

use resource_api::config::AuthMode;
use serde_json::{Value, json};
use shared::store::{StoreUrl, servers};

use crate::support::{Answer, Api, Ask, with};
use crate::tokens::people;

fn limited(limits: Value) -> Value {
    with(people(), limits)
}

fn left(answer: &Answer) -> (String, String) {
    (answer.header("x-ratelimit-remaining").to_owned(), answer.header("x-ratelimit-limit").to_owned())
}

/// RATE-01, RATE-03: all limited methods share one count, told by headers until there is nothing left.
#[actix_rt::test]
async fn one_call_too_many_is_refused() {
    let api = Api::open(limited(json!({ "RATE_LIMIT_GET": [3, 60], "RATE_LIMIT_POST": [1, 60] }))).await;
    let first = api.get("/people").await.is(200);
    assert_eq!(left(&first), ("2".to_owned(), "3".to_owned()));
    let reset: i64 = first.header("x-ratelimit-reset").parse().unwrap();
    let now = shared::clock::now();
    assert!((now + 50..=now + 60).contains(&reset), "{reset} {now}");
    let post = api.post("/people", json!({ "name": "x" })).await.is(429);
    assert!(!post.has("x-ratelimit-limit"));
    assert!((1..=60).contains(&post.header("retry-after").parse::<i64>().unwrap()));
    assert_eq!(post.refused(429), "Rate limit exceeded");
    // RATE-04: home counts, and so does what is not found but routed.
    assert_eq!(left(&api.get("/").await.is(200)).0, "0");
    api.get("/people/5f0000000000000000000abc").await.refused(429);
}

/// RATE-04: what is never counted.
#[actix_rt::test]
async fn some_calls_are_not_counted() {
    let mut domain = limited(json!({ "RATE_LIMIT_GET": [1, 60], "RATE_LIMIT_DELETE": [1, 60] }));
    domain["SCHEMA_ENDPOINT"] = json!("schema");
    let api = Api::open(domain).await;
    for _ in 0..3 {
        api.request("OPTIONS", "/people").answer().await.is(200);
        api.request("HEAD", "/people").answer().await.is(200);
        api.request("DELETE", "/people").answer().await.is(204);
        api.get("/schema").await.is(200);
        api.get("/nowhere").await.refused(404);
        api.request("PATCH", "/people").answer().await.refused(405);
    }
    assert_eq!(left(&api.get("/people").await.is(200)).0, "0");

    let heads = Api::open(limited(json!({ "RATE_LIMIT_HEAD": [1, 60] }))).await;
    heads.request("HEAD", "/people").answer().await.is(200);
    heads.request("HEAD", "/people").answer().await.is(429);
    assert!(!heads.get("/people").await.is(200).has("x-ratelimit-limit"));
}

/// RATE-01 (F), REQ-02: a token's subject has a count of its own; who has no good token is counted by address, and told
/// so before he is told to sign in.
#[actix_rt::test]
async fn every_caller_has_a_count_of_his_own() {
    let api = Api::start(limited(json!({ "RATE_LIMIT_GET": [2, 60] })), |_| ()).await;
    api.auth.token("ada", "people:read", json!({})).token("bob", "people:read", json!({}));
    api.auth.token("ada2", "people:read", json!({ "sub": "u_ada" }));
    let get = async |token: &str| api.request("GET", "/people").token(token).answer().await;
    assert_eq!(left(&get("ada").await.is(200)).0, "1");
    assert_eq!(left(&get("ada2").await.is(200)).0, "0");
    get("ada").await.refused(429);
    assert_eq!(left(&get("bob").await.is(200)).0, "1");
    get("unknown").await.refused(401);
    api.get("/people").await.refused(401);
    get("unknown").await.refused(429);
    api.get("/people").await.refused(429);
    get("bob").await.is(200);
}

/// RATE-02 (F): from the first call on, however many come later.
#[actix_rt::test]
async fn a_count_starts_anew_when_its_time_is_up() {
    let api = Api::open(limited(json!({ "RATE_LIMIT_GET": [1, 1] }))).await;
    let begun = Instant::now();
    api.get("/people").await.is(200);
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        match api.get("/people").await.status {
            429 => assert!(begun.elapsed() < Duration::from_secs(20), "refused calls must not prolong it"),
            status => break assert_eq!(status, 200),
        }
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// RATE-01 to RATE-03 over instances: one count for all of them, in Redis as in MongoDB.
#[actix_rt::test]
async fn instances_count_together() {
    async fn together(url: StoreUrl) -> Option<()> {
        let start = async || {
            Api::start(limited(json!({ "RATE_LIMIT_GET": [5, 60] })), |config| {
                config.auth.mode = AuthMode::None;
                config.ephemeral = Some(url.clone());
            })
            .await
        };
        let apis = [start().await, start().await];
        for call in 0..5_usize {
            let answer = in_patience(&apis[call % 2]).await?.is(200);
            assert_eq!(left(&answer).0, (4 - call).to_string());
            let reset: i64 = answer.header("x-ratelimit-reset").parse().unwrap();
            let now = shared::clock::now();
            assert!((now + 50..=now + 60).contains(&reset), "{reset} {now}");
        }
        for api in &apis {
            let refused = in_patience(api).await?;
            assert!((1..=60).contains(&refused.header("retry-after").parse::<i64>().unwrap()));
            refused.refused(429);
        }
        Some(())
    }
    let stores = [|| servers::redis().map(StoreUrl::Redis), || servers::mongodb().map(StoreUrl::Mongo)];
    for store in stores {
        let Some(mut url) = store() else { continue };
        for left in (0..10).rev() {
            if together(url).await.is_some() {
                break;
            }
            assert!(left > 0, "the store never answers in time on this machine");
            url = store().unwrap();
        }
    }
}

/// `None`: it took so long that the store may not have answered in time, and then an instance counts alone (decisions 19).
async fn in_patience(api: &Api) -> Option<Answer> {
    let asked = Instant::now();
    let answer = api.get("/people").await;
    (asked.elapsed() < Duration::from_millis(300)).then_some(answer)
}

/// Decisions 19: while Redis is gone or slow each instance counts alone, and together again when it is back.
#[actix_rt::test]
async fn an_instance_counts_alone_while_redis_is_gone() {
    for left in (0..10).rev() {
        let (Some(store), Some(ephemeral)) = (servers::mongodb(), servers::redis()) else { return };
        let relayed = servers::Relayed::before(&servers::Cluster { store, ephemeral });
        if counted_alone_for_a_while(&relayed).await.is_some() {
            return;
        }
        assert!(left > 0, "Redis never answers in time on this machine");
    }
}

async fn counted_alone_for_a_while(relayed: &servers::Relayed) -> Option<()> {
    let start = async || {
        Api::start(limited(json!({ "RATE_LIMIT_GET": [50, 600] })), |config| {
            config.auth.mode = AuthMode::None;
            config.ephemeral = Some(StoreUrl::Redis(relayed.cluster.ephemeral.clone()));
        })
        .await
    };
    let apis = [start().await, start().await];
    let remaining = async |api: &Api| left(&api.get("/people").await.is(200)).0;
    for (api, expected) in apis.iter().zip(["49", "48"]) {
        assert_eq!(left(&in_patience(api).await?.is(200)).0, expected);
    }
    relayed.redis.cut();
    for expected in ["49", "48", "47"] {
        let start = Instant::now();
        assert_eq!(remaining(&apis[0]).await, expected);
        assert!(start.elapsed() < Duration::from_millis(1800), "{:?}", start.elapsed());
    }
    assert_eq!(remaining(&apis[1]).await, "49");
    relayed.redis.restore();
    let end = Instant::now() + Duration::from_secs(14);
    while remaining(&apis[0]).await != "47" {
        assert!(Instant::now() < end, "the shared count is not used again");
        actix_rt::time::sleep(Duration::from_millis(300)).await;
    }
    relayed.redis.delay(Duration::from_secs(2));
    for _ in 0..3 {
        let start = Instant::now();
        apis[1].get("/people").await.is(200);
        assert!(start.elapsed() < Duration::from_millis(1800), "{:?}", start.elapsed());
    }
    Some(())
}
