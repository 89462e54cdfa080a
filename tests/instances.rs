//! Several instances work as one: any of them answers any request, and what one ends is ended at all.
#![allow(clippy::unwrap_used)]

#[path = "support/instances.rs"]
mod instances;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/round_robin.rs"]
mod round_robin;
#[path = "support/visitor.rs"]
mod visitor;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use shared::store::servers::{self, Cluster, Relay, Relayed};

use instances::{CALLBACK, Instances, Plan, local};
use visitor::Visitor;

/// Of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// How many requests are under way at once.
const CROWD: usize = 8;

fn cluster() -> Option<Cluster> {
    Some(Cluster { store: servers::mongodb()?, ephemeral: servers::redis()? })
}

async fn two_of_each(stores: Cluster) -> Instances {
    let api_settings = &mut |_: &[u16]| "revocation_feed = { redis = 'PUBLISHED' }".to_owned();
    Instances::start(Plan { stores: Some(stores), auth_servers: 2, apis: 2, api_settings }).await
}

fn text(tokens: &serde_json::Value, name: &str) -> String {
    tokens[name].as_str().unwrap().to_owned()
}

/// A-051, B-044, B-045, B-047, B-078, X-027: sign-in, session, code and PKCE know no instance, although each request meets another one.
#[actix_rt::test]
async fn a_sign_in_hops_between_instances() {
    let Some(stores) = cluster() else { return };
    let all = two_of_each(stores).await;
    let alice = Visitor::of(all.auth.url(), all.http.clone());
    let redeem = async |server: &str, code: &str, verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        all.post(server, "token", &form).await
    };
    let before = all.auth.served();
    let code = alice.authorize(CHALLENGE).await;
    let after = all.auth.served();
    assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{before:?} {after:?}");
    let [one, other] = [local(all.auth_ports[0]), local(all.auth_ports[1])];
    assert_eq!(redeem(&one, &code, &"a".repeat(43)).await.0, 400);
    let (status, tokens) = redeem(&other, &code, VERIFIER).await;
    assert_eq!(status, 200, "{tokens}");
    let refresh = text(&tokens, "refresh_token");
    let rotated = all.tokens(&one, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    let again = all.tokens(&other, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    // How long the pair still lives may be a second less by the second answer.
    for name in ["access_token", "refresh_token", "scope"] {
        assert_eq!(rotated[name], again[name], "B-078: the same pair, whoever is asked");
    }
    let access = text(&rotated, "access_token");
    for port in &all.api_ports {
        assert_eq!(all.list(&local(*port), &access).await, 200);
    }
    let next = alice.authorize(CHALLENGE).await;
    assert_eq!(*alice.asked.borrow(), 1, "the session is everybody's");
    assert_eq!(redeem(&one, &next, VERIFIER).await.0, 200);
    // The second use ends the family, whose tokens both resource servers may have remembered.
    assert_eq!(redeem(&one, &code, VERIFIER).await.0, 400);
    for port in &all.api_ports {
        all.outlived(*port, &access).await;
    }
}

/// RATE-01 to RATE-03: ten calls are ten calls, wherever they arrive.
#[actix_rt::test]
async fn calls_are_counted_over_instances() {
    for _ in 0..10 {
        let Some(stores) = cluster() else { return };
        let all = two_of_each(stores).await;
        let token = all.machine_token(&all.auth.url()).await;
        let before = all.api.served();
        let calls = (0..16).map(|_| async {
            let request = all.http.post(format!("{}/people", all.api.url())).bearer_auth(&token);
            let request = request.header("content-type", "application/json").body(r#"{"name":"x"}"#);
            request.send().await.unwrap().status().as_u16()
        });
        let statuses = join_all(calls).await;
        assert!(before.iter().zip(all.api.served()).all(|(before, after)| after > *before));
        // Where Redis has not answered in time, which a busy machine may bring about, an instance counts alone (decisions 19).
        if all.logs().contains("counts by itself") {
            continue;
        }
        let with = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        return assert_eq!((with(201), with(429)), (10, 6), "{statuses:?}");
    }
    panic!("Redis never answers in time on this machine");
}

/// Asks again and again, `CROWD` at once, and counts what is answered and what fails.
#[derive(Default)]
struct Crowd {
    done: AtomicUsize,
    failed: AtomicUsize,
}

impl Crowd {
    async fn ask<F: Future<Output = bool>>(&self, over: &AtomicBool, ask: impl Fn() -> F) {
        let one = || async {
            while !over.load(Ordering::Relaxed) {
                let fine = ask().await;
                self.failed.fetch_add(usize::from(!fine), Ordering::Relaxed);
                self.done.fetch_add(1, Ordering::Relaxed);
            }
        };
        join_all((0..CROWD).map(|_| one())).await;
    }

    fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    /// Waits until everybody has asked several times more.
    async fn goes_on(&self) {
        let (end, before) = (Instant::now() + Duration::from_secs(60), self.done.load(Ordering::Relaxed));
        while self.done.load(Ordering::Relaxed) < before + 4 * CROWD {
            assert!(Instant::now() < end, "nothing is answered any more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// X-024, X-027: one of each kind is killed; what was under way there may fail, and nothing after it.
#[actix_rt::test]
async fn a_killed_instance_takes_no_more_than_its_own_requests_along() {
    let Some(stores) = cluster() else { return };
    let mut all = two_of_each(stores).await;
    all.fed().await;
    let token = all.machine_token(&all.auth.url()).await;
    all.remember(&token).await;
    let (mut dying_api, mut dying_auth) = (all.apis.pop().unwrap(), all.auth_servers.pop().unwrap());
    let (over, lists, issues) = (AtomicBool::new(false), Crowd::default(), Crowd::default());
    let fine = |answer: reqwest::Result<reqwest::Response>| answer.is_ok_and(|answer| answer.status() == 200);
    let list = || async { fine(all.http.get(format!("{}/people", all.api.url())).bearer_auth(&token).send().await) };
    let issue = || async {
        let form = [("grant_type", "client_credentials"), ("scope", "people:read")];
        let request = all.http.post(format!("{}/oauth/token", all.auth.url())).form(&form);
        fine(request.basic_auth("shop", Some(instances::SECRET)).send().await)
    };
    let failed = || [lists.failed(), issues.failed()];
    let pause = async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        join(lists.goes_on(), issues.goes_on()).await;
    };
    let kill = async {
        pause().await;
        dying_api.0[0].kill().unwrap();
        pause().await;
        let counted = failed();
        dying_auth.0[0].kill().unwrap();
        pause().await;
        let settled = failed();
        pause().await;
        over.store(true, Ordering::Relaxed);
        (counted, settled)
    };
    let (_, (_, (first, second))) = join(lists.ask(&over, list), join(issues.ask(&over, issue), kill)).await;
    let last = failed();
    assert!(first[0] <= CROWD && first[1] == 0, "a resource-api was killed: {first:?}\n{}", all.logs());
    assert!(second[0] == first[0] && second[1] <= CROWD, "an auth-server was killed: {second:?}\n{}", all.logs());
    assert_eq!(last, second, "nothing fails afterwards");
}

/// X-028, decisions 7 and 19: Redis gone, what is remembered goes on, and what is revoked meanwhile is refused all the same.
#[actix_rt::test]
async fn without_redis_remembered_tokens_go_on_and_revoked_ones_do_not() {
    let Some(stores) = cluster() else { return };
    let relayed = Relayed::before(&stores);
    let stores = Cluster { store: stores.store.clone(), ephemeral: relayed.cluster.ephemeral.clone() };
    let all = two_of_each(stores).await;
    all.fed().await;
    // Both ways are heard.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let alice = Visitor::of(all.auth.url(), all.http.clone());
    let code = alice.authorize(CHALLENGE).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let revoked = all.tokens(&all.auth.url(), &form).await;
    let kept = all.machine_token(&all.auth.url()).await;
    all.remember(&kept).await;
    all.remember(&text(&revoked, "access_token")).await;
    relayed.redis.cut();
    tokio::time::sleep(Duration::from_secs(2)).await;
    for port in &all.api_ports {
        assert_eq!(all.list(&local(*port), &kept).await, 200, "{}", all.logs());
    }
    all.revoke(&all.auth.url(), &text(&revoked, "refresh_token")).await;
    for port in &all.api_ports {
        all.outlived(*port, &text(&revoked, "access_token")).await;
        assert_eq!(all.list(&local(*port), &kept).await, 200);
    }
    relayed.redis.restore();
}

/// Decisions 7: what breaks between an API and an auth-server, or falls silent, leaves nothing remembered.
#[actix_rt::test]
async fn a_token_revoked_while_the_feed_is_broken_is_refused_at_the_next_request() {
    let mut relay = None;
    let mut api_settings = |ports: &[u16]| {
        let relay = relay.insert(Relay::before(&format!("127.0.0.1:{}", ports[0])));
        format!("revocation_feed = {{ streams = ['http://{}/oauth/revocations'] }}", relay.address())
    };
    let all = Instances::start(Plan { stores: None, auth_servers: 1, apis: 1, api_settings: &mut api_settings }).await;
    let (relay, auth, api) = (relay.unwrap(), all.auth.url(), all.api.url());
    for broken in ["cut", "silent"] {
        all.fed().await;
        let (kept, revoked) = (all.machine_token(&auth).await, all.machine_token(&auth).await);
        all.remember(&kept).await;
        all.remember(&revoked).await;
        match broken {
            "cut" => relay.cut(),
            _ => relay.delay(Duration::from_secs(3)),
        }
        all.revoke(&auth, &revoked).await;
        // Long before what is remembered would be forgotten anyway.
        assert!(all.outlived(all.api_ports[0], &revoked).await < Duration::from_secs(20), "{broken}");
        let hits = async || all.metric(0, "evergate_introspection_cache_total{result=\"hit\"}").await;
        let before = hits().await;
        for _ in 0..3 {
            assert_eq!(all.list(&api, &kept).await, 200, "{broken}");
        }
        assert_eq!(hits().await, before, "{broken}: every request asks");
        relay.restore();
    }
    all.fed().await;
    let token = all.machine_token(&auth).await;
    all.remember(&token).await;
}

mod timed {
    use super::*;

    /// D-036, D-039, B-084: a hundred of a hundred, each remembered at both resource servers and revoked at one auth-server.
    #[actix_rt::test]
    async fn a_token_revoked_at_one_instance_is_refused_at_all_within_a_second() {
        let Some(stores) = cluster() else { return };
        let all = two_of_each(stores).await;
        all.fed().await;
        let one = async |number: usize| {
            let token = all.machine_token(&local(all.auth_ports[number % 2])).await;
            all.remember(&token).await;
            all.revoke(&local(all.auth_ports[number / 2 % 2]), &token).await;
            join(all.outlived(all.api_ports[0], &token), all.outlived(all.api_ports[1], &token)).await
        };
        let mut slowest = Duration::ZERO;
        for round in 0..20 {
            for (first, second) in join_all((0..5).map(|number| one(round * 5 + number))).await {
                slowest = slowest.max(first).max(second);
            }
        }
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        let mut hits = 0.0;
        for api in 0..2 {
            hits += all.metric(api, "evergate_introspection_cache_total{result=\"hit\"}").await;
            assert_eq!(all.metric(api, "evergate_revocation_feed_breaks_total").await, 0.0, "{}", all.logs());
        }
        assert!(hits >= 200.0, "only {hits} were remembered");
    }

    /// D-036, D-039, H-011: without Redis, over HTTP alone, from a request as from a command beside the server.
    #[actix_rt::test]
    async fn over_http_alone_a_revoked_token_is_refused_within_a_second() {
        let api_settings = &mut |_: &[u16]| String::new();
        let all = Instances::start(Plan { stores: None, auth_servers: 1, apis: 1, api_settings }).await;
        all.fed().await;
        for _ in 0..10 {
            let token = all.machine_token(&all.auth.url()).await;
            all.remember(&token).await;
            all.revoke(&all.auth.url(), &token).await;
            let outlived = all.outlived(all.api_ports[0], &token).await;
            assert!(outlived < Duration::from_secs(1), "{outlived:?}");
        }
        for arguments in [&["grant", "revoke", "--client", "shop"][..], &["client", "disable", "shop"][..]] {
            let token = all.machine_token(&all.auth.url()).await;
            all.remember(&token).await;
            let told = all.command(arguments);
            assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
            let outlived = all.outlived(all.api_ports[0], &token).await;
            assert!(outlived < Duration::from_secs(1), "{arguments:?}: {outlived:?}");
        }
    }
}
