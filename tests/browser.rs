//! The whole path in a real Chromium, the client app and the auth-server on two host names.
#![allow(clippy::unwrap_used)]

#[path = "browser/console.rs"]
mod console;
#[path = "browser/guessing.rs"]
mod guessing;
#[path = "browser/people.rs"]
mod people;
mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::Running;
use support::browser::Browser;
use support::recorder::Recorder;

/// Access tokens live this long, in seconds.
const ACCESS: u64 = 3;

async fn sign_in(browser: &Browser, running: &Running, username: &str) {
    browser.fill("#username", username).await;
    browser.fill("#password", running.password(username)).await;
    browser.press("Sign in").await;
}

/// The stack with a recorder between the app and the API; `auth` is TOML for the auth-server's part.
async fn recorded(auth: &str) -> (Running, Recorder) {
    let target = Arc::new(Mutex::new(None));
    let recorder = Recorder::start(target.clone()).await;
    let settings = format!(
        "auth = {{ {auth} }}\napi = {{ tls = false }}\nclient = {{ settings = {{ api = '{}' }} }}",
        recorder.url
    );
    let running = Running::start(&settings).await;
    *target.lock().unwrap() = Some(running.stack.addresses.api.strip_prefix("http://").unwrap().parse().unwrap());
    (running, recorder)
}

async fn api_status(running: &Running, token: &str) -> u16 {
    let url = format!("{}/cities", running.stack.addresses.api);
    running.client().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
}

/// E-001 to E-045, E-060, A-050 to A-058, D-005, D-036: what a person does from the first click to the signed-out page.
#[actix_rt::test]
async fn a_person_signs_in_works_with_data_past_a_tokens_life_and_signs_out() {
    let auth = format!("host = 'localhost', settings = {{ lifetimes = {{ access = {ACCESS} }} }}");
    let (running, recorder) = recorded(&auth).await;
    let addresses = &running.stack.addresses;
    let browser = Browser::start().await;

    browser.open(&addresses.client).await;
    browser.press("Sign in").await;
    browser.find("#username").await;
    assert!(browser.url().await.starts_with("https://localhost:"), "{}", browser.url().await);
    sign_in(&browser, &running, "demo").await;
    browser.sees("Read cities").await;
    browser.press("Allow").await;
    browser.sees("Your data").await;
    let home = browser.url().await;
    assert_eq!(home.trim_end_matches('/'), addresses.client, "the code has left the address bar");

    browser.press("Cities").await;
    browser.sees("Andorra la Vella").await;
    browser.press("Andorra la Vella").await;
    browser.sees("20430").await;

    actix_rt::time::sleep(Duration::from_secs(ACCESS + 1)).await;
    browser.open(&format!("{}/data/countries", addresses.client)).await;
    browser.press("Andorra").await;
    browser.sees("Andorra la Vella").await;
    let tokens = recorder.tokens();
    assert!(tokens.len() >= 2, "the access token was refreshed: {} tokens were used", tokens.len());

    browser.press("Sign out").await;
    browser.sees("You are signed out").await;
    // The sign-in service still knows this browser until one signs out there, too.
    browser.open(&format!("{}/oauth/logout", addresses.auth)).await;
    browser.press("Sign out").await;
    browser.sees("signed out").await;
    browser.open(&format!("{}/data/cities", addresses.client)).await;
    browser.find("#password").await;
    browser.no_complaints().await;
}

/// A-028, E-015, A-058, E-060, D-005, D-036: after Deny the person is back in the app, with a way on; what a second try
/// brought is worth nothing once he signs out, long before the token's own end.
#[actix_rt::test]
async fn consent_is_denied_then_given_and_the_token_dies_with_the_sign_out() {
    let (running, recorder) = recorded("host = 'localhost'").await;
    let browser = Browser::start().await;
    browser.open(&running.stack.addresses.client).await;
    browser.press("Sign in").await;
    sign_in(&browser, &running, "demo").await;
    browser.press("Deny").await;
    browser.sees("did not allow").await;
    browser.press("Try again").await;
    browser.press("Allow").await;
    browser.sees("Your data").await;
    let token = recorder.tokens().last().unwrap().clone();
    assert_eq!(api_status(&running, &token).await, 200);
    browser.press("Sign out").await;
    browser.sees("You are signed out").await;
    // Dead at once at the auth-server, and at the API soon, long before its own end.
    let end = Instant::now() + Duration::from_secs(30);
    while api_status(&running, &token).await != 401 {
        assert!(Instant::now() < end, "the token still opens the API");
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    browser.no_complaints().await;
}
