//! What is taken as a token, and what a refusal says.

use serde_json::{Value, json};

use crate::support::{Api, Ask, RESOURCE};

pub fn people() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": { "people": { "schema": { "name": { "type": "string" }, "access_token": { "type": "string" } } } }
    })
}

async fn api() -> Api {
    let api = Api::start(people(), |_| ()).await;
    api.auth.token("alice", "people:read people:write", json!({}));
    api
}

/// D-002, D-051, AUTH-02, AUTH-03 (decisions 17): no token, or another scheme: the challenge has no error, but says where the metadata are.
#[actix_rt::test]
async fn a_request_without_a_token_is_told_where_to_get_one() {
    let api = api().await;
    for header in ["", "Basic dTpw", "Token alice", "alice"] {
        let request = api.request("GET", "/people");
        let answer = if header.is_empty() { request } else { request.header("Authorization", header) }.answer().await;
        let challenge = answer.header("www-authenticate").to_owned();
        assert_eq!(answer.refused(401), "Please provide proper credentials", "{header}");
        assert!(challenge.starts_with("Bearer realm=\"resource-api\"") && !challenge.contains("error"), "{challenge}");
        let place = challenge.split("resource_metadata=\"").nth(1).unwrap().trim_end_matches('"');
        let path = place.strip_prefix(&api.url).unwrap();
        assert_eq!(api.get(path).await.is(200).json()["resource"], RESOURCE);
    }
    assert_eq!(api.auth.asked(), 0);
}

/// D-016 (decisions 4): bodies are Eve's, the challenge has the code; what is said in it is quoted and legal.
#[actix_rt::test]
async fn a_refusal_has_eves_body_and_a_legal_challenge() {
    let api = Api::start(people(), |config| config.name = "the \"shop\"\r\nX-Forged: 1 \\ ä".to_owned()).await;
    api.auth.token("reader", "people:read", json!({}));
    for (token, method, status, code) in [
        ("", "GET", 401, None),
        ("unknown", "GET", 401, Some("invalid_token")),
        ("reader", "POST", 403, Some("insufficient_scope")),
        ("a,b", "GET", 400, Some("invalid_request")),
    ] {
        let request = api.request(method, "/people");
        let answer = if token.is_empty() { request } else { request.token(token) }.answer().await;
        let challenge = answer.header("www-authenticate").to_owned();
        assert!(!answer.has("x-forged"));
        let mut parts = challenge.strip_prefix("Bearer ").unwrap().split("\", ").map(|part| part.trim_end_matches('"'));
        let realm = parts.next().unwrap().strip_prefix("realm=\"").unwrap();
        assert!(realm.starts_with("the 'shop'"), "{challenge}");
        for part in parts.clone().chain([realm]) {
            let value = part.split_once("=\"").map_or(part, |(_, value)| value);
            assert!(value.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{challenge}");
        }
        let told = parts.find_map(|part| part.strip_prefix("error=\""));
        assert_eq!(told, code, "{challenge}");
        let body = answer.is(status).json();
        assert_eq!((&body["_status"], &body["_error"]["code"]), (&json!("ERR"), &json!(status)));
        assert_eq!(body.as_object().unwrap().len(), 2);
    }
}

/// D-001: the scheme in any case.
#[actix_rt::test]
async fn the_scheme_may_be_written_in_any_case() {
    let api = api().await;
    for header in ["Bearer alice", "bearer alice", "BEARER alice"] {
        api.request("GET", "/people").header("Authorization", header).answer().await.is(200);
    }
}

/// D-003, D-004: malformed or doubled.
#[actix_rt::test]
async fn a_malformed_or_doubled_token_is_a_bad_request() {
    let api = api().await;
    let doubled = api.request("GET", "/people").token("alice").token("alice");
    let beside = api.request("GET", "/people?access_token=alice").token("alice");
    let encoded = api.request("GET", "/people?access%5Ftoken=alice").token("alice");
    let form = api.request("POST", "/people").token("alice").form(&[("access_token", "alice"), ("name", "x")]);
    let empty = api.request("GET", "/people").header("Authorization", "Bearer ");
    let illegal = api.request("GET", "/people").header("Authorization", "Bearer a,b");
    for request in [doubled, beside, encoded, form, empty, illegal] {
        let answer = request.answer().await;
        assert!(answer.header("www-authenticate").contains("error=\"invalid_request\""), "{answer:?}");
        answer.refused(400);
    }
}

/// D-004: a token in the query alone is none.
#[actix_rt::test]
async fn a_token_in_the_query_alone_is_not_read() {
    let api = api().await;
    let answer = api.get("/people?access_token=alice").await;
    assert!(!answer.header("www-authenticate").contains("error"));
    answer.refused(401);
    assert_eq!(api.auth.asked(), 0);
}

/// D-005, D-010: unknown, expired, meant for another or issued by another.
#[actix_rt::test]
async fn a_token_that_is_not_for_us_is_invalid() {
    let api = api().await;
    api.auth.token("expired", "people:read", json!({ "exp": 1 }));
    api.auth.token("elsewhere", "people:read", json!({ "aud": "https://other.test" }));
    api.auth.token("alien", "people:read", json!({ "iss": "https://other.test" }));
    api.auth.token("single", "people:read", json!({ "aud": RESOURCE }));
    for token in ["unknown", "expired", "elsewhere", "alien"] {
        let answer = api.request("GET", "/people").token(token).answer().await;
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.contains("error=\"invalid_token\"") && challenge.contains("resource_metadata="),
            "{challenge}"
        );
        answer.refused(401);
    }
    api.request("GET", "/people").token("single").answer().await.is(200);
}

