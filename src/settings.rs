//! What `evergate run` may be told: `evergate.toml`, or `EVERGATE__…` variables.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use shared::config::Settings;
use toml::Table;

/// The whole stack in one process. Every key has a default, so the file may be missing.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StackSettings {
    /// Databases, keys and secrets; made where it is missing.
    pub data: PathBuf,
    /// The development CA and its certificates; made where it is missing.
    pub certs: PathBuf,
    /// The domain file; default: `domain.toml` in `data`, made from the example API.
    pub domain: Option<PathBuf>,
    /// What is logged, in env_logger's syntax.
    pub log: String,
    pub auth: Part,
    pub api: Part,
    pub client: Part,
}

/// One service of the stack.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Part {
    /// Default: 127.0.0.1 and the service's own port.
    pub listen: Option<SocketAddr>,
    /// The host name in its URL; default: the listener's address.
    pub host: Option<String>,
    /// Off: plain http, on loopback only.
    pub tls: bool,
    /// Settings of the service itself, over those the stack makes; see the service's own `config.toml`.
    pub settings: Table,
}

impl Part {
    /// Where it listens when nothing is said: on loopback.
    pub fn listen(&self, port: u16) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Its URL when it listens on `address`.
    pub fn origin(&self, address: SocketAddr) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match &self.host {
            Some(host) => format!("{scheme}://{host}:{}", address.port()),
            None => format!("{scheme}://{address}"),
        }
    }
}

impl Default for Part {
    fn default() -> Self {
        Self { listen: None, host: None, tls: true, settings: Table::new() }
    }
}

impl Default for StackSettings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            certs: PathBuf::from("certs"),
            domain: None,
            log: "info,actix_server=warn".to_owned(),
            auth: Part::default(),
            api: Part::default(),
            client: Part::default(),
        }
    }
}

impl Settings for StackSettings {
    fn faults(&self) -> Vec<String> {
        // The stack is for development; its demo accounts have no business on an open address.
        [("auth", &self.auth), ("api", &self.api), ("client", &self.client)]
            .into_iter()
            .filter_map(|(name, part)| Some((name, part.listen.filter(|address| !address.ip().is_loopback())?)))
            .map(|(name, address)| {
                format!(
                    "{name}.listen: {address} is not a loopback address; run the services one by one to serve others"
                )
            })
            .collect()
    }
}
