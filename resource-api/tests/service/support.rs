//! A small language for the tests: a real server on a free port, an auth-server on a real socket that says what it is
//! told to, and requests that read like sentences.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use resource_api::Config;
use resource_api::domain::{Format, parse};
use serde_json::{Value, json};
use shared::Secret;
use shared::serve::{Server, ServerConfig, Tls};
use shared::store::StoreUrl;
use tempfile::TempDir;

pub const RESOURCE: &str = "https://api.test";

/// How the stub answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Mood {
    Fine,
    /// Accepts, waits, then answers.
    Slow(Duration),
    Status(u16),
    Garbage,
    /// Accepts and hangs up.
    HangUp,
}

/// An auth-server that knows only introspection and its metadata.
#[derive(Clone)]
pub struct AuthServer {
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    tokens: Mutex<HashMap<String, Value>>,
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    discovered: AtomicUsize,
    credentials: Mutex<Vec<String>>,
    bodies: Mutex<Vec<String>>,
}

impl AuthServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            tokens: Mutex::default(),
            mood: Mutex::new(Mood::Fine),
            asked: AtomicUsize::new(0),
            discovered: AtomicUsize::new(0),
            credentials: Mutex::default(),
            bodies: Mutex::default(),
        });
        let server = Self { url, inner };
        let serving = server.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(connection));
            }
        });
        server
    }

    /// A live token of a user with these scopes; `more` replaces members of the answer.
    pub fn token(&self, name: &str, scopes: &str, more: Value) -> &Self {
        let mut answer = json!({
            "active": true, "scope": scopes, "client_id": "shop", "username": name, "sub": format!("u_{name}"),
            "aud": [RESOURCE], "iss": self.url, "exp": 4_000_000_000_i64, "iat": 1, "jti": "j", "token_type": "Bearer",
        });
        answer.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.inner.tokens.lock().unwrap().insert(name.to_owned(), answer);
        self
    }

    pub fn revoke(&self, name: &str) {
        self.inner.tokens.lock().unwrap().remove(name);
    }

    pub fn mood(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// How often introspection was asked.
    pub fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    pub fn discovered(&self) -> usize {
        self.inner.discovered.load(Ordering::SeqCst)
    }

    /// The Authorization headers and bodies that came.
    pub fn questions(&self) -> Vec<(String, String)> {
        let credentials = self.inner.credentials.lock().unwrap().clone();
        credentials.into_iter().zip(self.inner.bodies.lock().unwrap().clone()).collect()
    }

    fn answer(&self, connection: TcpStream) {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut connection = connection;
        loop {
            let mut request = String::new();
            if reader.read_line(&mut request).unwrap_or(0) == 0 {
                return;
            }
            let (mut length, mut authorization) = (0, String::new());
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if lower.starts_with("authorization:") {
                    authorization = line["authorization:".len()..].trim().to_owned();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let (status, answer) = if request.starts_with("GET /.well-known/oauth-authorization-server ") {
                self.inner.discovered.fetch_add(1, Ordering::SeqCst);
                (200, json!({ "issuer": self.url, "introspection_endpoint": format!("{}/ask", self.url) }).to_string())
            } else {
                self.inner.asked.fetch_add(1, Ordering::SeqCst);
                self.inner.credentials.lock().unwrap().push(authorization);
                self.inner.bodies.lock().unwrap().push(body.clone());
                let mood = self.inner.mood.lock().unwrap().clone();
                let fine = || {
                    let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
                    let known = self.inner.tokens.lock().unwrap().get(token).cloned();
                    (200, known.unwrap_or_else(|| json!({ "active": false })).to_string())
                };
                match mood {
                    Mood::HangUp => return,
                    Mood::Slow(time) => {
                        std::thread::sleep(time);
                        fine()
                    }
                    Mood::Status(status) => (status, "{}".to_owned()),
                    Mood::Garbage => (200, "<html>".to_owned()),
                    Mood::Fine => fine(),
                }
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            if connection.write_all(format!("{head}{answer}").as_bytes()).is_err() {
                return;
            }
        }
    }
}

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
            ..Config::default()
        };
        set(&mut config);
        let domain = parse(Format::Json, &domain.to_string()).unwrap();
        let listener = shared::serve::bind(&config.server).unwrap();
        let server = resource_api::start_with(config, domain, listener).await.unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
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
