//! Making people and clients: the same rules for the console, the command line and declared files.

use shared::clock;
use shared::random::random_id;
use shared::store::StoreError;
use shared::{Secret, oauth::Scopes};
use zeroize::Zeroizing;

use crate::app::App;
use crate::audit::{Author, Event, EventKind};
use crate::client::Client;
use crate::client_metadata::{ClientMetadata, MetadataFault};
use crate::passwords::{Busy, WeakPassword};
use crate::user::{self, BadUsername, User};

/// What is known of a person to be.
pub struct NewUser {
    pub username: String,
    /// `None`: one is generated.
    pub password: Option<Secret>,
    pub roles: Vec<String>,
    /// The password serves for one sign-in, then a new one must be chosen (F-014).
    pub must_change: bool,
    /// It comes from a declared file.
    pub declared: bool,
}

/// A person as created.
pub struct CreatedUser {
    pub user: User,
    /// The generated password: it is stored as a hash only, so this is the one chance to hand it over.
    pub generated: Option<Secret>,
}

/// Why a person can't be created.
#[derive(Debug, thiserror::Error)]
pub enum NewUserFault {
    #[error(transparent)]
    Name(#[from] BadUsername),
    #[error("this user name is taken")]
    Taken,
    #[error(transparent)]
    Password(#[from] WeakPassword),
    #[error("{0:?} is no role: a role has 1 to 64 characters of a-z A-Z 0-9 - _ . :")]
    Role(String),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(StoreError),
}

impl NewUserFault {
    /// The input at fault; `None` for failures of ours.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            NewUserFault::Name(_) | NewUserFault::Taken => Some("username"),
            NewUserFault::Password(_) => Some("password"),
            NewUserFault::Role(_) => Some("roles"),
            NewUserFault::Busy(_) | NewUserFault::Store(_) => None,
        }
    }
}

/// Creates a person, or says what is wrong.
pub async fn create_user(app: &App, new: NewUser, by: &Author) -> Result<CreatedUser, NewUserFault> {
    let mut user = User::new(user::username(&new.username)?, clock::now());
    check_roles(&new.roles)?;
    user.roles = new.roles;
    user.must_change = new.must_change;
    user.declared = new.declared;
    let NewPassword { hash, generated } = hash_password(app, &user.username, new.password).await?;
    user.password_hash = Some(hash);
    match app.users.insert(&user, by).await {
        Ok(()) => {
            // What strangers tried in this name before it was anybody's is not to be held against its owner.
            app.attempts.forget(&user.username).await.map_err(NewUserFault::Store)?;
            Ok(CreatedUser { user, generated })
        }
        Err(StoreError::Conflict { .. }) => Err(NewUserFault::Taken),
        Err(error) => Err(NewUserFault::Store(error)),
    }
}

/// A password as it is stored.
pub struct NewPassword {
    pub hash: String,
    /// The password itself, where none was given.
    pub generated: Option<Secret>,
}

/// Checks and hashes the password somebody sets for the user of this name; `None`: one is generated.
pub async fn hash_password(app: &App, username: &str, password: Option<Secret>) -> Result<NewPassword, NewUserFault> {
    let (password, generated) = match password {
        Some(password) => {
            app.passwords.check_new(&password, username)?;
            (password, None)
        }
        None => {
            let generated = generate_password(app.config.passwords.minimum_length);
            (generated.clone(), Some(generated))
        }
    };
    Ok(NewPassword { hash: app.passwords.hash(password).await?, generated })
}

/// Opens an account that too many failures in a row closed (F-043), and forgets what makes its sign-ins wait. What can't be
/// noted isn't done (F-065). `false`: it was not closed.
pub async fn reopen(app: &App, user: &User, by: &Author) -> Result<bool, StoreError> {
    let closed = app.attempts.is_closed(&user.username).await?;
    app.audit.record(Event::new(EventKind::AccountReopened).by(by).subject(&user.id)).await?;
    app.attempts.forget(&user.username).await?;
    Ok(closed)
}

