//! B2: who may call, and how he proves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Answer, Client, Server, basic};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn with_header(server: &Server, header: &str, form: &[(&str, &str)]) -> Answer {
    Answer::of(server.http.post(server.endpoint("/token")).header("authorization", header).form(form)).await
}

fn secret(client: &Client) -> &str {
    client.secret.as_deref().unwrap()
}

/// B-020, B-021, B-023, B-024: by default both ways of a secret work.
#[actix_rt::test]
async fn a_confidential_client_proves_itself_by_header_or_body() {
    let server = Server::start().await;
    let robot = server.robot().await;
    with_header(&server, &basic(&robot.id, secret(&robot)), &[GRANT]).await.tokens();
    let raw = format!("Basic {}", STANDARD.encode(format!("{}:{}", robot.id, secret(&robot))));
    with_header(&server, &raw, &[GRANT]).await.tokens();
    let form = [GRANT, ("client_id", robot.id.as_str()), ("client_secret", secret(&robot))];
    server.post("/token", &form).await.tokens();
    // The same id beside the header says nothing new (B-025).
    with_header(&server, &basic(&robot.id, secret(&robot)), &[GRANT, ("client_id", &robot.id)]).await.tokens();
}

/// B-020: a header that can't be read is a failed authentication.
#[actix_rt::test]
async fn a_malformed_header_is_a_failed_authentication() {
    let server = Server::start().await;
    let robot = server.robot().await;
    let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for header in ["Basic", "Basic !!!", "Bearer abc", &encoded("no colon"), &encoded(&format!("{}:%zz", robot.id))] {
        with_header(&server, header, &[GRANT]).await.refused("invalid_client");
    }
}

/// B-024: only the registered method counts.
#[actix_rt::test]
async fn a_client_authenticates_only_by_its_registered_method() {
    let server = Server::start().await;
    for (method, other) in [("client_secret_basic", "post"), ("client_secret_post", "basic")] {
        let metadata = json!({
            "grant_types": ["client_credentials"], "redirect_uris": [], "token_endpoint_auth_method": method,
        });
        let client = server.client(metadata).await;
        let header = with_header(&server, &basic(&client.id, secret(&client)), &[GRANT]).await;
        let form = [GRANT, ("client_id", client.id.as_str()), ("client_secret", secret(&client))];
        let body = server.post("/token", &form).await;
        let (good, bad) = if other == "post" { (header, body) } else { (body, header) };
        good.tokens();
        bad.refused("invalid_client");
    }
}

/// B-025: one way at a time, and one client.
#[actix_rt::test]
async fn two_ways_of_authentication_are_too_many() {
    let server = Server::start().await;
    let robot = server.robot().await;
    let header = basic(&robot.id, secret(&robot));
    for extra in [("client_secret", secret(&robot)), ("client_assertion", "x"), ("client_id", "another")] {
        with_header(&server, &header, &[GRANT, extra]).await.refused("invalid_request");
    }
    let form = [GRANT, ("client_id", robot.id.as_str()), ("client_secret", "x"), ("client_assertion", "x")];
    server.post("/token", &form).await.refused("invalid_request");
}

/// B-026, B-027: every failure looks the same and names the scheme.
#[actix_rt::test]
async fn an_unknown_client_and_a_wrong_secret_look_alike() {
    let server = Server::start().await;
    let robot = server.robot().await;
    let wrong = with_header(&server, &basic(&robot.id, "wrong"), &[GRANT]).await;
    let challenge = wrong.refused("invalid_client").header("www-authenticate").to_owned();
    assert!(challenge.starts_with("Basic realm=\"") && challenge.ends_with("charset=\"UTF-8\""), "{challenge}");
    let others = [
        with_header(&server, &basic("c_unknown", "wrong"), &[GRANT]).await,
        server.post("/token", &[GRANT, ("client_id", "c_unknown"), ("client_secret", "wrong")]).await,
        server.post("/token", &[GRANT, ("client_id", &robot.id)]).await,
        server.post("/token", &[GRANT]).await,
    ];
    for other in others {
        other.refused("invalid_client");
        assert_eq!((&other.body, other.header("www-authenticate")), (&wrong.body, challenge.as_str()));
    }
}

