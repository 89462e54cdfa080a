//! A web app that signs people in at an authorization server (code flow with PKCE), keeps their tokens sealed on the
//! server, and lets them work with an API's data in any browser.
//!
//! `routes` → an endpoint in `login`, `sign_out` or `resources` → `api` (bearer, through `refresh`) → a page.

mod account;
mod api;
mod app;
mod body;
mod cli;
mod config;
mod error;
mod forms;
mod login;
mod metadata;
mod provider;
mod refresh;
mod resources;
mod revocations;
mod routes;
mod sign_out;
mod target;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web::Data;
use shared::config::{ConfigError, Settings as _};
use shared::expiring;
use shared::http_client::{HttpClient, HttpClientError};
use shared::metrics::Metrics;
use shared::migration;
use shared::page::{Pages, PagesError};
use shared::seal::{KeyError, KeyRing};
use shared::serve::{self, ServeError, Server, Service};
use shared::store::StoreError;
use url::Url;

pub use cli::{Command, run};
pub use config::{Config, Lifetimes};

use crate::app::App;

/// The database, or the prefix of keys, where a store's URL names none.
pub const NAME: &str = "oauth_client";

/// Why the web app can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("master_key: {0}")]
    Key(#[from] KeyError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("http: {0}")]
    Http(#[from] HttpClientError),
    #[error("templates: {0}")]
    Pages(#[from] PagesError),
    #[error("server: {0}")]
    Serve(#[from] ServeError),
}

/// 135233 → 135,233.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Opens the store, builds the parts and serves on `listener`. The authorization server and the API need not be there
/// yet: pages say so until they are.
pub async fn start(config: Config, listener: TcpListener) -> Result<Server, StartError> {
    let mut faults = config.faults();
    let api = Url::parse(&config.api).map_err(|error| faults.push(format!("api: {error}")));
    let (Ok(api), true) = (api, faults.is_empty()) else {
        return Err(ConfigError { origin: "configuration".to_owned(), faults }.into());
    };
    let keys = KeyRing::load_or_create(&config.master_key)?;
    keys.follow(config.master_key.clone());
    let store = expiring::open(&config.store, NAME).await?;
    if let Some(mark) = migration::mark_among_entries(&*store).await? {
        return Err(mark.refusal().into());
    }
    let http = HttpClient::new(&config.http)?;
    let pages = Pages::new(
        |environment| {
            minijinja_embed::load_templates!(*environment);
            environment.add_filter("thousands", thousands);
        },
        config.templates.as_deref(),
        "",
    )?;
    let server = config.server.clone();
    let metrics = Metrics::new(&config.metrics);
    let hsts = config.secure() && !config.on_loopback();
    let app = Arc::new(App::new(config, pages, keys, store, http, api));
    provider::keep_fresh(&app);
    revocations::keep_trying(&app);
    let ready = app.clone();
    let service = Service {
        name: "oauth-client",
        ready: Arc::new(move || {
            let app = ready.clone();
            Box::pin(async move { app.ready().await.map_err(|error| error.to_string()) })
        }),
        hsts,
        metrics,
    };
    let app = Data::from(app);
    Ok(serve::serve(listener, &server, service, move |routes| routes::configure(routes, &app))?)
}
