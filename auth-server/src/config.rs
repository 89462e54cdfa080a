//! The auth-server's settings; `config.toml` beside this crate shows every key with its default.

mod passwords;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use shared::config::Settings;
use shared::metrics::MetricsConfig;
use shared::serve::ServerConfig;
use shared::store::StoreUrl;
use url::{Host, Url};

pub use passwords::{LONGEST_FLOOR, PasswordConfig, ThrottleConfig};

/// Everything the auth-server can be told. Unknown keys stop the start.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who this server is, and the base of every URL it emits.
    pub issuer: Issuer,
    /// Stands between the issuer and the endpoints' names: empty, or begins with a slash and doesn't end with one.
    pub prefix: String,
    /// Where accounts, grants, sessions and the audit log are kept, and access tokens, requests that wait for a person
    /// and counters too, unless `ephemeral` says otherwise.
    pub store: StoreUrl,
    /// Where to keep what may be lost: with it clients refresh once and go on.
    pub ephemeral: Option<StoreUrl>,
    /// The ring of master keys (F-070); by default `<store>.key`. Made when missing.
    pub master_key_file: Option<PathBuf>,
    /// A folder of templates that replace the built-in ones by name (G-014).
    pub templates: Option<PathBuf>,
    /// A file of scopes, clients and users brought into being at start.
    pub declare: Option<PathBuf>,
    /// What is logged, as env_logger's filter: `info`, `warn,auth_server=debug`.
    pub log: String,
    /// On loopback only: http as issuer, and lifetimes down to one second.
    pub dev: bool,
    /// The audience of tokens asked for without `resource` (A-033, C-004).
    pub default_resource: String,
    /// Allows the legacy password grant to clients that opted in (B-060).
    pub password_grant: bool,
    /// Where people read how to use this server; in the metadata (C-044).
    pub service_documentation: Option<Url>,
    pub server: ServerConfig,
    pub management: ManagementConfig,
    pub metrics: MetricsConfig,
    pub lifetimes: Lifetimes,
    pub passwords: PasswordConfig,
    pub throttle: ThrottleConfig,
}

/// The console (H-015).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ManagementConfig {
    /// Off, there is no console; the command line manages everything.
    pub enabled: bool,
    /// A listener of its own, with the other settings of `server`: the console is reached there only.
    pub listen: Option<SocketAddr>,
}

impl Default for ManagementConfig {
    fn default() -> Self {
        Self { enabled: true, listen: None }
    }
}

/// In seconds; bounds as in the contract's table 0.2.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    pub code: u64,
    pub access: u64,
    pub refresh_idle: u64,
    pub refresh_absolute: u64,
    /// How long a rotated refresh token still answers with the same pair (B-078); 0 is off.
    pub refresh_grace: u64,
    /// From an authorization request to its answer.
    pub transaction: u64,
    pub sso_idle: u64,
    pub sso_absolute: u64,
    /// How long the audit log is kept (F-063).
    pub audit: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: "https://127.0.0.1:5001".parse().expect("the default issuer is one"),
            prefix: "/oauth".to_owned(),
            store: StoreUrl::Sqlite("data/auth.db".into()),
            ephemeral: None,
            master_key_file: None,
            templates: None,
            declare: None,
            log: "info".to_owned(),
            dev: false,
            default_resource: "https://127.0.0.1:5002".to_owned(),
            password_grant: false,
            service_documentation: None,
            server: ServerConfig { listen: SocketAddr::from(([127, 0, 0, 1], 5001)), ..ServerConfig::default() },
            management: ManagementConfig::default(),
            metrics: MetricsConfig::default(),
            lifetimes: Lifetimes::default(),
            passwords: PasswordConfig::default(),
            throttle: ThrottleConfig::default(),
        }
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            code: 60,
            access: 900,
            refresh_idle: 14 * DAY,
            refresh_absolute: 90 * DAY,
            refresh_grace: 10,
            transaction: 600,
            sso_idle: 2 * HOUR,
            sso_absolute: 12 * HOUR,
            audit: 90 * DAY,
        }
    }
}

impl Config {
    /// The path part of every endpoint: the issuer's path and the prefix.
    pub fn root(&self) -> String {
        format!("{}{}", self.issuer.path(), self.prefix)
    }

