//! C1: what resource servers are told.

use std::time::Duration;

use serde_json::json;
use shared::store::servers::{Life, in_time};

use crate::support::{API, Server, basic};

/// C-005, C-006, B-006: everything a resource server needs, and handles that are not the token.
#[actix_rt::test]
async fn an_active_token_is_described() {
    let server = Server::start().await;
    let (shop, api) = (server.shop().await, server.api().await);
    let ada = server.user_with("ada", crate::support::PASSWORD, &["admin"]).await;
    let before = shared::clock::now();
    let tokens = ada.tokens(&shop).await;
    let told = api.introspect(&tokens.access).await;
    let iat = told["iat"].as_i64().unwrap();
    assert!((before..=shared::clock::now()).contains(&iat) && told["exp"] == iat + 900, "{told}");
    for (name, value) in [
        ("active", json!(true)),
        ("scope", json!("read")),
        ("client_id", json!(shop.id)),
        ("sub", json!(ada.id)),
        ("username", json!("ada")),
        ("aud", json!([API])),
        ("iss", json!(server.url)),
        ("token_type", json!("Bearer")),
        ("roles", json!(["admin"])),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    let jti = told["jti"].as_str().unwrap();
    assert!(jti.len() >= 20 && !tokens.access.contains(jti));
    let next = shop.refresh(&tokens.refresh).await.tokens();
    let next = api.introspect(&next.access).await;
    assert_ne!(next["jti"], told["jti"]);
    assert_eq!(next["family"], told["family"], "one family");
    let other = api.introspect(&ada.tokens(&shop).await.access).await;
    assert_ne!(other["family"], told["family"], "another grant, another family");
    let shared: shared::oauth::Introspection = serde_json::from_value(told).unwrap();
    assert!(shared.active && shared.aud.contains(API));
}

/// C-001: authenticated, confidential, and permitted.
#[actix_rt::test]
async fn only_permitted_clients_may_ask() {
    let server = Server::start().await;
    let (shop, spa, api) = (server.shop().await, server.spa().await, server.api().await);
    let token = server.robot().await.token(&[("grant_type", "client_credentials")]).await.tokens().access;
    shop.post("/introspect", &[("token", &token)]).await.refused("access_denied");
    spa.post("/introspect", &[("token", &token)]).await.refused("invalid_client");
    server.post("/introspect", &[("token", &token)]).await.refused("invalid_client");
    let request = server.http.post(server.endpoint("/introspect")).header("authorization", basic(&api.id, "wrong"));
    crate::support::Answer::of(request.form(&[("token", &token)])).await.refused("invalid_client");
    assert!(api.finds_active(&token).await);
}

/// C-002: a hint is only a hint.
#[actix_rt::test]
async fn a_token_must_be_given_and_a_hint_may() {
    let server = Server::start().await;
    let (robot, api) = (server.robot().await, server.api().await);
    api.post("/introspect", &[("token_type_hint", "access_token")]).await.refused("invalid_request");
    let token = robot.token(&[("grant_type", "client_credentials")]).await.tokens().access;
    for hint in ["access_token", "refresh_token", "magic"] {
        let told = api.post("/introspect", &[("token", &token), ("token_type_hint", hint)]).await.ok();
        assert_eq!(told["active"], true);
    }
}

/// C-003, C-008, X-031: whatever is not a live access token is inactive, and no more is said.
#[actix_rt::test]
async fn every_other_token_is_just_inactive() {
    // Tokens end at a whole second.
    let second = Duration::from_secs(1);
    in_time(2 * second, async |length| {
        let server = Server::with(&format!("[lifetimes]\naccess = {}", length.as_secs())).await;
        let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
        let code = alice.authorize(&shop).await;
        let life = Life::of(length - second);
        let tokens = shop.redeem(&code).await.tokens();
        let found = api.finds_active(&tokens.access).await;
        if !life.lasts() {
            return None;
        }
        assert!(found);
        let unknown = tokens.access.replace("oat_", "oat_A");
        for token in ["x", "oat_", &unknown, &tokens.refresh, &code.text, &"x".repeat(8000)] {
            assert!(!api.finds_active(token).await, "{token}");
        }
        life.ends(second).await;
        assert!(!api.finds_active(&tokens.access).await, "expired");
        Some(())
    })
    .await;
}

/// C-004: a caller sees only tokens for its own resources.
#[actix_rt::test]
async fn a_token_for_another_audience_is_inactive() {
    let server = Server::start().await;
    let files = "https://files.example";
    let robot =
        server.client(json!({"redirect_uris": [], "grant_types": ["client_credentials"], "resources": [files]})).await;
    let files_server = server.client(json!({"redirect_uris": [], "grant_types": [], "introspects": [files]})).await;
    let api = server.api().await;
    let grant = ("grant_type", "client_credentials");
    let for_files = robot.token(&[grant, ("resource", files)]).await.tokens().access;
    let for_default = robot.token(&[grant]).await.tokens().access;
    assert!(files_server.finds_active(&for_files).await && !files_server.finds_active(&for_default).await);
    assert!(api.finds_active(&for_default).await && !api.finds_active(&for_files).await);
}

/// C-008: a revocation is seen by the next question, also at another node on the same store.
#[actix_rt::test]
async fn a_revocation_is_seen_at_once_by_every_node() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let node = actix_web::web::Data::new(auth_server::App::open(server.app.config.clone()).await.unwrap());
    let running = auth_server::serve(node, listener).unwrap();
    let tokens = alice.tokens(&shop).await;
    let ask = async || {
        let request = server.http.post(format!("http://{address}/oauth/introspect"));
        let request = request.header("authorization", basic(&api.id, api.secret.as_deref().unwrap()));
        crate::support::Answer::of(request.form(&[("token", &tokens.access)])).await.ok()["active"] == true
    };
    assert!(ask().await);
    assert_eq!(shop.revoke(&tokens.access).await.status, 200);
    assert!(!ask().await);
    running.stop().await;
}
