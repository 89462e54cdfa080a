//! The protected resource metadata (RFC 9728, D-050): how a client that was refused finds the auth-server.

use bytes::Bytes;
use serde_json::json;
use url::Url;

use crate::domain::Domain;

/// Where the document of a resource identifier is: the well-known part, then the identifier's path (RFC 9728 3.1).
pub fn path(resource: &str) -> String {
    let path = Url::parse(resource).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    format!("/.well-known/oauth-protected-resource{path}")
}

/// Scheme, host and port of a public URL.
pub fn origin(public_url: &str) -> String {
    Url::parse(public_url).map_or_else(|_| public_url.to_owned(), |url| url.origin().ascii_serialization())
}

/// The document itself. `issuer` is `None` where no tokens are taken.
pub fn document(domain: &Domain, name: &str, resource: &str, issuer: Option<&str>) -> Bytes {
    let scopes: Vec<String> = domain.scopes().into_iter().map(|scope| scope.scope).collect();
    let document = json!({
        "resource": resource,
        "authorization_servers": issuer.into_iter().collect::<Vec<_>>(),
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    });
    Bytes::from(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D-050: the path of the identifier follows the well-known part.
    #[test]
    fn the_metadata_lie_between_the_host_and_the_path_of_the_identifier() {
        assert_eq!(path("https://api.test"), "/.well-known/oauth-protected-resource");
        assert_eq!(path("https://api.test/v1/"), "/.well-known/oauth-protected-resource/v1");
        assert_eq!(origin("https://api.test:8443/v1"), "https://api.test:8443");
    }
}
