//! A small language for the tests: a real server on a free port, an auth-server on a real socket that says what it is
//! told to, and requests that read like sentences.

use std::path::Path;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use resource_api::Config;
use resource_api::config::RevocationFeed;
use resource_api::domain::{Format, parse};
use serde_json::Value;
use shared::Secret;
use shared::serve::{Server, ServerConfig, Tls};
use shared::store::StoreUrl;
use tempfile::TempDir;

pub use crate::auth_server::{AuthServer, Mood, Telling};

pub const RESOURCE: &str = "https://api.test";

/// A running resource-api.
pub struct Api {
    pub url: String,
    pub auth: AuthServer,
    client: Client,
    server: Option<Server>,
    folder: Arc<TempDir>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Api {
    /// With a domain file and settings of its own, behind tokens.
    pub async fn start(domain: Value, set: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), domain, set).await
    }

    /// On the store of a folder that may hold documents already.
    pub async fn start_in(folder: Arc<TempDir>, domain: Value, set: impl FnOnce(&mut Config)) -> Self {
        let auth = AuthServer::start();
        let mut config = Config {
            server: ServerConfig {
                listen: "127.0.0.1:0".parse().unwrap(),
                tls: Tls::Switch(false),
                workers: 2,
                ..ServerConfig::default()
            },
            store: store_in(folder.path()),
            resource: Some(RESOURCE.to_owned()),
            issuer: Some(auth.url.clone()),
            client_id: Some("api".to_owned()),
            client_secret: Some(Secret::new("s cret")),
            // What is no test's subject is not waited for.
            revocation_feed: RevocationFeed { follow: false, ..RevocationFeed::default() },
            ..Config::default()
        };
        set(&mut config);
        let domain = parse(Format::Json, &domain.to_string()).unwrap();
        let listener = shared::serve::bind(&config.server).unwrap();
        let server = resource_api::start_with(config, domain, listener).await.unwrap();
        // The server ends connections that idle for five seconds.
        let idle = std::time::Duration::from_secs(3);
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).pool_idle_timeout(idle);
        let client = client.build().unwrap();
        Self { url: format!("http://{}", server.address()), auth, client, server: Some(server), folder }
    }

    /// With everything public.
    pub async fn open(domain: Value) -> Self {
        Self::start(domain, |config| config.auth.mode = resource_api::config::AuthMode::None).await
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).answer().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path).json(&body).answer().await
    }

    /// An edit of a document with its current ETag.
    pub async fn edit(&self, method: &str, path: &str, etag: &str, body: Value) -> Answer {
        self.request(method, path).header("If-Match", etag).json(&body).answer().await
    }

    /// Stops the server and gives its store back.
    pub async fn stop(mut self) -> Arc<TempDir> {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.folder.clone()
    }
}

pub trait Ask {
    async fn answer(self) -> Answer;
    fn token(self, token: &str) -> Self;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answer {
        let response = self.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    fn token(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// Checks the status, showing the answer where it is another.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?}", self.text, self.headers);
        self
    }

    /// Checks that it is Eve's error body for its status, and returns the message.
    #[track_caller]
    pub fn refused(self, status: u16) -> String {
        let answer = self.is(status);
        let body = answer.json();
        assert_eq!(body["_status"], "ERR");
        assert_eq!(body["_error"]["code"], status);
        assert_eq!(answer.header("content-type"), "application/json");
        body["_error"]["message"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> String {
        self.json()["_id"].as_str().unwrap().to_owned()
    }

    pub fn etag(&self) -> String {
        self.json()["_etag"].as_str().unwrap().to_owned()
    }
}

/// The store that belongs to a folder: a file in it, or with `EVERGATE_TEST_STORES=mongodb` a database of its own.
pub fn store_in(folder: &Path) -> StoreUrl {
    let told = folder.join("store.url");
    if let Ok(url) = std::fs::read_to_string(&told) {
        return url.parse().unwrap();
    }
    match shared::store::servers::chosen() {
        None => StoreUrl::Sqlite(folder.join("api.db")),
        Some(cluster) => {
            std::fs::write(&told, cluster.store.expose()).unwrap();
            StoreUrl::Mongo(cluster.store)
        }
    }
}

/// Sets members of an object.
pub fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

/// Text as a value of a query.
pub fn encoded(value: &Value) -> String {
    shared::form::encode(&match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    })
}
