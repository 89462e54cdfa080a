//! The documents of a backup in the place of all that are stored, in one transaction: a service that runs sees the old ones or
//! the new ones. Its tables and indexes stay, only what is in them changes, as it knows them by their numbers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use shared::store::{Sqlite, StoreError, sqlite};

use super::SqliteDocuments;
use super::catalogue::Source;
use super::find::{blob, document};
use super::write::mark;
use crate::store::OWN_SOURCES;

/// How long the service's own writes may hold this up.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the store holds {0} documents")]
    NotEmpty(u64),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} holds no documents' tables: it is no backup of a resource-api", .0.display())]
    Foreign(PathBuf),
    #[error(transparent)]
    Copy(#[from] sqlite::CopyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for RestoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Puts the documents of `backup` into the store at `live`, which is made if it is missing; how many they are. What is stored
/// is replaced if `overwrite` says so. `progress` gets documents done and all. Blocks.
pub fn restore(
    backup: &Path,
    live: &Path,
    overwrite: bool,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64, RestoreError> {
    let rows = sqlite::verify(backup)?;
    if !rows.contains_key("document_source") {
        return Err(RestoreError::Foreign(backup.to_owned()));
    }
    // A backup of an older program is brought to this one's form, but not where it lies.
    let folder = live.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = |source| RestoreError::File { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(file)?;
    let work = Work(folder.join(format!(".restore-{}", std::process::id())));
    std::fs::create_dir_all(&work.0).map_err(file)?;
    let copy = work.0.join("backup.db");
    sqlite::copy(backup, &copy, true, |_, _| {})?;
    drop(SqliteDocuments::open(Sqlite::open(&copy)?, PATIENCE)?);
    if !live.exists() {
        sqlite::copy(&copy, live, false, |_, _| {})?;
        let documents = documents(&Connection::open(live)?, "main")?;
        progress(documents, documents);
        return Ok(documents);
    }
    drop(SqliteDocuments::open(Sqlite::open(live)?, PATIENCE)?);
    let mut connection = Connection::open(live)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute("ATTACH ?1 AS backup", [copy.to_string_lossy()])?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let stored = documents(&transaction, "main")?;
    if stored > 0 && !overwrite {
        return Err(RestoreError::NotEmpty(stored));
    }
    let all = documents(&transaction, "backup")?;
    replace(&transaction, &mut |done| progress(done, all))?;
    let restored = documents(&transaction, "main")?;
    if restored != all {
        return Err(StoreError::Corrupt(format!("{restored} of {all} documents were restored")).into());
    }
    transaction.commit()?;
    drop(connection);
    sqlite::verify(live)?;
    Ok(restored)
}

/// Files that are gone when they are no longer needed, whatever happened.
struct Work(PathBuf);

impl Drop for Work {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// How many documents there are, counted.
fn documents(connection: &Connection, schema: &str) -> Result<u64, rusqlite::Error> {
    let of_the_api = |name: &String| !name.starts_with(OWN_SOURCES);
    let count = |number: i64| {
        let count = format!("SELECT count(*) FROM {schema}.doc_{number}");
        connection.query_row(&count, [], |row| row.get::<_, i64>(0)).map(|count| count.max(0).cast_unsigned())
    };
    let sources = sources(connection, schema)?;
    sources.into_iter().filter(|(name, _)| of_the_api(name)).map(|(_, number)| count(number)).sum()
}

fn replace(connection: &Connection, progress: &mut dyn FnMut(u64)) -> Result<(), RestoreError> {
    let mut live = sources(connection, "main")?;
    for number in live.values() {
        let source = Source::load(connection, *number)?;
        connection.execute(&source.sql.delete_all, [])?;
        for index in &source.indexes {
            connection.execute(&index.delete_all, [])?;
        }
        connection.execute("UPDATE main.document_index SET marks = 0 WHERE source = ?1", [number])?;
        connection.execute("UPDATE main.document_source SET documents = 0 WHERE number = ?1", [number])?;
    }
    let mut done = 0;
    for (name, from) in sources(connection, "backup")? {
        let to = match live.remove(&name) {
            Some(number) => number,
            None => Source::create(connection, &name)?,
        };
        let copied = connection.execute(
            &format!(
                "INSERT INTO main.doc_{to} (rowid, id, body) SELECT rowid, id, body FROM backup.doc_{from} ORDER BY rowid"
            ),
            [],
        )?;
        let count = i64::try_from(copied).unwrap_or(i64::MAX);
        connection.execute("UPDATE main.document_source SET documents = ?2 WHERE number = ?1", (to, count))?;
        fill_indexes(connection, to, from)?;
        if !name.starts_with(OWN_SOURCES) {
            done += copied as u64;
            progress(done);
        }
    }
    other_tables(connection)
}

/// By name.
fn sources(connection: &Connection, schema: &str) -> Result<HashMap<String, i64>, rusqlite::Error> {
    let mut sources = connection.prepare(&format!("SELECT name, number FROM {schema}.document_source"))?;
    sources.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// From the backup's index of the same definition, otherwise from the documents.
fn fill_indexes(connection: &Connection, to: i64, from: i64) -> Result<(), RestoreError> {
    let source = Source::load(connection, to)?;
    for index in &source.indexes {
        let same: Option<(i64, i64)> = connection
            .query_row(
                "SELECT theirs.number, theirs.marks FROM backup.document_index AS theirs, main.document_index AS ours
                 WHERE theirs.source = ?1 AND theirs.built_to IS NULL AND ours.number = ?2 AND theirs.definition = ours.definition",
                (from, index.number),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        if let Some((number, marks)) = same {
            let table = format!("ix_{to}_{}", index.number);
            connection.execute(
                &format!("INSERT INTO main.{table} (key, id, doc) SELECT key, id, doc FROM backup.ix_{from}_{number}"),
                [],
            )?;
            connection.execute("UPDATE main.document_index SET marks = ?2 WHERE number = ?1", (index.number, marks))?;
            continue;
        }
        let mut scan = connection.prepare(&source.sql.scan)?;
        let mut insert = connection.prepare(&index.insert)?;
        let mut found = scan.query([])?;
        while let Some(row) = found.next()? {
            let id = index.id(blob(row, 1)?);
            let entries =
                index.entries(document(blob(row, 2)?).map_err(StoreError::from)?).map_err(StoreError::from)?;
            for key in &entries.keys {
                insert.execute((key, &*id, row.get::<_, i64>(0)?))?;
            }
            mark(connection, index, &entries)?;
        }
    }
    Ok(())
}

/// What else is kept in the file is as old as the documents, too.
fn other_tables(connection: &Connection) -> Result<(), RestoreError> {
    let tables = |schema: &str| -> Result<Vec<String>, rusqlite::Error> {
        let mut tables = connection.prepare(&format!(
            "SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             AND name NOT GLOB 'doc_[0-9]*' AND name NOT GLOB 'ix_[0-9]*'
             AND name NOT IN ('schema_version', 'document_source', 'document_index')"
        ))?;
        tables.query_map([], |row| row.get(0))?.collect()
    };
    let theirs = tables("backup")?;
    for table in tables("main")? {
        connection.execute(&format!("DELETE FROM main.\"{table}\""), [])?;
        if theirs.contains(&table) {
            let columns = columns(connection, "main", &table)?;
            if columns == self::columns(connection, "backup", &table)? {
                let columns = columns.join(", ");
                let copy = format!("INSERT INTO main.\"{table}\" ({columns}) SELECT {columns} FROM backup.\"{table}\"");
                connection.execute(&copy, [])?;
            }
        }
    }
    Ok(())
}

fn columns(connection: &Connection, schema: &str, table: &str) -> Result<Vec<String>, rusqlite::Error> {
    let mut columns = connection.prepare("SELECT '\"' || name || '\"' FROM pragma_table_info(?1, ?2) ORDER BY name")?;
    columns.query_map([table, schema], |row| row.get(0))?.collect()
}
