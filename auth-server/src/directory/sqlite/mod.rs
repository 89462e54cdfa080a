//! The directory in the embedded file: entities as JSON, beside the columns they are found by.

mod audit;
mod transfer;
mod users;

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::store::{Sqlite, StoreError};

use super::{ClientStore, ConsentStore, NoteStore, Page, Replaced, ScopeStore};
use crate::audit::Event;
use crate::client::Client;
use crate::consent::Consent;
use crate::scope::Scope;

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE user (
        id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, body TEXT NOT NULL, version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE client (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX client_name ON client (name, id);
    CREATE TABLE consent (
        user TEXT NOT NULL REFERENCES user ON DELETE CASCADE, client TEXT NOT NULL REFERENCES client ON DELETE CASCADE,
        body TEXT NOT NULL, PRIMARY KEY (user, client)
    ) WITHOUT ROWID;
    CREATE INDEX consent_client ON consent (client);
    CREATE TABLE scope (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX audit_at ON audit (at);
",
    audit::TABLES,
    users::ROLE_TABLE,
    "CREATE TABLE note (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;",
];

/// How long a listing may take.
const LISTING: Duration = Duration::from_secs(5);

/// All directory traits on one file.
pub struct SqliteDirectory {
    file: Sqlite,
}

impl SqliteDirectory {
    pub fn new(file: Sqlite) -> Result<Self, StoreError> {
        file.migrate("directory", MIGRATIONS)?;
        Ok(Self { file })
    }

    fn find_one<T: DeserializeOwned>(
        &self,
        sql: &str,
        key: &str,
        with_version: fn(T, u64) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.file.read_now(|connection| {
            let found = connection.prepare_cached(sql)?.query_row([key], body_and_version).optional()?;
            found.map(|(body, version)| Ok(with_version(read(&body)?, version))).transpose()
        })
    }

    async fn listing<T: DeserializeOwned + Send + 'static>(
        &self,
        sql: &'static str,
        page: &Page,
        role: Option<&str>,
        with_version: fn(T, u64) -> T,
    ) -> Result<Vec<T>, StoreError> {
        let (page, role) = (page.clone(), role.map(str::to_owned));
        self.file
            .read(LISTING, move |connection| {
                let mut query = connection.prepare_cached(sql)?;
                let search = page.search.unwrap_or_default();
                let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
                let rows = query.query_map(params![page.after, search, limit, role], body_and_version)?;
                rows.map(|row| {
                    let (body, version) = row?;
                    Ok(with_version(read(&body)?, version))
                })
                .collect()
            })
            .await
    }

    async fn number(&self, sql: &'static str) -> Result<u64, StoreError> {
        let read = move |connection: &Connection| -> Result<i64, StoreError> {
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        };
        Ok(u64::try_from(self.file.read(LISTING, read).await?).unwrap_or_default())
    }

    /// A change and its events in one commit: neither is there without the other (F-065).
    async fn change(
        &self,
        sql: &'static str,
        values: impl rusqlite::Params + Send + 'static,
        events: &[Event],
    ) -> Result<usize, StoreError> {
        let entries = audit::entries(events)?;
        self.file
            .write(move |connection| {
                let changed = connection.prepare_cached(sql)?.execute(values)?;
                if changed > 0 {
                    audit::insert(connection, &entries)?;
                }
                Ok(changed)
            })
            .await
    }
}

fn body_and_version(row: &Row<'_>) -> Result<(String, u64), rusqlite::Error> {
    Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default()))
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt(format!("an entry of the directory: {error}")))
}

fn written(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("an entry of the directory: {error}")))
}

