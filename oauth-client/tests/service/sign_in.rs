//! Group E1 and E2 of the contract: from "Sign in" back to the app.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{AuthServer, Browser, World};

/// E-001, E-004, E-008: a fresh state and challenge each time, S256, the configured scopes and the API's identifier.
#[actix_rt::test]
async fn each_login_asks_with_a_fresh_state_and_challenge() {
    let world = World::start().await;
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let mut browser = world.browser();
        browser.authorize("/login").await;
        let asked = world.auth.state().last_authorize.clone();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], crate::support::CLIENT);
        assert_eq!(asked["redirect_uri"], format!("{}/callback", world.address));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["code_challenge"].len(), 43);
        assert!(asked["state"].len() >= 43);
        assert_eq!(asked["scope"], "countries:read people:read people:write");
        assert_eq!(asked["resource"], world.api.url);
        assert_eq!(asked["kept"], "1", "the query of the authorization endpoint is kept (RFC 6749 3.1)");
        assert!(seen.insert(asked["state"].clone()) && seen.insert(asked["code_challenge"].clone()));
    }
}

/// E-001: a login is over after its life.
#[actix_rt::test]
async fn a_login_that_took_too_long_is_refused() {
    let world = World::with(|config| config.lifetimes.login = 1).await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    actix_rt::time::sleep(std::time::Duration::from_millis(2100)).await;
    browser.get(&callback).await.shows(400, "Please sign in again");
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-002, E-010: a callback counts only in the browser that began the login.
#[actix_rt::test]
async fn a_callback_in_another_browser_is_refused_without_a_token_request() {
    let world = World::start().await;
    let callback = world.browser().authorize("/login").await;
    let mut stranger = world.browser();
    stranger.get(&callback).await.shows(400, "did not send this app");
    stranger.authorize("/login").await;
    stranger.get(&callback).await.shows(400, "Please sign in again");
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-003: ten tabs at once, each to its own target; the eleventh costs the first its place.
#[actix_rt::test]
async fn ten_tabs_sign_in_each_to_its_own_target() {
    let world = World::start().await;
    let mut browser = world.browser();
    let mut callbacks = Vec::new();
    for number in 0..11 {
        callbacks.push((number, browser.authorize(&format!("/login?target=/data/people/p{number}")).await));
    }
    let (_, first) = callbacks.remove(0);
    browser.get(&first).await.shows(400, "Please sign in again");
    callbacks.reverse();
    for (number, callback) in callbacks {
        let done = browser.get(&callback).await;
        assert_eq!((done.status, done.location()), (303, format!("/data/people/p{number}").as_str()));
    }
    assert!(!browser.cookies.contains_key("login"), "the pre-login session is dropped with the last of them");
}

/// E-005: the app starts without its authorization server, says so, and heals by itself.
#[actix_rt::test]
async fn sign_in_heals_when_the_authorization_server_comes_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::with(|config| config.issuer = format!("http://{address}")).await;
    let mut browser = world.browser();
    let page = browser.get("/login?target=/data/people").await;
    page.shows(503, "Sign-in is not available right now");
    assert!(page.text.contains("/login?target=%2Fdata%2Fpeople"), "{}", page.text);
    assert!(!page.header("retry-after").is_empty());
    browser.get("/").await.shows(200, "Sign in");
    assert_eq!(browser.get("/healthz").await.status, 200);
    assert_eq!(browser.get("/readyz").await.status, 200);
    let _auth = AuthServer::on(std::net::TcpListener::bind(address).unwrap());
    let start = std::time::Instant::now();
    while browser.get("/login").await.status != 303 {
        assert!(start.elapsed().as_secs() < 10, "it did not heal");
        actix_rt::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// E-005: an authorization server whose certificate nobody vouches for is not used.
#[actix_rt::test]
async fn an_unverified_certificate_is_not_trusted() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let acceptor = self_signed();
        for stream in listener.incoming() {
            // The handshake must fail on the client's side.
            assert!(acceptor.accept(stream.unwrap()).is_err());
        }
    });
    let world = World::with(|config| config.issuer = format!("https://{address}")).await;
    world.browser().get("/login").await.shows(503, "Sign-in is not available right now");
}

