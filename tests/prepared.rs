//! `evergate prepare`: three services that run one by one, each from the configuration file made for it.
#![allow(clippy::unwrap_used)]

#[path = "support/prepared.rs"]
mod prepared;
#[path = "support/processes.rs"]
mod processes;

use std::path::Path;
use std::time::{Duration, Instant};

use prepared::{Prepared, SERVICES};
use processes::{evergate, free_ports};

#[actix_rt::test]
async fn services_run_one_by_one_from_what_was_prepared() {
    let mut prepared = Prepared::new();
    for (noun, _) in SERVICES {
        prepared.serve(noun, &[]);
    }
    for (noun, _) in SERVICES {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let health = evergate(prepared.path(), &["health", prepared.address(noun), "--ca", "certs/ca.pem"]);
            if health.status.success() {
                break;
            }
            assert!(Instant::now() < end, "{noun}: {}", String::from_utf8_lossy(&health.stderr));
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let http = prepared.http();
    let token = prepared.token(&http).await;
    let cities = http.get(format!("{}/cities", prepared.address("api"))).bearer_auth(token);
    assert_eq!(cities.send().await.unwrap().status(), 200);
    assert_eq!(http.get(prepared.address("client")).send().await.unwrap().status(), 200);
}

#[test]
fn preparing_again_keeps_accounts_and_secrets() {
    let mut prepared = Prepared::new();
    assert_eq!(prepared.made["logins"].as_array().unwrap().len(), 2);
    let kept = |prepared: &Prepared| {
        let secret = std::fs::read(prepared.file("data/secrets/c_api")).unwrap();
        (secret, prepared.address("auth").to_owned())
    };
    let before = kept(&prepared);
    prepared.again();
    assert!(prepared.made["logins"].as_array().unwrap().is_empty());
    assert_eq!(kept(&prepared), before);
}

#[test]
fn a_service_that_does_not_answer_is_unhealthy() {
    let [port] = free_ports();
    let output = evergate(Path::new("."), &["health", &format!("http://127.0.0.1:{port}"), "--timeout", "30"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("refused"), "{output:?}");
}
