//! Group E1 of the contract: beginning to sign in.

use std::collections::HashSet;

use serde_json::json;

use crate::support::{AuthServer, World};

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
    let address = format!("127.0.0.1:{}", shared::store::servers::free_port());
    let world = World::with(|config| config.issuer = format!("http://{address}")).await;
    let mut browser = world.browser();
    let page = browser.get("/login?target=/data/people").await;
    page.shows(503, "Sign-in is not available right now");
    assert!(page.text.contains("/login?target=%2Fdata%2Fpeople"), "{}", page.text);
    assert!(!page.header("retry-after").is_empty());
    browser.get("/").await.shows(200, "Sign in");
    assert_eq!(browser.get("/healthz").await.status, 200);
    assert_eq!(browser.get("/readyz").await.status, 200);
    let _auth = AuthServer::on(std::net::TcpListener::bind(&address).unwrap());
    let start = std::time::Instant::now();
    while browser.get("/login").await.status != 303 {
        assert!(start.elapsed().as_secs() < 60, "it did not heal");
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
