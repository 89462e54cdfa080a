//! What is measured: auth-server and resource-api as their release binaries, with documents in several collections.

use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_util::future::try_join_all;
use openssl::base64::encode_block;
use serde_json::{Value, json};

use crate::Fault;
use crate::bare::WORKERS;
use crate::cities::Cities;
use crate::cluster::Cluster;
use crate::connection::{Connection, Target, trusting};
use crate::load::{CONNECTIONS, Request};
use crate::process::{Server, binary, free_address, run};

/// What tokens are for, whatever the address of the moment.
const RESOURCE: &str = "https://api.bench.localhost";
const SCOPE: &str = "cities:read places:read million:read countries:read arrivals:read arrivals:write";
/// Ids and secrets of the resource server and of the client that gets tokens; they live as long as a run.
const API_CLIENT: (&str, &str) = ("bench-api", "bench-api-secret-000000000000000000000000000000");
const LOAD_CLIENT: (&str, &str) = ("bench-load", "bench-load-secret-00000000000000000000000000000");
/// What the POST rows send.
pub const ARRIVAL: &str = r#"{"geonameid":{__serial},"name":"Ohrid","country":"MK","admin1":"72","feature":"PPLA","population":42033,"location":{"type":"Point","coordinates":[20.80163,41.11722]}}"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    Plain,
    Tls,
}

/// Files and accounts, from the first start to the last.
pub struct Stage {
    folder: PathBuf,
    /// Of `evergate certs`.
    certificates: PathBuf,
    /// `None`: each service has a file.
    cluster: Option<Cluster>,
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
    pub fn new(folder: &Path, cluster: Option<Cluster>) -> Result<Self, Fault> {
        let certificates = folder.join("certs");
        run(Command::new(binary("evergate")?).arg("certs").current_dir(folder).env("EVERGATE__CERTS", &certificates))?;
        std::fs::write(folder.join("domain.json"), serde_json::to_vec_pretty(&domain())?)?;
        let stage = Self { folder: folder.to_owned(), certificates, cluster };
        let scopes = run(Command::new(binary("resource-api")?).arg("scopes").arg(folder.join("domain.json")))?;
        let declaration = stage.write("declaration.toml", &(scopes + &clients()))?;
        let config = stage.write_auth_config(Transport::Plain, free_address()?)?;
        run(Command::new(binary("auth-server")?).arg("apply").arg(declaration).arg("--config").arg(config))?;
        Ok(stage)
    }

    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Starts both services and gets a token.
    pub async fn start(&self, transport: Transport) -> Result<Running, Fault> {
        let (auth_address, api_address) = (free_address()?, free_address()?);
        let auth_config = self.write_auth_config(transport, auth_address)?;
        let api_config = self.write_api_config(transport, api_address, auth_address)?;
        let serve = |name: &str, config: &Path| {
            Server::start(Command::new(binary(name)?).args(["serve", "--config"]).arg(config), &self.log(name))
        };
        let tls = match transport {
            Transport::Plain => None,
            Transport::Tls => Some(trusting(&self.certificates.join("ca.pem"))?),
        };
        let auth = Target { address: auth_address, tls: tls.clone() };
        let api = Target { address: api_address, tls };
        let mut servers = [serve("auth-server", &auth_config)?, serve("resource-api", &api_config)?];
        servers[0].ready(&auth).await?;
        servers[1].ready(&api).await?;
        let (_, body) = token_request().once(&mut Connection::open(&auth).await?).await?;
        let token = text(&serde_json::from_slice(&body)?, "access_token")?;
        let [auth_id, api_id] = [servers[0].id(), servers[1].id()];
        Ok(Running { auth, api, auth_id, api_id, token, servers })
    }

    /// What gives files to a bare server that speaks as the services do.
    pub fn bare_arguments(&self, transport: Transport, command: &mut Command) {
        if transport == Transport::Tls {
            let file = |name: &str| self.certificates.join(name);
            command.arg("--certificate").arg(file("server.pem")).arg("--key").arg(file("server.key"));
        }
    }

