//! The receiver of docs/resource-api.md does what the text says.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use resource_api::config::AuthMode;
use serde_json::json;
use shared::Secret;
use shared::store::servers::free_port;

use crate::support::Api;

const GUIDE: &str = include_str!("../../../../docs/resource-api.md");

/// Python, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[actix_rt::test]
async fn the_receiver_of_the_guide_verifies_refuses_and_changes() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "a secret of both\n").unwrap();
    let port = free_port();
    let program = GUIDE.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let program = program.replace("/run/secrets/hooks", secret.to_str().unwrap()).replace("8000", &port.to_string());
    let _python = Running(Command::new("python3").args(["-c", &program]).stderr(Stdio::null()).spawn().unwrap());
    let end = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "it does not listen");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    let api = async |secret: &'static str| {
        let domain = json!({
            "RESOURCE_METHODS": ["GET", "POST"], "BANDWIDTH_SAVER": false,
            "DOMAIN": { "books": {
                "schema": { "title": { "type": "string" }, "price": { "type": "decimal" } },
                "hooks": { "on_insert": format!("http://127.0.0.1:{port}/price") },
            } },
        });
        Api::start(domain, |config| {
            config.auth.mode = AuthMode::None;
            config.hooks.secret = Some(Secret::new(secret));
        })
        .await
    };
    let (known, stranger) = (api("a secret of both").await, api("another secret, not theirs").await);
    assert_eq!(known.post("/books", json!({ "title": "Eden" })).await.is(201).json()["price"], "9.99");
    let refused = known.post("/books", json!({ "title": "Untitled" })).await.refused(422);
    assert_eq!(refused, "a book needs a title of its own");
    stranger.post("/books", json!({ "title": "Eden" })).await.refused(503);
}
