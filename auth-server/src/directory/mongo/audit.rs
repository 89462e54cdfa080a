//! The audit log in MongoDB. Events stand in the order of their second and of a number that grows with each one written by a
//! process.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};
use shared::store::StoreError;
use shared::store::mongo::{End, Work};

use super::super::terms::{term, terms};
use super::super::{AuditStore, EventId, EventPage, Recorded};
use super::{MongoDirectory, read, written};
use crate::audit::{Event, EventFilter};

/// By time alone, and by what events are found by.
pub const INDEXES: [fn() -> Document; 2] =
    [|| doc! { "at": 1, "number": 1, "_id": 1 }, || doc! { "terms": 1, "at": 1, "number": 1, "_id": 1 }];

pub fn entries(events: &[Event]) -> Result<Vec<Document>, StoreError> {
    let entry = |event: &Event| {
        let (at, number) = (event.at, next_number());
        Ok(doc! { "_id": ObjectId::new(), "at": at, "number": number, "terms": terms(event), "body": written(event)? })
    };
    events.iter().map(entry).collect()
}

/// Microseconds of now, or one more than the last number where that is not later.
#[allow(clippy::disallowed_methods, reason = "the order in which the log is written, not a rule about time")]
fn next_number() -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let later = |last: i64| Some(now.max(last + 1));
    LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).map_or(now, |last| now.max(last + 1))
}

/// Several events, all or none.
struct Append<'a> {
    audit: &'a Collection<Document>,
    entries: Vec<Document>,
}

#[async_trait]
impl Work for Append<'_> {
    type Answer = ();

    async fn run(&self, session: &mut ClientSession) -> Result<End<()>, Error> {
        self.audit.insert_many(&self.entries).session(session).await?;
        Ok(End::Commit(()))
    }
}

/// Where an event stands: `at`, `number` and `_id`.
pub(super) type Position = (i64, i64, ObjectId);

pub(super) fn position(id: &EventId) -> Option<Position> {
    let mut parts = id.0.splitn(3, '.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// What stands beyond a position, in the direction of `operator`.
pub(super) fn beyond((at, number, id): Position, operator: &str) -> Document {
    doc! { "$or": [
        { "at": { operator: at } },
        { "at": at, "number": { operator: number } },
        { "at": at, "number": number, "_id": { operator: id } },
    ] }
}

#[async_trait]
impl AuditStore for MongoDirectory {
    async fn append(&self, events: &[Event]) -> Result<(), StoreError> {
        let entries = entries(events)?;
        match entries.as_slice() {
            [] => Ok(()),
            [entry] => self.mongo.call(self.audit.insert_one(entry)).await.map(drop),
            _ => self.mongo.transaction(&Append { audit: &self.audit, entries }).await,
        }
    }

    async fn remove_before(&self, at: i64, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find =
            self.audit.find(doc! { "at": { "$lt": at } }).sort(INDEXES[0]()).limit(limit).projection(doc! { "_id": 1 });
        let old: Vec<Document> = self.mongo.call(async { find.await?.try_collect().await }).await?;
        let ids: Vec<Bson> = old.into_iter().filter_map(|mut entry| entry.remove("_id")).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = self.mongo.call(self.audit.delete_many(doc! { "_id": { "$in": ids } })).await?.deleted_count;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    async fn list(&self, filter: &EventFilter, page: &EventPage) -> Result<Vec<Recorded>, StoreError> {
        let (operator, order) = if page.oldest_first { ("$gt", 1) } else { ("$lt", -1) };
        let mut within = Document::new();
        if let Some(since) = filter.since {
            within.insert("$gte", since);
        }
        if let Some(until) = filter.until {
            within.insert("$lt", until);
        }
        let mut conditions = Vec::new();
        if !within.is_empty() {
            conditions.push(doc! { "at": within });
        }
        if let Some(term) = term(filter) {
            conditions.push(doc! { "terms": term });
        }
        if let Some(after) = &page.after {
            let Some(after) = position(after) else { return Ok(Vec::new()) };
            // The index begins there, which the alternatives alone would not tell.
            conditions.push(doc! { "at": { format!("{operator}e"): after.0 } });
            conditions.push(beyond(after, operator));
        }
        let wanted = if conditions.is_empty() {
            Document::new()
        } else {
            doc! { "$and": conditions }
        };
        let sort = doc! { "at": order, "number": order, "_id": order };
        let find = self.audit.find(wanted).sort(sort).max_time(self.mongo.limit());
        let mut found = Vec::new();
        self.mongo
            .limited(async {
                let mut events = find.await?;
                while found.len() < page.limit
                    && let Some(mut entry) = events.try_next().await?
                {
                    let event: Event = read(entry.remove("body").unwrap_or(Bson::Null))?;
                    if filter.matches(&event) {
                        found.push(Recorded { id: id(&entry)?, event });
                    }
                }
                Ok::<(), StoreError>(())
            })
            .await?;
        Ok(found)
    }
}

pub(super) fn id(entry: &Document) -> Result<EventId, StoreError> {
    let position =
        || Some((entry.get_i64("at").ok()?, entry.get_i64("number").ok()?, entry.get_object_id("_id").ok()?));
    let (at, number, id) = position().ok_or_else(|| StoreError::Corrupt("an event without its place".to_owned()))?;
    Ok(EventId(format!("{at}.{number}.{id}")))
}