    /// The public address of an endpoint, such as `/token`.
    pub fn url(&self, endpoint: &str) -> String {
        format!("{}{}{endpoint}", self.issuer.as_str(), self.prefix)
    }

    /// Where the console's pages are reached, up to the name of one: at the issuer, or at a listener of their own.
    pub fn console_base(&self) -> String {
        match self.management.listen {
            Some(address) => {
                let scheme = if self.server.has_tls() { "https" } else { "http" };
                format!("{scheme}://{address}{}", self.root())
            }
            None => self.url(""),
        }
    }

    /// The settings of the console's own listener, where it has one.
    pub fn console_server(&self) -> Option<ServerConfig> {
        let listen = self.management.listen.filter(|_| self.management.enabled)?;
        Some(ServerConfig { listen, workers: 1, ..self.server.clone() })
    }

    /// Whether cookies are `Secure` and carry the `__Host-` prefix.
    pub fn secure_cookies(&self) -> bool {
        self.issuer.is_https()
    }

    /// Where the master keys are.
    pub fn master_key_path(&self) -> PathBuf {
        match (&self.master_key_file, self.store.sqlite_path()) {
            (Some(path), _) => path.clone(),
            (None, Some(store)) => store.with_extension("key"),
            (None, None) => PathBuf::from("data/auth.key"),
        }
    }
}

impl Settings for Config {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let local = self.issuer.is_loopback();
        if !(self.issuer.is_https() || local && self.dev) {
            faults.push("issuer: must be https (http is for a loopback host together with dev = true)".to_owned());
        }
        if self.dev && !(local && self.server.listen.ip().is_loopback()) {
            faults.push("dev: only for an issuer and a listener on loopback".to_owned());
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !self.prefix.is_empty()
            && (!self.prefix.starts_with('/')
                || self.prefix.ends_with('/')
                || self.prefix.contains("//")
                || self.prefix.split('/').any(|part| part == "." || part == "..")
                || !self.prefix.bytes().all(plain))
        {
            faults.push("prefix: a path such as /oauth, without a slash at its end, or empty".to_owned());
        }
        if let Err(fault) = crate::resource::check(&self.default_resource) {
            faults.push(format!("default_resource: {fault}"));
        }
        if matches!(self.store, StoreUrl::Redis(_)) {
            faults
                .push("store: accounts are kept in sqlite:PATH or mongodb://; redis:// is for `ephemeral`".to_owned());
        }
        if self.store.sqlite_path().is_none() && self.master_key_file.is_none() {
            faults.push("master_key_file: must be set where the store is no file".to_owned());
        }
        faults.extend(self.server.faults());
        if let Some(server) = self.console_server() {
            let told = server.faults().into_iter().map(|fault| fault.replacen("server.tls", "management.listen", 1));
            faults.extend(told);
            if server.listen == self.server.listen {
                faults.push("management.listen: must not be the address of server.listen".to_owned());
            }
        }
        faults.extend(self.metrics.faults(&self.server));
        faults.extend(self.lifetimes.faults(self.dev));
        faults.extend(self.passwords.faults(self.dev));
        faults.extend(self.throttle.faults(self.dev));
        faults
    }
}

impl Lifetimes {
    /// A duration of this many seconds.
    pub fn seconds(value: u64) -> Duration {
        Duration::from_secs(value)
    }

    fn faults(&self, dev: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let mut within = |name: &str, value: u64, least: u64, most: u64| {
            let least = if dev { least.min(1) } else { least };
            if !(least..=most).contains(&value) {
                faults.push(format!("lifetimes.{name}: {value} is not within {least}..{most} seconds"));
            }
        };
        within("code", self.code, 10, 600);
        within("access", self.access, 60, DAY);
        within("refresh_idle", self.refresh_idle, HOUR, 365 * DAY);
        within("refresh_absolute", self.refresh_absolute, HOUR, 365 * DAY);
        within("refresh_grace", self.refresh_grace, 0, 60);
        within("transaction", self.transaction, 60, 1800);
        within("sso_idle", self.sso_idle, 5 * MINUTE, 30 * DAY);
        within("sso_absolute", self.sso_absolute, 5 * MINUTE, 30 * DAY);
        within("audit", self.audit, DAY, 3650 * DAY);
        if self.refresh_idle > self.refresh_absolute {
            faults.push("lifetimes.refresh_idle: must not be longer than refresh_absolute".to_owned());
        }
        if self.sso_idle > self.sso_absolute {
            faults.push("lifetimes.sso_idle: must not be longer than sso_absolute".to_owned());
        }
        faults
    }
}

