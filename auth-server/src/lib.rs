//! The authorization server: signs people in, asks for their consent, and issues, describes and revokes tokens.
//!
//! One request goes one way: `routes` → an endpoint → its parsed request → rules (`grant`, `client`, `scope`, …) → stores →
//! the answer.

mod account;
pub mod accounts;
pub mod app;
pub mod audit;
mod authorize;
mod backup;
mod bearer;
mod browser;
mod browser_form;
mod cli;
pub mod client;
pub mod client_metadata;
pub mod clients;
pub mod config;
pub mod consent;
mod counts;
pub mod declare;
pub mod directory;
mod discovery;
mod endings;
mod error;
mod error_page;
mod form;
pub mod grant;
mod home;
mod import;
mod introspect;
mod login;
mod logout;
mod management;
pub mod migration;
mod notices;
pub mod origin;
pub mod passwords;
mod pkce;
mod purpose;
pub mod redirect_uri;
pub mod resource;
mod revocations;
mod revoke;
mod routes;
pub mod scope;
pub mod scopes;
mod secret_uses;
mod setup;
pub mod sign_in;
mod start_notes;
mod state;
mod throttle;
mod times;
mod token;
pub mod tokens;
pub mod user;
pub mod users;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web::Data;
use shared::metrics::{Metrics, MetricsConfig};
use shared::serve::{self, ServeError, Server, Service};
use shared::store::{Redis, StoreUrl};

pub use app::{App, NAME, OpenError};
pub use cli::{Arguments, run};
pub use config::Config;
use declare::DeclareError;
use revocations::{channel, feed};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("declare: {0}")]
    Declare(#[from] DeclareError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Opens the stores and serves on `listener`.
pub async fn start(config: Config, listener: TcpListener) -> Result<Server, StartError> {
    Ok(serve(prepare(config).await?, listener)?)
}

/// Opens the stores, notes the start, and brings what is declared into being.
async fn prepare(config: Config) -> Result<Data<App>, StartError> {
    let app = Data::new(App::open(config).await?);
    start_notes::note(&app).await.map_err(OpenError::from)?;
    endings::settle(&app).await.map_err(OpenError::from)?;
    if let Some(file) = &app.config.declare {
        declare::follow(&app, file).await?;
    }
    Ok(app)
}

/// Serves an opened [`App`].
pub fn serve(app: Data<App>, listener: TcpListener) -> Result<Server, ServeError> {
    let config = app.config.clone();
    if config.password_grant {
        log::warn!("the password grant is on: passwords pass through the clients that opted in (RFC 9700 2.4)");
    }
    if config.server.clients_share_an_address() {
        log::warn!(
            "server.behind_tls_proxy is on and server.trusted_proxies is empty: all clients seem to come from the proxy's \
             address, so that one who guesses passwords makes all others wait; name the proxy in trusted_proxies"
        );
    }
    app.keys.follow(config.master_key_path());
    endings::follow(&app);
    tell_of_revocations(&app);
    let state = app.state.durable().clone();
    let ready: serve::Ready = Arc::new(move || {
        let state = state.clone();
        Box::pin(async move { state.ping().await.map_err(|error| error.to_string()) })
    });
    // HSTS on a loopback host would bind every other service of the machine (decisions 15).
    let hsts = config.issuer.is_https() && !config.issuer.is_loopback();
    let console = match config.console_server() {
        None => None,
        Some(server) => {
            let service = Service {
                name: "the console",
                ready: ready.clone(),
                hsts,
                metrics: Metrics::new(&MetricsConfig::default()),
            };
            let routes = routes::configure(app.clone(), routes::Part::Console);
            Some(serve::serve(serve::bind(&server)?, &server, service, routes)?)
        }
    };
    let part = if config.management.enabled && console.is_none() { routes::Part::All } else { routes::Part::Public };
    let service = Service { name: "auth-server", ready, hsts, metrics: app.metrics.clone() };
    let server = serve::serve(listener, &config.server, service, routes::configure(app.clone(), part))?;
    let feed = app.feed.clone();
    Ok(server.at_stop(move || feed.close()).finally(async move {
        if let Some(console) = console {
            console.stop().await;
        }
        app.audit.flush().await;
    }))
}

/// In the Redis that all servers share, where there is one, beside the answers to those who follow.
fn tell_of_revocations(app: &App) {
    feed::watch(&app.feed, &app.metrics);
    if let Some(StoreUrl::Redis(url)) = &app.config.ephemeral {
        match Redis::new(url, app::NAME) {
            Ok(redis) => channel::publish(&app.feed, redis),
            Err(error) => log::error!("revocations are not published: {error}"),
        }
    }
}
