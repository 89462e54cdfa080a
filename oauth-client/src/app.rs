//! The parts that endpoints use.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use shared::expiring::ExpiringStore;
use shared::http_client::HttpClient;
use shared::page::{Pages, Policy};
use shared::seal::KeyRing;
use shared::session::{Session, Sessions};
use shared::store::StoreError;
use url::Url;

use crate::account::{Account, Tokens, Vault, Visitor};
use crate::api::ResourceApi;
use crate::config::Config;
use crate::error::SiteError;
use crate::provider::Provider;
use crate::refresh::RefreshLocks;
use crate::revocations::Revocations;

/// How much longer a browser's pre-login session lasts than a login in it, in seconds: its idle time is renewed at most
/// once a minute.
const VISITOR_SLACK: u64 = 60;

pub struct App {
    pub config: Config,
    pub provider: Provider,
    pub api: ResourceApi,
    /// Browsers on their way to sign in (E-002): sealed [`Visitor`]s.
    pub visitors: Sessions<String>,
    pub accounts: Sessions<Account>,
    pub vault: Vault,
    pub locks: RefreshLocks,
    pub revocations: Revocations,
    pub store: Arc<dyn ExpiringStore>,
    pages: Pages,
    policy: Policy,
}

/// What the frame of every page needs, and the page's own data.
#[derive(Serialize)]
struct Frame<'a, R, T> {
    product: &'a str,
    /// Empty where nobody is signed in.
    csrf: &'a str,
    /// What forms carry to say whose they are (E-048); empty where that is not known.
    person: &'a str,
    resources: R,
    here: &'a str,
    #[serde(flatten)]
    data: T,
}

impl App {
    pub fn new(
        config: Config,
        pages: Pages,
        keys: KeyRing,
        store: Arc<dyn ExpiringStore>,
        http: HttpClient,
        api: Url,
    ) -> Self {
        let vault = Vault::new(keys);
        let secure = config.secure();
        let lifetimes = &config.lifetimes;
        let login = Duration::from_secs(lifetimes.login + VISITOR_SLACK);
        let (idle, absolute) =
            (Duration::from_secs(lifetimes.session_idle), Duration::from_secs(lifetimes.session_absolute));
        Self {
            provider: Provider::new(http.clone(), &config),
            api: ResourceApi::new(http, api),
            visitors: Sessions::new(store.clone(), "visitor", "login", secure, login, absolute.max(login)),
            accounts: Sessions::new(store.clone(), "account", "sid", secure, idle, absolute),
            locks: RefreshLocks::new(store.clone()),
            revocations: Revocations::new(store.clone(), vault.clone()),
            vault,
            store,
            pages,
            // The redirect after a sign-out's post may lead to the issuer (E-036).
            policy: Policy { form_action: issuer_origin(&config.issuer), script_nonce: None },
            config,
        }
    }

    /// The signed-in session of a request.
    pub async fn session(&self, request: &HttpRequest) -> Result<Session<Account>, SiteError> {
        self.accounts.load(request).await?.ok_or(SiteError::SignInNeeded)
    }

    /// A session's tokens; `None` once they are gone.
    pub fn tokens(&self, session: &Session<Account>) -> Option<Tokens> {
        session.data.tokens.as_deref().and_then(|sealed| self.vault.open(session.id(), sealed))
    }

    /// What a browser's pre-login session holds.
    pub fn visitor(&self, session: &Session<String>) -> Visitor {
        self.vault.open(session.id(), &session.data).unwrap_or_default()
    }

    /// A page for somebody who is not signed in, or of whom nothing is known.
    pub fn page(&self, status: StatusCode, template: &str, data: impl Serialize) -> HttpResponse {
        let frame = Frame { product: &self.config.title, csrf: "", person: "", resources: [(); 0], here: "", data };
        self.pages.respond(status, template, frame, &self.policy)
    }

    /// A page for somebody signed in; `resources` fill the navigation, `here` is the path of the current one.
    pub fn account_page(
        &self,
        status: StatusCode,
        template: &str,
        session: &Session<Account>,
        resources: impl Serialize,
        here: &str,
        data: impl Serialize,
    ) -> HttpResponse {
        let person = session.data.person.as_deref().unwrap_or_default();
        let frame = Frame { product: &self.config.title, csrf: session.csrf(), person, resources, here, data };
        self.pages.respond(status, template, frame, &self.policy)
    }

    pub fn style(&self) -> HttpResponse {
        self.pages.style()
    }

    pub fn style_path(&self) -> String {
        self.pages.style_path()
    }

    /// Whether what the app needs is there, for /readyz. The authorization server and the API are not asked: without them
    /// pages still say what is wrong.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

fn issuer_origin(issuer: &str) -> Vec<String> {
    Url::parse(issuer).map(|url| vec![url.origin().ascii_serialization()]).unwrap_or_default()
}
