//! What an authorization server says of itself (RFC 8414), as far as it is used.

use serde::Deserialize;
use url::Url;

use crate::config::is_loopback;

/// The part of the server's metadata that is used (RFC 8414 2).
#[derive(Debug, Deserialize)]
pub struct Metadata {
    issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub revocation_endpoint: Option<Url>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Metadata {
    /// Whether callbacks carry `iss` for certain (RFC 9207 3).
    pub fn promises_iss(&self) -> bool {
        self.authorization_response_iss_parameter_supported
    }

    /// E-005, E-006: what a server must say of itself before anybody is sent to it.
    pub fn check(self, issuer: &str) -> Result<Self, String> {
        if self.issuer != issuer {
            return Err(format!("it names the issuer `{}` instead of `{issuer}`", self.issuer));
        }
        if !self.code_challenge_methods_supported.iter().any(|method| method == "S256") {
            return Err("it does not offer S256 code challenges".to_owned());
        }
        let plain_allowed = issuer.starts_with("http://");
        let endpoints =
            [Some(&self.authorization_endpoint), Some(&self.token_endpoint), self.revocation_endpoint.as_ref()];
        for endpoint in endpoints.into_iter().flatten() {
            let secure =
                endpoint.scheme() == "https" || (plain_allowed && endpoint.scheme() == "http" && is_loopback(endpoint));
            if !secure {
                return Err(format!("its endpoint {endpoint} is not https"));
            }
        }
        Ok(self)
    }

    pub fn takes_basic(&self) -> bool {
        // Basic is the default where the list is absent (RFC 8414 2).
        self.token_endpoint_auth_methods_supported
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

/// The well-known path stands between the issuer's host and its path (RFC 8414 3).
pub fn well_known(issuer: &str) -> String {
    const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
    let host_starts = issuer.find("://").map_or(0, |place| place + 3);
    match issuer[host_starts..].find('/') {
        Some(place) => {
            let (origin, path) = issuer.split_at(host_starts + place);
            format!("{origin}{WELL_KNOWN}{path}")
        }
        None => format!("{issuer}{WELL_KNOWN}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 8414 3.1.
    #[test]
    fn the_well_known_path_stands_before_the_issuers_own() {
        assert_eq!(well_known("https://as.test"), "https://as.test/.well-known/oauth-authorization-server");
        assert_eq!(
            well_known("https://as.test:9/tenant/a"),
            "https://as.test:9/.well-known/oauth-authorization-server/tenant/a"
        );
    }

    fn metadata(change: &[(&str, serde_json::Value)]) -> Result<Metadata, String> {
        let mut document = serde_json::json!({
            "issuer": "https://as.test",
            "authorization_endpoint": "https://as.test/oauth/authorize",
            "token_endpoint": "https://as.test/oauth/token",
            "revocation_endpoint": "https://as.test/oauth/revoke",
            "code_challenge_methods_supported": ["S256"],
        });
        for (key, value) in change {
            document[*key] = value.clone();
        }
        serde_json::from_value::<Metadata>(document).unwrap().check("https://as.test")
    }

    /// E-005, E-006.
    #[test]
    fn metadata_of_another_issuer_without_s256_or_without_tls_is_refused() {
        assert!(metadata(&[]).is_ok());
        for (key, value) in [
            ("issuer", serde_json::json!("https://as.test/")),
            ("issuer", serde_json::json!("https://evil.test")),
            ("code_challenge_methods_supported", serde_json::json!(["plain"])),
            ("code_challenge_methods_supported", serde_json::json!([])),
            ("token_endpoint", serde_json::json!("http://as.test/oauth/token")),
            ("authorization_endpoint", serde_json::json!("http://127.0.0.1/oauth/authorize")),
            ("revocation_endpoint", serde_json::json!("javascript:alert(1)")),
        ] {
            assert!(metadata(&[(key, value)]).is_err(), "{key}");
        }
    }
}
