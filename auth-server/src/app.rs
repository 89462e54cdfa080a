//! The parts that endpoints may use, put together once at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::expiring::{self, Expiring, ExpiringStore};
use shared::metrics::Metrics;
use shared::page::{Pages, PagesError};
use shared::seal::{KeyError, KeyRing};
use shared::session::Sessions;
use shared::store::{Mongo, Sqlite, StoreError, StoreUrl};

use crate::audit::Audit;
use crate::authorize::transaction::Transaction;
use crate::browser::BrowserSession;
use crate::clients::Clients;
use crate::config::{Config, Lifetimes};
use crate::counts::Counts;
use crate::directory::{self, ConsentStore, Directory, NoteStore};
use crate::migration;
use crate::notices::Notices;
use crate::passwords::{BlocklistError, Passwords};
use crate::revocations::feed::Feed;
use crate::scopes::KnownScopes;
use crate::secret_uses::SecretUses;
use crate::sign_in::Attempts;
use crate::state::State;
use crate::throttle::LocalLimit;
use crate::token::client_auth::Failures;
use crate::tokens::Tokens;
use crate::users::Users;

/// The database, and the prefix of keys, where a store's URL names none.
pub const NAME: &str = "auth_server";

/// Everything a request may need. No globals: what is not here does not exist.
pub struct App {
    pub config: Config,
    pub users: Users,
    pub clients: Clients,
    pub scopes: KnownScopes,
    pub consents: Arc<dyn ConsentStore>,
    /// The versions of the store's tables or collections, by component.
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
    /// What ends, told to those who follow.
    pub feed: Arc<Feed>,
    /// Codes, grants, tokens, sessions, transactions, counters.
    pub state: State,
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

/// What stands in the `store` of the settings.
struct Durable {
    directory: Directory,
    state: Arc<dyn ExpiringStore>,
    schema: BTreeMap<String, i64>,
}

/// Why the parts can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("store: accounts are kept in sqlite:PATH or mongodb://; redis:// is for `ephemeral`")]
    NoDirectory,
    #[error("master_key_file: {0}")]
    Key(#[from] KeyError),
    #[error("passwords.blocklist: {0}")]
    Blocklist(#[from] BlocklistError),
    #[error("templates: {0}")]
    Pages(#[from] PagesError),
}

impl App {
    /// Opens the stores; makes them, and the master key, where they are missing.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let metrics = Metrics::new(&config.metrics);
        let durable = match &config.store {
            StoreUrl::Sqlite(path) => {
                let file = Sqlite::open(path)?;
                file.measure(&metrics);
                Durable::on_sqlite(file)?
            }
            StoreUrl::Mongo(url) => Durable::on_mongo(Mongo::connect(url, NAME).await?).await?,
            StoreUrl::Redis(_) => return Err(OpenError::NoDirectory),
        };
        if let Some(mark) = migration::mark(&durable.directory).await? {
            return Err(mark.refusal().into());
        }
        let ephemeral = match &config.ephemeral {
            Some(url) => Some(expiring::open(url, NAME).await?),
            None => None,
        };
        Self::new(config, durable, ephemeral, metrics)
    }

    fn new(
        config: Config,
        durable: Durable,
        ephemeral: Option<Arc<dyn ExpiringStore>>,
        metrics: Metrics,
    ) -> Result<Self, OpenError> {
        let Durable { directory, state, schema } = durable;
        let state = State::new(state, ephemeral);
        let counting = state.counting();
        let keys = KeyRing::load_or_create(&config.master_key_path())?;
        let pages = pages(&config)?;
        let lifetimes = &config.lifetimes;
        let sessions = Sessions::new(
            state.durable().clone(),
            "browser_session",
            "as",
            config.secure_cookies(),
            Lifetimes::seconds(lifetimes.sso_idle),
            Lifetimes::seconds(lifetimes.sso_absolute),
        );
        let transaction = Lifetimes::seconds(lifetimes.transaction);
        let transactions = Expiring::new(state.ephemeral().clone(), "transaction", transaction);
        let passwords = Passwords::open(&config.passwords, config.issuer.host(), &metrics)?;
        Ok(Self {
            users: Users::new(directory.users, directory.audit.clone(), state.durable().clone(), passwords.clone()),
            clients: Clients::new(directory.clients, state.durable().clone()),
            scopes: KnownScopes::new(directory.scopes),
            consents: directory.consents,
            notes: directory.notes,
            audit: Audit::new(
                directory.audit,
                counting.ephemeral().clone(),
                Lifetimes::seconds(lifetimes.audit),
                &metrics,
            ),
            tokens: Tokens::new(state.clone(), keys.clone(), lifetimes.clone()),
            feed: Arc::new(Feed::new(state.durable().clone())),
            secret_uses: SecretUses::new(state.durable().clone()),
            client_failures: Failures::new(counting.ephemeral()),
            attempts: Attempts::new(counting, keys.clone(), config.throttle.clone()),
            openings: LocalLimit::new(config.throttle.openings),
            counts: Counts::new(&metrics),
            schema,
            metrics,
            passwords,
            sessions,
            notices: Notices::new(state.durable().clone()),
            transactions,
            pages,
            keys,
            state,
            config,
        })
    }
}

impl Durable {
    fn on_sqlite(file: Sqlite) -> Result<Self, StoreError> {
        let directory = directory::on_sqlite(file.clone())?;
        let state = expiring::on_sqlite(file.clone())?;
        Ok(Self { directory, state, schema: file.schema()? })
    }

    async fn on_mongo(mongo: Mongo) -> Result<Self, StoreError> {
        let directory = directory::on_mongo(mongo.clone()).await?;
        let state = expiring::on_mongo(mongo.clone()).await?;
        Ok(Self { directory, state, schema: mongo.schema().await? })
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
    let config: Config = shared::config::parse(&config).expect("the settings are good");
    let durable = Sqlite::open(store).and_then(Durable::on_sqlite).expect("a new store opens");
    let metrics = Metrics::new(&config.metrics);
    let app = App::new(config, durable, None, metrics).expect("the parts fit together");
    (folder, app)
}
