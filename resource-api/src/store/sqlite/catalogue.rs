//! Which tables exist: one for each source, one for each of its indexes, and the SQL that reads and writes them.

mod loaded;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bson::{Bson, Document, RawDocument};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use shared::store::StoreError;

use crate::domain::{Index, IndexDirection};
use crate::query::mongo_syntax::parse_trusted;
use crate::query::{Direction, Filter, FilterError};
use crate::store::keys::entries::{self, Entries};
use crate::store::keys::path::Component;
use crate::store::keys::{Malformed, key};

pub(super) use loaded::Catalogue;

/// `marks` are [`MULTIKEY`], [`INCOMPLETE`] and [`LONG`]; `built_to` is the row up to which an index is built, null once it is whole.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE document_source (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        documents INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE document_index (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        source INTEGER NOT NULL REFERENCES document_source,
        definition TEXT NOT NULL,
        marks INTEGER NOT NULL DEFAULT 0,
        built_to INTEGER DEFAULT 0,
        UNIQUE (source, definition)
    );
    CREATE INDEX document_index_marks ON document_index (source, number, marks) WHERE marks <> 0;
"];

/// Some document has an array on the index's paths: a key no longer tells all about its document.
pub(super) const MULTIKEY: i64 = 1;
/// Some document has more keys than were kept: the index can't be searched any more.
pub(super) const INCOMPLETE: i64 = 2;

/// Some key is shortened: the index no longer gives an order.
pub(super) const LONG: i64 = 4;

/// What an index is; stored as JSON. Another definition is another index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Definition {
    /// Dotted path and whether it descends.
    keys: Vec<(String, bool)>,
    unique: bool,
    sparse: bool,
    /// MongoDB's `partialFilterExpression`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partial: Option<Document>,
    /// MongoDB's `expireAfterSeconds`: documents whose date is older go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<i64>,
}

impl Definition {
    /// What of `index` this store can do; tells in the log what it can't.
    pub(super) fn new(source: &str, index: &Index) -> Option<Self> {
        let mut keys = Vec::with_capacity(index.keys.len());
        for (field, direction) in &index.keys {
            match direction {
                IndexDirection::Ascending => keys.push((field.clone(), false)),
                IndexDirection::Descending => keys.push((field.clone(), true)),
                // It serves equality only, which any index does.
                IndexDirection::Special(kind) if kind == "hashed" => keys.push((field.clone(), false)),
                IndexDirection::Special(kind) => {
                    log::warn!("{source}: the embedded store has no {kind} indexes; {} is left out", index.name);
                    return None;
                }
            }
        }
        let partial = match index.options.get("partialFilterExpression") {
            Some(Bson::Document(filter)) => Some(filter.clone()),
            _ => None,
        };
        let expire_after = match index.options.get("expireAfterSeconds") {
            Some(_) if index.keys.len() != 1 => {
                log::warn!("{source}: index {} is of several fields, so nothing expires by it", index.name);
                None
            }
            Some(Bson::Int32(seconds)) => Some(i64::from(*seconds)),
            Some(Bson::Int64(seconds)) => Some(*seconds),
            Some(Bson::Double(seconds)) => Some(*seconds as i64),
            _ => None,
        };
        let mut definition = Self { keys, unique: index.unique, sparse: index.sparse, partial, expire_after };
        if let Err(error) = definition.filter() {
            log::warn!("{source}: index {} has a filter that this store can't apply: {error}", index.name);
            return None;
        }
        if index.unique && index.options.contains_key("collation") {
            log::warn!("{source}: the embedded store has no collations; index {} is not unique here", index.name);
            definition.unique = false;
        }
        Some(definition)
    }

    /// Which documents the index is for.
    fn filter(&self) -> Result<Filter, FilterError> {
        self.partial.as_ref().map_or(Ok(Filter::All), parse_trusted)
    }

    fn components(&self) -> Vec<Component> {
        self.keys.iter().map(|(field, descending)| Component::new(field, *descending)).collect()
    }
}

/// A collection: its table and its indexes.
#[derive(Debug)]
pub(super) struct Source {
    pub number: i64,
    /// The documents themselves by `_id`.
    pub ids: Tree,
    pub indexes: Vec<IndexTable>,
    pub sql: SourceSql,
}

#[derive(Debug)]
pub(super) struct SourceSql {
    pub body_by_id: String,
    pub row_by_id: String,
    pub body_by_row: String,
    pub body_after_id: String,
    pub id_by_row: String,
    pub scan: String,
    pub scan_after: String,
    pub insert: String,
    pub update: String,
    pub delete: String,
    pub delete_all: String,
}

