//! A copy in the place of a file that nobody uses: whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::copy::{self, CopyError};
use super::private_file;

/// How long somebody who is about to close the file is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether another process, or another connection of this one, has the file open. A file that is missing is not in use.
pub fn is_in_use(path: &Path) -> Result<bool, CopyError> {
    if !path.exists() {
        return Ok(false);
    }
    match alone(path) {
        Ok(_) => Ok(false),
        Err(CopyError::InUse(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Puts the database at `from` in the place of the one at `to`, in one transaction: a crash leaves the old one. `to` is made
/// where it is missing; what it holds is copied to `aside` first, if that is given. Refused with [`CopyError::InUse`] while
/// anybody has `to` open. The result is checked; its rows by table. Blocks.
pub fn replace(
    from: &Path,
    to: &Path,
    aside: Option<&Path>,
    mut progress: impl FnMut(u64, u64),
) -> Result<BTreeMap<String, u64>, CopyError> {
    let file = |source| CopyError::File { path: to.to_owned(), source };
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(file)?;
    }
    private_file(to).map_err(file)?;
    let source = copy::open(from)?;
    let rows = copy::check_integrity(from, &source)?;
    let mut target = alone(to)?;
    if let Some(aside) = aside {
        copy::copy_of(&target, aside, false, &mut |_, _| {})?;
    }
    copy::copy_pages(&source, &mut target, &mut progress)?;
    if copy::check_integrity(to, &target)? != rows {
        return Err(CopyError::Damaged { path: to.to_owned(), reason: "it has other rows than the copy".to_owned() });
    }
    Ok(rows)
}

/// A connection that has the file for itself until it is closed: a file can leave the mode with a log beside it only while
/// nobody else has it open.
fn alone(path: &Path) -> Result<Connection, CopyError> {
    let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CopyError::InUse(path.to_owned()),
        _ => error.into(),
    };
    let connection = copy::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let mode = connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))
        .map_err(in_use)?;
    if !mode.eq_ignore_ascii_case("delete") {
        return Err(CopyError::InUse(path.to_owned()));
    }
    // From here on the lock of each transaction is kept.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT").map_err(in_use)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::{Sqlite, StoreError};

    fn filled(path: &Path, name: &'static str) -> Sqlite {
        let store = Sqlite::open(path).unwrap();
        store.migrate("test", &["CREATE TABLE item (name TEXT PRIMARY KEY)"]).unwrap();
        store.migrate(name, &[&format!("INSERT INTO item VALUES ('{name}')")]).unwrap();
        store
    }

    fn names(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).unwrap();
        let mut query = connection.prepare("SELECT name FROM item").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// A handle's writer ends a moment after the handle.
    fn closed(path: &Path) {
        for _ in 0..100 {
            if !is_in_use(path).unwrap() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} stays open", path.display());
    }

    #[actix_rt::test]
    async fn a_file_in_use_is_not_replaced_and_a_closed_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (live, other) = (folder.path().join("live.db"), folder.path().join("other.db"));
        let aside = folder.path().join("aside.db");
        let (store, copy) = (filled(&live, "live"), filled(&other, "other"));
        drop(copy);
        assert!(is_in_use(&live).unwrap());
        let refused = replace(&other, &live, None, |_, _| {}).unwrap_err().to_string();
        assert!(refused.contains("live.db is in use"), "{refused}");
        let write = |connection: &Connection| -> Result<(), StoreError> {
            Ok(connection.execute_batch("INSERT INTO item VALUES ('more')")?)
        };
        store.write(write).await.unwrap();
        drop(store);
        closed(&live);
        let rows = replace(&other, &live, Some(&aside), |_, _| {}).unwrap();
        assert_eq!((rows["item"], names(&live)), (1, vec!["other".to_owned()]));
        assert_eq!(names(&aside), ["live", "more"]);
        assert_eq!(names(&other), ["other"]);
        let missing = folder.path().join("deep/new.db");
        replace(&other, &missing, None, |_, _| {}).unwrap();
        let store = Sqlite::open(&missing).unwrap();
        assert!(is_in_use(&missing).unwrap());
        store.write(write).await.unwrap();
        assert_eq!(names(&missing), ["other", "more"]);
    }

    #[test]
    fn a_damaged_copy_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (live, bad) = (folder.path().join("live.db"), folder.path().join("bad.db"));
        drop(filled(&live, "live"));
        closed(&live);
        std::fs::write(&bad, "no database, as anybody can see".repeat(300)).unwrap();
        assert!(replace(&bad, &live, None, |_, _| {}).is_err());
        assert_eq!(names(&live), ["live"]);
        assert!(matches!(replace(&folder.path().join("gone"), &live, None, |_, _| {}), Err(CopyError::Missing(_))));
    }
}
