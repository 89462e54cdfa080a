//! Redirect URIs: which may be registered and which request matches which (A-004 to A-007, table T2).

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A registered redirect URI, kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriFault {
    #[error("is not an absolute URI")]
    NotAbsolute,
    #[error("has a fragment")]
    Fragment,
    #[error("has a user name or password")]
    UserInfo,
    #[error("holds a backslash, space, control or non-ASCII character")]
    Character,
    #[error("holds a dot segment")]
    DotSegment,
    #[error("holds a wildcard: every redirect URI is registered in full")]
    Wildcard,
    #[error("is http, which only loopback addresses may be")]
    PlainHttp,
    #[error("uses a private scheme without a dot: take a reversed domain name of yours, such as com.example.app")]
    PrivateScheme,
    #[error("has a query parameter that the answer itself carries (code, state, iss, error or response)")]
    ReservedParameter,
}

impl RedirectUri {
    /// Checks the rules of registration.
    pub fn register(text: &str) -> Result<Self, RedirectUriFault> {
        use RedirectUriFault as Fault;
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(Fault::Character);
        }
        let url = Url::parse(text).map_err(|_| Fault::NotAbsolute)?;
        if text.contains('#') {
            return Err(Fault::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(Fault::UserInfo);
        }
        if text.contains('*') {
            return Err(Fault::Wildcard);
        }
        let path = text.split('?').next().unwrap_or_default().to_ascii_lowercase();
        if path.contains("..") || path.contains("%2e%2e") || path.contains("/./") || path.ends_with("/.") {
            return Err(Fault::DotSegment);
        }
        match url.scheme() {
            "https" if authority(text).is_empty() => return Err(Fault::NotAbsolute),
            "http" if !is_loopback(&url) => return Err(Fault::PlainHttp),
            "https" | "http" => {}
            // Without a dot: javascript, data, file, blob, vbscript and whatever comes next.
            scheme if !scheme.contains('.') => return Err(Fault::PrivateScheme),
            _ => {}
        }
        let reserved = ["code", "state", "iss", "error", "response"];
        if url.query_pairs().any(|(name, _)| reserved.contains(&name.as_ref())) {
            return Err(Fault::ReservedParameter);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Byte equality, but that a loopback address matches with any port; `localhost` only for clients marked native
    ///
    pub fn matches(&self, requested: &str, allow_localhost: bool) -> bool {
        if self.0 == requested {
            return true;
        }
        let Some((registered_host, registered_rest)) = loopback_parts(&self.0, allow_localhost) else { return false };
        let Some((host, rest)) = loopback_parts(requested, allow_localhost) else { return false };
        registered_host == host && registered_rest == rest
    }

    /// A client that can't prove its identity to the browser: loopback or private scheme.
    pub fn is_native(&self) -> bool {
        !self.0.starts_with("https:")
    }
}

/// What stands between `//` and the path.
fn authority(text: &str) -> &str {
    let Some((_, rest)) = text.split_once("://") else { return "" };
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Host literal and everything after the port of an `http` loopback URI; the port must be 1 to 65535 where given.
fn loopback_parts(text: &str, allow_localhost: bool) -> Option<(&'static str, &str)> {
    let rest = text.strip_prefix("http://")?;
    let hosts = ["127.0.0.1", "[::1]", "localhost"];
    let host = hosts[..if allow_localhost { 3 } else { 2 }].iter().find(|host| rest.starts_with(**host))?;
    let after = &rest[host.len()..];
    let (port, tail) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    let legal = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0')
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
    };
    legal.then_some((*host, tail))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn matches(registered: &str, requested: &str) -> bool {
        RedirectUri::register(registered).unwrap().matches(requested, false)
    }

    /// table T2.
    #[test]
    fn requests_match_by_byte_equality_but_for_the_port_of_loopback_addresses() {
        for (registered, requested) in [
            ("https://a.example/cb", "https://a.example/cb"),
            ("https://a.example/cb?x=1", "https://a.example/cb?x=1"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1:8000/cb", "http://127.0.0.1:51004/cb"),
            ("http://[::1]/cb", "http://[::1]:51004/cb"),
            ("com.example.app:/cb", "com.example.app:/cb"),
        ] {
            assert!(matches(registered, requested), "{registered} {requested}");
        }
        for (registered, requested) in [
            ("https://a.example/cb", "https://a.example/cb/"),
            ("https://a.example/cb", "https://A.example/cb"),
            ("https://a.example/cb", "https://a.example:443/cb"),
            ("https://a.example/cb", "https://a.example/cb?x=1"),
            ("https://a.example/cb", "https://a.example/%63b"),
            ("https://a.example/cb", "https://b.a.example/cb"),
            ("http://127.0.0.1/cb", "http://localhost:51004/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.2/cb"),
            ("http://127.0.0.1/cb", "http://[::1]:5/cb"),
            ("http://127.0.0.1/cb", "https://127.0.0.1/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5@evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5/cb?x=1"),
            ("http://localhost/cb", "http://localhost:5/cb"),
        ] {
            assert!(!matches(registered, requested), "{registered} {requested}");
        }
        let localhost = RedirectUri::register("http://localhost/cb").unwrap();
        assert!(localhost.matches("http://localhost:5/cb", true));
    }

    ///
    #[test]
    fn what_could_lead_elsewhere_is_not_registered() {
        use RedirectUriFault as Fault;
        for (text, fault) in [
            ("/cb", Fault::NotAbsolute),
            ("https://", Fault::NotAbsolute),
            ("https:a.example", Fault::NotAbsolute),
            ("https://a.example/cb#", Fault::Fragment),
            ("https://me@a.example/cb", Fault::UserInfo),
            ("https://@a.example/cb", Fault::UserInfo),
            ("https://a.example\\cb", Fault::Character),
            ("https://a.example/c b", Fault::Character),
            ("https://ä.example/cb", Fault::Character),
            ("https://a.example/a/../cb", Fault::DotSegment),
            ("https://a.example/a/%2E%2e/cb", Fault::DotSegment),
            ("https://*.example/cb", Fault::Wildcard),
            ("http://a.example/cb", Fault::PlainHttp),
            ("http://127.0.0.1.a.example/cb", Fault::PlainHttp),
            ("myapp:/cb", Fault::PrivateScheme),
            ("javascript:alert(1)", Fault::PrivateScheme),
            ("data:text/html,x", Fault::PrivateScheme),
            ("file:///etc/passwd", Fault::PrivateScheme),
            ("blob:https://a.example/x", Fault::PrivateScheme),
            ("vbscript:x", Fault::PrivateScheme),
            ("https://a.example/cb?code=1", Fault::ReservedParameter),
        ] {
            assert_eq!(RedirectUri::register(text), Err(fault), "{text}");
        }
    }
}
