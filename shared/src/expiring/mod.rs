//! Everything short-lived: codes, tokens, grants, sessions, counters. Entries expire and can be claimed once.
//!
//! A new backend is one file here, one arm in [`open`], and a test module of a few lines around the conformance suite.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod local;
mod mongo;
mod mongo_batch;
mod mongo_import;
mod or_local;
mod redis;
mod sqlite;
mod typed;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::store::{Mongo, Redis, Sqlite, StoreError, StoreUrl};

pub use mongo::MongoExpiring;
pub use or_local::OrLocal;
pub use redis::RedisExpiring;
pub use sqlite::SqliteExpiring;
pub use typed::{Expiring, Held};
pub use whole::Whole;

/// Where an entry is kept: SHA-256 of its kind and its id, so no bearer value is ever stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl Key {
    pub fn new(kind: &str, id: &str) -> Self {
        Key(Sha256::new().chain_update(kind).chain_update([0]).chain_update(id).finalize().into())
    }
}

impl std::fmt::Display for Key {
    /// For pages and commands that name an entry: base64url. It opens nothing.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::str::FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut key) {
            Ok(32) => Ok(Self(key)),
            _ => Err(BadKey),
        }
    }
}

/// A text that names no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this names nothing")]
pub struct BadKey;

/// Whose entry it is: `user:u_…`, `client:c_…`, `grant:…`. An entry may have several.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner(pub String);

impl Owner {
    pub fn new(kind: &str, id: &str) -> Self {
        Owner(format!("{kind}:{id}"))
    }
}

/// One step of a batch.
#[derive(Debug, Clone)]
pub enum Op {
    /// Refused when the key holds a live entry.
    Insert { key: Key, value: Vec<u8>, ttl: Duration, owners: Vec<Owner> },
    /// Refused for all but the first caller. `note` is kept for those who come later.
    Claim { key: Key, note: Vec<u8> },
    /// Refused unless the entry is at version `expected`; `ttl` counts from now, `None` leaves the expiry.
    Update { key: Key, expected: u64, value: Vec<u8>, ttl: Option<Duration> },
    /// Refused unless the entry is live; changes nothing. What a batch depends on.
    Require { key: Key },
    /// Deleting what is not there succeeds.
    Delete { key: Key },
    /// Every entry of the owner.
    DeleteOwned { owner: Owner },
}

/// What became of a batch. Nothing of it happened when it was refused.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    Done,
    /// The step at `index` could not be done; `found` is the entry as it stands, `None` if there is none.
    Refused {
        index: usize,
        found: Option<Kept>,
    },
}

/// An entry as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub value: Vec<u8>,
    /// 1 when inserted, one more with each update.
    pub version: u64,
    /// How long ago it was claimed; `None`: unclaimed.
    pub claimed_for: Option<Duration>,
    /// What the claimer noted.
    pub note: Vec<u8>,
    /// Until it expires.
    pub left: Duration,
}

/// An entry in a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: Key,
    pub kept: Kept,
}

/// Calls of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// This one included.
    pub calls: u64,
    /// Until the window ends.
    pub left: Duration,
}

/// Entries that expire. Races are decided here: exactly one `Claim` of an entry succeeds, an `Update` needs the version it
/// read, a batch is all or nothing, and what was acknowledged survives a kill.
#[async_trait]
pub trait ExpiringStore: Send + Sync {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError>;

    /// In the order of `keys`; expired entries are absent.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError>;

    /// An owner's entries in key order, after `after`.
    async fn list(&self, owner: &Owner, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// All entries in key order, after `after`.
    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// The same with all that is kept of each, for a move to another store.
    async fn export(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Whole>, StoreError>;

    /// Puts entries as they were exported in the place of those with their keys: doing it again changes nothing. What has
    /// expired meanwhile is left out.
    async fn import(&self, entries: Vec<Whole>) -> Result<(), StoreError>;

    /// Counts this call in the window that the first of them opened.
    async fn count(&self, key: &Key, window: Duration) -> Result<Count, StoreError>;

    /// Removes at most `limit` expired entries and says how many went.
    async fn sweep(&self, limit: usize) -> Result<usize, StoreError>;

    async fn ping(&self) -> Result<(), StoreError>;
}

/// The store a URL names. `name` is the database, or the prefix of keys, where the URL has none: a service's own. Expired
/// entries are removed in the background for as long as the store is held.
pub async fn open(url: &StoreUrl, name: &str) -> Result<Arc<dyn ExpiringStore>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => on_sqlite(Sqlite::open(path)?),
        StoreUrl::Mongo(url) => on_mongo(Mongo::connect(url, name).await?).await,
        StoreUrl::Redis(url) => Ok(on_redis(Redis::new(url, name)?)),
    }
}

/// The same in a file that is already open.
pub fn on_sqlite(file: Sqlite) -> Result<Arc<dyn ExpiringStore>, StoreError> {
    Ok(swept(SqliteExpiring::new(file)?))
}

/// The same in a database that is connected to. The server removes what expired.
pub async fn on_mongo(mongo: Mongo) -> Result<Arc<dyn ExpiringStore>, StoreError> {
    Ok(Arc::new(MongoExpiring::new(mongo).await?))
}

/// The same on a Redis server, which need not answer yet.
pub fn on_redis(redis: Redis) -> Arc<dyn ExpiringStore> {
    swept(RedisExpiring::new(redis))
}

/// The same in this process's memory, lost with it: for counters of one process.
pub fn in_memory() -> Arc<dyn ExpiringStore> {
    swept(local::LocalExpiring::default())
}

fn swept(store: impl ExpiringStore + 'static) -> Arc<dyn ExpiringStore> {
    let store: Arc<dyn ExpiringStore> = Arc::new(store);
    let held = Arc::downgrade(&store);
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(Duration::from_secs(60)).await;
            let Some(store) = held.upgrade() else { return };
            loop {
                match store.sweep(500).await {
                    Ok(500) => {}
                    Ok(_) => break,
                    Err(error) => {
                        log::warn!("expired entries were not removed: {error}");
                        break;
                    }
                }
            }
        }
    });
    store
}
