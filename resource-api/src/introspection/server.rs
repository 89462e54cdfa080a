//! The auth-server: where its endpoints are, and how it is asked.

use serde::Deserialize;
use shared::http_client::HttpClient;
use shared::{Secret, form};
use tokio::sync::OnceCell;
use url::Url;

use super::{Fault, IntrospectorError};
use crate::config::{Config, Rest, address};

/// As this service, with its credentials there.
#[derive(Debug)]
pub struct AuthServer {
    client: HttpClient,
    issuer: String,
    introspection_endpoint: OnceCell<Url>,
    client_id: String,
    client_secret: Secret,
}

/// The part of RFC 8414's metadata that is needed here.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    introspection_endpoint: Option<String>,
    /// Not of that RFC.
    revocation_feed_endpoint: Option<String>,
}

impl AuthServer {
    pub fn new(config: &Config) -> Result<Self, IntrospectorError> {
        let endpoint = config.introspection_endpoint.as_deref().and_then(|endpoint| Url::parse(endpoint).ok());
        Ok(Self {
            client: HttpClient::new(&config.http)?,
            issuer: config.issuer.clone().ok_or(IntrospectorError::Missing("issuer"))?,
            introspection_endpoint: OnceCell::new_with(endpoint),
            client_id: config.client_id.clone().ok_or(IntrospectorError::Missing("client_id"))?,
            client_secret: config.client_secret.clone().ok_or(IntrospectorError::Missing("client_secret"))?,
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A form to be posted with this service's own credentials (D-030).
    pub fn post(&self, endpoint: Url, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
        self.client
            .post(endpoint)
            // RFC 6749 2.3.1: both parts are form-encoded before they go into Basic.
            .basic_auth(form::encode(&self.client_id), Some(form::encode(self.client_secret.expose())))
            .form(form)
    }

    /// As configured, or as the metadata say; asked for once.
    pub async fn introspection_endpoint(&self) -> Result<&Url, Fault> {
        let discover = || async {
            let metadata = self.metadata().await?;
            self.endpoint("introspection_endpoint", metadata.introspection_endpoint)
        };
        self.introspection_endpoint.get_or_try_init(discover).await
    }

    /// As the metadata say.
    pub async fn revocation_feed_endpoint(&self) -> Result<Url, Fault> {
        let metadata = self.metadata().await?;
        self.endpoint("revocation_feed_endpoint", metadata.revocation_feed_endpoint)
    }

    fn endpoint(&self, name: &str, said: Option<String>) -> Result<Url, Fault> {
        let fault = |reason: String| Fault::Metadata { issuer: self.issuer.clone(), reason };
        let said = said.ok_or_else(|| fault(format!("name no {name}")))?;
        address(name, &said, Rest::PathAndQuery).map_err(|told| fault(format!("say {told}")))
    }

    /// RFC 8414 3.
    async fn metadata(&self) -> Result<Metadata, Fault> {
        let fault = |reason: String| Fault::Metadata { issuer: self.issuer.clone(), reason };
        let url = metadata_url(&self.issuer).ok_or_else(|| fault("have no address".to_owned()))?;
        let response = send(|| self.client.get(url.clone()).header("accept", "application/json")).await?;
        if response.status().as_u16() != 200 {
            return Err(fault(format!("are answered with {}", response.status().as_u16())));
        }
        let metadata: Metadata =
            response.json().await.map_err(|error| fault(format!("can't be read: {}", error.without_url())))?;
        if metadata.issuer != self.issuer {
            return Err(fault("name another issuer".to_owned()));
        }
        Ok(metadata)
    }
}

/// D-030: one retry, and only when no connection came to be.
pub async fn send(request: impl Fn() -> reqwest::RequestBuilder) -> Result<reqwest::Response, Fault> {
    let sent = match request().send().await {
        Err(error) if error.is_connect() => request().send().await,
        sent => sent,
    };
    sent.map_err(|error| Fault::Unreachable(reason(&error)))
}

/// D-032: an answer that is a good one.
pub fn accepted(response: reqwest::Response) -> Result<reqwest::Response, Fault> {
    match response.status().as_u16() {
        200 => Ok(response),
        status @ (401 | 403) => Err(Fault::Refused(status)),
        status => Err(Fault::Status(status)),
    }
}

/// The whole chain of causes: the outermost says little. Without the URL, which may hold more than an address.
pub fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "time is up".to_owned() } else { "no answer".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The well-known part goes between host and path.
fn metadata_url(issuer: &str) -> Option<Url> {
    let mut url = Url::parse(issuer).ok()?;
    let path = format!("/.well-known/oauth-authorization-server{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// C-040: the well-known part stands before the issuer's path.
    #[test]
    fn the_metadata_lie_between_host_and_path() {
        let url = |issuer| metadata_url(issuer).unwrap().to_string();
        assert_eq!(url("https://a.test"), "https://a.test/.well-known/oauth-authorization-server");
        assert_eq!(url("https://a.test/one"), "https://a.test/.well-known/oauth-authorization-server/one");
    }
}
