//! GET and POST /authorize: what is refused, where it is told, and what a success carries.

use serde_json::json;

use crate::support::{Answer, Browser, CALLBACK, Server, encode, hidden};
use crate::{
    HOME, answered, asking, asking_with, authorize_form, authorize_path, decide, is_error_page, open, to_consent,
};

async fn anonymous(server: &Server) -> Browser {
    Browser::new(&server.url, server.http.clone())
}

/// G-008: until client and redirect URI are proved, nothing is redirected; the user sees
/// whose fault it is, and no registered value.
#[actix_rt::test]
async fn a_request_whose_client_or_target_is_not_proved_is_a_page_and_no_redirect() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let disabled = asking(&server).await;
    server.change_client(&disabled.id, |client| client.disabled = true).await;
    let two = crate::asking_with(&server, json!({"redirect_uris": [CALLBACK, "https://shop.example/other"]})).await;
    let browser = anonymous(&server).await;
    let long = "s".repeat(4097);
    let evil = "https://evil.example/cb";
    for (path, check) in [
        (authorize_path(&client, &[("client_id", "")]), "client_id is missing"),
        (authorize_path(&client, &[("client_id", "nobody")]), "client_id is not"),
        (authorize_path(&disabled, &[]), "client_id is not"),
        (format!("{}&client_id={}", authorize_path(&client, &[]), client.id), "client_id is given more than once"),
        (authorize_path(&client, &[("redirect_uri", evil)]), "redirect_uri is not registered"),
        (
            authorize_path(&client, &[("redirect_uri", "https://shop.example/callback/")]),
            "redirect_uri is not registered",
        ),
        (authorize_path(&client, &[("redirect_uri", "javascript:alert(1)")]), "redirect_uri is not registered"),
        (format!("{}&redirect_uri={}", authorize_path(&client, &[]), encode(CALLBACK)), "redirect_uri is given more"),
        (authorize_path(&two, &[("redirect_uri", "")]), "redirect_uri is missing"),
        (authorize_path(&client, &[("state", &long)]), "state is longer"),
        (format!("{}&x=%zz", authorize_path(&client, &[])), "bad percent-encoding"),
    ] {
        let answer = browser.get(&path).await;
        is_error_page(&answer, 400);
        assert!(answer.body.contains(check), "{path}: {}", answer.body);
        assert!(!answer.body.contains("evil.example") && !answer.body.contains("shop.example"), "{}", answer.body);
        assert!(answer.body.contains("You did nothing wrong"), "{}", answer.body);
    }
}

/// with one registered redirect URI, it may be left out.
#[actix_rt::test]
async fn the_only_registered_redirect_uri_may_be_left_out() {
    let server = Server::start().await;
    let client = server.shop().await;
    let alice = server.user("alice").await;
    let code = alice.authorize_with(&client, &[("redirect_uri", "")]).await;
    assert!(!code.text.is_empty());
}

/// other faults go to the client with state and iss, before any login page.
#[actix_rt::test]
async fn faults_behind_a_proved_target_are_told_to_the_client() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let browser = anonymous(&server).await;
    for (changes, error) in [
        ([("response_type", "")], "invalid_request"),
        ([("response_type", "token")], "unsupported_response_type"),
        ([("scope", "read delete")], "invalid_scope"),
        ([("scope", "openid")], "invalid_scope"),
        ([("code_challenge", "")], "invalid_request"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge", "short")], "invalid_request"),
        ([("resource", "https://other.example")], "invalid_target"),
        ([("request", "x")], "request_not_supported"),
        ([("request_uri", "urn:x")], "request_uri_not_supported"),
        ([("response_mode", "form_post")], "invalid_request"),
    ] {
        let answer = browser.get(&authorize_path(&client, &changes)).await;
        let told = answered(&answer);
        assert_eq!(told["error"], error, "{changes:?}");
        assert_eq!(told["state"], "st");
        assert_eq!(told["iss"], server.url);
        assert!(!told["error_description"].is_empty() && !told.contains_key("code"));
        assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    }
    let silent = answered(&browser.get(&authorize_path(&client, &[("state", ""), ("scope", "nothing")])).await);
    assert!(!silent.contains_key("state"), "{silent:?}");
}

/// a public client never goes without PKCE, a confidential one only where its registration says so.
#[actix_rt::test]
async fn only_a_confidential_client_set_so_may_leave_out_the_challenge() {
    let server = Server::start().await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let browser = anonymous(&server).await;
    for metadata in [json!({"token_endpoint_auth_method": "none"}), json!({})] {
        let client = asking_with(&server, metadata).await;
        let told = answered(&browser.get(&authorize_path(&client, &without)).await);
        assert_eq!(told["error"], "invalid_request", "{told:?}");
    }
    let set_so = asking_with(&server, json!({"require_pkce": false})).await;
    assert_eq!(open(&browser, &set_so, &without).await.status, 200);
}

