//! Documents in SQLite: one table for each source, holding BSON, and one table of order-preserving keys for each index.
//!
//! The keys are made in `store/keys`; `plan` and `bounds` choose what to search; `find` does; `write` changes; `prepare` makes tables
//! and indexes at start, `catalogue` knows them; `expiry` removes what has expired.
//! A new operator that an index can serve is one arm in `bounds`.

mod bounds;
mod catalogue;
mod expiry;
mod find;
mod halt;
mod insert_each;
mod plan;
mod prepare;
mod restore;
mod sort;
mod write;

pub use restore::{RestoreError, restore};

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bson::Bson;
use bson::raw::RawDocumentBuf;
use rusqlite::Connection;
use shared::metrics::Metrics;
use shared::store::{Sqlite, StoreError};

use self::catalogue::{Catalogue, MIGRATIONS};
use self::find::Allowance;
use self::halt::Halt;
use self::insert_each::New;
use self::write::{Prepared, Undone};
use super::keys::key;
use super::{Also, Candidate, DocumentStore, Each, Found, Outcome, SCAN_BYTES, Write};
use crate::domain::Collections;
use crate::query::{Filter, Find};

/// Documents that a list may look up on the calling thread, and steps it may make through indexes: some 200 µs in all.
/// What takes more goes to a reader thread.
const FEW_DOCUMENTS: u64 = 200;
const FEW_STEPS: u32 = 20_000;
/// A piece of a scan is a matter of milliseconds.
const SCAN_TIME: Duration = Duration::from_secs(60);
/// Longer pages go to a reader thread at once.
const SHORT_PAGE: u64 = 100;

/// The embedded document store.
pub(super) struct SqliteDocuments {
    sqlite: Sqlite,
    catalogue: Arc<Catalogue>,
    time_limit: Duration,
}

impl SqliteDocuments {
    pub(super) fn open(sqlite: Sqlite, time_limit: Duration) -> Result<Self, StoreError> {
        sqlite.migrate("documents", MIGRATIONS)?;
        let catalogue = Arc::new(sqlite.read_now(Catalogue::load)?);
        Ok(Self { sqlite, catalogue, time_limit })
    }
}

#[async_trait]
impl DocumentStore for SqliteDocuments {
    fn measure(&self, metrics: &Metrics) {
        self.sqlite.measure(metrics);
    }

    async fn prepare_collections(&self, collections: &Collections<'_>) -> Result<(), StoreError> {
        self.prepare_sources(collections).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Outcome, StoreError> {
        let mut batch = Vec::with_capacity(writes.len());
        for write in writes {
            if self.catalogue.get(write.source()).is_none() {
                self.ensure(write.source()).await?;
            }
            batch.push(Prepared::new(&self.catalogue, write)?);
        }
        let catalogue = Arc::clone(&self.catalogue);
        match self.sqlite.write(move |connection| write::apply(connection, &catalogue, batch)).await {
            Ok(touched) => Ok(Outcome::Done(touched)),
            Err(Undone::Refused(outcome)) => Ok(outcome),
            Err(Undone::Failed(error)) => Err(error),
        }
    }

    async fn get(&self, source: &str, id: &Bson, filter: &Filter) -> Result<Option<RawDocumentBuf>, StoreError> {
        let Some(source) = self.catalogue.get(source) else { return Ok(None) };
        let id = key::of(id)?;
        self.sqlite.read_now(|connection| {
            let mut statement = connection.prepare_cached(&source.sql.body_by_id)?;
            let mut found = statement.query([id])?;
            let Some(row) = found.next()? else { return Ok(None) };
            let body = find::document(find::blob(row, 0)?)?;
            Ok(filter.matches_raw(body).then(|| body.to_owned()))
        })
    }

    async fn find(&self, source: &str, find: &Find) -> Result<Found, StoreError> {
        let Some(source) = self.catalogue.get(source) else {
            return Ok(Found { items: Vec::new(), total: find.count.then_some(0) });
        };
        if find.limit.is_some_and(|limit| limit <= SHORT_PAGE) {
            let allowance = Allowance { documents: FEW_DOCUMENTS, until: Instant::now() + self.time_limit };
            let soon = |connection: &Connection| find::find(connection, &source, find, allowance);
            match self.sqlite.read_now_within(FEW_STEPS, soon) {
                Err(Halt::Costly | Halt::Store(StoreError::Deadline)) => {}
                result => return Ok(result?),
            }
        }
        let find = find.clone();
        let allowance = Allowance { documents: u64::MAX, until: Instant::now() + self.time_limit };
        let found = self
            .sqlite
            .read(self.time_limit, move |connection| find::find(connection, &source, &find, allowance))
            .await?;
        Ok(found)
    }

    async fn scan(&self, source: &str, after: Option<&Bson>, limit: usize) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let Some(source) = self.catalogue.get(source) else { return Ok(Vec::new()) };
        let after = after.map_or(Ok(Vec::new()), key::of)?;
        self.sqlite
            .read(SCAN_TIME, move |connection| {
                let mut statement = connection.prepare_cached(&source.sql.body_after_id)?;
                let mut found = statement.query((after, i64::try_from(limit).unwrap_or(i64::MAX)))?;
                let (mut bodies, mut bytes) = (Vec::new(), 0);
                while bytes < SCAN_BYTES
                    && let Some(row) = found.next()?
                {
                    let body = find::document(find::blob(row, 0)?)?;
                    bytes += body.as_bytes().len();
                    bodies.push(body.to_owned());
                }
                Ok(bodies)
            })
            .await
    }

    async fn sources(&self) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = self.catalogue.all().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn insert_each(&self, source: &str, candidates: Vec<Candidate>, also: Also) -> Result<Each, StoreError> {
        for name in std::iter::once(source).chain(also(&[]).iter().map(Write::source)) {
            if self.catalogue.get(name).is_none() {
                self.ensure(name).await?;
            }
        }
        let name = source.to_owned();
        let find = move |catalogue: &Catalogue| catalogue.get(&name).ok_or_else(|| write::unknown(&name));
        let source = find(&self.catalogue)?;
        let new = |candidate| New::prepared(&self.catalogue, &source, candidate);
        let candidates: Vec<_> = candidates.into_iter().map(new).collect::<Result<_, StoreError>>()?;
        let catalogue = Arc::clone(&self.catalogue);
        let done = self.sqlite.write(move |connection| {
            let left_out = insert_each::insert_each(connection, &catalogue, &find(&catalogue)?, candidates)?;
            let further = also(&left_out).into_iter().map(|write| Prepared::new(&catalogue, write));
            write::apply(connection, &catalogue, further.collect::<Result<_, _>>()?)?;
            Ok(left_out)
        });
        match done.await {
            Ok(left_out) => Ok(Each::Done(left_out)),
            Err(Undone::Refused(outcome)) => Ok(Each::Refused(outcome)),
            Err(Undone::Failed(error)) => Err(error),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.sqlite.ping().await
    }
}

#[cfg(test)]
mod tests;
