//! The program itself, killed and stopped.

use std::time::{Duration, Instant};

use crate::support::{PASSWORD, Program, Server};

/// X-025, B-045, C-027: killed right after the answer, a code is used, a token rotated or revoked all the same.
#[actix_rt::test]
async fn what_was_answered_outlives_a_kill() {
    let server = Server::unserved("").await;
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
    let request = script.password("alice", PASSWORD);
    let stop = async {
        actix_rt::time::sleep(Duration::from_millis(10)).await;
        program.terminate();
    };
    let (answer, ()) = futures_util::future::join(request, stop).await;
    answer.tokens();
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
