//! Scopes, clients and users from a file, brought into being idempotently: at start by `declare = "…"`, again at each
//! SIGHUP, and by `auth-server apply` (X-037).
//!
//! The file is TOML. Every part may be left out; several `[[scopes]]`, `[[clients]]` and `[[users]]` may follow each other:
//!
//! ```toml
//! [[scopes]]
//! name = "people:read"          # what clients ask for
//! text = "Read people"          # what people read on the consent page
//! # role = "editor"             # only holders of this role get it
//!
//! [[clients]]
//! client_id = "shop"            # kept as it is; then the members of RFC 7591 and ours, as `client create` takes them
//! client_name = "Shop"
//! client_secret = { file = "/run/secrets/shop" }   # at least 43 random characters; left out for a public client
//! redirect_uris = ["https://shop.example/callback"]
//! scope = "people:read"
//!
//! [[users]]
//! username = "alice"
//! password = { file = "/run/secrets/alice" }
//! roles = ["admin"]
//! ```
//!
//! The file decides over scopes, over everything of its clients (their secret too, where it names one), and over its users'
//! roles. A password is set when the account is made; afterwards it is its owner's. What is not in the file stays, unless
//! `--prune` is given: then scopes, and clients and users that an earlier file declared, are taken out. Accounts with the
//! role admin are never taken out that way.

mod steps;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use actix_web::web::Data;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shared::Secret;
use shared::store::StoreError;
use tokio::signal::unix::{SignalKind, signal};

use self::steps::Steps;
use crate::accounts::{self, NewUserFault};
use crate::app::App;
use crate::audit::Author;
use crate::client_metadata::{ClientMetadata, generated_secret};
use crate::scope::Scope;
use crate::user::{self, ADMIN};

/// Servers that start at the same time declare the same things, and each may be overtaken by all others.
const ATTEMPTS: usize = 10;

/// What a file declares.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declaration {
    pub scopes: Vec<Scope>,
    pub clients: Vec<DeclaredClient>,
    pub users: Vec<DeclaredUser>,
}

/// A client under an id of the file's choice.
#[derive(Debug, Clone)]
pub struct DeclaredClient {
    pub client_id: String,
    /// `None` for a public client, and for one whose secret is generated when it is made.
    pub client_secret: Option<Secret>,
    pub metadata: ClientMetadata,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredUser {
    pub username: String,
    /// `None`: generated when the account is made.
    #[serde(default)]
    pub password: Option<Secret>,
    #[serde(default)]
    pub roles: Vec<String>,
}

impl<'de> Deserialize<'de> for DeclaredClient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Two members are ours; the others are the metadata's, which refuses unknown ones.
        let mut table = toml::Table::deserialize(deserializer)?;
        let Some(toml::Value::String(client_id)) = table.remove("client_id") else {
            return Err(D::Error::custom("a client needs a client_id"));
        };
        let fault = |error: toml::de::Error| D::Error::custom(format!("client {client_id}: {}", error.message()));
        let client_secret = table.remove("client_secret").map(toml::Value::try_into).transpose().map_err(fault)?;
        let metadata = table.try_into().map_err(fault)?;
        Ok(Self { client_id, client_secret, metadata })
    }
}

/// How far [`apply`] goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Only tells what would be done.
    pub dry_run: bool,
    /// Takes out what is not declared any more.
    pub prune: bool,
    /// Passwords and secrets that the file leaves out are generated, to be told in the report. Without it they must be there.
    pub generate: bool,
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub changes: Vec<Change>,
}

/// One thing that is not as it was.
#[derive(Serialize)]
pub struct Change {
    pub action: Action,
    pub kind: Kind,
    /// A scope's or user's name, a client's id.
    pub name: String,
    /// A generated password or client secret; told this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub generated: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Change,
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Scope,
    Client,
    User,
}

fn exposed<S: serde::Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => serializer.serialize_str(secret.expose()),
        None => serializer.serialize_none(),
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Without the generated value: fit for a log.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Create => "create",
            Action::Change => "change",
            Action::Remove => "remove",
        };
        let kind = match self.kind {
            Kind::Scope => "scope",
            Kind::Client => "client",
            Kind::User => "user",
        };
        write!(f, "{action} {kind} {}", self.name)
    }
}

/// Why a declaration can't be brought into being.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    #[error("can't read {file}: {source}")]
    File { file: String, source: std::io::Error },
    /// Without the line itself, which may hold a password (X-023).
    #[error("{place}: {message}")]
    Syntax { place: String, message: String },
    /// All of them; nothing was changed.
    #[error("the declaration has faults:\n{}", .0.iter().map(|fault| format!("  - {fault}")).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<String>),
    #[error("{0} was changed by somebody else meanwhile: apply again")]
    Changed(String),
    #[error("user {0}: is the last one with the role {ADMIN}; give it to another one first")]
    LastAdmin(String),
    #[error("user {name}: {fault}")]
    User { name: String, fault: NewUserFault },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeclareError {
    /// Whether somebody else made or changed the same thing at the same time.
    fn is_overtaken(&self) -> bool {
        matches!(self, DeclareError::Changed(_) | DeclareError::User { fault: NewUserFault::Taken, .. })
    }
}

/// Reads a file. Secrets it names by file are read too.
pub fn read(file: &Path) -> Result<Declaration, DeclareError> {
    let told = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|source| DeclareError::File { file: told(), source })?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| 1 + before.matches('\n').count());
        let place = line.map_or_else(told, |line| format!("{}, line {line}", told()));
        DeclareError::Syntax { place, message: error.message().to_owned() }
    })
}

