//! At start: tables and indexes as the domain wants them.

use rusqlite::Connection;
use shared::store::StoreError;

use super::SqliteDocuments;
use super::catalogue::{Definition, IndexTable, Source};
use super::find::{blob, document};
use super::write::mark;
use crate::domain::Collections;

/// Documents put into a new index by one commit; other writes go between.
const BATCH: i64 = 1000;

impl SqliteDocuments {
    pub(super) async fn prepare_sources(&self, collections: &Collections<'_>) -> Result<(), StoreError> {
        for (name, indexes) in collections {
            let mut definitions = Vec::with_capacity(indexes.len());
            for index in indexes {
                if let Some(definition) = Definition::new(name, index)
                    && !definitions.contains(&definition)
                {
                    definitions.push(definition);
                }
            }
            self.prepare_source(name, definitions).await?;
        }
        Ok(())
    }

    /// Makes an index for each definition that has none, and drops those that nobody asks for any more.
    async fn prepare_source(&self, name: &str, definitions: Vec<Definition>) -> Result<(), StoreError> {
        let number = self.ensure(name).await?;
        let source = self
            .sqlite
            .write(move |connection| -> Result<_, StoreError> {
                let source = Source::load(connection, number)?;
                for definition in &definitions {
                    if source.indexes.iter().all(|index| index.definition != *definition) {
                        source.create_index(connection, definition)?;
                    }
                }
                for index in source.indexes.iter().filter(|index| !definitions.contains(&index.definition)) {
                    source.drop_index(connection, index.number)?;
                }
                Source::load(connection, number)
            })
            .await?;
        let unbuilt: Vec<i64> = source.indexes.iter().filter(|index| !index.built).map(|index| index.number).collect();
        // From here on the new indexes are kept up by every write, and so is what is built of them.
        self.catalogue.set(name, source);
        for index in &unbuilt {
            let index = *index;
            while !self.sqlite.write(move |connection| build(connection, number, index)).await? {}
        }
        if !unbuilt.is_empty() {
            let source = self
                .sqlite
                .write(move |connection| -> Result<_, StoreError> { Source::load(connection, number) })
                .await?;
            for index in source.indexes.iter().filter(|index| index.unique && unbuilt.contains(&index.number)) {
                self.warn_of_duplicates(name, index)?;
            }
            self.catalogue.set(name, source);
        }
        Ok(())
    }

    /// The number of a source, whose table is made unless it exists.
    pub(super) async fn ensure(&self, name: &str) -> Result<i64, StoreError> {
        if let Some(source) = self.catalogue.get(name) {
            return Ok(source.number);
        }
        let wanted = name.to_owned();
        let source = self
            .sqlite
            .write(move |connection| -> Result<_, StoreError> {
                let number = Source::create(connection, &wanted)?;
                Source::load(connection, number)
            })
            .await?;
        let number = source.number;
        self.catalogue.set(name, source);
        Ok(number)
    }

    /// Data taken over may break a rule that is new: it stays, and no new document may join it.
    fn warn_of_duplicates(&self, name: &str, index: &IndexTable) -> Result<(), StoreError> {
        let repeated: i64 = self.sqlite.read_now(|connection| -> Result<_, StoreError> {
            Ok(connection.query_row(&index.repeated, [], |row| row.get(0))?)
        })?;
        if repeated > 0 {
            log::warn!("{name}: {repeated} values of {} are stored more than once, though unique", index.field());
        }
        Ok(())
    }
}

/// Puts the next documents into an index; whether it is whole.
fn build(connection: &Connection, source: i64, number: i64) -> Result<bool, StoreError> {
    let source = Source::load(connection, source)?;
    let Some(index) = source.indexes.iter().find(|index| index.number == number && !index.built) else {
        return Ok(true);
    };
    let built_to: i64 =
        connection.query_row("SELECT built_to FROM document_index WHERE number = ?1", [number], |row| row.get(0))?;
    let mut scan = connection.prepare_cached(&source.sql.scan_after)?;
    let mut insert = connection.prepare_cached(&index.insert)?;
    let mut found = scan.query((built_to, BATCH))?;
    let mut last = None;
    while let Some(row) = found.next()? {
        let id = index.id(blob(row, 1)?);
        let row_number: i64 = row.get(0)?;
        let keys = index.entries(document(blob(row, 2)?)?)?;
        for key in &keys.keys {
            insert.execute((key, &*id, row_number))?;
        }
        mark(connection, index, &keys)?;
        last = Some(row_number);
    }
    connection.execute("UPDATE document_index SET built_to = ?2 WHERE number = ?1", (number, last))?;
    Ok(last.is_none())
}