fn self_signed() -> openssl::ssl::SslAcceptor {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::ssl::{SslAcceptor, SslMethod};
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut certificate = openssl::x509::X509::builder().unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate.build()).unwrap();
    acceptor.build()
}

/// E-005, E-006: metadata of another issuer, or without S256, starts no flow.
#[actix_rt::test]
async fn unfit_metadata_starts_no_flow() {
    for (key, value) in [
        ("issuer", json!("http://127.0.0.1:1")),
        ("code_challenge_methods_supported", json!(["plain"])),
        ("code_challenge_methods_supported", json!(null)),
        ("authorization_endpoint", json!("http://evil.test/authorize")),
    ] {
        let auth = AuthServer::start().await;
        auth.state().metadata.insert(key, value);
        let world = World::beside(auth, |_| {}).await;
        world.browser().get("/login").await.shows(500, "This app is not set up correctly");
    }
}

/// E-007: only paths of this app are targets.
#[actix_rt::test]
async fn foreign_targets_lead_to_the_start_page() {
    let world = World::start().await;
    for target in
        ["https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "%2F%5Cevil.test", "%2F%09%2Fevil.test", "javascript:1"]
    {
        let mut browser = world.browser();
        let callback = browser.authorize(&format!("/login?target={target}")).await;
        assert_eq!(browser.get(&callback).await.location(), "/", "{target}");
    }
}

/// E-010: an absent or unknown state leads to a page with a button, and to no token request.
#[actix_rt::test]
async fn an_unknown_state_asks_to_sign_in_again() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    for wrong in ["/callback?code=x", "/callback?code=x&state=", "/callback?code=x&state=unknown", "/callback"] {
        let page = browser.get(wrong).await;
        page.shows(400, "Please sign in again");
        assert!(page.text.contains("<a class=\"button primary\" href=\"/login\">"), "{}", page.text);
    }
    assert_eq!(world.auth.state().exchanges, 0);
    assert_eq!(browser.get(&callback).await.status, 303, "the login itself is still good");
}

/// E-011, X-024: of 50 parallel callbacks with one state exactly one asks for tokens.
#[actix_rt::test]
async fn one_state_makes_one_token_request_however_often_it_comes() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    let answers = join_all((0..50).map(|_| {
        let (mut browser, callback) = (browser.clone(), callback.clone());
        async move { browser.get(&callback).await.status }
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [303, 400].contains(status)), "{answers:?}");
    assert_eq!(world.auth.state().exchanges, 1);
    browser.get(&callback).await.shows(400, "Please sign in again");
}

/// E-011: a state is used up even by a callback that is refused for something else.
#[actix_rt::test]
async fn a_refused_callback_uses_its_state_up() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    browser.get(&format!("{callback}&code=another")).await.shows(400, "This sign-in was stopped");
    browser.get(&callback).await.shows(400, "Please sign in again");
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-012: iss must be the issuer, and present where the metadata promises it; for errors, too.
#[actix_rt::test]
async fn a_wrong_or_missing_iss_is_refused() {
    let world = World::start().await;
    let issuer = world.auth.issuer.clone();
    for iss in [None, Some("http://evil.test".to_owned()), Some(format!("{issuer}/"))] {
        for error in [None, Some("access_denied")] {
            {
                let mut state = world.auth.state();
                (state.iss, state.authorize_error) = (Some(iss.clone()), error);
            }
            let mut browser = world.browser();
            let callback = browser.authorize("/login").await;
            browser.get(&callback).await.shows(400, "This sign-in was stopped");
        }
    }
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-012: without the promise a missing iss is fine, a wrong one is not.
#[actix_rt::test]
async fn iss_may_be_missing_where_it_is_not_promised() {
    let auth = AuthServer::start().await;
    auth.state().metadata.insert("authorization_response_iss_parameter_supported", json!(false));
    auth.state().iss = Some(None);
    let world = World::beside(auth, |_| {}).await;
    world.browser().sign_in().await;
    world.auth.state().iss = Some(Some("http://evil.test".to_owned()));
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    assert_eq!(browser.get(&callback).await.status, 400);
}

/// E-013: a login that was begun at another issuer is not finished at this one.
#[actix_rt::test]
async fn a_login_of_another_issuer_is_not_finished_here() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    let other = AuthServer::start().await;
    let mut config = world.config.clone();
    config.issuer.clone_from(&other.issuer);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let _twin = oauth_client::start(config, listener).await.unwrap();
    let mut moved = Browser::new(&address);
    moved.cookies = browser.cookies.clone();
    moved.get(&callback).await.shows(400, "Please sign in again");
    assert_eq!((world.auth.state().exchanges, other.state().exchanges), (0, 0));
}

