//! What lasts: people, clients, consents, scopes, and the audit log. One struct per backend implements all the traits.
//!
//! A new backend is one file here, one arm in [`open`], and a test module around the conformance suite.
//!
//! Every write takes the events that tell of it (F-065). They stand in the log when the change was made, and only then: a
//! backend writes both together, and where the events can't be written the change is not made. A write that finds nothing
//! to change, or a conflict, leaves no event.

#[cfg(test)]
mod conformance;
mod mongo;
mod sqlite;
mod terms;

use std::sync::Arc;

use async_trait::async_trait;
use shared::store::{Mongo, Sqlite, StoreError};

use crate::audit::{Event, EventFilter};
use crate::client::Client;
use crate::consent::Consent;
use crate::scope::Scope;
use crate::user::User;

pub use mongo::MongoDirectory;
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
    /// Users only: nobody would be left who can open the console (H-008).
    LastAdmin,
}

/// What became of an account that was to be deleted.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    Done,
    /// There was none.
    Missing,
    /// Nobody would be left who can open the console (H-008).
    LastAdmin,
}

/// Accounts. Once there is an [acting admin](User::is_acting_admin) there always is one: of two writes that would each leave
/// the other's account as the last, the store lets one through (H-008).
#[async_trait]
pub trait UserStore: Send + Sync {
    /// A name that is taken is [`StoreError::Conflict`] with the field `username`.
    async fn insert(&self, user: &User, events: &[Event]) -> Result<(), StoreError>;
    /// The same, unless there is an acting admin: then nothing happens and the answer is `false`. Of many at a time, one
    /// gets `true` (H-002).
    async fn insert_first_admin(&self, user: &User, events: &[Event]) -> Result<bool, StoreError>;
    async fn find(&self, id: &str) -> Result<Option<User>, StoreError>;
    /// `username` as [`crate::user::username`] returns it.
    async fn find_by_username(&self, username: &str) -> Result<Option<User>, StoreError>;
    /// By name; with `role`, only those who hold it.
    async fn list(&self, page: &Page, role: Option<&str>) -> Result<Vec<User>, StoreError>;
    /// Every role that somebody holds, with the number of its holders, by name.
    async fn roles(&self) -> Result<Vec<(String, u64)>, StoreError>;
    async fn count(&self) -> Result<u64, StoreError>;
    /// Writes it if it still has the version it was read with.
    async fn replace(&self, user: &User, events: &[Event]) -> Result<Replaced, StoreError>;
    /// Consents go along.
    async fn delete(&self, id: &str, events: &[Event]) -> Result<Deleted, StoreError>;
}

#[async_trait]
pub trait ClientStore: Send + Sync {
    /// An id that is taken is [`StoreError::Conflict`] with the field `id`.
    async fn insert(&self, client: &Client, events: &[Event]) -> Result<(), StoreError>;
    async fn find(&self, id: &str) -> Result<Option<Client>, StoreError>;
    /// By name.
    async fn list(&self, page: &Page) -> Result<Vec<Client>, StoreError>;
    async fn count(&self) -> Result<u64, StoreError>;
    /// Writes it if it still has the version it was read with.
    async fn replace(&self, client: &Client, events: &[Event]) -> Result<Replaced, StoreError>;
    /// `false` when there was none. Consents go along.
    async fn delete(&self, id: &str, events: &[Event]) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait ConsentStore: Send + Sync {
    /// Writes it in place of an earlier one of the same user and client.
    async fn put(&self, consent: &Consent, events: &[Event]) -> Result<(), StoreError>;
    async fn find(&self, user: &str, client: &str) -> Result<Option<Consent>, StoreError>;
    async fn list_for_user(&self, user: &str) -> Result<Vec<Consent>, StoreError>;
    /// `false` when there was none.
    async fn delete(&self, user: &str, client: &str, events: &[Event]) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait ScopeStore: Send + Sync {
    /// Writes it in place of an earlier one of the same name.
    async fn put(&self, scope: &Scope, events: &[Event]) -> Result<(), StoreError>;
    /// All of them, by name.
    async fn list(&self) -> Result<Vec<Scope>, StoreError>;
    /// `false` when there was none.
    async fn delete(&self, name: &str, events: &[Event]) -> Result<bool, StoreError>;
}

/// One event as it stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    pub id: EventId,
    pub event: Event,
}

/// Where an event stands in the log; the text is the backend's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId(pub String);

/// One page of the log.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The last event of the page before. What no backend wrote finds nothing.
    pub after: Option<EventId>,
    pub oldest_first: bool,
    pub limit: usize,
}