/// AUTH-02 with its switch: Eve's own challenge beside ours.
#[actix_rt::test]
async fn the_basic_challenge_comes_only_when_the_domain_asks_for_it() {
    let plain = api().await.get("/people").await;
    assert_eq!(plain.headers.get_all("www-authenticate").iter().count(), 1);
    let mut domain = people();
    domain["COMPAT_BASIC_CHALLENGE"] = json!(true);
    let api = Api::start(domain, |_| ()).await;
    let answer = api.get("/people").await.is(401);
    let challenges: Vec<&str> =
        answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(challenges[0].starts_with("Bearer "));
    assert_eq!(challenges[1], "Basic realm=\"eve\"");
}

/// D-006, decisions 15: what a token was needed for is private.
#[actix_rt::test]
async fn answers_to_authorized_requests_are_private() {
    let api = api().await;
    let answer = api.request("GET", "/people").token("alice").answer().await.is(200);
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert_eq!(answer.header("vary"), "Authorization");
    let created = api.request("POST", "/people").token("alice").json(&json!({ "name": "x" })).answer().await.is(201);
    assert_eq!(created.header("cache-control"), "private, no-store");

    let mut domain = people();
    domain["CACHE_CONTROL"] = json!("public, max-age=20,must-revalidate");
    domain["CACHE_EXPIRES"] = json!(20);
    let api = Api::start(domain, |_| ()).await;
    api.auth.token("alice", "people:read people:write", json!({}));
    let answer = api.request("GET", "/people").token("alice").answer().await.is(200);
    assert_eq!(answer.header("cache-control"), "private, max-age=20, must-revalidate");
    assert!(answer.header("expires").ends_with("GMT"));
    let missing = api.request("GET", "/people/5f0000000000000000000abc").token("alice").answer().await.is(404);
    assert!(missing.header("cache-control").starts_with("private"));
}

/// D-006: so are refusals and the errors of authorized writes, whatever the domain says of reads.
#[actix_rt::test]
async fn refusals_and_errors_of_authorized_writes_are_private() {
    let mut domain = people();
    domain["CACHE_CONTROL"] = json!("public, max-age=20");
    domain["CACHE_EXPIRES"] = json!(20);
    domain["DOMAIN"]["people"]["schema"]["name"]["required"] = json!(true);
    let api = Api::start(domain.clone(), |_| ()).await;
    api.auth.token("alice", "people:read people:write", json!({})).token("reader", "people:read", json!({}));
    let path = api.request("POST", "/people").token("alice").json(&json!({ "name": "x" })).answer().await.is(201).id();
    let path = format!("/people/{path}");
    for (method, path, token, status) in [
        ("GET", "/", "", 401),
        ("GET", "/people", "", 401),
        ("GET", "/people", "unknown", 401),
        ("POST", "/people", "", 401),
        ("POST", "/people", "reader", 403),
        ("POST", "/people", "alice", 422),
        ("PATCH", &path, "alice", 428),
        ("DELETE", "/people", "reader", 403),
    ] {
        let request = api.request(method, path).json(&json!({}));
        let answer = if token.is_empty() { request } else { request.token(token) }.answer().await.is(status);
        assert_eq!(answer.header("cache-control"), "private, no-store", "{method} {path} {token}");
        assert_eq!(answer.header("vary"), "Authorization", "{method} {path} {token}");
        assert!(!answer.has("expires"), "{method} {path} {token}");
    }
    // Nobody is refused where everything is open.
    let api = Api::start(domain, |config| config.auth.mode = resource_api::config::AuthMode::None).await;
    let answer = api.post("/people", json!({})).await.is(422);
    assert!(!answer.has("cache-control") && !answer.has("vary"));
    assert_eq!(api.get("/people/nobody").await.is(404).header("cache-control"), "public, max-age=20");
}

/// D-050, D-052: metadata and health need no token.
#[actix_rt::test]
async fn metadata_and_health_are_open() {
    let api = Api::start(people(), |config| config.resource = Some("https://api.test/v1".to_owned())).await;
    let answer = api.get("/.well-known/oauth-protected-resource/v1").await.is(200);
    assert_eq!(
        answer.json(),
        json!({
            "resource": "https://api.test/v1", "authorization_servers": [api.auth.url],
            "scopes_supported": ["people:read", "people:write"], "bearer_methods_supported": ["header"],
            "resource_name": "resource-api",
        })
    );
    api.get("/.well-known/oauth-protected-resource").await.is(404);
    api.get("/healthz").await.is(200);
    api.get("/readyz").await.is(200);
    api.get("/people").await.is(401);
    api.get("/").await.is(401);
    api.request("OPTIONS", "/people").answer().await.is(200);
}

/// D-040: the token is in no error and no log.
#[actix_rt::test]
async fn a_refusal_never_repeats_the_token() {
    let api = api().await;
    let answer = api.request("GET", "/people").token("very-secret-token").answer().await;
    assert!(!format!("{answer:?}").contains("very-secret-token"));
    answer.refused(401);
}
