//! Evergate in one process: auth-server, resource-api and oauth-client on embedded stores, as they run in production; only
//! their configuration is made here.

mod configurations;
mod demo;
pub mod development_ca;
mod prepare;
mod settings;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use serde::Serialize;
use shared::config::ConfigError;
use shared::serve::{ServeError, Server};

use configurations::Configurations;

pub use configurations::auth_settings;
pub use demo::{CURL_CLIENT, Login, domain_path, reset as reset_demo};
pub use prepare::{Prepared, prepare};
pub use settings::{Part, StackSettings};

/// The three services, running.
pub struct Stack {
    servers: Vec<Server>,
    pub addresses: Addresses,
    /// The demo's accounts with their passwords, when this start made them.
    pub logins: Vec<Login>,
    pub ca: Option<PathBuf>,
}

/// Where the services are reached, without a slash at the end.
#[derive(Debug, Clone, Serialize)]
pub struct Addresses {
    pub client: String,
    pub auth: String,
    pub api: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Serve(#[from] ServeError),
    #[error("can't listen on {address}: {source} (is another evergate running?)")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{0}")]
    Certificates(#[from] development_ca::DevelopmentCaError),
    #[error("auth-server: {0}")]
    Auth(#[from] auth_server::StartError),
    #[error("resource-api: {0}")]
    Api(#[from] resource_api::StartError),
    #[error("oauth-client: {0}")]
    Client(#[from] oauth_client::StartError),
    #[error("signals can't be received: {0}")]
    Signals(std::io::Error),
    #[error("the demo can't be set up: {0}")]
    Demo(String),
}

impl Stack {
    /// Binds all three listeners first, so that every service's address is known to the others, then starts them.
    pub async fn start(settings: &StackSettings) -> Result<Self, StackError> {
        let client = bind(settings.client.listen(5000))?;
        let auth = bind(settings.auth.listen(5001))?;
        let api = bind(settings.api.listen(5002))?;
        let addresses = Addresses {
            client: settings.client.origin(address(&client)?),
            auth: settings.auth.origin(address(&auth)?),
            api: settings.api.origin(address(&api)?),
        };
        let certificates = configurations::certificates(settings)?;
        let made = Configurations::of(settings, &addresses, certificates.as_ref(), true);
        let domain = demo::prepare_files(settings, &addresses)?;
        let domain_scopes = configurations::scopes(&domain);
        let schemas = domain.settings.schema_endpoint.clone();

        let config = made.auth(address(&auth)?).read()?;
        let logins = demo::create_accounts(&config).await?;
        let mut servers = vec![auth_server::start(config, auth).await?];
        let config = made.api(address(&api)?).read()?;
        demo::load_documents(settings, &config, domain).await?;
        servers.push(resource_api::start(config, api).await?);
        let config = made.client(address(&client)?, &domain_scopes, schemas.as_deref()).read()?;
        servers.push(oauth_client::start(config, client).await?);
        let ca = certificates.map(|certificates| certificates.ca);
        Ok(Self { servers, addresses, logins, ca })
    }

    /// Lets running requests finish.
    pub async fn stop(self) {
        futures_util::future::join_all(self.servers.into_iter().map(Server::stop)).await;
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, StackError> {
    TcpListener::bind(address).map_err(|source| StackError::Listen { address, source })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StackError> {
    listener.local_addr().map_err(|source| StackError::File { path: "listener".to_owned(), source })
}
