//! A copy of a file that is in use: of one moment, checked, and in its place only when it is whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::{prepare, private_file};
use crate::store::StoreError;

/// Pages copied between two looks at the progress.
const PAGES: i32 = 4096;

/// A copy that was made and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub bytes: u64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{} is in use: stop what serves it first", .0.display())]
    InUse(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Copies `from`, which programs may be reading and writing, as it is at one moment. The copy is a file of its own that needs
/// no log beside it, readable by its owner only. It must pass SQLite's integrity check and hold as many rows as the
/// original before it stands at `to`; a file that is there already is replaced if `replace` says so, and kept otherwise.
/// `progress` gets the pages done and all pages. Blocks.
pub fn copy(from: &Path, to: &Path, replace: bool, mut progress: impl FnMut(u64, u64)) -> Result<Copied, CopyError> {
    if !replace && to.exists() {
        return Err(CopyError::Exists(to.to_owned()));
    }
    copy_of(&open(from)?, to, replace, &mut progress)
}

/// The same of an open file.
pub(super) fn copy_of(
    source: &Connection,
    to: &Path,
    replace: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    // Held to the end: rows are counted in the state that is copied, and what is written meanwhile starts no step anew.
    let snapshot = source.unchecked_transaction()?;
    let rows = count(source)?;

    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::File { path, source }
    };
    let part = Part(with_suffix(to, ".part"));
    part.remove();
    private_file(&part.0).map_err(file(&part.0))?;
    let mut target = Connection::open(&part.0)?;
    copy_pages(source, &mut target, progress)?;
    snapshot.finish()?;
    // The original's log mode came along; without it the copy is one file.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    if check_integrity(&part.0, &target)? != rows {
        return Err(CopyError::Damaged { path: part.0.clone(), reason: "the copy has other rows".to_owned() });
    }
    target.close().map_err(|(_, error)| error)?;
    let written = fs::File::open(&part.0).map_err(file(&part.0))?;
    written.sync_all().map_err(file(&part.0))?;
    let bytes = written.metadata().map_err(file(&part.0))?.len();
    if replace {
        fs::rename(&part.0, to).map_err(file(to))?;
    } else {
        // Unlike a rename it never takes another's place.
        fs::hard_link(&part.0, to).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => CopyError::Exists(to.to_owned()),
            _ => file(to)(error),
        })?;
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(file(folder))?;
    Ok(Copied { bytes, rows })
}

/// All pages, as one transaction of the target.
pub(super) fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), rusqlite::Error> {
    let backup = Backup::new_with_names(source, MAIN_DB, target, MAIN_DB)?;
    loop {
        let step = backup.step(PAGES)?;
        let pages = backup.progress();
        let all = u64::try_from(pages.pagecount).unwrap_or_default();
        progress(all.saturating_sub(u64::try_from(pages.remaining).unwrap_or_default()), all);
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
}

/// Checks a file: SQLite's integrity check, then the rows of each table.
pub fn verify(path: &Path) -> Result<BTreeMap<String, u64>, CopyError> {
    let connection = open(path)?;
    check_integrity(path, &connection)
}

pub(super) fn check_integrity(path: &Path, connection: &Connection) -> Result<BTreeMap<String, u64>, CopyError> {
    let damaged = |reason: String| CopyError::Damaged { path: path.to_owned(), reason };
    let told = (|| -> Result<Vec<String>, rusqlite::Error> {
        let mut check = connection.prepare("PRAGMA integrity_check(10)")?;
        check.query_map([], |row| row.get(0))?.collect()
    })();
    match told {
        Ok(told) if told == ["ok"] => Ok(count(connection)?),
        Ok(told) => Err(damaged(told.join("; "))),
        // It may be no database at all.
        Err(error) => Err(damaged(error.to_string())),
    }
}

pub(super) fn open(path: &Path) -> Result<Connection, CopyError> {
    if !path.is_file() {
        return Err(CopyError::Missing(path.to_owned()));
    }
    // A log that a killed program left is read through a file beside it, which has to be written.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    prepare(&mut connection)?;
    Ok(connection)
}

fn count(connection: &Connection) -> Result<BTreeMap<String, u64>, rusqlite::Error> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let count = |name: String| {
        let quoted = name.replace('"', "\"\"");
        let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM \"{quoted}\""), [], |row| row.get(0))?;
        Ok((name, rows.max(0).cast_unsigned()))
    };
    names.into_iter().map(count).collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A file that is gone when it is no longer needed, whatever happened.
