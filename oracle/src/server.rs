//! The servers that are compared, and what they answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use resource_api::Config;
use resource_api::config::AuthMode;
use resource_api::domain::{Format, parse};
use serde_json::Value;
use shared::Secret;
use shared::http_client::{HttpClient, HttpClientConfig, HttpClientError};
use shared::serve::{ServerConfig, Tls};
use shared::store::{Mongo, StoreUrl};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::auth_server::{AUDIENCE, AuthServer};
use crate::step::Request;

const SERVE_EVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/serve_eve.py");

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("{program} can't be started: {source}")]
    Program { program: String, source: std::io::Error },
    #[error("Eve ended: {0}")]
    Eve(String),
    #[error("resource-api does not start: {0}")]
    ResourceApi(String),
    #[error(transparent)]
    Client(#[from] HttpClientError),
    #[error("{request}: {source}")]
    Request { request: String, source: reqwest::Error },
    #[error("{0}: a request that HTTP does not allow")]
    Impossible(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Caller {
    url: String,
    client: HttpClient,
}

impl Caller {
    fn new(port: u16) -> Result<Self, ServerError> {
        Ok(Caller { url: format!("http://127.0.0.1:{port}"), client: client()? })
    }

    /// The same without open connections.
    fn anew(&self) -> Result<Self, ServerError> {
        Ok(Caller { url: self.url.clone(), client: client()? })
    }

    /// `http://127.0.0.1:…`, which answers may name.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn send(&self, request: &Request) -> Result<Answer, ServerError> {
        let impossible = || ServerError::Impossible(request.to_string());
        let failed = |source| ServerError::Request { request: request.to_string(), source };
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| impossible())?;
        let mut builder = self.client.request(method, format!("{}{}", self.url, request.target));
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| impossible())?;
            builder = builder.header(name, HeaderValue::from_str(value).map_err(|_| impossible())?);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let response = builder.send().await.map_err(failed)?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        Ok(Answer { status, headers, body: response.text().await.map_err(failed)? })
    }
}

fn client() -> Result<HttpClient, HttpClientError> {
    HttpClient::new(&HttpClientConfig { timeout: 30.0, ..HttpClientConfig::default() })
}

/// Eve in a process of its own.
pub struct Eve {
    pub caller: Caller,
    /// Closed to end it.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    process: Child,
}

impl Eve {
    /// `python` has Eve installed; `database` is created, and dropped at the end.
    pub fn start(python: &Path, mongodb: &str, database: &str, domain: &Value) -> Result<Self, ServerError> {
        let mut process = Command::new(python)
            .args([SERVE_EVE, mongodb, database])
            .env("PYTHONHASHSEED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| ServerError::Program { program: python.display().to_string(), source })?;
        let ended = || ServerError::Eve("no pipes".to_owned());
        let mut commands = process.stdin.take().ok_or_else(ended)?;
        let mut answers = BufReader::new(process.stdout.take().ok_or_else(ended)?);
        let answer = ask(&mut commands, &mut answers, &domain.to_string())?;
        let port = answer["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| ServerError::Eve(answer.to_string()))?;
        Ok(Eve { caller: Caller::new(port)?, commands: Some(commands), answers, process })
    }

    /// Leaves no document in the database, and no connection open: on one, what nobody has read of a body may still be
    /// taken for a request.
    pub fn reset(&mut self) -> Result<(), ServerError> {
        self.caller = self.caller.anew()?;
        match &mut self.commands {
            Some(commands) => ask(commands, &mut self.answers, "reset").map(drop),
            None => Err(ServerError::Eve("it was ended".to_owned())),
        }
    }
}

impl Drop for Eve {
    fn drop(&mut self) {
        drop(self.commands.take());
        // It drops its database and ends by itself.
        let _ = self.process.wait();
    }
}

fn ask(to: &mut ChildStdin, from: &mut BufReader<ChildStdout>, line: &str) -> Result<Value, ServerError> {
    to.write_all(format!("{line}\n").as_bytes())?;
    to.flush()?;
    let mut answer = String::new();
    from.read_line(&mut answer)?;
    serde_json::from_str(&answer).map_err(|_| ServerError::Eve(format!("it says {answer:?}")))
}

/// resource-api on a thread of its own, over an empty store.
pub struct ResourceApi {
    pub caller: Caller,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    folder: Option<TempDir>,
}

/// Where it keeps documents.
#[derive(Debug, Clone)]
pub enum Keeps {
    Sqlite,
    /// In a database of this server.
    Mongodb {
        url: String,
    },
}

impl Keeps {
    /// In a database of this name on a server of MongoDB's protocol.
    pub fn in_database(mongodb: &str, database: &str) -> Self {
        let (base, options) = mongodb.split_once('?').unwrap_or((mongodb, ""));
        let (scheme, rest) = base.split_once("://").unwrap_or(("mongodb", base));
        let hosts = rest.split('/').next().unwrap_or_default();
        // Test machines are busy.
        let patient = "serverSelectionTimeoutMS=30000&connectTimeoutMS=30000&timeoutMS=30000";
        Keeps::Mongodb { url: format!("{scheme}://{hosts}/{database}?{options}&{patient}") }
    }

    /// One of many of the same kind.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        match self {
            Keeps::Sqlite => Keeps::Sqlite,
            Keeps::Mongodb { url } => Keeps::Mongodb { url: url.replacen('?', &format!("_{number}?"), 1) },
        }
    }