    fn server_section(&self, transport: Transport, listen: SocketAddr) -> String {
        let tls = match transport {
            Transport::Plain => "false".to_owned(),
            Transport::Tls => format!(
                "{{ certificate = {:?}, key = {:?} }}",
                self.certificates.join("server.pem").display().to_string(),
                self.certificates.join("server.key").display().to_string()
            ),
        };
        format!("[server]\nlisten = \"{listen}\"\ntls = {tls}\nworkers = {WORKERS}\n")
    }

    fn write_auth_config(&self, transport: Transport, listen: SocketAddr) -> Result<PathBuf, Fault> {
        let text = format!(
            "issuer = {:?}\ndefault_resource = {RESOURCE:?}\n{}dev = true\n{}trusted_proxies = [\"127.0.0.1\"]\n\
             [lifetimes]\naccess = 86400\n",
            origin(transport, listen),
            self.auth_stores(),
            self.server_section(transport, listen),
        );
        self.write("auth.toml", &text)
    }

    /// A configuration of the auth-server over plain http, where it listens, and where its metrics are.
    pub fn metered_auth(&self) -> Result<(PathBuf, Target, Target), Fault> {
        let (auth, metrics) = (free_address()?, free_address()?);
        let config = self.write_auth_config(Transport::Plain, auth)?;
        let text = std::fs::read_to_string(&config)? + &format!("[metrics]\nlisten = \"{metrics}\"\n");
        let at = |address| Target { address, tls: None };
        Ok((self.write("metered-auth.toml", &text)?, at(auth), at(metrics)))
    }

    /// A configuration of the auth-server over plain http under which nothing lives longer than so many seconds, and where
    /// it listens.
    pub fn short_lived_auth(&self, seconds: u64) -> Result<(PathBuf, Target), Fault> {
        let auth = free_address()?;
        let config = self.write_auth_config(Transport::Plain, auth)?;
        let text = std::fs::read_to_string(&config)?
            .replace("access = 86400", &format!("access = {seconds}\naudit = {seconds}"));
        Ok((self.write("short-lived-auth.toml", &text)?, Target { address: auth, tls: None }))
    }

