//! What an endpoint answered, and what tests expect of it.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// A response, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

/// A success of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    /// Empty where there is none.
    pub refresh: String,
    pub scope: String,
    pub expires_in: u64,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    /// The same, or nothing where no whole answer comes.
    pub async fn of_any(request: reqwest::RequestBuilder) -> Option<Self> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Self { status, headers, body: response.text().await.ok()? })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    /// The JSON of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()
    }

    #[track_caller]
    pub fn tokens(&self) -> Tokens {
        let json = self.ok();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(json["token_type"], "Bearer");
        assert!(json["scope"].is_string(), "scope is always told (B-004): {json}");
        Tokens {
            access: text("access_token"),
            refresh: text("refresh_token"),
            scope: text("scope"),
            expires_in: json["expires_in"].as_u64().unwrap(),
        }
    }

    /// Checks that it is a JSON error with this code and the status that belongs to it (table T1).
    #[track_caller]
    pub fn refused(&self, code: &str) -> &Self {
        let status = match code {
            "invalid_client" => 401,
            "access_denied" => 403,
            "temporarily_unavailable" => 429,
            _ => 400,
        };
        self.refused_with(status, code)
    }

    #[track_caller]
    pub fn refused_with(&self, status: u16, code: &str) -> &Self {
        let json = self.json();
        assert_eq!((self.status, json["error"].as_str().unwrap_or_default()), (status, code), "{}", self.body);
        let description = json["error_description"].as_str().unwrap_or_default();
        let legal = |c: char| matches!(c, '\x20' | '\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
        assert!(!description.is_empty() && description.chars().all(legal), "{description:?}");
        assert_eq!(self.header("cache-control"), "no-store");
        self
    }
}
