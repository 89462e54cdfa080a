//! Where documents live. `source` is the collection's name. A new backend is one folder here, one arm in [`open`] and three
//! lines of test: the cases of `conformance` are what a backend has to do.

#[cfg(test)]
mod conformance;
mod connections;
pub mod keys;
mod mongo;
mod routed;
#[cfg(test)]
mod routed_tests;
pub mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document};
use shared::metrics::Metrics;
use shared::store::{Mongo, Sqlite, StoreError, StoreUrl};

pub use self::connections::{Connected, Nowhere, Places};
use crate::domain::{Collections, Domain};
use crate::query::{Filter, Find};

/// What the names of the service's own collections begin with, which hold no documents of the API.
pub const OWN_SOURCES: &str = "evergate_";

/// The database where a URL of MongoDB names none.
pub const NAME: &str = "resource_api";

/// Bytes of documents that one search brings; with more it ends with [`StoreError::Deadline`].
pub const MOST_BYTES: usize = 24 << 20;

/// Bytes of documents after which a piece of a scan ends.
pub const SCAN_BYTES: usize = 4 << 20;

/// Opens the backend that `url` names. A query that takes longer than `time_limit`, or that keeps too much in memory, ends
/// with [`StoreError::Deadline`].
pub async fn open(url: &StoreUrl, time_limit: Duration) -> Result<Arc<dyn DocumentStore>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => {
            let documents = Arc::new(sqlite::SqliteDocuments::open(Sqlite::open(path)?, time_limit)?);
            expire(&documents);
            Ok(documents)
        }
        StoreUrl::Mongo(url) => Ok(Arc::new(mongo::MongoDocuments::new(Mongo::connect(url, NAME).await?, time_limit))),
        StoreUrl::Redis(_) => Err(not_redis()),
    }
}

/// The same for a move: nothing is removed in the background, and what an earlier attempt was writing is waited for.
pub async fn open_still(url: &StoreUrl, time_limit: Duration) -> Result<Arc<dyn DocumentStore>, StoreError> {
    match url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(sqlite::SqliteDocuments::open(Sqlite::open(path)?, time_limit)?)),
        StoreUrl::Mongo(url) => {
            Ok(Arc::new(mongo::MongoDocuments::new(Mongo::connect(url, NAME).await?.patient(), time_limit)))
        }
        StoreUrl::Redis(_) => Err(not_redis()),
    }
}

fn not_redis() -> StoreError {
    StoreError::Unavailable("documents are kept in sqlite:PATH or mongodb://, not in redis".to_owned())
}

/// Removes what expires, as often as MongoDB does, for as long as the store is held.
fn expire(documents: &Arc<sqlite::SqliteDocuments>) {
    let held = Arc::downgrade(documents);
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(Duration::from_secs(60)).await;
            let Some(documents) = held.upgrade() else { return };
            if let Err(error) = documents.expire().await {
                log::warn!("expired documents were not removed: {error}");
            }
        }
    });
}

