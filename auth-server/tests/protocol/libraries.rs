//! Client libraries that others wrote, against the server as it is: what they make of its answers is what their users see.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IntrospectionUrl,
    PkceCodeChallenge, RedirectUrl, RequestTokenError, RevocationUrl, Scope, TokenIntrospectionResponse as _,
    TokenResponse as _, TokenUrl,
};
use serde_json::{Value, json};

use crate::support::{API, CALLBACK, PASSWORD, Server};

/// The crate insists on https for revocation, so the server is known by such a name; what is sent to it goes to the test's.
const ISSUER: &str = "https://localhost:9";

/// Sends the crate's requests.
async fn send(server: &Server, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string().replacen(ISSUER, &server.url, 1);
    let request = server.http.request(parts.method, url).headers(parts.headers).body(body);
    let response = request.send().await?;
    let mut answer = HttpResponse::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes().await?.to_vec();
    Ok(answer)
}

/// B-004, B-020, B-040, B-043, B-070, B-090, C-005, C-020, C-040: the crate `oauth2` goes through the whole life of tokens,
/// finding its way by the metadata.
#[actix_rt::test]
async fn the_crate_oauth2_drives_the_whole_life_of_tokens() {
    let server = Server::with_issuer(ISSUER).await;
    let alice = server.user("alice").await;
    let shop =
        server.client(json!({"grant_types": ["authorization_code", "refresh_token", "client_credentials"]})).await;
    let api = server.api().await;
    let metadata: Value = server.get("/.well-known/oauth-authorization-server").await.ok();
    let endpoint = |name: &str| metadata[name].as_str().unwrap().to_owned();
    let of = |id: &str, secret: Option<&String>| {
        BasicClient::new(ClientId::new(id.to_owned()))
            .set_client_secret(ClientSecret::new(secret.unwrap().clone()))
            .set_auth_uri(AuthUrl::new(endpoint("authorization_endpoint")).unwrap())
            .set_token_uri(TokenUrl::new(endpoint("token_endpoint")).unwrap())
            .set_introspection_url(IntrospectionUrl::new(endpoint("introspection_endpoint")).unwrap())
            .set_revocation_url(RevocationUrl::new(endpoint("revocation_endpoint")).unwrap())
            .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap())
    };
    let (client, asker) = (of(&shop.id, shop.secret.as_ref()), of(&api.id, api.secret.as_ref()));
    let http = |request| send(&server, request);

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let scope = || Scope::new("read".to_owned());
    let (url, state) =
        client.authorize_url(CsrfToken::new_random).add_scope(scope()).set_pkce_challenge(challenge).url();
    let location = alice.browser().authorize(url.query().unwrap(), &alice).await;
    let answer: std::collections::BTreeMap<String, String> =
        url::Url::parse(&location).unwrap().query_pairs().into_owned().collect();
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), (state.secret().as_str(), ISSUER));
    let code = || AuthorizationCode::new(answer["code"].clone());
    let first = client.exchange_code(code()).set_pkce_verifier(verifier).request_async(&http).await.unwrap();
    assert_eq!(first.scopes().unwrap(), &[scope()]);
    assert!(first.expires_in().unwrap().as_secs() > 0);

    let told = asker.introspect(first.access_token()).request_async(&http).await.unwrap();
    assert!(told.active() && told.username() == Some("alice") && told.sub() == Some(&alice.id));
    assert_eq!(told.aud().unwrap(), &[API.to_owned()]);

    let second = client.exchange_refresh_token(first.refresh_token().unwrap()).request_async(&http).await.unwrap();
    assert_ne!(second.access_token().secret(), first.access_token().secret());
    client.revoke_token(second.refresh_token().unwrap().into()).unwrap().request_async(&http).await.unwrap();
    for token in [first.access_token(), second.access_token()] {
        assert!(!asker.introspect(token).request_async(&http).await.unwrap().active());
    }
    let gone = client.exchange_refresh_token(second.refresh_token().unwrap()).request_async(&http).await;
    let Err(RequestTokenError::ServerResponse(refusal)) = gone else { panic!("a revoked token was renewed") };
    assert_eq!(refusal.error().as_ref(), "invalid_grant");

    let own = client.exchange_client_credentials().add_scope(scope()).request_async(&http).await.unwrap();
    assert!(own.refresh_token().is_none());
    assert!(asker.introspect(own.access_token()).request_async(&http).await.unwrap().active());
    client.revoke_token(own.access_token().into()).unwrap().request_async(&http).await.unwrap();
    assert!(!asker.introspect(own.access_token()).request_async(&http).await.unwrap().active());
}

/// The same by Python's Authlib: `authlib_client.py`. scripts/test installs it and sets the variable.
#[actix_rt::test]
#[allow(clippy::disallowed_methods, reason = "tests are told by variables what is installed")]
async fn pythons_authlib_drives_the_whole_life_of_tokens() {
    let Ok(python) = std::env::var("TEST_AUTHLIB_PYTHON") else {
        assert!(std::env::var("CI").is_err(), "TEST_AUTHLIB_PYTHON must be set where CI is");
        eprintln!("skipped: TEST_AUTHLIB_PYTHON is not set");
        return;
    };
    let server = Server::start().await;
    server.user("alice").await;
    let grants = json!(["authorization_code", "refresh_token", "client_credentials"]);
    let shop = server.client(json!({"grant_types": grants, "first_party": false})).await;
    let api = server.api().await;
    let told = json!({
        "issuer": server.url, "redirect_uri": CALLBACK, "username": "alice", "password": PASSWORD,
        "client_id": shop.id, "client_secret": shop.secret, "api_id": api.id, "api_secret": api.secret,
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/authlib_client.py");
    let run = move || {
        let mut command = std::process::Command::new(python);
        command.arg(script).arg(told.to_string()).env("AUTHLIB_INSECURE_TRANSPORT", "1").output()
    };
    let output = actix_rt::task::spawn_blocking(run).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
