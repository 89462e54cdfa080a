//! [`ExpiringStore`] on MongoDB: collections `expiring` and `expiring_count`. A single step is one conditional write, a batch a
//! transaction. A TTL index removes what expired; until it does, nobody sees it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::options::{IndexOptions, ReturnDocument, WriteConcern};
use mongodb::{Collection, IndexModel};
use serde::{Deserialize, Serialize};

use super::mongo_batch::Batch;
use super::mongo_import::Import;
use super::{Applied, Count, Entry, ExpiringStore, Kept, Key, Op, Owner, Whole};
use crate::store::{Mongo, StoreError};

/// How often an insertion or a count that met another one is tried again.
const ATTEMPTS: usize = 10;

/// Entries in one database; times are the calling server's.
pub struct MongoExpiring {
    mongo: Mongo,
    entries: Collection<Stored>,
    counters: Collection<Counter>,
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    #[serde(rename = "_id")]
    pub key: Binary,
    pub value: Binary,
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Binary>,
    pub expires_at: DateTime,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Counter {
    count: i64,
    expires_at: DateTime,
}

impl MongoExpiring {
    /// Makes the collections and indexes where they are missing.
    pub async fn new(mongo: Mongo) -> Result<Self, StoreError> {
        let mongo = mongo.require_transactions()?;
        let entries = mongo.collection::<Stored>("expiring");
        let counters = mongo.collection::<Counter>("expiring_count");
        let at_expiry = || {
            let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
            IndexModel::builder().keys(doc! { "expires_at": 1 }).options(options).build()
        };
        let owned = IndexOptions::builder().partial_filter_expression(doc! { "owners": { "$exists": true } }).build();
        let by_owner = IndexModel::builder().keys(doc! { "owners": 1, "_id": 1 }).options(owned).build();
        mongo.call(entries.create_indexes([at_expiry(), by_owner])).await?;
        mongo.call(counters.create_index(at_expiry())).await?;
        Ok(Self { mongo, entries, counters })
    }

    async fn find(&self, filter: Document, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = self.entries.find(filter).sort(doc! { "_id": 1 }).limit(limit).max_time(self.mongo.limit());
        self.mongo.call(async { find.await?.try_collect().await }).await
    }

    async fn entry(&self, key: &Key) -> Result<Option<Kept>, StoreError> {
        Ok(self.get_many(std::slice::from_ref(key)).await?.pop().flatten())
    }

    /// The only step of a batch: whether it was done.
    async fn step(&self, op: &Op, now: DateTime) -> Result<bool, StoreError> {
        Ok(match op {
            Op::Insert { key, value, ttl, owners } => {
                let entry = Stored::new(key, value, *ttl, owners, now);
                // Replaces an expired entry; over a live one the insertion fails by its key.
                let expired = doc! { "_id": id(key), "expires_at": { "$lte": now } };
                match self.mongo.call(self.entries.replace_one(expired, &entry).upsert(true)).await {
                    Ok(_) => true,
                    Err(StoreError::Conflict { .. }) => false,
                    Err(error) => return Err(error),
                }
            }
            Op::Claim { key, note } => {
                let unclaimed = doc! { "_id": id(key), "claimed_at": null, "expires_at": { "$gt": now } };
                let claim = doc! { "$set": { "claimed_at": now, "note": binary(note) } };
                self.mongo.call(self.entries.update_one(unclaimed, claim)).await?.matched_count == 1
            }
            Op::Update { key, expected, value, ttl } => {
                let as_read = doc! { "_id": id(key), "version": number(*expected), "expires_at": { "$gt": now } };
                let mut fields = doc! { "value": binary(value) };
                if let Some(ttl) = ttl {
                    fields.insert("expires_at", after(now, *ttl));
                }
                let update = doc! { "$set": fields, "$inc": { "version": 1_i64 } };
                self.mongo.call(self.entries.update_one(as_read, update)).await?.matched_count == 1
            }
            Op::Require { key } => self.entry(key).await?.is_some(),
            Op::Delete { key } => {
                self.mongo.call(self.entries.delete_one(doc! { "_id": id(key) })).await?;
                true
            }
            Op::DeleteOwned { owner } => {
                self.mongo.call(self.entries.delete_many(doc! { "owners": &owner.0 })).await?;
                true
            }
        })
    }

