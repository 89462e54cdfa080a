//! Commands: serve, check, scopes, import.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

use std::io::BufRead as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use shared::drain::StopSignal;
use shared::{config, logging, serve};

use crate::config::Config;
use crate::domain::{self, Domain};
use crate::routes::Router;
use crate::{App, import, start};

/// What variables begin with.
const PREFIX: &str = "RESOURCE_API";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API.
    Serve {
        /// The configuration; RESOURCE_API__… variables win over it.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Check a domain file, a configuration, or both, and tell everything that is wrong.
    Check {
        /// The domain file.
        domain: Option<PathBuf>,
        /// The configuration, and the domain file it names.
        #[arg(long)]
        config: Option<PathBuf>,
    },
    /// Print the scopes of a domain file as the auth-server's `apply` takes them.
    Scopes {
        /// The domain file.
        domain: PathBuf,
    },
    /// Put documents into a resource, one JSON document a line, each validated like a POST.
    Import {
        resource: String,
        file: PathBuf,
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// Runs one command to its end.
pub async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve { config } => serve(config.as_deref()).await,
        Command::Check { domain, config } => check(domain.as_deref(), config.as_deref()),
        Command::Scopes { domain } => scopes(&domain),
        Command::Import { resource, file, config } => import_file(&resource, &file, config.as_deref()).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

async fn serve(file: Option<&Path>) -> Done {
    let config: Config = config::load(file, PREFIX)?;
    logging::start(&config.log);
    let listener = serve::bind(&config.server)?;
    let stop = StopSignal::listen()?;
    let server = start(config, listener).await?;
    stop.received().await;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn check(domain: Option<&Path>, file: Option<&Path>) -> Done {
    let named = match file {
        Some(file) => Some(config::load::<Config>(Some(file), PREFIX)?.domain),
        None => None,
    };
    let files: Vec<&Path> = domain.into_iter().chain(named.as_deref()).collect();
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

/// The domain with its warnings told and its urls tried.
fn read(file: &Path) -> Result<Domain, Box<dyn std::error::Error>> {
    let domain = domain::load(file)?;
    for warning in &domain.warnings {
        eprintln!("warning: {warning}");
    }
    Router::new(&domain).map_err(crate::AppError::Routes)?;
    Ok(domain)
}

fn scopes(file: &Path) -> Done {
    for scope in read(file)?.scopes() {
        let text = |text: String| toml::Value::String(text).to_string();
        println!("[[scopes]]\nname = {}\ntext = {}\n", text(scope.scope), text(scope.text));
    }
    Ok(ExitCode::SUCCESS)
}

async fn import_file(resource: &str, file: &Path, config: Option<&Path>) -> Done {
    let config: Config = config::load(config, PREFIX)?;
    logging::start(&config.log);
    let lines =
        std::io::BufReader::new(std::fs::File::open(file).map_err(|error| format!("{}: {error}", file.display()))?);
    let domain = read(&config.domain)?;
    let address: SocketAddr = config.server.listen;
    let app = App::open(&config, domain, address).await?;
    let done = import(&app, resource, lines.lines()).await?;
    for (line, reason) in &done.refused {
        eprintln!("{}:{line}: {reason}", file.display());
    }
    println!("{} documents inserted, {} left out", done.inserted, done.refused.len());
    Ok(if done.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
