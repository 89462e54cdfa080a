//! Documents in MongoDB, in the layout that Eve gives them: an Eve database is served as it is, and Eve can be put back on it.
//!
//! Filters go there natively. `find` reads, `beyond` leads behind a place in an order, `write` changes: one document by the filter
//! of its write, several in a transaction; `prepare` makes collections and indexes, `doubled` keeps the unique rules that stored
//! data break.

mod beyond;
mod doubled;
mod find;
mod prepare;
#[cfg(test)]
mod tests;
mod undo;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, doc};
use mongodb::Collection;
use shared::store::mongo::VERSIONS;
use shared::store::{Mongo, StoreError};
use tokio::sync::Mutex;

use self::doubled::Doubled;
use super::{Also, Candidate, DocumentStore, Each, Found, Outcome, Write, insert_each, waiting};
use crate::domain::Collections;
use crate::query::{Filter, Find};

/// Documents of one source whose ids are looked up before they are inserted each by itself.
const LOOKED_UP: usize = 1000;

const TURNS: usize = 64;

/// For the server to tell that it has given a query up.
const GRACE: Duration = Duration::from_secs(1);

/// Documents in one database.
pub(super) struct MongoDocuments {
    mongo: Mongo,
    /// The same for queries, which the server ends after `time_limit`: that may be later than other calls are given up.
    queries: Mongo,
    time_limit: Duration,
    doubled: Doubled,
    /// Batches of this process that look for one vacancy go one by one, instead of into each other's way.
    turns: [Mutex<()>; TURNS],
}

impl MongoDocuments {
    pub(super) fn new(mongo: Mongo, time_limit: Duration) -> Self {
        if !mongo.has_transactions() {
            log::warn!(
                "this MongoDB server is a standalone one and so has no transactions: of a bulk that fails everything is taken \
                 back, but others may see it meanwhile, and unique rules that no index can express hold only one after the \
                 other; start it as a replica set, of one server if need be"
            );
        }
        let queries = mongo.clone().within(mongo.limit().max(time_limit.saturating_add(GRACE)));
        Self { mongo, queries, time_limit, doubled: Doubled::default(), turns: [const { Mutex::const_new(()) }; TURNS] }
    }

    fn collection(&self, source: &str) -> Collection<RawDocumentBuf> {
        self.mongo.collection(source)
    }
}

/// The documents with this id for which the filter holds.
fn with_id(id: &Bson, filter: &Filter) -> Document {
    let mut wanted = doc! { "_id": { "$eq": id } };
    if *filter != Filter::All {
        wanted.insert("$and", vec![filter.to_document()]);
    }
    wanted
}

#[async_trait]
impl DocumentStore for MongoDocuments {
    async fn prepare_collections(&self, collections: &Collections<'_>) -> Result<(), StoreError> {
        self.prepare_all(collections).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Outcome, StoreError> {
        self.write(&writes).await
    }

    async fn get(&self, source: &str, id: &Bson, filter: &Filter) -> Result<Option<RawDocumentBuf>, StoreError> {
        let collection = self.collection(source);
        let found = collection.find_one(with_id(id, filter)).max_time(self.time_limit);
        self.queries.limited(async { found.await.map_err(find::failure) }).await
    }

    async fn find(&self, source: &str, find: &Find) -> Result<Found, StoreError> {
        self.page_and_total(source, find).await
    }

    async fn scan(&self, source: &str, after: Option<&Bson>, limit: usize) -> Result<Vec<RawDocumentBuf>, StoreError> {
        self.queries.limited(self.piece(source, after, limit)).await
    }

    async fn sources(&self) -> Result<Vec<String>, StoreError> {
        let mut names = self.mongo.call(self.mongo.database().list_collection_names()).await?;
        names.retain(|name| !name.starts_with("system.") && name != prepare::LOCKS && name != VERSIONS);
        names.sort_unstable();
        Ok(names)
    }

    async fn insert_each(&self, source: &str, candidates: Vec<Candidate>, also: Also) -> Result<Each, StoreError> {
        let mut waiting = waiting(candidates)?;
        // Most of what is taken is so by its id: a second import of the same file. What is found out by a conflict costs a
        // transaction each.
        let left_out = self.taken_ids(source, &mut waiting).await?;
        insert_each(self, source, waiting, left_out, also).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.mongo.ping().await
    }
}
