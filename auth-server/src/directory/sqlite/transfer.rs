//! Rows as they stand in the embedded file.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::store::StoreError;

use super::super::terms::terms;
use super::super::{EventId, MARK, Row, Table, TransferStore};
use super::{LISTING, SqliteDirectory, audit, read, users, version, written};
use crate::audit::Event;
use crate::client::Client;
use crate::consent::Consent;
use crate::user::User;

/// Place, version and body of the rows behind the place `?1` (and `?2`).
fn select(table: Table) -> &'static str {
    match table {
        Table::Users => "SELECT id, version, body FROM user WHERE id > ?1 AND ?2 = '' ORDER BY id LIMIT ?3",
        Table::Clients => "SELECT id, version, body FROM client WHERE id > ?1 AND ?2 = '' ORDER BY id LIMIT ?3",
        Table::Scopes => "SELECT name, NULL, body FROM scope WHERE name > ?1 AND ?2 = '' ORDER BY name LIMIT ?3",
        Table::Consents => {
            "SELECT user || ' ' || client, NULL, body FROM consent WHERE (user, client) > (?1, ?2)
             ORDER BY user, client LIMIT ?3"
        }
        Table::Notes => {
            "SELECT name, NULL, json_quote(body) FROM note WHERE name > ?1 AND ?2 = '' AND name <> 'migration'
             ORDER BY name LIMIT ?3"
        }
        Table::Audit => {
            "SELECT at || '.' || number, NULL, body FROM audit WHERE (at, number) > (?1, ?2) ORDER BY at, number LIMIT ?3"
        }
    }
}

#[async_trait]
impl TransferStore for SqliteDirectory {
    async fn export(&self, table: Table, after: Option<&str>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let after = after.map(str::to_owned);
        self.file
            .read(LISTING, move |connection| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let mut query = connection.prepare_cached(select(table))?;
                let mut found = match (table, after) {
                    (Table::Audit, after) => {
                        let first = (i64::MIN, i64::MIN);
                        let (at, number) = after.and_then(|place| audit::position(&EventId(place))).unwrap_or(first);
                        query.query(params![at, number, limit])?
                    }
                    (Table::Consents, Some(after)) => {
                        let (user, client) = after.split_once(' ').unwrap_or((&after, ""));
                        query.query(params![user, client, limit])?
                    }
                    (_, after) => query.query(params![after.unwrap_or_default(), "", limit])?,
                };
                let mut rows = Vec::new();
                while let Some(row) = found.next()? {
                    let version = row.get::<_, Option<i64>>(1)?.map(|number| u64::try_from(number).unwrap_or_default());
                    let body: String = row.get(2)?;
                    rows.push(Row { place: row.get(0)?, version, body: read(&body)? });
                }
                Ok(rows)
            })
            .await
    }

    async fn import(&self, table: Table, rows: Vec<Row>, mark: Option<&str>) -> Result<(), StoreError> {
        let mark = mark.map(str::to_owned);
        self.file
            .write(move |connection| {
                for row in &rows {
                    insert(connection, table, row)?;
                }
                connection.prepare_cached("DELETE FROM note WHERE name = ?1")?.execute([MARK])?;
                if let Some(mark) = mark {
                    connection.prepare_cached("INSERT INTO note VALUES (?1, ?2)")?.execute([MARK, &mark])?;
                }
                Ok(())
            })
            .await
    }
}

fn insert(connection: &Connection, table: Table, row: &Row) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| connection.prepare_cached(sql)?.execute(values);
    let (place, text, written_times) = (&row.place, written(&row.body)?, version(row.version.unwrap_or(1)));
    match table {
        Table::Users => {
            let user: User = typed(&row.body)?;
            run("INSERT INTO user VALUES (?1, ?2, ?3, ?4)", &[place, &user.username, &text, &written_times])?;
            users::write_roles(connection, &user)?;
        }
        Table::Clients => {
            let client: Client = typed(&row.body)?;
            run("INSERT INTO client VALUES (?1, ?2, ?3, ?4)", &[place, &client.name, &text, &written_times])?;
        }
        Table::Scopes => drop(run("INSERT INTO scope VALUES (?1, ?2)", &[place, &text])?),
        Table::Consents => {
            let consent: Consent = typed(&row.body)?;
            run("INSERT INTO consent VALUES (?1, ?2, ?3)", &[&consent.user, &consent.client, &text])?;
        }
        Table::Notes => drop(run("INSERT INTO note VALUES (?1, ?2)", &[place, &row.body.as_str()])?),
        Table::Audit => {
            let event: Event = typed(&row.body)?;
            let number = free_number(connection, place)?;
            run("INSERT INTO audit (number, at, body) VALUES (?1, ?2, ?3)", &[&number, &event.at, &text])?;
            for term in terms(&event) {
                run("INSERT INTO audit_term VALUES (?1, ?2, ?3)", &[&term, &event.at, &number])?;
            }
        }
    }
    Ok(())
}

/// The event's own number, or the next one that is free: in a log that several processes wrote, numbers may come twice.
fn free_number(connection: &Connection, place: &str) -> Result<i64, StoreError> {
    let number = place.split('.').nth(1).and_then(|number| number.parse::<i64>().ok());
    let mut number = number.ok_or_else(|| StoreError::Corrupt("an event without its place".to_owned()))?;
    let mut taken = connection.prepare_cached("SELECT 1 FROM audit WHERE number = ?1")?;
    while taken.exists([number])? {
        number += 1;
    }
    Ok(number)
}

fn typed<T: DeserializeOwned>(body: &Value) -> Result<T, StoreError> {
    T::deserialize(body).map_err(|error| StoreError::Corrupt(format!("an entry of the directory: {error}")))
}