/// Something that can be walked in the order of its keys.
#[derive(Debug)]
pub(super) struct Tree {
    pub components: Vec<Component>,
    /// Documents without any of the fields are not in it.
    pub sparse: bool,
    /// The source's own ids, each once; a side table otherwise, where long keys are shortened.
    pub of_ids: bool,
    /// Behind equal keys the ids descend, as the last component does: a sort's `_id` has the last direction.
    pub id_descending: bool,
    pub ascending: Walk,
    pub descending: Walk,
    /// Key of the `_id` and row; parameters: from, to.
    pub ids: String,
    pub count: String,
}

/// The statements that walk a tree in one direction, by key and id.
#[derive(Debug)]
pub(super) struct Walk {
    /// Rows of the source's table; parameters: from, to (exclusive), limit, offset.
    pub rows: String,
    /// The documents themselves; parameters: from, to, limit.
    pub bodies: String,
    /// What has one key and lies behind an id; `None` where nothing else has a key.
    pub behind: Option<Behind>,
}

/// The same as a [`Walk`] within one key; parameters: key, id, limit.
#[derive(Debug)]
pub(super) struct Behind {
    pub rows: String,
    pub bodies: String,
}

impl Tree {
    pub(super) fn walk(&self, direction: Option<Direction>) -> &Walk {
        if direction == Some(Direction::Descending) { &self.descending } else { &self.ascending }
    }

    /// The documents of `table` by `_id`.
    fn of_ids(table: &str) -> Self {
        let range = format!("FROM {table} WHERE id >= ?1 AND id < ?2");
        let walk = |direction: &str| Walk {
            rows: format!("SELECT rowid {range} ORDER BY id{direction} LIMIT ?3 OFFSET ?4"),
            bodies: format!("SELECT body {range} ORDER BY id{direction} LIMIT ?3"),
            behind: None,
        };
        Self {
            components: vec![Component::new("_id", false)],
            sparse: false,
            of_ids: true,
            id_descending: false,
            ascending: walk(""),
            descending: walk(" DESC"),
            ids: format!("SELECT id, rowid {range}"),
            count: format!("SELECT count(*) {range}"),
        }
    }

    /// The documents of `table` by the keys in `index`.
    fn of_keys(definition: &Definition, index: &str, table: &str) -> Self {
        let range = format!("FROM {index} WHERE key >= ?1 AND key < ?2");
        // An outer join leaves a hole where a document is missing, which is then noticed.
        let documents = format!("FROM {index} AS i LEFT JOIN {table} AS d ON d.rowid = i.doc");
        let walk = |direction: &str, behind: char| Walk {
            rows: format!("SELECT doc {range} ORDER BY key{direction}, id{direction} LIMIT ?3 OFFSET ?4"),
            bodies: format!(
                "SELECT body {documents} WHERE key >= ?1 AND key < ?2 ORDER BY key{direction}, i.id{direction} LIMIT ?3"
            ),
            behind: Some(Behind {
                rows: format!(
                    "SELECT doc FROM {index} WHERE key = ?1 AND id {behind} ?2 ORDER BY id{direction} LIMIT ?3"
                ),
                bodies: format!(
                    "SELECT body {documents} WHERE key = ?1 AND i.id {behind} ?2 ORDER BY i.id{direction} LIMIT ?3"
                ),
            }),
        };
        let components = definition.components();
        Self {
            id_descending: components.last().is_some_and(|component| component.descending),
            components,
            sparse: definition.sparse,
            of_ids: false,
            ascending: walk("", '>'),
            descending: walk(" DESC", '<'),
            ids: format!("SELECT id, doc {range}"),
            count: format!("SELECT count(*) {range}"),
        }
    }
}

/// A side table of keys, ids and rows.
#[derive(Debug)]
pub(super) struct IndexTable {
    pub number: i64,
    pub definition: Definition,
    pub tree: Tree,
    /// Other documents are not in it.
    pub partial: Filter,
    /// Whole, so that it can be searched; until then it is only kept up.
    pub built: bool,
    pub unique: bool,
    pub insert: String,
    pub delete: String,
    pub delete_all: String,
    /// Whether another document has the key.
    pub taken: String,
    /// How many keys several documents have.
    pub repeated: String,
}

impl IndexTable {
    /// The keys of a document in it.
    pub(super) fn entries(&self, body: &RawDocument) -> Result<Entries, Malformed> {
        if !self.partial.matches_raw(body) {
            return Ok(Entries::default());
        }
        entries::of(body, &self.tree.components, self.tree.sparse)
    }

    /// The key of an `_id` as it is stored here.
    pub(super) fn id<'k>(&self, id: &'k [u8]) -> Cow<'k, [u8]> {
        if self.tree.id_descending { Cow::Owned(key::inverted(id)) } else { Cow::Borrowed(id) }
    }

    /// The first path, to name in a conflict.
    pub(super) fn field(&self) -> &str {
        self.tree.components.first().map_or("", |component| &component.field)
    }
}

