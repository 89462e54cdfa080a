//! The authorization server as its client sees it: metadata, the authorization request, tokens, revocation.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use shared::Secret;
use shared::form::encode;
use shared::http_client::HttpClient;
use shared::oauth::{ErrorCode, Scopes, TokenResponse};
use tokio::sync::Mutex;
use url::Url;

use crate::app::App;
use crate::body;
use crate::config::Config;
use crate::metadata::{Metadata, well_known};

/// Metadata is fetched again after this time; an older copy is used while the server does not answer.
const FRESH: Duration = Duration::from_secs(600);
/// A failed fetch is not repeated sooner, so that a flood of visitors does not become one of requests.
const FAILED: Duration = Duration::from_secs(1);
/// For the exchange of a code and for a refresh (E-016).
const TOKEN_LIMIT: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 64 * 1024;

pub struct Provider {
    http: HttpClient,
    issuer: String,
    client_id: String,
    client_secret: Secret,
    scopes: Scopes,
    resource: String,
    redirect_uri: String,
    held: RwLock<Option<(Instant, Arc<Metadata>)>>,
    /// One fetch at a time; what the last failure was and when.
    fetching: Mutex<Option<(Instant, ProviderError)>>,
}

/// Why the server gave nothing usable. The texts are for the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// Network, time-out, 5xx or 429; the same request may succeed later. `retry_after`: seconds, as the server wished.
    #[error("{reason}")]
    Unavailable { reason: String, retry_after: Option<u64> },
    /// An OAuth error answer.
    #[error("it refuses with {}", .0.map_or("a code this app does not know", ErrorCode::as_str))]
    Refused(Option<ErrorCode>),
    /// Neither a token answer nor an error answer (E-017).
    #[error("{0}")]
    Unusable(&'static str),
    /// Metadata that must not be used (E-005, E-006).
    #[error("its metadata can't be used: {0}")]
    Metadata(String),
}