/// A role is a word: it travels in lists separated by spaces.
pub fn check_roles(roles: &[String]) -> Result<(), NewUserFault> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    match roles.iter().find(|role| !(1..=64).contains(&role.len()) || !role.bytes().all(legal)) {
        Some(bad) => Err(NewUserFault::Role(bad.clone())),
        None => Ok(()),
    }
}

/// 128 random bits or more, in characters that can be typed and pasted everywhere.
pub fn generate_password(least: usize) -> Secret {
    let mut text = Zeroizing::new(String::with_capacity(least + 22));
    while text.len() < least.max(1) {
        text.push_str(&Zeroizing::new(random_id("")));
    }
    Secret::new(std::mem::take(&mut *text))
}

/// Why a client can't be created or changed.
#[derive(Debug, thiserror::Error)]
pub enum NewClientFault {
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Metadata(Vec<MetadataFault>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Registers a client under a new id; the secret, if it has one, is told this once (B-030).
pub async fn create_client(
    app: &App,
    metadata: ClientMetadata,
    by: &Author,
) -> Result<(Client, Option<Secret>), NewClientFault> {
    let mut unfit: Vec<MetadataFault> = unknown_scopes(app, &metadata.scope).await?.into_iter().collect();
    unfit.extend(short_lived(app, &metadata));
    let (client, secret) = match metadata.register(clock::now()) {
        Ok(registered) if unfit.is_empty() => registered,
        Ok(_) => return Err(NewClientFault::Metadata(unfit)),
        Err(faults) => return Err(NewClientFault::Metadata(faults.into_iter().chain(unfit).collect())),
    };
    app.clients.insert(&client, by).await?;
    Ok((client, secret))
}

/// Scopes come from the registry: the fault names those that are not there.
pub async fn unknown_scopes(app: &App, scopes: &Scopes) -> Result<Option<MetadataFault>, StoreError> {
    let registry = app.scopes.registry().await?;
    let unknown: Vec<&str> = scopes.iter().filter(|name| registry.get(name).is_none()).collect();
    Ok((!unknown.is_empty()).then(|| MetadataFault {
        field: "scope",
        message: format!(
            "{} is not known here: declare it by `scope set`, in the console, or in a file for `apply`",
            unknown.join(", ")
        ),
    }))
}

/// Tokens that live for less than a minute are for development only (decisions 16).
pub fn short_lived(app: &App, metadata: &ClientMetadata) -> Option<MetadataFault> {
    let short = !app.config.dev && metadata.access_ttl.is_some_and(|ttl| (1..60).contains(&ttl));
    short.then(|| MetadataFault { field: "access_ttl", message: "must be at least 60 seconds".to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app;

    #[test]
    fn a_generated_password_is_long_enough_and_new_each_time() {
        assert_eq!(generate_password(15).expose().len(), 22);
        assert!(generate_password(60).expose().len() >= 60);
        assert!(!generate_password(15).matches(generate_password(15).expose()));
    }

    /// Decisions 16 on the bounds of table 0.2: with `dev`, a client's tokens may live for a second.
    #[actix_rt::test]
    async fn only_in_development_may_a_clients_tokens_live_for_a_second() {
        let (_folder, mut app) = app::for_test();
        let metadata = |seconds| ClientMetadata {
            client_name: "Shop".to_owned(),
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            access_ttl: Some(seconds),
            ..ClientMetadata::default()
        };
        for (dev, seconds, good) in [(false, 1, false), (false, 60, true), (true, 1, true), (true, 0, false)] {
            app.config.dev = dev;
            assert_eq!(
                create_client(&app, metadata(seconds), &Author::server()).await.is_ok(),
                good,
                "{dev} {seconds}"
            );
        }
    }

    #[test]
    fn a_role_is_one_word() {
        let check = |role: &str| check_roles(&[role.to_owned()]).is_ok();
        assert!(check("admin") && check("people:editor"));
        assert!(!check("") && !check("two words") && !check("ä") && !check(&"x".repeat(65)));
    }
}