fn version(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn replaced(rows: usize) -> Replaced {
    if rows == 1 { Replaced::Done } else { Replaced::Changed }
}

fn client_with(mut client: Client, version: u64) -> Client {
    client.version = version;
    client
}

#[async_trait]
impl ClientStore for SqliteDirectory {
    async fn insert(&self, client: &Client, events: &[Event]) -> Result<(), StoreError> {
        let values = (client.id.clone(), client.name.clone(), written(client)?);
        self.change("INSERT INTO client VALUES (?1, ?2, ?3, 1)", values, events).await.map(drop)
    }

    async fn find(&self, id: &str) -> Result<Option<Client>, StoreError> {
        self.find_one("SELECT body, version FROM client WHERE id = ?1", id, client_with)
    }

    async fn list(&self, page: &Page) -> Result<Vec<Client>, StoreError> {
        self.listing(
            "SELECT body, version FROM client
             WHERE (?1 IS NULL OR (name, id) > (SELECT name, id FROM client WHERE id = ?1))
                AND (instr(lower(name), lower(?2)) > 0 OR instr(id, ?2) > 0) AND ?4 IS NULL
             ORDER BY name, id LIMIT ?3",
            page,
            None,
            client_with,
        )
        .await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM client").await
    }

    async fn replace(&self, client: &Client, events: &[Event]) -> Result<Replaced, StoreError> {
        let values = (client.id.clone(), version(client.version), client.name.clone(), written(client)?);
        let sql = "UPDATE client SET name = ?3, body = ?4, version = version + 1 WHERE id = ?1 AND version = ?2";
        self.change(sql, values, events).await.map(replaced)
    }

    async fn delete(&self, id: &str, events: &[Event]) -> Result<bool, StoreError> {
        Ok(self.change("DELETE FROM client WHERE id = ?1", [id.to_owned()], events).await? == 1)
    }
}

#[async_trait]
impl ConsentStore for SqliteDirectory {
    async fn put(&self, consent: &Consent, events: &[Event]) -> Result<(), StoreError> {
        let values = (consent.user.clone(), consent.client.clone(), written(consent)?);
        let sql =
            "INSERT INTO consent VALUES (?1, ?2, ?3) ON CONFLICT (user, client) DO UPDATE SET body = excluded.body";
        self.change(sql, values, events).await.map(drop)
    }

    async fn find(&self, user: &str, client: &str) -> Result<Option<Consent>, StoreError> {
        self.file.read_now(|connection| {
            let body: Option<String> = connection
                .prepare_cached("SELECT body FROM consent WHERE user = ?1 AND client = ?2")?
                .query_row([user, client], |row| row.get(0))
                .optional()?;
            body.map(|body| read(&body)).transpose()
        })
    }

    async fn list_for_user(&self, user: &str) -> Result<Vec<Consent>, StoreError> {
        let user = user.to_owned();
        self.file
            .read(LISTING, move |connection| {
                bodies(connection, "SELECT body FROM consent WHERE user = ?1 ORDER BY client", [user])
            })
            .await
    }

    async fn delete(&self, user: &str, client: &str, events: &[Event]) -> Result<bool, StoreError> {
        let values = [user.to_owned(), client.to_owned()];
        Ok(self.change("DELETE FROM consent WHERE user = ?1 AND client = ?2", values, events).await? == 1)
    }
}

#[async_trait]
impl ScopeStore for SqliteDirectory {
    async fn put(&self, scope: &Scope, events: &[Event]) -> Result<(), StoreError> {
        let values = (scope.name.clone(), written(scope)?);
        let sql = "INSERT INTO scope VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = excluded.body";
        self.change(sql, values, events).await.map(drop)
    }

    async fn list(&self) -> Result<Vec<Scope>, StoreError> {
        self.file.read_now(|connection| bodies(connection, "SELECT body FROM scope ORDER BY name", []))
    }

    async fn delete(&self, name: &str, events: &[Event]) -> Result<bool, StoreError> {
        Ok(self.change("DELETE FROM scope WHERE name = ?1", [name.to_owned()], events).await? == 1)
    }
}

#[async_trait]
impl NoteStore for SqliteDirectory {
    async fn get(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.file.read_now(|connection| {
            let mut query = connection.prepare_cached("SELECT body FROM note WHERE name = ?1")?;
            Ok(query.query_row([name], |row| row.get(0)).optional()?)
        })
    }

    async fn put(&self, name: &str, text: &str, events: &[Event]) -> Result<(), StoreError> {
        let sql = "INSERT INTO note VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET body = excluded.body";
        self.change(sql, [name.to_owned(), text.to_owned()], events).await.map(drop)
    }
}

fn bodies<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<T>, StoreError> {
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(values, |row| row.get::<_, String>(0))?;
    rows.map(|body| read(&body?)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Directory, on_sqlite};
    use shared::store::Sqlite;

    async fn empty() -> Option<(tempfile::TempDir, Directory)> {
        let folder = tempfile::tempdir().unwrap();
        let directory = on_sqlite(Sqlite::open(folder.path().join("directory.db")).unwrap()).unwrap();
        Some((folder, directory))
    }

    /// One whose audit log takes nothing.
    async fn deaf() -> Option<(tempfile::TempDir, Directory)> {
        let (folder, directory) = empty().await?;
        let connection = rusqlite::Connection::open(folder.path().join("directory.db")).unwrap();
        let trigger = "CREATE TRIGGER deaf BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
        connection.execute_batch(trigger).unwrap();
        Some((folder, directory))
    }

    crate::directory::conformance::suite!(empty, deaf);
}
