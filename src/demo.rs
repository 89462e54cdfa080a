//! What the stack has to show at its first start: an API with data, two accounts, three clients.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use auth_server::accounts::{self, NewUser, generate_password};
use auth_server::audit::Author;
use resource_api::domain::Domain;
use resource_api::query::Find;
use serde::Serialize;
use shared::random::random_token;
use toml::{Table, Value};

use crate::{Addresses, StackError, StackSettings};

/// The client app's id at the auth-server.
pub const APP_CLIENT: &str = "c_app";
/// resource-api's id, for introspection.
pub const API_CLIENT: &str = "c_api";
/// A public client for the command line, with the password grant.
pub const CURL_CLIENT: &str = "c_curl";

const DOMAIN: &str = include_str!("../examples/domain.toml");
/// In this order: works refer to people.
const DOCUMENTS: [(&str, &str); 4] = [
    ("countries", include_str!("../examples/countries.ndjson")),
    ("cities", include_str!("../examples/cities.ndjson")),
    ("people", include_str!("../examples/people.ndjson")),
    ("works", include_str!("../examples/works.ndjson")),
];
const ACCOUNTS: [(&str, &[&str], &str); 2] =
    [("demo", &[], "signs in to the app"), ("admin", &["admin"], "manages users and clients in the console")];

/// An account whose password was just made; it is stored as a hash only.
#[derive(Serialize)]
pub struct Login {
    pub username: String,
    pub password: String,
    /// What the account is for.
    pub what: &'static str,
}

/// The stack's domain file.
pub fn domain_path(settings: &StackSettings) -> PathBuf {
    settings.domain.clone().unwrap_or_else(|| settings.data.join("domain.toml"))
}

pub(crate) fn declaration_path(data: &Path) -> PathBuf {
    data.join("declared.toml")
}

pub(crate) fn secret_path(data: &Path, client: &str) -> PathBuf {
    data.join("secrets").join(client)
}

/// Says that the example documents were put in once.
fn loaded_path(data: &Path) -> PathBuf {
    data.join("examples-loaded")
}

/// Makes the domain file, the clients' secrets and their declaration; the first two only where they are missing.
pub(crate) fn prepare_files(settings: &StackSettings, addresses: &Addresses) -> Result<Domain, StackError> {
    let data = &settings.data;
    let secrets = data.join("secrets");
    std::fs::create_dir_all(&secrets).map_err(fault(&secrets))?;
    if settings.domain.is_none() {
        create_new(&domain_path(settings), DOMAIN, 0o644)?;
    }
    for client in [APP_CLIENT, API_CLIENT] {
        create_new(&secret_path(data, client), &random_token(""), 0o600)?;
    }
    let domain = resource_api::domain::load(&domain_path(settings)).map_err(resource_api::StartError::Domain)?;
    let path = declaration_path(data);
    std::fs::write(&path, declaration(data, addresses, &domain)).map_err(fault(&path))?;
    Ok(domain)
}