/// Documents of all resources. Races are decided here: each write names the state it expects.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Counts its work from now on, where there is something to tell that the request does not.
    fn measure(&self, _metrics: &Metrics) {}

    /// Makes collections, indexes and unique rules exist; warns about duplicates already stored instead of failing.
    async fn prepare(&self, domain: &Domain) -> Result<(), StoreError> {
        self.prepare_collections(&domain.collections()).await
    }

    /// The same for these alone.
    async fn prepare_collections(&self, collections: &Collections<'_>) -> Result<(), StoreError>;

    /// All or nothing, in order, one commit.
    async fn commit(&self, writes: Vec<Write>) -> Result<Outcome, StoreError>;

    /// One document by its id, `filter` also holding: the hot path. It comes as the bytes that are stored: what is sent or
    /// compared is read straight from them, and nothing is built for the fields that nobody asks for.
    async fn get(&self, source: &str, id: &Bson, filter: &Filter) -> Result<Option<RawDocumentBuf>, StoreError>;

    /// A page of documents and, when asked, how many match in all. Every order ends in `_id`, in the direction of the last
    /// sort key. A sort takes the least value of an array, or the greatest if it descends; what is missing sorts as null.
    /// With `after`, only documents behind that place count for the page, at a cost that does not depend on how many come
    /// before it where an index gives the order.
    async fn find(&self, source: &str, find: &Find) -> Result<Found, StoreError>;

    /// The next documents of a source by their ids, whatever the types of these, behind the one with the id `after`: at most
    /// `limit`, and no more once they have [`SCAN_BYTES`]; none only at the end.
    async fn scan(&self, source: &str, after: Option<&Bson>, limit: usize) -> Result<Vec<RawDocumentBuf>, StoreError>;

    /// The names of all sources, in order; some may be without documents.
    async fn sources(&self) -> Result<Vec<String>, StoreError>;

    /// Inserts documents into a source in their order, each by itself, and leaves out what is taken, be it by one of those
    /// before it; `also` makes further writes out of what was left out. All of it is one commit, or nothing is done because
    /// one of those writes was refused.
    async fn insert_each(&self, source: &str, candidates: Vec<Candidate>, also: Also) -> Result<Each, StoreError> {
        let waiting = waiting(candidates)?;
        insert_each(self, source, waiting, Vec::new(), also).await
    }

    /// Whether the store answers; for /readyz.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A candidate by its place.
type Waiting = (usize, Vec<Write>, Arc<RawDocumentBuf>);

fn waiting(candidates: Vec<Candidate>) -> Result<Vec<Waiting>, StoreError> {
    let numbered = candidates.into_iter().enumerate();
    numbered.map(|(index, Candidate { document, vacancies })| Ok((index, vacancies, raw(&document)?))).collect()
}

/// Commits again and again, each time without the one that is in the way.
async fn insert_each<S: DocumentStore + ?Sized>(
    store: &S,
    source: &str,
    mut waiting: Vec<Waiting>,
    mut left_out: Vec<LeftOut>,
    also: Also,
) -> Result<Each, StoreError> {
    loop {
        let mut writes = Vec::with_capacity(waiting.len() + 1);
        // By write, whose it is and which of his.
        let mut about = Vec::with_capacity(waiting.len());
        for (place, (_, vacancies, document)) in waiting.iter().enumerate() {
            about.extend((0..vacancies.len()).map(|vacancy| (place, Some(vacancy))).chain([(place, None)]));
            writes.extend(vacancies.iter().cloned());
            writes.push(Write::Insert { source: source.to_owned(), document: Arc::clone(document) });
        }
        writes.extend(also(&left_out));
        match store.commit(writes).await? {
            Outcome::Done(_) => return Ok(Each::Done(left_out)),
            Outcome::Conflict { index, field } if index < about.len() => {
                let (place, vacancy) = about[index];
                let (index, _, document) = waiting.remove(place);
                left_out.push(LeftOut { index, field, vacancy, document: Arc::unwrap_or_clone(document) });
                left_out.sort_by_key(|one| one.index);
            }
            refused => return Ok(Each::Refused(refused)),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Found {
    pub items: Vec<RawDocumentBuf>,
    /// `None` when not asked for.
    pub total: Option<u64>,
}

/// One change of one source.
#[derive(Debug, Clone)]
pub enum Write {
    /// The document carries its `_id`, which is not an array, a regular expression or undefined.
    Insert {
        source: String,
        document: Arc<RawDocumentBuf>,
    },
    /// The whole document, `_id` unchanged, if `guard` holds.
    Replace {
        source: String,
        guard: Guard,
        document: Arc<RawDocumentBuf>,
    },
    /// These top-level fields, if `guard` holds.
    Set {
        source: String,
        guard: Guard,
        fields: Document,
    },
    Delete {
        source: String,
        guard: Guard,
    },
    DeleteMany {
        source: String,
        filter: Filter,
    },
    /// Changes nothing; a [`Outcome::Conflict`] at `path` while a document has `value` there (as [`Filter::equal`] means
    /// it) and `filter` holds for it. What no index can express is unique by this: of two batches that would each store
    /// what the other's vacancy forbids, one at most is done.
    Vacant {
        source: String,
        path: String,
        value: Bson,
        filter: Filter,
    },
}

impl Write {
    pub fn insert(source: impl Into<String>, document: &Document) -> Result<Self, StoreError> {
        Ok(Write::Insert { source: source.into(), document: raw(document)? })
    }

    pub fn replace(source: impl Into<String>, guard: Guard, document: &Document) -> Result<Self, StoreError> {
        Ok(Write::Replace { source: source.into(), guard, document: raw(document)? })
    }

    pub fn source(&self) -> &str {
        match self {
            Write::Insert { source, .. }
            | Write::Replace { source, .. }
            | Write::Set { source, .. }
            | Write::Delete { source, .. }
            | Write::DeleteMany { source, .. }
            | Write::Vacant { source, .. } => source,
        }
    }

    fn source_mut(&mut self) -> &mut String {
        match self {
            Write::Insert { source, .. }
            | Write::Replace { source, .. }
            | Write::Set { source, .. }
            | Write::Delete { source, .. }
            | Write::DeleteMany { source, .. }
            | Write::Vacant { source, .. } => source,
        }
    }
}

fn raw(document: &Document) -> Result<Arc<RawDocumentBuf>, StoreError> {
    let raw = RawDocumentBuf::try_from(document).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Arc::new(raw))
}

/// The document a write means, and the state it must be in.
#[derive(Debug, Clone)]
pub struct Guard {
    pub id: Bson,
    /// Datasource and owner filters.
    pub filter: Filter,
    /// The stored `_etag` (under its configured name) that was read; `None`: whatever it is.
    pub etag: Option<(String, String)>,
}

/// A document to insert by itself.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub document: Document,
    /// [`Write::Vacant`]s, looked at before it.
    pub vacancies: Vec<Write>,
}

/// Writes that depend on which documents were left out.
pub type Also = Box<dyn Fn(&[LeftOut]) -> Vec<Write> + Send + Sync>;

/// What became of documents inserted each by itself.
#[must_use]
#[derive(Debug, PartialEq)]
pub enum Each {
    /// All but these are stored.
    Done(Vec<LeftOut>),
    /// Nothing is: one of the further writes was refused.
    Refused(Outcome),
}

/// A document that was left out because something of it is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Its place among the documents.
    pub index: usize,
    /// The first path of the violated index, `_id`, or the path of the vacancy.
    pub field: String,
    /// Which of its vacancies was taken, if one was.
    pub vacancy: Option<usize>,
    pub document: RawDocumentBuf,
}

/// What became of a batch. Nothing was written unless `Done`.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// How many documents each write touched.
    Done(Vec<u64>),
    /// The document at `index` exists, but not in the expected state (etag or filter).
    Changed {
        index: usize,
    },
    Missing {
        index: usize,
    },
    /// A unique rule or the id; `field` is the first path of the violated index, or the path of the vacancy.
    Conflict {
        index: usize,
        field: String,
    },
}
