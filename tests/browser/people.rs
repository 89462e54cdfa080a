//! What people do at the auth-server's own pages, in a real Chromium.

use std::time::{Duration, Instant};

use crate::support::Running;
use crate::support::browser::Browser;
use crate::{api_status, recorded, sign_in};

/// An authorization request of the client app, as another window of it would make it.
fn authorize(running: &Running) -> String {
    let addresses = &running.stack.addresses;
    let callback = shared::form::encode(&format!("{}/callback", addresses.client));
    format!(
        "{}/oauth/authorize?response_type=code&client_id=c_app&redirect_uri={callback}&scope=cities:read&state=other\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        addresses.auth
    )
}

fn account(running: &Running, page: &str) -> String {
    format!("{}/oauth/account{page}", running.stack.addresses.auth)
}

/// Signs in to the client app, allowing what it asks for.
async fn into_the_app(browser: &Browser, running: &Running) {
    browser.open(&running.stack.addresses.client).await;
    browser.press("Sign in").await;
    sign_in(browser, running, "demo").await;
    browser.press("Allow").await;
    browser.sees("Your data").await;
}

/// G-007, A-053: two windows ask for a sign-in; the second answers, and the first goes on without asking again.
#[actix_rt::test]
async fn two_windows_of_one_browser_do_not_hinder_each_other() {
    let running = Running::start("").await;
    let browser = Browser::start().await;
    browser.open(&authorize(&running)).await;
    browser.find("#username").await;
    let first = browser.page.window().await.unwrap();
    let second = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(second).await.unwrap();
    browser.open(&authorize(&running)).await;
    sign_in(&browser, &running, "demo").await;
    browser.sees("to use your account?").await;
    browser.page.switch_to_window(first).await.unwrap();
    sign_in(&browser, &running, "demo").await;
    browser.sees("to use your account?").await;
    browser.press("Allow").await;
    browser.arrives_at(&running.stack.addresses.client).await;
    browser.no_complaints().await;
}

/// A-052, G-003: who takes too long is told so, and how to go on.
#[actix_rt::test]
async fn an_expired_sign_in_leads_back_to_the_app() {
    let running = Running::start("auth = { settings = { lifetimes = { transaction = 5 } } }").await;
    let browser = Browser::start().await;
    browser.open(&authorize(&running)).await;
    browser.find("#username").await;
    actix_rt::time::sleep(Duration::from_millis(5300)).await;
    sign_in(&browser, &running, "demo").await;
    browser.sees("This sign-in can't go on").await;
    browser.click("main a.button.primary").await;
    browser.no_complaints().await;
}

/// what was allowed once is not asked again, in another window or after signing out.
#[actix_rt::test]
async fn an_allowed_app_is_not_asked_about_again() {
    let running = Running::start("").await;
    let browser = Browser::start().await;
    into_the_app(&browser, &running).await;
    browser.press("Sign out").await;
    browser.sees("You are signed out").await;
    browser.open(&format!("{}/oauth/logout", running.stack.addresses.auth)).await;
    browser.press("Sign out").await;
    browser.sees("You are signed out").await;
    browser.open(&running.stack.addresses.client).await;
    browser.press("Sign in").await;
    sign_in(&browser, &running, "demo").await;
    browser.sees("Your data").await;
    browser.no_complaints().await;
}

/// F-013: a new password, and every other browser has to sign in again.
#[actix_rt::test]
async fn a_new_password_signs_out_all_other_browsers() {
    let running = Running::start("").await;
    let (here, there) = (Browser::start().await, Browser::start().await);
    for browser in [&here, &there] {
        browser.open(&account(&running, "")).await;
        sign_in(browser, &running, "demo").await;
        browser.sees("Your account").await;
    }
    here.press("Change password").await;
    here.fill("#current", "not my password").await;
    here.fill("#new", "a wholly new password").await;
    here.press("Set new password").await;
    here.sees("This is not your present password.").await;
    here.fill("#current", running.password("demo")).await;
    here.fill("#new", "a wholly new password").await;
    here.press("Set new password").await;
    here.sees("Your password is changed.").await;
    there.open(&account(&running, "")).await;
    there.find("#password").await;
    there.fill("#username", "demo").await;
    there.fill("#password", "a wholly new password").await;
    there.press("Sign in").await;
    there.sees("Your account").await;
    here.no_complaints().await;
    there.no_complaints().await;
}

