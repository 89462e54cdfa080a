//! The app on a real socket between a real authorization server and a real API.

pub mod api;
pub mod auth_server;
pub mod browser;

use std::path::PathBuf;

use oauth_client::Config;
use shared::Secret;
use shared::serve::{Server, Tls};
use shared::store::StoreUrl;
use tempfile::TempDir;

pub use self::api::Api;
pub use self::auth_server::{AuthServer, CLIENT, SECRET};
pub use self::browser::{Browser, Page};

pub struct World {
    pub auth: AuthServer,
    pub api: Api,
    pub app: Server,
    pub address: String,
    pub config: Config,
    pub folder: TempDir,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let auth = AuthServer::start().await;
        Self::beside(auth, change).await
    }

    pub async fn beside(auth: AuthServer, change: impl FnOnce(&mut Config)) -> Self {
        let api = Api::start(&auth).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            issuer: auth.issuer.clone(),
            api: api.url.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: Some(Secret::new(SECRET)),
            scopes: "people:read people:write countries:read".parse().unwrap(),
            schema_endpoint: Some("schema".to_owned()),
            store: StoreUrl::Sqlite(folder.path().join("client.db")),
            master_key: folder.path().join("client.key"),
            dev: true,
            ..Config::default()
        };
        config.server.tls = Tls::Switch(false);
        config.server.workers = 2;
        change(&mut config);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        if config.origin.ends_with(":5000") {
            config.origin.clone_from(&address);
        }
        let app = oauth_client::start(config.clone(), listener).await.unwrap();
        Self { auth, api, app, address, config, folder }
    }

    /// Another process of the same app on the same store.
    pub async fn twin(&self) -> (Server, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        (oauth_client::start(self.config.clone(), listener).await.unwrap(), address)
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&self.address)
    }

    pub async fn signed_in(&self) -> Browser {
        let mut browser = self.browser();
        browser.sign_in().await;
        browser
    }

    pub fn store_file(&self) -> PathBuf {
        self.folder.path().join("client.db")
    }
}
