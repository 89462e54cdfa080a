//! The API: calls with the session's bearer token, refreshed when needed, with one retry on 401 (E-037, E-044).

use std::sync::Arc;

use reqwest::header::{HeaderMap, IF_MATCH, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::http_client::HttpClient;
use shared::oauth::Scopes;
use shared::session::Session;
use url::Url;

use crate::account::Account;
use crate::app::App;
use crate::body;
use crate::error::SiteError;
use crate::refresh::usable_tokens;

/// Largest answer that is read, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;
/// How long to wait before a try where the API does not say, in seconds.
const PAUSE: u64 = 5;

/// The one place the token is sent to (E-037): URLs are made of the configured home and path segments, never of links that
/// came with data, and the client follows no redirect.
pub struct ResourceApi {
    http: HttpClient,
    home: Url,
}

/// A request to the API.
pub struct Call<'a> {
    pub method: Method,
    /// Below the API's home, decoded.
    pub path: &'a [String],
    pub query: &'a [(&'static str, String)],
    pub if_match: Option<&'a str>,
    pub body: Option<&'a Value>,
}

impl<'a> Call<'a> {
    pub fn get(path: &'a [String], query: &'a [(&'static str, String)]) -> Self {
        Self { method: Method::GET, path, query, if_match: None, body: None }
    }

    pub fn write(method: Method, path: &'a [String], if_match: Option<&'a str>, body: Option<&'a Value>) -> Self {
        Self { method, path, query: &[], if_match, body }
    }
}

/// What the API said: a success, or a 4xx whose meaning depends on the request.
pub struct Answer {
    pub status: u16,
    /// Null where there is no JSON body.
    pub body: Value,
}

impl Answer {
    /// The API's own words about a refusal.
    pub fn message(&self) -> String {
        match self.body["_error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("The API answers with {}.", self.status),
        }
    }

    /// The body of a success.
    pub fn data(self) -> Result<Value, SiteError> {
        match self.status {
            200..=299 => Ok(self.body),
            404 => Err(SiteError::NotFound),
            status => Err(SiteError::ApiRefuses { status, message: self.message() }),
        }
    }
}

/// Why a call gave no [`Answer`].
pub enum CallError {
    /// 401 with `invalid_token`: worth a refresh.
    InvalidToken,
    Site(SiteError),
}

/// Calls the API for a session.
pub async fn call(app: &Arc<App>, session: &mut Session<Account>, call: &Call<'_>) -> Result<Answer, SiteError> {
    let tokens = usable_tokens(app, session, None).await?;
    match app.api.send(&tokens.access_token, call).await {
        Ok(answer) => Ok(answer),
        Err(CallError::Site(error)) => Err(error),
        Err(CallError::InvalidToken) => {
            let tokens = usable_tokens(app, session, Some(&tokens.access_token)).await?;
            app.api.send(&tokens.access_token, call).await.map_err(|error| match error {
                CallError::InvalidToken => SiteError::ApiRefusesToken("a fresh token is invalid to it".to_owned()),
                CallError::Site(error) => error,
            })
        }
    }
}

impl ResourceApi {
    pub fn new(http: HttpClient, home: Url) -> Self {
        Self { http, home }
    }

    pub fn home(&self) -> &Url {
        &self.home
    }

    fn url(&self, call: &Call<'_>) -> Url {
        let mut url = self.home.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        url
    }

    /// One request.
    pub async fn send(&self, token: &str, call: &Call<'_>) -> Result<Answer, CallError> {
        let site = CallError::Site;
        let mut request = self.http.request(call.method.clone(), self.url(call)).bearer_auth(token);
        request = request.header("accept", "application/json");
        if let Some(etag) = call.if_match {
            if !is_etag(etag) {
                return Err(site(SiteError::BadRequest("its etag holds what no etag may hold".to_owned())));
            }
            request = request.header(IF_MATCH, format!("\"{etag}\""));
        }
        if let Some(body) = call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| site(unavailable(body::reason(error))))?;
        let (status, headers) = (response.status(), response.headers());
        match status {
            StatusCode::UNAUTHORIZED if attribute(headers, "error").as_deref() == Some("invalid_token") => {
                return Err(CallError::InvalidToken);
            }
            StatusCode::UNAUTHORIZED => {
                return Err(site(SiteError::ApiRefusesToken("401 without a reason".to_owned())));
            }
            StatusCode::FORBIDDEN if attribute(headers, "error").as_deref() == Some("insufficient_scope") => {
                let scopes = attribute(headers, "scope").and_then(|scopes| scopes.parse::<Scopes>().ok());
                return Err(site(SiteError::MissingScope(scopes.unwrap_or_default())));
            }
            StatusCode::FORBIDDEN => return Err(site(SiteError::Forbidden)),
            StatusCode::TOO_MANY_REQUESTS => return Err(site(overloaded(status, headers))),
            status if status.is_server_error() => return Err(site(overloaded(status, headers))),
            status if status.is_success() || status.is_client_error() => {}
            status => return Err(site(SiteError::ApiUnusable(format!("It answers with {status}.")))),
        }
        let bytes = match body::read(response, LARGEST).await {
            Ok(bytes) => bytes,
            Err(error @ body::BodyError::TooLong(_)) => return Err(site(SiteError::ApiUnusable(error.to_string()))),
            Err(error) => return Err(site(unavailable(error.to_string()))),
        };
        let body = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(_) if bytes.is_empty() || status.is_client_error() => Value::Null,
            Err(_) => return Err(site(SiteError::ApiUnusable("It is not JSON.".to_owned()))),
        };
        Ok(Answer { status: status.as_u16(), body })
    }
}

