//! What people see, over real sockets, by the rules of the OAuth contract.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod audit;
mod authorize;
mod consent;
mod console;
mod console_users;
mod declare;
mod errors;
mod escaping;
mod login;
mod logout;
mod passwords;
mod races;
mod setup;
mod templates;
mod throttling;
mod timed;
mod transactions;

use serde_json::{Value, json};
use support::{Answer, Browser, CALLBACK, Client, Parameters, Person, Server, challenge, hidden, overlaid, query};

/// Where the test client lives; pages lead back there.
const HOME: &str = "https://shop.example/";

/// A client whose users are asked for consent.
async fn asking(server: &Server) -> Client {
    asking_with(server, json!({})).await
}

async fn asking_with(server: &Server, metadata: Value) -> Client {
    let mut all = json!({"first_party": false, "client_uri": HOME});
    for (name, value) in metadata.as_object().unwrap() {
        all[name] = value.clone();
    }
    server.client(all).await
}

/// An authorization request as a path, with parameters replaced or, where empty, left out.
fn authorize_path(client: &Client, changes: Parameters<'_>) -> String {
    format!("/oauth/authorize?{}", query(&authorize_form(client, changes)))
}

fn authorize_form<'a>(client: &'a Client, changes: Parameters<'a>) -> Vec<(&'a str, &'a str)> {
    let base = [
        ("response_type", "code"),
        ("client_id", client.id.as_str()),
        ("redirect_uri", CALLBACK),
        ("scope", "read"),
        ("state", "st"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    overlaid(Box::leak(Box::new(base)), changes)
}

/// Follows redirects within the server; the answer is the first page, or the redirect that leads out.
async fn follow(browser: &Browser, mut answer: Answer) -> Answer {
    for _ in 0..5 {
        let location = answer.header("location").to_owned();
        if answer.status != 303 || !location.starts_with('/') {
            return answer;
        }
        answer = browser.get(&location).await;
    }
    panic!("round in circles")
}

/// Opens an authorization request up to its first page.
async fn open(browser: &Browser, client: &Client, changes: Parameters<'_>) -> Answer {
    follow(browser, browser.get(&authorize_path(client, changes)).await).await
}

/// Fills in the login page that `page` is.
async fn fill_in(browser: &Browser, page: &Answer, username: &str, password: &str) -> Answer {
    let (csrf, tx) = (hidden(&page.body, "csrf"), hidden(&page.body, "tx"));
    let form = [("csrf", csrf.as_str()), ("tx", &tx), ("username", username), ("password", password)];
    browser.post("/oauth/login", &form).await
}

/// Signs in for the client and comes to the consent page.
async fn to_consent(browser: &Browser, person: &Person, client: &Client, changes: Parameters<'_>) -> Answer {
    let login = open(browser, client, changes).await;
    let page = follow(browser, fill_in(browser, &login, &person.username, &person.password).await).await;
    assert!(page.body.contains("name=\"decision\""), "{}", page.body);
    page
}

/// Answers the consent page that `page` is.
async fn decide(browser: &Browser, page: &Answer, decision: &str) -> Answer {
    let (csrf, tx) = (hidden(&page.body, "csrf"), hidden(&page.body, "tx"));
    browser.post("/oauth/consent", &[("csrf", &csrf), ("tx", &tx), ("decision", decision)]).await
}

/// The parameters that a redirect to the client carries.
#[track_caller]
fn answered(answer: &Answer) -> std::collections::BTreeMap<String, String> {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let location = answer.header("location");
    assert!(location.starts_with(CALLBACK), "{location}");
    url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

/// Checks that it is an HTML page with the headers of A-057.
#[track_caller]
fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    for part in
        ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"]
    {
        assert!(policy.contains(part), "{part} is missing in {policy}");
    }
    assert!(!policy.contains("unsafe") && policy.contains("script-src 'none'"), "{policy}");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
    assert!(!answer.body.contains("<script") && !answer.body.contains(" style="), "{}", answer.body);
}

/// Checks that it is an error page: what happened, a reference, and a way on (G-001, G-003).
#[track_caller]
fn is_error_page(answer: &Answer, status: u16) {
    is_page(answer, status);
    assert_eq!(answer.header("location"), "");
    assert!(answer.body.contains(answer.header("x-request-id")), "the reference is missing: {}", answer.body);
    assert!(answer.body.contains("<dt>Time</dt><dd>20"), "the time is missing: {}", answer.body);
    assert!(answer.body.contains("class=\"button primary\" href="), "a dead end: {}", answer.body);
}