struct Part(PathBuf);

impl Part {
    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            // Most are not there.
            fs::remove_file(with_suffix(&self.0, suffix)).ok();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::Sqlite;

    fn filled(folder: &Path) -> Sqlite {
        let store = Sqlite::open(folder.join("test.db")).unwrap();
        let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, hex(randomblob(1000)) FROM n";
        let steps = [
            "CREATE TABLE one (i INTEGER PRIMARY KEY, text TEXT); CREATE TABLE two (i INTEGER PRIMARY KEY, text TEXT)",
        ];
        store.migrate("test", &steps).unwrap();
        store.migrate("rows", &[&format!("INSERT INTO one {rows}; INSERT INTO two {rows}")]).unwrap();
        store
    }

    /// Each write adds to both tables, so a copy of two moments would show.
    #[actix_rt::test]
    async fn a_copy_made_under_writes_is_of_one_moment_and_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        let stop = Arc::new(AtomicBool::new(false));
        let writing = {
            let (store, stop) = (store.clone(), stop.clone());
            actix_rt::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let write = |connection: &Connection| -> Result<(), StoreError> {
                        Ok(connection.execute_batch(
                            "INSERT INTO one (text) VALUES ('x'); INSERT INTO two (text) VALUES ('x')",
                        )?)
                    };
                    store.write(write).await.unwrap();
                }
            })
        };
        for round in 0..5 {
            let (from, to) = (store.path().to_owned(), folder.path().join(format!("copy-{round}")));
            let copied = tokio::task::spawn_blocking(move || {
                let mut last = (0, 0);
                let copied = copy(&from, &to, false, |done, all| last = (done, all)).unwrap();
                assert!(last.0 == last.1 && last.1 > 0);
                assert_eq!(verify(&to).unwrap(), copied.rows);
                assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
                copied
            })
            .await
            .unwrap();
            assert!(copied.rows["one"] >= 2000);
            assert_eq!(copied.rows["one"], copied.rows["two"]);
        }
        stop.store(true, Ordering::SeqCst);
        writing.await.unwrap();
        drop(store);
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let beside: Vec<String> = names.filter(|name| name.starts_with("copy-") && name.len() > 6).collect();
        assert!(beside.is_empty(), "{beside:?}");
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        let to = folder.path().join("copy");
        fs::write(&to, "precious").unwrap();
        assert!(matches!(copy(store.path(), &to, false, |_, _| {}), Err(CopyError::Exists(_))));
        assert_eq!(fs::read(&to).unwrap(), b"precious");
        copy(store.path(), &to, true, |_, _| {}).unwrap();
        assert_eq!(verify(&to).unwrap()["one"], 2000);
    }

    #[test]
    fn what_is_damaged_missing_or_no_database_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path());
        let to = folder.path().join("copy");
        copy(store.path(), &to, false, |_, _| {}).unwrap();
        let mut bytes = fs::read(&to).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8192].fill(0xa5);
        fs::write(&to, bytes).unwrap();
        let told = verify(&to).unwrap_err().to_string();
        assert!(told.contains("copy is damaged: "), "{told}");
        fs::write(&to, "no database, as anybody can see".repeat(100)).unwrap();
        assert!(matches!(verify(&to), Err(CopyError::Damaged { .. } | CopyError::Store(_))));
        assert!(matches!(verify(&folder.path().join("gone")), Err(CopyError::Missing(_))));
    }
}