/// Whether a text can stand in the quotes of an entity tag (RFC 9110 8.8.3): it came with a form, so it may be anything.
fn is_etag(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x7E | 0x80..))
}

fn unavailable(reason: String) -> SiteError {
    SiteError::ApiUnavailable { reason, retry_after: PAUSE }
}

fn overloaded(status: StatusCode, headers: &HeaderMap) -> SiteError {
    let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    SiteError::ApiUnavailable { reason: format!("it answers with {status}"), retry_after: asked.unwrap_or(PAUSE) }
}

/// An attribute of the Bearer challenge (RFC 6750 3).
fn attribute(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).find_map(|challenge| {
        let (scheme, attributes) = challenge.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        parts(attributes).into_iter().find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    })
}

/// Splits at commas outside of quotes.
fn parts(attributes: &str) -> Vec<&str> {
    let mut quoted = false;
    attributes
        .split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use shared::http_client::HttpClientConfig;

    /// E-044: the challenge tells a dead token from a missing one.
    #[test]
    fn attributes_of_a_challenge_are_found() {
        let mut headers = HeaderMap::new();
        headers.append(WWW_AUTHENTICATE, "Basic realm=\"error=x\"".parse().unwrap());
        let bearer = "bearer realm=\"a, error=b\", error=\"insufficient_scope\", scope=\"people:read people:write\"";
        headers.append(WWW_AUTHENTICATE, bearer.parse().unwrap());
        assert_eq!(attribute(&headers, "error").as_deref(), Some("insufficient_scope"));
        assert_eq!(attribute(&headers, "scope").as_deref(), Some("people:read people:write"));
        assert_eq!(attribute(&headers, "resource_metadata"), None);
        assert_eq!(attribute(&HeaderMap::new(), "error"), None);
    }

    /// RFC 9110 8.8.3: neither controls, nor blanks, nor a quote that would begin another tag.
    #[test]
    fn only_etags_go_out_as_etags() {
        assert!(["", "5dfb2f0c", "a-b+c/d=", "é"].into_iter().all(is_etag));
        assert!(!["a\r\nb", "a\u{0}", "a\u{7f}", "a b", "a\", \"b"].into_iter().any(is_etag));
    }

    /// E-037: whatever the path holds, the URL stays below the configured home.
    #[test]
    fn urls_stay_at_the_configured_host() {
        let http = HttpClient::new(&HttpClientConfig::default()).unwrap();
        let api = ResourceApi::new(http, Url::parse("https://api.test:9/v1/").unwrap());
        let url = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|&segment| segment.to_owned()).collect();
            api.url(&Call::get(&path, &[("where", "{\"a\":\"b&c\"}".to_owned())])).to_string()
        };
        assert_eq!(
            url(&["people", "a b/c?d#e"]),
            "https://api.test:9/v1/people/a%20b%2Fc%3Fd%23e?where=%7B%22a%22%3A%22b%26c%22%7D"
        );
        for path in [&["..", "..", "x"][..], &["//evil.test"], &["https://evil.test/"], &["@evil.test"]] {
            assert!(url(path).starts_with("https://api.test:9/v1/"), "{path:?}");
        }
    }
}
