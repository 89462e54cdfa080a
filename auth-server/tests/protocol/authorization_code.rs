//! B3: redeeming a code.

use auth_server::audit::EventKind;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{API, CALLBACK, Code, Server, Tokens, challenge};

/// B-004, B-006, B-051, B-052: the answer's shape; the scope is the code's.
#[actix_rt::test]
async fn a_code_becomes_tokens() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let code = alice.authorize_with(&shop, &[("scope", "write read")]).await;
    let tokens = shop.redeem_with(&code, &[("scope", "manage")]).await.tokens();
    assert!(tokens.access.starts_with("oat_") && tokens.refresh.starts_with("ort_"));
    assert_eq!((tokens.scope.as_str(), tokens.expires_in), ("read write", 900));
    let told = api.introspect(&tokens.access).await;
    assert_eq!((&told["sub"], &told["username"]), (&json!(alice.id), &json!("alice")));
    assert!(told["auth_time"].is_i64());
}

/// E-048: a person's first token answer says who that is, as introspection does; machines get no such word.
#[actix_rt::test]
async fn the_token_answer_names_the_person() {
    let server = Server::start().await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let answer = shop.redeem(&alice.authorize(&shop).await).await;
    answer.tokens();
    assert_eq!(answer.json()["sub"], json!(alice.id));
    let answer = server.robot().await.token(&[("grant_type", "client_credentials")]).await;
    answer.tokens();
    assert!(answer.json().get("sub").is_none());
}

/// B-052: no refresh token for a client without that grant.
#[actix_rt::test]
async fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let server = Server::start().await;
    let plain = server.client(json!({"grant_types": ["authorization_code"]})).await;
    let alice = server.user("alice").await;
    let answer = plain.redeem(&alice.authorize(&plain).await).await;
    answer.tokens();
    assert!(answer.json().get("refresh_token").is_none());
}

/// B-040: missing, unknown, foreign, expired: one description.
#[actix_rt::test]
async fn a_bad_code_is_told_nothing_of() {
    let server = Server::with("[lifetimes]\ncode = 1").await;
    let (shop, other, alice) = (server.shop().await, server.shop().await, server.user("alice").await);
    shop.token(&[("grant_type", "authorization_code")]).await.refused("invalid_request");
    let code = alice.authorize(&shop).await;
    let unknown = Code { text: code.text.replace("oac_", "oac_A"), ..code.clone() };
    let answers = [
        shop.redeem(&unknown).await,
        shop.redeem(&Code { text: "x".into(), ..code.clone() }).await,
        other.redeem(&code).await,
    ];
    actix_rt::time::sleep(std::time::Duration::from_millis(1100)).await;
    let expired = shop.redeem(&code).await;
    for answer in &answers {
        answer.refused("invalid_grant");
        assert_eq!(answer.body, expired.body);
    }
}

/// B-041, B-042: the redirect URI of the request, or PKCE in its place.
#[actix_rt::test]
async fn the_redirect_uri_must_be_that_of_the_request() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let shop = server.shop().await;
    let code = alice.authorize(&shop).await;
    shop.redeem_with(&code, &[("redirect_uri", "https://shop.example/callback/")]).await.refused("invalid_grant");
    shop.redeem_with(&code, &[("redirect_uri", "")]).await.tokens();
    let lax = server.client(json!({"require_pkce": false})).await;
    let without_pkce = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = alice.authorize_with(&lax, &without_pkce).await;
    lax.redeem_with(&code, &[("redirect_uri", ""), ("code_verifier", "")]).await.refused("invalid_grant");
    lax.redeem_with(&code, &[("code_verifier", "")]).await.tokens();
    let unsent = [&without_pkce[..], &[("redirect_uri", "")]].concat();
    let code = alice.authorize_with(&lax, &unsent).await;
    lax.redeem_with(&code, &[("redirect_uri", ""), ("code_verifier", "")]).await.tokens();
}

/// B-043, B-046: failures neither use the code up nor loosen it.
#[actix_rt::test]
async fn a_wrong_verifier_leaves_the_code_as_it_was() {
    let server = Server::start().await;
    let (spa, alice) = (server.spa().await, server.user("alice").await);
    let code = alice.authorize(&spa).await;
    for verifier in ["", "short", &"a".repeat(43), &code.verifier.to_lowercase(), &challenge(&code.verifier)] {
        spa.redeem_with(&code, &[("code_verifier", verifier)]).await.refused("invalid_grant");
    }
    spa.redeem(&code).await.tokens();
}

