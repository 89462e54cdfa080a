//! The embedded store: one file in WAL mode, one writer thread that commits waiting writes together, readers that
//! never wait for it (decisions 9).

mod copy;
mod replace;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use tokio::sync::{Semaphore, oneshot};

pub use copy::{Copied, CopyError, copy, verify};
pub use replace::{is_in_use, replace};

use super::StoreError;
use crate::metrics::{Counter, Histogram, Metrics};

/// Writes in one commit at most; a bound on how long the first of them waits.
const BATCH: usize = 512;
/// Writes that may wait; more is an overload, answered with [`StoreError::Unavailable`].
const QUEUE: usize = 16_384;
/// How often a bounded read is looked at.
const STEPS_OF_A_ROUND: u32 = 1000;
/// Lists and scans at the same time.
const READERS: usize = 4;

/// Gets no connection when the transaction could not begin.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Finish + Send>;
/// Run after the commit (or its failure) to tell the caller.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A handle on one file, cheap to clone. The writer stops when the last handle is dropped.
#[derive(Clone)]
pub struct Sqlite {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Tells the files apart in the threads' connection caches.
    number: u64,
    jobs: SyncSender<Job>,
    readers: Semaphore,
    measured: Arc<OnceLock<Measured>>,
}

/// What is told of commits.
struct Measured {
    commits: Counter,
    failed: Counter,
    writes: Histogram,
    seconds: Histogram,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sqlite({})", self.inner.path.display())
    }
}

thread_local! {
    /// Read connections of this thread, by [`Inner::number`].
    static CONNECTIONS: RefCell<Vec<(u64, Connection)>> = const { RefCell::new(Vec::new()) };
}

