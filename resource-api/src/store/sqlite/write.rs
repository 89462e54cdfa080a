//! One batch of writes on the writer thread: all of it or nothing.

use std::sync::Arc;

use bson::Document;
use bson::raw::{CStr, RawBsonRef, RawDocument, RawDocumentBuf};
use rusqlite::{Connection, OptionalExtension};
use shared::store::StoreError;

use super::catalogue::{Catalogue, INCOMPLETE, IndexTable, LONG, MULTIKEY, Source};
use super::find::{self, blob, document, documents, rows};
use crate::query::Filter;
use crate::store::keys::Malformed;
use crate::store::keys::entries::Entries;
use crate::store::keys::key;
use crate::store::{Guard, Outcome, Write};

/// Why a batch was undone.
#[derive(Debug)]
pub(super) enum Undone {
    Refused(Outcome),
    Failed(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Undone::Failed(error)
    }
}

impl From<rusqlite::Error> for Undone {
    fn from(error: rusqlite::Error) -> Self {
        Undone::Failed(error.into())
    }
}

impl From<Malformed> for Undone {
    fn from(error: Malformed) -> Self {
        Undone::Failed(error.into())
    }
}

/// A write with all that can be made of it before its turn on the writer thread.
pub(super) struct Prepared {
    name: String,
    change: Change,
}

enum Change {
    Insert { id: Vec<u8>, new: NewDocument },
    Replace { id: Vec<u8>, guard: Guard, new: NewDocument },
    Set { id: Vec<u8>, guard: Guard, fields: RawDocumentBuf },
    Delete { id: Vec<u8>, guard: Guard },
    DeleteMany { filter: Filter },
    Vacant { path: String, filter: Filter },
}

/// A document and its keys in the indexes its source had when they were made.
pub(super) struct NewDocument {
    source: Arc<Source>,
    pub body: Arc<RawDocumentBuf>,
    pub keys: Vec<Entries>,
}

impl NewDocument {
    pub(super) fn new(source: Arc<Source>, body: Arc<RawDocumentBuf>) -> Result<Self, Malformed> {
        let keys = keys(&source, &body)?;
        Ok(Self { source, body, keys })
    }

    /// With the keys of the indexes that are there now.
    pub(super) fn for_source(self, source: &Arc<Source>) -> Result<Self, Malformed> {
        if Arc::ptr_eq(&self.source, source) { Ok(self) } else { Self::new(Arc::clone(source), self.body) }
    }
}

impl Prepared {
    pub(super) fn new(catalogue: &Catalogue, write: Write) -> Result<Self, StoreError> {
        let source = |name: &str| catalogue.get(name).ok_or_else(|| unknown(name));
        let (name, change) = match write {
            Write::Insert { source: name, document } => {
                let id = id_of(&document)?;
                let new = NewDocument::new(source(&name)?, document)?;
                (name, Change::Insert { id, new })
            }
            Write::Replace { source: name, guard, document } => {
                let id = key::of(&guard.id)?;
                if id_of(&document)? != id {
                    return Err(StoreError::Corrupt("a replacement has another _id".to_owned()));
                }
                let new = NewDocument::new(source(&name)?, document)?;
                (name, Change::Replace { id, guard, new })
            }
            Write::Set { source: name, guard, fields } => {
                let id = key::of(&guard.id)?;
                let fields = raw(&fields)?;
                if fields.get("_id").map_err(Malformed)?.is_some() && id_of(&fields)? != id {
                    return Err(StoreError::Corrupt("a change would set another _id".to_owned()));
                }
                (name, Change::Set { id, guard, fields })
            }
            Write::Delete { source: name, guard } => {
                let id = key::of(&guard.id)?;
                (name, Change::Delete { id, guard })
            }
            Write::DeleteMany { source: name, filter } => (name, Change::DeleteMany { filter }),
            Write::Vacant { source: name, path, value, filter } => {
                let filter = Filter::equal(path.as_str(), value).and(filter);
                (name, Change::Vacant { path, filter })
            }
        };
        Ok(Self { name, change })
    }
}

pub(super) fn unknown(source: &str) -> StoreError {
    StoreError::Corrupt(format!("there is no source {source}"))
}

pub(super) fn raw(document: &Document) -> Result<RawDocumentBuf, Malformed> {
    Ok(RawDocumentBuf::try_from(document)?)
}

/// The key of a document's id. As in MongoDB, an id is one value: an array would be several.
pub(super) fn id_of(document: &RawDocument) -> Result<Vec<u8>, StoreError> {
    match document.get("_id").map_err(Malformed)? {
        Some(RawBsonRef::Array(_) | RawBsonRef::RegularExpression(_) | RawBsonRef::Undefined) => {
            Err(StoreError::Corrupt("an _id can't be an array, a regular expression or undefined".to_owned()))
        }
        Some(id) => {
            let mut key = Vec::with_capacity(24);
            key::append(id, &mut key)?;
            Ok(key)
        }
        None => Err(StoreError::Corrupt("a document has no _id".to_owned())),
    }
}

