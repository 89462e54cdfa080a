//! [`ExpiringStore`] in the embedded file. A batch is one savepoint of the writer, so no other write comes between its steps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Applied, Count, Entry, ExpiringStore, Kept, Key, Op, Owner, Whole};
use crate::store::{Sqlite, StoreError};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE expiring (
        key BLOB PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, claimed_at INTEGER, note BLOB,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX expiring_expires_at ON expiring (expires_at);
    CREATE TABLE expiring_owner (
        owner TEXT NOT NULL, key BLOB NOT NULL REFERENCES expiring ON DELETE CASCADE, PRIMARY KEY (owner, key)
    ) WITHOUT ROWID;
    CREATE INDEX expiring_owner_key ON expiring_owner (key);
    CREATE TABLE expiring_count (
        key BLOB PRIMARY KEY, count INTEGER NOT NULL, expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX expiring_count_expires_at ON expiring_count (expires_at);
"];

/// Entries in tables `expiring…` of one file; times are epoch milliseconds.
pub struct SqliteExpiring {
    file: Sqlite,
}

impl SqliteExpiring {
    pub fn new(file: Sqlite) -> Result<Self, StoreError> {
        file.migrate("expiring", MIGRATIONS)?;
        Ok(Self { file })
    }
}

/// The next live entries behind a key.
const NEXT: &str = "SELECT value, version, claimed_at, note, expires_at, key FROM expiring
     WHERE key > ?1 AND expires_at > ?2 ORDER BY key LIMIT ?3";

#[async_trait]
impl ExpiringStore for SqliteExpiring {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError> {
        let result = self
            .file
            .write(move |connection| {
                let now = now();
                for (index, op) in ops.iter().enumerate() {
                    if let Some(key) = refused(connection, op, now)? {
                        let found = get(connection, key, now)?;
                        return Err(Undone::Refused(Applied::Refused { index, found }));
                    }
                }
                Ok(Applied::Done)
            })
            .await;
        match result {
            Ok(applied) | Err(Undone::Refused(applied)) => Ok(applied),
            Err(Undone::Failed(error)) => Err(error),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError> {
        let now = now();
        self.file.read_now(|connection| match keys {
            [first, second] => get_two(connection, first, second, now),
            _ => keys.iter().map(|key| get(connection, key, now)).collect(),
        })
    }

    async fn list(&self, owner: &Owner, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let now = now();
        self.file.read_now(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT value, version, claimed_at, note, expires_at, key FROM expiring_owner JOIN expiring USING (key)
                 WHERE owner = ?1 AND key > ?2 AND expires_at > ?3 ORDER BY key LIMIT ?4",
            )?;
            let rows = query.query_map(params![owner.0, start(after), now, bound(limit)], |row| entry(row, now))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let now = now();
        self.file.read_now(|connection| {
            let mut query = connection.prepare_cached(NEXT)?;
            let rows = query.query_map(params![start(after), now, bound(limit)], |row| entry(row, now))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    async fn export(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Whole>, StoreError> {
        let now = now();
        self.file.read_now(|connection| {
            let mut query = connection.prepare_cached(NEXT)?;
            let mut owners =
                connection.prepare_cached("SELECT owner FROM expiring_owner WHERE key = ?1 ORDER BY owner")?;
            let mut found = query.query(params![start(after), now, bound(limit)])?;
            let mut entries = Vec::new();
            while let Some(row) = found.next()? {
                let key: [u8; 32] = row.get(5)?;
                let owners = owners.query_map([key], |row| Ok(Owner(row.get(0)?)))?.collect::<Result<_, _>>()?;
                entries.push(whole(row, Key(key), owners)?);
            }
            Ok(entries)
        })
    }

    async fn import(&self, entries: Vec<Whole>) -> Result<(), StoreError> {
        self.file
            .write(move |connection| {
                let now = now();
                let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| connection.prepare_cached(sql)?.execute(values);
                for entry in entries.iter().filter(|entry| entry.expires_at > now) {
                    let key = &entry.key.0;
                    run("DELETE FROM expiring WHERE key = ?1", &[key])?;
                    let version = i64::try_from(entry.version).unwrap_or(i64::MAX);
                    let note = entry.claimed_at.map(|_| &entry.note);
                    run(
                        "INSERT INTO expiring (key, value, version, claimed_at, note, expires_at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        &[key, &entry.value, &version, &entry.claimed_at, &note, &entry.expires_at],
                    )?;
                    for owner in &entry.owners {
                        run("INSERT INTO expiring_owner VALUES (?1, ?2)", &[&owner.0, key])?;
                    }
                }
                Ok(())
            })
            .await
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<Count, StoreError> {
        let key = *key;
        self.file
            .write(move |connection| {
                let now = now();
                let (calls, end): (i64, i64) = connection
                    .prepare_cached(
                        "INSERT INTO expiring_count VALUES (?1, 1, ?2) ON CONFLICT (key) DO UPDATE SET
                            count = CASE WHEN expires_at > ?3 THEN count + 1 ELSE 1 END,
                            expires_at = CASE WHEN expires_at > ?3 THEN expires_at ELSE ?2 END
                         RETURNING count, expires_at",
                    )?
                    .query_row(params![key.0, after(now, window), now], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let left = Duration::from_millis(u64::try_from(end - now).unwrap_or_default());
                Ok(Count { calls: u64::try_from(calls).unwrap_or_default(), left })
            })
            .await
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.file
            .write(move |connection| {
                let now = now();
                let entries = connection
                    .prepare_cached(
                        "DELETE FROM expiring WHERE key IN (SELECT key FROM expiring WHERE expires_at <= ?1 LIMIT ?2)",
                    )?
                    .execute(params![now, bound(limit)])?;
                let counters = connection
                    .prepare_cached(
                        "DELETE FROM expiring_count WHERE key IN
                            (SELECT key FROM expiring_count WHERE expires_at <= ?1 LIMIT ?2)",
                    )?
                    .execute(params![now, bound(limit)])?;
                Ok(entries.max(counters))
            })
            .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.file.ping().await
    }
}

/// Why the savepoint of a batch is rolled back.
enum Undone {
    Refused(Applied),
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

/// Does one step; the key of the entry in the way when it can't be done.
fn refused<'op>(connection: &Connection, op: &'op Op, now: i64) -> Result<Option<&'op Key>, StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| connection.prepare_cached(sql)?.execute(values);
    let done = match op {
        Op::Insert { key, value, ttl, owners } => {
            // An expired entry that no sweep has reached is not in the way.
            run("DELETE FROM expiring WHERE key = ?1 AND expires_at <= ?2", &[&key.0, &now])?;
            let inserted = run(
                "INSERT INTO expiring (key, value, version, expires_at) VALUES (?1, ?2, 1, ?3) ON CONFLICT DO NOTHING",
                &[&key.0, value, &after(now, *ttl)],
            )?;
            if inserted == 1 {
                for owner in owners {
                    run("INSERT INTO expiring_owner VALUES (?1, ?2) ON CONFLICT DO NOTHING", &[&owner.0, &key.0])?;
                }
            }
            inserted == 1
        }
        Op::Claim { key, note } => {
            run(
                "UPDATE expiring SET claimed_at = ?2, note = ?3 WHERE key = ?1 AND claimed_at IS NULL AND expires_at > ?2",
                &[&key.0, &now, note],
            )? == 1
        }
        Op::Update { key, expected, value, ttl } => {
            run(
                "UPDATE expiring SET value = ?3, version = version + 1, expires_at = coalesce(?4, expires_at)
                 WHERE key = ?1 AND version = ?2 AND expires_at > ?5",
                &[&key.0, &i64::try_from(*expected).unwrap_or(-1), value, &ttl.map(|ttl| after(now, ttl)), &now],
            )? == 1
        }
        Op::Require { key } => get(connection, key, now)?.is_some(),
        Op::Delete { key } => {
            run("DELETE FROM expiring WHERE key = ?1", &[&key.0])?;
            true
        }
        Op::DeleteOwned { owner } => {
            run("DELETE FROM expiring WHERE key IN (SELECT key FROM expiring_owner WHERE owner = ?1)", &[&owner.0])?;
            true
        }
    };
    Ok(match op {
        _ if done => None,
        Op::Insert { key, .. } | Op::Claim { key, .. } | Op::Update { key, .. } | Op::Require { key } => Some(key),
        Op::Delete { .. } | Op::DeleteOwned { .. } => None,
    })
}

fn get(connection: &Connection, key: &Key, now: i64) -> Result<Option<Kept>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT value, version, claimed_at, note, expires_at FROM expiring WHERE key = ?1 AND expires_at > ?2",
        )?
        .query_row(params![key.0, now], |row| kept(row, now))
        .optional()?)
}

/// Both by one statement: a statement of its own costs four system calls for its locks. And both as of the same moment.
fn get_two(connection: &Connection, first: &Key, second: &Key, now: i64) -> Result<Vec<Option<Kept>>, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT value, version, claimed_at, note, expires_at, key FROM expiring WHERE key IN (?1, ?2) AND expires_at > ?3",
    )?;
    let mut found = vec![None, None];
    let mut rows = query.query(params![first.0, second.0, now])?;
    while let Some(row) = rows.next()? {
        let Entry { key, kept } = entry(row, now)?;
        found[usize::from(key != *first)] = Some(kept);
    }
    if first == second {
        found[1] = found[0].clone();
    }
    Ok(found)
}

fn entry(row: &Row<'_>, now: i64) -> Result<Entry, rusqlite::Error> {
    Ok(Entry { key: Key(row.get(5)?), kept: kept(row, now)? })
}

fn kept(row: &Row<'_>, now: i64) -> Result<Kept, rusqlite::Error> {
    let since = |at: i64| Duration::from_millis(u64::try_from(now - at).unwrap_or_default());
    Ok(Kept {
        value: row.get(0)?,
        version: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        claimed_for: row.get::<_, Option<i64>>(2)?.map(since),
        note: row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
        left: Duration::from_millis(u64::try_from(row.get::<_, i64>(4)? - now).unwrap_or_default()),
    })
}

fn whole(row: &Row<'_>, key: Key, owners: Vec<Owner>) -> Result<Whole, rusqlite::Error> {
    Ok(Whole {
        key,
        value: row.get(0)?,
        version: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        claimed_at: row.get(2)?,
        note: row.get::<_, Option<Vec<u8>>>(3)?.unwrap_or_default(),
        expires_at: row.get(4)?,
        owners,
    })
}

fn start(after: Option<&Key>) -> &[u8] {
    after.map_or(&[], |key| &key.0)
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "expiry is the store's business: this is the place that reads the clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn after(now: i64, ttl: Duration) -> i64 {
    now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn empty() -> Option<(tempfile::TempDir, SqliteExpiring)> {
        let folder = tempfile::tempdir().unwrap();
        let file = Sqlite::open(folder.path().join("expiring.db")).unwrap();
        Some((folder, SqliteExpiring::new(file).unwrap()))
    }

    crate::expiring_conformance!(empty);
}
