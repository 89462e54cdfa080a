//! Signing out.

use crate::support::{Server, hidden};
use crate::{is_error_page, is_page};

/// C-090: a GET asks and ends nothing; the post ends the session, expires the cookie and leads to a page that says so.
#[actix_rt::test]
async fn signing_out_needs_a_post() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let page = browser.get("/oauth/logout").await;
    is_page(&page, 200);
    assert!(page.body.contains("Sign out?") && page.body.contains("alice"), "{}", page.body);
    assert!(browser.get("/oauth/").await.body.contains("alice"), "the GET ended nothing");
    let answer = browser.post("/oauth/logout", &[("csrf", &hidden(&page.body, "csrf"))]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/logout"));
    assert!(answer.header("set-cookie").starts_with("as=;") && answer.header("set-cookie").contains("Max-Age=0"));
    let done = browser.get("/oauth/logout").await;
    is_page(&done, 200);
    assert!(done.body.contains("You are signed out"), "{}", done.body);
    assert!(done.body.contains("<strong>alice</strong> is no longer signed in"), "{}", done.body);
    assert!(!browser.get("/oauth/logout").await.body.contains("alice"), "told once");
}

/// G-015: the page after signing out names the apps that keep their own sessions, or that were signed out as well.
#[actix_rt::test]
async fn the_page_after_signing_out_names_the_apps_concerned() {
    let server = Server::start().await;
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    for apps in [None, Some(("apps", "yes"))] {
        let browser = alice.browser();
        let tokens = shop.redeem(&alice.authorize_in(&browser, &shop, &[]).await).await.tokens();
        let csrf = hidden(&browser.get("/oauth/logout").await.body, "csrf");
        let form: Vec<_> = [("csrf", csrf.as_str())].into_iter().chain(apps).collect();
        browser.post("/oauth/logout", &form).await;
        let told = browser.get("/oauth/logout").await.body;
        assert!(
            told.contains(if apps.is_some() { "Signed out as well: Shop" } else { "Shop keeps its own" }),
            "{told}"
        );
        assert_eq!(api.finds_active(&tokens.access).await, apps.is_none());
    }
}

/// C-091: the old cookie is useless afterwards.
#[actix_rt::test]
async fn the_old_cookie_is_useless_after_signing_out() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let old = browser.cookie("as").unwrap();
    let csrf = hidden(&browser.get("/oauth/logout").await.body, "csrf");
    browser.post("/oauth/logout", &[("csrf", &csrf)]).await;
    browser.set_cookie("as", &old);
    assert!(!browser.get("/oauth/").await.body.contains("alice"));
    let again = browser.post("/oauth/logout", &[("csrf", &csrf)]).await;
    assert_eq!((again.status, again.header("location")), (303, "/oauth/logout"), "a second click harms nothing");
}

/// another site can't sign anybody out.
#[actix_rt::test]
async fn another_site_signs_nobody_out() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let csrf = hidden(&browser.get("/oauth/logout").await.body, "csrf");
    is_error_page(&browser.post("/oauth/logout", &[]).await, 403);
    is_error_page(&browser.post_from("cross-site", "/oauth/logout", &[("csrf", &csrf)]).await, 403);
    assert!(browser.get("/oauth/").await.body.contains("alice"));
}
