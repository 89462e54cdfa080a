//! `check`.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use shared::logging;
use shared::store::StoreUrl;

use super::progress::Bar;
use super::{ConfigFile, Done, read};
use crate::store;
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
    let Arguments { domain, config, against_data, examples, json } = arguments;
    if domain.is_none() && config.config.is_none() {
        return Err("name a domain file, or a configuration with --config".into());
    }
    let named = config.config.is_some().then(|| config.load()).transpose().map(|config| config.map(|it| it.domain));
    if against_data {
        let file = match domain {
            Some(file) => file,
            None => named?.unwrap_or_default(),
        };
        return check_data(&file, &config, examples, json).await;
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
    for file in domain.into_iter().chain(named) {
        match read(&file) {
            Ok(domain) => {
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

async fn check_data(file: &Path, config: &ConfigFile, examples: usize, json: bool) -> Done {
    let url = config.load()?.store;
    logging::start("error");
    let domain = read(file)?;
    if let StoreUrl::Sqlite(path) = &url
        && !path.exists()
    {
        return Err(format!("there is no store {}", path.display()).into());
    }
    // Not prepared for the domain: the data are looked at, and left as they are.
    let documents = store::open(&url, TIME).await?;
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
