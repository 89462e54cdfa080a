//! Many new documents at once, each by itself: what is taken is left out.

use std::sync::Arc;

use rusqlite::Connection;
use shared::store::StoreError;

use super::catalogue::{Catalogue, Source};
use super::write::{Growth, NewDocument, Prepared, Table, Undone, apply, id_of, mark, raw};
use crate::store::{Candidate, LeftOut, Outcome};

/// A document to insert.
pub(super) struct New {
    /// The key of its id.
    id: Vec<u8>,
    document: NewDocument,
    vacancies: Vec<Prepared>,
}

impl New {
    pub(super) fn prepared(
        catalogue: &Catalogue,
        source: &Arc<Source>,
        candidate: Candidate,
    ) -> Result<Self, StoreError> {
        let Candidate { document, vacancies } = candidate;
        let document = raw(&document)?;
        let vacancies = vacancies.into_iter().map(|vacancy| Prepared::new(catalogue, vacancy));
        Ok(Self {
            id: id_of(&document)?,
            document: NewDocument::new(Arc::clone(source), Arc::new(document))?,
            vacancies: vacancies.collect::<Result<_, _>>()?,
        })
    }
}

/// Inserts what is not taken, each document by itself.
pub(super) fn insert_each(
    connection: &Connection,
    catalogue: &Catalogue,
    source: &Arc<Source>,
    candidates: Vec<New>,
) -> Result<Vec<LeftOut>, Undone> {
    let table = Table { connection, source, index: 0 };
    let mut left_out = Vec::new();
    let mut later = Later::new(source);
    let mut inserted = 0;
    for (index, New { id, document, vacancies }) in candidates.into_iter().enumerate() {
        let new = document.for_source(source)?;
        if !vacancies.is_empty() {
            // A look must find all that came before.
            later.write(connection)?;
            match apply(connection, catalogue, vacancies) {
                Ok(_) => {}
                Err(Undone::Refused(Outcome::Conflict { index: vacancy, field })) => {
                    let document = Arc::unwrap_or_clone(new.body);
                    left_out.push(LeftOut { index, field, vacancy: Some(vacancy), document });
                    continue;
                }
                Err(undone) => return Err(undone),
            }
        }
        match table.insert_unless_taken(&id, &new, &mut later)? {
            None => inserted += 1,
            Some(field) => {
                left_out.push(LeftOut { index, field, vacancy: None, document: Arc::unwrap_or_clone(new.body) })
            }
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

    fn write(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        for (index, keys) in self.source.indexes.iter().zip(&mut self.keys) {
            keys.sort_unstable();
            let mut insert = connection.prepare_cached(&index.insert)?;
            for (key, id, row) in keys.drain(..) {
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
