//! The servers that tests run against, each test in a place of its own: `TEST_REDIS_URL` and `TEST_MONGODB_URL`, which
//! `scripts/backends` sets.

#![allow(clippy::print_stderr, clippy::missing_panics_doc)]

use crate::Secret;
use crate::random::random_bytes;

/// A Redis server and a prefix that nobody else uses. `None` where there is no server: the test is skipped, but not in CI.
pub fn redis() -> Option<Secret> {
    let url = server("TEST_REDIS_URL")?;
    let join = if url.contains('?') { '&' } else { '?' };
    Some(Secret::new(format!("{url}{join}prefix={}", fresh())))
}

/// A MongoDB deployment and a database that nobody else uses. `None` where there is none.
pub fn mongodb() -> Option<Secret> {
    let url = server("TEST_MONGODB_URL")?;
    let (base, options) = url.split_once('?').unwrap_or((&url, ""));
    let (scheme, rest) = base.split_once("://").unwrap_or(("mongodb", base));
    let hosts = rest.split('/').next().unwrap_or_default();
    Some(Secret::new(format!("{scheme}://{hosts}/{}?{options}", fresh())))
}

fn fresh() -> String {
    format!("test_{}", random_bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[allow(clippy::disallowed_methods, reason = "the test runner's environment is no configuration")]
fn server(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{variable} is not set: run scripts/test, or scripts/backends COMMAND"
        );
        eprintln!("skipped: {variable} is not set");
    }
    url
}
