//! What all commands have in common, `check`, `apply` and `scope …`.

use std::path::Path;

use crate::support::{Answer, Server, basic};
use crate::{fails, json, run, succeeds};

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

/// `check` lists every fault and touches nothing.
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

/// X-033, H-011: scopes are set and taken out by command.
#[actix_rt::test]
async fn scopes_are_changed_by_command() {
    let server = Server::start().await;
    let config = server.config_file();
    succeeds(&run(&config, &["scope", "set", "people:read", "Read people", "--role", "editor"], ""));
    succeeds(&run(&config, &["scope", "set", "people:read", "Read all people"], ""));
    let table = succeeds(&run(&config, &["scope", "list"], ""));
    assert!(table.contains("people:read  -      Read all people"), "{table}");
    assert!(fails(&run(&config, &["scope", "set", "two words", "x"], "")).contains("scope token"));
    assert!(fails(&run(&config, &["scope", "set", "x", " "], "")).contains("needs a text"));
    assert_eq!(run(&config, &["scope", "delete", "people:read"], "").status.code(), Some(2));
    succeeds(&run(&config, &["scope", "delete", "people:read", "--yes"], ""));
    assert!(fails(&run(&config, &["scope", "delete", "people:read", "--yes"], "")).contains("there is no scope"));
}

/// H-011: `--help` names every command, and `evergate auth` has the same ones; exit codes are told.
#[test]
fn the_help_tells_of_every_command() {
    let help = run(Path::new("/nowhere"), &["--help"], "");
    let help = succeeds(&help);
    for command in [
        "serve",
        "check",
        "user",
        "client",
        "scope",
        "grant",
        "audit",
        "key",
        "backup",
        "restore",
        "import-sentinel",
        "apply",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is missing in {help}");
    }
    assert!(help.contains("Exit codes: 0 done, 1 not done") && help.contains("--config"), "{help}");
}

/// H-011: a reader that has seen enough ends a listing without a word.
#[actix_rt::test]
async fn a_closed_output_is_no_failure() {
    let server = Server::start().await;
    for number in 0..30 {
        server.user(&format!("user-{number}")).await;
    }
    let script = "\"$0\" user list --config \"$1\" | head -n 1; exit ${PIPESTATUS[0]}";
    let ended = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_auth-server")])
        .arg(server.config_file())
        .output()
        .unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}
