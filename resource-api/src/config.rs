//! Where the service runs, whom it trusts and what it bears. What the API *is* stands in the domain file (decisions 3).

mod hooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use shared::Secret;
use shared::config::Settings;
use shared::http_client::HttpClientConfig;
use shared::metrics::MetricsConfig;
use shared::serve::{ServerConfig, Tls};
use shared::store::StoreUrl;
use url::{Host, Url};

use crate::domain::connections::MAIN;
pub use hooks::HooksConfig;

/// An answer about a token is trusted this long at most, in seconds: while a feed tells what is revoked, and without one.
const LONGEST_TRUST: f64 = 30.0;
const LONGEST_BLIND_TRUST: f64 = 5.0;

/// `config.toml`, or `RESOURCE_API__…` variables.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    /// The domain file: `.toml`, `.json`, `.yaml` or `.yml`. The variable EVE_SETTINGS wins over it (CFG-01).
    pub domain: PathBuf,
    pub store: StoreUrl,
    /// Further ones, by the `mongo_prefix` of the resources whose documents are there.
    pub stores: BTreeMap<String, StoreUrl>,
    /// Where all instances count how often somebody calls (RATE-01); default: each counts alone.
    pub ephemeral: Option<StoreUrl>,
    /// Where clients reach this service; links in headers and metadata begin with it. Default: the listener's address.
    pub public_url: Option<String>,
    /// The identifier tokens must be meant for (D-010). Default: `public_url`.
    pub resource: Option<String>,
    /// Named in challenges and metadata.
    pub name: String,
    /// The auth-server's identifier (RFC 8414).
    pub issuer: Option<String>,
    /// This service's own credentials at the auth-server (D-030).
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    /// Default: what the issuer's metadata say.
    pub introspection_endpoint: Option<String>,
    /// Seconds; 0: every request asks (D-034). Default: the most, which is 30, and 5 without a feed of revocations.
    pub introspect_cache_positive: Option<f64>,
    /// Seconds (D-035).
    pub introspect_cache_negative: f64,
    pub revocation_feed: RevocationFeed,
    pub auth: AuthConfig,
    /// How the auth-server and webhooks are reached.
    pub http: HttpClientConfig,
    pub limits: Limits,
    pub hooks: HooksConfig,
    pub metrics: MetricsConfig,
    /// What is logged, in env_logger's syntax.
    pub log: String,
}

/// How this service hears of revoked tokens (D-039, decisions 7).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RevocationFeed {
    /// Off: a revoked token is good until `introspect_cache_positive` is over.
    pub follow: bool,
    /// Where auth-servers tell it; default: what the issuer's metadata say. One that is heard is enough.
    pub streams: Vec<String>,
    /// The Redis that the auth-servers have as `ephemeral`: what they publish there is followed too.
    pub redis: Option<StoreUrl>,
}

/// Who may call (decisions 5).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    pub mode: AuthMode,
    /// Allows `mode = "none"` on an address others can reach.
    pub i_know_this_is_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// Bearer tokens, asked about at the auth-server.
    Introspection,
    /// All methods are public.
    None,
}

/// Decisions 15.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a JSON or form body; more is answered with 413.
    pub body: usize,
    /// Documents in one bulk POST; more is answered with 413.
    pub bulk: usize,
    /// Seconds a query may take; then 503.
    pub query_time: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig { listen: SocketAddr::from(([127, 0, 0, 1], 5002)), ..ServerConfig::default() },
            domain: PathBuf::from("domain.toml"),
            store: StoreUrl::Sqlite(PathBuf::from("data/api.db")),
            stores: BTreeMap::new(),
            ephemeral: None,
            public_url: None,
            resource: None,
            name: "resource-api".to_owned(),
            issuer: None,
            client_id: None,
            client_secret: None,
            introspection_endpoint: None,
            introspect_cache_positive: None,
            introspect_cache_negative: 5.0,
            revocation_feed: RevocationFeed::default(),
            auth: AuthConfig::default(),
            http: HttpClientConfig::default(),
            limits: Limits::default(),
            hooks: HooksConfig::default(),
            metrics: MetricsConfig::default(),
            log: "info".to_owned(),
        }
    }
}

impl Default for RevocationFeed {
    fn default() -> Self {
        Self { follow: true, streams: Vec::new(), redis: None }
    }
}

