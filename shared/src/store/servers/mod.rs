//! The servers that tests run against, each test in a place of its own: `TEST_REDIS_URL` and `TEST_MONGODB_URL`, which
//! `scripts/backends` sets.

#![allow(clippy::print_stderr, clippy::missing_panics_doc, clippy::unwrap_used)]

mod lives;
mod load;
mod ports;
mod redis_server;
mod relay;

use crate::Secret;
use crate::random::random_bytes;

pub use lives::{Life, in_time};
pub use load::{Load, Slowed, resident};
pub use ports::free_port;
pub use redis_server::RedisServer;
pub use relay::Relay;

/// A Redis server and a prefix that nobody else uses. `None` where there is no server: the test is skipped, but not in CI.
pub fn redis() -> Option<Secret> {
    let url = server("TEST_REDIS_URL")?;
    Some(Secret::new(with_option(&url, &format!("prefix={}", fresh()))))
}

/// A MongoDB deployment and a database that nobody else uses. `None` where there is none.
pub fn mongodb() -> Option<Secret> {
    let url = server("TEST_MONGODB_URL")?;
    let (base, options) = url.split_once('?').unwrap_or((&url, ""));
    let (scheme, rest) = base.split_once("://").unwrap_or(("mongodb", base));
    let hosts = rest.split('/').next().unwrap_or_default();
    Some(Secret::new(format!("{scheme}://{hosts}/{}?{options}", fresh())))
}

/// The same behind a relay that can delay it and cut it off.
pub fn mongodb_relayed() -> Option<(Secret, Relay)> {
    let (url, relay) = relayed(&mongodb()?);
    Some((Secret::new(with_option(url.expose(), "directConnection=true")), relay))
}

/// What a service under test keeps its data in: files of its own where this is `None`; otherwise, with `EVERGATE_TEST_STORES`
/// set to `mongodb`, a fresh database and a fresh prefix of keys.
pub fn chosen() -> Option<Cluster> {
    match variable("EVERGATE_TEST_STORES").as_deref() {
        None | Some("sqlite") => None,
        Some("mongodb") => {
            let missing = "EVERGATE_TEST_STORES=mongodb needs TEST_MONGODB_URL and TEST_REDIS_URL: run scripts/test";
            Some(Cluster { store: mongodb().expect(missing), ephemeral: redis().expect(missing) })
        }
        Some(other) => panic!("EVERGATE_TEST_STORES is sqlite or mongodb, not {other}"),
    }
}

/// The stores of a cluster.
pub struct Cluster {
    /// In MongoDB.
    pub store: Secret,
    /// In Redis.
    pub ephemeral: Secret,
}

/// The stores of a cluster, each behind a relay that can cut it off.
pub struct Relayed {
    pub cluster: Cluster,
    pub mongodb: Relay,
    pub redis: Relay,
}

impl Relayed {
    pub fn before(cluster: &Cluster) -> Self {
        let (store, mongodb) = relayed(&cluster.store);
        let (ephemeral, redis) = relayed(&cluster.ephemeral);
        Self { cluster: Cluster { store, ephemeral }, mongodb, redis }
    }
}

/// The same URL, but through a relay before its first host.
pub fn relayed(url: &Secret) -> (Secret, Relay) {
    let text = url.expose();
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find(['/', '?']).map_or(text.len(), |at| start + at);
    let (user, hosts) =
        text[start..end].rsplit_once('@').map_or(("", &text[start..end]), |(user, hosts)| (user, hosts));
    let relay = Relay::before(hosts.split(',').next().unwrap_or_default());
    let user = if user.is_empty() { String::new() } else { format!("{user}@") };
    let url = format!("{}{user}{}{}", &text[..start], relay.address(), &text[end..]);
    // Otherwise the driver would learn the server's own address, and pass the relay by.
    let url = if url.starts_with("mongodb") { with_option(&url, "directConnection=true") } else { url };
    (Secret::new(url), relay)
}

fn with_option(url: &str, option: &str) -> String {
    if url.contains(option) {
        return url.to_owned();
    }
    let join = if url.contains('?') { '&' } else { '?' };
    format!("{url}{join}{option}")
}

fn fresh() -> String {
    format!("test_{}", random_bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn server(name: &str) -> Option<String> {
    let url = variable(name);
    if url.is_none() {
        missing(&format!("{name} is not set"));
    }
    url
}

/// Tells that a test is skipped for want of something; in CI nothing may be wanting.
fn missing(what: &str) {
    assert!(variable("CI").is_none(), "{what}: run scripts/test, or scripts/backends COMMAND");
    eprintln!("skipped: {what}");
}

#[allow(clippy::disallowed_methods, reason = "the test runner's environment is no configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
