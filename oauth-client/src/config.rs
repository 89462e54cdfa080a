//! The web app's settings.

use std::path::PathBuf;

use serde::Deserialize;
use shared::Secret;
use shared::config::Settings;
use shared::http_client::HttpClientConfig;
use shared::metrics::MetricsConfig;
use shared::oauth::Scopes;
use shared::serve::ServerConfig;
use shared::store::StoreUrl;
use url::{Host, Url};

/// Every setting with its default; `config.toml` beside this crate says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// This app as browsers see it: scheme, host and port. Redirect URI, cookies and links come from it.
    pub origin: String,
    /// The authorization server's identifier, byte for byte as in its metadata.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// Asked for at sign-in (E-008); pages explain what is missing when fewer are granted.
    pub scopes: Scopes,
    /// The API's resource identifier (RFC 8707); the API's URL where it is absent.
    pub resource: Option<String>,
    /// The API's home.
    pub api: String,
    /// The path of the API's schema endpoint, relative to its home. Without it forms are made from the data.
    pub schema_endpoint: Option<String>,
    /// Shown in the head of every page.
    pub title: String,
    pub store: StoreUrl,
    /// File with the keys that seal tokens, one a line, the newest first; made where it is missing.
    pub master_key: PathBuf,
    /// Folder whose templates replace the built-in ones by name.
    pub templates: Option<PathBuf>,
    pub lifetimes: Lifetimes,
    /// Lifts the bounds of lifetimes on loopback origins (decisions 16).
    pub dev: bool,
    /// env_logger's filter.
    pub log: String,
    pub server: ServerConfig,
    pub metrics: MetricsConfig,
    pub http: HttpClientConfig,
}

/// Seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    /// From "Sign in" to the return from the authorization server (E-001).
    pub login: u64,
    /// A session ends after this time without a request …
    pub session_idle: u64,
    /// … and in any case after this one (E-034).
    pub session_absolute: u64,
    /// Between two tries of a revocation that failed (E-060).
    pub revocation_retry: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origin: "https://127.0.0.1:5000".to_owned(),
            issuer: "https://127.0.0.1:5001".to_owned(),
            client_id: String::new(),
            client_secret: None,
            scopes: Scopes::default(),
            resource: None,
            api: "https://127.0.0.1:5002".to_owned(),
            schema_endpoint: None,
            title: "Evergate".to_owned(),
            store: StoreUrl::Sqlite(PathBuf::from("data/client.db")),
            master_key: PathBuf::from("data/client.key"),
            templates: None,
            lifetimes: Lifetimes::default(),
            dev: false,
            log: "info".to_owned(),
            server: ServerConfig { listen: ([127, 0, 0, 1], 5000).into(), ..ServerConfig::default() },
            metrics: MetricsConfig::default(),
            http: HttpClientConfig::default(),
        }
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { login: 600, session_idle: 2 * 3600, session_absolute: 12 * 3600, revocation_retry: 30 }
    }
}

impl Config {
    /// The API's resource identifier.
    pub fn resource(&self) -> &str {
        self.resource.as_deref().unwrap_or(&self.api)
    }

    /// Where the authorization server sends browsers back to; register it there.
    pub fn redirect_uri(&self) -> String {
        format!("{}/callback", self.origin)
    }

    /// Cookies are `__Host-` and `Secure` (E-031) unless the origin is plain http on loopback (E-032).
    pub fn secure(&self) -> bool {
        self.origin.starts_with("https://")
    }

    /// Whether the origin is on this machine only.
    pub fn on_loopback(&self) -> bool {
        Url::parse(&self.origin).is_ok_and(|url| is_loopback(&url))
    }
}

impl Settings for Config {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut address = |key: &str, text: &str, origin_only: bool| match Url::parse(text) {
            Err(error) => faults.push(format!("{key}: `{text}` is not a URL: {error}")),
            Ok(url) => {
                if !(url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url))) {
                    faults.push(format!("{key}: `{text}` must be https, or http on a loopback host"));
                }
                let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
                if !bare || url.password().is_some() {
                    faults.push(format!("{key}: no user name, query or fragment in it"));
                }
                if origin_only && url.origin().ascii_serialization() != text {
                    let right = url.origin().ascii_serialization();
                    faults.push(format!("{key}: give scheme, host and port only, as in `{right}`"));
                } else if text.ends_with('/') && key != "api" {
                    faults.push(format!("{key}: no slash at its end"));
                }
            }
        };
        address("origin", &self.origin, true);
        address("issuer", &self.issuer, false);
        address("api", &self.api, false);
        if Url::parse(self.resource()).is_err() {
            faults.push("resource: an absolute URI (RFC 8707)".to_owned());
        }
        if self.client_id.is_empty() {
            faults.push("client_id: missing; register this app at the authorization server".to_owned());
        }
        if self.client_secret.as_ref().is_none_or(|secret| secret.expose().is_empty()) {
            faults.push("client_secret: missing; give it inline or as { file = \"…\" }".to_owned());
        }
        if self.scopes.is_empty() {
            faults.push("scopes: name what the app needs, as in \"people:read people:write\"".to_owned());
        }
        faults.extend(self.server.faults());
        faults.extend(self.metrics.faults(&self.server));
        faults.extend(self.lifetime_faults());
        faults
    }
}

