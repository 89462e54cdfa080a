//! What the store, and the log, hold of it all.

use std::sync::{Mutex, Once};

use serde_json::json;

use crate::support::{PASSWORD, Server};

/// Every line that is logged in this process, whatever its level.
static LINES: Mutex<String> = Mutex::new(String::new());

struct Memory;

impl log::Log for Memory {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // The client side of the test may say what it sends.
        if !record.target().starts_with("reqwest") && !record.target().starts_with("hyper") {
            let mut lines = LINES.lock().unwrap();
            lines.push_str(&format!("{} {}\n", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

fn record() {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&Memory).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// B-079 (as decided: derived, not kept): after a full flow no bearer value stands in any file or log line.
#[actix_rt::test]
async fn no_secret_is_stored_or_logged() {
    record();
    let server = Server::with("password_grant = true").await;
    let grants = ["authorization_code", "refresh_token", "password", "client_credentials"];
    let shop = server.client(json!({"grant_types": grants})).await;
    let (api, alice) = (server.api().await, server.user("alice").await);
    let browser = alice.browser();
    let code = alice.authorize_in(&browser, &shop, &[("state", "a-state-of-the-client")]).await;
    let first = shop.redeem(&code).await.tokens();
    let second = shop.refresh(&first.refresh).await.tokens();
    let again = shop.refresh(&first.refresh).await.tokens();
    let machine = shop.token(&[("grant_type", "client_credentials")]).await.tokens();
    let legacy = shop.password("alice", PASSWORD).await.tokens();
    assert!(api.finds_active(&second.access).await);
    shop.revoke(&machine.access).await;
    shop.refresh_with("ort_x", &[]).await.refused("invalid_grant");
    crate::support::Answer::of(server.http.post(format!("{}?code={}", server.endpoint("/token"), code.text))).await;
    let session = browser.cookie("as").unwrap();
    let mut secrets = vec![
        code.text.clone(),
        code.verifier.clone(),
        session,
        shop.secret.clone().unwrap(),
        api.secret.clone().unwrap(),
        PASSWORD.to_owned(),
    ];
    for tokens in [&first, &second, &again, &machine, &legacy] {
        secrets.extend([tokens.access.clone(), tokens.refresh.clone()]);
    }
    secrets.retain(|secret| !secret.is_empty());
    for secret in &secrets[..5] {
        assert!(secret.len() >= 43, "{secret} has less than 256 bits");
    }
    let stored = server.stored.contents().await;
    assert!(stored.windows(5).any(|window| window == b"alice"), "what was read is the store");
    let holds = |text: &[u8], secret: &str| text.windows(secret.len()).any(|window| window == secret.as_bytes());
    let lines = LINES.lock().unwrap();
    assert!(lines.contains("/oauth/token"), "the log was recorded");
    for secret in &secrets {
        // The random part alone would do as well.
        let part = &secret[secret.len() - 20.min(secret.len())..];
        assert!(!holds(&stored, secret) && !holds(&stored, part), "{part} is stored");
        // Other tests type the same password, and none of them may have it logged either.
        assert!(!holds(lines.as_bytes(), secret) && !holds(lines.as_bytes(), part), "{part} is logged");
    }
    assert!(!lines.contains("a-state-of-the-client"), "queries are not logged");
}

/// B-061: whoever switches the password grant on is warned at each start.
#[actix_rt::test]
async fn the_password_grant_is_warned_of_at_start() {
    record();
    Server::with("password_grant = true").await;
    assert!(LINES.lock().unwrap().contains("the password grant is on"));
}

/// X-003, F-040: behind a proxy that is not trusted all clients are one network, so one who guesses makes all wait.
#[actix_rt::test]
async fn a_proxy_that_is_not_trusted_is_warned_of_at_start() {
    record();
    let warned = || LINES.lock().unwrap().matches("server.trusted_proxies is empty").count();
    Server::start().await;
    Server::listening("", "behind_tls_proxy = true\ntrusted_proxies = ['127.0.0.1']").await;
    let before = warned();
    Server::listening("", "behind_tls_proxy = true").await;
    assert_eq!(warned(), before + 1);
}

/// one file in WAL mode, readable by its owner only.
#[actix_rt::test]
async fn the_default_store_is_one_private_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start().await;
    server.user("alice").await;
    let Some(path) = server.stored.file() else { return };
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
    let connection = rusqlite::Connection::open(path).unwrap();
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE name IN ('user', 'client', 'expiring')", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(tables, 3);
}