impl Sqlite {
    /// Opens the file, making it (and its folder) where it is missing. The file is readable by its owner only.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let path = path.as_ref().to_owned();
        let unavailable = |error: std::io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(unavailable)?;
        }
        private_file(&path).map_err(unavailable)?;
        let mut connection = Connection::open(&path)?;
        prepare(&mut connection)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // A first read, from which on the file is seen to be in use.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let (jobs, waiting) = sync_channel(QUEUE);
        let measured = Arc::new(OnceLock::new());
        let told = measured.clone();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_loop(&connection, &waiting, &told))
            .map_err(unavailable)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self { inner: Arc::new(Inner { path, number, jobs, readers: Semaphore::new(READERS), measured }) })
    }

    /// Counts this file's commits from now on.
    pub fn measure(&self, metrics: &Metrics) {
        if metrics.are_on() {
            self.inner.measured.get_or_init(|| Measured {
                commits: metrics.counter("evergate_store_commits_total", "Commits of the embedded store", &[]),
                failed: metrics.counter("evergate_store_commits_failed_total", "Commits that failed", &[]),
                writes: metrics.histogram("evergate_store_commit_writes", "Writes that one commit holds", &[]),
                seconds: metrics.histogram(
                    "evergate_store_commit_seconds",
                    "From the first write of a commit to its end on the disk, in seconds",
                    &[],
                ),
            });
        }
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Brings `component`'s tables to the newest version, each step in a transaction of its own. Several components
    /// share a file. The file is copied first when it already holds data of this component, and a version newer than
    /// this program knows is refused. Blocks: for start-up.
    pub fn migrate(&self, component: &str, steps: &[&str]) -> Result<(), StoreError> {
        let mut connection = Connection::open(&self.inner.path)?;
        prepare(&mut connection)?;
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_version (component TEXT PRIMARY KEY, version INTEGER NOT NULL)",
        )?;
        transaction.commit()?;
        let version = stored_version(&connection, component)?;
        if version > steps.len() {
            return Err(StoreError::Corrupt(format!(
                "{} holds version {version} of {component}; this program knows up to {}: use a newer program, or restore the copy made before the upgrade",
                self.inner.path.display(),
                steps.len()
            )));
        }
        if version > 0 && version < steps.len() {
            let copied = self.copy_aside(&format!("{component}-v{version}"))?;
            log::warn!(
                "the tables of {component} are brought to version {}; {} is a copy of before",
                steps.len(),
                copied.display()
            );
        }
        for (number, step) in steps.iter().enumerate().skip(version) {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            // Another process may have come first.
            if stored_version(&transaction, component)? > number {
                continue;
            }
            transaction.execute_batch(step)?;
            transaction.execute(
                "INSERT INTO schema_version VALUES (?1, ?2) ON CONFLICT (component) DO UPDATE SET version = ?2",
                rusqlite::params![component, i64::try_from(number + 1).unwrap_or(i64::MAX)],
            )?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// A whole and checked copy beside the file: `auth.NAME.backup`, or `auth.NAME-2.backup` where an earlier upgrade left one.
    fn copy_aside(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = &self.inner.path;
        let mut extension = format!("{name}.backup");
        for number in 2.. {
            let aside = path.with_extension(extension);
            match copy(path, &aside, false, |_, _| {}) {
                Ok(_) => return Ok(aside),
                Err(CopyError::Exists(_)) => extension = format!("{name}-{number}.backup"),
                Err(CopyError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::Unavailable(error.to_string())),
            }
        }
        Err(StoreError::Unavailable(format!("no copy of {} can be made", path.display())))
    }

    /// The version of each component's tables, by name.
    pub fn schema(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        self.read_now(|connection| {
            let mut query = connection.prepare_cached("SELECT component, version FROM schema_version")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// A point read on the calling thread: a few microseconds, so cheaper here than a hop to another thread. A transaction
    /// that a read begins, to see one state in several statements, ends with it.
    pub fn read_now<T, E: From<StoreError>>(&self, read: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        self.with_connection(|connection| read(connection))
    }

    /// The same for a read that may turn out long: interrupted with [`StoreError::Deadline`] after some `steps` of SQLite's
    /// machine, of which one takes about ten nanoseconds.
    pub fn read_now_within<T, E: From<StoreError>>(
        &self,
        steps: u32,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with_connection(|connection| {
            let mut rounds = steps / STEPS_OF_A_ROUND;
            let more = move || {
                let stop = rounds == 0;
                rounds = rounds.saturating_sub(1);
                stop
            };
            connection
                .progress_handler(STEPS_OF_A_ROUND.cast_signed(), Some(more))
                .map_err(|error| E::from(StoreError::from(error)))?;
            let result = read(connection);
            let cleared = connection.progress_handler(0, None::<fn() -> bool>);
            debug_assert!(cleared.is_ok());
            result
        })
    }

    fn with_connection<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let kept = CONNECTIONS.with_borrow_mut(|connections| {
            let place = connections.iter().position(|(number, _)| *number == self.inner.number)?;
            Some(connections.swap_remove(place).1)
        });
        let mut connection = match kept {
            Some(connection) => connection,
            None => read_connection(&self.inner.path).map_err(StoreError::from)?,
        };
        let result = read(&mut connection);
        // An old snapshot must not outlive its read. A connection that can't end it is closed, as after a panic.
        if connection.is_autocommit() || run(&connection, "COMMIT").is_ok() {
            CONNECTIONS.with_borrow_mut(|connections| connections.push((self.inner.number, connection)));
        }
        result
    }

    /// A list or scan on one of a few reader threads; interrupted at `limit` with [`StoreError::Deadline`].
    /// The wait for a free thread counts.
    pub async fn read<T, E>(
        &self,
        limit: Duration,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let end = Instant::now() + limit;
        let permit = match tokio::time::timeout(limit, self.inner.readers.acquire()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(StoreError::Deadline.into()),
        };
        let store = self.clone();
        let result = tokio::task::spawn_blocking(move || {
            store.with_connection(|connection| {
                connection
                    .progress_handler(10_000, Some(move || Instant::now() >= end))
                    .map_err(|error| E::from(StoreError::from(error)))?;
                let result = read(connection);
                let cleared = connection.progress_handler(0, None::<fn() -> bool>);
                debug_assert!(cleared.is_ok());
                result
            })
        })
        .await;
        drop(permit);
        result.unwrap_or_else(|_| Err(StoreError::Unavailable("a read failed".to_owned()).into()))
    }

    /// One unit of work on the writer thread: inside a savepoint, undone when it fails, answered only after the
    /// commit that holds it is on disk. `write` must not begin or end transactions itself.
    pub async fn write<T, E>(&self, write: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T, E>>();
        let job: Job = Box::new(move |connection| {
            let result = connection.map(|connection| savepoint(connection, write));
            Box::new(move |committed: Result<(), StoreError>| {
                let result = match (result, committed) {
                    (Some(Err(error)), _) => Err(error),
                    (_, Err(error)) => Err(error.into()),
                    (Some(Ok(value)), Ok(())) => Ok(value),
                    (None, Ok(())) => Err(StoreError::Unavailable("the write did not run".to_owned()).into()),
                };
                // The caller may have gone away; the write stands all the same.
                drop(answer.send(result));
            })
        });
        self.inner.jobs.try_send(job).map_err(|_| StoreError::Unavailable("too many writes are waiting".to_owned()))?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer stopped".to_owned()).into()))
    }

    /// Whether the file can be read and written; for /readyz.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read_now(|connection| -> Result<(), StoreError> {
            Ok(connection.query_row("SELECT count(*) FROM schema_version", [], |_| Ok(()))?)
        })?;
        if tokio::time::timeout(Duration::from_secs(5), self.write(|_| Ok::<(), StoreError>(()))).await.is_err() {
            return Err(StoreError::Unavailable("writes are stuck".to_owned()));
        }
        Ok(())
    }
}

