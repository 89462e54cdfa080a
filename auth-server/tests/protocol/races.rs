//! Fifty at once: what the store decides must be right whoever comes first.

use futures_util::future::join_all;

use crate::support::{Answer, Server};

/// B-048, X-024: thieves who fail another check end nothing, however many come while the code is redeemed.
#[actix_rt::test]
async fn wrong_redemptions_in_parallel_end_no_family() {
    let server = Server::start().await;
    let (shop, other) = (server.shop().await, server.shop().await);
    let (api, alice) = (server.api().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    let verifier = "a".repeat(43);
    let answers = join_all((0..50).map(|number| {
        let (shop, other, code, verifier) = (&shop, &other, &code, &verifier);
        async move {
            match number {
                20 => shop.redeem(code).await,
                _ if number % 3 == 0 => other.redeem(code).await,
                _ if number % 3 == 1 => shop.redeem_with(code, &[("code_verifier", verifier)]).await,
                _ => shop.redeem_with(code, &[("redirect_uri", "https://shop.example/other")]).await,
            }
        }
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 49));
    for answer in &lost {
        answer.refused("invalid_grant");
    }
    let tokens = won[0].tokens();
    assert!(api.finds_active(&tokens.access).await);
    shop.refresh(&tokens.refresh).await.tokens();
}

/// B-047, X-024: fifty valid replays after the redemption end its family, and win nothing.
#[actix_rt::test]
async fn valid_replays_in_parallel_end_the_family() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let code = alice.authorize(&shop).await;
    let tokens = shop.redeem(&code).await.tokens();
    let next = shop.refresh(&tokens.refresh).await.tokens();
    for answer in join_all((0..50).map(|_| shop.redeem(&code))).await {
        answer.refused("invalid_grant");
    }
    for access in [&tokens.access, &next.access] {
        assert!(!api.finds_active(access).await);
    }
    shop.refresh(&next.refresh).await.refused("invalid_grant");
}

/// B-080, X-024: a reuse after the grace wins over every refresh of the owner's in parallel: nothing of the family is left.
#[actix_rt::test]
async fn a_reuse_after_the_grace_among_refreshes_ends_the_family() {
    let server = Server::with("[lifetimes]\nrefresh_grace = 1").await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    actix_rt::time::sleep(std::time::Duration::from_millis(1200)).await;
    let tokens = (0..50).map(|number| if number % 2 == 0 { &first.refresh } else { &second.refresh });
    let answers: Vec<Answer> = join_all(tokens.map(|token| shop.refresh(token))).await;
    let mut alive = vec![first.clone(), second.clone()];
    for (number, answer) in answers.iter().enumerate() {
        if number % 2 == 1 && answer.status == 200 {
            alive.push(answer.tokens());
        } else {
            answer.refused("invalid_grant");
        }
    }
    for tokens in &alive {
        assert!(!api.finds_active(&tokens.access).await);
        shop.refresh(&tokens.refresh).await.refused("invalid_grant");
    }
}

/// C-024, B-084, X-024: what refreshes win while the family is revoked does not outlive the revocation.
#[actix_rt::test]
async fn a_revocation_among_refreshes_leaves_nothing_alive() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let first = alice.tokens(&shop).await;
    let answers =
        join_all(
            (0..50).map(|number| {
                let (shop, first) = (&shop, &first);
                async move {
                    if number == 25 { shop.revoke(&first.refresh).await } else { shop.refresh(&first.refresh).await }
                }
            }),
        )
        .await;
    assert_eq!(answers[25].status, 200, "{}", answers[25].body);
    for (_, answer) in answers.iter().enumerate().filter(|(number, _)| *number != 25) {
        if answer.status == 200 {
            let tokens = answer.tokens();
            assert!(!api.finds_active(&tokens.access).await);
            shop.refresh(&tokens.refresh).await.refused("invalid_grant");
        } else {
            answer.refused("invalid_grant");
        }
    }
    assert!(!api.finds_active(&first.access).await);
}