/// Makes the directory as `declaration` says. Everything is checked before anything is written; what is already so is left
/// alone, so applying twice changes nothing the second time.
pub async fn apply(
    app: &App,
    declaration: &Declaration,
    options: Options,
    by: &Author,
) -> Result<Report, DeclareError> {
    let faults = faults(app, declaration, options).await?;
    if !faults.is_empty() {
        return Err(DeclareError::Faults(faults));
    }
    let mut steps = Steps { app, options, by, report: Report::default() };
    for attempt in 1.. {
        match steps.take(declaration).await {
            // What is done by now is as declared, and left alone.
            Err(error) if attempt < ATTEMPTS && error.is_overtaken() => {}
            done => {
                done?;
                break;
            }
        }
    }
    Ok(steps.report)
}

/// Applies the configured file now, and again at each SIGHUP for as long as the server lives. Then a file with faults
/// changes nothing.
pub(crate) async fn follow(app: &Data<App>, file: &Path) -> Result<(), DeclareError> {
    // Listened for before anything is applied: until then the signal would end the process.
    let hangups = signal(SignalKind::hangup());
    log_changes(app, file).await?;
    let mut hangups = match hangups {
        Ok(hangups) => hangups,
        Err(error) => {
            log::warn!("SIGHUP can't be listened for ({error}): the declared file is applied at the next start");
            return Ok(());
        }
    };
    let (held, file) = (Arc::downgrade(&app.clone().into_inner()), file.to_owned());
    actix_rt::spawn(async move {
        while hangups.recv().await.is_some() {
            let Some(app) = held.upgrade() else { return };
            if let Err(error) = log_changes(&app, &file).await {
                log::error!("declare: {error}");
            }
        }
    });
    Ok(())
}

async fn log_changes(app: &App, file: &Path) -> Result<(), DeclareError> {
    for change in apply(app, &read(file)?, Options::default(), &Author::declaration()).await?.changes {
        log::info!("declared: {change}");
    }
    Ok(())
}

impl Report {
    fn note(&mut self, action: Action, kind: Kind, name: &str, generated: Option<Secret>) {
        self.changes.push(Change { action, kind, name: name.to_owned(), generated });
    }
}

/// Everything that is wrong with a declaration.
async fn faults(app: &App, declaration: &Declaration, options: Options) -> Result<Vec<String>, StoreError> {
    let mut faults = Vec::new();
    let mut known: BTreeSet<&str> = declaration.scopes.iter().map(|scope| scope.name.as_str()).collect();
    let registry = app.scopes.registry().await?;
    if !options.prune {
        known.extend(registry.iter().map(|scope| scope.name.as_str()));
    }
    repeated("scope", declaration.scopes.iter().map(|scope| scope.name.as_str()), &mut faults);
    repeated("client", declaration.clients.iter().map(|client| client.client_id.as_str()), &mut faults);
    repeated("user", declaration.users.iter().map(|user| user.username.as_str()), &mut faults);
    for scope in &declaration.scopes {
        faults.extend(scope.faults().into_iter().map(|fault| format!("scope {:?}: {fault}", scope.name)));
    }
    for client in &declaration.clients {
        let mut fault = |told: String| faults.push(format!("client {}: {told}", client.client_id));
        let unknown: Vec<&str> = client.metadata.scope.iter().filter(|scope| !known.contains(scope)).collect();
        if !unknown.is_empty() {
            fault(format!("scope: {} is not declared", unknown.join(", ")));
        }
        if let Some(short) = accounts::short_lived(app, &client.metadata) {
            fault(short.to_string());
        }
        match (client.metadata.clone().declare(client.client_id.clone(), 0), &client.client_secret) {
            (Err(list), _) => list.iter().for_each(|one| fault(one.to_string())),
            (Ok(made), Some(_)) if made.is_public() => fault("client_secret: a public client has none".to_owned()),
            (Ok(_), Some(secret)) => {
                if let Err(told) = generated_secret(secret, 0) {
                    fault(told.to_string());
                }
            }
            (Ok(made), None) => {
                if !made.is_public() && !options.generate && app.clients.read(&client.client_id).await?.is_none() {
                    fault("client_secret: is needed, as nobody is there to be told a generated one".to_owned());
                }
            }
        }
    }
    let has_successor = declaration.users.iter().any(|user| user.roles.iter().any(|role| role == ADMIN));
    for declared in &declaration.users {
        let mut fault = |told: String| faults.push(format!("user {}: {told}", declared.username));
        if let Err(told) = user::username(&declared.username) {
            fault(told.to_string());
        }
        if let Err(told) = accounts::check_roles(&declared.roles) {
            fault(told.to_string());
        }
        let before = app.users.find_by_username(&declared.username).await?;
        let is_new = before.is_none();
        let steps_down = !declared.roles.iter().any(|role| role == ADMIN) && !has_successor;
        if let Some(before) = before.filter(|_| steps_down)
            && app.users.is_last_admin(&before).await?
        {
            fault(format!("roles: is the last one with the role {ADMIN}; give it to another one first"));
        }
        match &declared.password {
            Some(password) => {
                if let Err(told) = app.passwords.check_new(password, &declared.username) {
                    fault(told.to_string());
                }
            }
            None if is_new && !options.generate => {
                fault("password: is needed, as nobody is there to be told a generated one".to_owned());
            }
            None => {}
        }
    }
    Ok(faults)
}

fn repeated<'a>(kind: &str, names: impl Iterator<Item = &'a str>, faults: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    faults.extend(names.filter(|name| !seen.insert(*name)).map(|name| format!("{kind} {name}: is declared twice")));
}