impl Provider {
    pub fn new(http: HttpClient, config: &Config) -> Self {
        Self {
            http,
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone().unwrap_or_else(|| Secret::new("")),
            scopes: config.scopes.clone(),
            resource: config.resource().to_owned(),
            redirect_uri: config.redirect_uri(),
            held: RwLock::new(None),
            fetching: Mutex::new(None),
        }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The server's metadata, fetched when it is missing or old (E-005).
    pub async fn metadata(&self) -> Result<Arc<Metadata>, ProviderError> {
        if let Some(metadata) = self.held(FRESH) {
            return Ok(metadata);
        }
        let mut failed = self.fetching.lock().await;
        if let Some(metadata) = self.held(FRESH) {
            return Ok(metadata);
        }
        let stale = self.held(Duration::MAX);
        if let Some((when, error)) = &*failed
            && when.elapsed() < FAILED
        {
            return stale.ok_or_else(|| error.clone());
        }
        match self.fetch().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *failed = None;
                self.hold(Some((Instant::now(), metadata.clone())));
                Ok(metadata)
            }
            Err(error) => {
                log::warn!("authorization server {}: {error}", self.issuer);
                *failed = Some((Instant::now(), error.clone()));
                if matches!(error, ProviderError::Metadata(_)) {
                    self.hold(None);
                    return Err(error);
                }
                stale.ok_or(error)
            }
        }
    }

    fn held(&self, at_most: Duration) -> Option<Arc<Metadata>> {
        let held = self.held.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.as_ref().filter(|(when, _)| when.elapsed() < at_most).map(|(_, metadata)| metadata.clone())
    }

    fn hold(&self, metadata: Option<(Instant, Arc<Metadata>)>) {
        *self.held.write().unwrap_or_else(std::sync::PoisonError::into_inner) = metadata;
    }

    async fn fetch(&self) -> Result<Metadata, ProviderError> {
        let response = self.http.get(well_known(&self.issuer)).send().await.map_err(unavailable)?;
        if response.status() != StatusCode::OK {
            return Err(ProviderError::Unavailable {
                reason: format!("its metadata answers with {}", response.status()),
                retry_after: None,
            });
        }
        let bytes = body::read(response, LARGEST).await.map_err(broken)?;
        serde_json::from_slice::<Metadata>(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|metadata| metadata.check(&self.issuer))
            .map_err(ProviderError::Metadata)
    }

    /// Where to send a browser (RFC 6749 4.1.1, 7636, 8707): always with S256 (E-004), and with the API's identifier (E-008).
    pub fn authorize_url(&self, metadata: &Metadata, state: &str, challenge: &str) -> String {
        let mut url = metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.scopes.to_string())
            .append_pair("state", state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &self.resource);
        url.into()
    }

    /// A code's tokens. Asked once: an answer, even a lost one, uses the code up (E-016).
    pub async fn exchange(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
    ) -> Result<TokenResponse, ProviderError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        self.token(&form).await
    }

    pub async fn refresh(&self, refresh_token: &str) -> Result<TokenResponse, ProviderError> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Takes a token back (RFC 7009). Unknown tokens are a success there.
    pub async fn revoke(&self, token: &str, hint: &str) -> Result<(), ProviderError> {
        let metadata = self.metadata().await?;
        let Some(endpoint) = &metadata.revocation_endpoint else {
            return Err(ProviderError::Unusable("it has no revocation endpoint"));
        };
        let form = [("token", token), ("token_type_hint", hint)];
        let response = self.post(&metadata, endpoint, &form).send().await.map_err(unavailable)?;
        if response.status() == StatusCode::OK { Ok(()) } else { Err(refusal(response).await) }
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<TokenResponse, ProviderError> {
        let metadata = self.metadata().await?;
        let request = self.post(&metadata, &metadata.token_endpoint, form).timeout(TOKEN_LIMIT);
        let response = request.send().await.map_err(unavailable)?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response).await);
        }
        if !is_json(&response) {
            return Err(ProviderError::Unusable("the answer is not JSON"));
        }
        let bytes = body::read(response, LARGEST).await.map_err(broken)?;
        check(&bytes)
    }

    /// A form with this client's credentials (RFC 6749 2.3.1): both parts are form-encoded before they become Basic.
    fn post(&self, metadata: &Metadata, endpoint: &Url, form: &[(&str, &str)]) -> RequestBuilder {
        let request = self.http.post(endpoint.clone());
        if metadata.takes_basic() {
            let secret = encode(self.client_secret.expose());
            request.basic_auth(encode(&self.client_id), Some(secret)).form(form)
        } else {
            let own = [("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.expose())];
            request.form(&[form, &own].concat())
        }
    }
}

fn is_json(response: &reqwest::Response) -> bool {
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// E-017.
fn check(bytes: &[u8]) -> Result<TokenResponse, ProviderError> {
    let unusable = |reason| Err(ProviderError::Unusable(reason));
    let Ok(mut answer) = serde_json::from_slice::<TokenResponse>(bytes) else {
        return unusable("the answer lacks what a token answer must have, or has it in a wrong form");
    };
    if answer.access_token.is_empty() {
        return unusable("the access token is empty");
    }
    if !answer.token_type.eq_ignore_ascii_case("bearer") {
        return unusable("the token is not a bearer token");
    }
    if answer.expires_in == Some(0) {
        return unusable("the token's life is not positive");
    }
    answer.refresh_token = answer.refresh_token.filter(|token| !token.is_empty());
    Ok(answer)
}

async fn refusal(response: reqwest::Response) -> ProviderError {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let status = response.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        return ProviderError::Unavailable { reason: format!("it answers with {status}"), retry_after };
    }
    let bytes = body::read(response, LARGEST).await.unwrap_or_default();
    match serde_json::from_slice::<Refusal>(&bytes) {
        Ok(refusal) => ProviderError::Refused(serde_json::from_value(refusal.error.into()).ok()),
        Err(_) if status == StatusCode::UNAUTHORIZED => ProviderError::Refused(Some(ErrorCode::InvalidClient)),
        Err(_) => ProviderError::Unusable("it refuses without saying why"),
    }
}

fn unavailable(error: reqwest::Error) -> ProviderError {
    ProviderError::Unavailable { reason: body::reason(error), retry_after: None }
}

fn broken(error: body::BodyError) -> ProviderError {
    ProviderError::Unavailable { reason: error.to_string(), retry_after: None }
}

/// Fetches the metadata at start, again and again until it is there (E-005).
pub fn keep_fresh(app: &Arc<App>) {
    let app = Arc::downgrade(app);
    actix_rt::spawn(async move {
        let mut pause = Duration::from_millis(250);
        while let Some(app) = app.upgrade() {
            if app.provider.metadata().await.is_ok() {
                log::info!("authorization server {} is ready", app.provider.issuer);
                return;
            }
            drop(app);
            actix_rt::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E-017.
    #[test]
    fn token_answers_are_checked() {
        assert!(check(br#"{"access_token":"a","token_type":"bearer"}"#).is_ok());
        let full = br#"{"access_token":"a","token_type":"Bearer","expires_in":9,"refresh_token":"","scope":"b a"}"#;
        let answer = check(full).expect("it is a token answer");
        assert_eq!((answer.expires_in, answer.refresh_token), (Some(9), None));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":7,"token_type":"Bearer"}"#,
            r#"{"access_token":"a","token_type":"DPoP"}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":0}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":-1}"#,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":"900"}"#,
            r#"{"access_token":"a","token_type":"Bearer","scope":"a\"b"}"#,
        ] {
            assert!(matches!(check(bad.as_bytes()), Err(ProviderError::Unusable(_))), "{bad}");
        }
    }
}
