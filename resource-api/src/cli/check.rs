//! `check`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::{ConfigFile, Done, read};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The domain file
    domain: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

pub async fn run(arguments: Arguments) -> Done {
    let named = match &arguments.config.config {
        Some(_) => Some(arguments.config.load()?.domain),
        None => None,
    };
    let files: Vec<&Path> = arguments.domain.as_deref().into_iter().chain(named.as_deref()).collect();
    if files.is_empty() {
        return Err("name a domain file, or a configuration with --config".into());
    }
    for file in files {
        let domain = read(file)?;
        let resources = domain.resources.len();
        println!("{}: {resources} resource{}, no faults", file.display(), if resources == 1 { "" } else { "s" });
    }
    Ok(ExitCode::SUCCESS)
}
