//! C2: tokens given back.

use serde_json::json;

use crate::support::{Server, Tokens};

/// C-020, C-021, C-027: authenticated as at token; unknown and revoked tokens are a success with an empty body.
#[actix_rt::test]
async fn an_unknown_or_revoked_token_is_a_success() {
    let server = Server::start().await;
    let (shop, spa, alice) = (server.shop().await, server.spa().await, server.user("alice").await);
    shop.post("/revoke", &[]).await.refused("invalid_request");
    server.post("/revoke", &[("token", "x"), ("client_id", &shop.id)]).await.refused("invalid_client");
    let Tokens { access, refresh, .. } = alice.tokens(&spa).await;
    for token in ["x", "oat_x", &access, &access, &refresh, &refresh] {
        let answer = spa.revoke(token).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{token}");
    }
}

/// C-022: another client's token stays.
#[actix_rt::test]
async fn a_foreign_token_is_left_alone() {
    let server = Server::start().await;
    let (shop, other) = (server.shop().await, server.shop().await);
    let (api, alice) = (server.api().await, server.user("alice").await);
    let tokens = alice.tokens(&shop).await;
    other.revoke(&tokens.access).await.refused("unauthorized_client");
    other.revoke(&tokens.refresh).await.refused("unauthorized_client");
    assert!(api.finds_active(&tokens.access).await);
    shop.refresh(&tokens.refresh).await.tokens();
}

/// C-023, C-024: a refresh token takes its family along, whatever the hint says.
#[actix_rt::test]
async fn a_refresh_token_ends_its_family() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    for hint in ["refresh_token", "access_token", "magic"] {
        let first = alice.tokens(&shop).await;
        let second = shop.refresh(&first.refresh).await.tokens();
        let form = [("token", second.refresh.as_str()), ("token_type_hint", hint)];
        assert_eq!(shop.post("/revoke", &form).await.status, 200);
        assert!(!api.finds_active(&first.access).await && !api.finds_active(&second.access).await);
        shop.refresh(&second.refresh).await.refused("invalid_grant");
    }
}

/// C-025: an access token goes alone, unless the client is set to take the family.
#[actix_rt::test]
async fn an_access_token_goes_alone_or_with_its_family_as_the_client_is_set() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    assert_eq!(shop.revoke(&first.access).await.status, 200);
    assert!(!api.finds_active(&first.access).await && api.finds_active(&second.access).await);
    shop.refresh(&second.refresh).await.tokens();
    let cascading = server.client(json!({"revoke_cascade": true})).await;
    let tokens = alice.tokens(&cascading).await;
    assert_eq!(cascading.revoke(&tokens.access).await.status, 200);
    cascading.refresh(&tokens.refresh).await.refused("invalid_grant");
}

/// C-026: a rotated refresh token ends the family, too.
#[actix_rt::test]
async fn a_used_refresh_token_ends_the_family() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    assert_eq!(shop.revoke(&first.refresh).await.status, 200);
    assert!(!api.finds_active(&second.access).await);
    shop.refresh(&second.refresh).await.refused("invalid_grant");
}

/// C-027, X-025: revoked stays revoked after a restart.
#[actix_rt::test]
async fn a_revocation_outlives_a_restart() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let (kept, given_back) = (alice.tokens(&shop).await, alice.tokens(&shop).await);
    assert_eq!(shop.revoke(&given_back.refresh).await.status, 200);
    let server = server.restart().await;
    assert!(api.finds_active(&kept.access).await && !api.finds_active(&given_back.access).await);
    drop(server);
}
