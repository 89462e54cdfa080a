//! Several auth-servers and resource-apis on the same stores, as processes of their own, each kind behind a balancer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::store::servers::Cluster;

use crate::processes::{Processes, free_ports};
use crate::round_robin::RoundRobin;

pub const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
pub const PASSWORD: &str = "a password for tests";
pub const CALLBACK: &str = "https://shop.example/callback";

/// What is started.
pub struct Plan<'p> {
    /// `None`: a file each.
    pub stores: Option<Cluster>,
    pub auth_servers: usize,
    pub apis: usize,
    /// TOML at the head of each resource-api's configuration, made for the auth-servers' ports.
    pub api_settings: &'p mut dyn FnMut(&[u16]) -> String,
}

pub struct Instances {
    pub auth: RoundRobin,
    pub api: RoundRobin,
    pub auth_ports: Vec<u16>,
    pub api_ports: Vec<u16>,
    metrics_ports: Vec<u16>,
    pub auth_servers: Vec<Processes>,
    pub apis: Vec<Processes>,
    folder: tempfile::TempDir,
    /// Makes a connection for each request, so that each goes to another server.
    pub http: reqwest::Client,
}

impl Instances {
    pub async fn start(mut plan: Plan<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [auth, api] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = free_ports::<6>();
        let (auth_ports, api_ports) = (ports[..plan.auth_servers].to_vec(), ports[2..2 + plan.apis].to_vec());
        let metrics_ports = ports[4..4 + plan.apis].to_vec();
        let (auth, api) = (RoundRobin::before(&auth_ports, auth), RoundRobin::before(&api_ports, api));
        #[allow(clippy::disallowed_methods, reason = "a stranger's client, not one of the product's")]
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let mut instances = Self {
            auth,
            api,
            auth_ports,
            api_ports,
            metrics_ports,
            auth_servers: Vec::new(),
            apis: Vec::new(),
            folder,
            http,
        };
        instances.write(&mut plan);
        for number in 0..plan.auth_servers {
            let mut process = instances.serve("auth", number);
            // The first one makes what the others find.
            instances.ready(&mut process, instances.auth_ports[number]).await;
            instances.auth_servers.push(process);
        }
        for number in 0..plan.apis {
            let mut process = instances.serve("api", number);
            instances.ready(&mut process, instances.api_ports[number]).await;
            instances.apis.push(process);
        }
        instances
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, plan: &mut Plan<'_>) {
        let path = self.folder.path().display();
        let (auth, api) = (self.auth.url(), self.api.url());
        let database = |url: &str, name: &str| {
            let (address, options) = url.split_once('?').unwrap();
            format!("{address}_{name}?{options}")
        };
        let (auth_stores, api_stores) = match &plan.stores {
            None => (format!("store = 'sqlite:{path}/auth.db'"), format!("store = 'sqlite:{path}/api.db'")),
            Some(Cluster { store, ephemeral }) => {
                let (store, ephemeral) = (store.expose(), ephemeral.expose());
                let stores = |name| format!("store = '{}'\nephemeral = '{ephemeral}'", database(store, name));
                (stores("auth"), stores("api"))
            }
        };
        std::fs::write(
            self.path("declared.toml"),
            format!(
                "[[scopes]]\nname = 'people:read'\ntext = 'Read people'\n[[scopes]]\nname = 'people:write'\ntext = 'Write people'\n\
                 [[clients]]\nclient_id = 'shop'\nclient_name = 'Shop'\nclient_secret = '{SECRET}'\nredirect_uris = ['{CALLBACK}']\n\
                 scope = 'people:read people:write'\nfirst_party = true\n\
                 grant_types = ['authorization_code', 'refresh_token', 'client_credentials']\n\
                 [[clients]]\nclient_id = 'api'\nclient_name = 'API'\nclient_secret = '{SECRET}'\nredirect_uris = []\ngrant_types = []\n\
                 introspects = ['{api}']\n[[users]]\nusername = 'alice'\npassword = '{PASSWORD}'\n"
            ),
        )
        .unwrap();
        let domain = json!({
            "RESOURCE_METHODS": ["GET", "POST"], "RATE_LIMIT_POST": [10, 600],
            "DOMAIN": { "people": { "schema": { "name": { "type": "string" } } } },
        });
        std::fs::write(self.path("domain.json"), domain.to_string()).unwrap();
        for (number, port) in self.auth_ports.iter().enumerate() {
            let text = format!(
                "issuer = '{auth}'\n{auth_stores}\nmaster_key_file = '{path}/auth.key'\ndeclare = '{path}/declared.toml'\ndev = true\n\
                 default_resource = '{api}'\n[server]\nlisten = '127.0.0.1:{port}'\ntls = false\nworkers = 2\n"
            );
            std::fs::write(self.path(&format!("auth{number}.toml")), text).unwrap();
        }
        let more = (plan.api_settings)(&self.auth_ports);
        for (number, port) in self.api_ports.iter().enumerate() {
            let metrics = self.metrics_ports[number];
            let text = format!(
                "{api_stores}\ndomain = '{path}/domain.json'\npublic_url = '{api}'\nissuer = '{auth}'\nclient_id = 'api'\n\
                 client_secret = '{SECRET}'\n{more}\n[metrics]\nlisten = '127.0.0.1:{metrics}'\n\
                 [server]\nlisten = '127.0.0.1:{port}'\ntls = false\nworkers = 2\n"
            )
            .replace("PUBLISHED", plan.stores.as_ref().map_or("", |stores| stores.ephemeral.expose()));
            std::fs::write(self.path(&format!("api{number}.toml")), text).unwrap();
        }
    }

