//! A real Chromium, driven through chromedriver.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// For what a page is to show: a busy machine may take its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// One browser with an empty profile; gone with the value.
pub struct Browser {
    pub page: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            // A group of its own, so that its browser can be stopped with it.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (scripts/test does it)");
        let port = BufReader::new(driver.stdout.take().unwrap())
            .lines()
            .find_map(|line| line.unwrap().strip_suffix('.')?.rsplit_once("on port ")?.1.parse::<u16>().ok())
            .expect("chromedriver tells its port");
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1200,900",
        ];
        let mut options: Vec<Value> = arguments.iter().map(|argument| json!(argument)).collect();
        options.push(json!(format!("--user-data-dir={}", profile.path().display())));
        let capabilities: Map<String, Value> = [
            ("goog:chromeOptions".to_owned(), json!({ "args": options })),
            ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" })),
            // The development CA is not in this fresh profile's trust store.
            ("acceptInsecureCerts".to_owned(), json!(true)),
        ]
        .into_iter()
        .collect();
        let page = ClientBuilder::native()
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Self { page, driver, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    /// Waits for an element; the page's text is in the failure.
    pub async fn find(&self, selector: &str) -> Element {
        match self.page.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => panic!("no {selector} at {}: {error}\n{}", self.url().await, self.text().await),
        }
    }

    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        element.clear().await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// Clicks the button or link with this text.
    pub async fn press(&self, label: &str) {
        let path = format!("//*[self::a or self::button][normalize-space()='{label}']");
        match self.page.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await {
            Ok(element) => element.click().await.unwrap(),
            Err(error) => panic!("no “{label}” at {}: {error}\n{}", self.url().await, self.text().await),
        }
    }

    /// Waits until the page shows the text.
    pub async fn sees(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.text().await.contains(text) {
                return;
            }
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("“{text}” is not shown at {}:\n{}", self.url().await, self.text().await);
    }

    pub async fn text(&self) -> String {
        match self.page.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Fails on anything the browser's console holds against the pages: blocked content, script errors.
    pub async fn no_complaints(&self) {
        let entries = self.page.issue_cmd(BrowserLog).await.unwrap();
        let bad: Vec<_> = entries
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| entry["level"] != "INFO")
            .filter_map(|entry| entry["message"].as_str())
            // Chromium notes every answer of 400 and above; the pages themselves are checked by their text.
            .filter(|message| !message.contains("Failed to load resource"))
            .collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }

    /// Types into whatever has the focus; `\t` and `\n` are the keys Tab and Enter.
    pub async fn types(&self, text: &str) {
        let keys = text.replace('\t', "\u{e004}").replace('\n', "\u{e007}");
        self.page.active_element().await.unwrap().send_keys(&keys).await.unwrap();
    }

    /// The text of what has the focus.
    pub async fn focused_text(&self) -> String {
        self.page.active_element().await.unwrap().text().await.unwrap()
    }

    /// Waits until the browser is at an address that begins so.
    pub async fn arrives_at(&self, address: &str) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.url().await.starts_with(address) {
                return;
            }
            actix_rt::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} is not at {address}:\n{}", self.url().await, self.text().await);
    }

    /// From now on the page is `width` pixels wide, for a reader who prefers `scheme`, "light" or "dark".
    pub async fn looks_like(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        for (cmd, params) in [("Emulation.setDeviceMetricsOverride", size), ("Emulation.setEmulatedMedia", media)] {
            self.page.issue_cmd(Devtools(json!({"cmd": cmd, "params": params}))).await.unwrap();
        }
    }

    /// Fails where the page is wider than the window.
    pub async fn fits(&self, what: &str) {
        let script = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]";
        let widths = self.page.execute(script, Vec::new()).await.unwrap();
        assert!(widths[0].as_u64() <= widths[1].as_u64(), "{what} is {} wide in {}", widths[0], widths[1]);
    }

    pub async fn url(&self) -> String {
        self.page.current_url().await.map(|url| url.to_string()).unwrap_or_default()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to stop alone, chromedriver would leave its browser running.
        let killed = Command::new("kill").arg("--").arg(format!("-{}", self.driver.id())).status();
        if killed.is_err() || self.driver.wait().is_err() {
            eprintln!("chromedriver did not stop");
        }
    }
}

/// chromedriver's way to Chromium's own commands.
#[derive(Debug)]
struct Devtools(Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

/// chromedriver's command for the console's entries.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(r#"{"type":"browser"}"#.to_owned()))
    }
}