/// Carries the batch out; how many documents each write touched.
pub(super) fn apply(connection: &Connection, catalogue: &Catalogue, batch: Vec<Prepared>) -> Result<Vec<u64>, Undone> {
    let mut touched = Vec::with_capacity(batch.len());
    let mut grown = Growth::default();
    for (index, Prepared { name, change }) in batch.into_iter().enumerate() {
        let source = catalogue.get(&name).ok_or_else(|| unknown(&name))?;
        let table = Table { connection, source: &source, index };
        let (count, growth) = match change {
            Change::Insert { id, new } => {
                table.insert(&id, &new.for_source(&source)?)?;
                (1, 1)
            }
            Change::Replace { id, guard, new } => {
                let new = new.for_source(&source)?;
                table.change(&id, &guard, |_| Ok(new))?;
                (1, 0)
            }
            Change::Set { id, guard, fields } => {
                table.change(&id, &guard, |old| {
                    NewDocument::new(Arc::clone(&source), Arc::new(with_fields(old, &fields)?))
                })?;
                (1, 0)
            }
            Change::Delete { id, guard } => {
                table.delete(&id, &guard)?;
                (1, -1)
            }
            Change::DeleteMany { filter } => {
                grown.write(connection)?;
                let deleted = table.delete_many(&filter)?;
                (deleted, -deleted.cast_signed())
            }
            Change::Vacant { path, filter } => {
                if find::any(connection, &source, &filter)? {
                    return Err(table.conflict(&path));
                }
                (0, 0)
            }
        };
        grown.add(connection, source.number, growth)?;
        touched.push(count);
    }
    grown.write(connection)?;
    Ok(touched)
}

/// By how much the number of a source's documents changes: noted once for a run of writes to one source.
#[derive(Default)]
pub(super) struct Growth {
    source: i64,
    documents: i64,
}

impl Growth {
    pub(super) fn add(&mut self, connection: &Connection, source: i64, documents: i64) -> Result<(), rusqlite::Error> {
        if self.source != source {
            self.write(connection)?;
            self.source = source;
        }
        self.documents += documents;
        Ok(())
    }

    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        if self.documents != 0 {
            connection
                .prepare_cached("UPDATE document_source SET documents = documents + ?2 WHERE number = ?1")?
                .execute((self.source, self.documents))?;
            self.documents = 0;
        }
        Ok(())
    }
}

/// The document with these top-level fields set; those it has keep their places.
fn with_fields(old: &RawDocument, fields: &RawDocument) -> Result<RawDocumentBuf, Malformed> {
    let mut new = RawDocumentBuf::new();
    for element in old {
        let (name, value): (&CStr, RawBsonRef<'_>) = element?;
        new.append(name, fields.get(name.as_str())?.unwrap_or(value));
    }
    for element in fields {
        let (name, value) = element?;
        if old.get(name.as_str())?.is_none() {
            new.append(name, value);
        }
    }
    Ok(new)
}

/// The keys of a document in every index of its source.
fn keys(source: &Source, body: &RawDocument) -> Result<Vec<Entries>, Malformed> {
    source.indexes.iter().map(|index| index.entries(body)).collect()
}

/// Notes what the planner must know of a document's keys, once.
pub(super) fn mark(connection: &Connection, index: &IndexTable, entries: &Entries) -> Result<(), rusqlite::Error> {
    let mark = |set: bool, mark: i64| if set { mark } else { 0 };
    let marks = mark(entries.multikey, MULTIKEY) | mark(entries.incomplete, INCOMPLETE) | mark(entries.long, LONG);
    if marks != 0 {
        connection
            .prepare_cached("UPDATE document_index SET marks = marks | ?2 WHERE number = ?1 AND marks & ?2 <> ?2")?
            .execute((index.number, marks))?;
    }
    Ok(())
}

/// One source during one write.
pub(super) struct Table<'a> {
    pub connection: &'a Connection,
    pub source: &'a Arc<Source>,
    /// The write's place in the batch.
    pub index: usize,
}