/// B-044: a verifier for a request without challenge is a downgrade.
#[actix_rt::test]
async fn a_verifier_without_a_challenge_is_refused() {
    let server = Server::start().await;
    let lax = server.client(json!({"require_pkce": false})).await;
    let alice = server.user("alice").await;
    let code = alice.authorize_with(&lax, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    lax.redeem(&code).await.refused("invalid_request");
    lax.redeem_with(&code, &[("code_verifier", "")]).await.tokens();
}

/// B-047: the second valid use kills what the first one got, and is noted.
#[actix_rt::test]
async fn a_code_used_twice_revokes_the_tokens_of_its_first_use() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    let tokens = shop.redeem(&code).await.tokens();
    assert!(api.finds_active(&tokens.access).await);
    shop.redeem(&code).await.refused("invalid_grant");
    assert!(!api.finds_active(&tokens.access).await);
    shop.refresh(&tokens.refresh).await.refused("invalid_grant");
    let replay = server.events(EventKind::CodeReplayed).await.remove(0);
    assert_eq!(
        (replay.client.as_deref(), replay.subject.as_deref()),
        (Some(shop.id.as_str()), Some(alice.id.as_str()))
    );
}

/// B-048: whoever stole a code can't end a session with it.
#[actix_rt::test]
async fn a_replay_that_fails_another_check_revokes_nothing() {
    let server = Server::start().await;
    let (shop, other) = (server.shop().await, server.shop().await);
    let (api, alice) = (server.api().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    let tokens = shop.redeem(&code).await.tokens();
    shop.redeem_with(&code, &[("code_verifier", &"a".repeat(43))]).await.refused("invalid_grant");
    shop.redeem_with(&code, &[("redirect_uri", "https://shop.example/other")]).await.refused("invalid_grant");
    other.redeem(&code).await.refused("invalid_grant");
    assert!(api.finds_active(&tokens.access).await);
}

/// B-049, B-045, X-024: of fifty at once exactly one wins, and its tokens are revoked.
#[actix_rt::test]
async fn fifty_redemptions_of_one_code_have_one_winner() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    let answers = join_all((0..50).map(|_| shop.redeem(&code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 49));
    for answer in &lost {
        answer.refused("invalid_grant");
    }
    assert!(!api.finds_active(&won[0].tokens().access).await);
}

/// B-050, C-004: the audience is the granted set or a part of it.
#[actix_rt::test]
async fn a_resource_narrows_the_audience() {
    let server = Server::start().await;
    let files = "https://files.example";
    let shop = server.client(json!({"resources": [files]})).await;
    let (api, alice) = (server.api().await, server.user("alice").await);
    let code = alice.authorize_with(&shop, &[("resource", API), ("resource", files)]).await;
    shop.redeem_with(&code, &[("resource", "https://other.example")]).await.refused("invalid_target");
    let Tokens { access, refresh, .. } = shop.redeem_with(&code, &[("resource", files)]).await.tokens();
    assert!(!api.finds_active(&access).await, "a token for the files is not for the API");
    let both = shop.refresh(&refresh).await.tokens();
    assert_eq!(api.introspect(&both.access).await["aud"], json!([API, files]));
}

/// B-008: disabled between the steps.
#[actix_rt::test]
async fn a_user_disabled_before_the_redemption_gets_nothing() {
    let server = Server::start().await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    server.change_user(&alice.id, |user| user.disabled = true).await;
    shop.redeem(&code).await.refused("invalid_grant");
}

/// B-007: many sign-ins of one user at one client stand side by side; past fifty the oldest goes.
#[actix_rt::test]
async fn a_new_sign_in_does_not_end_the_others() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let browser = alice.browser();
    let first = shop.redeem(&alice.authorize_in(&browser, &shop, &[]).await).await.tokens();
    // Grants are ordered by their second.
    actix_rt::time::sleep(std::time::Duration::from_millis(1100)).await;
    let mut last = first.clone();
    for _ in 0..49 {
        last = shop.redeem(&alice.authorize_in(&browser, &shop, &[]).await).await.tokens();
    }
    assert!(api.finds_active(&first.access).await && api.finds_active(&last.access).await);
    let next = shop.redeem(&alice.authorize_in(&browser, &shop, &[]).await).await.tokens();
    assert!(!api.finds_active(&first.access).await, "the oldest of more than fifty is evicted");
    assert!(api.finds_active(&last.access).await && api.finds_active(&next.access).await);
}

/// B-007: only redeemed codes count, so that nobody ends a user's grants by asking for codes in his browser.
#[actix_rt::test]
async fn codes_that_nobody_redeems_end_no_grant() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let browser = alice.browser();
    let first = shop.redeem(&alice.authorize_in(&browser, &shop, &[]).await).await.tokens();
    let mut last = None;
    for _ in 0..51 {
        last = Some(alice.authorize_in(&browser, &shop, &[]).await);
    }
    assert!(api.finds_active(&first.access).await);
    let second = shop.redeem(&last.unwrap()).await.tokens();
    assert!(api.finds_active(&first.access).await && api.finds_active(&second.access).await);
}

/// the code is bound to the redirect URI it was sent to.
#[actix_rt::test]
async fn a_code_is_bound_to_one_of_several_redirect_uris() {
    let server = Server::start().await;
    let second = "https://shop.example/second";
    let shop = server.client(json!({"redirect_uris": [CALLBACK, second]})).await;
    let alice = server.user("alice").await;
    let code = alice.authorize_with(&shop, &[("redirect_uri", second)]).await;
    shop.redeem_with(&code, &[("redirect_uri", CALLBACK)]).await.refused("invalid_grant");
    shop.redeem(&code).await.tokens();
}
