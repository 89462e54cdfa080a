//! Signing in: what a failure tells, and what a success changes.

use std::time::Duration;

use shared::store::servers::{Life, in_time};

use crate::support::{Answer, Browser, PASSWORD, Server, hidden};
use crate::{answered, asking, fill_in, follow, is_error_page, is_page, open};

/// A page without what differs by chance: the form's token and the user name.
pub fn without_chance(answer: &Answer, username: &str) -> String {
    let csrf = hidden(&answer.body, "csrf");
    answer.body.replace(&csrf, "CSRF").replace(&format!("value=\"{username}\""), "value=\"NAME\"")
}

/// F-020, F-021, G-005: an unknown name, a wrong or empty password, a disabled account and one of the old scheme are told
/// apart by nothing; the name is kept, the password is not.
#[actix_rt::test]
async fn all_failed_sign_ins_look_the_same() {
    let server = Server::start().await;
    server.user("alice").await;
    let disabled = server.user("disabled").await;
    server.change_user(&disabled.id, |user| user.disabled = true).await;
    server.user_with_hash("legacy", "$2b$04$WApznUOJfkEGSmYRfnkrPOr466oFDCaj4b6HY3EXGvfxm43seyhgC").await;
    let mut seen = Vec::new();
    for (username, password) in [
        ("nobody", "wrong"),
        ("alice", "wrong"),
        ("alice", ""),
        ("nobody", ""),
        ("disabled", PASSWORD),
        ("legacy", "wrong"),
        ("no\u{7}name", "wrong"),
    ] {
        let browser = Browser::new(&server.url, server.http.clone());
        let answer = browser.attempt(username, password).await;
        is_page(&answer, 401);
        assert!(answer.body.contains("User name or password is wrong."), "{}", answer.body);
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains(&format!("value=\"{username}\"")));
        assert!(!answer.body.contains(PASSWORD) && answer.header("set-cookie").is_empty());
        let headers: Vec<String> = answer
            .headers
            .keys()
            .filter(|name| !matches!(name.as_str(), "x-request-id" | "date" | "content-length"))
            .map(ToString::to_string)
            .collect();
        seen.push((answer.status, headers, without_chance(&answer, username)));
    }
    for other in &seen[1..] {
        assert_eq!(other, &seen[0]);
    }
}

/// F-050, F-051, X-020: the cookie is out of reach of scripts and other sites, and new at sign-in; the old one is dead.
#[actix_rt::test]
async fn signing_in_changes_the_session_id() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = browser.get("/oauth/login").await;
    let cookie = page.header("set-cookie");
    for part in ["as=ses_", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part} is missing in {cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Expires"), "{cookie}");
    let before = browser.cookie("as").unwrap();
    let answer = browser.sign_in(&alice).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/"));
    let after = browser.cookie("as").unwrap();
    assert!(after != before && after.len() >= 43);
    assert!(browser.get("/oauth/").await.body.contains("<strong>alice</strong>"));
    let thief = alice.browser();
    thief.set_cookie("as", &before);
    assert!(!thief.get("/oauth/").await.body.contains("alice"), "the id of before is dead");
    thief.set_cookie("as", "ses_chosen-by-an-attacker");
    let given = thief.get("/oauth/login").await;
    assert!(given.header("set-cookie").contains("as=ses_") && !given.header("set-cookie").contains("chosen"));
}

/// F-050: under https the cookie is bound to the host.
#[actix_rt::test]
async fn under_https_the_cookie_has_the_host_prefix() {
    let server = Server::with_issuer("https://127.0.0.1:5001").await;
    let cookie = server.get("/oauth/login").await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-as=ses_") && cookie.contains("Secure"), "{cookie}");
}

/// F-052, X-021: a session outlives the server's process, and its id stands nowhere in the store.
#[actix_rt::test]
async fn a_session_survives_a_restart() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let server = server.restart().await;
    assert!(browser.get("/oauth/").await.body.contains("<strong>alice</strong>"));
    let id = browser.cookie("as").unwrap();
    let stored = server.stored.contents().await;
    assert!(!stored.windows(id.len()).any(|window| window == id.as_bytes()), "the session's id is stored");
}

