//! The first admin (H-002), and where the console is (H-015).

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use auth_server::audit::EventKind;
use futures_util::future::join_all;
use shared::store::servers::free_port;

use crate::support::{Answer, Browser, PASSWORD, Server, hidden};
use crate::{is_error_page, is_page};

/// Runs the program on a store until it has printed a line with `mark`, or listens.
async fn printed_at_start(server: &Server, mark: &str) -> Option<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_auth-server"))
        .args(["serve", "--config", server.config_file().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, log) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    // What is printed is printed before the listener is told of in the log.
    let told: Vec<String> =
        BufReader::new(log).lines().map_while(Result::ok).take_while(|line| !line.contains("listens on")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!told.iter().any(|line| line.contains("token=")), "the link is in the log: {told:?}");
    BufReader::new(out)
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains(mark))
        .map(|line| line.trim().to_owned())
}

async fn submit(browser: &Browser, link: &str, username: &str, password: &str) -> Answer {
    let page = browser.get(link).await;
    is_page(&page, 200);
    let (csrf, token) = (hidden(&page.body, "csrf"), hidden(&page.body, "token"));
    let form = [("csrf", csrf.as_str()), ("token", &token), ("username", username), ("password", password)];
    browser.post("/oauth/setup", &form).await
}

/// H-002: a link is printed at each start until there is an admin, on the terminal alone; fifty who use it at the same time
/// make one admin, and then it opens nothing.
#[actix_rt::test]
async fn fifty_who_open_the_setup_link_make_one_admin() {
    let server = Server::unserved("").await;
    let first = printed_at_start(&server, "/oauth/setup?token=").await.unwrap();
    let link = printed_at_start(&server, "/oauth/setup?token=").await.unwrap();
    assert_ne!(first, link);
    let server = server.serve();
    is_error_page(&server.get(first.strip_prefix(&server.url).unwrap()).await, 404);
    let browsers: Vec<Browser> = (0..50).map(|_| Browser::new(&server.url, server.http.clone())).collect();
    let tries = browsers.iter().enumerate().map(|(number, browser)| {
        let name = format!("admin-{number}");
        let link = &link;
        async move { submit(browser, link, &name, PASSWORD).await }
    });
    let answers = join_all(tries).await;
    let won: Vec<usize> = (0..50).filter(|number| answers[*number].status == 303).collect();
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for (number, answer) in answers.iter().enumerate().filter(|(number, _)| *number != won[0]) {
        assert_eq!(answer.status, 404, "{number}: {}", answer.body);
    }
    assert_eq!(server.app.users.count().await.unwrap(), 1);
    is_page(&browsers[won[0]].get("/oauth/management").await, 200);
    is_error_page(&server.get(link.strip_prefix(&server.url).unwrap()).await, 404);
    let event = server.events(EventKind::UserCreated).await.remove(0);
    assert_eq!(event.actor.as_deref(), Some("setup_link"));
}

/// H-002: once somebody can open the console no link is printed.
#[actix_rt::test]
async fn with_an_admin_no_link_is_printed() {
    let server = Server::unserved("").await;
    server.user_with("root", PASSWORD, &["admin"]).await;
    assert_eq!(printed_at_start(&server, "setup").await, None);
}

/// H-002: what is wrong is told at its field, and the link still works.
#[actix_rt::test]
async fn a_refused_setup_keeps_the_name_and_the_link() {
    let server = Server::unserved("").await;
    let link = printed_at_start(&server, "/oauth/setup?token=").await.unwrap();
    let server = server.serve();
    let browser = Browser::new(&server.url, server.http.clone());
    let short = submit(&browser, &link, "root", "short").await;
    is_page(&short, 400);
    assert!(short.body.contains("password-error") && short.body.contains("value=\"root\""), "{}", short.body);
    assert!(!short.body.contains("value=\"short\""));
    is_page(&submit(&browser, &link, "a\u{7}", PASSWORD).await, 400);
    assert_eq!(submit(&browser, &link, "root", PASSWORD).await.header("location"), "/oauth/management");
    is_error_page(&server.post("/setup", &[("token", "x")]).await, 403);
    for wrong in ["", "?token=", "?token=wrong"] {
        is_error_page(&server.get(&format!("/oauth/setup{wrong}")).await, 404);
    }
}

/// H-015: switched off, there is no console and no link to make an admin for it.
#[actix_rt::test]
async fn a_console_that_is_switched_off_is_not_there() {
    let server = Server::unserved("management.enabled = false").await;
    assert_eq!(printed_at_start(&server, "setup").await, None);
    let server = server.serve();
    let root = server.user_with("root", PASSWORD, &["admin"]).await;
    let browser = root.browser();
    browser.sign_in(&root).await;
    for page in ["/management", "/management/users", "/setup?token=x"] {
        is_error_page(&browser.get(&format!("/oauth{page}")).await, 404);
    }
}

/// H-015: on a listener of its own the console is there alone, with the pages to sign in; nothing of it is on the other.
#[actix_rt::test]
async fn the_console_has_a_listener_of_its_own() {
    let free = format!("127.0.0.1:{}", free_port());
    let server = Server::with(&format!("management.listen = '{free}'")).await;
    let root = server.user_with("root", PASSWORD, &["admin"]).await;
    let console = Browser::new(&format!("http://{free}"), server.http.clone());
    assert!(console.get("/oauth/management").await.header("location").starts_with("/oauth/login?next="));
    assert_eq!(console.sign_in(&root).await.status, 303);
    is_page(&console.get("/oauth/management").await, 200);
    is_error_page(&console.post("/oauth/token", &[("grant_type", "client_credentials")]).await, 404);
    is_error_page(&server.get("/oauth/management").await, 404);
    assert_eq!(server.post("/token", &[]).await.status, 400);
}
