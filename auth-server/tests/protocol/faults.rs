//! Stores that go away, are slow or forget, and come back.

use std::time::{Duration, Instant};

use shared::store::servers::{Load, RedisServer, Relay, Slowed, chosen, resident};

use crate::support::{Answer, Browser, Client, Code, PASSWORD, Person, Server, Stored, Tokens, basic, hidden};

const CLIENT_CREDENTIALS: &[(&str, &str)] = &[("grant_type", "client_credentials")];
/// More than the service may grow by under any fault, in MiB.
const GROWN: u64 = 100;

fn on(redis: &str, more: &str) -> String {
    format!("ephemeral = 'redis://{redis}'\n{more}")
}

/// Asks, and expects 503 with Retry-After in time.
async fn unavailable(within: Duration, answer: impl Future<Output = Answer>) {
    let asked = Instant::now();
    let answer = answer.await;
    let took = asked.elapsed();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{:?}", answer.headers);
    assert!(took < within, "{took:?}");
}

/// The status of an answer; one that can't be given now says when to ask again.
fn status(answer: Answer) -> u16 {
    assert!(answer.status != 503 || !answer.header("retry-after").is_empty(), "{}", answer.body);
    answer.status
}

/// Waits until `is_back` is true, which it must be in time.
async fn back_within(limit: Duration, is_back: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_back().await {
        assert!(began.elapsed() < limit, "not back after {limit:?}");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < limit, "back only after {:?}", began.elapsed());
}

/// What there is before something goes wrong.
struct Before {
    shop: Client,
    robot: Client,
    api: Client,
    alice: Person,
    /// In which alice is signed in, and an admin.
    browser: Browser,
    console: Browser,
    tokens: Tokens,
    code: Code,
}

impl Before {
    async fn at(server: &Server) -> Self {
        let (shop, robot, api) = (server.shop().await, server.robot().await, server.api().await);
        let (alice, root) = (server.user("alice").await, server.user_with("root", PASSWORD, &["admin"]).await);
        let (browser, console) = (alice.browser(), root.browser());
        assert_eq!(browser.sign_in(&alice).await.status, 303);
        assert_eq!(console.sign_in(&root).await.status, 303);
        let (tokens, code) = (alice.tokens(&shop).await, alice.authorize(&shop).await);
        assert!(api.finds_active(&tokens.access).await);
        Self { shop, robot, api, alice, browser, console, tokens, code }
    }

    /// What was not done because of the fault can be done now, and what was there still is.
    async fn is_all_there(&self) {
        assert!(self.api.finds_active(&self.tokens.access).await);
        let refreshed = self.shop.refresh(&self.tokens.refresh).await.tokens();
        assert!(self.api.finds_active(&refreshed.access).await);
        assert!(self.api.finds_active(&self.shop.redeem(&self.code).await.tokens().access).await);
        for (browser, path) in [(&self.browser, "/oauth/account"), (&self.console, "/oauth/management")] {
            assert_eq!(browser.get(path).await.status, 200);
        }
    }
}

