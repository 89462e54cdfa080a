//! The audit log in the embedded file. Beside the events stands a list of terms (whom an event concerns, and its kind), so
//! that a search of millions reads only what may fit.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use shared::store::StoreError;

use super::super::terms::{term, terms};
use super::super::{AuditStore, EventId, EventPage, Recorded};
use super::{LISTING, SqliteDirectory, read, written};
use crate::audit::{Event, EventFilter};

pub const TABLES: &str = "
    DROP TABLE audit;
    CREATE TABLE audit (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE INDEX audit_at ON audit (at);
    CREATE TABLE audit_term (
        term TEXT NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (term, at, number)
    ) WITHOUT ROWID;
";

/// An event ready to be written.
pub struct Entry {
    at: i64,
    body: String,
    terms: Vec<String>,
}

pub fn entries(events: &[Event]) -> Result<Vec<Entry>, StoreError> {
    events.iter().map(|event| Ok(Entry { at: event.at, body: written(event)?, terms: terms(event) })).collect()
}

/// Within a transaction of the caller.
pub fn insert(connection: &Connection, entries: &[Entry]) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached("INSERT INTO audit (at, body) VALUES (?1, ?2)")?;
    let mut index = connection.prepare_cached("INSERT INTO audit_term VALUES (?1, ?2, ?3)")?;
    for entry in entries {
        let number = insert.insert(params![entry.at, entry.body])?;
        for term in &entry.terms {
            index.execute(params![term, entry.at, number])?;
        }
    }
    Ok(())
}

/// `at` and `number` of an event, as one text.
pub(super) fn position(id: &EventId) -> Option<(i64, i64)> {
    let (at, number) = id.0.split_once('.')?;
    Some((at.parse().ok()?, number.parse().ok()?))
}

fn select(by_term: bool, oldest_first: bool) -> String {
    let from = if by_term {
        "audit_term AS found CROSS JOIN audit USING (number) WHERE term = ?5 AND"
    } else {
        "audit AS found WHERE ?5 IS NULL AND"
    };
    let (beyond, order) = if oldest_first { (">", "ASC") } else { ("<", "DESC") };
    format!(
        "SELECT found.at, found.number, body FROM {from} found.at >= ?1 AND found.at < ?2
            AND (found.at, found.number) {beyond} (?3, ?4)
         ORDER BY found.at {order}, found.number {order}"
    )
}

#[async_trait]
impl AuditStore for SqliteDirectory {
    async fn append(&self, events: &[Event]) -> Result<(), StoreError> {
        let entries = entries(events)?;
        self.file.write(move |connection| insert(connection, &entries)).await
    }

    async fn remove_before(&self, at: i64, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.file
            .write(move |connection| {
                let mut query = connection
                    .prepare_cached("SELECT at, number, body FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2")?;
                let rows = query.query_map(params![at, limit], row)?.collect::<Result<Vec<_>, _>>()?;
                for (at, number, body) in &rows {
                    let mut delete = connection
                        .prepare_cached("DELETE FROM audit_term WHERE term = ?1 AND at = ?2 AND number = ?3")?;
                    for term in terms(&read(body)?) {
                        delete.execute(params![term, at, number])?;
                    }
                    connection.prepare_cached("DELETE FROM audit WHERE number = ?1")?.execute([number])?;
                }
                Ok(rows.len())
            })
            .await
    }

    async fn list(&self, filter: &EventFilter, page: &EventPage) -> Result<Vec<Recorded>, StoreError> {
        let start = if page.oldest_first { (i64::MIN, i64::MIN) } else { (i64::MAX, i64::MAX) };
        let after = match &page.after {
            None => start,
            Some(id) => match position(id) {
                Some(position) => position,
                None => return Ok(Vec::new()),
            },
        };
        let (filter, limit, oldest_first) = (filter.clone(), page.limit, page.oldest_first);
        self.file
            .read(LISTING, move |connection| {
                let term = term(&filter);
                let (since, until) = (filter.since.unwrap_or(i64::MIN), filter.until.unwrap_or(i64::MAX));
                let mut query = connection.prepare_cached(&select(term.is_some(), oldest_first))?;
                let rows = query.query_map(params![since, until, after.0, after.1, term], row)?;
                let mut found = Vec::new();
                for row in rows {
                    if found.len() == limit {
                        break;
                    }
                    let (at, number, body) = row?;
                    let event: Event = read(&body)?;
                    if filter.matches(&event) {
                        found.push(Recorded { id: EventId(format!("{at}.{number}")), event });
                    }
                }
                Ok(found)
            })
            .await
    }
}

fn row(row: &rusqlite::Row<'_>) -> Result<(i64, i64, String), rusqlite::Error> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}
