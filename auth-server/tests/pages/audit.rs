//! The audit log of the protocol and of people's pages (F-060, F-061); that of the console is beside the console's tests.

use auth_server::audit::{Event, EventFilter, EventKind, Outcome};
use auth_server::directory::EventPage;

use crate::support::{PASSWORD, Server, basic, hidden};
use crate::{asking, decide, open, to_consent};

async fn all(server: &Server) -> Vec<Event> {
    let page = EventPage { oldest_first: true, ..EventPage::newest(1000) };
    let found = server.app.audit.list(&EventFilter::default(), &page).await.unwrap();
    found.into_iter().map(|recorded| recorded.event).collect()
}

/// F-060, F-061: one story with everything in it that the protocol and people's pages note, each told with who, whose, by
/// which client, from where and how it ended, and no secret anywhere.
#[actix_rt::test]
async fn everything_that_happens_is_noted_with_who_and_where_and_no_secret() {
    let server = Server::with("password_grant = true\n[lifetimes]\nrefresh_grace = 0").await;
    let (shop, api, robot) = (asking(&server).await, server.api().await, server.robot().await);
    let legacy = serde_json::json!({"redirect_uris": [], "grant_types": ["password"]});
    let (legacy, alice) = (server.client(legacy).await, server.user("alice").await);
    let browser = alice.browser();
    let mut secrets = vec![PASSWORD.to_owned(), "a wrong password".to_owned(), "a wholly new password".to_owned()];

    let page = browser.get("/oauth/login").await;
    let form = [("csrf", &*hidden(&page.body, "csrf")), ("username", "alice"), ("password", "a wrong password")];
    assert_eq!(browser.post("/oauth/login", &form).await.status, 401);
    let page = to_consent(&browser, &alice, &shop, &[]).await;
    decide(&browser, &page, "deny").await;
    let page = open(&browser, &shop, &[]).await;
    decide(&browser, &page, "allow").await;
    let code = alice.authorize_in(&browser, &shop, &[]).await;
    let first = shop.redeem(&code).await.tokens();
    let second = shop.refresh(&first.refresh).await.tokens();
    shop.refresh(&first.refresh).await.refused("invalid_grant");
    let code_again = alice.authorize_in(&browser, &shop, &[]).await;
    let third = shop.redeem(&code_again).await.tokens();
    let other = asking(&server).await;
    other.refresh(&third.refresh).await.refused("invalid_grant");
    legacy.password("alice", "a wrong password").await.refused("invalid_grant");
    legacy.password("alice", PASSWORD).await.tokens();
    let machine = robot.token(&[("grant_type", "client_credentials")]).await.tokens();
    assert!(api.finds_active(&machine.access).await);
    robot.post("/introspect", &[("token", &machine.access)]).await;
    robot.revoke(&machine.access).await;
    shop.redeem(&code_again).await.refused("invalid_grant");
    let wrong = server.http.post(server.endpoint("/token")).header("authorization", basic(&robot.id, "wrong"));
    assert_eq!(wrong.form(&[("grant_type", "client_credentials")]).send().await.unwrap().status(), 401);
    server.post("/token?client_secret=x", &[("grant_type", "client_credentials")]).await;
    let csrf = hidden(&browser.get("/oauth/account/apps").await.body, "csrf");
    browser.post("/oauth/account/apps", &[("csrf", &csrf), ("app", &shop.id)]).await;
    browser.post("/oauth/account/sessions", &[("csrf", &csrf), ("elsewhere", "yes")]).await;
    let form = [("csrf", csrf.as_str()), ("current", PASSWORD), ("new", "a wholly new password")];
    assert_eq!(browser.post("/oauth/account/password", &form).await.status, 303);
    let csrf = hidden(&browser.get("/oauth/logout").await.body, "csrf");
    browser.post("/oauth/logout", &[("csrf", &csrf)]).await;

    let events = all(&server).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    for expected in [
        "login_succeeded",
        "login_failed",
        "logged_out",
        "password_changed",
        "session_ended",
        "consent_granted",
        "consent_denied",
        "consent_withdrawn",
        "code_issued",
        "code_redeemed",
        "code_replayed",
        "token_issued",
        "token_refreshed",
        "token_revoked",
        "refresh_reused",
        "foreign_token",
        "client_refused",
        "introspection_refused",
        "credential_in_url",
    ] {
        assert!(kinds.contains(&expected), "{expected} is missing in {kinds:?}");
    }
    secrets.extend([&shop, &robot, &legacy].iter().filter_map(|client| client.secret.clone()));
    secrets.extend([&code, &code_again].iter().map(|code| code.text.clone()));
    for tokens in [&first, &second, &third, &machine] {
        secrets.extend([tokens.access.clone(), tokens.refresh.clone()]);
    }
    let written = serde_json::to_string(&events).unwrap();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        assert!(!written.contains(secret.as_str()), "a secret stands in the log: {secret}");
    }
    for event in events.iter().filter(|event| event.request_id.is_some()) {
        assert!(event.at > 0 && event.ip.is_some() && event.agent.is_some(), "{event:?}");
    }
    let of = |kind| events.iter().find(|event| event.kind == kind).unwrap();
    let known = |event: &Event| (event.actor.clone(), event.subject.clone(), event.client.clone());
    let (alice_id, shop_id) = (Some(alice.id.clone()), Some(shop.id.clone()));
    assert_eq!(known(of(EventKind::CodeIssued)), (alice_id.clone(), alice_id.clone(), shop_id.clone()));
    for kind in [EventKind::CodeRedeemed, EventKind::TokenRefreshed, EventKind::RefreshReused] {
        assert_eq!(known(of(kind)), (shop_id.clone(), alice_id.clone(), shop_id.clone()), "{kind:?}");
        assert!(of(kind).request_id.is_some());
    }
    assert_eq!(known(of(EventKind::LoginFailed)), (None, alice_id.clone(), None));
    assert_eq!(of(EventKind::LoginFailed).reason.as_deref(), Some("wrong_password"));
    assert_eq!(of(EventKind::LoginFailed).outcome, Outcome::Failure);
    assert_eq!(of(EventKind::ClientRefused).reason.as_deref(), Some("wrong_secret"));
    assert_eq!(of(EventKind::LoginFailed).agent.as_deref(), Some("Tester/1.0"));
    // Of the machine's own token nobody's account is concerned, and asking about a good token leaves no trace.
    let machines =
        events.iter().filter(|event| event.client.as_ref() == Some(&robot.id) && event.kind == EventKind::TokenIssued);
    let robot_id = Some(robot.id.clone());
    assert_eq!(machines.map(known).collect::<Vec<_>>(), [(robot_id.clone(), None, robot_id)]);
    let of_requests = events.iter().filter(|event| event.request_id.is_some());
    assert!(
        of_requests.clone().count() > 20 && of_requests.clone().all(|event| event.client.as_ref() != Some(&api.id))
    );
}

/// F-060: a name that is nobody's may be a password typed into the wrong field.
#[actix_rt::test]
async fn an_unknown_name_is_not_written_down() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let csrf = hidden(&browser.get("/oauth/login").await.body, "csrf");
    let form = [("csrf", csrf.as_str()), ("username", "correct horse battery"), ("password", "x")];
    browser.post("/oauth/login", &form).await;
    let events = server.events(EventKind::LoginFailed).await;
    assert_eq!(events[0].reason.as_deref(), Some("unknown_user"));
    assert!(!serde_json::to_string(&all(&server).await).unwrap().contains("horse"));
}

/// F-061, X-038: what was noted behind the answers is stored before the server stops.
#[actix_rt::test]
async fn a_server_that_stops_has_written_its_log() {
    let server = Server::start().await;
    let robot = server.robot().await;
    for _ in 0..20 {
        robot.token(&[("grant_type", "client_credentials")]).await.tokens();
    }
    let server = server.restart().await;
    assert_eq!(server.events(EventKind::TokenIssued).await.len(), 20);
}
