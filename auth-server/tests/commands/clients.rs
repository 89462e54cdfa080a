//! `client …`.

use crate::support::{Answer, Server, basic};
use crate::{fails, json, run, succeeds};

/// H-011, B-030: a client made from metadata on standard input gets a token with its new secret.
#[actix_rt::test]
async fn a_client_made_by_command_gets_tokens() {
    let server = Server::start().await;
    let config = server.config_file();
    let metadata =
        r#"{"client_name":"Robot","grant_types":["client_credentials"],"scope":"read","default_scope":"read"}"#;
    let made = json(&succeeds(&run(&config, &["client", "create"], metadata)));
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    assert_eq!((made["client_name"].as_str(), made["client_secret_expires_at"].as_i64()), (Some("Robot"), Some(0)));
    assert!(made["client_id_issued_at"].as_i64().unwrap() > 1_700_000_000 && made["scope"] == "read");
    let request = server.http.post(server.endpoint("/token")).header("authorization", basic(id, secret));
    let answer = Answer::of(request.form(&[("grant_type", "client_credentials")])).await;
    assert_eq!(answer.tokens().scope, "read");
    let listed = json(&succeeds(&run(&config, &["client", "list", "--json"], "")));
    assert_eq!(listed[0]["client_id"], id);
    assert!(!listed.to_string().contains(secret));
    assert!(succeeds(&run(&config, &["client", "list"], "")).contains("confidential, active"));
}

/// B-031, H-011: after a rotation both secrets work, until the overlap ends.
#[actix_rt::test]
async fn a_rotated_secret_overlaps_with_the_old_one() {
    let server = Server::start().await;
    let config = server.config_file();
    let robot = server.robot().await;
    let works = async |secret: &str| {
        let request = server.http.post(server.endpoint("/token")).header("authorization", basic(&robot.id, secret));
        Answer::of(request.form(&[("grant_type", "client_credentials")])).await.status == 200
    };
    let old = robot.secret.clone().unwrap();
    let told = json(&succeeds(&run(&config, &["client", "rotate-secret", &robot.id, "--json"], "")));
    let new = told["client_secret"].as_str().unwrap().to_owned();
    actix_rt::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(works(&old).await && works(&new).await);
    let text = succeeds(&run(&config, &["client", "rotate-secret", &robot.id, "--overlap", "0s"], ""));
    let newest = text.lines().next().unwrap().strip_prefix("client_secret: ").unwrap().to_owned();
    actix_rt::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(!works(&old).await && !works(&new).await && works(&newest).await);
    assert_eq!(run(&config, &["client", "rotate-secret", &robot.id, "--overlap", "soon"], "").status.code(), Some(2));
    let spa = server.spa().await;
    assert!(fails(&run(&config, &["client", "rotate-secret", &spa.id], "")).contains("public"));
}

/// H-005, B-084: clients end by command.
#[actix_rt::test]
async fn clients_are_disabled_enabled_and_deleted_by_command() {
    let server = Server::start().await;
    let config = server.config_file();
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let tokens = alice.tokens(&shop).await;
    succeeds(&run(&config, &["client", "disable", &shop.id], ""));
    assert!(!api.finds_active(&tokens.access).await);
    assert!(succeeds(&run(&config, &["client", "show", &shop.id], "")).contains("confidential, disabled"));
    succeeds(&run(&config, &["client", "enable", &shop.id], ""));
    actix_rt::time::sleep(std::time::Duration::from_millis(1100)).await;
    let tokens = alice.tokens(&shop).await;
    assert_eq!(run(&config, &["client", "delete", &shop.id], "").status.code(), Some(2));
    succeeds(&run(&config, &["client", "delete", &shop.id, "--yes"], ""));
    assert!(!api.finds_active(&tokens.access).await);
    assert!(fails(&run(&config, &["client", "show", &shop.id], "")).contains("there is no client"));
}

/// H-011: the commonest clients need no JSON.
#[actix_rt::test]
async fn a_client_is_made_from_options() {
    let server = Server::start().await;
    let config = server.config_file();
    let options =
        ["client", "create", "--name", "Shop", "--redirect-uri", "https://shop.example/cb", "--scope", "read"];
    let made = json(&succeeds(&run(&config, &options, "")));
    assert_eq!(made["grant_types"], serde_json::json!(["authorization_code", "refresh_token"]));
    assert_eq!((made["scope"].as_str(), made["default_scope"].as_str()), (Some("read"), Some("read")));
    assert_eq!(made["client_secret"].as_str().unwrap().len(), 43);
    let public = ["client", "create", "--name", "Page", "--redirect-uri", "https://page.example/cb", "--public"];
    let made = json(&succeeds(&run(&config, &public, "")));
    assert!(made["client_secret"].is_null() && made["token_endpoint_auth_method"] == "none");
    let shown = json(&succeeds(&run(&config, &["client", "show", made["client_id"].as_str().unwrap(), "--json"], "")));
    assert_eq!(shown["client_name"], "Page");
    let bad = ["client", "create", "--name", "Robot", "--grant", "magic"];
    assert_eq!(run(&config, &bad, "").status.code(), Some(2));
    let unfit = ["client", "create", "--name", "Robot", "--grant", "client_credentials", "--public"];
    assert!(fails(&run(&config, &unfit, "")).contains("client_credentials is for confidential clients"));
}
