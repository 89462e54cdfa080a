//! `evergate prepare`: three services that run one by one, each from the configuration file made for it.
#![allow(clippy::unwrap_used)]

#[path = "support/processes.rs"]
mod processes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use processes::{Processes, evergate, free_ports};

const SERVICES: [(&str, &str, &str); 3] = [
    ("auth", "auth", "auth-server.toml"),
    ("api", "api", "resource-api.toml"),
    ("client", "client", "oauth-client.toml"),
];

fn prepared(folder: &Path) -> Value {
    let output = evergate(folder, &["prepare", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The settings of a stack on ports that were free just now.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let settings: String = SERVICES
        .iter()
        .zip(free_ports::<3>())
        .map(|((part, ..), port)| format!("[{part}]\nlisten = '127.0.0.1:{port}'\nhost = 'localhost'\n"))
        .collect();
    std::fs::write(folder.path().join("evergate.toml"), settings).unwrap();
    folder
}

#[actix_rt::test]
async fn services_run_one_by_one_from_what_was_prepared() {
    let folder = folder();
    let made = prepared(folder.path());
    let address = |part: &str| made[part].as_str().unwrap().to_owned();
    let mut services = Processes(Vec::new());
    for (_, noun, file) in SERVICES {
        let child = Command::new(env!("CARGO_BIN_EXE_evergate"))
            .current_dir(folder.path())
            .args([noun, "serve", "--config", &format!("data/{file}")])
            .stderr(Stdio::null())
            .spawn();
        services.0.push(child.unwrap());
    }
    for (part, ..) in SERVICES {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let health = evergate(folder.path(), &["health", &address(part), "--ca", "certs/ca.pem"]);
            if health.status.success() {
                break;
            }
            assert!(Instant::now() < end, "{part}: {}", String::from_utf8_lossy(&health.stderr));
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let ca = reqwest::Certificate::from_pem(&std::fs::read(folder.path().join("certs/ca.pem")).unwrap()).unwrap();
    #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
    let http = reqwest::Client::builder().add_root_certificate(ca).build().unwrap();
    let demo = made["logins"].as_array().unwrap().iter().find(|login| login["username"] == "demo").unwrap();
    let form = [
        ("grant_type", "password"),
        ("client_id", evergate::CURL_CLIENT),
        ("username", "demo"),
        ("password", demo["password"].as_str().unwrap()),
    ];
    let answer = http.post(format!("{}/oauth/token", address("auth"))).form(&form).send().await.unwrap();
    let tokens: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let cities = http.get(format!("{}/cities", address("api"))).bearer_auth(tokens["access_token"].as_str().unwrap());
    assert_eq!(cities.send().await.unwrap().status(), 200);
    assert_eq!(http.get(address("client")).send().await.unwrap().status(), 200);
}

#[test]
fn preparing_again_keeps_accounts_and_secrets() {
    let folder = folder();
    let first = prepared(folder.path());
    assert_eq!(first["logins"].as_array().unwrap().len(), 2);
    let secret = || std::fs::read(folder.path().join("data/secrets/c_api")).unwrap();
    let before = secret();
    let again = prepared(folder.path());
    assert!(again["logins"].as_array().unwrap().is_empty());
    assert_eq!((secret(), &again["auth"]), (before, &first["auth"]));
}

#[test]
fn a_service_that_does_not_answer_is_unhealthy() {
    let [port] = free_ports();
    let output = evergate(Path::new("."), &["health", &format!("http://127.0.0.1:{port}"), "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("refused"), "{output:?}");
}
