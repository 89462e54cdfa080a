//! The one way to make HTTP clients: verified TLS, time limits, no redirects followed, the request id passed on.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;

use crate::request_id;

/// How long an unused connection is kept: less than the five seconds after which our servers end theirs, so that no request meets that
/// end on its way.
const IDLE: Duration = Duration::from_secs(4);

/// How to reach other services.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpClientConfig {
    /// PEM file of certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// Seconds.
    pub connect_timeout: f64,
    /// Seconds for a whole request.
    pub timeout: f64,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self { ca: None, connect_timeout: 2.0, timeout: 5.0 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    #[error("can't read {path}: {source}")]
    Ca { path: String, source: std::io::Error },
    #[error("the HTTP client can't be set up: {0}")]
    Build(#[from] reqwest::Error),
    #[error("time limits are seconds from 0.001 to 3600")]
    Limit,
}

/// A client with its connection pool; cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
}

impl HttpClient {
    pub fn new(config: &HttpClientConfig) -> Result<Self, HttpClientError> {
        let limit = |seconds: f64| {
            let sane = (0.001..=3600.0).contains(&seconds);
            if sane { Ok(Duration::from_secs_f64(seconds)) } else { Err(HttpClientError::Limit) }
        };
        #[allow(clippy::disallowed_methods, reason = "this is the one place")]
        let mut builder = reqwest::Client::builder()
            .connect_timeout(limit(config.connect_timeout)?)
            .timeout(limit(config.timeout)?)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("evergate/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.ca {
            let pem = std::fs::read(path)
                .map_err(|source| HttpClientError::Ca { path: path.display().to_string(), source })?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(Self { client: builder.build()? })
    }

    pub fn get(&self, url: impl reqwest::IntoUrl) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::GET, url)
    }

    pub fn post(&self, url: impl reqwest::IntoUrl) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, url)
    }

    /// A request that carries the current request id.
    pub fn request(&self, method: reqwest::Method, url: impl reqwest::IntoUrl) -> reqwest::RequestBuilder {
        let mut headers = HeaderMap::new();
        if let Some(id) = request_id::current().and_then(|id| id.parse().ok()) {
            headers.insert("x-request-id", id);
        }
        self.client.request(method, url).headers(headers)
    }
}
