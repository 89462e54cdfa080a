//! Commands. They work on the same store as a running server, which sees their changes within a second.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use shared::drain::StopSignal;
use shared::{Secret, config, logging, serve};

use crate::accounts::{self, NewUser};
use crate::app::{self, App};
use crate::client::Client;
use crate::client_metadata::ClientMetadata;
use crate::config::Config;
use crate::declare::{self, Options};
use crate::directory::Page;
use crate::start;

/// What variables begin with.
const PREFIX: &str = "AUTH_SERVER";
/// Entries read at a time.
const PAGE: usize = 200;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until asked to stop (SIGTERM or Ctrl-C)
    Serve(ConfigFile),
    /// Check the configuration, the templates and the declared file, and tell everything that is wrong
    Check(ConfigFile),
    /// People who sign in
    #[command(subcommand)]
    User(UserCommand),
    /// Applications that ask for tokens
    #[command(subcommand)]
    Client(ClientCommand),
    /// What can be asked for
    #[command(subcommand)]
    Scope(ScopeCommand),
    /// Bring the scopes, clients and users of a TOML file into being; what is already so is left alone
    Apply {
        /// The declaration: [[scopes]], [[clients]] and [[users]]
        file: PathBuf,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
        /// Take out scopes, and clients and users of earlier declarations, that the file no longer has
        #[arg(long)]
        prune: bool,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
}

#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The configuration (TOML); AUTH_SERVER__… variables win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create an account; without --password-stdin a password is generated and printed
    Create {
        /// The user name
        username: String,
        /// A role; may be given several times. `admin` opens the management console
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Read the password from standard input, up to the end of its first line
        #[arg(long)]
        password_stdin: bool,
        /// The password serves for one sign-in; then a new one must be chosen
        #[arg(long)]
        must_change: bool,
        /// Print the account as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List accounts by name
    List(ListArguments),
}

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client: RFC 7591 metadata as JSON on standard input, the client with its new secret as JSON on output
    Create(ConfigFile),
    /// List clients by name
    List(ListArguments),
}