fn stored_version(connection: &Connection, component: &str) -> Result<usize, rusqlite::Error> {
    let version: Option<i64> = connection
        .query_row("SELECT version FROM schema_version WHERE component = ?", [component], |row| row.get(0))
        .optional()?;
    Ok(version.map_or(0, |version| usize::try_from(version).unwrap_or(usize::MAX)))
}

fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map(drop)
}

fn prepare(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.busy_handler(Some(wait_for_the_other))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(256);
    // Without this guarantee SQLite plans a kept statement anew for every value bound to a range: half of a short read.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Another program may be writing, an import for one, and lets go for a moment between two commits: SQLite's own handler, which
/// sleeps ever longer, would miss most of these moments.
fn wait_for_the_other(waited: i32) -> bool {
    std::thread::sleep(Duration::from_millis(1));
    waited < 5000
}

fn read_connection(path: &Path) -> Result<Connection, rusqlite::Error> {
    let mut connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&mut connection)?;
    // As much as SQLite allows (2 GiB): what lies beyond is read page by page, which costs a list at random a sixth more.
    connection.pragma_update(None, "mmap_size", 1_i64 << 40)?;
    Ok(connection)
}

fn write_loop(connection: &Connection, waiting: &Receiver<Job>, measured: &OnceLock<Measured>) {
    while let Ok(first) = waiting.recv() {
        let measured = measured.get().map(|measured| (measured, Instant::now()));
        let begun = run(connection, "BEGIN IMMEDIATE").map(|()| connection);
        let finishes: Vec<Finish> = std::iter::once(first)
            // Where no transaction could begin all are refused, so that nobody waits for the next try as well.
            .chain(waiting.try_iter().take(if begun.is_ok() { BATCH - 1 } else { QUEUE }))
            // A full disk may end the transaction by itself; what then ran outside of it would be stored and called lost.
            .map(|job| job(begun.as_ref().ok().copied().filter(|connection| !connection.is_autocommit())))
            .collect();
        let committed = begun.and_then(|connection| run(connection, "COMMIT"));
        if let Err(error) = &committed {
            log::error!("a commit of {} writes failed: {error}", finishes.len());
            if !connection.is_autocommit()
                && let Err(error) = run(connection, "ROLLBACK")
            {
                log::error!("its rollback failed: {error}");
            }
        }
        if let Some((measured, start)) = measured {
            if committed.is_ok() { &measured.commits } else { &measured.failed }.increment(1);
            measured.writes.record(finishes.len() as f64);
            measured.seconds.record(start.elapsed().as_secs_f64());
        }
        for finish in finishes {
            finish(match &committed {
                Ok(()) => Ok(()),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            });
        }
    }
}

/// A job's part of the commit. A panic is undone like an error: the writer, and every later write, goes on.
fn savepoint<T, E: From<StoreError>>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    run(connection, "SAVEPOINT job").map_err(StoreError::from)?;
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| write(connection))).unwrap_or_else(|_| {
        log::error!("a write panicked and was undone");
        Err(StoreError::Unavailable("a write failed".to_owned()).into())
    });
    if result.is_err() {
        run(connection, "ROLLBACK TO job").map_err(StoreError::from)?;
    }
    run(connection, "RELEASE job").map_err(StoreError::from)?;
    result
}

fn run(connection: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests;
