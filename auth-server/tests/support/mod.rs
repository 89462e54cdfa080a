//! A small language for service tests: a real server on a port of its own, people with browsers, and clients.
#![allow(dead_code, unused_imports, reason = "each test program speaks a part of it")]
#![allow(clippy::unwrap_used)]

mod actors;
mod answer;
mod browser;
mod following;
mod program;
mod store;
mod stored;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use actix_web::web::Data;
use auth_server::audit::Author;
use auth_server::client_metadata::ClientMetadata;
use auth_server::scope::Scope;
use auth_server::user::User;
use auth_server::{App, Config};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shared::Secret;
use shared::clock;
pub use shared::form::encode;
use shared::http_client::{HttpClient, HttpClientConfig};
use shared::store::servers::free_port;

pub use answer::{Answer, Tokens};
pub use browser::{Browser, hidden};
pub use following::Following;
pub use program::{Place, Program};
pub use stored::Stored;

/// What every test user types, unless the test says otherwise.
pub const PASSWORD: &str = "a password for tests";
/// Where codes are sent in tests; nobody listens there.
pub const CALLBACK: &str = "https://shop.example/callback";
/// The default resource of test servers.
pub const API: &str = "https://api.example";

/// A running server with its own store.
pub struct Server {
    pub app: Data<App>,
    pub url: String,
    pub http: HttpClient,
    pub stored: Stored,
    folder: tempfile::TempDir,
    running: Option<shared::serve::Server>,
    listener: Option<TcpListener>,
}

/// A registered client and its secret.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    pub secret: Option<String>,
    url: String,
    http: HttpClient,
    address: Option<String>,
}

/// Somebody with an account.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub username: String,
    pub password: String,
    url: String,
    http: HttpClient,
}

/// A code as the client received it, and what it needs to redeem it.
#[derive(Clone)]
pub struct Code {
    pub text: String,
    pub verifier: String,
    pub redirect_uri: String,
}

