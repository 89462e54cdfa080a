//! Guessing passwords is slowed, and nobody is locked out by strangers (F-040 to F-046).

use std::ops::RangeInclusive;

use auth_server::accounts;
use auth_server::audit::{Event, EventFilter, EventKind};
use auth_server::directory::EventPage;
use serde_json::json;
use shared::Secret;

use crate::login::{change_password, without_chance};
use crate::support::{Answer, Browser, Client, PASSWORD, Server, by};
use crate::{is_error_page, is_page, open};

/// A network may fail five times, and then waits until the window of fifteen minutes is over.
const FIVE: &str = "password_grant = true\nthrottle = { network = 5 }";

/// Seconds that are left of fifteen minutes, which have begun not a minute ago.
const JUST_CLOSED: RangeInclusive<u64> = 841..=900;

async fn script(server: &Server) -> Client {
    let metadata = json!({"token_endpoint_auth_method": "none", "redirect_uris": [], "grant_types": ["password"]});
    server.client(metadata).await
}

fn browser(server: &Server) -> Browser {
    Browser::new(&server.url, server.http.clone())
}

async fn events(server: &Server, kind: EventKind) -> Vec<Event> {
    let filter = EventFilter { kind: Some(kind), ..EventFilter::default() };
    let all = server.app.audit.list(&filter, &EventPage::newest(1000)).await.unwrap();
    all.into_iter().map(|recorded| recorded.event).collect()
}

#[track_caller]
fn waits(answer: &Answer) -> u64 {
    is_page(answer, 429);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    let minutes = seconds.div_ceil(60);
    let told = format!("Too many attempts, try again in {minutes} minute");
    assert!(answer.body.contains(&told) && answer.body.contains("role=\"alert\""), "{told}: {}", answer.body);
    seconds
}

