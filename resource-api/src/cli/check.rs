//! `check`.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use shared::logging;
use shared::store::StoreUrl;

use super::progress::Bar;
use super::{ConfigFile, Connection, Done, no_connection, read};
use crate::store::Places;
use crate::survey::survey;

/// Documents would break the file's rules: neither success nor failure of the check itself.
const WOULD_BREAK: u8 = 3;
/// A question to the store may need to look at every document.
const TIME: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub struct Arguments {
    /// The domain file
    domain: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    connection: Connection,
    /// Tell which documents of the configured store would break the domain file's rules; the exit status is then 3
    #[arg(long)]
    against_data: bool,
    /// Documents to name for each broken rule
    #[arg(long, value_name = "NUMBER", default_value_t = 3, requires = "against_data")]
    examples: usize,
    /// Print what was found in the data as JSON
    #[arg(long, requires = "against_data")]
    json: bool,
}

pub async fn run(arguments: Arguments) -> Done {
    let Arguments { domain, config, connection, against_data, examples, json } = arguments;
    if domain.is_none() && config.config.is_none() {
        return Err("name a domain file, or a configuration with --config".into());
    }
    let named = config.config.is_some().then(|| config.load()).transpose();
    if against_data {
        let file = match domain {
            Some(file) => file,
            None => named?.unwrap_or_default().domain,
        };
        return check_data(&file, &config, &connection, examples, json).await;
    }
    // What is wrong with one file keeps nothing about the others back.
    let mut code = ExitCode::SUCCESS;
    let mut fault = |place: &Path, error: &dyn Display| {
        eprintln!("error: {}: {error}", place.display());
        code = ExitCode::FAILURE;
    };
    let named = named.unwrap_or_else(|error| {
        fault(config.config.as_deref().unwrap_or(Path::new("")), &error);
        None
    });
    let files = domain.into_iter().chain(named.as_ref().map(|config| config.domain.clone()));
    for file in files {
        match read(&file) {
            Ok(domain) => {
                let places = named.as_ref().map(|config| Places::of(&config.store, &config.stores, &domain));
                if let Some(Err(error)) = places {
                    fault(&file, &error);
                    continue;
                }
                let resources = domain.resources.len();
                println!(
                    "{}: {resources} resource{}, no faults",
                    file.display(),
                    if resources == 1 { "" } else { "s" }
                );
            }
            Err(error) => fault(&file, &error),
        }
    }
    Ok(code)
}

async fn check_data(file: &Path, config: &ConfigFile, connection: &Connection, examples: usize, json: bool) -> Done {
    let config = config.load()?;
    logging::start("error");
    let domain = read(file)?;
    let places = Places::of(&config.store, &config.stores, &domain)?;
    for (_, url) in places.all() {
        if let StoreUrl::Sqlite(path) = url
            && !path.exists()
        {
            return Err(format!("there is no store {}", path.display()).into());
        }
    }
    // Not prepared for the domain: the data are looked at, and left as they are.
    let connected = places.connect(TIME).await?;
    let documents = match &connection.connection {
        None => connected.documents,
        Some(name) => connected.of_caller(name).ok_or_else(|| no_connection(name))?,
    };
    let bar = Bar::of_documents();
    let report = survey(&domain, documents.as_ref(), examples, &bar).await;
    bar.finish();
    let report = report?;
    if json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(if report.broken() == 0 { ExitCode::SUCCESS } else { ExitCode::from(WOULD_BREAK) })
}