/// B-028: a public client has its id and nothing else.
#[actix_rt::test]
async fn a_public_client_with_a_secret_is_refused() {
    let server = Server::start().await;
    let spa = server.spa().await;
    let alice = server.user("alice").await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", spa.id.as_str())];
    server.post("/token", &form).await.refused("invalid_grant");
    let with_secret = [&form[..], &[("client_secret", "x")]].concat();
    server.post("/token", &with_secret).await.refused("invalid_client");
    with_header(&server, &basic(&spa.id, ""), &form[..2]).await.refused("invalid_client");
    alice.tokens(&spa).await;
}

/// B-029: an id is no proof, for any grant.
#[actix_rt::test]
async fn a_confidential_client_with_its_id_alone_is_refused() {
    let server = Server::with("password_grant = true").await;
    let grants = ["authorization_code", "refresh_token", "client_credentials", "password"];
    let client = server.client(json!({"grant_types": grants})).await;
    for grant in grants {
        let form = [
            ("grant_type", grant),
            ("client_id", client.id.as_str()),
            ("code", "x"),
            ("refresh_token", "x"),
            ("username", "x"),
            ("password", "x"),
        ];
        server.post("/token", &form).await.refused("invalid_client");
    }
    for endpoint in ["/introspect", "/revoke"] {
        server.post(endpoint, &[("token", "x"), ("client_id", &client.id)]).await.refused("invalid_client");
    }
}

/// B-008: a disabled client is no client from the next request on, and its tokens are dead (B-084).
#[actix_rt::test]
async fn a_disabled_client_is_refused() {
    let server = Server::start().await;
    let (robot, api) = (server.robot().await, server.api().await);
    let token = robot.token(&[GRANT]).await.tokens().access;
    assert!(api.finds_active(&token).await);
    server.change_client(&robot.id, |client| client.disabled = true).await;
    robot.token(&[GRANT]).await.refused("invalid_client");
    assert!(!api.finds_active(&token).await);
}

/// B-030: an imported secret, kept as argon2id, works too.
#[actix_rt::test]
async fn an_imported_secret_is_checked_by_its_slow_hash() {
    use auth_server::client::{ClientSecret, SecretForm};
    let server = Server::start().await;
    let mut robot = server.robot().await;
    let hash = server.app.passwords.hash(shared::Secret::new("imported secret")).await.unwrap();
    server
        .change_client(&robot.id, |client| {
            client.secrets = vec![ClientSecret::new(SecretForm::Argon2id(hash), 0)];
        })
        .await;
    robot.token(&[GRANT]).await.refused("invalid_client");
    robot.secret = Some("imported secret".to_owned());
    robot.token(&[GRANT]).await.tokens();
}

/// B-036: the eleventh failure in a minute is answered 429, and from then on so is the right secret.
#[actix_rt::test]
async fn guessing_a_client_secret_is_throttled() {
    let server = Server::start().await;
    let (robot, other) = (server.robot().await, server.robot().await);
    for _ in 0..10 {
        with_header(&server, &basic(&robot.id, "guess"), &[GRANT]).await.refused("invalid_client");
    }
    let throttled = with_header(&server, &basic(&robot.id, "guess"), &[GRANT]).await;
    let seconds: u64 = throttled.refused("temporarily_unavailable").header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    robot.token(&[GRANT]).await.refused("temporarily_unavailable");
    other.token(&[GRANT]).await.tokens();
}

/// B-036: neither does inventing ids help: the hundred-and-first failure in a minute from one address is answered 429.
#[actix_rt::test]
async fn failures_from_one_address_are_counted_whatever_the_client() {
    let server = Server::start().await;
    let robot = server.robot().await;
    for number in 0..100 {
        with_header(&server, &basic(&format!("invented{number}"), "guess"), &[GRANT]).await.refused("invalid_client");
    }
    with_header(&server, &basic("another", "guess"), &[GRANT]).await.refused("temporarily_unavailable");
    robot.token(&[GRANT]).await.refused("temporarily_unavailable");
}

/// B-084: a client that another process has just removed gets no more tokens, whatever this one remembers of it.
#[actix_rt::test]
async fn a_client_removed_by_another_process_gets_no_more_tokens() {
    let server = Server::start().await;
    let (shop, robot, alice) = (server.shop().await, server.robot().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    robot.token(&[("grant_type", "client_credentials")]).await.tokens();
    // What the other process does to the store; here both clients were looked up less than a second ago.
    server.stored.remove_client(&shop.id).await;
    server.stored.remove_client(&robot.id).await;
    robot.token(&[("grant_type", "client_credentials")]).await.refused("invalid_client");
    shop.redeem(&code).await.refused("invalid_client");
}
