//! Accounts and clients of another server, taken over (H-010).
//!
//! A [`Source`] gives documents, `sentinel` says what they mean, and this file writes them. Another place to read from is one
//! more file beside `json_lines` and `mongo`.

mod json_lines;
mod mongo;
mod sentinel;

use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use shared::clock;
use shared::oauth::Scopes;
use shared::random::random_id;
use shared::store::StoreError;

use crate::app::App;
use crate::audit::{Author, Event, EventKind};
use crate::client::{Client, ClientSecret, SecretForm};
use crate::config::LONGEST_FLOOR;
use crate::passwords::Busy;
use crate::user::User;

pub use json_lines::JsonLines;
pub use mongo::Database;
pub use sentinel::{ImportedClient, ImportedUser};

/// Documents written at the same time: they share commits.
const AT_ONCE: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{place}: {source}")]
    File { place: String, source: std::io::Error },
    /// Where documents come from can't be read.
    #[error("{place}: {source}")]
    Source { place: String, source: StoreError },
    #[error(
        "the database {0} has neither users nor clients: name Flask-Sentinel's database in the URL, as in mongodb://host/oauth"
    )]
    NothingThere(String),
    #[error("scope: {0} is not known here: declare it by `scope set`")]
    UnknownScope(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// A document as a source gives it, in MongoDB's extended JSON.
pub struct Found {
    /// Where it is, for the report.
    pub place: String,
    /// The error says why it can't be read.
    pub document: Result<Value, String>,
}

/// Where documents come from.
pub trait Source {
    fn next(&mut self) -> impl Future<Output = Result<Option<Found>, ImportError>>;
}

/// What an import is to do.
pub struct Options {
    /// Only tell.
    pub dry_run: bool,
    /// What imported clients may ask for.
    pub scopes: Scopes,
}

/// What became of the documents of one kind.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub imported: u64,
    /// They are here already, from an earlier import.
    pub existing: u64,
    pub skipped: Vec<Told>,
    /// What is not as it was there.
    pub notes: Vec<Told>,
    /// Imported accounts whose hash takes too long to check here (decisions 24).
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_at_sign_in: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something to tell of one document.
#[derive(Debug, Serialize)]
pub struct Told {
    pub place: String,
    /// The user name or client id, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub reason: String,
}

enum Outcome {
    Imported,
    Existing,
    Skipped(String),
}

/// Takes accounts over. What is here already is left alone, so that importing again changes nothing.
pub async fn users(
    app: &App,
    source: &mut impl Source,
    options: &Options,
    progress: impl Fn(u64),
) -> Result<Report, ImportError> {
    let mut report = Report::default();
    let mut done = 0;
    loop {
        let mut batch = Vec::new();
        while batch.len() < AT_ONCE
            && let Some(found) = source.next().await?
        {
            let read = found.document.and_then(|document| ImportedUser::read(&document));
            match read {
                Ok(mut user) => {
                    let slow = too_slow(app, &user.user);
                    user.notes.extend(slow.clone());
                    batch.push((found.place, user, slow.is_some()));
                }
                Err(reason) => report.skipped.push(Told { place: found.place, name: None, reason }),
            }
        }
        if batch.is_empty() {
            return finished(app, report, "users", options).await;
        }
        done += batch.len() as u64;
        let writes = batch.into_iter().map(|(place, ImportedUser { user, notes }, slow)| async move {
            let outcome = write_user(app, &user, options.dry_run).await;
            (place, user.username, notes, slow, outcome)
        });
        let written: Vec<_> = futures_util::stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        for (place, name, notes, slow, outcome) in written {
            let outcome = outcome?;
            report.refused_at_sign_in += u64::from(slow && matches!(outcome, Outcome::Imported));
            report.add(place, name, notes, outcome);
        }
        progress(done);
    }
}

/// Takes clients over.
pub async fn clients(
    app: &App,
    source: &mut impl Source,
    options: &Options,
    progress: impl Fn(u64),
) -> Result<Report, ImportError> {
    let registry = app.scopes.registry().await?;
    if let Some(unknown) = options.scopes.iter().find(|name| registry.get(name).is_none()) {
        return Err(ImportError::UnknownScope(unknown.to_owned()));
    }
    let mut report = Report::default();
    let mut done = 0;
    while let Some(found) = source.next().await? {
        let read = found.document.and_then(|document| ImportedClient::read(&document, &options.scopes));
        match read {
            Ok(ImportedClient { client, secret, notes }) => {
                let name = client.id.clone();
                let outcome = write_client(app, client, secret, options.dry_run).await?;
                report.add(found.place, name, notes, outcome);
            }
            Err(reason) => report.skipped.push(Told { place: found.place, name: None, reason }),
        }
        done += 1;
        progress(done);
    }
    finished(app, report, "clients", options).await
}

impl Report {
    fn add(&mut self, place: String, name: String, notes: Vec<String>, outcome: Outcome) {
        match outcome {
            Outcome::Imported => {
                self.imported += 1;
                let told = |reason| Told { place: place.clone(), name: Some(name.clone()), reason };
                self.notes.extend(notes.into_iter().map(told));
            }
            Outcome::Existing => self.existing += 1,
            Outcome::Skipped(reason) => self.skipped.push(Told { place, name: Some(name), reason }),
        }
    }
}

/// The log knows of it (F-062).
async fn finished(app: &App, report: Report, what: &str, options: &Options) -> Result<Report, ImportError> {
    if !options.dry_run && report.imported > 0 {
        let event = Event::new(EventKind::Imported).by(&Author::command_line()).reason(what);
        app.audit.record(event.detail(json!({ "imported": report.imported }))).await?;
    }
    Ok(report)
}

/// What to tell of an account that can't sign in, as its hash takes longer to check than a failed sign-in may (decisions 24).
fn too_slow(app: &App, user: &User) -> Option<String> {
    let time = app.passwords.time_over_floor(user.password_hash.as_deref()?)?;
    let floor = app.config.passwords.failure_floor;
    let takes =
        format!("its hash takes about {} ms to check here, passwords.failure_floor is {floor}", time.as_millis());
    let way_out = if time <= LONGEST_FLOOR {
        let enough = (time.as_millis() / 50 + 1) * 50;
        format!("raise that to {} on the server that signs people in", enough.min(LONGEST_FLOOR.as_millis()))
    } else {
        "give this account a new password".to_owned()
    };
    Some(format!("can't sign in: {takes}; {way_out}"))
}

async fn write_user(app: &App, user: &User, dry_run: bool) -> Result<Outcome, ImportError> {
    if app.users.find(&user.id).await?.is_some() {
        return Ok(Outcome::Existing);
    }
    let taken = || Outcome::Skipped("another account has this user name".to_owned());
    if app.users.find_by_username(&user.username).await?.is_some() {
        return Ok(taken());
    }
    if dry_run {
        return Ok(Outcome::Imported);
    }
    match app.users.insert(user, &Author::command_line()).await {
        Ok(()) => Ok(Outcome::Imported),
        Err(StoreError::Conflict { .. }) => Ok(taken()),
        Err(error) => Err(error.into()),
    }
}

async fn write_client(
    app: &App,
    mut client: Client,
    secret: Option<shared::Secret>,
    dry_run: bool,
) -> Result<Outcome, ImportError> {
    if app.clients.read(&client.id).await?.is_some() {
        return Ok(Outcome::Existing);
    }
    if dry_run {
        return Ok(Outcome::Imported);
    }
    if let Some(secret) = secret {
        // Who knows how random it is: hashed like a password (B-030).
        let form = SecretForm::Argon2id(app.passwords.hash(secret).await?);
        let (id, created_at) = (random_id(""), clock::now());
        client.secrets.push(ClientSecret { id, form, created_at, until: None });
    }
    app.clients.insert(&client, &Author::command_line()).await?;
    Ok(Outcome::Imported)
}
