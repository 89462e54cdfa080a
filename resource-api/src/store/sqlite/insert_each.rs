//! Many new documents at once, each by itself: what is taken is left out.

use std::sync::Arc;

use bson::Document;
use rusqlite::Connection;
use shared::store::StoreError;

use super::catalogue::Source;
use super::write::{Growth, NewDocument, Table, Undone, id_of, mark, raw};
use crate::store::LeftOut;

/// A document to insert, and the key of its id.
pub(super) fn new_document(source: &Arc<Source>, document: &Document) -> Result<(Vec<u8>, NewDocument), StoreError> {
    let document = raw(document)?;
    Ok((id_of(&document)?, NewDocument::new(Arc::clone(source), Arc::new(document))?))
}

/// Inserts what is not taken, each document by itself.
pub(super) fn insert_each(
    connection: &Connection,
    source: &Arc<Source>,
    documents: Vec<(Vec<u8>, NewDocument)>,
) -> Result<Vec<LeftOut>, Undone> {
    let table = Table { connection, source, index: 0 };
    let mut left_out = Vec::new();
    let mut later = Later::new(source);
    let mut inserted = 0;
    for (index, (id, new)) in documents.into_iter().enumerate() {
        let new = new.for_source(source)?;
        match table.insert_unless_taken(&id, &new, &mut later)? {
            None => inserted += 1,
            Some(field) => left_out.push(LeftOut { index, field, document: Arc::unwrap_or_clone(new.body) }),
        }
    }
    later.write(connection)?;
    let mut grown = Growth::default();
    grown.add(connection, source.number, inserted)?;
    grown.write(connection)?;
    Ok(left_out)
}

/// Keys of many new documents for the indexes that are not unique: written in their order they meet each page once.
struct Later<'s> {
    source: &'s Source,
    /// For each index.
    keys: Vec<Vec<Key>>,
}

/// Key, key of the id, row.
type Key = (Vec<u8>, Vec<u8>, i64);

impl<'s> Later<'s> {
    fn new(source: &'s Source) -> Self {
        Self { source, keys: source.indexes.iter().map(|_| Vec::new()).collect() }
    }

    fn write(self, connection: &Connection) -> Result<(), rusqlite::Error> {
        for (index, mut keys) in self.source.indexes.iter().zip(self.keys) {
            keys.sort_unstable();
            let mut insert = connection.prepare_cached(&index.insert)?;
            for (key, id, row) in &keys {
                insert.execute((key, id, row))?;
            }
        }
        Ok(())
    }
}

impl Table<'_> {
    /// What is in the way, if something is; the document is not stored then.
    fn insert_unless_taken(
        &self,
        id: &[u8],
        new: &NewDocument,
        later: &mut Later<'_>,
    ) -> Result<Option<String>, Undone> {
        let insert = self.connection.prepare_cached(&self.source.sql.insert)?.execute((id, new.body.as_bytes()))?;
        if insert == 0 {
            return Ok(Some("_id".to_owned()));
        }
        let row = self.connection.last_insert_rowid();
        let indexes = || self.source.indexes.iter().zip(&new.keys);
        for (index, entries) in indexes().filter(|(index, _)| index.unique) {
            let id = &*index.id(id);
            let mut taken = self.connection.prepare_cached(&index.taken)?;
            for key in &entries.keys {
                if taken.exists((key, id))? {
                    self.connection.prepare_cached(&self.source.sql.delete)?.execute([row])?;
                    return Ok(Some(index.field().to_owned()));
                }
            }
        }
        for ((index, entries), later) in indexes().zip(&mut later.keys) {
            if index.unique {
                self.add_keys(index, entries, entries.keys.iter(), id, row)?;
            } else {
                let id = index.id(id);
                later.extend(entries.keys.iter().map(|key| (key.clone(), id.to_vec(), row)));
                mark(self.connection, index, entries)?;
            }
        }
        Ok(None)
    }
}
