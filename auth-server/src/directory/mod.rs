//! What lasts: people, clients, consents, scopes, and the audit log. One struct per backend implements all the traits.
//!
//! A new backend is one file here, one arm in [`open`], and a test module around the conformance suite.

#[cfg(test)]
mod conformance;
mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use shared::store::{Sqlite, StoreError};

use crate::audit::Event;
use crate::client::Client;
use crate::consent::Consent;
use crate::scope::Scope;
use crate::user::User;

pub use sqlite::SqliteDirectory;

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The id of the last entry of the page before.
    pub after: Option<String>,
    /// Text that the name or id must contain, whatever its case.
    pub search: Option<String>,
    pub limit: usize,
}

/// What a conditional write found.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    Done,
    /// Somebody else wrote it since it was read, or deleted it: read it again.
    Changed,
}

#[async_trait]
pub trait UserStore: Send + Sync {
    /// A name that is taken is [`StoreError::Conflict`] with the field `username`.
    async fn insert(&self, user: &User) -> Result<(), StoreError>;
    async fn find(&self, id: &str) -> Result<Option<User>, StoreError>;
    /// `username` as [`crate::user::username`] returns it.
    async fn find_by_username(&self, username: &str) -> Result<Option<User>, StoreError>;
    /// By name.
    async fn list(&self, page: &Page) -> Result<Vec<User>, StoreError>;
    /// Writes it if it still has the version it was read with.
    async fn replace(&self, user: &User) -> Result<Replaced, StoreError>;
    /// `false` when there was none. Consents go along.
    async fn delete(&self, id: &str) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait ClientStore: Send + Sync {
    /// An id that is taken is [`StoreError::Conflict`] with the field `id`.
    async fn insert(&self, client: &Client) -> Result<(), StoreError>;
    async fn find(&self, id: &str) -> Result<Option<Client>, StoreError>;
    /// By name.
    async fn list(&self, page: &Page) -> Result<Vec<Client>, StoreError>;
    /// Writes it if it still has the version it was read with.
    async fn replace(&self, client: &Client) -> Result<Replaced, StoreError>;
    /// `false` when there was none. Consents go along.
    async fn delete(&self, id: &str) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait ConsentStore: Send + Sync {
    /// Writes it in place of an earlier one of the same user and client.
    async fn put(&self, consent: &Consent) -> Result<(), StoreError>;
    async fn find(&self, user: &str, client: &str) -> Result<Option<Consent>, StoreError>;
    async fn list_for_user(&self, user: &str) -> Result<Vec<Consent>, StoreError>;
    async fn delete(&self, user: &str, client: &str) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait ScopeStore: Send + Sync {
    /// Writes it in place of an earlier one of the same name.
    async fn put(&self, scope: &Scope) -> Result<(), StoreError>;
    /// All of them, by name.
    async fn list(&self) -> Result<Vec<Scope>, StoreError>;
    async fn delete(&self, name: &str) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait AuditStore: Send + Sync {
    async fn append(&self, event: &Event) -> Result<(), StoreError>;
    /// Removes at most `limit` events of before `at` (epoch seconds) and says how many went.
    async fn remove_before(&self, at: i64, limit: usize) -> Result<usize, StoreError>;
    /// The newest first; `before` is the number of the last one of the page before.
    async fn list(&self, before: Option<i64>, limit: usize) -> Result<Vec<(i64, Event)>, StoreError>;
}

/// All stores of the directory.
#[derive(Clone)]
pub struct Directory {
    pub users: Arc<dyn UserStore>,
    pub clients: Arc<dyn ClientStore>,
    pub consents: Arc<dyn ConsentStore>,
    pub scopes: Arc<dyn ScopeStore>,
    pub audit: Arc<dyn AuditStore>,
}

/// The directory in an open file of the embedded store.
pub fn on_sqlite(file: Sqlite) -> Result<Directory, StoreError> {
    let store = Arc::new(SqliteDirectory::new(file)?);
    Ok(Directory {
        users: store.clone(),
        clients: store.clone(),
        consents: store.clone(),
        scopes: store.clone(),
        audit: store,
    })
}
