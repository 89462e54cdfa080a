//! Copies of the embedded store, made while a server runs, and put back while none does.

use std::path::{Path, PathBuf};

use serde_json::json;
use shared::expiring::{self, ExpiringStore, Op};
use shared::seal::{KeyError, KeyRing};
use shared::store::sqlite::{self, Copied, CopyError};
use shared::store::{Sqlite, StoreError};

use crate::app::App;
use crate::audit::{Author, Event, EventKind};
use crate::config::Config;
use crate::{directory, state};

/// Tables without which a file is no store of this service.
const TABLES: [&str; 3] = ["user", "client", "expiring"];
/// Tables whose entries nobody wants to lose unasked.
const PRECIOUS: [&str; 5] = ["user", "client", "consent", "scope", "expiring"];
/// Entries taken out at a time.
const BATCH: usize = 500;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("the store is in {0}, and this copies files only: use mongodump and mongorestore")]
    Elsewhere(&'static str),
    #[error("{} is no backup of an auth-server: it has no table {table}", path.display())]
    Foreign { path: PathBuf, table: &'static str },
    #[error("{} holds {entries} accounts, clients, tokens and the like: --replace puts the backup in their place, after a copy of them was made", path.display())]
    NotEmpty { path: PathBuf, entries: u64 },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("master keys: {0}")]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a restore is allowed and asked to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Restoring {
    /// Put it in the place of a store that is not empty.
    pub replace: bool,
    /// Keep codes, tokens, grants and sessions of the backup, which may have been used, revoked or ended since.
    pub keep_tokens: bool,
}

/// What a restore did.
#[derive(Debug, Clone)]
pub struct Restored {
    pub users: u64,
    pub clients: u64,
    /// Codes, tokens, grants and sessions that were left out.
    pub dropped: u64,
    /// Where the store is that was there before.
    pub aside: Option<PathBuf>,
    /// Whether the backup's master keys are in the ring now.
    pub keys: bool,
}

/// The file in which the store is.
pub fn store_file(config: &Config) -> Result<&Path, BackupError> {
    config.store.sqlite_path().ok_or(BackupError::Elsewhere(config.store.scheme()))
}

/// The file that master keys are copied to beside a backup.
pub fn key_file(backup: &Path) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

/// Copies the store to `to`, whoever uses it meanwhile, and checks the copy. The log knows of it, in the copy as well.
pub async fn back_up(
    app: &App,
    to: &Path,
    overwrite: bool,
    with_keys: bool,
    progress: impl FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    let store = store_file(&app.config)?;
    let keys = key_file(to);
    for taken in [Some(to), with_keys.then_some(&*keys)].into_iter().flatten() {
        if !overwrite && taken.exists() {
            return Err(CopyError::Exists(taken.to_owned()).into());
        }
    }
    let event = Event::new(EventKind::BackedUp).by(&Author::command_line());
    app.audit.record(event.clone()).await?;
    let copied = sqlite::copy(store, to, overwrite, progress);
    let copied = match copied {
        Ok(copied) => copied,
        Err(error) => {
            app.audit.record(event.failed("copy_failed")).await?;
            return Err(error.into());
        }
    };
    if with_keys {
        if keys.exists() {
            std::fs::remove_file(&keys).map_err(|source| BackupError::File { path: keys.clone(), source })?;
        }
        KeyRing::merge(&keys, &app.config.master_key_path())?;
    }
    Ok(copied)
}

/// Puts a backup in the place of the configured store, which nobody may be using. A backup of an older program is brought to
/// this one's form; one of a newer program is refused. What may have been used, revoked or ended since it was made does not
/// come back unless `restoring` says so.
pub async fn restore(
    config: &Config,
    from: &Path,
    restoring: Restoring,
    progress: impl FnMut(u64, u64),
) -> Result<Restored, BackupError> {
    let store = store_file(config)?;
    if sqlite::is_in_use(store)? {
        return Err(CopyError::InUse(store.to_owned()).into());
    }
    let rows = sqlite::verify(from)?;
    if let Some(table) = TABLES.into_iter().find(|table| !rows.contains_key(*table)) {
        return Err(BackupError::Foreign { path: from.to_owned(), table });
    }
    let keys = Some(key_file(from)).filter(|keys| keys.exists());
    if let Some(keys) = &keys {
        KeyRing::load(keys)?;
    }
    let present = if store.exists() { sqlite::verify(store)? } else { Default::default() };
    let entries: u64 = PRECIOUS.iter().filter_map(|table| present.get(*table)).sum();
    if entries > 0 && !restoring.replace {
        return Err(BackupError::NotEmpty { path: store.to_owned(), entries });
    }

    // Made ready beside the store, so that it takes the store's place in one step.
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = |source| BackupError::File { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(file)?;
    let work = tempfile::Builder::new().prefix(".restore-").tempdir_in(folder).map_err(file)?;
    let ready = work.path().join("auth.db");
    sqlite::copy(from, &ready, false, |_, _| {})?;
    let dropped = make_ready(&ready, restoring).await?;
    let aside = (entries > 0).then(|| unused(store));
    let rows = sqlite::replace(&ready, store, aside.as_deref(), progress)?;
    if let Some(keys) = &keys {
        KeyRing::merge(&config.master_key_path(), keys)?;
    }
    let count = |table: &str| rows.get(table).copied().unwrap_or_default();
    Ok(Restored { users: count("user"), clients: count("client"), dropped, aside, keys: keys.is_some() })
}

/// Brings a copy to this program's form, takes out what must not come back, and notes what becomes of it.
async fn make_ready(copy: &Path, restoring: Restoring) -> Result<u64, BackupError> {
    let file = Sqlite::open(copy)?;
    let directory = directory::on_sqlite(file.clone())?;
    let kept = expiring::on_sqlite(file)?;
    let dropped = if restoring.keep_tokens { 0 } else { take_all_out(&*kept).await? };
    let event = Event::new(EventKind::Restored).by(&Author::command_line());
    directory.audit.append(&[event.detail(json!({ "tokens_dropped": dropped }))]).await?;
    Ok(dropped)
}

async fn take_all_out(kept: &dyn ExpiringStore) -> Result<u64, StoreError> {
    let mut gone = 0;
    loop {
        let entries = kept.scan(None, BATCH).await?;
        if entries.is_empty() {
            return Ok(gone);
        }
        gone += entries.len() as u64;
        state::apply_all(kept, entries.into_iter().map(|entry| Op::Delete { key: entry.key }).collect()).await?;
    }
}

/// A name beside the store that is not taken.
fn unused(store: &Path) -> PathBuf {
    let named = |number: u32| match number {
        1 => store.with_extension("before-restore.backup"),
        _ => store.with_extension(format!("before-restore-{number}.backup")),
    };
    (1..).map(named).find(|path| !path.exists()).expect("numbers don't end before files do")
}
