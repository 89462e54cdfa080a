//! The commands, a file for each noun. A new one is a file here, a variant of [`Command`] and an arm in [`run`].
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod backup;
mod check;
mod export;
mod import;
mod progress;
mod scopes;
mod serve;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use shared::config::{self, ConfigError};
use shared::logging;

use crate::App;
use crate::config::Config;
use crate::domain::{Domain, DomainError};
use crate::routes;

/// What variables begin with.
const PREFIX: &str = "RESOURCE_API";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API
    Serve(ConfigFile),
    /// Check a domain file, a configuration, or both, and tell everything that is wrong
    Check(check::Arguments),
    /// Print the scopes of a domain file as the auth-server's `apply` takes them
    Scopes(scopes::Arguments),
    /// Put documents into a resource, one JSON document a line, each validated like a POST
    Import(import::Arguments),
    /// Write all documents of a resource, one line of Extended JSON each
    Export(export::Arguments),
    /// Copy the store into a file while the service runs, and check the copy
    Backup(backup::Arguments),
    /// Put the documents of a backup in the place of all that are stored; the service may run
    Restore(backup::RestoreArguments),
}

#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration; RESOURCE_API__… variables win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Connection {
    /// Of the connections that AUTH_MONGO_PREFIX_CLAIM lets callers name, the one whose documents are meant [default: each
    /// resource's own]
    #[arg(long, value_name = "PREFIX")]
    connection: Option<String>,
}

fn no_connection(name: &str) -> Failure {
    format!("there is no connection {name} that callers may name").into()
}

type Failure = Box<dyn Error>;
type Done = Result<ExitCode, Failure>;

/// Runs one command to its end.
pub async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(file) => serve::run(file).await,
        Command::Check(arguments) => check::run(arguments).await,
        Command::Scopes(arguments) => scopes::run(&arguments),
        Command::Import(arguments) => import::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        config::load(self.config.as_deref(), PREFIX)
    }

    /// The parts of the service on the configured stores, without a listener.
    async fn open(&self, connection: &Connection) -> Result<App, Failure> {
        let config = self.load()?;
        logging::start("warn");
        let domain = read(&config.domain)?;
        let mut app = App::open(&config, domain, config.server.listen).await?;
        if let Some(name) = &connection.connection {
            app.documents = app.documents_at(name).ok_or_else(|| no_connection(name))?;
        }
        Ok(app)
    }
}

/// The domain with its warnings told; the error is all that is wrong with it.
fn read(file: &Path) -> Result<Domain, Failure> {
    let (domain, faults) = routes::examine(file)?;
    for warning in &domain.warnings {
        eprintln!("warning: {warning}");
    }
    if faults.is_empty() { Ok(domain) } else { Err(DomainError::Faults(faults).into()) }
}