/// F-052: a session ends when it was idle too long, and at its absolute end.
#[actix_rt::test]
async fn a_session_ends_by_itself() {
    for absolute in [Some(3600), None] {
        // Its age is told in whole seconds.
        let second = Duration::from_secs(1);
        in_time(2 * second, async |idle| {
            let (idle_seconds, absolute) = (idle.as_secs(), absolute.unwrap_or(idle.as_secs()));
            let settings = format!("lifetimes = {{ sso_idle = {idle_seconds}, sso_absolute = {absolute} }}");
            let server = Server::with(&settings).await;
            let alice = server.user("alice").await;
            let (browser, life) = (alice.browser(), Life::of(idle - second));
            browser.sign_in(&alice).await;
            let page = browser.get("/oauth/").await;
            if !life.lasts() {
                return None;
            }
            assert!(page.body.contains("alice"));
            life.ends(2 * second).await;
            assert!(!browser.get("/oauth/").await.body.contains("alice"), "{settings}");
            Some(())
        })
        .await;
    }
}

/// G-007: an old login form goes on silently where somebody is signed in; otherwise it comes back fresh, for the same
/// request.
#[actix_rt::test]
async fn an_old_login_form_is_no_dead_end() {
    let server = Server::start().await;
    let client = server.shop().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let login = open(&browser, &client, &[]).await;
    let stale = {
        let (tx, form) = (hidden(&login.body, "tx"), [("username", "alice"), ("password", PASSWORD)]);
        let form = [&form[..], &[("tx", &tx), ("csrf", "of-another-time")]].concat();
        browser.post("/oauth/login", &form).await
    };
    is_page(&stale, 403);
    assert!(stale.body.contains("no longer valid") && stale.body.contains("value=\"alice\""), "{}", stale.body);
    let answer = follow(&browser, fill_in(&browser, &stale, &alice.username, &alice.password).await).await;
    assert!(answered(&answer).contains_key("code"));
    let next = follow(&browser, fill_in(&browser, &login, "alice", "never looked at").await).await;
    is_error_page(&next, 400);
    assert!(next.body.contains("already answered"));
    let again = open(&browser, &client, &[]).await;
    assert!(answered(&again).contains_key("code"), "the session goes on");
}

/// G-010: without cookies there is a page that says so, and no loop.
#[actix_rt::test]
async fn blocked_cookies_are_explained() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let to_login = server.get(&crate::authorize_path(&client, &[])).await;
    let location = to_login.header("location").to_owned();
    assert!(location.starts_with("/oauth/login?tx="));
    for path in [location.clone(), location.replace("login", "consent")] {
        let page = server.get(&path).await;
        is_error_page(&page, 400);
        assert!(page.body.contains("blocks this site&#x27;s cookies"), "{}", page.body);
    }
    let without = server.http.post(server.endpoint("/login")).form(&[("username", "a"), ("password", "b")]);
    let page = Answer::of(without).await;
    is_error_page(&page, 400);
    assert!(page.body.contains("cookies"), "{}", page.body);
}

/// where a sign-in leads on to is a path of ours, whatever the link says.
#[actix_rt::test]
async fn a_sign_in_never_leads_to_another_host() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    for (next, expected) in [
        ("/oauth/management/users?q=a", "/oauth/management/users?q=a"),
        ("https://evil.example/", "/oauth/"),
        ("//evil.example/oauth/", "/oauth/"),
        ("/oauth/\\evil.example", "/oauth/"),
    ] {
        let browser = alice.browser();
        let page = browser.get(&format!("/oauth/login?next={}", crate::support::encode(next))).await;
        let form = [
            ("csrf", hidden(&page.body, "csrf")),
            ("next", hidden(&page.body, "next").replace("&#x2f;", "/").replace("&amp;", "&")),
            ("username", alice.username.clone()),
            ("password", alice.password.clone()),
        ];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(browser.post("/oauth/login", &form).await.header("location"), expected);
    }
}

