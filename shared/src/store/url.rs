//! `sqlite:path`, `mongodb://…`, `redis://…`: which backend, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::Secret;

/// A store's address. Debug and Display hide passwords. Read from configuration inline or as `{ file = "…" }`.
#[derive(Clone)]
pub enum StoreUrl {
    /// A file of the embedded store.
    Sqlite(PathBuf),
    /// Kept as text: a list of hosts is not a URL to other parsers.
    Mongo(Secret),
    Redis(Secret),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreUrlError {
    #[error("`{0}` is not a store: use sqlite:PATH, mongodb://, mongodb+srv://, redis:// or rediss://")]
    Scheme(String),
    #[error("can't read {path}: {source}")]
    File { path: String, source: std::io::Error },
}

impl StoreUrl {
    /// As commands take it: a URL, or `@FILE` that holds one, as others on the machine see command lines.
    pub fn argument(text: &Secret) -> Result<Self, StoreUrlError> {
        let Some(path) = text.expose().strip_prefix('@') else { return text.expose().parse() };
        let read = std::fs::read_to_string(path).map(Secret::new);
        read.map_err(|source| StoreUrlError::File { path: path.to_owned(), source })?.expose().parse()
    }

    /// The file of the embedded store, if it is that.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match self {
            StoreUrl::Sqlite(path) => Some(path),
            _ => None,
        }
    }

    /// Which store it is, whatever its user, password and options: to be compared, and shown.
    pub fn place(&self) -> String {
        match self {
            StoreUrl::Sqlite(path) => {
                let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
                format!("sqlite:{}", whole.as_deref().unwrap_or(path).display())
            }
            StoreUrl::Mongo(url) | StoreUrl::Redis(url) => {
                let text = url.expose().split('?').next().unwrap_or_default();
                let hosts = text.split_once("://").map_or(text, |(_, rest)| rest);
                let hosts = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts);
                format!("{}://{}", self.scheme(), hosts.trim_end_matches('/'))
            }
        }
    }

    /// Whether both lead to the same store, as the same user and with the same options.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (StoreUrl::Sqlite(_), StoreUrl::Sqlite(_)) => self.place() == other.place(),
            (StoreUrl::Mongo(one), StoreUrl::Mongo(two)) | (StoreUrl::Redis(one), StoreUrl::Redis(two)) => {
                one.matches(two.expose())
            }
            _ => false,
        }
    }

    pub fn scheme(&self) -> &'static str {
        match self {
            StoreUrl::Sqlite(_) => "sqlite",
            StoreUrl::Mongo(_) => "mongodb",
            StoreUrl::Redis(_) => "redis",
        }
    }
}

impl std::str::FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite:")
            && !path.is_empty()
        {
            return Ok(StoreUrl::Sqlite(PathBuf::from(path)));
        }
        match text.split_once("://").map(|(scheme, _)| scheme) {
            Some("mongodb" | "mongodb+srv") => Ok(StoreUrl::Mongo(Secret::new(text))),
            Some("redis" | "rediss") => Ok(StoreUrl::Redis(Secret::new(text))),
            // The rest may hold a password, so only what stands before the first colon is repeated.
            _ => Err(StoreUrlError::Scheme(text.split(':').next().unwrap_or_default().chars().take(20).collect())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            StoreUrl::Mongo(_) | StoreUrl::Redis(_) => write!(f, "{}://…", self.scheme()),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Secret::deserialize(deserializer)?.expose().parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_store_url_never_prints_its_password() {
        for text in ["mongodb://user:hunter2@a:1,b:2/db", "rediss://:hunter2@cache/0"] {
            let url: StoreUrl = text.parse().unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"));
        }
        let url: StoreUrl = "mongodb://user:hunter2@a:1,b:2/db?replicaSet=rs".parse().unwrap();
        assert_eq!(url.place(), "mongodb://a:1,b:2/db");
        let refused = "postgres://user:hunter2@db".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(refused.contains("postgres") && !refused.contains("hunter2"), "{refused}");
    }
}