fn source_table(number: i64) -> String {
    format!("doc_{number}")
}

fn index_table(source: i64, number: i64) -> String {
    format!("ix_{source}_{number}")
}

impl Source {
    fn new(number: i64, indexes: Vec<IndexTable>) -> Self {
        let table = source_table(number);
        Self {
            number,
            ids: Tree::of_ids(&table),
            indexes,
            sql: SourceSql {
                body_by_id: format!("SELECT body FROM {table} WHERE id = ?1"),
                row_by_id: format!("SELECT rowid, body FROM {table} WHERE id = ?1"),
                body_by_row: format!("SELECT body FROM {table} WHERE rowid = ?1"),
                body_after_id: format!("SELECT body FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2"),
                id_by_row: format!("SELECT id, body FROM {table} WHERE rowid = ?1"),
                scan: format!("SELECT rowid, id, body FROM {table}"),
                scan_after: format!("SELECT rowid, id, body FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT ?2"),
                insert: format!("INSERT INTO {table} (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING"),
                update: format!("UPDATE {table} SET body = ?2 WHERE rowid = ?1"),
                delete: format!("DELETE FROM {table} WHERE rowid = ?1"),
                delete_all: format!("DELETE FROM {table}"),
            },
        }
    }

    pub(super) fn index(
        source: i64,
        number: i64,
        definition: Definition,
        built: bool,
    ) -> Result<IndexTable, StoreError> {
        let table = index_table(source, number);
        let corrupt = |error| StoreError::Corrupt(format!("the filter of an index: {error}"));
        Ok(IndexTable {
            number,
            partial: definition.filter().map_err(corrupt)?,
            tree: Tree::of_keys(&definition, &table, &source_table(source)),
            built,
            unique: definition.unique,
            insert: format!("INSERT OR IGNORE INTO {table} (key, id, doc) VALUES (?1, ?2, ?3)"),
            delete: format!("DELETE FROM {table} WHERE key = ?1 AND id = ?2"),
            delete_all: format!("DELETE FROM {table}"),
            repeated: format!("SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY key HAVING count(*) > 1)"),
            taken: format!("SELECT 1 FROM {table} WHERE key = ?1 AND id <> ?2 LIMIT 1"),
            definition,
        })
    }

    /// As the tables say.
    pub(super) fn load(connection: &Connection, number: i64) -> Result<Self, StoreError> {
        let mut query = connection.prepare_cached(
            "SELECT number, definition, built_to IS NULL FROM document_index WHERE source = ?1 ORDER BY number",
        )?;
        let mut rows = query.query([number])?;
        let mut indexes = Vec::new();
        while let Some(row) = rows.next()? {
            let definition: String = row.get(1)?;
            let definition = serde_json::from_str(&definition)
                .map_err(|error| StoreError::Corrupt(format!("the definition of an index: {error}")))?;
            indexes.push(Self::index(number, row.get(0)?, definition, row.get(2)?)?);
        }
        Ok(Self::new(number, indexes))
    }

    /// Makes the source's table unless it exists; its number.
    pub(super) fn create(connection: &Connection, name: &str) -> Result<i64, StoreError> {
        connection.execute("INSERT INTO document_source (name) VALUES (?1) ON CONFLICT DO NOTHING", [name])?;
        let number: i64 =
            connection.query_row("SELECT number FROM document_source WHERE name = ?1", [name], |row| row.get(0))?;
        let table = source_table(number);
        connection.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (rowid INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, body BLOB NOT NULL)"
        ))?;
        Ok(number)
    }

    /// Makes an empty index that is still to be built.
    pub(super) fn create_index(&self, connection: &Connection, definition: &Definition) -> Result<(), StoreError> {
        // Texts and booleans always have a JSON form.
        let text = serde_json::to_string(definition).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        connection.execute(
            "INSERT INTO document_index (source, definition) VALUES (?1, ?2)",
            rusqlite::params![self.number, text],
        )?;
        let table = index_table(self.number, connection.last_insert_rowid());
        connection.execute_batch(&format!(
            "CREATE TABLE {table} (key BLOB, id BLOB, doc INTEGER NOT NULL, PRIMARY KEY (key, id)) WITHOUT ROWID"
        ))?;
        Ok(())
    }

    pub(super) fn drop_index(&self, connection: &Connection, number: i64) -> Result<(), StoreError> {
        connection.execute("DELETE FROM document_index WHERE number = ?1", [number])?;
        connection.execute_batch(&format!("DROP TABLE {}", index_table(self.number, number)))?;
        Ok(())
    }
}
