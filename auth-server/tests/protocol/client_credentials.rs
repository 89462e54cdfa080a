//! B6: machines acting for themselves.

use serde_json::json;

use crate::support::{API, Server, by};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// B-090, B-091: no refresh token; the machine is its own subject, without a user name.
#[actix_rt::test]
async fn a_machine_gets_a_token_for_itself() {
    let server = Server::start().await;
    let (robot, api) = (server.robot().await, server.api().await);
    let answer = robot.token(&[GRANT]).await;
    assert!(answer.ok().get("refresh_token").is_none());
    let told = api.introspect(&answer.tokens().access).await;
    assert_eq!((&told["sub"], &told["client_id"]), (&json!(robot.id), &json!(robot.id)));
    assert!(told.get("username").is_none() && told.get("roles").is_none());
    assert_eq!(told["aud"], json!([API]));
}

/// B-090: a public client can't act for itself, even if somebody gave it the grant.
#[actix_rt::test]
async fn a_public_client_can_not_act_for_itself() {
    let server = Server::start().await;
    let spa = server.spa().await;
    server
        .change_client(&spa.id, |client| client.grant_types.push(auth_server::client::GrantType::ClientCredentials))
        .await;
    spa.token(&[GRANT]).await.refused("unauthorized_client");
}

/// B-092, A-022: all that is asked for or an error; the default where nothing is asked; nothing that speaks of people.
#[actix_rt::test]
async fn scopes_are_given_whole_or_refused() {
    let server = Server::start().await;
    for name in ["openid", "profile", "email", "offline_access"] {
        let scope = auth_server::scope::Scope { name: name.into(), text: "…".into(), role: None };
        server.app.scopes.put(&scope, &by()).await.unwrap();
    }
    let wide = "read write manage openid profile email offline_access";
    let robot = server.client(json!({"grant_types": ["client_credentials"], "redirect_uris": [], "scope": wide})).await;
    assert_eq!(robot.token(&[GRANT]).await.tokens().scope, "read");
    assert_eq!(robot.token(&[GRANT, ("scope", "write read")]).await.tokens().scope, "read write");
    for bad in [
        "unknown",
        "Read",
        "read  write",
        "read\twrite",
        "read unknown",
        "manage",
        "read openid",
        "profile",
        "email",
        "offline_access",
    ] {
        robot.token(&[GRANT, ("scope", bad)]).await.refused("invalid_scope");
    }
    let bare = json!({"grant_types": ["client_credentials"], "redirect_uris": [], "default_scope": ""});
    let bare = server.client(bare).await;
    bare.token(&[GRANT]).await.refused("invalid_scope");
    bare.token(&[GRANT, ("scope", "manage")]).await.refused("invalid_scope");
}

/// B-093, A-033: resources as at authorize.
#[actix_rt::test]
async fn resources_must_be_allowed() {
    let server = Server::start().await;
    let files = "https://files.example/x";
    let metadata = json!({"grant_types": ["client_credentials"], "redirect_uris": [], "resources": [files]});
    let (robot, api) = (server.client(metadata).await, server.api().await);
    for bad in ["files", "https://files.example/x#y", "https://files.example"] {
        robot.token(&[GRANT, ("resource", bad)]).await.refused("invalid_target");
    }
    let six = [[("resource", files)].repeat(6), vec![GRANT]].concat();
    robot.token(&six).await.refused("invalid_target");
    let token = robot.token(&[GRANT, ("resource", files)]).await.tokens().access;
    assert!(!api.finds_active(&token).await);
    let token = robot.token(&[GRANT, ("resource", files), ("resource", API)]).await.tokens().access;
    assert!(api.finds_active(&token).await);
}

/// 0.2: a client may have a lifetime of its own.
#[actix_rt::test]
async fn a_client_may_have_its_own_token_life() {
    let server = Server::start().await;
    let metadata = json!({"grant_types": ["client_credentials"], "redirect_uris": [], "access_ttl": 120});
    assert_eq!(server.client(metadata).await.token(&[GRANT]).await.tokens().expires_in, 120);
}