/// the answer is appended to the registered query; state comes back byte by byte.
#[actix_rt::test]
async fn a_success_carries_code_state_and_issuer() {
    let server = Server::start().await;
    let uri = "https://shop.example/cb?tenant=a%2Fb";
    let client = server.client(json!({"redirect_uris": [uri]})).await;
    let alice = server.user("alice").await;
    let state = "ä&=+%20\u{1f332} x";
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let answer = browser.get(&authorize_path(&client, &[("redirect_uri", uri), ("state", state)])).await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location");
    assert!(location.starts_with(&format!("{uri}&code=oac_")), "{location}");
    let pairs: Vec<(String, String)> = url::Url::parse(location).unwrap().query_pairs().into_owned().collect();
    assert!(pairs.contains(&("state".to_owned(), state.to_owned())));
    assert!(pairs.contains(&("iss".to_owned(), server.url.clone())));
    assert_eq!(server.get("/.well-known/oauth-authorization-server").await.ok()["issuer"], server.url);
}

/// a native app's loopback port is its own.
#[actix_rt::test]
async fn a_native_app_gets_its_answer_at_the_port_it_listens_on() {
    let server = Server::start().await;
    let native = json!({"token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1/cb"]});
    let client = crate::asking_with(&server, native).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let changes = [("redirect_uri", "http://127.0.0.1:51004/cb")];
    let page = crate::to_consent(&browser, &alice, &client, &changes).await;
    let answer = crate::decide(&browser, &page, "allow").await;
    assert!(answer.header("location").starts_with("http://127.0.0.1:51004/cb?code="), "{}", answer.header("location"));
}

/// POST means the same as GET; the browser is led on by GET, so that its session is seen although the post came from
/// another site without cookies.
#[actix_rt::test]
async fn a_request_posted_from_the_clients_site_goes_on_in_the_browsers_session() {
    let server = Server::start().await;
    let client = server.shop().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let without_cookies = anonymous(&server).await;
    let posted = without_cookies.post("/oauth/authorize", &authorize_form(&client, &[])).await;
    assert_eq!((posted.status, posted.header("set-cookie")), (303, ""));
    let onward = posted.header("location").to_owned();
    assert!(onward.starts_with("/oauth/authorize/continue?tx=tx_"), "{onward}");
    assert!(answered(&browser.get(&onward).await).contains_key("code"));
    let refused = without_cookies.post("/oauth/authorize", &authorize_form(&client, &[("scope", "x")])).await;
    assert_eq!(answered(&refused)["error"], "invalid_scope");
    let page = without_cookies.post("/oauth/authorize", &authorize_form(&client, &[("client_id", "x")])).await;
    is_error_page(&page, 400);
    let browser = anonymous(&server).await;
    let login = crate::follow(&browser, browser.post("/oauth/authorize", &authorize_form(&client, &[])).await).await;
    assert!(login.body.contains("name=\"password\""), "{}", login.body);
}

/// G-002: an outage of the store is told to the client where it is known, and to people by a page that needs
/// no store.
#[actix_rt::test]
async fn an_outage_of_the_store_is_temporarily_unavailable() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let browser = anonymous(&server).await;
    let login = open(&browser, &client, &[]).await;
    server.stored.lose("expiring");
    let told = answered(&browser.get(&authorize_path(&client, &[])).await);
    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("temporarily_unavailable", "st"));
    let page: Answer = browser.get("/oauth/login").await;
    is_error_page(&page, 503);
    assert!(!page.header("retry-after").is_empty() && !page.body.contains("expiring"), "{}", page.body);
    server.find_store_again("expiring").await;
    let again = crate::fill_in(&browser, &login, "nobody", "wrong").await;
    assert_eq!(again.status, 401, "the login page opened before the outage still works");
}

/// the answer to the consent page, too, tells the client of an outage, and of a fault of ours.
#[actix_rt::test]
async fn an_outage_at_the_consent_page_is_told_to_the_client() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[]).await;
    // A cluster that is lost knows no session either, so that there is no client to tell.
    if server.stored.file().is_some() {
        server.stored.lose("consent");
        let told = answered(&decide(&browser, &page, "allow").await);
        assert_eq!((told["error"].as_str(), told["state"].as_str()), ("temporarily_unavailable", "st"));
        server.find_store_again("consent").await;
    }
    server.stored.damage_consent(&alice.id, &client.id).await;
    let told = answered(&decide(&browser, &page, "allow").await);
    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("server_error", "st"));
    let tx = hidden(&page.body, "tx");
    let told = answered(&browser.get(&format!("/oauth/authorize/continue?tx={tx}")).await);
    assert_eq!((told["error"].as_str(), told["state"].as_str()), ("server_error", "st"));
    server.stored.remove_consents().await;
    assert!(answered(&decide(&browser, &page, "allow").await).contains_key("code"), "nothing was half done");
}

/// the link of a page that can't go on leads to the client.
#[actix_rt::test]
async fn a_request_of_a_client_that_was_disabled_meanwhile_stops() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let login = open(&browser, &client, &[]).await;
    server.change_client(&client.id, |client| client.disabled = true).await;
    let answer = crate::fill_in(&browser, &login, &alice.username, &alice.password).await;
    is_error_page(&answer, 400);
    assert!(!answer.body.contains(HOME));
}
