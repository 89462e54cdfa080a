//! `export`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::progress::Bar;
use super::{ConfigFile, Connection, Done, Failure};
use crate::app::App;
use crate::query::{Filter, mongo_syntax};
use crate::transfer::{Export, export, extended_json};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The resource's name in the domain file
    resource: String,
    /// The file to write, gzipped if its name ends in .gz; - is standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Only documents that satisfy this filter, in MongoDB's syntax
    #[arg(long, value_name = "JSON")]
    r#where: Option<String>,
    /// Replace a file that is there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    config: ConfigFile,
}

pub async fn run(arguments: Arguments) -> Done {
    let filter = match &arguments.r#where {
        Some(text) => mongo_syntax::parse_trusted(&extended_json::parse(text.as_bytes())?)
            .map_err(|error| format!("--where: {error}"))?,
        None => Filter::All,
    };
    let file = &arguments.file;
    if file == Path::new("-") {
        let app = arguments.config.open(&arguments.connection).await?;
        let out = &mut BufWriter::with_capacity(256 << 10, io::stdout().lock());
        return Ok(told(&write(&app, &arguments.resource, &filter, out).await?));
    }
    if file.exists() && !arguments.overwrite {
        return Err(format!("{} exists already; --overwrite replaces it", file.display()).into());
    }
    let app = arguments.config.open(&arguments.connection).await?;
    // Whole or not at all.
    let part = PathBuf::from(format!("{}.part", file.display()));
    let fault = |error: io::Error| format!("{}: {error}", part.display());
    let target = BufWriter::with_capacity(256 << 10, File::create(&part).map_err(fault)?);
    let zipped = file.extension().is_some_and(|extension| extension == "gz");
    let written = if zipped {
        let mut out = GzEncoder::new(target, Compression::default());
        let done = write(&app, &arguments.resource, &filter, &mut out).await;
        done.and_then(|done| Ok((done, out.finish()?)))
    } else {
        let mut out = target;
        write(&app, &arguments.resource, &filter, &mut out).await.map(|done| (done, out))
    };
    let finished = written.and_then(|(done, out)| {
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&part, file)?;
        Ok(done)
    });
    if finished.is_err() {
        fs::remove_file(&part).ok();
    }
    let done = finished?;
    println!("{} documents written", done.documents);
    Ok(told(&done))
}

async fn write(app: &App, resource: &str, filter: &Filter, out: &mut dyn Write) -> Result<Export, Failure> {
    let bar = Bar::of_documents();
    let done = export(app, resource, filter, out, &bar).await;
    bar.finish();
    Ok(done?)
}

/// A document that would come back as another one is a failure of the whole.
fn told(done: &Export) -> ExitCode {
    for id in &done.doubtful {
        eprintln!("warning: {id}: an object in it looks like a value of Extended JSON, and reads back as one");
    }
    if done.doubtful.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