impl EventPage {
    /// The first page, the newest first.
    pub fn newest(limit: usize) -> Self {
        Self { after: None, oldest_first: false, limit }
    }
}

/// The audit log. Nothing in it is ever changed; only what is old goes.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// All of them or none, in this order.
    async fn append(&self, events: &[Event]) -> Result<(), StoreError>;
    /// Removes at most `limit` events of before `at` (epoch seconds), the oldest first, and says how many went.
    async fn remove_before(&self, at: i64, limit: usize) -> Result<usize, StoreError>;
    /// The events that [fit](EventFilter::matches), by their time, and within the same second in the order they were written.
    async fn list(&self, filter: &EventFilter, page: &EventPage) -> Result<Vec<Recorded>, StoreError>;
}

/// What the server itself must remember, by name.
#[async_trait]
pub trait NoteStore: Send + Sync {
    async fn get(&self, name: &str) -> Result<Option<String>, StoreError>;
    /// Writes it in place of an earlier one.
    async fn put(&self, name: &str, text: &str, events: &[Event]) -> Result<(), StoreError>;
}

/// What there is rows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumIter, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Table {
    Users,
    Clients,
    Scopes,
    Consents,
    Notes,
    Audit,
}

/// Something of the directory as it stands in its store.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its key, or where an event stands in the log.
    pub place: String,
    /// Of what has one: how often it was written.
    pub version: Option<u64>,
    pub body: serde_json::Value,
}

/// All that the directory holds, for a move to another store.
#[async_trait]
pub trait TransferStore: Send + Sync {
    /// The next `limit` rows behind the place of another: by their keys, events as they stand in the log. Without the mark.
    async fn export(&self, table: Table, after: Option<&str>, limit: usize) -> Result<Vec<Row>, StoreError>;
    /// Adds rows as they are, and the mark of the move, in one commit; `None` takes the mark away. The log hears nothing of it.
    /// Events go on in the order of their places.
    async fn import(&self, table: Table, rows: Vec<Row>, mark: Option<&str>) -> Result<(), StoreError>;
}

/// The note that is the mark of a move which has not ended.
pub const MARK: &str = "migration";

/// All stores of the directory.
#[derive(Clone)]
pub struct Directory {
    pub users: Arc<dyn UserStore>,
    pub clients: Arc<dyn ClientStore>,
    pub consents: Arc<dyn ConsentStore>,
    pub scopes: Arc<dyn ScopeStore>,
    pub audit: Arc<dyn AuditStore>,
    pub notes: Arc<dyn NoteStore>,
    pub transfer: Arc<dyn TransferStore>,
}

/// The directory in an open file of the embedded store.
pub fn on_sqlite(file: Sqlite) -> Result<Directory, StoreError> {
    Ok(SqliteDirectory::new(file)?.into())
}

/// The directory in a database that is connected to.
pub async fn on_mongo(mongo: Mongo) -> Result<Directory, StoreError> {
    Ok(MongoDirectory::new(mongo).await?.into())
}

impl<Store> From<Store> for Directory
where
    Store: UserStore + ClientStore + ConsentStore + ScopeStore + AuditStore + NoteStore + TransferStore + 'static,
{
    fn from(store: Store) -> Self {
        let store = Arc::new(store);
        Self {
            users: store.clone(),
            clients: store.clone(),
            consents: store.clone(),
            scopes: store.clone(),
            audit: store.clone(),
            notes: store.clone(),
            transfer: store,
        }
    }
}