    /// The auth-server's store.
    pub fn auth_file(&self) -> PathBuf {
        self.folder.join("auth.db")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    fn auth_stores(&self) -> String {
        match &self.cluster {
            None => format!("store = \"sqlite:{}\"\n", self.auth_file().display()),
            Some(cluster) => format!(
                "store = {:?}\nephemeral = {:?}\nmaster_key_file = {:?}\n",
                cluster.store("auth"),
                cluster.ephemeral(),
                self.file("auth.key").display().to_string()
            ),
        }
    }

    fn write_api_config(&self, transport: Transport, listen: SocketAddr, auth: SocketAddr) -> Result<PathBuf, Fault> {
        let (id, secret) = API_CLIENT;
        let text = format!(
            "domain = {:?}\nstore = {:?}\nresource = {RESOURCE:?}\nissuer = {:?}\nclient_id = {id:?}\nclient_secret = {secret:?}\n\
             {}\n[http]\nca = {:?}\n",
            self.folder.join("domain.json").display().to_string(),
            self.cluster.as_ref().map_or_else(
                || format!("sqlite:{}", self.folder.join("api.db").display()),
                |cluster| cluster.store("api")
            ),
            origin(transport, auth),
            self.server_section(transport, listen),
            self.certificates.join("ca.pem").display().to_string(),
        );
        self.write("api.toml", &text)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Fills `cities` with 10,000 documents, `places` with all and `million` with a million, the 200 that rows look for among
    /// each, and `countries` with what they refer to. Before the services start.
    pub fn fill(&self, cities: &Cities, no_million: bool) -> Result<(), Fault> {
        let config = self.write_api_config(Transport::Plain, free_address()?, free_address()?)?;
        let import = |resource: &str, write: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| -> Result<(), Fault> {
            let mut command = Command::new(binary("resource-api")?);
            command.args(["import", resource, "-", "--trust", "--config"]).arg(&config);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
            let mut input = BufWriter::new(child.stdin.take().ok_or("no input")?);
            write(&mut input)?;
            drop(input);
            if child.wait()?.success() { Ok(()) } else { Err(format!("the import of {resource} failed").into()) }
        };
        import("countries", &|out| cities.write_countries(out))?;
        import("cities", &|out| cities.write_few(out))?;
        if self.cluster.is_some() {
            return Ok(());
        }
        import("places", &|out| cities.write_all(out))?;
        if no_million { Ok(()) } else { import("million", &|out| cities.write_million(out)) }
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Fault> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

impl Running {
    /// Issues so many tokens, which live for as long as a run takes.
    pub async fn issue(&self, tokens: u64) -> Result<(), Fault> {
        let share = tokens.div_ceil(u64::from(CONNECTIONS));
        let connections = (0..CONNECTIONS).map(async |_| {
            let mut connection = Connection::open(&self.auth).await?;
            for _ in 0..share {
                token_request().once(&mut connection).await?;
            }
            Ok::<(), Fault>(())
        });
        try_join_all(connections).await.map(drop)
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub fn stop(self) -> Result<(), Fault> {
        self.servers.into_iter().try_for_each(Server::stop)
    }
}

/// The two clients as `auth-server apply` takes them.
fn clients() -> String {
    let client = |(id, secret): (&str, &str), more: &str| {
        format!(
            "[[clients]]\nclient_id = {id:?}\nclient_name = {id:?}\nclient_secret = {secret:?}\n\
             grant_types = [\"client_credentials\"]\n{more}\n"
        )
    };
    client(API_CLIENT, &format!("introspects = [{RESOURCE:?}]"))
        + &client(LOAD_CLIENT, &format!("scope = {SCOPE:?}\ndefault_scope = {SCOPE:?}"))
}

fn basic((id, secret): (&str, &str)) -> String {
    format!("Basic {}", encode_block(format!("{id}:{secret}").as_bytes()))
}

fn origin(transport: Transport, address: SocketAddr) -> String {
    match transport {
        Transport::Plain => format!("http://{address}"),
        Transport::Tls => format!("https://{address}"),
    }
}

/// A form of the client that gets tokens.
pub fn form_request(path: &str, form: &str) -> Request {
    let basic = basic(LOAD_CLIENT);
    let headers = [("authorization", &*basic), ("content-type", "application/x-www-form-urlencoded")];
    Request::new("POST", path, &headers, form, 200)
}

/// Asks for a machine token.
pub fn token_request() -> Request {
    form_request("/oauth/token", "grant_type=client_credentials")
}

/// Asks about a token as the resource server.
pub fn introspection_request(token: &str) -> Request {
    let basic = basic(API_CLIENT);
    let headers = [("authorization", &*basic), ("content-type", "application/x-www-form-urlencoded")];
    Request::new("POST", "/oauth/introspect", &headers, &format!("token={token}"), 200)
}

/// A member that must be a text.
pub fn text(value: &Value, member: &str) -> Result<String, Fault> {
    let text = value.get(member).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("{member} is missing in {value}").into())
}

/// Four resources of one shape: 10,000 documents, all of them, a million, and those that the POST rows add; and the countries
/// that the first three refer to.
fn domain() -> Value {
    let mut schema = json!({
        "geonameid": { "type": "integer", "unique": true, "required": true },
        "name": { "type": "string", "minlength": 1, "maxlength": 200, "required": true },
        "country": { "type": "string", "minlength": 2, "maxlength": 2, "required": true },
        "admin1": { "type": "string", "nullable": true },
        "feature": { "type": "string" },
        "population": { "type": "integer", "min": 0 },
        "location": { "type": "point" },
    });
    let resource = |schema: &Value| json!({ "mongo_indexes": { "country": [["country", 1]] }, "schema": schema });
    let arrivals = resource(&schema);
    schema["country"]["data_relation"] = json!({ "resource": "countries", "field": "iso", "embeddable": true });
    let places = resource(&schema);
    json!({
        "RESOURCE_METHODS": ["GET", "POST"],
        "ITEM_METHODS": ["GET"],
        "PAGINATION_LIMIT": 1000,
        "DOMAIN": {
            "cities": places, "places": places, "million": places, "arrivals": arrivals,
            "countries": { "schema": {
                "iso": { "type": "string", "unique": true },
                "name": { "type": "string" },
                "population": { "type": "integer" },
                "languages": { "type": "list", "schema": { "type": "string" } },
            } },
        },
    })
}