    async fn apply_one(&self, op: &Op) -> Result<Applied, StoreError> {
        for _ in 0..ATTEMPTS {
            if self.step(op, now()).await? {
                return Ok(Applied::Done);
            }
            let (Op::Insert { key, .. } | Op::Claim { key, .. } | Op::Update { key, .. } | Op::Require { key }) = op
            else {
                return Err(StoreError::Corrupt("a deletion was refused".to_owned()));
            };
            let found = self.entry(key).await?;
            // What was in the way of an insertion is gone by now.
            if found.is_some() || !matches!(op, Op::Insert { .. }) {
                return Ok(Applied::Refused { index: 0, found });
            }
        }
        Err(StoreError::Unavailable("an entry came and went too often".to_owned()))
    }
}

#[async_trait]
impl ExpiringStore for MongoExpiring {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError> {
        match ops.as_slice() {
            [] => return Ok(Applied::Done),
            [op] => return self.apply_one(op).await,
            _ => {}
        }
        let mut batch = Batch::new(&self.entries, &ops);
        for _ in 0..ATTEMPTS {
            match self.mongo.transaction(&batch).await {
                // An entry is in the way, or has come into it since this batch looked.
                Err(StoreError::Conflict { .. }) => batch.look_first(),
                answer => return answer,
            }
        }
        Err(StoreError::Unavailable("an entry came and went too often".to_owned()))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError> {
        let found = match keys {
            [] => return Ok(Vec::new()),
            [key] => {
                let find = self.entries.find_one(doc! { "_id": id(key) }).max_time(self.mongo.limit());
                self.mongo.call(find).await?.into_iter().collect()
            }
            keys => {
                let ids: Vec<Binary> = keys.iter().map(id).collect();
                let find = self.entries.find(doc! { "_id": { "$in": ids } }).max_time(self.mongo.limit());
                self.mongo.call(async { find.await?.try_collect::<Vec<Stored>>().await }).await?
            }
        };
        let now = now();
        let live = |key: &Key| found.iter().find(|entry| entry.key.bytes == key.0 && entry.expires_at > now);
        Ok(keys.iter().map(|key| live(key).map(|entry| entry.kept(now))).collect())
    }

    async fn list(&self, owner: &Owner, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let now = now();
        let mut filter = doc! { "owners": &owner.0, "expires_at": { "$gt": now } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": id(after) });
        }
        self.find(filter, limit).await?.iter().map(|entry| entry.listed(now)).collect()
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let now = now();
        let mut filter = doc! { "expires_at": { "$gt": now } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": id(after) });
        }
        self.find(filter, limit).await?.iter().map(|entry| entry.listed(now)).collect()
    }