    /// Leaves nothing of it.
    pub async fn drop(&self) -> Result<(), ServerError> {
        let Keeps::Mongodb { url } = self else { return Ok(()) };
        let failed = |error: &dyn std::fmt::Display| ServerError::ResourceApi(error.to_string());
        let mongo = Mongo::connect(&Secret::new(url), "unnamed").await.map_err(|error| failed(&error))?;
        mongo.database().drop().await.map_err(|error| failed(&error))
    }
}

impl ResourceApi {
    /// `like`: a folder of another one that holds no documents yet, so that tables need not be made again.
    /// `auth`: who knows its callers' tokens, if it has any.
    pub fn start(
        domain: &Value,
        keeps: &Keeps,
        like: Option<&Path>,
        auth: Option<&AuthServer>,
    ) -> Result<Self, ServerError> {
        let failed = |error: &dyn std::fmt::Display| ServerError::ResourceApi(error.to_string());
        let domain = parse(Format::Json, &domain.to_string()).map_err(|error| failed(&error))?;
        let folder = tempfile::tempdir()?;
        for entry in like.map(std::fs::read_dir).transpose()?.into_iter().flatten() {
            let entry = entry?;
            std::fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
        }
        let store = match keeps {
            Keeps::Sqlite => StoreUrl::Sqlite(folder.path().join("api.db")),
            Keeps::Mongodb { url } => url.parse().map_err(|error| failed(&error))?,
        };
        let mut config = Config {
            server: ServerConfig {
                listen: ([127, 0, 0, 1], 0).into(),
                tls: Tls::Switch(false),
                workers: 1,
                ..ServerConfig::default()
            },
            store,
            ..Config::default()
        };
        match auth {
            None => config.auth.mode = AuthMode::None,
            Some(auth) => {
                config.issuer = Some(auth.issuer());
                config.introspection_endpoint = Some(auth.introspection_endpoint());
                // This auth-server never ends a token.
                config.revocation_feed.follow = false;
                config.resource = Some(AUDIENCE.to_owned());
                config.client_id = Some("resource-api".to_owned());
                config.client_secret = Some(Secret::new("secret"));
            }
        }
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let server = async {
                    let listener = shared::serve::bind(&config.server).map_err(|error| error.to_string())?;
                    resource_api::start_with(config, domain, listener).await.map_err(|error| error.to_string())
                };
                match server.await {
                    Ok(server) => {
                        // Whoever asked may be gone already; then the other end of `stopped` is too.
                        let _ = ready.send(Ok(server.address().port()));
                        let _ = stopped.await;
                        server.stop().await;
                    }
                    Err(error) => _ = ready.send(Err(error)),
                }
            });
        });
        let port = started.recv().map_err(|error| failed(&error))?.map_err(ServerError::ResourceApi)?;
        Ok(ResourceApi { caller: Caller::new(port)?, stop: Some(stop), thread: Some(thread), folder: Some(folder) })
    }
}

impl ResourceApi {
    /// Ends it and leaves its folder.
    pub fn stop(mut self) -> Option<TempDir> {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been told already.
            let _ = thread.join();
        }
        self.folder.take()
    }
}

impl Drop for ResourceApi {
    /// It ends by itself; nobody waits.
    fn drop(&mut self) {
        drop(self.stop.take());
        let (thread, folder) = (self.thread.take(), self.folder.take());
        thread::spawn(move || {
            let _ = thread.map(thread::JoinHandle::join);
            drop(folder);
        });
    }
}
