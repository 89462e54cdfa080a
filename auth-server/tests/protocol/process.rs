//! The program itself, killed and stopped.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{PASSWORD, Program, Server, basic, encode};

/// X-025, B-045, C-027: killed right after the answer, a code is used, a token rotated or revoked all the same.
#[actix_rt::test]
async fn what_was_answered_outlives_a_kill() {
    let server = Server::unserved("lifetimes = { refresh_grace = 60 }").await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let mut program = Program::serve(&server.place()).await;
    for _ in 0..3 {
        let revoked = alice.tokens(&shop).await;
        let rotated = alice.tokens(&shop).await;
        let code = alice.authorize(&shop).await;
        let redeemed = shop.redeem(&code).await.tokens();
        program.kill();
        program = Program::serve(&server.place()).await;
        assert!(api.finds_active(&redeemed.access).await);
        shop.redeem(&code).await.refused("invalid_grant");
        assert!(!api.finds_active(&redeemed.access).await, "the code is used, so its replay ends the family");
        let next = shop.refresh(&rotated.refresh).await.tokens();
        program.kill();
        program = Program::serve(&server.place()).await;
        assert_eq!(shop.refresh(&rotated.refresh).await.tokens().refresh, next.refresh);
        assert_eq!(shop.revoke(&revoked.refresh).await.status, 200);
        program.kill();
        program = Program::serve(&server.place()).await;
        assert!(!api.finds_active(&revoked.access).await);
        shop.refresh(&revoked.refresh).await.refused("invalid_grant");
    }
}

/// F-072: a crash leaves no file of keys and passwords.
#[actix_rt::test]
async fn a_server_leaves_no_core_dump() {
    let server = Server::unserved("").await;
    let program = Program::serve(&server.place()).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).collect::<Vec<_>>(), ["0", "0", "bytes"], "{core}");
}

/// asked to stop, it answers what it has begun and ends well before 30 s.
#[actix_rt::test]
async fn a_stop_lets_running_requests_finish() {
    let server = Server::unserved("password_grant = true").await;
    let metadata = serde_json::json!({"grant_types": ["password"], "redirect_uris": []});
    let script = server.client(metadata).await;
    server.user("alice").await;
    let mut program = Program::serve(&server.place()).await;
    let form = format!("grant_type=password&username=alice&password={}", encode(PASSWORD));
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        basic(&script.id, script.secret.as_deref().unwrap()),
        form.len()
    );
    let mut connection = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).unwrap();
    connection.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut go_on).unwrap();
    // It has begun, and waits for the form.
    program.terminate();
    actix_rt::time::sleep(Duration::from_millis(100)).await;
    connection.write_all(form.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("access_token"), "{answer}");
    let end = Instant::now() + Duration::from_secs(30);
    let status = loop {
        if let Some(status) = program.ended() {
            break status;
        }
        assert!(Instant::now() < end, "the program does not stop");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(status.success(), "{status}");
}
