//! B5: rotation, grace and reuse.

use std::collections::BTreeSet;
use std::time::Duration;

use auth_server::audit::EventKind;
use auth_server::directory::Deleted;
use futures_util::future::join_all;
use serde_json::json;
use shared::store::servers::{Life, in_time};

use crate::support::{API, Server, Tokens, by};

/// For a test that must not come to its end.
const LONG_GRACE: &str = "lifetimes = { refresh_grace = 60 }";

async fn pause(milliseconds: u64) {
    actix_rt::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// B-072, B-074, B-083: a new pair each time; earlier access tokens live on.
#[actix_rt::test]
async fn every_use_rotates_and_leaves_earlier_access_tokens_alive() {
    let server = Server::start().await;
    let (spa, api, alice) = (server.spa().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&spa).await;
    let second = spa.refresh(&first.refresh).await.tokens();
    let third = spa.refresh(&second.refresh).await.tokens();
    let all: BTreeSet<_> = [&first, &second, &third].map(|tokens| &tokens.refresh).into_iter().collect();
    assert_eq!(all.len(), 3);
    for tokens in [&first, &second, &third] {
        assert!(api.finds_active(&tokens.access).await);
    }
}

/// B-078, B-080, B-082: the contract's timeline. Within the grace the same pair again; once its successor was used, or the
/// grace is over, the family dies.
#[actix_rt::test]
async fn a_repeated_refresh_gives_the_same_pair_until_its_successor_is_used() {
    let server = Server::with(LONG_GRACE).await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    let again = shop.refresh(&first.refresh).await.tokens();
    assert_eq!((&again.access, &again.refresh, &again.scope), (&second.access, &second.refresh, &second.scope));
    let third = shop.refresh(&second.refresh).await.tokens();
    assert!(api.finds_active(&third.access).await);
    shop.refresh(&first.refresh).await.refused("invalid_grant");
    for token in [&first.access, &second.access, &third.access] {
        assert!(!api.finds_active(token).await, "the family is dead");
    }
    shop.refresh(&third.refresh).await.refused("invalid_grant");
    assert_eq!(server.events(EventKind::RefreshReused).await.len(), 1);
}

/// B-080: after the grace a rotated token is a stolen one.
#[actix_rt::test]
async fn a_rotated_token_after_the_grace_ends_the_family() {
    let server = Server::with("[lifetimes]\nrefresh_grace = 1").await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    pause(1200).await;
    shop.refresh(&first.refresh).await.refused("invalid_grant");
    assert!(!api.finds_active(&second.access).await);
    shop.refresh(&second.refresh).await.refused("invalid_grant");
}

/// B-080: a grace of zero is none.
#[actix_rt::test]
async fn without_a_grace_every_second_use_is_a_reuse() {
    let server = Server::with("[lifetimes]\nrefresh_grace = 0").await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    shop.refresh(&first.refresh).await.refused("invalid_grant");
    shop.refresh(&second.refresh).await.refused("invalid_grant");
}

/// B-078: other parameters within the grace are refused, and nothing is revoked.
#[actix_rt::test]
async fn a_repeat_that_asks_for_something_else_is_refused_without_harm() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let code = alice.authorize_with(&shop, &[("scope", "read write")]).await;
    let first = shop.redeem(&code).await.tokens();
    let second = shop.refresh_with(&first.refresh, &[("scope", "read")]).await.tokens();
    shop.refresh(&first.refresh).await.refused("invalid_grant");
    shop.refresh_with(&first.refresh, &[("scope", "read"), ("resource", API)]).await.refused("invalid_grant");
    assert!(api.finds_active(&second.access).await);
    assert_eq!(shop.refresh_with(&first.refresh, &[("scope", "read")]).await.tokens().refresh, second.refresh);
}

/// B-081, X-024: parallel refreshes with one token all get the same pair.
#[actix_rt::test]
async fn fifty_refreshes_with_one_token_get_the_same_pair() {
    let server = Server::with(LONG_GRACE).await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let answers = join_all((0..50).map(|_| shop.refresh(&first.refresh))).await;
    let pairs: BTreeSet<_> =
        answers.iter().map(|answer| answer.tokens()).map(|tokens| (tokens.access, tokens.refresh)).collect();
    assert_eq!(pairs.len(), 1);
    let (access, refresh) = pairs.into_iter().next().unwrap();
    assert!(api.finds_active(&access).await);
    shop.refresh(&refresh).await.tokens();
}