impl Table<'_> {
    fn conflict(&self, field: &str) -> Undone {
        Undone::Refused(Outcome::Conflict { index: self.index, field: field.to_owned() })
    }

    fn insert(&self, id: &[u8], new: &NewDocument) -> Result<(), Undone> {
        let insert = self.connection.prepare_cached(&self.source.sql.insert)?.execute((id, new.body.as_bytes()))?;
        if insert == 0 {
            return Err(self.conflict("_id"));
        }
        let row = self.connection.last_insert_rowid();
        for (index, entries) in self.source.indexes.iter().zip(&new.keys) {
            self.add_keys(index, entries, entries.keys.iter(), id, row)?;
        }
        Ok(())
    }

    pub(super) fn add_keys<'k>(
        &self,
        index: &IndexTable,
        entries: &Entries,
        added: impl Iterator<Item = &'k Vec<u8>>,
        id: &[u8],
        row: i64,
    ) -> Result<(), Undone> {
        let id = &*index.id(id);
        for key in added {
            if index.unique && self.connection.prepare_cached(&index.taken)?.exists((key, id))? {
                return Err(self.conflict(index.field()));
            }
            self.connection.prepare_cached(&index.insert)?.execute((key, id, row))?;
        }
        Ok(mark(self.connection, index, entries)?)
    }

    /// Puts what `make` makes of the old document in its place, if it is as `guard` says.
    fn change(
        &self,
        id: &[u8],
        guard: &Guard,
        make: impl FnOnce(&RawDocument) -> Result<NewDocument, Malformed>,
    ) -> Result<(), Undone> {
        let (row, old, new) = self.guarded(id, guard, |row, body| Ok((row, keys(self.source, body)?, make(body)?)))?;
        self.connection.prepare_cached(&self.source.sql.update)?.execute((row, new.body.as_bytes()))?;
        for ((index, old), new) in self.source.indexes.iter().zip(&old).zip(&new.keys) {
            let mut delete = self.connection.prepare_cached(&index.delete)?;
            let stored_id = &*index.id(id);
            for key in old.keys.iter().filter(|key| new.keys.binary_search(key).is_err()) {
                delete.execute((key, stored_id))?;
            }
            let added = new.keys.iter().filter(|key| old.keys.binary_search(key).is_err());
            self.add_keys(index, new, added, id, row)?;
        }
        Ok(())
    }

    fn delete(&self, id: &[u8], guard: &Guard) -> Result<(), Undone> {
        let (row, old) = self.guarded(id, guard, |row, body| Ok((row, keys(self.source, body)?)))?;
        self.remove(id, row, &old)
    }

    fn remove(&self, id: &[u8], row: i64, old: &[Entries]) -> Result<(), Undone> {
        self.connection.prepare_cached(&self.source.sql.delete)?.execute([row])?;
        for (index, entries) in self.source.indexes.iter().zip(old) {
            let mut delete = self.connection.prepare_cached(&index.delete)?;
            let stored_id = &*index.id(id);
            for key in &entries.keys {
                delete.execute((key, stored_id))?;
            }
        }
        Ok(())
    }

    fn delete_many(&self, filter: &Filter) -> Result<u64, Undone> {
        if *filter == Filter::All {
            return self.delete_all();
        }
        let rows = rows(self.connection, self.source, filter)?;
        for row in &rows {
            let found = self
                .connection
                .prepare_cached(&self.source.sql.id_by_row)?
                .query_row([row], |found| Ok((found.get::<_, Vec<u8>>(0)?, found.get::<_, Vec<u8>>(1)?)))
                .optional()?;
            if let Some((id, body)) = found {
                self.remove(&id, *row, &keys(self.source, document(&body)?)?)?;
            }
        }
        Ok(rows.len() as u64)
    }

    fn delete_all(&self) -> Result<u64, Undone> {
        let count = documents(self.connection, self.source)?;
        self.connection.prepare_cached(&self.source.sql.delete_all)?.execute([])?;
        for index in &self.source.indexes {
            self.connection.prepare_cached(&index.delete_all)?.execute([])?;
        }
        // An empty index says everything about its documents.
        self.connection
            .prepare_cached("UPDATE document_index SET marks = 0 WHERE source = ?1")?
            .execute([self.source.number])?;
        Ok(count)
    }

    /// Looks at the document that a write means; refused unless it is there as the guard says (ETAG-10).
    fn guarded<T>(
        &self,
        id: &[u8],
        guard: &Guard,
        look: impl FnOnce(i64, &RawDocument) -> Result<T, Malformed>,
    ) -> Result<T, Undone> {
        let mut statement = self.connection.prepare_cached(&self.source.sql.row_by_id)?;
        let mut found = statement.query([id])?;
        let Some(row) = found.next()? else {
            return Err(Undone::Refused(Outcome::Missing { index: self.index }));
        };
        let body = document(blob(row, 1)?)?;
        let unchanged = match &guard.etag {
            Some((field, etag)) => body.get(field).map_err(Malformed)? == Some(RawBsonRef::String(etag)),
            None => true,
        };
        if !unchanged || !guard.filter.matches_raw(body) {
            return Err(Undone::Refused(Outcome::Changed { index: self.index }));
        }
        Ok(look(row.get(0)?, body)?)
    }
}
