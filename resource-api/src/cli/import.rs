//! `import`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::progress::Bar;
use super::{ConfigFile, Connection, Done};
use crate::transfer::{ImportOptions, import_file};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The resource's name in the domain file
    resource: String,
    /// One JSON or Extended JSON document a line, plain or gzipped; - is standard input. Interrupted, the same command goes on
    /// where it stopped
    file: PathBuf,
    /// Store documents as they are, without validation; missing ids, dates and ETags are added, unique indexes hold
    #[arg(long)]
    trust: bool,
    /// Import a file once more that is in already
    #[arg(long)]
    again: bool,
    /// Where lines that were left out are written, with their reasons [default: FILE.errors.ndjson]
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    config: ConfigFile,
}

pub async fn run(arguments: Arguments) -> Done {
    let Arguments { resource, file, trust, again, errors, connection, config } = arguments;
    let app = config.open(&connection).await?;
    let bar = Bar::of_bytes();
    let options = ImportOptions { trust, again, errors };
    let done = import_file(&app, &resource, &file, &options, &bar).await;
    bar.finish();
    let done = done?;
    for refused in &done.refused {
        eprintln!("{}:{}: {}", file.display(), refused.line, refused.told());
    }
    let more = done.left_out.saturating_sub(done.refused.len() as u64);
    if more > 0 {
        eprintln!("and {more} more");
    }
    if let Some(errors) = &done.errors {
        eprintln!("lines left out are in {}", errors.display());
    }
    if let Some(line) = done.resumed_behind {
        println!("taken up again behind line {line}");
    }
    println!("{} documents inserted, {} left out", done.inserted, done.left_out);
    Ok(if done.left_out == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
