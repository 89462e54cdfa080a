//! What all machine endpoints have in common: group X and B-001 to B-005.

use auth_server::audit::EventKind;
use serde_json::json;

use crate::support::{Answer, Server, Tokens, basic};

const MACHINE: [&str; 3] = ["/token", "/introspect", "/revoke"];

fn machine_headers(answer: &Answer) {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
    assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("location"), "{answer:?}");
}

/// X-006, B-004, B-005: JSON, not to be kept, no cookie and no redirect, whatever the outcome.
#[actix_rt::test]
async fn every_machine_answer_is_json_that_nobody_keeps() {
    let server = Server::start().await;
    let (robot, api) = (server.robot().await, server.api().await);
    let good = robot.token(&[("grant_type", "client_credentials")]).await;
    machine_headers(&good);
    assert_eq!(good.header("pragma"), "no-cache");
    let Tokens { access, .. } = good.tokens();
    machine_headers(&api.post("/introspect", &[("token", &access)]).await);
    for endpoint in MACHINE {
        machine_headers(&server.post(endpoint, &[]).await);
        machine_headers(&server.post(&format!("{endpoint}/below"), &[]).await);
        machine_headers(&Answer::of(server.http.get(server.endpoint(endpoint))).await);
    }
}

/// POST only, and the answer says so.
#[actix_rt::test]
async fn other_methods_are_told_which_is_allowed() {
    let server = Server::start().await;
    for endpoint in MACHINE {
        for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::PATCH] {
            let answer = Answer::of(server.http.request(method.clone(), server.endpoint(endpoint))).await;
            answer.refused_with(405, "invalid_request");
            assert_eq!(answer.header("allow"), "POST", "{method} {endpoint}");
        }
    }
    let answer = Answer::of(server.http.post(format!("{}/.well-known/oauth-authorization-server", server.url))).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
}

/// B-005: JSON for what is not there, too.
#[actix_rt::test]
async fn an_unknown_path_below_a_machine_endpoint_is_json() {
    let server = Server::start().await;
    server.post("/token/below", &[]).await.refused_with(404, "invalid_request");
    server.post("/introspect/a/b", &[]).await.refused_with(404, "invalid_request");
}

/// only forms in UTF-8, strictly encoded.
#[actix_rt::test]
async fn a_body_that_is_not_a_clean_form_is_refused() {
    let server = Server::start().await;
    let robot = server.robot().await;
    let authorization = basic(&robot.id, robot.secret.as_deref().unwrap());
    let send = async |kind: Option<&str>, body: &'static str| {
        let mut request =
            server.http.post(server.endpoint("/token")).header("authorization", &authorization).body(body);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        Answer::of(request).await
    };
    let form = Some("application/x-www-form-urlencoded");
    let good = "grant_type=client_credentials";
    for kind in [
        None,
        Some("application/json"),
        Some("multipart/form-data"),
        Some("application/x-www-form-urlencoded; charset=latin1"),
    ] {
        send(kind, good).await.refused("invalid_request");
    }
    for body in [
        "grant_type=client_credentials&x=%zz",
        "grant_type=client_credentials&x=%ff",
        "x=%00&grant_type=client_credentials",
    ] {
        send(form, body).await.refused("invalid_request");
    }
    assert_eq!(send(Some("application/x-www-form-urlencoded;charset=UTF-8"), good).await.status, 200);
}

/// a known parameter comes once, an empty one is absent, an unknown one is ignored.
#[actix_rt::test]
async fn known_parameters_come_once() {
    let server = Server::start().await;
    let (robot, api) = (server.robot().await, server.api().await);
    for name in ["scope", "code", "redirect_uri", "code_verifier", "username", "refresh_token", "client_id"] {
        let form = [("grant_type", "client_credentials"), (name, ""), (name, "")];
        robot.token(&form).await.refused("invalid_request");
    }
    robot.token(&[("grant_type", "client_credentials"); 2]).await.refused("invalid_request");
    api.post("/introspect", &[("token", "a"), ("token", "b")]).await.refused("invalid_request");
    robot.post("/revoke", &[("token", "a"), ("token", "a")]).await.refused("invalid_request");
    let form = [("grant_type", "client_credentials"), ("scope", ""), ("colour", "red"), ("colour", "blue")];
    assert_eq!(robot.token(&form).await.tokens().scope, "read");
}

