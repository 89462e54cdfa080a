//! The consent page: what it tells, what it takes, when it is skipped.

use serde_json::json;

use crate::support::{CALLBACK, Server, hidden};
use crate::{answered, asking, asking_with, decide, follow, is_page, open, to_consent};

/// who asks, where it leads, who is signed in, and one plain sentence per scope; both buttons weigh the same.
#[actix_rt::test]
async fn the_page_tells_who_asks_for_what() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[("scope", "read write")]).await;
    is_page(&page, 200);
    for part in ["Allow Shop to use your account?", "shop.example", "<strong>alice</strong>", "Not you?"] {
        assert!(page.body.contains(part), "{part} is missing in {}", page.body);
    }
    assert!(page.body.contains("<li>Text of read.</li>") && page.body.contains("<li>Text of write.</li>"));
    assert!(!page.body.contains("Text of manage."));
    assert!(page.body.contains("<button name=\"decision\" value=\"deny\">Deny</button>"));
    assert!(page.body.contains("<button name=\"decision\" value=\"allow\">Allow</button>"));
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with("form-action 'self' https://shop.example"), "{policy}");
}

/// also the login page's form may lead through to the client; other pages' forms may not.
#[actix_rt::test]
async fn the_forms_policy_names_the_origin_of_the_transactions_target() {
    let server = Server::start().await;
    let uris = json!({"redirect_uris": ["https://shop.example:8443/cb", "com.example.app:/cb"]});
    let client = asking_with(&server, uris).await;
    let alice = server.user("alice").await;
    for (uri, source) in
        [("https://shop.example:8443/cb", "https://shop.example:8443"), ("com.example.app:/cb", "com.example.app:")]
    {
        let page = open(&alice.browser(), &client, &[("redirect_uri", uri)]).await;
        let policy = page.header("content-security-policy");
        assert!(policy.ends_with(&format!("form-action 'self' {source}")), "{policy}");
    }
    let page = alice.browser().get("/oauth/login").await;
    assert!(page.header("content-security-policy").ends_with("form-action 'self'"));
}

/// a no is told to the client, and is no yes for the next time.
#[actix_rt::test]
async fn a_denial_is_told_to_the_client() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[]).await;
    let told = answered(&decide(&browser, &page, "deny").await);
    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("access_denied", "st"));
    assert_eq!(told["iss"], server.url);
    assert!(open(&browser, &client, &[]).await.body.contains("decision"), "it is asked again");
}

/// scopes in the form's body add nothing.
#[actix_rt::test]
async fn scopes_in_the_form_are_ignored() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let verifier = shared::random::random_token("");
    let challenge = crate::challenge(&verifier);
    let page = to_consent(&browser, &alice, &client, &[("code_challenge", &challenge)]).await;
    let (csrf, tx) = (hidden(&page.body, "csrf"), hidden(&page.body, "tx"));
    let form = [("csrf", csrf.as_str()), ("tx", &tx), ("decision", "allow"), ("scope", "read write manage")];
    let code = answered(&browser.post("/oauth/consent", &form).await)["code"].clone();
    let code = crate::support::Code { text: code, verifier, redirect_uri: CALLBACK.to_owned() };
    assert_eq!(client.redeem(&code).await.tokens().scope, "read");
}

/// what was allowed is remembered; a wider request asks again, and adds to it.
#[actix_rt::test]
async fn a_remembered_consent_covers_no_more_than_was_allowed() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[("scope", "read")]).await;
    decide(&browser, &page, "allow").await;
    assert!(answered(&open(&browser, &client, &[("scope", "read")]).await).contains_key("code"));
    let wider = open(&browser, &client, &[("scope", "read write")]).await;
    assert!(wider.body.contains("Text of write."), "{}", wider.body);
    decide(&browser, &wider, "allow").await;
    assert!(answered(&open(&browser, &client, &[("scope", "write read")]).await).contains_key("code"));
    let bob = server.user("bob").await;
    to_consent(&bob.browser(), &bob, &client, &[]).await;
}

/// first-party clients don't ask, but a public one on the user's device always does.
#[actix_rt::test]
async fn a_public_native_client_is_asked_about_every_time() {
    let server = Server::start().await;
    let native = json!({
        "token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/cb", CALLBACK], "first_party": true,
    });
    let client = server.client(native).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let loopback = [("redirect_uri", "http://127.0.0.1:4711/cb")];
    for _ in 0..2 {
        let page = open(&browser, &client, &loopback).await;
        assert!(page.body.contains("name can't be proven"), "{}", page.body);
        let answer = decide(&browser, &page, "allow").await;
        assert!(answer.header("location").starts_with("http://127.0.0.1:4711/cb?code="));
    }
    assert!(answered(&open(&browser, &client, &[]).await).contains_key("code"), "a web address is proven");
}

/// A-066, G-004: names are escaped wherever they stand.
#[actix_rt::test]
async fn a_name_with_markup_is_shown_as_text() {
    let server = Server::start().await;
    let client = asking_with(&server, json!({"client_name": "<script>alert(1)</script> & \"co\""})).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let login = open(&browser, &client, &[]).await;
    let consent = follow(&browser, crate::fill_in(&browser, &login, &alice.username, &alice.password).await).await;
    decide(&browser, &consent, "allow").await;
    let answered = decide(&browser, &consent, "allow").await;
    for page in [&login, &consent, &answered] {
        assert!(!page.body.contains("<script") && page.body.contains("&lt;script&gt;"), "{}", page.body);
    }
}

/// B-076: a scope that needs a role is neither shown nor given to those who lack it.
#[actix_rt::test]
async fn scopes_of_a_role_are_offered_to_its_holders() {
    let server = Server::start().await;
    let client = asking_with(&server, json!({"scope": "read manage"})).await;
    let alice = server.user("alice").await;
    let admin = server.user_with("root", crate::support::PASSWORD, &["admin"]).await;
    let page = to_consent(&alice.browser(), &alice, &client, &[("scope", "read manage")]).await;
    assert!(!page.body.contains("Text of manage."));
    let page = to_consent(&admin.browser(), &admin, &client, &[("scope", "read manage")]).await;
    assert!(page.body.contains("Text of manage."));
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let told = answered(&open(&browser, &client, &[("scope", "manage")]).await);
    assert_eq!(told["error"], "access_denied");
}

/// "Not you?" signs out and asks for another account, for the same request.
#[actix_rt::test]
async fn not_you_goes_on_with_another_account() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[("state", "same")]).await;
    let (csrf, tx) = (hidden(&page.body, "csrf"), hidden(&page.body, "tx"));
    let old = browser.cookie("as").unwrap();
    let login = follow(&browser, browser.post("/oauth/logout", &[("csrf", &csrf), ("tx", &tx)]).await).await;
    assert!(login.body.contains("name=\"password\"") && browser.cookie("as").unwrap() != old);
    let page = follow(&browser, crate::fill_in(&browser, &login, &bob.username, &bob.password).await).await;
    assert!(page.body.contains("<strong>bob</strong>"), "{}", page.body);
    assert_eq!(answered(&decide(&browser, &page, "allow").await)["state"], "same");
}