impl RevocationFeed {
    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .streams
            .iter()
            .filter_map(|url| address("revocation_feed.streams", url, Rest::PathAndQuery).err())
            .collect();
        if self.redis.as_ref().is_some_and(|url| !matches!(url, StoreUrl::Redis(_))) {
            faults.push("revocation_feed.redis: must be redis:// or rediss://".to_owned());
        }
        if !self.follow && (self.redis.is_some() || !self.streams.is_empty()) {
            faults.push("revocation_feed.follow: is off, yet it is said what to follow".to_owned());
        }
        faults
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { mode: AuthMode::Introspection, i_know_this_is_open: false }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 << 20, bulk: 10_000, query_time: 2.0 }
    }
}

impl Limits {
    pub fn query_time(&self) -> Duration {
        Duration::from_secs_f64(self.query_time)
    }
}

impl Config {
    /// In seconds.
    pub fn introspect_cache_positive(&self) -> f64 {
        self.introspect_cache_positive.unwrap_or(self.longest_trust())
    }

    fn longest_trust(&self) -> f64 {
        if self.revocation_feed.follow { LONGEST_TRUST } else { LONGEST_BLIND_TRUST }
    }

    /// Where clients reach a service that listens on `address`, without a slash at the end.
    pub fn public_url_at(&self, address: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.clone(),
            None if matches!(self.server.tls, Tls::Switch(false)) => format!("http://{address}"),
            None => format!("https://{address}"),
        }
    }
}

impl Settings for Config {
    /// CFG-01.
    const VARIABLES: &[(&str, &str)] = &[("EVE_SETTINGS", "domain")];

    fn faults(&self) -> Vec<String> {
        let mut faults = self.server.faults();
        faults.extend(self.metrics.faults(&self.server));
        if let Some(url) = &self.public_url
            && let Err(fault) = address("public_url", url, Rest::Path)
        {
            faults.push(fault);
        }
        if let Some(resource) = &self.resource
            && Url::parse(resource).map_or(true, |url| url.fragment().is_some())
        {
            faults.push("resource: must be an absolute URI without a fragment (RFC 8707, 2)".to_owned());
        }
        if self.ephemeral.as_ref().is_some_and(|url| url.sqlite_path().is_some()) {
            faults.push("ephemeral: redis:// or mongodb://, for instances to share; one alone needs none".to_owned());
        }
        match self.auth.mode {
            AuthMode::Introspection => self.introspection_faults(&mut faults),
            AuthMode::None if !self.server.listen.ip().is_loopback() && !self.auth.i_know_this_is_open => {
                faults.push(format!(
                    "auth.mode: \"none\" opens every document to whoever reaches {}: listen on a loopback address, or say auth.i_know_this_is_open = true",
                    self.server.listen
                ));
            }
            AuthMode::None => {}
        }
        for (prefix, url) in &self.stores {
            if prefix.eq_ignore_ascii_case(MAIN) {
                faults.push(format!("stores.{prefix}: is what `store` says"));
            }
            if matches!(url, StoreUrl::Redis(_)) {
                faults.push(format!("stores.{prefix}: documents are kept in sqlite:PATH or mongodb://, not in redis"));
            }
        }
        let longest = self.longest_trust();
        if !(0.0..=longest).contains(&self.introspect_cache_positive()) {
            let why = if self.revocation_feed.follow { "" } else { ", as revocation_feed.follow is off" };
            faults.push(format!("introspect_cache_positive: from 0 to {longest} seconds{why}"));
        }
        if !(0.0..=5.0).contains(&self.introspect_cache_negative) {
            faults.push("introspect_cache_negative: from 0 to 5 seconds".to_owned());
        }
        faults.extend(self.revocation_feed.faults());
        if !(0.001..=3600.0).contains(&self.limits.query_time) {
            faults.push("limits.query_time: from 0.001 to 3600 seconds".to_owned());
        }
        for (key, value) in [("limits.body", self.limits.body), ("limits.bulk", self.limits.bulk)] {
            if value == 0 {
                faults.push(format!("{key}: at least 1"));
            }
        }
        faults.extend(self.hooks.faults());
        faults
    }
}

