//! Group E5 of the contract: signing out.

use std::time::{Duration, Instant};

use actix_rt::time::sleep;

use crate::support::{Browser, Page, World};

async fn sign_out(browser: &mut Browser) -> Page {
    let csrf = browser.get("/").await.csrf();
    browser.post("/logout", &[("csrf", &csrf)]).await
}

/// E-060: the refresh token, then the access token are revoked; the session and its cookie are gone.
#[actix_rt::test]
async fn signing_out_revokes_the_tokens_and_ends_the_session() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let before = browser.clone();
    let given: Vec<String> = world.auth.state().secrets.clone();
    let out = sign_out(&mut browser).await;
    assert_eq!((out.status, out.location()), (303, "/signed-out"));
    assert!(browser.cookies.is_empty());
    let revoked = world.auth.state().revoked.clone();
    assert_eq!(revoked.len(), 2);
    assert!(revoked[0].starts_with("ort_") && revoked[1].starts_with("oat_"));
    assert!(revoked.iter().all(|token| given.contains(token)));
    let mut old = before;
    assert!(old.get("/data/people").await.location().starts_with("/login"), "the old cookie is useless");
    assert_eq!(old.post("/logout", &[]).await.location(), "/signed-out", "a second sign-out is none");
}

/// E-060: GET ends nothing.
#[actix_rt::test]
async fn only_a_post_signs_out() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let page = browser.get("/logout").await;
    assert_eq!((page.status, page.header("allow")), (405, "POST"));
    assert_eq!(browser.get("/data/people").await.status, 200);
}

/// E-035, E-060: another site's post, which carries no cookies, does not make the browser forget the session either.
#[actix_rt::test]
async fn another_site_can_not_drop_the_cookie_of_a_living_session() {
    let world = World::start().await;
    let mut browser = world.browser();
    for site in ["cross-site", "same-site", "none"] {
        browser.headers = vec![("sec-fetch-site", site)];
        let page = browser.post("/logout", &[]).await;
        page.shows(403, "This form could not be accepted");
        assert_eq!(page.header("set-cookie"), "", "{site}");
    }
    // A browser that does not tell the site still keeps its cookies back (SameSite=Lax).
    browser.headers.clear();
    let page = browser.post("/logout", &[]).await;
    assert_eq!((page.location(), page.header("set-cookie")), ("/signed-out", ""));
    // What the browser did send and nothing stands behind is tidied away.
    browser.cookies.insert("sid".to_owned(), "ses_of_yesterday".to_owned());
    browser.post("/logout", &[]).await;
    assert!(browser.cookies.is_empty());
}

/// E-060: a slow authorization server holds nobody up for more than 3 seconds, and a failed revocation is made up for.
#[actix_rt::test]
async fn a_revocation_that_fails_is_tried_again() {
    let world = World::with(|config| config.lifetimes.revocation_retry = 1).await;
    let (mut slow, mut down) = (world.signed_in().await, world.signed_in().await);
    world.auth.state().revoke_status = Some(503);
    assert_eq!(sign_out(&mut down).await.status, 303);
    world.auth.state().revoke_delay = Duration::from_secs(8);
    let start = Instant::now();
    assert_eq!(sign_out(&mut slow).await.status, 303);
    assert!((2900..7900).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert!(world.auth.state().revoked.is_empty());
    for browser in [&mut slow, &mut down] {
        assert!(browser.get("/data/people").await.location().starts_with("/login"));
    }
    {
        let mut state = world.auth.state();
        (state.revoke_status, state.revoke_delay) = (None, Duration::ZERO);
    }
    while world.auth.state().revoked.len() < 4 {
        assert!(start.elapsed() < Duration::from_secs(60), "it was not made up for");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(world.auth.state().access_tokens.is_empty());
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.auth.state().revoked.len(), 4, "what is done is not repeated");
}

/// E-060: the queue outlives the process.
#[actix_rt::test]
async fn queued_revocations_survive_a_restart() {
    let world = World::with(|config| config.lifetimes.revocation_retry = 1).await;
    let mut browser = world.signed_in().await;
    world.auth.state().revoke_status = Some(500);
    sign_out(&mut browser).await;
    let config = world.config.clone();
    let World { auth, app, folder, .. } = world;
    app.stop().await;
    auth.state().revoke_status = None;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let _again = oauth_client::start(config, listener).await.unwrap();
    let start = Instant::now();
    while auth.state().revoked.len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(100)).await;
    }
    drop(folder);
}

/// E-061: a login that was under way when somebody signed out does not sign in again; its tokens are taken back.
#[actix_rt::test]
async fn a_login_in_flight_does_not_undo_a_sign_out() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let csrf = browser.get("/").await.csrf();
    let callback = browser.authorize("/login").await;
    let before = world.auth.state().exchanges;
    world.auth.state().holds_tokens = true;
    let mut other = browser.clone();
    let (page, ()) = futures_util::future::join(other.get(&callback), async {
        world.auth.until(|state| state.exchanges > before).await;
        browser.post("/logout", &[("csrf", &csrf)]).await;
        world.auth.state().holds_tokens = false;
    })
    .await;
    page.shows(400, "Please sign in again");
    assert!(other.get("/data/people").await.location().starts_with("/login"));
    assert!(world.auth.state().access_tokens.is_empty());
    // A login that was only begun is over, too.
    let mut browser = world.signed_in().await;
    let callback = browser.authorize("/login").await;
    let kept = browser.clone();
    sign_out(&mut browser).await;
    let mut kept = kept;
    assert_eq!(kept.get(&callback).await.status, 400);
}

/// E-064: the signed-out page clears what the browser kept.
#[actix_rt::test]
async fn the_signed_out_page_clears_the_browser() {
    let world = World::start().await;
    let page = world.browser().get("/signed-out").await;
    page.shows(200, "You are signed out");
    assert_eq!(page.header("clear-site-data"), "\"cache\", \"storage\"");
}

/// E-065: what is shown while signed in is not kept by the browser.
#[actix_rt::test]
async fn private_pages_are_not_kept() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    for path in ["/", "/data/people", "/data/people/p1", "/new/people", "/edit/people/p1", "/delete/people/p1"] {
        let page = browser.get(path).await;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{path}");
    }
}
