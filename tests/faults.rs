//! The whole system while a store is away.
#![allow(clippy::unwrap_used)]

#[path = "support/processes.rs"]
mod processes;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::store::servers::RedisServer;

use processes::{Processes, evergate, free_ports};

/// Decisions 19, X-028: while the auth-server's Redis is gone the API goes on for whoever was there a moment ago, tells all others to come
/// again within a second, and lets them through within two of its return.
#[actix_rt::test]
async fn reads_on_cached_introspection_go_on_while_redis_is_gone() {
    let Some(mut redis) = RedisServer::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [auth, api, client] = free_ports();
    let settings: String = [("auth", auth), ("api", api), ("client", client)]
        .map(|(part, port)| format!("[{part}]\nlisten = '127.0.0.1:{port}'\nhost = 'localhost'\n"))
        .concat();
    std::fs::write(folder.path().join("evergate.toml"), settings).unwrap();
    let output = evergate(folder.path(), &["prepare", "--json"]);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let address = |part: &str| made[part].as_str().unwrap().to_owned();
    let mut services = Processes(Vec::new());
    for (noun, file) in [("auth", "auth-server.toml"), ("api", "resource-api.toml")] {
        let child = Command::new(env!("CARGO_BIN_EXE_evergate"))
            .current_dir(folder.path())
            .args([noun, "serve", "--config", &format!("data/{file}")])
            .env("AUTH_SERVER__EPHEMERAL", redis.url().expose())
            .stderr(Stdio::null())
            .spawn();
        services.0.push(child.unwrap());
    }
    let ca = reqwest::Certificate::from_pem(&std::fs::read(folder.path().join("certs/ca.pem")).unwrap()).unwrap();
    #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
    let http = reqwest::Client::builder().add_root_certificate(ca).build().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    for part in ["auth", "api"] {
        while http.get(format!("{}/readyz", address(part))).send().await.is_err() {
            assert!(Instant::now() < end, "{part} does not start");
            actix_rt::time::sleep(Duration::from_millis(50)).await;
        }
    }

    let demo = made["logins"].as_array().unwrap().iter().find(|login| login["username"] == "demo").unwrap();
    let token = async || {
        let form = [
            ("grant_type", "password"),
            ("client_id", evergate::CURL_CLIENT),
            ("username", "demo"),
            ("password", demo["password"].as_str().unwrap()),
        ];
        let answer = http.post(format!("{}/oauth/token", address("auth"))).form(&form).send().await.unwrap();
        let tokens: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let read = async |token: &str| {
        let cities = http.get(format!("{}/cities?max_results=1", address("api"))).bearer_auth(token);
        cities.send().await.unwrap()
    };
    let (known, unknown) = (token().await, token().await);
    // The API's own ways to the auth-server have to be there already.
    assert_eq!(read(&known).await.status(), 200);
    actix_rt::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(read(&known).await.status(), 200);
    redis.kill();
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(2) {
        assert_eq!(read(&known).await.status(), 200, "after {:?}", gone.elapsed());
        let asked = Instant::now();
        let refused = read(&unknown).await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"] == "1"), (503, true));
        assert!(asked.elapsed() < Duration::from_millis(1200), "{:?}", asked.elapsed());
        actix_rt::time::sleep(Duration::from_millis(100)).await;
    }
    redis.start_again();
    let back = Instant::now();
    while read(&unknown).await.status() != 200 {
        assert!(back.elapsed() < Duration::from_secs(2), "not back yet");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}
