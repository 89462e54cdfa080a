//! The configurations of the three services, made from the stack's settings.

use std::net::SocketAddr;
use std::path::Path;

use resource_api::domain::Domain;
use shared::config::Settings;
use toml::{Table, Value};

use crate::development_ca::{self, DevelopmentCertificates};
use crate::settings::Part;
use crate::{Addresses, StackError, StackSettings, demo};

/// What the services' configurations are made of.
pub(crate) struct Configurations<'s> {
    settings: &'s StackSettings,
    addresses: &'s Addresses,
    certificates: Option<&'s DevelopmentCertificates>,
    /// All three are on loopback, so that lifetimes may be short.
    dev: bool,
}

/// One service's configuration, as its file would hold it.
pub(crate) struct Made(pub Table);

impl Made {
    pub fn read<C: Settings>(&self) -> Result<C, StackError> {
        Ok(shared::config::parse(&self.0.to_string())?)
    }
}

/// The auth-server's settings for work on the stack's store while nothing is served, as TOML.
pub fn auth_settings(settings: &StackSettings) -> String {
    let mut table = Table::new();
    table.insert("store".to_owned(), sqlite(&settings.data, "auth.db"));
    table.insert("master_key_file".to_owned(), path(&settings.data.join("auth.key")));
    table.insert("dev".to_owned(), true.into());
    table.insert("server".to_owned(), Table::from_iter([("tls".to_owned(), false.into())]).into());
    merge(&mut table, &settings.auth.settings);
    table.to_string()
}

/// The development CA's certificates, where any service speaks TLS.
pub(crate) fn certificates(settings: &StackSettings) -> Result<Option<DevelopmentCertificates>, StackError> {
    let parts = [&settings.client, &settings.auth, &settings.api];
    if !parts.iter().any(|part| part.tls) {
        return Ok(None);
    }
    let names: Vec<&str> = parts.iter().filter_map(|part| part.host.as_deref()).collect();
    Ok(Some(development_ca::ensure(&settings.certs, &names)?))
}

/// Every scope of the domain, separated by spaces.
pub(crate) fn scopes(domain: &Domain) -> String {
    domain.scopes().into_iter().map(|scope| scope.scope).collect::<Vec<_>>().join(" ")
}

impl<'s> Configurations<'s> {
    pub fn of(
        settings: &'s StackSettings,
        addresses: &'s Addresses,
        certificates: Option<&'s DevelopmentCertificates>,
        dev: bool,
    ) -> Self {
        Self { settings, addresses, certificates, dev }
    }

    pub fn auth(&self, listen: SocketAddr) -> Made {
        let data = &self.settings.data;
        let table = table([
            ("issuer", text(&self.addresses.auth)),
            ("default_resource", text(&self.addresses.api)),
            ("store", sqlite(data, "auth.db")),
            ("master_key_file", path(&data.join("auth.key"))),
            ("declare", path(&demo::declaration_path(data))),
            ("password_grant", true.into()),
            ("dev", self.dev.into()),
        ]);
        self.completed(table, &self.settings.auth, listen)
    }

    pub fn api(&self, listen: SocketAddr) -> Made {
        let data = &self.settings.data;
        let table = table([
            ("domain", path(&demo::domain_path(self.settings))),
            ("store", sqlite(data, "api.db")),
            ("public_url", text(&self.addresses.api)),
            ("issuer", text(&self.addresses.auth)),
            ("client_id", text(demo::API_CLIENT)),
            ("client_secret", secret(data, demo::API_CLIENT)),
        ]);
        self.completed(self.trusting(table), &self.settings.api, listen)
    }

    pub fn client(&self, listen: SocketAddr, scopes: &str, schemas: Option<&str>) -> Made {
        let data = &self.settings.data;
        let mut table = table([
            ("origin", text(&self.addresses.client)),
            ("issuer", text(&self.addresses.auth)),
            ("api", text(&self.addresses.api)),
            ("resource", text(&self.addresses.api)),
            ("store", sqlite(data, "client.db")),
            ("client_id", text(demo::APP_CLIENT)),
            ("client_secret", secret(data, demo::APP_CLIENT)),
            ("scopes", text(scopes)),
            ("master_key", path(&data.join("client.key"))),
            ("dev", self.dev.into()),
        ]);
        table.extend(schemas.map(|path| ("schema_endpoint".to_owned(), text(path))));
        self.completed(self.trusting(table), &self.settings.client, listen)
    }

    /// With how a service reaches the others.
    fn trusting(&self, mut table: Table) -> Table {
        if let Some(certificates) = self.certificates {
            table.insert("http".to_owned(), self::table([("ca", path(&certificates.ca))]).into());
        }
        table
    }

    /// With the listener, and over all of it the settings given for the service.
    fn completed(&self, mut made: Table, part: &Part, listen: SocketAddr) -> Made {
        let tls = match self.certificates.filter(|_| part.tls) {
            Some(files) => table([("certificate", path(&files.certificate)), ("key", path(&files.key))]).into(),
            None => Value::from(false),
        };
        made.insert("server".to_owned(), table([("listen", text(listen)), ("tls", tls)]).into());
        merge(&mut made, &part.settings);
        Made(made)
    }
}

fn merge(into: &mut Table, over: &Table) {
    for (key, value) in over {
        match (into.get_mut(key), value) {
            (Some(Value::Table(into)), Value::Table(over)) if !over.contains_key("file") => merge(into, over),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn table<const N: usize>(members: [(&str, Value); N]) -> Table {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}

fn path(path: &Path) -> Value {
    text(path.display())
}

fn sqlite(data: &Path, file: &str) -> Value {
    text(format_args!("sqlite:{}", data.join(file).display()))
}

fn secret(data: &Path, client: &str) -> Value {
    table([("file", path(&demo::secret_path(data, client)))]).into()
}
