//! Wrong passwords, and too many of them, in a real Chromium.

use fantoccini::Locator;

use crate::support::Running;
use crate::support::browser::Browser;

const ALERT: &str = "[role=alert]";

async fn attempt(browser: &Browser, password: &str) {
    browser.fill("#username", "demo").await;
    browser.fill("#password", password).await;
    browser.press("Sign in").await;
}

/// What a refused sign-in leaves behind: one message, the name kept, the password cleared and waiting for the keyboard.
async fn is_ready_for_another_try(browser: &Browser, message: &str) {
    browser.sees(message).await;
    let alerts = browser.page.find_all(Locator::Css(ALERT)).await.unwrap();
    assert_eq!(alerts.len(), 1, "one message");
    assert!(alerts[0].text().await.unwrap().contains(message));
    let value = async |selector: &str| browser.find(selector).await.prop("value").await.unwrap();
    assert_eq!(value("#username").await.as_deref(), Some("demo"));
    assert_eq!(value("#password").await.as_deref(), Some(""));
    let focused = browser.page.active_element().await.unwrap();
    assert_eq!(focused.attr("id").await.unwrap().as_deref(), Some("password"));
    assert!(browser.page.title().await.unwrap().starts_with("Error: "));
}

/// G-005: a wrong password is told once, and the next one can be typed at once.
#[actix_rt::test]
async fn a_wrong_password_can_be_corrected_by_typing_on() {
    let running = Running::start("").await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/oauth/login", running.stack.addresses.auth)).await;
    attempt(&browser, "not my password").await;
    is_ready_for_another_try(&browser, "User name or password is wrong.").await;
    for (field, described) in [("#username", "login-error"), ("#password", "login-error")] {
        let field = browser.find(field).await;
        assert_eq!(field.attr("aria-invalid").await.unwrap().as_deref(), Some("true"));
        assert_eq!(field.attr("aria-describedby").await.unwrap().as_deref(), Some(described));
    }
    browser.types(&format!("{}\n", running.password("demo"))).await;
    browser.sees("demo").await;
    browser.arrives_at(&format!("{}/oauth/", running.stack.addresses.auth)).await;
    browser.no_complaints().await;
}

/// G-006, F-042, F-046: whoever tried too often is told how long to wait, the right password or not; a browser that signed in
/// before still gets in.
#[actix_rt::test]
async fn too_many_attempts_are_told_and_do_not_lock_the_owner_out() {
    let running = Running::start("auth = { settings = { throttle = { network = 3 } } }").await;
    let login = format!("{}/oauth/login", running.stack.addresses.auth);
    let own = Browser::start().await;
    own.open(&login).await;
    attempt(&own, running.password("demo")).await;
    own.press("Sign out").await;
    own.sees("signed out").await;

    let stranger = Browser::start().await;
    stranger.open(&login).await;
    for _ in 0..3 {
        attempt(&stranger, "not my password").await;
        is_ready_for_another_try(&stranger, "User name or password is wrong.").await;
    }
    attempt(&stranger, running.password("demo")).await;
    is_ready_for_another_try(&stranger, "Too many attempts, try again in ").await;
    assert!(stranger.text().await.contains(" minutes."), "{}", stranger.text().await);

    own.open(&login).await;
    attempt(&own, running.password("demo")).await;
    own.press("Sign out").await;
    own.no_complaints().await;
    stranger.no_complaints().await;
}
