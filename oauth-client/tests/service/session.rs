//! Group E3 of the contract: the session and what it protects.

use std::time::Duration;

use shared::serve::Tls;
use shared::store::servers::{Life, in_time};

use crate::support::{Browser, World};

/// E-030, X-021: no token, code, state or session id stands in the store as it is; the browser holds one random id.
#[actix_rt::test]
async fn nothing_secret_is_plain_in_the_store() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.authorize("/login").await;
    let verifier_and_state = world.auth.state().last_authorize["state"].clone();
    let callback = browser.authorize("/login").await;
    let login = browser.cookies["login"].clone();
    browser.get(&callback).await;
    assert_eq!(browser.get("/data/people").await.status, 200);
    let mut secrets = world.auth.state().secrets.clone();
    secrets.extend([verifier_and_state, login, browser.cookies["sid"].clone()]);
    assert!(secrets.len() >= 6);
    let folder = world.store_file().parent().unwrap().to_owned();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in &secrets {
            // Base64url text would also betray itself inside JSON.
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", path.display());
        }
    }
    for value in browser.cookies.values() {
        assert!(!world.auth.state().secrets.contains(value));
    }
}

/// E-030: sealed tokens moved to another session open nothing.
#[actix_rt::test]
async fn sealed_tokens_of_one_session_are_useless_in_another() {
    let world = World::start().await;
    let mut victim = world.signed_in().await;
    let mut thief = world.signed_in().await;
    let file = rusqlite::Connection::open(world.store_file()).unwrap();
    file.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = file
        .prepare("SELECT key, value FROM expiring WHERE instr(value, '\"tokens\":') > 0")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows.len(), 2);
    let swap = |key: &[u8], value: &[u8]| {
        assert_eq!(file.execute("UPDATE expiring SET value = ?2 WHERE key = ?1", (key, value)).unwrap(), 1);
    };
    swap(&rows[0].0, &rows[1].1);
    swap(&rows[1].0, &rows[0].1);
    for browser in [&mut victim, &mut thief] {
        assert!(browser.get("/data/people").await.location().starts_with("/login"));
    }
}

async fn behind_a_proxy() -> (World, Browser) {
    let world = World::with(|config| {
        config.origin = "https://app.test".to_owned();
        config.dev = false;
        config.server.behind_tls_proxy = true;
        config.server.tls = Tls::Switch(false);
    })
    .await;
    let browser = world.browser();
    (world, browser)
}

