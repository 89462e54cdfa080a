//! Everything the resource-api keeps, for a move to another store: the documents of each source, byte for byte, and then the
//! indexes of the domain file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bson::raw::{RawBsonRef, RawDocument, RawDocumentBuf};
use bson::{Bson, Document, doc};
use shared::migration::{Holder, Mark, Record};
use shared::store::{StoreError, StoreUrl};

use crate::domain::{Domain, DomainError, IDEMPOTENCY};
use crate::query::{Filter, Find};
use crate::routes;
use crate::store::{self, DocumentStore, Guard, OWN_SOURCES, Outcome, Write};

/// Where the mark of a move that has not ended stands, and under which id.
const MARKS: &str = "evergate_migration";
const MARK: &str = "migration";
/// How long a batch may take to be read.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum HolderError {
    #[error(transparent)]
    Domain(#[from] DomainError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "other programs may use the same database of MongoDB: name the domain file whose documents are meant (--domain)"
    )]
    WhichDocuments,
}

/// What the resource-api keeps in one store.
pub struct DocumentHolder {
    documents: Arc<dyn DocumentStore>,
    domain: Option<Domain>,
    /// Of the collections of a database only those that the domain names; a file holds nothing else.
    only_of_domain: bool,
    /// By source, the dates by which documents are removed, and how many seconds after.
    ends: HashMap<String, Vec<(String, i64)>>,
}

/// The store at `url`, which is made where it is missing. Nothing is removed from it in the background, and its indexes are made
/// when all is copied.
pub async fn holder(url: &StoreUrl, domain: Option<&Path>, is_source: bool) -> Result<DocumentHolder, HolderError> {
    let domain = match domain.map(routes::examine).transpose()? {
        Some((_, faults)) if !faults.is_empty() => return Err(DomainError::Faults(faults).into()),
        domain => domain.map(|(domain, _)| domain),
    };
    let only_of_domain = matches!(url, StoreUrl::Mongo(_));
    if is_source && only_of_domain && domain.is_none() {
        return Err(HolderError::WhichDocuments);
    }
    let mut ends = HashMap::from([(IDEMPOTENCY.to_owned(), vec![("expires".to_owned(), 0)])]);
    for (source, indexes) in domain.iter().flat_map(Domain::collections_anywhere) {
        let ending = indexes.iter().filter_map(|index| match (&*index.keys, seconds(&index.options)) {
            ([(path, _)], Some(seconds)) => Some((path.clone(), seconds)),
            _ => None,
        });
        ends.insert(source.into_owned(), ending.collect());
    }
    let documents = store::open_still(url, PATIENCE).await?;
    Ok(DocumentHolder { documents, domain, only_of_domain, ends })
}

fn seconds(options: &Document) -> Option<i64> {
    match options.get("expireAfterSeconds")? {
        Bson::Int32(seconds) => Some(i64::from(*seconds)),
        Bson::Int64(seconds) => Some(*seconds),
        Bson::Double(seconds) => Some(*seconds as i64),
        _ => None,
    }
}

#[async_trait]
impl Holder for DocumentHolder {
    async fn kinds(&self) -> Result<Vec<String>, StoreError> {
        let mut sources = self.documents.sources().await?;
        sources.retain(|source| source != MARKS);
        if let Some(domain) = self.domain.as_ref().filter(|_| self.only_of_domain) {
            let wanted = domain.collections_anywhere();
            sources.retain(|source| source.starts_with(OWN_SOURCES) || wanted.contains_key(source.as_str()));
        }
        Ok(sources)
    }

    async fn count(&self, kind: &str) -> Result<Option<u64>, StoreError> {
        let count = Find { limit: Some(0), count: true, ..Find::default() };
        Ok(self.documents.find(kind, &count).await?.total)
    }

    async fn read(&self, kind: &str, after: Option<&[u8]>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let after = after.map(id_at).transpose()?;
        let documents = self.documents.scan(kind, after.as_ref(), limit).await?;
        documents.iter().map(|document| self.record(kind, document)).collect()
    }

    async fn write(&self, kind: &str, records: Vec<Record>, mark: &Mark) -> Result<(), StoreError> {
        let text = mark.to_text()?;
        let mut writes = Vec::with_capacity(records.len() + 1);
        for record in records {
            let document = RawDocumentBuf::from_bytes(record.body).map_err(corrupt)?;
            writes.push(Write::Insert { source: kind.to_owned(), document: Arc::new(document) });
        }
        writes.push(match self.mark().await? {
            None => Write::insert(MARKS, &doc! { "_id": MARK, "mark": text })?,
            Some(_) => Write::Set { source: MARKS.to_owned(), guard: at_mark(), fields: doc! { "mark": text } },
        });
        done(self.documents.commit(writes).await?)
    }