/// F-040, F-041, F-046, G-006, B-067: login page and password grant count together; then the right password gets the answer
/// of a wrong one, known and unknown names the same.
#[actix_rt::test]
async fn after_too_many_failures_nothing_is_tried() {
    let server = Server::with(FIVE).await;
    let (script, alice) = (script(&server).await, server.user("alice").await);
    for _ in 0..3 {
        assert_eq!(browser(&server).attempt("alice", "wrong").await.status, 401);
    }
    for _ in 0..2 {
        script.password("alice", "wrong").await.refused("invalid_grant");
    }
    let mut pages = Vec::new();
    for (name, password) in [("alice", PASSWORD), ("alice", "wrong"), ("nobody", "wrong"), ("alice", "")] {
        let browser = browser(&server);
        let answer = browser.attempt(name, password).await;
        assert!((1..=900).contains(&waits(&answer)));
        assert!(answer.body.contains(&format!("value=\"{name}\"")) && !answer.body.contains(PASSWORD));
        assert!(browser.cookie("as-device").is_none());
        pages.push(without_chance(&answer, name));
    }
    assert!(pages.windows(2).all(|pair| pair[0] == pair[1]), "{pages:#?}");
    let mut told = Vec::new();
    for (name, password) in [(alice.username.as_str(), PASSWORD), ("alice", "wrong"), ("nobody", "wrong")] {
        let answer = script.password(name, password).await;
        answer.refused("temporarily_unavailable");
        assert!((1..=900).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
        told.push(answer.body);
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
}

/// F-040, X-003: one network's failures are no other's; all of an IPv6 /64 is one.
#[actix_rt::test]
async fn networks_are_counted_apart() {
    let server = Server::behind_proxy(FIVE).await;
    let (script, alice) = (script(&server).await, server.user("alice").await);
    for address in 1..=5 {
        script.at(&format!("2001:db8::{address}")).password("alice", "wrong").await.refused("invalid_grant");
    }
    script.at("2001:db8::6").password("alice", PASSWORD).await.refused("temporarily_unavailable");
    script.at("2001:db8:0:1::1").password("alice", PASSWORD).await.tokens();
    waits(&alice.browser().at("2001:db8::7").sign_in(&alice).await);
    assert_eq!(alice.browser().at("192.0.2.1").sign_in(&alice).await.status, 303);
}

/// F-042, F-043: failures close an account to strangers; its owner's browser goes on, fails on its own account, and an admin
/// opens it for all.
#[actix_rt::test]
async fn a_stranger_can_not_lock_the_owner_out() {
    let server = Server::behind_proxy("throttle = { close_account = 5 }").await;
    let alice = server.user("alice").await;
    let own = alice.browser().at("192.0.2.1");
    assert_eq!(own.sign_in(&alice).await.status, 303);
    assert!(own.cookie("as-device").is_some());
    for address in 1..=5 {
        let stranger = browser(&server).at(&format!("198.51.100.{address}"));
        assert_eq!(stranger.attempt("alice", "wrong").await.status, 401);
    }
    let stranger = browser(&server).at("203.0.113.1");
    assert!(JUST_CLOSED.contains(&waits(&stranger.sign_in(&alice).await)));
    let closed = events(&server, EventKind::AccountClosed).await;
    assert_eq!(closed.iter().map(|event| event.subject.as_deref()).collect::<Vec<_>>(), [Some(alice.id.as_str())]);
    // The same browser, signed out, where an attacker failed before.
    let elsewhere = alice.browser().at("198.51.100.1");
    elsewhere.set_cookie("as-device", &own.cookie("as-device").unwrap());
    assert_eq!(elsewhere.attempt("alice", "wrong").await.status, 401);
    assert_eq!(elsewhere.sign_in(&alice).await.status, 303);
    let bob = server.user("bob").await;
    let foreign = bob.browser().at("203.0.113.1");
    foreign.sign_in(&bob).await;
    let again = alice.browser().at("203.0.113.2");
    again.set_cookie("as-device", &foreign.cookie("as-device").unwrap());
    waits(&again.sign_in(&alice).await);

    let user = server.app.users.find(&alice.id).await.unwrap().unwrap();
    assert!(accounts::reopen(&server.app, &user, &by()).await.unwrap());
    assert!(!accounts::reopen(&server.app, &user, &by()).await.unwrap());
    assert_eq!(events(&server, EventKind::AccountReopened).await[0].subject, Some(alice.id.clone()));
    assert_eq!(alice.browser().at("203.0.113.3").sign_in(&alice).await.status, 303);
}

/// F-042: a browser that signed in before is slowed by its own failures, and after a run of them like any other.
#[actix_rt::test]
async fn a_stolen_device_cookie_buys_few_tries() {
    let server = Server::behind_proxy("throttle = { close_account = 3 }").await;
    let alice = server.user("alice").await;
    let own = alice.browser();
    own.sign_in(&alice).await;
    let thief = alice.browser();
    thief.set_cookie("as-device", &own.cookie("as-device").unwrap());
    for _ in 0..3 {
        assert_eq!(thief.attempt("alice", "wrong").await.status, 401);
    }
    for _ in 0..3 {
        assert_eq!(thief.attempt("alice", "wrong").await.status, 401, "now it counts with the others");
    }
    waits(&thief.attempt("alice", "wrong").await);
}

/// F-023, F-043: names that nobody has close just the same; an account made later starts afresh.
#[actix_rt::test]
async fn closing_tells_nothing_about_who_has_an_account() {
    let server = Server::behind_proxy("throttle = { close_account = 3 }").await;
    server.user("alice").await;
    let mut pages = Vec::new();
    for name in ["alice", "nobody"] {
        for address in 1..=3 {
            let stranger = browser(&server).at(&format!("198.51.100.{address}"));
            assert_eq!(stranger.attempt(name, "wrong").await.status, 401);
        }
        let answer = browser(&server).at("203.0.113.1").attempt(name, PASSWORD).await;
        assert!(JUST_CLOSED.contains(&waits(&answer)));
        pages.push(without_chance(&answer, name));
    }
    assert_eq!(pages[0], pages[1]);
    let new = accounts::NewUser {
        username: "nobody".to_owned(),
        password: Some(Secret::new(PASSWORD)),
        roles: Vec::new(),
        must_change: false,
        declared: false,
    };
    accounts::create_user(&server.app, new, &crate::support::by()).await.unwrap();
    assert_eq!(browser(&server).attempt("nobody", PASSWORD).await.status, 303);
}

/// F-045: what was counted outlives the process, and counts in all processes at the same store.
#[actix_rt::test]
async fn failures_are_remembered_after_a_restart_and_by_other_processes() {
    let server = Server::with(FIVE).await;
    let (script, alice) = (script(&server).await, server.user("alice").await);
    for _ in 0..5 {
        script.password("alice", "wrong").await.refused("invalid_grant");
    }
    let second = auth_server::App::open(server.app.config.clone()).await.unwrap();
    let origin = second.attempts.attempter("alice", "127.0.0.1".parse().unwrap(), None);
    assert!(!second.attempts.wait(&origin).await.unwrap().is_zero());
    let server = server.restart().await;
    script.password("alice", PASSWORD).await.refused("temporarily_unavailable");
    assert!(!events(&server, EventKind::LoginThrottled).await.is_empty());
    waits(&alice.browser().sign_in(&alice).await);
}

/// F-040, F-013: the present password is no easier to guess on the page that changes it.
#[actix_rt::test]
async fn the_page_for_a_new_password_counts_as_well() {
    let server = Server::with(FIVE).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    browser.set_cookie("as-device", "");
    let page = browser.get("/oauth/account/password").await;
    for _ in 0..5 {
        let refused = change_password(&browser, &page, "wrong", "another long password").await;
        is_page(&refused, 400);
    }
    let refused = change_password(&browser, &page, PASSWORD, "another long password").await;
    waits(&refused);
    assert_eq!(script(&server).await.password("alice", PASSWORD).await.status, 429);
}

/// F-042, F-050: the mark of a browser is out of reach of scripts, bound to the host, and says nothing of its account.
#[actix_rt::test]
async fn the_device_cookie_is_as_safe_as_the_session() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let answer = browser.sign_in(&alice).await;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with("as-device=")).unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"] {
        assert!(cookie.contains(part), "{part} is missing in {cookie}");
    }
    assert!(!cookie.contains("alice") && !cookie.contains("Domain"), "{cookie}");
    let first = browser.cookie("as-device").unwrap();
    let other = alice.browser();
    other.sign_in(&alice).await;
    assert_ne!(other.cookie("as-device").unwrap(), first);
    let under_https = Server::with_issuer("https://127.0.0.1:5001").await;
    let bob = under_https.user("bob").await;
    let browser = bob.browser();
    browser.sign_in(&bob).await;
    assert!(browser.cookie("__Host-as-device").is_some());
}

/// X-029, G-002: strangers who only open sign-ins can't fill the store.
#[actix_rt::test]
async fn sign_ins_that_are_only_opened_are_bounded() {
    let server = Server::behind_proxy("throttle = { openings = 6 }").await;
    let client = server.shop().await;
    for number in 0..6 {
        if number % 2 == 0 {
            assert_eq!(browser(&server).get("/oauth/login").await.status, 200);
        } else {
            is_page(&open(&browser(&server), &client, &[]).await, 200);
        }
    }
    let kept = server.app.state.durable().scan(None, 100).await.unwrap().len();
    for _ in 0..3 {
        let answer = browser(&server).get("/oauth/login").await;
        is_error_page(&answer, 429);
        assert_eq!(answer.header("retry-after"), "60");
        is_error_page(&browser(&server).get(&crate::authorize_path(&client, &[])).await, 429);
        let form = crate::authorize_form(&client, &[]);
        is_error_page(&browser(&server).post("/oauth/authorize", &form).await, 429);
    }
    assert_eq!(server.app.state.durable().scan(None, 100).await.unwrap().len(), kept);
    assert_eq!(browser(&server).at("192.0.2.1").get("/oauth/login").await.status, 200);
}
