//! `evergate run` as its user meets it: first start, second start, new passwords, stop.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use evergate::Stack;
use serde_json::Value;
use support::Running;

/// Decisions 21: accounts are made once, data stay, and new passwords end what the old ones opened.
#[actix_rt::test]
async fn a_second_start_keeps_data_and_accounts_and_a_reset_makes_new_passwords() {
    let mut running = Running::start("").await;
    assert_eq!(running.stack.logins.len(), 2);
    let password = running.password("demo").to_owned();
    let people = format!("{}/people", running.stack.addresses.api);
    let body = serde_json::json!({ "lastname": "Kovalevskaya" });
    let token = running.token().await;
    let posted = running.client().post(&people).bearer_auth(&token).json(&body).send().await.unwrap();
    assert_eq!(posted.status(), 201);

    // The second start is on other ports; tokens are meant for the first one's address.
    let first_logins = std::mem::take(&mut running.stack.logins);
    let again = Stack::start(&running.settings).await.unwrap();
    assert!(again.logins.is_empty(), "no new accounts");
    std::mem::replace(&mut running.stack, again).stop().await;
    running.stack.logins = first_logins;
    let token = running.token().await;
    let people = format!("{}/people?where=lastname==\"Kovalevskaya\"", running.stack.addresses.api);
    let found = running.client().get(&people).bearer_auth(&token).send().await.unwrap();
    let found: Value = serde_json::from_str(&found.text().await.unwrap()).unwrap();
    assert_eq!(found["_meta"]["total"], 1);

    running.stack.logins = evergate::reset_demo(&running.settings).await.unwrap();
    assert_ne!(running.password("demo"), password);
    let dead = running.client().get(&people).bearer_auth(&token).send();
    let end = Instant::now() + Duration::from_secs(30);
    let mut status = dead.await.unwrap().status();
    while status != 401 && Instant::now() < end {
        actix_rt::time::sleep(Duration::from_millis(200)).await;
        status = running.client().get(&people).bearer_auth(&token).send().await.unwrap().status();
    }
    assert_eq!(status, 401, "B-084");
    running.token().await;
}

/// TLS 1.2 or newer with HTTP/2, vouched for by the development CA.
#[actix_rt::test]
async fn all_three_speak_http_2_under_certificates_of_the_development_ca() {
    let running = Running::start("").await;
    let addresses = &running.stack.addresses;
    for url in [&addresses.client, &addresses.auth, &addresses.api] {
        let answer = running.client().get(format!("{url}/readyz")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2), "{url}");
        assert!(reqwest::get(format!("{url}/healthz")).await.is_err(), "a stranger to the CA trusts {url}");
    }
}

/// D-051: a stock client finds its way from the API's refusal to the token endpoint.
#[actix_rt::test]
async fn a_refusal_leads_by_metadata_alone_to_the_token_endpoint() {
    let running = Running::start("").await;
    let client = running.client();
    let get = |url: String| {
        let request = client.get(url).send();
        async move { serde_json::from_str::<Value>(&request.await.unwrap().text().await.unwrap()).unwrap() }
    };
    let refused = client.get(format!("{}/cities", running.stack.addresses.api)).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    let metadata = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    let resource = get(metadata.to_owned()).await;
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    let server = get(format!("{issuer}/.well-known/oauth-authorization-server")).await;
    assert_eq!(server["issuer"], issuer);
    assert_eq!(server["token_endpoint"], format!("{}/oauth/token", running.stack.addresses.auth));
}

fn program(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evergate"));
    let any = ["AUTH", "API", "CLIENT"].map(|part| (format!("EVERGATE__{part}__LISTEN"), "127.0.0.1:0"));
    command.current_dir(folder).envs(any).args(["run", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn ready(child: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// the program tells where it is, and a SIGTERM ends it in good order and good time.
#[test]
fn the_program_says_where_it_listens_and_stops_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program(folder.path()).spawn().unwrap();
    let told = ready(&mut child);
    assert!(told["client"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{told}");
    assert_eq!(told["logins"].as_array().unwrap().len(), 2);
    let begun = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// what is wrong is told at once, and nothing starts.
#[test]
fn a_wrong_setting_stops_the_start_and_every_fault_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evergate.toml"), "dat = 'x'\n[api]\nport = 1\n").unwrap();
    let output =
        program(folder.path()).env("EVERGATE__AUTH__LISTEN", "0.0.0.0:1").stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    for fault in ["dat", "auth.listen", "api.port"] {
        assert!(told.contains(fault), "{fault} is missing in:\n{told}");
    }
}