    fn serve(&self, part: &str, number: usize) -> Processes {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evergate"));
        command.current_dir(self.folder.path()).args([part, "serve", "--config"]);
        let log = std::fs::File::create(self.path(&format!("{part}{number}.log"))).unwrap();
        command.arg(self.path(&format!("{part}{number}.toml"))).stdout(Stdio::null()).stderr(log);
        Processes(vec![command.spawn().unwrap()])
    }

    async fn ready(&self, process: &mut Processes, port: u16) {
        let end = Instant::now() + Duration::from_secs(120);
        let url = format!("http://127.0.0.1:{port}/readyz");
        while !self.http.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
            let runs = process.0[0].try_wait().unwrap().is_none();
            assert!(runs && Instant::now() < end, "{url} is not ready:\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn logs(&self) -> String {
        let logs = Path::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|path| std::fs::read_to_string(path).unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// A command of the auth-server, beside those that serve.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evergate"));
        command.current_dir(self.folder.path()).arg("auth").args(arguments).arg("--config");
        command.arg(self.path("auth0.toml")).output().unwrap()
    }

    /// What a resource-api tells Prometheus of `name`.
    pub async fn metric(&self, api: usize, name: &str) -> f64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics_ports[api]);
        let told = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Waits until every resource-api knows what ends.
    pub async fn fed(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        for api in 0..self.apis.len() {
            while self.metric(api, "evergate_revocation_feed_up").await < 1.0 {
                assert!(Instant::now() < end, "no feed:\n{}", self.logs());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Posts a form as the shop.
    pub async fn post(&self, server: &str, endpoint: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.post(format!("{server}/oauth/{endpoint}")).basic_auth("shop", Some(SECRET));
        let answer = request.form(form).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn tokens(&self, server: &str, form: &[(&str, &str)]) -> Value {
        let (status, told) = self.post(server, "token", form).await;
        assert_eq!(status, 200, "{told}\n{}", self.logs());
        told
    }

    /// A token of the shop's own.
    pub async fn machine_token(&self, server: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", "people:read people:write")];
        self.tokens(server, &form).await["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn revoke(&self, server: &str, token: &str) {
        assert_eq!(self.post(server, "revoke", &[("token", token)]).await.0, 200);
    }

    /// The status of a list at a resource-api.
    pub async fn list(&self, server: &str, token: &str) -> u16 {
        self.http.get(format!("{server}/people")).bearer_auth(token).send().await.unwrap().status().as_u16()
    }

    /// Makes each resource-api remember a token.
    pub async fn remember(&self, token: &str) {
        for port in &self.api_ports {
            for _ in 0..2 {
                assert_eq!(self.list(&local(*port), token).await, 200, "{}", self.logs());
            }
        }
    }

    /// How long a resource-api goes on to take a token.
    pub async fn outlived(&self, port: u16, token: &str) -> Duration {
        let start = Instant::now();
        while self.list(&local(port), token).await == 200 {
            assert!(start.elapsed() < Duration::from_secs(40), "a revoked token is never refused");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    }
}

pub fn local(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