impl Config {
    fn lifetime_faults(&self) -> Vec<String> {
        let lax = self.dev && self.on_loopback();
        let mut faults = Vec::new();
        let mut within = |key: &str, value: u64, least: u64, most: u64| {
            let least = if lax { 1 } else { least };
            if !(least..=most).contains(&value) {
                faults.push(format!("lifetimes.{key}: {value} is not within {least}..{most} seconds"));
            }
        };
        const MONTH: u64 = 30 * 24 * 3600;
        within("login", self.lifetimes.login, 60, 1800);
        within("session_idle", self.lifetimes.session_idle, 300, MONTH);
        within("session_absolute", self.lifetimes.session_absolute, 300, MONTH);
        within("revocation_retry", self.lifetimes.revocation_retry, 5, 3600);
        if self.dev && !self.on_loopback() {
            faults.push("dev: only on a loopback origin".to_owned());
        }
        faults
    }
}

/// Whether the host is this machine: `localhost`, 127.0.0.0/8 or ::1.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use shared::config::parse;

    const GOOD: &str = "
        client_id = 'c_1'
        client_secret = 's'
        scopes = 'people:read people:write'
        server = { tls = false }
    ";

    fn faults(more: &str) -> String {
        parse::<Config>(&format!("{more}\n{GOOD}")).map(drop).unwrap_err().faults.join("\n")
    }

    /// everything that is missing is told at once, by key.
    #[test]
    fn an_empty_configuration_names_every_key_it_lacks() {
        let told = parse::<Config>("").map(drop).unwrap_err().faults.join("\n");
        for key in ["client_id", "client_secret", "scopes", "server.tls"] {
            assert!(told.contains(key), "{key} is missing in:\n{told}");
        }
        let config = parse::<Config>(GOOD).unwrap();
        assert_eq!(config.redirect_uri(), "https://127.0.0.1:5000/callback");
        assert_eq!(config.resource(), "https://127.0.0.1:5002");
    }

    /// E-032: plain http only where the host is this machine.
    #[test]
    fn plain_http_is_refused_off_loopback() {
        for key in ["origin", "issuer", "api"] {
            assert!(faults(&format!("{key} = 'http://example.test'")).contains(&format!("{key}: ")), "{key}");
            assert!(parse::<Config>(&format!("{key} = 'http://127.0.0.1:9'\n{GOOD}")).is_ok(), "{key}");
        }
        let config = parse::<Config>(&format!("origin = 'http://localhost:9'\n{GOOD}")).unwrap();
        assert!(!config.secure());
    }

    /// the addresses everything is derived from are plain.
    #[test]
    fn addresses_with_more_than_an_address_are_refused() {
        for bad in ["https://a.test/", "https://a.test/app", "https://a.test?x", "https://u@a.test", "a.test"] {
            assert!(faults(&format!("origin = '{bad}'")).contains("origin: "), "{bad}");
        }
        for bad in ["https://a.test/", "https://a.test#x", "https://u:p@a.test"] {
            assert!(faults(&format!("issuer = '{bad}'")).contains("issuer: "), "{bad}");
        }
    }

    /// Decisions 16.
    #[test]
    fn lifetimes_keep_their_bounds_unless_in_development_on_loopback() {
        assert!(faults("lifetimes = { login = 1 }").contains("lifetimes.login"));
        assert!(parse::<Config>(&format!("dev = true\nlifetimes = {{ login = 1 }}\n{GOOD}")).is_ok());
        assert!(faults("dev = true\norigin = 'https://a.test'").contains("dev: "));
    }

    #[test]
    fn the_shipped_file_holds_the_defaults() {
        let text = include_str!("../config.toml");
        let told = parse::<Config>(text).map(drop).unwrap_err().faults;
        assert_eq!(told.len(), 4, "{told:?}");
    }
}