/// E-014, X-010: repeated parameters, and a code beside an error, are refused.
#[actix_rt::test]
async fn ambiguous_callbacks_are_refused() {
    let world = World::start().await;
    for more in ["&code=a", "&iss=x", "&error=access_denied", "&error=a&error=b"] {
        let mut browser = world.browser();
        let callback = browser.authorize("/login").await;
        browser.get(&format!("{callback}{more}")).await.shows(400, "This sign-in was stopped");
    }
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    browser.get(&format!("{callback}&state=b")).await.shows(400, "This sign-in was stopped");
    let state = callback.split(['?', '&']).find(|part| part.starts_with("state=")).unwrap();
    let iss = shared::form::encode(&world.auth.issuer);
    browser.get(&format!("/callback?{state}&iss={iss}")).await.shows(400, "This sign-in was stopped");
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-015: denied consent gets a friendly page with a way to try again.
#[actix_rt::test]
async fn denied_consent_can_be_tried_again() {
    let world = World::start().await;
    world.auth.state().authorize_error = Some("access_denied");
    let mut browser = world.browser();
    let callback = browser.authorize("/login?target=/data/people").await;
    let page = browser.get(&callback).await;
    page.shows(403, "You did not allow access");
    assert!(page.text.contains("href=\"/login?target=%2Fdata%2Fpeople\">Try again"), "{}", page.text);
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-015: other errors show the request id and never the raw description.
#[actix_rt::test]
async fn other_errors_show_the_request_id_and_nothing_raw() {
    let world = World::start().await;
    for (error, status) in [
        ("invalid_scope", 500),
        ("unauthorized_client", 500),
        ("%3Cimg%20src%3Dx%3E", 500),
        ("server_error", 503),
        ("temporarily_unavailable", 503),
    ] {
        world.auth.state().authorize_error = Some(error);
        let mut browser = world.browser();
        let callback = browser.authorize("/login").await;
        let page = browser.get(&callback).await;
        assert_eq!(page.status, status, "{error}: {}", page.text);
        assert!(page.text.contains(page.header("x-request-id")) && !page.header("x-request-id").is_empty());
        assert!(!page.text.contains("alert(1)") && !page.text.contains("img src"), "{}", page.text);
    }
}

/// E-016: the exchange is not repeated, whatever it answers, and waits at most 10 seconds.
#[actix_rt::test]
async fn a_failed_exchange_is_not_repeated() {
    let world = World::start().await;
    for (answer, status, text) in [
        ((500, json!({})), 503, "Sign-in is not available right now"),
        ((429, json!({})), 503, "Sign-in is not available right now"),
        ((400, json!({"error": "invalid_grant"})), 400, "Please sign in again"),
        ((401, json!({"error": "invalid_client"})), 500, "This app is not set up correctly"),
        ((400, json!("no error object")), 502, "You could not be signed in"),
    ] {
        world.auth.state().token_answer = Some(answer);
        world.auth.state().exchanges = 0;
        let mut browser = world.browser();
        let callback = browser.authorize("/login?target=/data/people").await;
        browser.get(&callback).await.shows(status, text);
        browser.get(&callback).await.shows(400, "Please sign in again");
        assert_eq!(world.auth.state().exchanges, 1);
        assert!(!browser.cookies.contains_key("sid"));
    }
}

/// E-017: what is no token answer signs nobody in.
#[actix_rt::test]
async fn an_unusable_token_answer_signs_nobody_in() {
    let world = World::start().await;
    for answer in [
        json!({"token_type": "Bearer"}),
        json!({"access_token": "", "token_type": "Bearer"}),
        json!({"access_token": "a", "token_type": "mac"}),
        json!({"access_token": "a", "token_type": "Bearer", "expires_in": 0}),
        json!({"access_token": "a", "token_type": "Bearer", "expires_in": -5}),
        json!(["a"]),
    ] {
        world.auth.state().token_answer = Some((200, answer));
        let mut browser = world.browser();
        let callback = browser.authorize("/login").await;
        browser.get(&callback).await.shows(502, "You could not be signed in");
        assert!(!browser.cookies.contains_key("sid"));
    }
}

/// E-017: fewer scopes than asked for are named, and one can go on without.
#[actix_rt::test]
async fn missing_scopes_are_explained() {
    let world = World::start().await;
    world.auth.state().scope = Some("people:read".to_owned());
    let mut browser = world.browser();
    let callback = browser.authorize("/login?target=/data/people?page=2").await;
    let done = browser.get(&callback).await;
    assert_eq!(done.location(), "/missing-scope?target=%2Fdata%2Fpeople%3Fpage%3D2");
    let page = browser.get(done.location()).await;
    page.shows(403, "people:write");
    assert!(page.text.contains("countries:read") && !page.text.contains(">people:read<"));
    assert!(page.text.contains("href=\"/data/people?page=2\">Go on without"), "{}", page.text);
    browser.get("/data/people").await.shows(200, "Person 1");
}

/// E-019, E-033, E-034: a new session under a new id, the pre-login session gone, and the code out of the address.
#[actix_rt::test]
async fn signing_in_makes_a_new_session_and_leaves_the_callback() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.cookies.insert("sid".to_owned(), "ses_planted".to_owned());
    let callback = browser.authorize("/login?target=/data/people").await;
    let before = browser.cookies.clone();
    let done = browser.get(&callback).await;
    assert_eq!((done.status, done.location()), (303, "/data/people"));
    let first = browser.cookies["sid"].clone();
    assert!(first != "ses_planted" && first != before["login"]);
    assert!(!browser.cookies.contains_key("login"));
    let mut old = world.browser();
    old.cookies = before;
    assert_eq!(old.get("/data/people").await.status, 303, "the pre-login cookie signs nobody in");
    // Signing in again rotates the id; the old one is dead at once, and its tokens are taken back.
    browser.sign_in().await;
    assert_ne!(browser.cookies["sid"], first);
    let mut old = world.browser();
    old.cookies.insert("sid".to_owned(), first);
    assert!(old.get("/data/people").await.location().starts_with("/login"));
}

/// E-020: the callback answers GET only, is not kept, and tells nobody its address.
#[actix_rt::test]
async fn the_callback_is_get_only_and_leaves_no_trace() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    for method in [reqwest::Method::POST, reqwest::Method::HEAD, reqwest::Method::PUT] {
        let page = browser.send(method, &callback, None).await;
        assert_eq!((page.status, page.header("allow")), (405, "GET"));
    }
    let refused = browser.get("/callback?state=x&code=y").await;
    let done = browser.get(&callback).await;
    for page in [refused, done] {
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        for outside in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "<script"] {
            assert!(!page.text.contains(outside), "{}", page.text);
        }
    }
}