#[derive(Debug, Subcommand)]
pub enum ScopeCommand {
    /// List scopes with the texts people read
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only those whose name or id contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

type Done = Result<(), Box<dyn std::error::Error>>;

/// Runs one command to its end. Needs an actix runtime.
pub async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Serve(file) => serve(file).await,
        Command::Check(file) => check(&file),
        Command::User(UserCommand::Create { username, roles, password_stdin, must_change, json, config }) => {
            let new = NewUser { username, password: None, roles, must_change, declared: false };
            create_user(&config, new, password_stdin, json).await
        }
        Command::User(UserCommand::List(arguments)) => list_users(&arguments).await,
        Command::Client(ClientCommand::Create(config)) => create_client(&config).await,
        Command::Client(ClientCommand::List(arguments)) => list_clients(&arguments).await,
        Command::Scope(ScopeCommand::List { json, config }) => list_scopes(&config, json).await,
        Command::Apply { file, dry_run, prune, json, config } => {
            apply(&config, &file, Options { dry_run, prune, generate: true }, json).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl ConfigFile {
    fn load(&self) -> Result<Config, config::ConfigError> {
        config::load(self.config.as_deref(), PREFIX)
    }

    /// The parts of the server on the configured store, without a listener.
    fn open(&self) -> Result<App, Box<dyn std::error::Error>> {
        let config = self.load()?;
        logging::start("warn");
        Ok(App::open(config)?)
    }
}

async fn serve(file: ConfigFile) -> Done {
    let config = file.load()?;
    logging::start(&config.log);
    let listener = serve::bind(&config.server)?;
    let stop = StopSignal::listen()?;
    let server = start(config, listener).await?;
    stop.received().await;
    server.stop().await;
    Ok(())
}

fn check(file: &ConfigFile) -> Done {
    let config = file.load()?;
    app::pages(&config)?;
    if let Some(declaration) = &config.declare {
        declare::read(declaration)?;
    }
    println!("the configuration is good: {} on {}", config.issuer.as_str(), config.server.listen);
    Ok(())
}

async fn create_user(config: &ConfigFile, mut new: NewUser, password_stdin: bool, as_json: bool) -> Done {
    let app = config.open()?;
    if password_stdin {
        let typed = Secret::new(read_input()?);
        let line = typed.expose().lines().next().unwrap_or_default();
        if line.is_empty() {
            return Err("no password on standard input".into());
        }
        new.password = Some(Secret::new(line));
    }
    let created = accounts::create_user(&app, new).await?;
    let user = &created.user;
    let generated = created.generated.as_ref().map(Secret::expose);
    if as_json {
        let mut told = json!({ "id": user.id, "username": user.username, "roles": user.roles });
        if let Some(password) = generated {
            told["password"] = password.into();
        }
        println!("{told}");
    } else {
        println!("created {} ({})", user.username, user.id);
        if let Some(password) = generated {
            println!("password: {password}");
        }
    }
    Ok(())
}

async fn list_users(arguments: &ListArguments) -> Done {
    let app = arguments.config.open()?;
    let mut page = Page { after: None, search: arguments.search.clone(), limit: PAGE };
    let mut all = Vec::new();
    loop {
        let users = app.users.list(&page).await?;
        let Some(last) = users.last() else { break };
        page.after = Some(last.id.clone());
        all.extend(users);
    }
    if arguments.json {
        let told = all.iter().map(|user| {
            json!({
                "id": user.id,
                "username": user.username,
                "roles": user.roles,
                "disabled": user.disabled,
                "must_change_password": user.must_change,
                "created_at": user.created_at,
            })
        });
        println!("{}", Value::from_iter(told));
    } else {
        let rows = all.iter().map(|user| {
            let state = if user.disabled { "disabled" } else { "active" };
            [user.username.clone(), user.id.clone(), state.to_owned(), user.roles.join(" ")]
        });
        print_table(["USER NAME", "ID", "STATE", "ROLES"], rows);
    }
    Ok(())
}

/// A client as RFC 7591 3.2.1 tells it; the secret only right after registration.
#[derive(Serialize)]
struct ClientInformation<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    client_id_issued_at: i64,
    /// 0: never. Absent without a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    disabled: bool,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

impl<'a> ClientInformation<'a> {
    fn of(client: &'a Client, secret: Option<&'a Secret>) -> Self {
        Self {
            client_id: &client.id,
            client_secret: secret.map(Secret::expose),
            client_id_issued_at: client.created_at,
            client_secret_expires_at: secret.map(|_| 0),
            disabled: client.disabled,
            metadata: client.into(),
        }
    }
}

async fn create_client(config: &ConfigFile) -> Done {
    let app = config.open()?;
    let metadata: ClientMetadata = serde_json::from_str(&read_input()?)
        .map_err(|error| format!("standard input is not client metadata (RFC 7591 2) as JSON: {error}"))?;
    let (client, secret) = accounts::create_client(&app, metadata).await?;
    println!("{}", serde_json::to_string_pretty(&ClientInformation::of(&client, secret.as_ref()))?);
    Ok(())
}

async fn list_clients(arguments: &ListArguments) -> Done {
    let app = arguments.config.open()?;
    let mut page = Page { after: None, search: arguments.search.clone(), limit: PAGE };
    let mut all = Vec::new();
    loop {
        let clients = app.clients.list(&page).await?;
        let Some(last) = clients.last() else { break };
        page.after = Some(last.id.clone());
        all.extend(clients);
    }
    if arguments.json {
        let told: Vec<_> = all.iter().map(|client| ClientInformation::of(client, None)).collect();
        println!("{}", serde_json::to_string(&told)?);
    } else {
        let rows = all.iter().map(|client| {
            let kind = if client.is_public() { "public" } else { "confidential" };
            let state = if client.disabled { "disabled" } else { "active" };
            [client.name.clone(), client.id.clone(), format!("{kind}, {state}"), client.scopes.to_string()]
        });
        print_table(["NAME", "CLIENT ID", "STATE", "SCOPES"], rows);
    }
    Ok(())
}

async fn list_scopes(config: &ConfigFile, as_json: bool) -> Done {
    let app = config.open()?;
    let registry = app.scopes.registry().await?;
    if as_json {
        println!("{}", serde_json::to_string(&registry.iter().collect::<Vec<_>>())?);
    } else {
        let rows = registry.iter().map(|scope| {
            [scope.name.clone(), scope.role.clone().unwrap_or_else(|| "-".to_owned()), scope.text.clone()]
        });
        print_table(["SCOPE", "ROLE", "TEXT"], rows);
    }
    Ok(())
}

async fn apply(config: &ConfigFile, file: &Path, options: Options, as_json: bool) -> Done {
    let app = config.open()?;
    let declaration = declare::read(file)?;
    let report = declare::apply(&app, &declaration, options).await?;
    if as_json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    for change in &report.changes {
        let would = if options.dry_run { "would " } else { "" };
        match &change.generated {
            Some(secret) => println!("{would}{change}: {}", secret.expose()),
            None => println!("{would}{change}"),
        }
    }
    if report.changes.is_empty() {
        println!("nothing to do: all is as declared");
    }
    Ok(())
}

fn read_input() -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| format!("can't read standard input: {error}"))?;
    Ok(text)
}

/// Columns as wide as their widest value.
fn print_table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<[String; N]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    for row in &rows {
        let line: Vec<String> = row.iter().zip(widths).map(|(value, width)| format!("{value:width$}")).collect();
        println!("{}", line.join("  ").trim_end());
    }
}
