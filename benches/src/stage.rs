//! What is measured: auth-server and resource-api as their release binaries, with documents in three collections.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use evergate::development_ca::{DevelopmentCertificates, ensure};
use openssl::base64::encode_block;
use serde_json::{Value, json};

use crate::Fault;
use crate::bare::WORKERS;
use crate::cities::Cities;
use crate::connection::{Connection, Target, trusting};
use crate::load::Request;
use crate::process::{Server, binary, free_address};

/// What tokens are for, whatever the address of the moment.
const RESOURCE: &str = "https://api.bench.localhost";
const SCOPE: &str = "cities:read cities:write places:read places:write arrivals:read arrivals:write";
/// Documents in one bulk POST while the collections are filled.
const BULK: usize = 5000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    Plain,
    Tls,
}

/// Files and clients, from the first start to the last.
pub struct Stage {
    folder: PathBuf,
    certificates: DevelopmentCertificates,
    /// As `Basic` credentials: the resource server's, and those of the client that gets tokens.
    pub api_client: String,
    pub token_client: String,
    api_secret: (String, String),
}

/// Both services, running.
pub struct Running {
    pub auth: Target,
    pub api: Target,
    pub auth_id: u32,
    pub api_id: u32,
    pub token: String,
    servers: [Server; 2],
}

impl Stage {
    /// Makes configurations, certificates and clients in `folder`.
    pub fn new(folder: &Path) -> Result<Self, Fault> {
        let certificates = ensure(&folder.join("certs"), &[])?;
        std::fs::write(folder.join("domain.json"), serde_json::to_vec_pretty(&domain())?)?;
        let mut stage = Self {
            folder: folder.to_owned(),
            certificates,
            api_client: String::new(),
            token_client: String::new(),
            api_secret: Default::default(),
        };
        stage.write_auth_config(Transport::Plain, free_address()?)?;
        stage.api_secret = stage.create_client(&json!({
            "client_name": "API",
            "grant_types": ["client_credentials"],
            "introspects": [RESOURCE],
        }))?;
        let token_client = stage.create_client(&json!({
            "client_name": "Load",
            "grant_types": ["client_credentials"],
            "scope": SCOPE,
            "default_scope": SCOPE,
        }))?;
        let basic =
            |(id, secret): &(String, String)| format!("Basic {}", encode_block(format!("{id}:{secret}").as_bytes()));
        (stage.api_client, stage.token_client) = (basic(&stage.api_secret), basic(&token_client));
        Ok(stage)
    }

    /// Starts both services and gets a token.
    pub async fn start(&self, transport: Transport) -> Result<Running, Fault> {
        let (auth_address, api_address) = (free_address()?, free_address()?);
        let auth_config = self.write_auth_config(transport, auth_address)?;
        let api_config = self.write_api_config(transport, api_address, auth_address)?;
        let serve = |name: &str, config: &Path| {
            let log = self.folder.join(format!("{name}.log"));
            Server::start(Command::new(binary(name)?).args(["serve", "--config"]).arg(config), &log)
        };
        let tls = match transport {
            Transport::Plain => None,
            Transport::Tls => Some(trusting(&self.certificates.ca)?),
        };
        let auth = Target { address: auth_address, tls: tls.clone() };
        let api = Target { address: api_address, tls };
        let mut servers = [serve("auth-server", &auth_config)?, serve("resource-api", &api_config)?];
        servers[0].ready(&auth).await?;
        servers[1].ready(&api).await?;
        let (_, body) = self.token_request().once(&mut Connection::open(&auth).await?).await?;
        let token = text(&serde_json::from_slice(&body)?, "access_token")?;
        let [auth_id, api_id] = [servers[0].id(), servers[1].id()];
        Ok(Running { auth, api, auth_id, api_id, token, servers })
    }

    /// What gives files to a bare server that speaks as the services do.
    pub fn bare_arguments(&self, transport: Transport, command: &mut Command) {
        if transport == Transport::Tls {
            command.arg("--certificate").arg(&self.certificates.certificate).arg("--key").arg(&self.certificates.key);
        }
    }

    pub fn token_request(&self) -> Request {
        let headers = [("authorization", &*self.token_client), ("content-type", "application/x-www-form-urlencoded")];
        Request::new("POST", "/oauth/token", &headers, "grant_type=client_credentials", 200)
    }