/// decisions 19: while Redis is gone, tokens are refused within a second and with no harm to what was shown for
/// them; people, their sessions and the console go on; what was revoked stays so; and within two seconds of its return all is as before.
#[actix_rt::test]
async fn half_a_minute_without_redis_costs_tokens_and_nothing_else() {
    let Some(mut redis) = RedisServer::start() else { return };
    // Half a minute once is enough; with MongoDB it is the same a little shorter.
    let outage = Duration::from_secs(if chosen().is_none() { 30 } else { 5 });
    let server = Server::with(&on(&redis.address(), "lifetimes = { code = 300 }")).await;
    let before = Before::at(&server).await;
    let Before { shop, robot, api, browser, console, tokens, code, .. } = &before;
    let (revoked, given_back) = (before.alice.tokens(shop).await, before.alice.tokens(shop).await);
    assert_eq!(shop.revoke(&revoked.access).await.status, 200);
    let bob = server.user("bob").await;
    let memory = resident();

    redis.kill();
    let second = Duration::from_secs(1);
    unavailable(second, robot.token(CLIENT_CREDENTIALS)).await;
    assert_eq!(shop.revoke(&given_back.refresh).await.status, 200, "grants are no business of Redis");
    let gone = Instant::now();
    let (mut rounds, mut people) = (0, 0);
    while gone.elapsed() < outage {
        unavailable(second, robot.token(CLIENT_CREDENTIALS)).await;
        unavailable(second, shop.refresh(&tokens.refresh)).await;
        unavailable(second, shop.redeem(code)).await;
        unavailable(second, api.post("/introspect", &[("token", &tokens.access)])).await;
        assert_eq!(server.get("/readyz").await.status, 200);
        assert_eq!(browser.get("/oauth/account").await.status, 200);
        assert_eq!(console.get("/oauth/management/users").await.status, 200);
        if rounds % 10 == 0 {
            // Somebody new signs in, and the console makes changes.
            people += 1;
            assert_eq!(bob.browser().sign_in(&bob).await.status, 303);
            let csrf = hidden(&console.get("/oauth/management/users/new").await.body, "csrf");
            let name = format!("person{people}");
            let form = [("csrf", csrf.as_str()), ("username", &name), ("password", ""), ("roles", "")];
            assert_eq!(console.post("/oauth/management/users", &form).await.status, 201);
            assert!(server.app.users.find_by_username(&name).await.unwrap().is_some());
        }
        // Many at once don't pile up.
        let load =
            Load::of(64, Duration::from_millis(300), async |_| status(robot.token(CLIENT_CREDENTIALS).await)).await;
        assert_eq!(load.unavailable(), load.answers());
        assert!(load.longest() < second, "{:?}", load.longest());
        rounds += 1;
        actix_rt::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(resident() < memory + GROWN, "{memory} MiB grew to {}", resident());

    redis.start_again();
    back_within(2 * second, async || robot.token(CLIENT_CREDENTIALS).await.status == 200).await;
    before.is_all_there().await;
    for dead in [&revoked.access, &given_back.access] {
        assert!(!api.finds_active(dead).await);
    }
    assert_eq!(shop.refresh(&given_back.refresh).await.status, 400);
    let ask = async |_| status(robot.token(CLIENT_CREDENTIALS).await);
    assert!(Load::of(64, Duration::from_millis(300), ask).await.is_good());
}

/// X-028, F-043, F-045: a Redis that forgets everything brings no revoked token back, signs nobody out and opens no account; clients
/// refresh, and that is all.
#[actix_rt::test]
async fn a_redis_that_forgets_costs_a_refresh_and_opens_nothing() {
    let Some(redis) = RedisServer::start() else { return };
    let server = Server::with(&on(&redis.address(), "throttle = { close_account = 3 }")).await;
    let before = Before::at(&server).await;
    let Before { shop, api, browser, alice, tokens, .. } = &before;
    let revoked = alice.tokens(shop).await;
    assert_eq!(shop.revoke(&revoked.access).await.status, 200);
    let mallory = server.user("mallory").await;
    for _ in 0..3 {
        assert_eq!(mallory.browser().attempt("mallory", "wrong").await.status, 401);
    }
    assert_eq!(mallory.browser().sign_in(&mallory).await.status, 429);
    redis.forget_everything();
    let closed = mallory.browser().sign_in(&mallory).await;
    let left: u64 = closed.header("retry-after").parse().unwrap();
    assert!(closed.status == 429 && (841..=900).contains(&left), "{} {left}", closed.status);
    assert!(!api.finds_active(&tokens.access).await);
    for _ in 0..2 {
        assert!(!api.finds_active(&revoked.access).await);
    }
    let refreshed = shop.refresh(&tokens.refresh).await.tokens();
    assert!(api.finds_active(&refreshed.access).await);
    assert_eq!(browser.get("/oauth/account").await.status, 200);
    assert_eq!(alice.browser().sign_in(alice).await.status, 303);
}

/// F-045, B-036, decisions 19: while Redis is gone guessing is slowed all the same, by each process for itself; and again by all
/// together when it is back.
#[actix_rt::test]
async fn guessing_is_slowed_while_redis_is_gone() {
    let Some(mut redis) = RedisServer::start() else { return };
    let server = Server::with(&on(&redis.address(), "throttle = { network = 4 }")).await;
    let (alice, robot) = (server.user("alice").await, server.robot().await);
    let attempt = async |password: &str| alice.browser().attempt("alice", password).await.status;
    let guess = async || {
        let request = server.http.post(server.endpoint("/token")).header("authorization", basic(&robot.id, "wrong"));
        Answer::of(request.form(CLIENT_CREDENTIALS)).await.status
    };
    assert_eq!(attempt("wrong").await, 401);
    redis.kill();
    for _ in 0..4 {
        assert_eq!(attempt("wrong").await, 401);
    }
    assert_eq!(attempt(PASSWORD).await, 429);
    for _ in 0..10 {
        assert_eq!(guess().await, 401);
    }
    assert_eq!(guess().await, 429);
    redis.start_again();
    back_within(Duration::from_secs(2), async || attempt("wrong").await == 401).await;
    for _ in 0..2 {
        assert_eq!(attempt("wrong").await, 401, "one was counted before, and is remembered");
    }
    assert_eq!(attempt(PASSWORD).await, 429);
}

/// while MongoDB is gone everything is 503 in time, and within five seconds of its return all is as before.
#[actix_rt::test]
async fn everything_is_back_within_five_seconds_of_mongodbs_return() {
    let server = Server::with("lifetimes = { code = 300 }").await;
    let Stored::Cluster { relayed, .. } = &server.stored else { return };
    let before = Before::at(&server).await;
    relayed.mongodb.cut();
    // A call takes five seconds at most, and finds within two that there is nobody to ask.
    let limit = Duration::from_secs(6);
    for _ in 0..2 {
        is_all_unavailable(&server, &before, limit).await;
    }
    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.get("/healthz").await.status, 200);
    relayed.mongodb.restore();
    back_within(Duration::from_secs(5), async || before.robot.token(CLIENT_CREDENTIALS).await.status == 200).await;
    assert_eq!(server.get("/readyz").await.status, 200);
    before.is_all_there().await;
    assert_eq!(before.alice.browser().sign_in(&before.alice).await.status, 303);
}