    fn name(&self, _kind: &str, record: &Record) -> String {
        let id =
            id_at(&record.place).map_or_else(|error| error.to_string(), |id| id.into_relaxed_extjson().to_string());
        format!("_id {id}")
    }

    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        mark(&*self.documents).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        if let Some(domain) = &self.domain {
            self.documents.prepare_collections(&domain.collections_anywhere()).await?;
        }
        match self.mark().await? {
            Some(_) => {
                let delete = Write::Delete { source: MARKS.to_owned(), guard: at_mark() };
                done(self.documents.commit(vec![delete]).await?)
            }
            None => Ok(()),
        }
    }
}

/// Of a move into this store that has not ended.
pub async fn mark(documents: &dyn DocumentStore) -> Result<Option<Mark>, StoreError> {
    let Some(found) = documents.get(MARKS, &MARK.into(), &Filter::All).await? else { return Ok(None) };
    Mark::read(found.get_str("mark").map_err(|error| StoreError::Corrupt(error.to_string()))?).map(Some)
}

fn at_mark() -> Guard {
    Guard { id: MARK.into(), filter: Filter::All, etag: None }
}

fn done(outcome: Outcome) -> Result<(), StoreError> {
    match outcome {
        Outcome::Done(_) => Ok(()),
        Outcome::Conflict { field, .. } => Err(StoreError::Conflict { field }),
        Outcome::Changed { .. } | Outcome::Missing { .. } => {
            Err(StoreError::Unavailable("another move writes there at the same time".to_owned()))
        }
    }
}

impl DocumentHolder {
    fn record(&self, kind: &str, document: &RawDocument) -> Result<Record, StoreError> {
        let id = document.get("_id").map_err(corrupt)?;
        let id = id.ok_or_else(|| StoreError::Corrupt("a document without an _id".to_owned()))?;
        let place = doc! { "_id": Bson::try_from(id).map_err(corrupt)? };
        let place = RawDocumentBuf::try_from(&place).map_err(corrupt)?.into_bytes();
        let ends = self.ends.get(kind).into_iter().flatten().filter_map(|(path, seconds)| {
            let date = document.get_datetime(path.as_str()).ok()?;
            Some(date.timestamp_millis().saturating_add(seconds.saturating_mul(1000)))
        });
        Ok(Record { place, body: id_first(document)?, ends_at: ends.min() })
    }
}

/// The document as MongoDB keeps it, whose server puts the `_id` before all else.
fn id_first(document: &RawDocument) -> Result<Vec<u8>, StoreError> {
    let first = document.iter().next().transpose().map_err(corrupt)?;
    if first.is_some_and(|(name, _)| name.as_str() == "_id") {
        return Ok(document.as_bytes().to_vec());
    }
    let (mut ids, mut rest): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for field in document {
        let (name, value): (_, RawBsonRef<'_>) = field.map_err(corrupt)?;
        if name.as_str() == "_id" { ids.push((name, value)) } else { rest.push((name, value)) }
    }
    let mut ordered = RawDocumentBuf::new();
    for (name, value) in ids.into_iter().chain(rest) {
        ordered.append(name, value);
    }
    Ok(ordered.into_bytes())
}

fn id_at(place: &[u8]) -> Result<Bson, StoreError> {
    let place = RawDocument::from_bytes(place).map_err(corrupt)?;
    let id = place.get("_id").map_err(corrupt)?.unwrap_or(RawBsonRef::Null);
    Bson::try_from(id).map_err(corrupt)
}

fn corrupt(error: bson::error::Error) -> StoreError {
    StoreError::Corrupt(format!("a document: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_id_comes_first_and_the_rest_stays_as_it_was() {
        let raw = |document: Document| RawDocumentBuf::try_from(&document).unwrap();
        let moved = raw(doc! { "a": 1, "b": { "_id": 2 }, "_id": 3, "c": [4_i64] });
        assert_eq!(
            id_first(&moved).unwrap(),
            raw(doc! { "_id": 3, "a": 1, "b": { "_id": 2 }, "c": [4_i64] }).as_bytes()
        );
        let right = raw(doc! { "_id": 3, "a": 1 });
        assert_eq!(id_first(&right).unwrap(), right.as_bytes());
    }
}
