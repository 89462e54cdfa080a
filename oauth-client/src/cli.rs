//! The commands, shared by this crate's program and the all-in-one one.
#![allow(clippy::print_stderr, reason = "a command line tells people what it did")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use shared::drain::StopSignal;
use shared::{config, logging, serve};

use crate::{Config, StartError, start};

/// What the web app can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the web app until SIGTERM or Ctrl-C.
    Serve(Source),
    /// Read the configuration and say what is wrong with it.
    Check(Source),
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct Source {
    /// TOML file; variables such as OAUTH_CLIENT__CLIENT_ID stand above it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs a command; the exit code is 0 when it did what it says.
pub async fn run(command: Command) -> ExitCode {
    let (Command::Serve(source) | Command::Check(source)) = &command;
    let config: Config = match config::load(source.config.as_deref(), "OAUTH_CLIENT") {
        Ok(config) => config,
        Err(error) => return failed(&error),
    };
    match command {
        Command::Check(_) => {
            eprintln!("The configuration is valid.");
            ExitCode::SUCCESS
        }
        Command::Serve(_) => {
            logging::start(&config.log);
            match serve_until_stopped(config).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failed(&error),
            }
        }
    }
}

async fn serve_until_stopped(config: Config) -> Result<(), StartError> {
    let listener = serve::bind(&config.server)?;
    let stop = StopSignal::listen().map_err(serve::ServeError::Start)?;
    let server = start(config, listener).await?;
    stop.received().await;
    server.stop().await;
    Ok(())
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