/// Sign-in, tokens, introspection, account and console.
async fn is_all_unavailable(server: &Server, before: &Before, limit: Duration) {
    let Before { shop, robot, api, alice, browser, console, tokens, code, .. } = before;
    let form = [("csrf", "x"), ("username", "alice"), ("password", PASSWORD)];
    let token = [("token", tokens.access.as_str())];
    futures_util::join!(
        unavailable(limit, robot.token(CLIENT_CREDENTIALS)),
        unavailable(limit, shop.refresh(&tokens.refresh)),
        unavailable(limit, shop.redeem(code)),
        unavailable(limit, api.post("/introspect", &token)),
        unavailable(limit, shop.revoke(&tokens.refresh)),
        unavailable(limit, browser.get("/oauth/account")),
        unavailable(limit, browser.post("/oauth/login", &form)),
        unavailable(limit, console.get("/oauth/management/users")),
        unavailable(limit, server.get("/oauth/login")),
        async {
            let fresh = alice.browser();
            unavailable(limit, fresh.get("/oauth/login")).await;
        },
    );
}

/// Decisions 19: a Redis that takes two seconds to answer is as good as gone: what needs it is refused within a second and then at once,
/// nothing piles up, and within two seconds of its recovery everything is as fast as before.
#[actix_rt::test]
async fn a_slow_redis_is_not_waited_for() {
    let Some(redis) = RedisServer::start() else { return };
    let relay = Relay::before(&redis.address());
    let server = Server::with(&on(&relay.address().to_string(), "lifetimes = { code = 300 }")).await;
    let before = Before::at(&server).await;
    let Before { robot, api, browser, tokens, .. } = &before;
    let ask = async |caller: usize| match caller % 2 {
        0 => status(robot.token(CLIENT_CREDENTIALS).await),
        _ => status(api.post("/introspect", &[("token", &tokens.access)]).await),
    };
    let slowed = Slowed::by(Duration::from_secs(2), &relay, &ask).await;
    // A call is limited to 850 ms.
    let slow = slowed.bears(Duration::from_secs(4), Duration::from_millis(1500), &ask).await;
    // What was under way may still have been answered.
    assert!(slow.good() <= 64, "{}", slow.good());
    assert!(slow.answers() > 500, "only {} were answered: one waits behind the other", slow.answers());
    assert_eq!(browser.get("/oauth/account").await.status, 200);
    slowed.ends(&ask).await;
    before.is_all_there().await;
}

/// a MongoDB that takes two seconds to answer each call is waited for, but by no request for long: it has ten seconds in
/// all, however many calls it makes, and memory and waiting calls are bounded; within two seconds of its recovery everything is as fast as before.
#[actix_rt::test]
async fn a_slow_mongodb_is_waited_for_within_limits() {
    let server = Server::with("lifetimes = { code = 300 }").await;
    let Stored::Cluster { relayed, .. } = &server.stored else { return };
    let before = Before::at(&server).await;
    let Before { robot, api, browser, tokens, .. } = &before;
    let ask = async |caller: usize| match caller % 3 {
        0 => status(robot.token(CLIENT_CREDENTIALS).await),
        1 => status(api.post("/introspect", &[("token", &tokens.access)]).await),
        _ => status(browser.get("/oauth/account").await),
    };
    let slowed = Slowed::by(Duration::from_secs(2), &relayed.mongodb, &ask).await;
    slowed.bears(Duration::from_secs(6), Duration::from_secs(11), &ask).await;
    slowed.ends(&ask).await;
    before.is_all_there().await;
}
