//! `backup` and `restore`.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::logging;
use shared::store::sqlite::CopyError;

use super::Context;
use super::output::{self, Failure, line};
use crate::backup::{self, BackupError, Restoring};

#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The file to write
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    /// Copy the master keys too, to FILE.key: whoever has both files has all that the server has
    #[arg(long)]
    with_keys: bool,
    /// Print a report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The backup; master keys are taken from FILE.key where it is there
    file: PathBuf,
    /// Put it in the place of a store that is not empty; what is there is copied first
    #[arg(long)]
    replace: bool,
    /// Keep the backup's codes, tokens, grants and sessions, for a move to another machine: what was used, revoked or ended
    /// since the backup would be good again
    #[arg(long)]
    keep_tokens: bool,
    /// Print a report as JSON
    #[arg(long)]
    json: bool,
}

pub async fn back_up(context: &Context, arguments: BackupArguments) -> Result<(), Failure> {
    // Before anything is opened: a store that is elsewhere is backed up elsewhere.
    let config = context.config()?;
    backup::store_file(&config)?;
    let app = context.open().await?;
    let BackupArguments { file, overwrite, with_keys, json } = arguments;
    let bar = bar();
    let copied = backup::back_up(&app, &file, overwrite, with_keys, |done, all| advance(&bar, done, all)).await;
    bar.finish_and_clear();
    let copied = match copied {
        Err(BackupError::Copy(CopyError::Exists(path))) => {
            return Err(Failure::new(format!("{} exists already; --overwrite replaces it", path.display())));
        }
        copied => copied?,
    };
    let keys = with_keys.then(|| backup::key_file(&file));
    if json {
        return output::json(&json!({ "file": file, "bytes": copied.bytes, "rows": copied.rows, "keys": keys }));
    }
    let count = |table: &str| copied.rows.get(table).copied().unwrap_or_default();
    line(format!(
        "{}: {}, {}, {}; integrity and counts are checked",
        file.display(),
        output::number(count("user"), "user"),
        output::number(count("client"), "client"),
        output::number(copied.bytes, "byte")
    ))?;
    match keys {
        Some(keys) => line(format!("{}: the master keys; keep it apart from the backup", keys.display())),
        None => line(format!(
            "The master keys are not in it: keep a copy of {}. Without them nobody is signed out, but browsers are strangers again",
            config.master_key_path().display()
        )),
    }
}

pub async fn restore(context: &Context, arguments: RestoreArguments) -> Result<(), Failure> {
    let config = context.config()?;
    logging::start("warn");
    let restoring = Restoring { replace: arguments.replace, keep_tokens: arguments.keep_tokens };
    let bar = bar();
    let restored = backup::restore(&config, &arguments.file, restoring, |done, all| advance(&bar, done, all)).await;
    bar.finish_and_clear();
    let restored = restored?;
    if arguments.json {
        return output::json(&json!({
            "users": restored.users,
            "clients": restored.clients,
            "tokens_dropped": restored.dropped,
            "before": restored.aside,
            "keys": restored.keys,
        }));
    }
    line(format!(
        "{}: {} and {} restored; integrity and counts are checked",
        config.store,
        output::number(restored.users, "user"),
        output::number(restored.clients, "client")
    ))?;
    if let Some(aside) = &restored.aside {
        line(format!("{}: what was there before", aside.display()))?;
    }
    if !arguments.keep_tokens {
        line(format!(
            "{} codes, tokens and sessions of the backup were left out, as they may have been revoked since: everybody signs in again",
            restored.dropped
        ))?;
    }
    match restored.keys {
        true => line(format!("{}: the backup's master keys were added", config.master_key_path().display())),
        false => line(format!("The master keys are those of {}", config.master_key_path().display())),
    }
}

/// Drawn on standard error where somebody looks.
fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {percent}%  {elapsed_precise}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn advance(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}
