//! resource-api: a REST CRUD API over documents, in the manner of Python's Eve, behind OAuth 2 bearer tokens.

pub mod app;
mod auth;
mod cli;
pub mod config;
pub mod domain;
mod endpoints;
mod error;
pub mod etag;
mod hooks;
mod introspection;
mod metadata;
pub mod migration;
mod preconditions;
pub mod query;
mod rate_limits;
pub mod representation;
mod routes;
pub mod store;
pub mod survey;
pub mod transfer;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web;
use shared::serve::{Ready, ServeError, Server, Service};
use shared::store::StoreError;
use url::Url;

pub use app::{App, AppError};
pub use cli::{Command, run};
pub use config::Config;
use domain::{Domain, DomainError};
pub use error::ApiError;
pub use store::NAME;
pub use transfer::{Import, ImportError, import};

/// Why the service doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Domain(#[from] DomainError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error("revocation_feed: {0}")]
    Feed(#[from] StoreError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the listener has no address: {0}")]
    Address(#[from] std::io::Error),
}

/// Reads the domain file, opens the store and serves on `listener`.
pub async fn start(config: Config, listener: TcpListener) -> Result<Server, StartError> {
    let (domain, faults) = routes::examine(&config.domain)?;
    if !faults.is_empty() {
        return Err(DomainError::Faults(faults).into());
    }
    start_with(config, domain, listener).await
}

/// The same with a domain that is read already.
pub async fn start_with(config: Config, domain: Domain, listener: TcpListener) -> Result<Server, StartError> {
    for warning in &domain.warnings {
        log::warn!("{warning}");
    }
    let app = web::Data::new(App::open(&config, domain, listener.local_addr()?).await?);
    if let Some(warning) = app.hooks.as_ref().and_then(hooks::Hooks::warning) {
        log::warn!("{warning}");
    }
    let documents = app.documents.clone();
    let ready: Ready = Arc::new(move || {
        let documents = documents.clone();
        Box::pin(async move { documents.ping().await.map_err(|error| error.to_string()) })
    });
    let following = app.gate.introspector().map(|introspector| introspector.follow(&config.revocation_feed));
    let hsts = Url::parse(&app.public_url).is_ok_and(|url| url.scheme() == "https" && !config::is_loopback(&url));
    let service = Service { name: "resource-api", ready, hsts, metrics: app.metrics.clone() };
    let serving = app.clone();
    let routes = move |services: &mut web::ServiceConfig| routes(services, &serving);
    let server = shared::serve::serve(listener, &config.server, service, routes)?;
    let following = following.transpose()?;
    Ok(server.finally(async move {
        drop(following);
        if let Some(hooks) = &app.hooks {
            hooks.drain().await;
        }
    }))
}

/// The metadata at their well-known place; all else is the API's own routing.
fn routes(services: &mut web::ServiceConfig, app: &web::Data<App>) {
    let metadata = app.metadata.clone();
    let document = move || {
        let metadata = metadata.clone();
        async move {
            actix_web::HttpResponse::Ok()
                .content_type("application/json")
                .insert_header(("Cache-Control", "public, max-age=300"))
                .body(metadata)
        }
    };
    services
        .app_data(app.clone())
        .route(&app.metadata_path, web::get().to(document.clone()))
        .route(&app.metadata_path, web::head().to(document))
        .default_service(web::to(endpoints::endpoint));
}
