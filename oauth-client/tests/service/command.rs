//! The program: its commands, and what it logs.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use crate::support::{AuthServer, Browser, CLIENT, SECRET};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oauth-client"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `check` lists every fault, and says by its exit code whether there is any.
#[actix_rt::test]
async fn check_lists_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "issuer = 'nowhere'\nclinet_id = 'x'\n[server]\ntls = false\n").unwrap();
    let bad = program(&["check", "--config", path]).output().unwrap();
    let told = String::from_utf8(bad.stderr).unwrap();
    assert!(!bad.status.success());
    for key in ["issuer: ", "clinet_id", "client_secret: ", "scopes: "] {
        assert!(told.contains(key), "{key} is missing in:\n{told}");
    }
    std::fs::write(&file, "client_id = 'x'\nscopes = 'a'\n[server]\ntls = false\n").unwrap();
    let good = program(&["check", "--config", path]).env("OAUTH_CLIENT__CLIENT_SECRET", "0123").output().unwrap();
    assert!(good.status.success(), "{}", String::from_utf8(good.stderr).unwrap());
    let missing = program(&["serve", "--config", "/nowhere.toml"]).output().unwrap();
    assert!(!missing.status.success());
}

struct Running {
    child: Child,
    log: std::thread::JoinHandle<String>,
    address: String,
}

/// Runs `serve` with the most talkative log and waits until it listens.
fn serve(auth: &AuthServer, api: &str, folder: &std::path::Path) -> Running {
    let address = format!("127.0.0.1:{}", shared::store::servers::free_port());
    let file = folder.join("client.toml");
    let data = folder.display();
    let text = format!(
        "origin = 'http://{address}'\nissuer = '{}'\napi = '{api}'\nclient_id = '{CLIENT}'\nclient_secret = '{SECRET}'\n\
         scopes = 'people:read people:write'\nstore = 'sqlite:{data}/client.db'\nmaster_key = '{data}/client.key'\n\
         log = 'trace'\n[server]\nlisten = '{address}'\ntls = false\n",
        auth.issuer
    );
    std::fs::write(&file, text).unwrap();
    let mut child = program(&["serve", "--config", file.to_str().unwrap()]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut read = String::new();
    while !read.contains("oauth-client listens on") {
        assert!(lines.read_line(&mut read).unwrap() > 0, "it ended: {read}");
    }
    let log = std::thread::spawn(move || {
        lines.read_to_string(&mut read).unwrap();
        read
    });
    Running { child, log, address: format!("http://{address}") }
}

/// whatever happens, no code, token, state, cookie or secret is logged; SIGTERM ends the program in good order.
#[actix_rt::test]
async fn nothing_secret_is_logged_and_sigterm_stops_it() {
    let auth = AuthServer::start().await;
    let api = crate::support::Api::start(&auth).await;
    let folder = tempfile::tempdir().unwrap();
    let mut running = serve(&auth, &api.url, folder.path());
    let mut browser = Browser::new(&running.address);
    let callback = browser.authorize("/login?target=/data/people").await;
    let mut secrets =
        vec![SECRET.to_owned(), auth.state().last_authorize["state"].clone(), browser.cookies["login"].clone()];
    browser.get(&callback).await;
    browser.get(&callback).await.shows(400, "Please sign in again");
    secrets.push(browser.cookies["sid"].clone());
    auth.expire_access_tokens();
    browser.get("/data/people?field=name&value=hush-hush").await.shows(200, "Nothing fits");
    auth.state().refresh_answer = Some((500, serde_json::json!({"error": "server_error"})));
    auth.expire_access_tokens();
    browser.get("/data/people").await.shows(503, "Sign-in is not available");
    auth.state().refresh_answer = None;
    secrets.extend(auth.state().secrets.clone());
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(running.child.wait().unwrap().success());
    let log = running.log.join().unwrap();
    assert!(log.contains("GET /callback 303") && log.contains("a refresh failed: it answers with 500"), "{log}");
    for secret in secrets.iter().map(String::as_str).chain(["hush-hush"]) {
        let line = log.lines().find(|line| line.contains(secret) || line.contains(&shared::form::encode(secret)));
        assert!(line.is_none(), "{}", line.unwrap());
    }
}

/// of requests at the same time each has a whole line of its own with its id, the last before the end too.
#[actix_rt::test]
async fn every_request_of_a_burst_has_its_line() {
    let auth = AuthServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut running = serve(&auth, "http://127.0.0.1:9", folder.path());
    #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
    let client = reqwest::Client::new();
    let asked = (0..200).map(|number| {
        let path = format!("{}/healthz?secret={number}", running.address);
        client.get(path).header("x-request-id", format!("burst-{number}")).send()
    });
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(running.child.wait().unwrap().success());
    let log = running.log.join().unwrap();
    for number in 0..200 {
        let id = format!(" INFO  access [burst-{number}] GET /healthz 200 ");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&id)).collect();
        let [line] = lines[..] else { panic!("{id}: {lines:?}") };
        let rest = line.split_once(&id).unwrap();
        assert!(rest.0.len() == "2026-01-01T00:00:00.000Z".len() && rest.1.ends_with("ms"), "{line}");
    }
}
