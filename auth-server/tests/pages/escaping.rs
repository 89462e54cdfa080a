//! Markup in anything that is sent never comes back as markup (G-004).

use std::collections::BTreeSet;

use crate::support::{Answer, PASSWORD, Server, encode, hidden};
use crate::{asking, authorize_path, open};

/// Every address of the service, with the parameters it reads, in the query and in the form.
const ADDRESSES: &[(&str, &str)] = &[
    ("/", ""),
    (
        "/authorize",
        "client_id redirect_uri response_type scope state code_challenge code_challenge_method resource prompt max_age \
         login_hint nonce request request_uri response_mode",
    ),
    ("/authorize/continue", "tx"),
    ("/login", "tx next username password csrf"),
    ("/consent", "tx csrf decision"),
    ("/logout", "tx csrf apps client_id post_logout_redirect_uri"),
    ("/account", "done"),
    ("/account/notices", "notice csrf"),
    ("/account/sessions", "done end elsewhere csrf"),
    ("/account/apps", "done app grant csrf"),
    ("/account/password", "tx next current new csrf"),
    ("/management", "q after"),
    ("/management/users", "q after done username roles password csrf"),
    ("/management/users/new", "username roles"),
    ("/management/users/{id}", "done"),
    ("/management/users/{id}/edit", "username roles version csrf"),
    ("/management/users/{id}/sessions/{session}", "csrf"),
    ("/management/users/{id}/{action}", "own_password csrf version"),
    (
        "/management/clients",
        "q after done csrf client_name client_uri redirect_uris grant_types scope default_scope resources introspects \
         access_ttl token_endpoint_auth_method flags confirm",
    ),
    ("/management/clients/new", "client_name"),
    ("/management/clients/{id}", "done"),
    ("/management/clients/{id}/edit", "client_name client_uri redirect_uris scope access_ttl version confirm csrf"),
    ("/management/clients/{id}/secrets/{secret}", "csrf own_password"),
    ("/management/clients/{id}/{action}", "overlap own_password csrf version"),
    ("/management/roles", "q"),
    ("/management/scopes", "q done name text role csrf"),
    ("/management/scopes/new", "name text role"),
    ("/management/scopes/edit", "name text role csrf"),
    ("/management/scopes/delete", "name own_password csrf"),
    ("/management/grants", "user client after done"),
    ("/management/grants/{id}", "user client back csrf"),
    ("/management/audit", "kind who client ip since until from to after"),
    ("/management/audit/export", "kind who client ip since until from to"),
    ("/token", "grant_type client_id client_secret code redirect_uri scope refresh_token username resource"),
    ("/introspect", "token token_type_hint client_id"),
    ("/revoke", "token token_type_hint client_id"),
    ("/revocations", "client_id"),
];

const EVIL: [&str; 3] =
    ["\"><script>alert(1)</script>", "<script>alert(1)</script>", "'><SCRIPT src=//evil.example></SCRIPT>"];

#[track_caller]
fn is_harmless(answer: &Answer, sent: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{sent}");
    if answer.header("content-type").starts_with("text/html") {
        assert!(!answer.body.to_ascii_lowercase().contains("<script"), "{sent}: {}", answer.body);
        assert!(answer.header("content-security-policy").contains("script-src 'none'"), "{sent}");
    } else if !answer.body.is_empty() {
        let kind = answer.header("content-type");
        assert!(
            ["application/json", "application/x-ndjson"].iter().any(|safe| kind.starts_with(safe)),
            "{sent}: {kind}"
        );
    }
    assert!(answer.status < 500, "{sent}: {} {}", answer.status, answer.body);
    for value in answer.headers.values() {
        assert!(!value.to_str().unwrap_or_default().to_ascii_lowercase().contains("<script"), "{sent}: {value:?}");
    }
}

/// G-004: in every parameter of every endpoint, by query and by form, for strangers and for people who are signed in.
#[actix_rt::test]
async fn markup_in_any_parameter_of_any_endpoint_never_comes_back_as_markup() {
    let server = Server::start().await;
    let admin = server.user_with("root", PASSWORD, &["admin"]).await;
    let browser = admin.browser();
    let sign_in = async || {
        let mut page = browser.get("/oauth/account").await;
        if page.status != 200 {
            browser.sign_in(&admin).await;
            page = browser.get("/oauth/account").await;
        }
        hidden(&page.body, "csrf")
    };
    let mut csrf = sign_in().await;
    for (path, names) in ADDRESSES {
        let path = &path.replace("{id}", &admin.id).replace("{action}", "delete");
        let path = &path.replace("{session}", &encode(EVIL[1])).replace("{secret}", &encode(EVIL[1]));
        for (number, name) in names.split_whitespace().chain(["unknown"]).enumerate() {
            let evil = EVIL[number % EVIL.len()];
            let query = format!("/oauth{path}?{name}={}", encode(evil));
            let named = format!("/oauth{path}?{}=1", encode(evil));
            let twice = format!("{query}&{name}=2");
            for address in [&query, &named, &twice] {
                is_harmless(&browser.get(address).await, address);
                is_harmless(&server.get(address).await, address);
            }
            let address = format!("/oauth{path}");
            let sent = format!("POST {address} {name}={evil}");
            let form = if name == "csrf" { vec![("csrf", evil)] } else { vec![("csrf", csrf.as_str()), (name, evil)] };
            is_harmless(&browser.post(&address, &form).await, &sent);
            is_harmless(&server.post(path, &form).await, &sent);
            csrf = sign_in().await;
        }
    }
}

/// G-004: the same where a transaction is open, so that the pages for it are shown.
#[actix_rt::test]
async fn markup_in_an_open_transaction_never_comes_back_as_markup() {
    let server = Server::start().await;
    let (shop, alice) = (asking(&server).await, server.user("alice").await);
    for evil in EVIL {
        let browser = alice.browser();
        is_harmless(&open(&browser, &shop, &[("state", evil), ("login_hint", evil)]).await, evil);
        let login = open(&browser, &shop, &[]).await;
        let (csrf, tx) = (hidden(&login.body, "csrf"), hidden(&login.body, "tx"));
        let form = [("csrf", csrf.as_str()), ("tx", &tx), ("username", evil), ("password", evil)];
        is_harmless(&browser.post("/oauth/login", &form).await, evil);
        for name in ["scope", "response_type", "code_challenge", "code_challenge_method", "resource"] {
            let path = authorize_path(&shop, &[(name, evil)]);
            let answer = browser.get(&path).await;
            assert_eq!(answer.status, 303, "{path}");
            is_harmless(&answer, &path);
        }
    }
}

/// The list above is whole: it names every address of the two route tables.
#[test]
fn every_route_is_among_the_addresses() {
    let own = include_str!("../../src/routes.rs");
    let consoles = include_str!("../../src/management/routes.rs");
    let listed: BTreeSet<&str> = ADDRESSES.iter().map(|(path, _)| *path).collect();
    let paths = |routes: &'static str| routes.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
    let own = paths(own).filter(|path| !path.contains(['{', '.'])).map(str::to_owned);
    let named = own.chain(paths(consoles).map(|path| format!("/management{path}")));
    let missing: Vec<String> = named.filter(|path| !listed.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "list the parameters of {missing:?} in ADDRESSES");
}
