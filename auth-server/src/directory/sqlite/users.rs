//! Accounts, their roles, and that the console never loses its last admin (H-008): the writer is alone, so that it can look
//! before it writes.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use shared::store::StoreError;

use super::super::{Deleted, Page, Replaced, UserStore};
use super::{LISTING, SqliteDirectory, audit, version, written};
use crate::audit::Event;
use crate::user::{ADMIN, User};

pub const ROLE_TABLE: &str = "
    CREATE TABLE user_role (
        role TEXT NOT NULL, user TEXT NOT NULL REFERENCES user ON DELETE CASCADE, PRIMARY KEY (role, user)
    ) WITHOUT ROWID;
    CREATE INDEX user_role_user ON user_role (user);
    INSERT OR IGNORE INTO user_role SELECT role.value, user.id FROM user, json_each(user.body, '$.roles') AS role;
";

#[async_trait]
impl UserStore for SqliteDirectory {
    async fn insert(&self, user: &User, events: &[Event]) -> Result<(), StoreError> {
        let (user, entries) = (user.clone(), audit::entries(events)?);
        self.file
            .write(move |connection| {
                insert_user(connection, &user)?;
                audit::insert(connection, &entries)
            })
            .await
    }

    async fn insert_first_admin(&self, user: &User, events: &[Event]) -> Result<bool, StoreError> {
        let (user, entries) = (user.clone(), audit::entries(events)?);
        self.file
            .write(move |connection| {
                if has_acting_admin(connection, &user.id, false)? {
                    return Ok(false);
                }
                insert_user(connection, &user)?;
                audit::insert(connection, &entries)?;
                Ok(true)
            })
            .await
    }

    async fn find(&self, id: &str) -> Result<Option<User>, StoreError> {
        self.find_one("SELECT body, version FROM user WHERE id = ?1", id, user_with)
    }

    async fn find_by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        self.find_one("SELECT body, version FROM user WHERE username = ?1", username, user_with)
    }

    async fn list(&self, page: &Page, role: Option<&str>) -> Result<Vec<User>, StoreError> {
        self.listing(
            "SELECT body, version FROM user
             WHERE (?1 IS NULL OR username > (SELECT username FROM user WHERE id = ?1))
                AND (instr(lower(username), lower(?2)) > 0 OR instr(id, ?2) > 0)
                AND (?4 IS NULL OR EXISTS (SELECT 1 FROM user_role WHERE role = ?4 AND user_role.user = user.id))
             ORDER BY username LIMIT ?3",
            page,
            role,
            user_with,
        )
        .await
    }

    async fn roles(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.file
            .read(LISTING, |connection| {
                let mut query =
                    connection.prepare_cached("SELECT role, count(*) FROM user_role GROUP BY role ORDER BY role")?;
                let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
                rows.map(|row| {
                    let (role, holders) = row?;
                    Ok((role, u64::try_from(holders).unwrap_or_default()))
                })
                .collect()
            })
            .await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM user").await
    }

    async fn replace(&self, user: &User, events: &[Event]) -> Result<Replaced, StoreError> {
        let (user, entries) = (user.clone(), audit::entries(events)?);
        self.file
            .write(move |connection| {
                let current = "SELECT 1 FROM user WHERE id = ?1 AND version = ?2";
                if !connection.prepare_cached(current)?.exists((&user.id, version(user.version)))? {
                    return Ok(Replaced::Changed);
                }
                if !user.is_acting_admin() && is_last_admin(connection, &user.id)? {
                    return Ok(Replaced::LastAdmin);
                }
                let values = (&user.id, &user.username, written(&user)?);
                let sql = "UPDATE user SET username = ?2, body = ?3, version = version + 1 WHERE id = ?1";
                connection.prepare_cached(sql)?.execute(values)?;
                write_roles(connection, &user)?;
                audit::insert(connection, &entries)?;
                Ok(Replaced::Done)
            })
            .await
    }

    async fn delete(&self, id: &str, events: &[Event]) -> Result<Deleted, StoreError> {
        let (id, entries) = (id.to_owned(), audit::entries(events)?);
        self.file
            .write(move |connection| {
                if is_last_admin(connection, &id)? {
                    return Ok(Deleted::LastAdmin);
                }
                if connection.prepare_cached("DELETE FROM user WHERE id = ?1")?.execute([&id])? == 0 {
                    return Ok(Deleted::Missing);
                }
                audit::insert(connection, &entries)?;
                Ok(Deleted::Done)
            })
            .await
    }
}

fn insert_user(connection: &Connection, user: &User) -> Result<(), StoreError> {
    let values = (&user.id, &user.username, written(user)?);
    connection.prepare_cached("INSERT INTO user VALUES (?1, ?2, ?3, 1)")?.execute(values)?;
    write_roles(connection, user)
}

pub(super) fn write_roles(connection: &Connection, user: &User) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM user_role WHERE user = ?1")?.execute([&user.id])?;
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO user_role VALUES (?1, ?2)")?;
    for role in &user.roles {
        statement.execute([role, &user.id])?;
    }
    Ok(())
}

/// Whether somebody can open the console: `id`, or anybody but him.
fn has_acting_admin(connection: &Connection, id: &str, is_him: bool) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (
        SELECT 1 FROM user_role JOIN user ON user.id = user_role.user
        WHERE user_role.role = ?1 AND (user.id = ?2) = ?3 AND NOT ifnull(json_extract(user.body, '$.disabled'), 0)
    )";
    Ok(connection.prepare_cached(sql)?.query_row(params![ADMIN, id, is_him], |row| row.get(0))?)
}

/// Whether the console would be closed to everybody without this account (H-008).
fn is_last_admin(connection: &Connection, id: &str) -> Result<bool, StoreError> {
    Ok(has_acting_admin(connection, id, true)? && !has_acting_admin(connection, id, false)?)
}

fn user_with(mut user: User, version: u64) -> User {
    user.version = version;
    user
}
