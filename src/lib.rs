//! Evergate in one process: auth-server, resource-api and oauth-client on embedded stores, as they run in production; only
//! their configuration is made here.

mod demo;
pub mod development_ca;
mod settings;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde::Serialize;
use shared::config::ConfigError;
use shared::serve::{ServeError, Server};
use toml::Table;

pub use demo::{CURL_CLIENT, Login, reset as reset_demo};
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
        let parts = [&settings.client, &settings.auth, &settings.api];
        let certificates = if parts.iter().any(|part| part.tls) {
            let names: Vec<&str> = parts.iter().filter_map(|part| part.host.as_deref()).collect();
            Some(development_ca::ensure(&settings.certs, &names)?)
        } else {
            None
        };
        let ground = Ground { settings, addresses: &addresses, certificates: certificates.as_ref() };
        let domain = demo::prepare_files(settings, &addresses)?;
        let scopes = domain.scopes().into_iter().map(|scope| scope.scope).collect::<Vec<_>>().join(" ");
        let schemas = domain.settings.schema_endpoint.clone();

        let config = ground.auth_config(address(&auth)?)?;
        let logins = demo::create_accounts(&config).await?;
        let mut servers = vec![auth_server::start(config, auth).await?];
        let config = ground.api_config(address(&api)?)?;
        demo::load_documents(settings, &config, domain).await?;
        servers.push(resource_api::start(config, api).await?);
        let config = ground.client_config(address(&client)?, &scopes, schemas.as_deref())?;
        servers.push(oauth_client::start(config, client).await?);
        let ca = certificates.map(|certificates| certificates.ca);
        Ok(Self { servers, addresses, logins, ca })
    }

    /// Lets running requests finish.
    pub async fn stop(self) {
        futures_util::future::join_all(self.servers.into_iter().map(Server::stop)).await;
    }
}

/// The auth-server's settings for work on the stack's store while nothing is served, as TOML.
pub fn auth_settings(settings: &StackSettings) -> String {
    let mut table = Table::new();
    table.insert("store".to_owned(), format!("sqlite:{}", settings.data.join("auth.db").display()).into());
    table.insert("dev".to_owned(), true.into());
    table.insert("server".to_owned(), Table::from_iter([("tls".to_owned(), false.into())]).into());
    merge(&mut table, &settings.auth.settings);
    table.to_string()
}

/// What the services' configurations are made of.
struct Ground<'s> {
    settings: &'s StackSettings,
    addresses: &'s Addresses,
    certificates: Option<&'s development_ca::DevelopmentCertificates>,
}

impl Ground<'_> {
    fn auth_config(&self, listen: SocketAddr) -> Result<auth_server::Config, StackError> {
        let data = &self.settings.data;
        let text = format!(
            "issuer = {issuer}\n default_resource = {api}\n store = {store}\n declare = {declare}\n password_grant = true\n dev = true\n",
            issuer = quoted(&self.addresses.auth),
            api = quoted(&self.addresses.api),
            store = sqlite(data, "auth.db"),
            declare = quoted(demo::declaration_path(data).display()),
        );
        self.read(&text, &self.settings.auth, listen)
    }

    fn api_config(&self, listen: SocketAddr) -> Result<resource_api::Config, StackError> {
        let data = &self.settings.data;
        let text = format!(
            "domain = {domain}\n store = {store}\n public_url = {api}\n issuer = {issuer}\n client_id = {id}\n\
             client_secret = {{ file = {secret} }}\n",
            domain = quoted(demo::domain_path(self.settings).display()),
            store = sqlite(data, "api.db"),
            api = quoted(&self.addresses.api),
            issuer = quoted(&self.addresses.auth),
            id = quoted(demo::API_CLIENT),
            secret = quoted(demo::secret_path(data, demo::API_CLIENT).display()),
        );
        self.read(&(text + &self.trust()), &self.settings.api, listen)
    }

    fn client_config(
        &self,
        listen: SocketAddr,
        scopes: &str,
        schemas: Option<&str>,
    ) -> Result<oauth_client::Config, StackError> {
        let data = &self.settings.data;
        let text = format!(
            "origin = {origin}\n issuer = {issuer}\n api = {api}\n resource = {api}\n store = {store}\n client_id = {id}\n\
             client_secret = {{ file = {secret} }}\n scopes = {scopes}\n master_key = {key}\n dev = true\n",
            origin = quoted(&self.addresses.client),
            issuer = quoted(&self.addresses.auth),
            api = quoted(&self.addresses.api),
            store = sqlite(data, "client.db"),
            id = quoted(demo::APP_CLIENT),
            secret = quoted(demo::secret_path(data, demo::APP_CLIENT).display()),
            scopes = quoted(scopes),
            key = quoted(data.join("client.key").display()),
        );
        let schemas = schemas.map_or_else(String::new, |path| format!("schema_endpoint = {}\n", quoted(path)));
        self.read(&(text + &schemas + &self.trust()), &self.settings.client, listen)
    }

    /// How a service reaches the others.
    fn trust(&self) -> String {
        match self.certificates {
            Some(certificates) => format!("http = {{ ca = {} }}\n", quoted(certificates.ca.display())),
            None => String::new(),
        }
    }

    /// The made text, the listener, and over both the settings given for the service.
    fn read<C: shared::config::Settings>(&self, text: &str, part: &Part, listen: SocketAddr) -> Result<C, StackError> {
        let tls = match self.certificates.filter(|_| part.tls) {
            Some(files) => format!(
                "{{ certificate = {}, key = {} }}",
                quoted(files.certificate.display()),
                quoted(files.key.display())
            ),
            None => "false".to_owned(),
        };
        let text = format!("{text}server = {{ listen = \"{listen}\", tls = {tls} }}\n");
        let mut table: Table = text.parse().map_err(|error| StackError::Demo(format!("made settings: {error}")))?;
        merge(&mut table, &part.settings);
        Ok(shared::config::parse(&table.to_string())?)
    }
}

fn merge(into: &mut Table, over: &Table) {
    for (key, value) in over {
        match (into.get_mut(key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(over)) => merge(into, over),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, StackError> {
    TcpListener::bind(address).map_err(|source| StackError::Listen { address, source })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StackError> {
    listener.local_addr().map_err(|source| StackError::File { path: "listener".to_owned(), source })
}

fn sqlite(data: &Path, file: &str) -> String {
    quoted(format!("sqlite:{}", data.join(file).display()))
}

/// As a TOML string.
fn quoted(text: impl std::fmt::Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}
