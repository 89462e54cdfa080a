//! The parts that endpoints may use, put together once at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::expiring::{self, Expiring, ExpiringStore};
use shared::metrics::Metrics;
use shared::page::{Pages, PagesError};
use shared::seal::{KeyError, KeyRing};
use shared::session::Sessions;
use shared::store::{Sqlite, StoreError, StoreUrl};

use crate::audit::Audit;
use crate::authorize::transaction::Transaction;
use crate::browser::BrowserSession;
use crate::clients::Clients;
use crate::config::{Config, Lifetimes};
use crate::counts::Counts;
use crate::directory::{self, ConsentStore, NoteStore};
use crate::notices::Notices;
use crate::passwords::{BlocklistError, Passwords};
use crate::scopes::KnownScopes;
use crate::secret_uses::SecretUses;
use crate::sign_in::Attempts;
use crate::throttle::LocalLimit;
use crate::token::client_auth::Failures;
use crate::tokens::Tokens;
use crate::users::Users;

/// Everything a request may need. No globals: what is not here does not exist.
pub struct App {
    pub config: Config,
    pub users: Users,
    pub clients: Clients,
    pub scopes: KnownScopes,
    pub consents: Arc<dyn ConsentStore>,
    /// The versions of the store's tables, by component.
    pub schema: BTreeMap<String, i64>,
    /// What the server must remember of itself.
    pub notes: Arc<dyn NoteStore>,
    pub audit: Audit,
    pub tokens: Tokens,
    pub passwords: Passwords,
    pub sessions: Sessions<BrowserSession>,
    /// Authorization requests that wait for a person.
    pub transactions: Expiring<Transaction>,
    pub notices: Notices,
    pub pages: Pages,
    pub keys: KeyRing,
    /// Codes, grants, tokens, sessions, transactions, counters.
    pub state: Arc<dyn ExpiringStore>,
    /// When clients last used their secrets (B-031).
    pub secret_uses: SecretUses,
    /// Failed client authentications (B-036).
    pub client_failures: Failures,
    /// Failed sign-ins (F-040).
    pub attempts: Attempts,
    /// Sessions of new browsers and authorization requests, which strangers can leave in the store.
    pub openings: LocalLimit,
    /// What is told of it all, and the handles to count with.
    pub metrics: Metrics,
    pub counts: Counts,
}

/// Why the parts can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("master_key_file: {0}")]
    Key(#[from] KeyError),
    #[error("passwords.blocklist: {0}")]
    Blocklist(#[from] BlocklistError),
    #[error("templates: {0}")]
    Pages(#[from] PagesError),
}

impl App {
    /// Opens the stores; makes them, and the master key, where they are missing.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let StoreUrl::Sqlite(path) = &config.store else {
            let told = format!("{} can't hold the auth-server's data in this version", config.store.scheme());
            return Err(StoreError::Unavailable(told).into());
        };
        let metrics = Metrics::new(&config.metrics);
        let file = Sqlite::open(path)?;
        file.measure(&metrics);
        let directory = directory::on_sqlite(file.clone())?;
        let state = expiring::on_sqlite(file.clone())?;
        let schema = file.schema()?;
        let keys = KeyRing::load_or_create(&config.master_key_path())?;
        let pages = pages(&config)?;
        let lifetimes = &config.lifetimes;
        let sessions = Sessions::new(
            state.clone(),
            "browser_session",
            "as",
            config.secure_cookies(),
            Lifetimes::seconds(lifetimes.sso_idle),
            Lifetimes::seconds(lifetimes.sso_absolute),
        );
        let transactions = Expiring::new(state.clone(), "transaction", Lifetimes::seconds(lifetimes.transaction));
        let passwords = Passwords::open(&config.passwords, config.issuer.host(), &metrics)?;
        Ok(Self {
            users: Users::new(directory.users, directory.audit.clone(), state.clone(), passwords.clone()),
            clients: Clients::new(directory.clients, state.clone()),
            scopes: KnownScopes::new(directory.scopes),
            consents: directory.consents,
            notes: directory.notes,
            audit: Audit::new(directory.audit, state.clone(), Lifetimes::seconds(lifetimes.audit), &metrics),
            tokens: Tokens::new(state.clone(), keys.clone(), lifetimes.clone()),
            secret_uses: SecretUses::new(state.clone()),
            client_failures: Failures::new(&state),
            attempts: Attempts::new(state.clone(), keys.clone(), config.throttle.clone()),
            openings: LocalLimit::new(config.throttle.openings),
            counts: Counts::new(&metrics),
            schema,
            metrics,
            passwords,
            sessions,
            notices: Notices::new(state.clone()),
            transactions,
            pages,
            keys,
            state,
            config,
        })
    }
}

/// The templates in the binary, and those that replace them.
pub fn pages(config: &Config) -> Result<Pages, PagesError> {
    Pages::new(
        |environment| minijinja_embed::load_templates!(*environment),
        config.templates.as_deref(),
        &config.root(),
    )
}

/// An app on a store of its own, which goes with the folder.
#[cfg(test)]
pub(crate) fn for_test() -> (tempfile::TempDir, App) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = folder.path().join("auth.db");
    let config = format!("server.tls = false\nstore = 'sqlite:{}'", store.display());
    let config = shared::config::parse(&config).expect("the settings are good");
    let app = App::open(config).expect("a new store opens");
    (folder, app)
}