/// F-053, F-054: from the account's pages a browser is signed out, and an app loses its access within the promised second.
#[actix_rt::test]
async fn the_account_ends_a_browsers_session_and_an_apps_access() {
    let (running, recorder) = recorded("").await;
    let (here, there) = (Browser::start().await, Browser::start().await);
    into_the_app(&here, &running).await;
    here.press("Cities").await;
    here.sees("Andorra la Vella").await;
    let token = recorder.tokens().last().unwrap().clone();
    assert_eq!(api_status(&running, &token).await, 200);
    there.open(&account(&running, "")).await;
    sign_in(&there, &running, "demo").await;
    there.sees("2").await;

    here.open(&account(&running, "/sessions")).await;
    here.sees("this browser").await;
    here.click("button[name=end]").await;
    here.sees("That browser is signed out.").await;
    there.open(&account(&running, "")).await;
    there.find("#password").await;

    here.press("Apps").await;
    here.sees("Read cities").await;
    here.click("button[name=app]").await;
    here.sees("No app has access").await;
    let end = Instant::now() + Duration::from_secs(30);
    while api_status(&running, &token).await != 401 {
        assert!(Instant::now() < end, "the token still opens the API");
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    here.open(&running.stack.addresses.client).await;
    here.no_complaints().await;
    there.no_complaints().await;
}

/// G-012: sign-in and consent by keyboard alone; what has the focus is where one expects it.
#[actix_rt::test]
async fn a_person_signs_in_and_allows_by_keyboard_alone() {
    let running = Running::start("").await;
    let browser = Browser::start().await;
    browser.open(&authorize(&running)).await;
    browser.find("#username").await;
    browser.types("demo\t").await;
    browser.types(running.password("demo")).await;
    browser.types("\n").await;
    browser.sees("to use your account?").await;
    // Skip link, mark, "Not you?", Deny, Allow.
    browser.types("\t\t\t\t\t").await;
    assert_eq!(browser.focused_text().await, "Allow");
    browser.types("\n").await;
    browser.arrives_at(&running.stack.addresses.client).await;
    browser.no_complaints().await;
}

/// G-012: at 400 % zoom, which is 320 pixels wide, nothing has to be scrolled sideways, in light and in dark; and no page makes
/// the browser complain.
#[actix_rt::test]
async fn no_page_scrolls_sideways_at_four_hundred_percent() {
    let running = Running::start("").await;
    let browser = Browser::start().await;
    let auth = &running.stack.addresses.auth;
    browser.looks_like(320, "light").await;
    for path in ["/", "/login", "/logout", "/nothing", "/authorize?client_id=nobody"] {
        browser.open(&format!("{auth}/oauth{path}")).await;
        browser.fits(path).await;
    }
    browser.open(&authorize(&running)).await;
    sign_in(&browser, &running, "admin").await;
    browser.sees("to use your account?").await;
    browser.fits("consent").await;
    browser.press("Allow").await;
    browser.arrives_at(&running.stack.addresses.client).await;
    for scheme in ["light", "dark"] {
        browser.looks_like(320, scheme).await;
        for path in [
            "/",
            "/account",
            "/account?done=elsewhere",
            "/account/sessions",
            "/account/apps",
            "/account/password",
            "/logout",
            "/management",
            "/management/users",
            "/management/users/new",
            "/management/clients",
            "/management/clients/new",
            "/management/clients/c_app",
            "/management/clients/c_app/edit",
            "/management/clients/c_app/rotate-secret",
            "/management/clients/c_app/delete",
            "/management/roles",
            "/management/scopes",
            "/management/scopes/new",
            "/management/scopes/edit?name=cities:read",
            "/management/audit",
            "/management/audit?from=2026-13-01&ip=x",
        ] {
            browser.open(&format!("{auth}/oauth{path}")).await;
            browser.fits(path).await;
        }
    }
    browser.no_complaints().await;
}