/// E-002, E-031, X-002: both cookies are `__Host-`, Secure, HttpOnly, Lax, for the whole path and no domain; the origin comes
/// from the configuration.
#[actix_rt::test]
async fn cookies_are_bound_to_the_host() {
    let (_world, mut browser) = behind_a_proxy().await;
    browser.headers = vec![("x-forwarded-host", "evil.test"), ("forwarded", "host=evil.test")];
    let away = browser.get("/login").await;
    assert!(away.location().contains("redirect_uri=https%3A%2F%2Fapp.test%2Fcallback"), "{}", away.location());
    let callback = browser.authorize("/login").await;
    let done = browser.get(&callback).await;
    let set = |page: &crate::support::Page, name: &str| {
        let all = page.headers.get_all("set-cookie").iter();
        all.map(|cookie| cookie.to_str().unwrap().to_owned()).find(|cookie| cookie.starts_with(name)).unwrap()
    };
    for cookie in [set(&away, "__Host-login="), set(&done, "__Host-sid=")] {
        let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
        for needed in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(attributes.contains(&needed), "{needed} is missing in {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    browser.get("/data/people").await.shows(200, "Person 1");
    // The plain names of development are not looked at.
    let mut plain = browser.clone();
    let sid = plain.cookies.remove("__Host-sid").unwrap();
    plain.cookies.insert("sid".to_owned(), sid);
    assert_eq!(plain.get("/data/people").await.status, 303);
}

/// decided by the origin.
#[actix_rt::test]
async fn public_origins_are_https_only() {
    let (_world, mut browser) = behind_a_proxy().await;
    assert_eq!(browser.get("/").await.header("strict-transport-security"), "max-age=31536000");
    assert_eq!(World::start().await.browser().get("/").await.header("strict-transport-security"), "");
}

/// E-032: in plain http on loopback the prefix and Secure are dropped; elsewhere the start is refused.
#[actix_rt::test]
async fn plain_http_is_for_loopback_only() {
    let world = World::start().await;
    let away = world.browser().get("/login").await;
    let cookie = away.header("set-cookie");
    assert!(cookie.starts_with("login=") && !cookie.contains("Secure"), "{cookie}");
    let mut config = world.config.clone();
    config.origin = "http://app.test".to_owned();
    config.dev = false;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = oauth_client::start(config, listener).await.err().unwrap().to_string();
    assert!(refused.contains("origin: `http://app.test` must be https"), "{refused}");
}

/// E-033: an id that the server did not issue is not adopted.
#[actix_rt::test]
async fn a_planted_session_id_is_not_adopted() {
    let world = World::start().await;
    let mut browser = world.browser();
    for planted in ["ses_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", "x", &"x".repeat(5000)] {
        browser.cookies.insert("sid".to_owned(), planted.to_owned());
        browser.cookies.insert("login".to_owned(), planted.to_owned());
        assert_eq!(browser.get("/data/people").await.status, 303);
        browser.get("/login").await;
        assert_ne!(browser.cookies["login"], planted);
    }
}

/// E-034: idle and absolute limits are the server's.
#[actix_rt::test]
async fn sessions_end_by_idleness_and_by_age() {
    // Its age is told in whole seconds.
    let second = Duration::from_secs(1);
    in_time(2 * second, async |length| {
        let idle = World::with(|config| config.lifetimes.session_idle = length.as_secs()).await;
        let absolute = World::with(|config| config.lifetimes.session_absolute = length.as_secs()).await;
        let (idling, whole) = (Life::of(length), Life::of(length - second));
        let (mut resting, mut busy) = (idle.signed_in().await, absolute.signed_in().await);
        let (status, status_of_busy) =
            (resting.get("/data/people").await.status, busy.get("/data/people").await.status);
        if !idling.lasts() || !whole.lasts() {
            return None;
        }
        assert_eq!((status, status_of_busy), (200, 200));
        for _ in 0..12 {
            actix_rt::time::sleep(length / 10).await;
            let status = busy.get("/data/people").await.status;
            assert!(status == 200 || !whole.lasts(), "{status}");
        }
        for browser in [&mut resting, &mut busy] {
            assert!(browser.get("/data/people").await.location().starts_with("/login"));
        }
        Some(())
    })
    .await;
}

/// E-035: a form needs the session's token, and must not come from another site.
#[actix_rt::test]
async fn forged_forms_do_nothing() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let csrf = browser.get("/edit/people/p1").await.csrf();
    let foreign = world.signed_in().await.get("/").await.csrf();
    for token in ["", "x", foreign.as_str()] {
        for path in ["/new/people", "/edit/people/p1", "/delete/people/p1", "/logout"] {
            let fields = [("csrf", token), ("text.name", "forged"), ("etag", "etag-p1")];
            browser.post(path, &fields).await.shows(403, "This form could not be accepted");
        }
    }
    for site in ["cross-site", "same-site", "none"] {
        let mut other = browser.clone();
        other.headers = vec![("sec-fetch-site", site)];
        for path in ["/new/people", "/edit/people/p1", "/delete/people/p1", "/logout"] {
            let fields = [("csrf", csrf.as_str()), ("text.name", "forged"), ("etag", "etag-p1")];
            other.post(path, &fields).await.shows(403, "This form could not be accepted");
        }
    }
    assert!(world.api.state().writes.is_empty() && world.auth.state().revoked.is_empty());
    assert_eq!(browser.get("/data/people").await.status, 200);
}

/// E-036, A-057: no scripts, nothing from elsewhere, forms only to this app and the issuer.
#[actix_rt::test]
async fn every_page_carries_the_policy() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    for path in ["/", "/data/people", "/data/people/p1", "/edit/people/p1", "/nowhere", "/callback", "/signed-out"] {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            &format!("form-action 'self' {}", world.auth.issuer),
        ] {
            assert!(policy.contains(part), "{path}: {part} is missing in {policy}");
        }
        assert_eq!(page.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(page.header("access-control-allow-origin"), "", "{path}");
        assert!(!page.text.contains("<script") && !page.text.contains(" style="), "{path}");
    }
}

/// E-037: the token goes to the configured API alone; a redirect is not followed.
#[actix_rt::test]
async fn the_token_follows_no_redirect_and_no_link() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let elsewhere = crate::support::Api::start(&world.auth).await;
    let location = vec![("location", format!("{}/people", elsewhere.url))];
    world.api.state().refuse = Some((302, location));
    browser.get("/data/people").await.shows(502, "The API gave an answer this app does not understand");
    world.api.state().refuse = None;
    let links = serde_json::json!({"_links": {"child": [
        {"href": format!("{}/people", elsewhere.url), "title": "elsewhere"}, {"href": "people", "title": "people"},
    ]}});
    world.api.state().home = Some(links);
    let page = browser.get("/").await;
    page.shows(200, "People");
    assert!(!page.text.contains("elsewhere") && !page.text.contains(&elsewhere.url), "{}", page.text);
    for path in
        ["/data/..%2F..%2Fpeople", "/data/people/..%2F..%2Fx", "/data/people/@evil.test", "/data/%2F%2Fevil.test"]
    {
        let status = browser.get(path).await.status;
        assert!([404, 502].contains(&status), "{path}: {status}");
    }
    assert_eq!(elsewhere.state().requests, 0);
}