/// bounds on body, parameter and headers.
#[actix_rt::test]
async fn too_much_is_refused() {
    let server = Server::start().await;
    let robot = server.robot().await;
    let parameter = "x".repeat(8 * 1024 + 1);
    robot.token(&[("grant_type", "client_credentials"), ("other", &parameter)]).await.refused("invalid_request");
    let body = "x=y&".repeat(17 * 1024);
    let request =
        server.http.post(server.endpoint("/token")).header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(body)).await.refused_with(413, "invalid_request");
    let request = server.http.post(server.endpoint("/token")).header("x-much", "x".repeat(17 * 1024));
    assert_eq!(Answer::of(request).await.status, 431);
}

/// B-001: credentials in the URL are refused and noted.
#[actix_rt::test]
async fn oauth_parameters_in_the_url_are_refused_and_audited() {
    let server = Server::start().await;
    let robot = server.robot().await;
    for name in ["grant_type", "client_id", "client_secret", "username", "password", "code", "refresh_token"] {
        let request = server.http.post(format!("{}?{name}=x", server.endpoint("/token")));
        let request = request.header("authorization", basic(&robot.id, robot.secret.as_deref().unwrap()));
        Answer::of(request.form(&[("grant_type", "client_credentials")])).await.refused("invalid_request");
    }
    let request = server.http.post(format!("{}?token=x", server.endpoint("/introspect")));
    Answer::of(request.form(&[("token", "x")])).await.refused("invalid_request");
    let events = server.events(EventKind::CredentialInUrl).await;
    let reasons: Vec<_> = events.iter().filter_map(|event| event.reason.clone()).collect();
    assert_eq!(reasons.len(), 8, "{events:?}");
    assert!(reasons.contains(&"client_secret".to_owned()));
    assert!(!serde_json::to_string(&events).unwrap().contains("=x"));
}

