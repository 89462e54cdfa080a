//! `audit …`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::{PASSWORD, Server};
use crate::{fails, json, run, succeeds};

/// F-062: each change by command is in the log with its author, and what changed, without a secret.
#[actix_rt::test]
async fn every_change_by_command_is_in_the_log() {
    let server = Server::start().await;
    let config = server.config_file();
    server.user_with("root", PASSWORD, &["admin"]).await;
    let mut secrets = Vec::new();
    let done = |arguments: &[&str]| succeeds(&run(&config, arguments, ""));
    let made = json(&done(&["user", "create", "alice", "--json"]));
    secrets.push(made["password"].as_str().unwrap().to_owned());
    let id = made["id"].as_str().unwrap();
    done(&["user", "roles", "alice", "--add", "editor"]);
    done(&["user", "disable", "alice"]);
    done(&["user", "enable", "alice"]);
    secrets.push(json(&done(&["user", "set-password", "alice", "--json"]))["password"].as_str().unwrap().to_owned());
    done(&["user", "end-sessions", "alice"]);
    done(&["user", "unlock", "alice"]);
    done(&["user", "delete", "alice", "--yes"]);
    let shop = ["client", "create", "--name", "Shop", "--redirect-uri", "https://shop.example/cb"];
    let client = json(&done(&shop));
    secrets.push(client["client_secret"].as_str().unwrap().to_owned());
    let client = client["client_id"].as_str().unwrap();
    secrets.push(
        json(&done(&["client", "rotate-secret", client, "--json"]))["client_secret"].as_str().unwrap().to_owned(),
    );
    done(&["client", "disable", client]);
    done(&["client", "delete", client, "--yes"]);
    done(&["scope", "set", "people:read", "Read people"]);
    done(&["scope", "delete", "people:read", "--yes"]);
    done(&["key", "rotate"]);
    let log = done(&["audit", "export", "--who", "command_line"]);
    let events: Vec<_> = log.lines().map(json).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let expected = [
        "user_created",
        "user_changed",
        "user_changed",
        "user_changed",
        "password_set",
        "user_changed",
        "sessions_ended",
        "account_reopened",
        "user_deleted",
        "client_created",
        "client_secrets_changed",
        "client_changed",
        "client_deleted",
        "scope_created",
        "scope_deleted",
        "keys_changed",
    ];
    for kind in expected {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    assert!(events.iter().all(|event| event["actor"] == "command_line" && event["outcome"] == "success"));
    let of_alice = |event: &&Value| event["subject"] == id && event["detail"]["after"]["roles"].is_array();
    assert_eq!(events.iter().find(of_alice).unwrap()["detail"]["after"]["roles"][0], "editor");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "a secret stands in the log");
    }
}

/// F-063: filters select, times bound, a file is never overwritten.
#[actix_rt::test]
async fn the_log_is_exported_by_filter() {
    let server = Server::start().await;
    let config = server.config_file();
    let alice = server.user("alice").await;
    let mut wrong = alice.clone();
    wrong.password = "a wrong password of alice".to_owned();
    wrong.browser().sign_in(&wrong).await;
    alice.browser().sign_in(&alice).await;
    let export = |more: &[&str]| succeeds(&run(&config, &[&["audit", "export"], more].concat(), ""));
    assert_eq!(export(&["--kind", "login_failed", "--who", "alice"]).lines().count(), 1);
    let of_alice = export(&["--who", "alice", "--since", "1h"]);
    let kinds: Vec<_> = of_alice.lines().map(|line| json(line)["kind"].clone()).collect();
    assert!(kinds.contains(&"login_failed".into()) && kinds.contains(&"login_succeeded".into()), "{kinds:?}");
    assert_eq!(export(&["--until", "1h"]), "");
    assert_eq!(export(&["--ip", "192.0.2.1"]), "");
    let file = server.folder().join("audit.jsonl");
    let path = file.to_str().unwrap();
    assert!(export(&["--who", "alice", "--output", path]).contains("events written"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), of_alice);
    assert!(fails(&run(&config, &["audit", "export", "--output", path], "")).contains(path));
    assert_eq!(run(&config, &["audit", "export", "--kind", "x"], "").status.code(), Some(2));
    assert_eq!(run(&config, &["audit", "tail", "--since", "yesterday"], "").status.code(), Some(2));
    let shown = succeeds(&run(&config, &["audit", "tail", "-n", "1", "--kind", "login_failed"], ""));
    assert!(shown.contains("login_failed FAILED of=alice reason=wrong_password ip=127.0.0.1"), "{shown}");
}

/// F-063, H-011: what happens is shown within seconds, each event once.
#[actix_rt::test]
async fn the_log_is_followed() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    alice.browser().sign_in(&alice).await;
    let mut tail = Command::new(env!("CARGO_BIN_EXE_auth-server"))
        .args(["audit", "tail", "-f", "-n", "5", "--json", "--kind", "login_succeeded", "--config"])
        .arg(server.config_file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sent, lines) = mpsc::channel();
    let output = BufReader::new(tail.stdout.take().unwrap());
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sent.send(line)));
    let next = || lines.recv_timeout(Duration::from_secs(60));
    let first = next().unwrap();
    actix_rt::time::sleep(Duration::from_millis(1500)).await;
    alice.browser().sign_in(&alice).await;
    let second = next().unwrap();
    let again = lines.recv_timeout(Duration::from_millis(2500));
    tail.kill().unwrap();
    tail.wait().unwrap();
    for line in [first, second] {
        assert_eq!(json(&line)["subject"], alice.id);
    }
    assert!(again.is_err(), "an event is shown twice: {again:?}");
}