/// An authorization request to be; `extra` replaces or adds parameters, an empty value leaves one out.
pub type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Server {
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// A server with more settings: lines of TOML that stand before the sections.
    pub async fn with(settings: &str) -> Self {
        Self::of(None, settings, "", true).await
    }

    /// A server with more settings behind a proxy: [`Browser::at`] and [`Client::at`] come from other addresses.
    pub async fn behind_proxy(settings: &str) -> Self {
        Self::listening(settings, "trusted_proxies = ['127.0.0.1']").await
    }

    /// A server with more settings, and more about where it listens.
    pub async fn listening(settings: &str, listening: &str) -> Self {
        Self::of(None, settings, listening, true).await
    }

    /// A server that is known under another address than the one it listens on, as behind a proxy.
    pub async fn with_issuer(issuer: &str) -> Self {
        Self::of(Some(issuer), "", "", true).await
    }

    /// A store to be served by the program itself: see [`Server::config_file`].
    pub async fn unserved(settings: &str) -> Self {
        Self::of(None, settings, "", false).await
    }

    async fn of(issuer: Option<&str>, settings: &str, listening: &str, served: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let url = format!("http://{address}");
        let issuer = issuer.unwrap_or(&url);
        let stored = Stored::fresh(folder.path());
        let stores = stored.settings(folder.path(), settings.contains("ephemeral ="));
        // Most tests ask what a failure tells, not how long it takes.
        let floor = if settings.contains("passwords") { "" } else { "passwords = { failure_floor = 0 }" };
        let config = format!(
            "issuer = '{issuer}'\n{stores}\ndev = true\ndefault_resource = '{API}'\n{floor}\n{settings}\n\
             [server]\nlisten = '{address}'\ntls = false\nworkers = 2\n{listening}\n",
        );
        let file = folder.path().join("config.toml");
        std::fs::write(&file, &config).unwrap();
        let config: Config = shared::config::parse(&config).unwrap();
        let app = Data::new(App::open(config).await.unwrap());
        let listener = served.then(|| TcpListener::bind(address).unwrap());
        let running =
            listener.as_ref().map(|listener| auth_server::serve(app.clone(), listener.try_clone().unwrap()).unwrap());
        let limits = HttpClientConfig { timeout: 60.0, ..HttpClientConfig::default() };
        let server = Self { app, url, http: HttpClient::new(&limits).unwrap(), stored, folder, running, listener };
        for (name, role) in [("read", None), ("write", None), ("manage", Some("admin"))] {
            let text = format!("Text of {name}.");
            server
                .app
                .scopes
                .put(&Scope { name: name.into(), text, role: role.map(str::to_owned) }, &by())
                .await
                .unwrap();
        }
        server
    }

    /// What is told to Prometheus.
    pub async fn metrics(&self) -> String {
        let address = self.running.as_ref().unwrap().metrics_address().unwrap();
        self.http.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the program can serve this store.
    pub fn place(&self) -> Place {
        Place { url: self.url.clone(), config: self.config_file() }
    }

    /// The configuration this server has, as a file.
    pub fn config_file(&self) -> std::path::PathBuf {
        self.folder.path().join("config.toml")
    }

    /// The address of an endpoint, such as `/token`.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/oauth{name}", self.url)
    }

    /// Registers a client; `metadata` is laid over that of a confidential web application.
    pub async fn client(&self, metadata: Value) -> Client {
        let (client, secret) = self.metadata(metadata).register(clock::now()).unwrap();
        self.app.clients.insert(&client, &by()).await.unwrap();
        self.wrap(client.id, secret.map(|secret| secret.expose().to_owned()))
    }

    pub fn metadata(&self, metadata: Value) -> ClientMetadata {
        let mut base = json!({
            "client_name": "Shop", "redirect_uris": [CALLBACK], "scope": "read write", "default_scope": "read",
            "grant_types": ["authorization_code", "refresh_token"], "first_party": true,
        });
        for (name, value) in metadata.as_object().unwrap() {
            base[name] = value.clone();
        }
        serde_json::from_value(base).unwrap()
    }

    fn wrap(&self, id: String, secret: Option<String>) -> Client {
        Client { id, secret, url: self.url.clone(), http: self.http.clone(), address: None }
    }

    /// A confidential, first-party web application: its users are not asked for consent.
    pub async fn shop(&self) -> Client {
        self.client(json!({})).await
    }

    /// A public client of the same kind.
    pub async fn spa(&self) -> Client {
        self.client(json!({"client_name": "Page", "token_endpoint_auth_method": "none"})).await
    }

    /// A client that may ask about tokens for the default resource.
    pub async fn api(&self) -> Client {
        self.client(json!({"client_name": "API", "redirect_uris": [], "grant_types": [], "introspects": [API]})).await
    }

    /// A confidential client that acts for itself.
    pub async fn robot(&self) -> Client {
        self.client(json!({"client_name": "Robot", "redirect_uris": [], "grant_types": ["client_credentials"]})).await
    }

    /// A public client that is there already.
    pub fn public_client(&self, id: &str) -> Client {
        self.wrap(id.to_owned(), None)
    }

    /// Somebody whose account is there already.
    pub async fn person(&self, name: &str, password: &str) -> Person {
        let user = self.app.users.find_by_username(name).await.unwrap().unwrap();
        let (url, http) = (self.url.clone(), self.http.clone());
        Person { id: user.id, username: user.username, password: password.to_owned(), url, http }
    }

    pub async fn user(&self, name: &str) -> Person {
        self.user_with(name, PASSWORD, &[]).await
    }

    pub async fn user_with(&self, name: &str, password: &str, roles: &[&str]) -> Person {
        let mut user = User::new(name.to_owned(), clock::now());
        user.password_hash = Some(self.app.passwords.hash(Secret::new(password)).await.unwrap());
        user.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.app.users.insert(&user, &by()).await.unwrap();
        Person {
            id: user.id,
            username: name.to_owned(),
            password: password.to_owned(),
            url: self.url.clone(),
            http: self.http.clone(),
        }
    }

    /// Posts a form without client authentication.
    pub async fn post(&self, endpoint: &str, form: Parameters<'_>) -> Answer {
        Answer::of(self.http.post(self.endpoint(endpoint)).form(form)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.http.get(format!("{}{path}", self.url))).await
    }
}

/// Who makes the changes that a test needs beforehand.
pub fn by() -> Author {
    Author::command_line()
}

/// S256 of a verifier.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// A Basic header as RFC 6749 2.3.1 writes it.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

/// Parameters as a query.
pub fn query(parameters: Parameters<'_>) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// `base` with `changes` laid over; an empty value takes a parameter out.
pub fn overlaid<'a>(base: Parameters<'a>, changes: Parameters<'a>) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<_> =
        base.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name)).copied().collect();
    all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    all
}
