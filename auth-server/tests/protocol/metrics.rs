//! What is told to Prometheus (X-039).

use serde_json::json;

use crate::support::{PASSWORD, Server};

/// X-039: token requests by grant and outcome, introspections by what was found, commits with their writes.
#[actix_rt::test]
async fn tokens_introspections_and_commits_are_counted() {
    let server = Server::with("password_grant = true\nmetrics = { listen = '127.0.0.1:0' }").await;
    let (robot, api) = (server.robot().await, server.api().await);
    let script = server.client(json!({"grant_types": ["password"], "redirect_uris": []})).await;
    let alice = server.user("alice").await;
    alice.browser().sign_in(&alice).await;
    let token = robot.token(&[("grant_type", "client_credentials")]).await.tokens().access;
    script.password("alice", PASSWORD).await.tokens();
    script.password("alice", "a wrong password of alice").await.refused("invalid_grant");
    robot.token(&[("grant_type", "made-up")]).await.refused("unsupported_grant_type");
    assert!(api.finds_active(&token).await);
    assert!(!api.finds_active("oat_x").await);
    let told = server.metrics().await;
    for line in [
        r#"evergate_token_requests_total{grant="client_credentials",outcome="issued"} 1"#,
        r#"evergate_token_requests_total{grant="password",outcome="issued"} 1"#,
        r#"evergate_token_requests_total{grant="password",outcome="invalid_grant"} 1"#,
        r#"evergate_token_requests_total{grant="unknown",outcome="unsupported_grant_type"} 1"#,
        r#"evergate_introspections_total{result="active"} 1"#,
        r#"evergate_introspections_total{result="inactive"} 1"#,
        r#"evergate_http_requests_total{method="POST",route="/oauth/introspect",status="200"} 2"#,
        r#"evergate_events_total{kind="login_succeeded"} 2"#,
        r#"evergate_events_total{kind="login_failed"} 1"#,
        r#"evergate_sessions_started_total 1"#,
        r#"evergate_password_hashes_waiting 0"#,
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is missing in:\n{told}");
    }
    let value = |name: &str| -> f64 {
        let line = told.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    // Of the embedded store alone.
    if server.stored.file().is_some() {
        let commits = value("evergate_store_commits_total");
        assert!(commits >= 1.0 && value("evergate_store_commit_writes_sum") >= commits);
    }
    let hashes = value("evergate_password_hash_seconds_count");
    assert!(hashes >= 3.0 && value("evergate_password_hash_wait_seconds_count") >= hashes);
    assert!(!told.contains(&token) && !told.contains("made-up"));
}

/// X-039: off unless a listener is configured, and never on the public one.
#[actix_rt::test]
async fn the_public_listener_tells_no_metrics() {
    let server = Server::with("metrics = { listen = '127.0.0.1:0' }").await;
    assert_eq!(server.get("/metrics").await.status, 404);
    assert_eq!(server.get("/oauth/metrics").await.status, 404);
}
