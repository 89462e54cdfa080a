//! The command line, as a program of its own beside a running server (H-011).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Answer, PASSWORD, Server, basic};

fn run(config: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_auth-server"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone already.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fails(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// H-011: a user made by command signs in at the running server at once.
#[actix_rt::test]
async fn a_user_made_by_command_signs_in() {
    let server = Server::start().await;
    let config = server.config_file();
    let made = json(&succeeds(&run(&config, &["user", "create", "alice", "--role", "admin", "--json"], "")));
    assert!(made["id"].as_str().unwrap().starts_with("u_") && made["roles"][0] == "admin");
    let typed = succeeds(&run(&config, &["user", "create", "bob", "--password-stdin"], &format!("{PASSWORD}\n")));
    assert!(typed.starts_with("created bob (u_") && !typed.contains(PASSWORD));
    for (name, password) in [("alice", made["password"].as_str().unwrap()), ("bob", PASSWORD)] {
        let mut person = server.user(&format!("not-{name}")).await;
        (person.username, person.password) = (name.to_owned(), password.to_owned());
        assert_eq!(person.browser().sign_in(&person).await.status, 303, "{name}");
    }
    let listed = json(&succeeds(&run(&config, &["user", "list", "--json", "--search", "ali"], "")));
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "not-alice"]);
    assert!(!listed.to_string().contains("hash") && !listed.to_string().contains("argon2"));
    let table = succeeds(&run(&config, &["user", "list"], ""));
    assert!(table.starts_with("USER NAME") && table.contains("admin"), "{table}");
}

/// H-011: what is wrong is told on standard error, with exit code 1; wrong usage is 2.
#[actix_rt::test]
async fn failures_say_what_to_do() {
    let server = Server::start().await;
    let config = server.config_file();
    server.user("alice").await;
    assert!(fails(&run(&config, &["user", "create", "alice"], "")).contains("taken"));
    assert!(fails(&run(&config, &["user", "create", "bob", "--password-stdin"], "short")).contains("at least 15"));
    assert!(fails(&run(&config, &["user", "create", "bob", "--password-stdin"], "")).contains("no password"));
    assert!(fails(&run(&config, &["user", "create", "bob", "--role", "a b"], "")).contains("is no role"));
    assert!(fails(&run(&config, &["client", "create"], "{")).contains("RFC 7591"));
    assert!(fails(&run(&config, &["client", "create"], "{\"client_name\":\"\"}")).contains("client_name"));
    assert!(fails(&run(&config, &["client", "create"], "{\"client_nam\":\"\"}")).contains("client_nam"));
    assert!(fails(&run(&config, &["apply", "/nowhere.toml"], "")).contains("/nowhere.toml"));
    assert!(fails(&run(Path::new("/nowhere.toml"), &["user", "list"], "")).contains("/nowhere.toml"));
    assert_eq!(run(&config, &["user", "creat"], "").status.code(), Some(2));
    assert_eq!(run(&config, &["user", "create"], "").status.code(), Some(2));
}

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

/// X-037, H-011: `apply` tells what it does, and a running server knows it within a second.
#[actix_rt::test]
async fn a_running_server_sees_what_is_applied() {
    let server = Server::start().await;
    let config = server.config_file();
    let file = server.folder().join("declare.toml");
    let declared = "[[scopes]]\nname = 'people:read'\ntext = 'Read people'\n\
                    [[clients]]\nclient_id = 'robot'\nclient_name = 'Robot'\ngrant_types = ['client_credentials']\n\
                    scope = 'people:read'\ndefault_scope = 'people:read'\n";
    std::fs::write(&file, declared).unwrap();
    let file = file.to_str().unwrap();
    let dry = succeeds(&run(&config, &["apply", file, "--dry-run"], ""));
    assert_eq!(dry, "would create scope people:read\nwould create client robot\n");
    let report = json(&succeeds(&run(&config, &["apply", file, "--json"], "")));
    let secret = report["changes"][1]["generated"].as_str().unwrap().to_owned();
    assert_eq!(succeeds(&run(&config, &["apply", file], "")), "nothing to do: all is as declared\n");
    actix_rt::time::sleep(std::time::Duration::from_millis(1100)).await;
    let request = server.http.post(server.endpoint("/token")).header("authorization", basic("robot", &secret));
    let answer = Answer::of(request.form(&[("grant_type", "client_credentials")])).await;
    assert_eq!(answer.tokens().scope, "people:read");
    let scopes = json(&succeeds(&run(&config, &["scope", "list", "--json"], "")));
    assert!(scopes.as_array().unwrap().iter().any(|scope| scope["name"] == "people:read"));
    assert!(succeeds(&run(&config, &["scope", "list"], "")).contains("Read people"));
}

/// X-034: `check` lists every fault and touches nothing.
#[actix_rt::test]
async fn checking_lists_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let store = folder.path().join("auth.db");
    std::fs::write(&path, format!("issuer = 'x'\nprefix = 'y'\nstore = 'sqlite:{}'\ncolour = 1\n", store.display()))
        .unwrap();
    let told = fails(&run(&path, &["check"], ""));
    for part in ["issuer", "prefix", "colour", "server.tls"] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    std::fs::write(&path, format!("store = 'sqlite:{}'\nserver = {{ tls = false }}\n", store.display())).unwrap();
    assert!(succeeds(&run(&path, &["check"], "")).contains("good"));
    assert!(!store.exists());
}