/// B-080: parallel reuses end the family once and for all.
#[actix_rt::test]
async fn fifty_reuses_at_once_end_the_family() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    let third = shop.refresh(&second.refresh).await.tokens();
    for answer in join_all((0..50).map(|_| shop.refresh(&first.refresh))).await {
        answer.refused("invalid_grant");
    }
    assert!(!api.finds_active(&third.access).await);
}

/// B-082: a lost answer is asked for again after a restart of the server.
#[actix_rt::test]
async fn a_lost_answer_is_given_again_after_a_restart() {
    let server = Server::with(LONG_GRACE).await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    let _server = server.restart().await;
    let again = shop.refresh(&first.refresh).await.tokens();
    assert_eq!((again.access, again.refresh), (second.access, second.refresh));
}

/// B-070, B-071: missing, unknown, of another client; the latter is noted and revokes nothing.
#[actix_rt::test]
async fn a_foreign_refresh_token_is_refused_and_stays_good() {
    let server = Server::start().await;
    let (shop, other, alice) = (server.shop().await, server.shop().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    shop.token(&[("grant_type", "refresh_token")]).await.refused("invalid_request");
    for unknown in ["x", &first.access, &first.refresh.replace("ort_", "ort_A")] {
        shop.refresh(unknown).await.refused("invalid_grant");
    }
    other.refresh(&first.refresh).await.refused("invalid_grant");
    assert_eq!(server.events(EventKind::ForeignToken).await.len(), 1);
    shop.refresh(&first.refresh).await.tokens();
}

/// B-073, B-074: a narrower access token, and the refresh token keeps its width.
#[actix_rt::test]
async fn a_scope_narrows_this_access_token_only() {
    let server = Server::start().await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let code = alice.authorize_with(&shop, &[("scope", "read write")]).await;
    let first = shop.redeem(&code).await.tokens();
    shop.refresh_with(&first.refresh, &[("scope", "read manage")]).await.refused("invalid_scope");
    let narrow = shop.refresh_with(&first.refresh, &[("scope", "read")]).await.tokens();
    assert_eq!(narrow.scope, "read");
    assert_eq!(shop.refresh(&narrow.refresh).await.tokens().scope, "read write");
}

/// B-073: what the client may have is no part of a grant that did not ask for it.
#[actix_rt::test]
async fn a_refresh_never_asks_for_more_than_was_granted() {
    let server = Server::start().await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let first = shop.redeem(&alice.authorize_with(&shop, &[("scope", "read")]).await).await.tokens();
    shop.refresh_with(&first.refresh, &[("scope", "read write")]).await.refused("invalid_scope");
    assert_eq!(shop.refresh(&first.refresh).await.tokens().scope, "read");
}

/// B-075: the same for resources.
#[actix_rt::test]
async fn a_resource_narrows_this_access_token_only() {
    let server = Server::start().await;
    let files = "https://files.example";
    let shop = server.client(json!({"resources": [files]})).await;
    let (api, alice) = (server.api().await, server.user("alice").await);
    let code = alice.authorize_with(&shop, &[("resource", API), ("resource", files)]).await;
    let first = shop.redeem(&code).await.tokens();
    shop.refresh_with(&first.refresh, &[("resource", "https://x.example")]).await.refused("invalid_target");
    let narrow = shop.refresh_with(&first.refresh, &[("resource", API)]).await.tokens();
    assert_eq!(api.introspect(&narrow.access).await["aud"], json!([API]));
    let wide = shop.refresh(&narrow.refresh).await.tokens();
    assert_eq!(api.introspect(&wide.access).await["aud"], json!([API, files]));
}

/// B-076: what client or user have lost since is gone from the next access token; nothing left is refused.
#[actix_rt::test]
async fn a_withdrawn_scope_is_gone_at_the_next_refresh() {
    let server = Server::start().await;
    let shop = server.client(json!({"scope": "read write manage"})).await;
    let ada = server.user_with("ada", crate::support::PASSWORD, &["admin"]).await;
    let code = ada.authorize_with(&shop, &[("scope", "read write manage")]).await;
    let first = shop.redeem(&code).await.tokens();
    assert_eq!(first.scope, "manage read write");
    server.change_client(&shop.id, |client| client.scopes = "read manage".parse().unwrap()).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    assert_eq!(second.scope, "manage read");
    server.change_client(&shop.id, |client| client.scopes = "other".parse().unwrap()).await;
    shop.refresh(&second.refresh).await.refused("invalid_grant");
}

/// B-077: idle time is renewed by each use, but never past the absolute end.
#[actix_rt::test]
async fn a_refresh_token_ends_by_idleness_or_age() {
    let (moment, second) = (Duration::from_millis(100), Duration::from_secs(1));
    in_time(2 * second, async |pause| {
        let (idle, absolute) = (2 * pause, 4 * pause);
        let settings = format!(
            "[lifetimes]\nrefresh_idle = {}\nrefresh_absolute = {}\nrefresh_grace = 0",
            idle.as_secs(),
            absolute.as_secs()
        );
        let server = Server::with(&settings).await;
        let (shop, alice) = (server.shop().await, server.user("alice").await);
        let idling = alice.tokens(&shop).await.refresh;
        // Lives are counted in whole seconds, so each is up to a second shorter than it says.
        let (mut life, whole) = (Life::of(idle - second), Life::of(absolute - second));
        let Tokens { mut refresh, .. } = alice.tokens(&shop).await;
        for _ in 0..3 {
            actix_rt::time::sleep(pause + moment).await;
            let renewed = Life::of(idle - second);
            let answer = shop.refresh(&refresh).await;
            if !life.lasts() || !whole.lasts() {
                return None;
            }
            (life, refresh) = (renewed, answer.tokens().refresh);
        }
        shop.refresh(&idling).await.refused("invalid_grant");
        actix_rt::time::sleep(pause).await;
        shop.refresh(&refresh).await.refused("invalid_grant");
        Some(())
    })
    .await;
}

/// B-072: a confidential client may be set to keep its refresh token.
#[actix_rt::test]
async fn a_client_without_rotation_keeps_its_refresh_token() {
    let server = Server::start().await;
    let shop = server.client(json!({"rotate_refresh_tokens": false})).await;
    let (api, alice) = (server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let answers = join_all((0..20).map(|_| shop.refresh(&first.refresh))).await;
    let mut tokens = BTreeSet::new();
    for answer in &answers {
        assert!(answer.ok().get("refresh_token").is_none());
        tokens.insert(answer.tokens().access);
    }
    assert_eq!(tokens.len(), 20);
    assert!(api.finds_active(tokens.first().unwrap()).await);
}

/// B-084, B-008: what ends a user's or client's rights ends the family.
#[actix_rt::test]
async fn a_lost_right_ends_the_family() {
    let server = Server::start().await;
    let (shop, api) = (server.shop().await, server.api().await);
    for (number, change) in [
        (|user: &mut auth_server::user::User| user.disabled = true) as fn(&mut auth_server::user::User),
        |user| user.password_hash = None,
        |user| user.roles.clear(),
    ]
    .into_iter()
    .enumerate()
    {
        let person = server.user_with(&format!("user{number}"), crate::support::PASSWORD, &["editor"]).await;
        let tokens = person.tokens(&shop).await;
        assert_eq!(api.introspect(&tokens.access).await["roles"], json!(["editor"]));
        server.change_user(&person.id, change).await;
        assert!(!api.finds_active(&tokens.access).await);
        shop.refresh(&tokens.refresh).await.refused("invalid_grant");
    }
    let alice = server.user("alice").await;
    let tokens = alice.tokens(&shop).await;
    let user = server.app.users.find(&alice.id).await.unwrap().unwrap();
    assert!(server.app.users.delete(&user, &by()).await.unwrap() == Deleted::Done);
    assert!(!api.finds_active(&tokens.access).await);
    let bob = server.user("bob").await;
    let tokens = bob.tokens(&shop).await;
    let client = server.app.clients.read(&shop.id).await.unwrap().unwrap();
    assert!(server.app.clients.delete(&client, &by()).await.unwrap());
    assert!(!api.finds_active(&tokens.access).await);
    shop.refresh(&tokens.refresh).await.refused("invalid_client");
}