/// The scopes of the API and the stack's own clients, as `auth-server apply` reads them.
fn declaration(data: &Path, addresses: &Addresses, domain: &Domain) -> String {
    let scopes = domain.scopes();
    let all = scopes.iter().map(|scope| scope.scope.as_str()).collect::<Vec<_>>().join(" ");
    let table = |members: &[(&str, Value)]| {
        Value::Table(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let text = |text: &str| Value::from(text);
    let list = |items: &[&str]| Value::Array(items.iter().map(|item| Value::from(*item)).collect());
    let secret = |client| table(&[("file", Value::from(secret_path(data, client).display().to_string()))]);
    let scopes = scopes.iter().map(|scope| table(&[("name", text(&scope.scope)), ("text", text(&scope.text))]));
    let app = table(&[
        ("client_id", text(APP_CLIENT)),
        ("client_name", text("Evergate")),
        ("client_uri", text(&addresses.client)),
        ("client_secret", secret(APP_CLIENT)),
        ("redirect_uris", list(&[&format!("{}/callback", addresses.client)])),
        ("grant_types", list(&["authorization_code", "refresh_token"])),
        ("scope", text(&all)),
        ("default_scope", text(&all)),
    ]);
    let api = table(&[
        ("client_id", text(API_CLIENT)),
        ("client_name", text("resource-api")),
        ("client_secret", secret(API_CLIENT)),
        ("grant_types", list(&[])),
        ("introspects", list(&[&addresses.api])),
    ]);
    let curl = table(&[
        ("client_id", text(CURL_CLIENT)),
        ("client_name", text("Command line")),
        ("token_endpoint_auth_method", text("none")),
        ("grant_types", list(&["password", "refresh_token"])),
        ("scope", text(&all)),
        ("default_scope", text(&all)),
        ("first_party", Value::from(true)),
    ]);
    let mut declared = Table::new();
    declared.insert("scopes".to_owned(), Value::Array(scopes.collect()));
    declared.insert("clients".to_owned(), Value::Array(vec![app, api, curl]));
    format!(
        "# Made anew at each start of `evergate run`; declare your own in another file, with `evergate auth apply`.\n\n{declared}"
    )
}

/// Makes the demo's accounts if there is no account yet.
pub(crate) async fn create_accounts(config: &auth_server::Config) -> Result<Vec<Login>, StackError> {
    let app = open(config).await?;
    let page = auth_server::directory::Page { limit: 1, ..Default::default() };
    let anybody = app.users.list(&page).await.map_err(told)?;
    let mut logins = Vec::new();
    if anybody.is_empty() {
        for (username, roles, what) in ACCOUNTS {
            let new = NewUser {
                username: username.to_owned(),
                password: None,
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                must_change: false,
                declared: false,
            };
            let created = accounts::create_user(&app, new, &Author::server()).await.map_err(told)?;
            let password = created.generated.map(|password| password.expose().to_owned()).unwrap_or_default();
            logins.push(Login { username: username.to_owned(), password, what });
        }
    }
    Ok(logins)
}

/// Gives the demo's accounts new passwords, which ends their sessions and grants; makes an account that is gone.
pub async fn reset(settings: &StackSettings) -> Result<Vec<Login>, StackError> {
    let config = shared::config::parse(&crate::auth_settings(settings))?;
    let first = create_accounts(&config).await?;
    if !first.is_empty() {
        return Ok(first);
    }
    let app = open(&config).await?;
    let mut logins = Vec::new();
    for (username, _, what) in ACCOUNTS {
        let Some(mut user) = app.users.find_by_username(username).await.map_err(told)? else { continue };
        let password = generate_password(app.config.passwords.minimum_length);
        user.password_hash = Some(app.passwords.hash(password.clone()).await.map_err(told)?);
        let replaced = app.users.replace(&user, &Author::command_line()).await.map_err(told)?;
        if replaced != auth_server::directory::Replaced::Done {
            return Err(told(format!("{username} was changed meanwhile: try again")));
        }
        logins.push(Login { username: username.to_owned(), password: password.expose().to_owned(), what });
    }
    Ok(logins)
}

/// Puts the example documents into resources that are empty, once in the life of the data.
pub(crate) async fn load_documents(
    settings: &StackSettings,
    config: &resource_api::Config,
    domain: Domain,
) -> Result<(), StackError> {
    let marker = loaded_path(&settings.data);
    if settings.domain.is_some() || marker.exists() {
        return Ok(());
    }
    let app =
        resource_api::App::open(config, domain, config.server.listen).await.map_err(resource_api::StartError::App)?;
    for (resource, lines) in DOCUMENTS {
        let Some(source) = app.domain.resource(resource).map(|resource| resource.datasource.source.clone()) else {
            continue;
        };
        let any = Find { limit: Some(1), ..Find::default() };
        if !app.documents.find(&source, &any).await.map_err(told)?.items.is_empty() {
            continue;
        }
        let done = resource_api::import(&app, resource, lines.as_bytes().lines()).await.map_err(told)?;
        for refused in &done.refused {
            log::warn!("example {resource}, line {}: {}", refused.line, refused.told());
        }
        log::info!("{} example documents in {resource}", done.inserted);
    }
    create_new(&marker, "", 0o644)
}

async fn open(config: &auth_server::Config) -> Result<auth_server::App, StackError> {
    auth_server::App::open(config.clone()).await.map_err(|error| auth_server::StartError::Open(error).into())
}

/// Writes a file that is not there yet.
fn create_new(path: &Path, text: &str, mode: u32) -> Result<(), StackError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(fault(path)),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(fault(path)(error)),
    }
}

fn fault(path: &Path) -> impl FnOnce(std::io::Error) -> StackError {
    let path = path.display().to_string();
    move |source| StackError::File { path, source }
}

fn told(error: impl std::fmt::Display) -> StackError {
    StackError::Demo(error.to_string())
}