    pub fn introspection_request(&self, token: &str) -> Request {
        let headers = [("authorization", &*self.api_client), ("content-type", "application/x-www-form-urlencoded")];
        Request::new("POST", "/oauth/introspect", &headers, &format!("token={token}"), 200)
    }

    /// The id and secret of a new client.
    fn create_client(&self, metadata: &Value) -> Result<(String, String), Fault> {
        let mut command = Command::new(binary("auth-server")?);
        command.args(["client", "create", "--config"]).arg(self.folder.join("auth.toml"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().ok_or("no input")?.write_all(metadata.to_string().as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}", output.status).into());
        }
        let created: Value = serde_json::from_slice(&output.stdout)?;
        Ok((text(&created, "client_id")?, text(&created, "client_secret")?))
    }

    fn server_section(&self, transport: Transport, listen: SocketAddr) -> String {
        let tls = match transport {
            Transport::Plain => "false".to_owned(),
            Transport::Tls => format!(
                "{{ certificate = {:?}, key = {:?} }}",
                self.certificates.certificate.display().to_string(),
                self.certificates.key.display().to_string()
            ),
        };
        format!("[server]\nlisten = \"{listen}\"\ntls = {tls}\nworkers = {WORKERS}\n")
    }

    fn write_auth_config(&self, transport: Transport, listen: SocketAddr) -> Result<PathBuf, Fault> {
        let text = format!(
            "issuer = {:?}\ndefault_resource = {RESOURCE:?}\nstore = \"sqlite:{}\"\ndev = true\n{}\n[lifetimes]\naccess = 86400\n",
            origin(transport, listen),
            self.folder.join("auth.db").display(),
            self.server_section(transport, listen),
        );
        self.write("auth.toml", &text)
    }

    fn write_api_config(&self, transport: Transport, listen: SocketAddr, auth: SocketAddr) -> Result<PathBuf, Fault> {
        let (id, secret) = &self.api_secret;
        let text = format!(
            "domain = {:?}\nstore = \"sqlite:{}\"\nresource = {RESOURCE:?}\nissuer = {:?}\nclient_id = {id:?}\nclient_secret = {secret:?}\n\
             {}\n[http]\nca = {:?}\n",
            self.folder.join("domain.json").display().to_string(),
            self.folder.join("api.db").display(),
            origin(transport, auth),
            self.server_section(transport, listen),
            self.certificates.ca.display().to_string(),
        );
        self.write("api.toml", &text)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Fault> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

impl Running {
    /// Fills `cities` with 10,000 documents and `places` with all, the 200 that rows look for among both.
    pub async fn fill(&self, cities: &Cities) -> Result<(), Fault> {
        let mut connection = Connection::open(&self.api).await?;
        for (resource, documents) in [("/cities", &cities.few()), ("/places", &cities.all())] {
            for bulk in documents.chunks(BULK) {
                let body = format!("[{}]", bulk.join(","));
                let headers = [("authorization", &*self.bearer()), ("content-type", "application/json")];
                Request::new("POST", resource, &headers, &body, 201).once(&mut connection).await?;
            }
        }
        Ok(())
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub fn stop(self) -> Result<(), Fault> {
        self.servers.into_iter().try_for_each(Server::stop)
    }
}

fn origin(transport: Transport, address: SocketAddr) -> String {
    match transport {
        Transport::Plain => format!("http://{address}"),
        Transport::Tls => format!("https://{address}"),
    }
}

/// A member that must be a text.
pub fn text(value: &Value, member: &str) -> Result<String, Fault> {
    let text = value.get(member).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("{member} is missing in {value}").into())
}

/// Three resources of one shape: 10,000 documents, all of them, and those that the POST row adds.
fn domain() -> Value {
    let resource = json!({
        "mongo_indexes": { "country": [["country", 1]] },
        "schema": {
            "geonameid": { "type": "integer", "unique": true, "required": true },
            "name": { "type": "string", "minlength": 1, "maxlength": 200, "required": true },
            "country": { "type": "string", "minlength": 2, "maxlength": 2, "required": true },
            "admin1": { "type": "string", "nullable": true },
            "feature": { "type": "string" },
            "population": { "type": "integer", "min": 0 },
            "location": { "type": "point" },
        },
    });
    json!({
        "RESOURCE_METHODS": ["GET", "POST"],
        "ITEM_METHODS": ["GET"],
        "DOMAIN": { "cities": resource, "places": resource, "arrivals": resource },
    })
}
