//! `backup` and `restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use shared::store::{StoreUrl, sqlite};

use super::progress::Bar;
use super::{ConfigFile, Done, Failure};
use crate::domain::connections::MAIN;
use crate::store::sqlite as sqlite_documents;
use crate::transfer::Progress as _;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The file to write
    file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    /// Of the stores, the one of this mongo_prefix
    #[arg(long, value_name = "PREFIX")]
    connection: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn run(arguments: &Arguments) -> Done {
    let store = store(&arguments.config, arguments.connection.as_deref())?;
    let file = &arguments.file;
    let bar = Bar::of_pages();
    let copied = sqlite::copy(&store, file, arguments.overwrite, |done, all| {
        bar.begin(all);
        bar.advance(done, 0);
    });
    bar.finish();
    let copied = match copied {
        Err(sqlite::CopyError::Exists(path)) => {
            return Err(format!("{} exists already; --overwrite replaces it", path.display()).into());
        }
        copied => copied?,
    };
    println!("{}: {} bytes, checked", file.display(), copied.bytes);
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The backup
    file: PathBuf,
    /// Replace the documents that are stored
    #[arg(long)]
    overwrite: bool,
    /// Of the stores, the one of this mongo_prefix
    #[arg(long, value_name = "PREFIX")]
    connection: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
}

pub fn restore(arguments: &RestoreArguments) -> Done {
    let store = store(&arguments.config, arguments.connection.as_deref())?;
    let bar = Bar::of_documents();
    let restored = sqlite_documents::restore(&arguments.file, &store, arguments.overwrite, |done, all| {
        bar.begin(all);
        bar.advance(done, done);
    });
    bar.finish();
    let documents = match restored {
        Err(error @ sqlite_documents::RestoreError::NotEmpty(_)) => {
            return Err(format!("{error}; --overwrite replaces them").into());
        }
        restored => restored?,
    };
    println!("{documents} documents restored into {}, checked", store.display());
    Ok(ExitCode::SUCCESS)
}

/// The embedded store's file.
fn store(config: &ConfigFile, connection: Option<&str>) -> Result<PathBuf, Failure> {
    let config = config.load()?;
    let named = |prefix: &str| {
        let found = config.stores.iter().find(|(name, _)| name.eq_ignore_ascii_case(prefix));
        found.map(|(_, url)| url.clone()).ok_or_else(|| format!("the configuration has no stores.{prefix}"))
    };
    match connection.filter(|prefix| !prefix.eq_ignore_ascii_case(MAIN)).map_or(Ok(config.store.clone()), named)? {
        StoreUrl::Sqlite(path) => Ok(path),
        other => Err(format!(
            "documents are in {}, and this copies files only: use mongodump and mongorestore",
            other.scheme()
        )
        .into()),
    }
}