/// B-002, B-003: the first failing step decides.
#[actix_rt::test]
async fn the_grant_type_is_judged_in_order() {
    let server = Server::start().await;
    let (shop, robot) = (server.shop().await, server.robot().await);
    robot.token(&[("scope", "read")]).await.refused("invalid_request");
    robot.token(&[("grant_type", "magic")]).await.refused("unsupported_grant_type");
    robot
        .token(&[("grant_type", "password"), ("username", "a"), ("password", "b")])
        .await
        .refused("unsupported_grant_type");
    shop.token(&[("grant_type", "client_credentials")]).await.refused("unauthorized_client");
    robot.token(&[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.refused("unauthorized_client");
    // Parsed before the client is authenticated, authenticated before its grants are looked at.
    server.post("/token", &[("grant_type", "refresh_token"), ("client_id", "nobody")]).await.refused("invalid_request");
    let form = [("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "x")];
    server.post("/token", &form).await.refused("invalid_client");
}

/// B-003: what is wrong with a scope is told to a client that proved itself and has a valid grant.
#[actix_rt::test]
async fn a_malformed_scope_is_judged_after_the_client_and_its_grant() {
    let server = Server::with("password_grant = true").await;
    let shop = server.client(json!({"grant_types": ["authorization_code", "refresh_token", "password"]})).await;
    let robot = server.robot().await;
    let machine = [("grant_type", "client_credentials"), ("scope", "\u{e9}")];
    let person = [("grant_type", "password"), ("username", "nobody"), ("password", "x"), ("scope", "\u{e9}")];
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "\u{e9}")];
    for form in [&machine[..], &person, &refresh] {
        let mut form = form.to_vec();
        form.extend([("client_id", "nobody"), ("client_secret", "x")]);
        server.post("/token", &form).await.refused("invalid_client");
    }
    shop.token(&machine).await.refused("unauthorized_client");
    shop.token(&person).await.refused("invalid_grant");
    shop.token(&refresh).await.refused("invalid_grant");
    robot.token(&machine).await.refused("invalid_scope");
}

/// what the request says of the host is never repeated.
#[actix_rt::test]
async fn a_forged_host_changes_nothing() {
    let server = Server::start().await;
    let honest = server.get("/.well-known/oauth-authorization-server").await;
    for header in ["host", "x-forwarded-host", "forwarded"] {
        let value = if header == "forwarded" { "host=evil.example;proto=https" } else { "evil.example" };
        let request = server.http.get(format!("{}/.well-known/oauth-authorization-server", server.url));
        let forged = Answer::of(request.header(header, value)).await;
        assert_eq!(forged.body, honest.body);
        let request = server.http.get(server.endpoint("/management")).header(header, value);
        let forged = Answer::of(request).await;
        assert!(!forged.body.contains("evil.example") && !forged.header("location").contains("evil.example"));
    }
}

/// strict transport security where the issuer is a public https host.
#[actix_rt::test]
async fn a_public_https_issuer_demands_https() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "issuer = 'https://auth.example.org/tenant'\nstore = 'sqlite:{}'\n\
         server = {{ listen = '{address}', tls = false, behind_tls_proxy = true }}",
        folder.path().join("auth.db").display()
    );
    let running = auth_server::start(shared::config::parse(&config).unwrap(), listener).await.unwrap();
    let http = shared::http_client::HttpClient::new(&Default::default()).unwrap();
    let path = "/.well-known/oauth-authorization-server/tenant";
    let answer = Answer::of(http.get(format!("http://{address}{path}"))).await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let told = answer.ok();
    assert_eq!(told["issuer"], "https://auth.example.org/tenant");
    assert_eq!(told["token_endpoint"], "https://auth.example.org/tenant/oauth/token");
    let answer = Answer::of(http.post(format!("http://{address}/tenant/oauth/token"))).await;
    answer.refused("invalid_request");
    running.stop().await;
}

/// a forwarded address is believed only from a proxy that is trusted.
#[actix_rt::test]
async fn a_spoofed_address_does_not_reopen_a_throttle() {
    let server = Server::start().await;
    let robot = server.robot().await;
    let mut last = 0;
    for number in 0..12 {
        let request = server.http.post(server.endpoint("/token")).header("authorization", basic(&robot.id, "wrong"));
        let request = request.header("x-forwarded-for", format!("192.0.2.{number}"));
        last = Answer::of(request.form(&[("grant_type", "client_credentials")])).await.status;
    }
    assert_eq!(last, 429);
}

/// alive, ready, and no secrets told.
#[actix_rt::test]
async fn health_is_told_without_secrets() {
    let server = Server::start().await;
    let answer = server.get("/healthz").await;
    assert_eq!(answer.ok(), json!({"status": "ok"}));
    assert!(!answer.header("x-request-id").is_empty());
    assert_eq!(server.get("/readyz").await.ok(), json!({"status": "ready"}));
}

/// X-030, C-028: while the store takes no writes, what needs one is 503 with Retry-After and does nothing; reads go on.
#[actix_rt::test]
async fn a_store_that_takes_no_writes_is_told_as_an_outage() {
    let server = Server::start().await;
    let (robot, api) = (server.robot().await, server.api().await);
    let token = robot.token(&[("grant_type", "client_credentials")]).await.tokens().access;
    let blocker = server.stored.refuse_writes();
    let form = [("grant_type", "client_credentials")];
    let (issued, revoked) = futures_util::future::join(robot.token(&form), robot.revoke(&token)).await;
    for answer in [&issued, &revoked] {
        answer.refused_with(503, "server_error");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert!(!answer.body.contains("lock"), "the source stays inside: {}", answer.body);
    }
    if let Some(blocker) = blocker {
        assert!(api.finds_active(&token).await);
        drop(blocker);
    } else {
        server.find_store_again("").await;
    }
    robot.token(&form).await.tokens();
    assert_eq!(robot.revoke(&token).await.status, 200);
    assert!(!api.finds_active(&token).await);
}
