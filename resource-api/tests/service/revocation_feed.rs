//! What is remembered of tokens ends as soon as the auth-server tells that they have (D-036, D-039, decisions 7).

use std::time::{Duration, Instant};

use resource_api::Config;
use serde_json::json;
use shared::revocation_feed::{CHANNEL, Handle, Look};
use shared::store::servers;
use shared::store::{Redis, StoreUrl};

use crate::support::{Api, Ask, Mood, Telling};
use crate::tokens::people;

fn family(name: &str) -> Handle {
    Handle::new("family", name.as_bytes())
}

/// A service that follows, with a live token for each of `names`.
async fn following(names: &[&str], set: impl FnOnce(&mut Config)) -> Api {
    let api = Api::start(people(), |config| {
        config.revocation_feed.follow = true;
        set(config);
    })
    .await;
    for name in names {
        api.auth.token(name, "people:read", json!({ "family": family(name) }));
    }
    api
}

async fn status(api: &Api, token: &str) -> u16 {
    api.request("GET", "/people").token(token).answer().await.status
}

/// Asks until the answer is remembered.
async fn remembered(api: &Api, token: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let asked = api.auth.asked();
        assert_eq!(status(api, token).await, 200);
        if api.auth.asked() == asked {
            return;
        }
        assert!(Instant::now() < end, "{token} is never remembered");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks until the token is refused.
async fn refused(api: &Api, token: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while status(api, token).await != 401 {
        assert!(Instant::now() < end, "{token} is never refused");
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
}

/// D-036, D-039: by family, by user and by client; nobody else is asked about again.
#[actix_rt::test]
async fn a_remembered_token_is_refused_as_soon_as_its_end_is_told() {
    let api = following(&["alice", "bob", "carol", "dave"], |_| ()).await;
    for token in ["alice", "bob", "carol", "dave"] {
        remembered(&api, token).await;
    }
    api.auth.token("dave", "people:read", json!({ "client_id": "other", "family": family("dave") }));
    for (token, handle) in [("alice", family("alice")), ("bob", Handle::of_user("u_bob"))] {
        api.auth.revoke(token);
        assert_eq!(status(&api, token).await, 200, "still remembered: nothing was told");
        api.auth.ends(handle);
        refused(&api, token).await;
    }
    let asked = api.auth.asked();
    for token in ["carol", "dave"] {
        assert_eq!(status(&api, token).await, 200);
    }
    assert_eq!(api.auth.asked(), asked);
    api.auth.revoke("carol");
    api.auth.ends(Handle::of_client("shop"));
    refused(&api, "carol").await;
    assert_eq!(status(&api, "dave").await, 200, "another client's, as the auth-server says now");
    assert_eq!(api.auth.followed(), 1);
}

/// Decisions 7: a feed that breaks or falls silent leaves nothing remembered, and when it is back all is asked anew.
#[actix_rt::test]
async fn a_lost_feed_leaves_nothing_remembered() {
    for telling in [Telling::HangUp, Telling::Not, Telling::WithAGap] {
        let api = following(&["alice", "bob"], |_| ()).await;
        remembered(&api, "alice").await;
        remembered(&api, "bob").await;
        api.auth.revoke("alice");
        api.auth.tell(telling);
        refused(&api, "alice").await;
        // However often: each request asks.
        for _ in 0..3 {
            let asked = api.auth.asked();
            assert_eq!(status(&api, "bob").await, 200);
            if telling != Telling::WithAGap {
                assert_eq!(api.auth.asked(), asked + 1, "{telling:?}");
            }
        }
        // It has nothing to do with whether this service can serve.
        assert_eq!(api.get("/readyz").await.status, 200);
        let asked = api.auth.asked();
        api.auth.tell(Telling::Steadily);
        remembered(&api, "bob").await;
        assert!(api.auth.asked() > asked, "what was remembered before the break is not believed");
    }
}

/// Decisions 7, D-037: until the feed is heard nothing is remembered, yet one question serves all who wait for its answer.
#[actix_rt::test]
async fn without_a_feed_every_request_asks() {
    let api = following(&["alice"], |config| {
        config.revocation_feed.streams = vec!["http://127.0.0.1:9/feed".to_owned()];
    })
    .await;
    for asked in 1..4 {
        assert_eq!((status(&api, "alice").await, api.auth.asked()), (200, asked));
    }
    api.auth.mood(Mood::Slow(Duration::from_secs(2)));
    for status in futures_util::future::join_all((0..20).map(|_| status(&api, "alice"))).await {
        assert_eq!(status, 200);
    }
    assert_eq!(api.auth.asked(), 4);
}

/// D-036: a token that is revoked while its answer is on the way is not remembered, nor let through once its end is told.
#[actix_rt::test]
async fn an_answer_that_was_overtaken_by_a_revocation_is_not_believed() {
    let api = following(&["alice", "bob"], |_| ()).await;
    remembered(&api, "bob").await;
    let asked = api.auth.asked();
    api.auth.mood(Mood::HoldOne);
    let overtake = async {
        while !api.auth.holds() {
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
        api.auth.revoke("alice");
        api.auth.revoke("bob");
        // Once the service has heard of the one it has heard of the other.
        api.auth.end_together([family("alice"), family("bob")]);
        refused(&api, "bob").await;
        api.auth.let_go();
    };
    let (status, ()) = futures_util::future::join(status(&api, "alice"), overtake).await;
    assert_eq!((status, api.auth.asked()), (401, asked + 3), "what is overtaken is asked for once more");
}

/// An answer that names no family could never be ended.
#[actix_rt::test]
async fn a_token_without_a_family_is_not_remembered() {
    let api = following(&["alice"], |_| ()).await;
    remembered(&api, "alice").await;
    api.auth.token("nameless", "people:read", json!({}));
    let asked = api.auth.asked();
    for more in 1..4 {
        assert_eq!((status(&api, "nameless").await, api.auth.asked()), (200, asked + more));
    }
}

/// An auth-server that publishes in Redis.
struct Publisher {
    redis: Redis,
    from: &'static str,
    number: u64,
}

impl Publisher {
    async fn look(&mut self, ended: &[Handle]) {
        self.number += 1;
        let look = Look { from: self.from.to_owned(), number: self.number, ended: ended.to_vec() };
        self.redis.publish(CHANNEL, &serde_json::to_vec(&look).unwrap()).await.unwrap();
    }

    /// Looks at a steady pace until what is awaited is there.
    async fn steadily<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        let mut awaited = std::pin::pin!(awaited);
        loop {
            tokio::select! {
                done = &mut awaited => return done,
                () = tokio::time::sleep(Duration::from_millis(100)) => self.look(&[]).await,
            }
        }
    }
}

/// D-039, decisions 7 and 19: what is published in Redis is heard without any stream; a look that is missed empties the memory.
#[actix_rt::test]
async fn what_is_published_in_redis_ends_what_is_remembered() {
    let Some(url) = servers::redis() else { return };
    let redis = Redis::new(&url, "unused").unwrap();
    let mut publisher = Publisher { redis, from: "one", number: 40 };
    let api = following(&["alice", "bob"], |config| {
        config.revocation_feed.streams = vec!["http://127.0.0.1:9/feed".to_owned()];
        config.revocation_feed.redis = Some(StoreUrl::Redis(url));
    })
    .await;
    publisher.steadily(async { (remembered(&api, "alice").await, remembered(&api, "bob").await) }).await;
    api.auth.revoke("alice");
    assert_eq!(publisher.steadily(status(&api, "alice")).await, 200);
    publisher.look(&[family("alice")]).await;
    publisher.steadily(refused(&api, "alice")).await;
    api.auth.revoke("bob");
    assert_eq!(publisher.steadily(status(&api, "bob")).await, 200);
    publisher.number += 1;
    publisher.steadily(refused(&api, "bob")).await;
}
