//! What admins do in the console, in a real Chromium.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use fantoccini::Locator;
use serde_json::Value;
use shared::store::servers::free_port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::sign_in;
use crate::support::Running;
use crate::support::browser::Browser;

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// An app that does nothing but greet whoever comes back to it; where it is.
async fn app() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    actix_rt::spawn(async move {
        while let Ok((mut browser, _)) = listener.accept().await {
            actix_rt::spawn(async move {
                let mut request = [0; 8192];
                browser.read(&mut request).await.unwrap_or_default();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close";
                browser.write_all(format!("{head}\r\n\r\n<h1>Welcome back</h1>").as_bytes()).await.unwrap_or_default();
            });
        }
    });
    address
}

async fn console(running: &Running, browser: &Browser) {
    browser.open(&format!("{}/oauth/management", running.stack.addresses.auth)).await;
    sign_in(browser, running, "admin").await;
    browser.sees("Overview").await;
}

/// H-001, H-005, A-060, B-004: an admin registers an app in the console; what he is shown there once brings it its first token.
/// Who is no admin is kept out.
#[actix_rt::test]
async fn a_client_made_in_the_console_gets_its_first_token() {
    let running = Running::start("").await;
    let auth = &running.stack.addresses.auth;
    let visitor = Browser::start().await;
    visitor.open(&format!("{auth}/oauth/management")).await;
    sign_in(&visitor, &running, "demo").await;
    visitor.sees("This page is for administrators").await;
    visitor.no_complaints().await;

    let (browser, callback) = (Browser::start().await, format!("{}/callback", app().await));
    console(&running, &browser).await;
    browser.press("Clients").await;
    browser.sees("Command line").await;
    browser.press("Create client").await;
    browser.fill("[name=client_name]", "Shop").await;
    browser.fill("[name=redirect_uris]", &callback).await;
    browser.fill("[name=scope]", "cities:read").await;
    browser.press("Create client").await;
    browser.sees("Shop is registered.").await;
    let shown = browser.page.find_all(Locator::Css(".secret")).await.unwrap();
    let (id, secret) = (shown[0].text().await.unwrap(), shown[1].text().await.unwrap());
    browser.press("Done").await;
    browser.sees("Secrets").await;
    assert!(!browser.page.source().await.unwrap().contains(&secret), "it is shown once");

    let encoded = shared::form::encode(&callback);
    browser
        .open(&format!(
            "{auth}/oauth/authorize?response_type=code&client_id={id}&redirect_uri={encoded}&scope=cities:read&state=s\
             &code_challenge={CHALLENGE}&code_challenge_method=S256"
        ))
        .await;
    browser.sees("Allow Shop to use your account?").await;
    browser.sees("Read cities").await;
    browser.press("Allow").await;
    browser.sees("Welcome back").await;
    let back: url::Url = browser.url().await.parse().unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &callback),
        ("code_verifier", VERIFIER),
    ];
    let request = running.client().post(format!("{auth}/oauth/token")).basic_auth(&id, Some(&secret)).form(&form);
    let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(
        crate::api_status(&running, answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"))).await,
        200
    );
    browser.no_complaints().await;
}

/// F-063: a day that is none, typed into the address by hand, is told; the browser has nothing against the page.
#[actix_rt::test]
async fn a_wrong_day_in_the_audit_logs_filter_is_told() {
    let running = Running::start("").await;
    let browser = Browser::start().await;
    console(&running, &browser).await;
    browser.press("Audit log").await;
    browser.sees("login succeeded").await;
    browser
        .open(&format!("{}/oauth/management/audit?from=2026-13-01&kind=login_failed", running.stack.addresses.auth))
        .await;
    browser.sees("\"2026-13-01\" is no day").await;
    assert_eq!(browser.find("#kind").await.prop("value").await.unwrap().as_deref(), Some("login_failed"));
    browser.press("Filter").await;
    browser.sees("Nothing fits this filter.").await;
    browser.no_complaints().await;
}

/// The program itself, stopped with the value.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// H-002: the link that a first start prints leads to a page that makes the first admin, who is in the console at once; then it
/// opens nothing.
#[actix_rt::test]
async fn the_printed_link_makes_the_first_admin() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let config = folder.path().join("auth-server.toml");
    let settings = format!(
        "issuer = 'http://{address}'\nstore = 'sqlite:auth.db'\ndev = true\n[server]\nlisten = '{address}'\ntls = false\n"
    );
    std::fs::write(&config, settings).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_evergate"));
    program.args(["auth", "serve", "--config"]).arg(&config).current_dir(folder.path());
    let mut served = Served(program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(served.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let link = lines.map(|line| line.trim().to_owned()).find(|line| line.contains("/oauth/setup?token=")).unwrap();

    let browser = Browser::start().await;
    browser.open(&link).await;
    browser.fill("#username", "root\tbeer").await;
    browser.fill("#username", "root").await;
    browser.fill("#password", "password password").await;
    browser.press("Create admin").await;
    browser.sees("Nothing was created").await;
    assert_eq!(browser.find("#username").await.prop("value").await.unwrap().as_deref(), Some("root"));
    browser.types("violet anchor drum\n").await;
    browser.sees("Overview").await;
    assert_eq!(browser.url().await, format!("http://{address}/oauth/management"), "the link has left the address bar");
    let other = Browser::start().await;
    other.open(&link).await;
    other.sees("This setup link opens nothing").await;
    browser.no_complaints().await;
    other.no_complaints().await;
}