pub async fn change_password(browser: &Browser, page: &Answer, current: &str, new: &str) -> Answer {
    let mut form = vec![("csrf", hidden(&page.body, "csrf")), ("current", current.to_owned()), ("new", new.to_owned())];
    for name in ["tx", "next"] {
        if page.body.contains(&format!("name=\"{name}\"")) {
            form.push((name, hidden(&page.body, name).replace("&#x2f;", "/")));
        }
    }
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/oauth/account/password", &form).await
}

/// F-014: a password that an admin set opens nothing but the page to change it.
#[actix_rt::test]
async fn a_password_set_by_an_admin_is_changed_before_any_code() {
    let server = Server::start().await;
    let client = server.shop().await;
    let alice = server.user_with("alice", PASSWORD, &["admin"]).await;
    server.change_user(&alice.id, |user| user.must_change = true).await;
    let browser = alice.browser();
    let login = open(&browser, &client, &[]).await;
    let page = follow(&browser, fill_in(&browser, &login, &alice.username, &alice.password).await).await;
    assert!(page.body.contains("Choose a new password"), "{}", page.body);
    let detour = follow(&browser, browser.get("/oauth/management").await).await;
    assert!(detour.body.contains("Choose a new password"), "{}", detour.body);
    let again = open(&browser, &client, &[]).await;
    assert!(again.body.contains("Choose a new password"), "{}", again.body);
    for (current, new, told) in [
        ("wrong", "another long password", "not your present password"),
        (PASSWORD, "short", "at least 15 characters"),
        (PASSWORD, PASSWORD, "differs from the present one"),
    ] {
        let refused = change_password(&browser, &page, current, new).await;
        is_page(&refused, 400);
        assert!(refused.body.contains(told) && refused.body.contains("aria-invalid"), "{}", refused.body);
    }
    let answer = follow(&browser, change_password(&browser, &page, PASSWORD, "another long password").await).await;
    assert!(answered(&answer).contains_key("code"));
    let mut changed = alice.clone();
    changed.password = "another long password".to_owned();
    assert_eq!(alice.browser().sign_in(&alice).await.status, 401);
    assert_eq!(changed.browser().sign_in(&changed).await.header("location"), "/oauth/");
}

/// F-013, B-084: a new password ends every other session and every grant.
#[actix_rt::test]
async fn a_new_password_ends_other_sessions_and_grants() {
    let server = Server::start().await;
    let client = server.shop().await;
    let api = server.api().await;
    let alice = server.user("alice").await;
    let tokens = alice.tokens(&client).await;
    let (here, elsewhere) = (alice.browser(), alice.browser());
    here.sign_in(&alice).await;
    elsewhere.sign_in(&alice).await;
    assert!(api.finds_active(&tokens.access).await);
    let page = here.get("/oauth/account/password").await;
    let answer = change_password(&here, &page, PASSWORD, "another long password").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/account?done=password"));
    assert!(here.get("/oauth/").await.body.contains("<strong>alice</strong>"));
    assert!(!elsewhere.get("/oauth/").await.body.contains("alice"));
    assert!(!api.finds_active(&tokens.access).await);
    client.refresh(&tokens.refresh).await.refused("invalid_grant");
}

/// F-051: disabling an account ends what it has open at once.
#[actix_rt::test]
async fn a_disabled_account_is_signed_out() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    server.change_user(&alice.id, |user| user.disabled = true).await;
    assert!(!browser.get("/oauth/").await.body.contains("alice"));
}

/// G-012: the form names its fields, says what fills them in, and needs no script.
#[actix_rt::test]
async fn the_form_is_made_for_keyboards_readers_and_password_managers() {
    let server = Server::start().await;
    let page = server.get("/oauth/login").await;
    for part in [
        "<html lang=\"en\">",
        "<label for=\"username\">",
        "<label for=\"password\">",
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
        "width=device-width, initial-scale=1",
        "href=\"#main\"",
        "autofocus",
    ] {
        assert!(page.body.contains(part), "{part} is missing in {}", page.body);
    }
    assert!(!page.body.contains("user-scalable") && !page.body.contains("maximum-scale"));
}