    async fn export(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Whole>, StoreError> {
        let mut filter = doc! { "expires_at": { "$gt": now() } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": id(after) });
        }
        self.find(filter, limit).await?.into_iter().map(Stored::whole).collect()
    }

    async fn import(&self, entries: Vec<Whole>) -> Result<(), StoreError> {
        let now = now();
        let live = entries.into_iter().filter(|entry| entry.expires_at > now.timestamp_millis());
        let import = Import::new(&self.entries, live.map(Stored::of));
        if import.is_empty() { Ok(()) } else { self.mongo.transaction(&import).await }
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<Count, StoreError> {
        let now = now();
        let open = doc! { "$gt": ["$expires_at", now] };
        let update = vec![doc! { "$set": {
            "count": { "$cond": [open.clone(), { "$add": ["$count", 1_i64] }, 1_i64] },
            "expires_at": { "$cond": [open, "$expires_at", after(now, window)] },
        } }];
        let mut attempts = ATTEMPTS;
        loop {
            let count = self
                .counters
                .find_one_and_update(doc! { "_id": id(key) }, update.clone())
                .upsert(true)
                .return_document(ReturnDocument::After)
                // A count that a crash takes back harms nobody.
                .write_concern(WriteConcern::builder().w(mongodb::options::Acknowledgment::Nodes(1)).build());
            match self.mongo.call(count).await {
                Ok(Some(counter)) => {
                    let left = counter.expires_at.timestamp_millis() - now.timestamp_millis();
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
                    return Ok(Count { calls: u64::try_from(counter.count).unwrap_or_default(), left });
                }
                Ok(None) => return Err(StoreError::Corrupt("a counter was written and is not there".to_owned())),
                // Two calls that both find no counter: one of them makes it.
                Err(StoreError::Conflict { .. }) if attempts > 0 => attempts -= 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let now = now();
        let expired = doc! { "expires_at": { "$lte": now } };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let keys = self.entries.clone_with_type::<Document>();
        let find = keys.find(expired).projection(doc! { "_id": 1 }).limit(limit);
        let found: Vec<Document> = self.mongo.call(async { find.await?.try_collect().await }).await?;
        let ids: Vec<Bson> = found.into_iter().filter_map(|mut entry| entry.remove("_id")).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let still = doc! { "_id": { "$in": ids }, "expires_at": { "$lte": now } };
        let gone = self.mongo.call(self.entries.delete_many(still)).await?.deleted_count;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.mongo.ping().await
    }
}

impl Stored {
    pub fn new(key: &Key, value: &[u8], ttl: Duration, owners: &[Owner], now: DateTime) -> Self {
        Self {
            key: id(key),
            value: binary(value),
            version: 1,
            claimed_at: None,
            note: None,
            expires_at: after(now, ttl),
            owners: owners.iter().map(|owner| owner.0.clone()).collect(),
        }
    }

    pub fn kept(&self, now: DateTime) -> Kept {
        let since = |at: DateTime| {
            Duration::from_millis(u64::try_from(now.timestamp_millis() - at.timestamp_millis()).unwrap_or(0))
        };
        let left = self.expires_at.timestamp_millis() - now.timestamp_millis();
        Kept {
            value: self.value.bytes.clone(),
            version: u64::try_from(self.version).unwrap_or_default(),
            claimed_for: self.claimed_at.map(since),
            note: self.note.as_ref().map(|note| note.bytes.clone()).unwrap_or_default(),
            left: Duration::from_millis(u64::try_from(left).unwrap_or_default()),
        }
    }

    fn key(&self) -> Result<Key, StoreError> {
        let key = self.key.bytes.as_slice().try_into();
        key.map(Key).map_err(|_| StoreError::Corrupt("a key that is not 32 bytes".to_owned()))
    }

    fn listed(&self, now: DateTime) -> Result<Entry, StoreError> {
        Ok(Entry { key: self.key()?, kept: self.kept(now) })
    }

    fn whole(self) -> Result<Whole, StoreError> {
        let whole = Whole {
            key: self.key()?,
            value: self.value.bytes,
            version: u64::try_from(self.version).unwrap_or_default(),
            claimed_at: self.claimed_at.map(DateTime::timestamp_millis),
            note: self.note.map(|note| note.bytes).unwrap_or_default(),
            expires_at: self.expires_at.timestamp_millis(),
            owners: self.owners.into_iter().map(Owner).collect(),
        };
        Ok(whole.in_order())
    }

    fn of(whole: Whole) -> Self {
        Self {
            key: id(&whole.key),
            value: binary(&whole.value),
            version: number(whole.version),
            claimed_at: whole.claimed_at.map(DateTime::from_millis),
            note: whole.claimed_at.map(|_| binary(&whole.note)),
            expires_at: DateTime::from_millis(whole.expires_at),
            owners: whole.owners.into_iter().map(|owner| owner.0).collect(),
        }
    }
}

pub(super) fn id(key: &Key) -> Binary {
    binary(&key.0)
}

pub(super) fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

pub(super) fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(-1)
}

pub(super) fn after(now: DateTime, ttl: Duration) -> DateTime {
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now.timestamp_millis().saturating_add(ttl))
}

#[allow(clippy::disallowed_methods, reason = "expiry is the store's business: this is the place that reads the clock")]
pub(super) fn now() -> DateTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    DateTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::servers;

    async fn empty() -> Option<((), MongoExpiring)> {
        let mongo = Mongo::connect(&servers::mongodb()?, "unused").await.unwrap();
        Some(((), MongoExpiring::new(mongo).await.unwrap()))
    }

    crate::expiring_conformance!(empty);
}