impl Config {
    fn introspection_faults(&self, faults: &mut Vec<String>) {
        match &self.issuer {
            None => faults.push(
                "issuer: the auth-server whose tokens are taken is missing (or say auth.mode = \"none\")".to_owned(),
            ),
            Some(issuer) => faults.extend(address("issuer", issuer, Rest::Path).err()),
        }
        if let Some(endpoint) = &self.introspection_endpoint {
            faults.extend(address("introspection_endpoint", endpoint, Rest::PathAndQuery).err());
        }
        if self.client_id.as_ref().is_none_or(String::is_empty) {
            faults.push("client_id: this service's name at the auth-server is missing".to_owned());
        }
        if self.client_secret.as_ref().is_none_or(|secret| secret.expose().is_empty()) {
            faults.push("client_secret: this service's secret at the auth-server is missing".to_owned());
        }
    }
}

/// What may follow the host.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rest {
    Path,
    PathAndQuery,
}

/// The address that a key holds.
pub(crate) fn address(key: &str, text: &str, rest: Rest) -> Result<Url, String> {
    checked(text, rest).map_err(|fault| format!("{key}: {fault}"))
}

/// https, or http on a loopback host; no user, no fragment; where nothing but a path follows, no slash at its end.
/// A fault does not repeat the address, which may hold a secret.
pub(crate) fn checked(text: &str, rest: Rest) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !secure {
        return Err("must be https, or http on a loopback host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must have no user and no fragment".to_owned());
    }
    if rest == Rest::Path && (url.query().is_some() || text.ends_with('/')) {
        return Err("must have no query and no slash at its end".to_owned());
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn faults(toml: &str) -> Vec<String> {
        shared::config::parse::<Config>(toml).map(drop).unwrap_err().faults
    }

    /// CFG of the service itself: what is missing is told by its key.
    #[test]
    fn every_fault_names_its_key() {
        let told = faults(
            "ephemeral = 'sqlite:a'\nintrospect_cache_positive = 10\nrevocation_feed = { follow = false, redis = 'sqlite:a' }\nissuer = \"http://auth.example\"\nresource = \"people\"\n[limits]\nquery_time = 0",
        );
        for key in [
            "server.tls",
            "ephemeral",
            "introspect_cache_positive: from 0 to 5",
            "revocation_feed.redis",
            "revocation_feed.follow",
            "issuer",
            "client_id",
            "client_secret",
            "limits.query_time",
            "resource",
        ] {
            assert!(told.iter().any(|fault| fault.starts_with(key)), "{key} is missing in {told:?}");
        }
        assert!(faults("lisen = 1").iter().any(|fault| fault.contains("lisen")));
    }

    /// Decisions 5: no tokens only where nobody else gets in, or where it is said out loud.
    #[test]
    fn an_open_service_is_refused_on_a_public_address() {
        let open = "[auth]\nmode = \"none\"\n[server]\nbehind_tls_proxy = true\nlisten = ";
        assert!(faults(&format!("{open}\"0.0.0.0:80\""))[0].starts_with("auth.mode"));
        shared::config::parse::<Config>(&format!("{open}\"127.0.0.1:80\"")).unwrap();
        let said = open.replace("\"none\"", "\"none\"\ni_know_this_is_open = true");
        shared::config::parse::<Config>(&format!("{said}\"0.0.0.0:80\"")).unwrap();
    }

    /// The example file shows the real defaults.
    #[test]
    fn the_shipped_file_is_valid_and_holds_the_defaults() {
        let shipped: Config = shared::config::parse(include_str!("../config.toml")).unwrap();
        let plain = Config::default();
        assert_eq!(shipped.server.listen, plain.server.listen);
        assert_eq!(shipped.limits.body, plain.limits.body);
        assert_eq!(shipped.limits.bulk, plain.limits.bulk);
        assert_eq!(shipped.limits.query_time, plain.limits.query_time);
        assert_eq!(shipped.hooks.timeout, plain.hooks.timeout);
        assert_eq!(shipped.hooks.answer, plain.hooks.answer);
        assert_eq!(shipped.hooks.waiting, plain.hooks.waiting);
        assert_eq!(shipped.introspect_cache_positive(), plain.introspect_cache_positive());
        assert_eq!(shipped.revocation_feed.follow, plain.revocation_feed.follow);
        assert_eq!(shipped.introspect_cache_negative, plain.introspect_cache_negative);
        assert_eq!(shipped.domain, plain.domain);
        assert_eq!(shipped.store.to_string(), plain.store.to_string());
    }
}