/// An absolute http(s) URL without query, fragment, userinfo or trailing slash, kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "must be an absolute https URL without query, fragment, userinfo or trailing slash, such as https://auth.example.org"
)]
pub struct NotAnIssuer;

impl Issuer {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Empty, or begins with a slash.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Without its port.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl std::str::FromStr for Issuer {
    type Err = NotAnIssuer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| NotAnIssuer)?;
        // What the parser would write differently would be compared unequal by clients: refused rather than repaired.
        let same = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && url.host().is_some();
        let scheme = matches!(url.scheme(), "https" | "http");
        if same && plain && scheme && !text.ends_with('/') {
            Ok(Self { text: text.to_owned(), url })
        } else {
            Err(NotAnIssuer)
        }
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        match shared::config::parse::<Config>(text) {
            Ok(_) => Vec::new(),
            Err(error) => error.faults,
        }
    }

    const BASE: &str = "server.tls = false\n";

    /// an issuer is https, absolute and bare; http only on loopback in development.
    #[test]
    fn an_issuer_that_is_not_one_stops_the_start() {
        for bad in [
            "auth.example.org",
            "https://auth.example.org/",
            "https://auth.example.org?x=1",
            "https://auth.example.org#a",
            "https://me@auth.example.org",
            "https://AUTH.example.org",
            "https://auth.example.org:443",
            "ftp://auth.example.org",
            "http://auth.example.org",
            "http://127.0.0.1:5001",
        ] {
            let told = faults(&format!("{BASE}issuer = '{bad}'"));
            assert!(told.iter().any(|fault| fault.starts_with("issuer")), "{bad}: {told:?}");
        }
        for good in ["https://auth.example.org", "https://auth.example.org:8443/tenant"] {
            assert_eq!(faults(&format!("{BASE}issuer = '{good}'")), Vec::<String>::new(), "{good}");
        }
        assert_eq!(faults(&format!("{BASE}dev = true\nissuer = 'http://127.0.0.1:5001'")), Vec::<String>::new());
        assert!(!faults(&format!("{BASE}dev = true\nissuer = 'http://auth.example.org'")).is_empty());
    }

    /// plain http on a public address is refused unless a proxy is said to end TLS.
    #[test]
    fn a_public_listener_without_tls_stops_the_start() {
        let public = "server.tls = false\nserver.listen = '0.0.0.0:80'\n";
        assert!(faults(public).iter().any(|fault| fault.starts_with("server.tls")));
        assert_eq!(faults(&format!("{public}server.behind_tls_proxy = true")), Vec::<String>::new());
    }

    /// X-034 and decisions 16: every fault at once; development may be short-lived, down to a second.
    #[test]
    fn lifetimes_are_bounded_and_every_fault_is_told() {
        let text = format!("{BASE}colour = 'red'\nprefix = 'oauth/'\n[lifetimes]\ncode = 5\naccess = 1");
        let told = faults(&text);
        for part in ["colour", "prefix", "lifetimes.code", "lifetimes.access"] {
            assert!(told.iter().any(|fault| fault.contains(part)), "{part} is missing in {told:?}");
        }
        assert_eq!(faults(&format!("{BASE}dev = true\n[lifetimes]\ncode = 1\naccess = 1")), Vec::<String>::new());
        assert!(!faults(&format!("{BASE}dev = true\n[lifetimes]\ncode = 0")).is_empty());
    }

    /// the file that shows every key shows its real default.
    #[test]
    fn the_example_file_holds_the_defaults() {
        let shown: Config = shared::config::parse(include_str!("../config.toml")).unwrap();
        let mut default = Config::default();
        default.server.tls = shown.server.tls.clone();
        assert_eq!(format!("{shown:?}"), format!("{default:?}"));
        assert_eq!(shown.master_key_path(), std::path::Path::new("data/auth.key"));
    }
}
