//! Commands. They work on the same store as a running server, which sees their changes within a second.
//!
//! One file a noun. A new command: a variant with its arguments in the noun's enum, a function beside it; a new noun: one file
//! here, one variant of [`Command`], one arm in [`Command::run`].

mod apply;
mod audit;
mod backup;
mod client;
mod grant;
mod import;
mod key;
mod output;
mod scope;
mod serve;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use shared::{config, logging};

use crate::app::App;
use crate::config::Config;

use output::Failure;

/// What variables begin with.
const PREFIX: &str = "AUTH_SERVER";
/// Entries read at a time.
const PAGE: usize = 200;

/// Said at the end of `--help`.
pub const EXIT_CODES: &str = "Exit codes: 0 done, 1 not done (standard error says why), 2 wrong usage.\n\
    Settings come from --config and AUTH_SERVER__… variables, such as AUTH_SERVER__STORE; variables win.\n\
    Commands may run beside a serving process, which sees what they change within a second.";

/// The command line of the service, as a program of its own and as `evergate auth`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct Arguments {
    /// The configuration (TOML); AUTH_SERVER__… variables win over it
    #[arg(long, global = true, value_name = "FILE", env = "AUTH_SERVER_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until asked to stop (SIGTERM or Ctrl-C)
    Serve,
    /// Check the configuration, the templates and the declared file, and tell everything that is wrong
    Check,
    /// People who sign in
    #[command(subcommand)]
    User(user::UserCommand),
    /// Applications that ask for tokens
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// What can be asked for
    #[command(subcommand)]
    Scope(scope::ScopeCommand),
    /// What people allowed applications
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    /// Who did what, when, with what outcome
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The master keys, under which cookies and renewed tokens are made
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Copy the store to a file, also while a server runs, and check the copy
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the store, while no server runs
    Restore(backup::RestoreArguments),
    /// Take users and clients over from Flask-Sentinel, straight from its MongoDB or from exported files: passwords and client
    /// ids stay as they are, tokens are not taken.
    /// Importing again changes nothing
    ImportSentinel(import::ImportArguments),
    /// Bring the scopes, clients and users of a TOML file into being; what is already so is left alone
    Apply(apply::ApplyArguments),
}

/// Where a command finds the server it works for.
struct Context {
    file: Option<PathBuf>,
    /// Settings beneath file and variables, where no file is given.
    base: Option<String>,
}

/// Runs one command to its end. Needs an actix runtime. `base` is what commands on the store take as settings where no
/// `--config` is given, as TOML.
pub async fn run(arguments: Arguments, base: Option<String>) -> ExitCode {
    let context = Context { base: base.filter(|_| arguments.config.is_none()), file: arguments.config };
    match arguments.command.run(&context).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

impl Command {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Command::Serve => serve::serve(context).await,
            Command::Check => serve::check(context),
            Command::User(command) => command.run(context).await,
            Command::Client(command) => command.run(context).await,
            Command::Scope(command) => command.run(context).await,
            Command::Grant(command) => command.run(context).await,
            Command::Audit(command) => command.run(context).await,
            Command::Key(command) => command.run(context).await,
            Command::Backup(arguments) => backup::back_up(context, arguments).await,
            Command::Restore(arguments) => backup::restore(context, arguments).await,
            Command::ImportSentinel(arguments) => import::import(context, arguments).await,
            Command::Apply(arguments) => apply::apply(context, arguments).await,
        }
    }
}

impl Context {
    /// The settings of the server that is served or checked.
    fn server_config(&self) -> Result<Config, Failure> {
        Ok(config::load(self.file.as_deref(), PREFIX)?)
    }

    /// The settings of the server whose store a command works on.
    fn config(&self) -> Result<Config, Failure> {
        match &self.base {
            Some(base) => Ok(config::load_over(base, PREFIX)?),
            None => self.server_config(),
        }
    }

    /// The parts of the server on the configured store, without a listener.
    async fn open(&self) -> Result<App, Failure> {
        let config = self.config()?;
        logging::start("warn");
        Ok(App::open(config).await?)
    }
}
