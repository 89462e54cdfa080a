//! The questions to the auth-server: who asks, how often, and what its failures mean.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::store::servers::{Life, free_port, in_time};

use crate::support::{Answer, Api, Ask, Mood};
use crate::tokens::people;

async fn api() -> Api {
    // As long as may be, for tests of what is remembered.
    let api = Api::start(people(), |config| config.introspect_cache_positive = Some(30.0)).await;
    api.auth.token("alice", "people:read", json!({}));
    api
}

async fn list(api: &Api, token: &str) -> Answer {
    api.request("GET", "/people").token(token).answer().await
}

/// D-030: own credentials, form-encoded into Basic; the endpoint comes from the metadata, once.
#[actix_rt::test]
async fn the_service_asks_with_its_own_credentials_where_the_metadata_say() {
    let api = api().await;
    list(&api, "alice").await.is(200);
    list(&api, "bob").await.is(401);
    let questions = api.auth.questions();
    // "api:s+cret"
    assert_eq!(questions[0].0, "Basic YXBpOnMrY3JldA==");
    assert_eq!(questions[0].1, "token=alice&token_type_hint=access_token");
    assert_eq!((api.auth.asked(), api.auth.discovered()), (2, 1));
}

/// D-034, D-035: both kinds of answers are remembered.
#[actix_rt::test]
async fn answers_are_remembered() {
    let api = api().await;
    for _ in 0..5 {
        list(&api, "alice").await.is(200);
        list(&api, "bob").await.is(401);
    }
    assert_eq!(api.auth.asked(), 2);
}

/// D-034, D-036: a positive answer lives as long as configured; with 0 the next request asks again.
#[actix_rt::test]
async fn a_revoked_token_is_refused_when_the_answer_is_old() {
    let api = Api::start(people(), |config| config.introspect_cache_positive = Some(0.0)).await;
    api.auth.token("alice", "people:read", json!({}));
    list(&api, "alice").await.is(200);
    api.auth.revoke("alice");
    list(&api, "alice").await.refused(401);

    let api = Api::start(people(), |config| config.introspect_cache_positive = Some(1.0)).await;
    api.auth.token("alice", "people:read", json!({}));
    list(&api, "alice").await.is(200);
    api.auth.revoke("alice");
    let start = Instant::now();
    while list(&api, "alice").await.status == 200 {
        assert!(start.elapsed() < Duration::from_secs(20), "a revoked token lives on");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}

/// D-034: a token's own end counts at every use, remembered or not.
#[actix_rt::test]
async fn a_remembered_token_ends_with_its_own_life() {
    let api = api().await;
    // Tokens end at a whole second.
    let second = Duration::from_secs(1);
    in_time(2 * second, async |length| {
        let (name, life) = (format!("brief{}", length.as_secs()), Life::of(length - second));
        let end = shared::clock::now() + length.as_secs() as i64;
        api.auth.token(&name, "people:read", json!({ "exp": end }));
        let answer = list(&api, &name).await;
        if !life.lasts() {
            return None;
        }
        answer.is(200);
        while list(&api, &name).await.status == 200 {
            assert!(shared::clock::now() <= end, "an expired token lives on");
            actix_rt::time::sleep(Duration::from_millis(50)).await;
        }
        Some(())
    })
    .await;
}

/// D-035: a refusal is remembered for its time only.
#[actix_rt::test]
async fn a_fresh_token_is_not_refused_for_long() {
    let tenth = Duration::from_millis(100);
    in_time(3 * tenth, async |length| {
        let api = Api::start(people(), |config| config.introspect_cache_negative = length.as_secs_f64()).await;
        let life = Life::of(length);
        list(&api, "late").await.is(401);
        api.auth.token("late", "people:read", json!({}));
        let again = list(&api, "late").await;
        if !life.lasts() {
            return None;
        }
        again.is(401);
        life.ends(tenth).await;
        list(&api, "late").await.is(200);
        Some(())
    })
    .await;
}

/// D-037: one flight for all who wait for one token.
#[actix_rt::test]
async fn concurrent_requests_with_one_unknown_token_ask_once() {
    let api = api().await;
    api.auth.mood(Mood::Slow(Duration::from_millis(300)));
    let requests = (0..40).map(|_| list(&api, "alice"));
    for answer in futures_util::future::join_all(requests).await {
        answer.is(200);
    }
    assert_eq!(api.auth.asked(), 1);
}

/// D-031, D-032, D-038: nobody is let through, nobody is told to drop a good token, and nothing of it is remembered.
#[actix_rt::test]
async fn a_failing_auth_server_means_503_and_is_asked_again() {
    let api = api().await;
    for mood in [500, 503, 429, 404, 401, 403].map(Mood::Status).into_iter().chain([Mood::Garbage, Mood::HangUp]) {
        api.auth.mood(mood.clone());
        let answer = list(&api, "alice").await;
        assert_eq!(answer.header("retry-after"), "1", "{mood:?}");
        assert!(!answer.has("www-authenticate"));
        let message = answer.refused(503);
        assert!(!message.contains("127.0.0.1") && !message.contains("introspect"), "{message}");
    }
    api.auth.mood(Mood::Fine);
    list(&api, "alice").await.is(200);
}

/// D-030, D-031: time is up, or nobody is there.
#[actix_rt::test]
async fn a_silent_or_absent_auth_server_means_503() {
    let api = Api::start(people(), |config| config.http.timeout = 1.0).await;
    api.auth.token("alice", "people:read", json!({})).mood(Mood::Slow(Duration::from_secs(30)));
    let start = Instant::now();
    list(&api, "alice").await.refused(503);
    assert!(start.elapsed() < Duration::from_secs(20));
    // D-030: only a connection that never came to be is tried again.
    assert_eq!(api.auth.asked(), 1);

    // A port nobody listens on.
    let free = free_port();
    let api = Api::start(people(), |config| config.issuer = Some(format!("http://127.0.0.1:{free}"))).await;
    list(&api, "alice").await.refused(503);
}

/// D-034: a remembered token needs no auth-server.
#[actix_rt::test]
async fn remembered_tokens_work_while_the_auth_server_is_down() {
    let api = api().await;
    list(&api, "alice").await.is(200);
    api.auth.mood(Mood::HangUp);
    list(&api, "alice").await.is(200);
}

/// D-033 through the whole service.
#[actix_rt::test]
async fn active_must_be_true_itself() {
    let api = api().await;
    api.auth.token("text", "people:read", json!({ "active": "true" }));
    list(&api, "text").await.refused(401);
}

/// RFC 8414 3.3: metadata that name another issuer are not believed.
#[actix_rt::test]
async fn metadata_of_another_issuer_are_refused() {
    let api = api().await;
    let other = api.auth.url.clone();
    let liar = other.replace("127.0.0.1", "localhost");
    let api = Api::start(people(), |config| config.issuer = Some(liar)).await;
    list(&api, "alice").await.refused(503);
}
