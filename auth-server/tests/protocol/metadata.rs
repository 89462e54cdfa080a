//! C3: what the server says of itself.

use serde_json::{Value, json};

use crate::support::{Answer, Server};

const PATH: &str = "/.well-known/oauth-authorization-server";

/// C-040, C-041, C-043, C-044, C-045.
#[actix_rt::test]
async fn the_metadata_names_every_endpoint_below_the_issuer() {
    let server = Server::start().await;
    let answer = server.get(PATH).await;
    let told = answer.ok();
    assert_eq!(told["issuer"], server.url);
    for (name, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("introspection_endpoint", "/introspect"),
        ("revocation_endpoint", "/revoke"),
        ("revocation_feed_endpoint", "/revocations"),
    ] {
        assert_eq!(told[name], server.endpoint(path), "{name}");
    }
    for (name, value) in [
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("scopes_supported", json!(["manage", "read", "write"])),
        ("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post", "none"])),
        ("introspection_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post"])),
        ("revocation_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post", "none"])),
        ("ui_locales_supported", json!(["en"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    assert!(told["service_documentation"].as_str().unwrap().starts_with(&server.url));
    let control = answer.header("cache-control");
    let age: u64 = control.rsplit_once("max-age=").unwrap().1.parse().unwrap();
    assert!((300..=3600).contains(&age), "{control}");
    let again = server.http.get(format!("{}{PATH}", server.url)).header("if-none-match", answer.header("etag"));
    let again = Answer::of(again).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let head = Answer::of(server.http.request(reqwest::Method::HEAD, format!("{}{PATH}", server.url))).await;
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", answer.header("etag")));
}

async fn grants(server: &Server) -> Value {
    server.get(PATH).await.ok()["grant_types_supported"].clone()
}

/// C-042, B-061: a grant is listed exactly while it works.
#[actix_rt::test]
async fn only_what_works_is_listed() {
    let all = ["authorization_code", "refresh_token", "client_credentials"];
    let server = Server::start().await;
    assert_eq!(grants(&server).await, json!(all));
    let robot = server.robot().await;
    for unlisted in ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code"] {
        let form = [("grant_type", unlisted), ("username", "x"), ("password", "x")];
        robot.token(&form).await.refused("unsupported_grant_type");
    }
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let tokens = alice.tokens(&shop).await;
    shop.refresh(&tokens.refresh).await.tokens();
    for scope in ["read", "write"] {
        robot.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await.tokens();
    }
    let server = Server::with("password_grant = true").await;
    assert_eq!(grants(&server).await, json!([&all[..], &["password"]].concat()));
}

/// C-049: no pretended OpenID Connect.
#[actix_rt::test]
async fn there_is_no_openid_configuration() {
    let server = Server::start().await;
    assert_eq!(server.get("/.well-known/openid-configuration").await.status, 404);
}

/// C-042: each authentication method works at each endpoint that lists it, and no other.
#[actix_rt::test]
async fn each_listed_method_works_where_it_is_listed() {
    let server = Server::start().await;
    let told = server.get(PATH).await.ok();
    let spa = server.spa().await;
    for endpoint in ["token", "introspection", "revocation"] {
        let listed = told[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap().clone();
        for method in ["client_secret_basic", "client_secret_post", "none"] {
            let client = server
                .client(json!({
                    "token_endpoint_auth_method": if method == "none" { "client_secret_basic" } else { method },
                    "grant_types": ["client_credentials", "refresh_token"], "redirect_uris": [],
                    "introspects": [crate::support::API],
                }))
                .await;
            let path = match endpoint {
                "token" => "/token",
                "introspection" => "/introspect",
                _ => "/revoke",
            };
            let mut form = vec![("token", "x"), ("grant_type", "refresh_token"), ("refresh_token", "x")];
            let secret = client.secret.clone().unwrap();
            let answer = match method {
                "client_secret_basic" => client.post(path, &form).await,
                "client_secret_post" => {
                    form.extend([("client_id", client.id.as_str()), ("client_secret", secret.as_str())]);
                    server.post(path, &form).await
                }
                _ => spa.post(path, &form).await,
            };
            let authenticated = !answer.body.contains("invalid_client");
            assert_eq!(authenticated, listed.contains(&json!(method)), "{method} at {path}: {}", answer.body);
        }
    }
}
