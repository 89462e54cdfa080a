//! What an error tells a client's developer, and what it keeps from a guesser (G-009).

use serde_json::{Value, json};

use crate::support::{Answer, Server, basic, challenge, query};

fn told(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", answer.body));
    body["error_description"].as_str().unwrap_or_else(|| panic!("nothing is told: {}", answer.body)).to_owned()
}

/// G-009: what is wrong with a request is told by its name, so that a developer finds it at once.
#[actix_rt::test]
async fn an_error_of_the_token_endpoint_names_the_failed_check() {
    let server = Server::start().await;
    let (shop, robot) = (server.shop().await, server.robot().await);
    let code = ("grant_type", "authorization_code");
    let machine = ("grant_type", "client_credentials");
    let many = "x4 x3 x2 x1 read";
    for (answer, expected) in [
        (shop.token(&[("scope", "read")]).await, "grant_type is missing"),
        (shop.token(&[code, code]).await, "grant_type is given more than once"),
        (shop.token(&[("grant_type", "magic")]).await, "this grant_type is not supported"),
        (shop.token(&[code]).await, "code is missing"),
        (shop.token(&[("grant_type", "refresh_token")]).await, "refresh_token is missing"),
        (shop.token(&[machine]).await, "this client may not use this grant"),
        (robot.token(&[machine, ("scope", "a\"b")]).await, "scope is malformed"),
        (
            robot.token(&[machine, ("scope", "unheard-of")]).await,
            "scope names unheard-of, which this server does not know",
        ),
        (robot.token(&[machine, ("scope", many)]).await, "scope names x1, x2, x3, others, which this server"),
        (robot.token(&[machine, ("scope", "admin")]).await, "scope names admin, which"),
        (robot.token(&[machine, ("resource", "no uri")]).await, "resource: "),
        (robot.token(&[machine, ("client_id", "other")]).await, "client_id differs"),
        (robot.token(&[machine, ("client_secret", "x")]).await, "more than one way"),
        (robot.post("/introspect", &[("x", "y")]).await, "token is missing"),
        (robot.post("/introspect", &[("token", "x")]).await, "this client may not introspect tokens"),
        (server.post("/token?code=x", &[machine]).await, "code must be sent in the body, never in the URL"),
    ] {
        assert!((400..500).contains(&answer.status), "{expected}: {}", answer.status);
        assert!(told(&answer).contains(expected), "{expected} is not in {}", told(&answer));
    }
    let request = server.http.post(server.endpoint("/token")).header("content-type", "application/json").body("{}");
    assert!(told(&Answer::of(request).await).contains("application/x-www-form-urlencoded"));
    let request = server.http.post(server.endpoint("/token")).form(&[("a", "x".repeat(70_000))]);
    assert!(told(&Answer::of(request).await).contains("65536 bytes"));
}

/// G-009, A-041: the same for what goes back to the client by a redirect.
#[actix_rt::test]
async fn an_error_of_the_authorization_endpoint_names_the_failed_check() {
    let server = Server::start().await;
    let shop = server.shop().await;
    let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    for (name, value, expected) in [
        ("response_type", "", "response_type"),
        ("response_type", "token", "response_type"),
        ("scope", "unheard-of", "scope names unheard-of"),
        ("code_challenge", "", "code_challenge"),
        ("code_challenge", "short", "code_challenge"),
        ("code_challenge_method", "plain", "S256"),
        ("resource", "https://other.example", "resource"),
    ] {
        let base = [
            ("response_type", "code"),
            ("client_id", shop.id.as_str()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let change = [(name, value)];
        let form = crate::support::overlaid(&base, &change);
        let answer = server.get(&format!("/oauth/authorize?{}", query(&form))).await;
        let location = url::Url::parse(answer.header("location")).unwrap();
        let description = location.query_pairs().find(|(name, _)| name == "error_description").unwrap().1;
        assert!(description.contains(expected), "{name}={value}: {description}");
    }
}

/// G-009, B-027, B-040: where the reason would help a guesser, all reasons are told alike.
#[actix_rt::test]
async fn secrets_users_and_codes_are_refused_without_a_reason() {
    let server = Server::with("password_grant = true").await;
    let (shop, other, alice) = (server.shop().await, server.shop().await, server.user("alice").await);
    let legacy = server.client(json!({"redirect_uris": [], "grant_types": ["password"]})).await;
    let code = alice.authorize(&shop).await;
    let tokens = alice.tokens(&shop).await;
    let grants = [
        shop.redeem_with(&code, &[("code", "oac_unknown")]).await,
        shop.redeem_with(&code, &[("redirect_uri", "https://shop.example/other")]).await,
        shop.redeem_with(&code, &[("code_verifier", &"a".repeat(43))]).await,
        other.redeem(&code).await,
        shop.refresh("ort_unknown").await,
        other.refresh(&tokens.refresh).await,
        legacy.password("alice", "wrong").await,
        legacy.password("nobody", "wrong").await,
    ];
    let first = told(&grants[0]);
    for answer in &grants {
        answer.refused("invalid_grant");
        assert_eq!(told(answer), first);
    }
    let authenticate = async |id: &str, secret: &str| {
        let request = server.http.post(server.endpoint("/token")).header("authorization", basic(id, secret));
        told(&Answer::of(request.form(&[("grant_type", "refresh_token"), ("refresh_token", "x")])).await)
    };
    let unknown = authenticate("nobody", "secret").await;
    assert_eq!(authenticate(&shop.id, "wrong").await, unknown);
    server.change_client(&other.id, |client| client.disabled = true).await;
    assert_eq!(authenticate(&other.id, other.secret.as_deref().unwrap()).await, unknown);
}
