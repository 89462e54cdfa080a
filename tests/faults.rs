//! The whole system while a store is away.
#![allow(clippy::unwrap_used)]

#[path = "support/prepared.rs"]
mod prepared;
#[path = "support/processes.rs"]
mod processes;

use std::time::{Duration, Instant};

use shared::store::servers::RedisServer;

use prepared::Prepared;

/// Decisions 19, X-028: while the auth-server's Redis is gone the API goes on for whoever was there a moment ago, tells all others to come
/// again within a second, and lets them through within two of its return.
#[actix_rt::test]
async fn reads_on_cached_introspection_go_on_while_redis_is_gone() {
    let Some(mut redis) = RedisServer::start() else { return };
    let mut stack = Prepared::new();
    stack.serve("auth", &[("AUTH_SERVER__EPHEMERAL", redis.url().expose())]);
    stack.serve("api", &[]);
    let (stack, http) = (&stack, &stack.http());
    let end = Instant::now() + Duration::from_secs(60);
    for part in ["auth", "api"] {
        while http.get(format!("{}/readyz", stack.address(part))).send().await.is_err() {
            assert!(Instant::now() < end, "{part} does not start");
            actix_rt::time::sleep(Duration::from_millis(50)).await;
        }
    }

    let read = async |token: &str| {
        let cities = http.get(format!("{}/cities?max_results=1", stack.address("api"))).bearer_auth(token);
        cities.send().await.unwrap()
    };
    let (known, unknown) = (stack.token(http).await, stack.token(http).await);
    // The API's own ways to the auth-server have to be there already.
    assert_eq!(read(&known).await.status(), 200);
    actix_rt::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(read(&known).await.status(), 200);
    redis.kill();
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(2) {
        assert_eq!(read(&known).await.status(), 200, "after {:?}", gone.elapsed());
        let asked = Instant::now();
        let refused = read(&unknown).await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"] == "1"), (503, true));
        assert!(asked.elapsed() < Duration::from_millis(1200), "{:?}", asked.elapsed());
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    redis.start_again();
    let back = Instant::now();
    while read(&unknown).await.status() != 200 {
        assert!(back.elapsed() < Duration::from_secs(2), "not back yet");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}
