//! Where connections of other prefixes than `MONGO` lead: `<PREFIX>_URI`, or `<PREFIX>_HOST` and its kin (contract 2.1).

use std::fmt::Write as _;

use bson::{Bson, Document};
use indexmap::IndexMap;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shared::Secret;

use super::section::{Section, natural};
use crate::domain::connections::{Connections, MAIN};

/// What names a connection that no resource does: with AUTH_MONGO_PREFIX_CLAIM callers may.
const PLACES: [&str; 3] = ["_URI", "_HOST", "_DBNAME"];
/// Options of Python's driver that say nothing to a server.
const OF_PYTHON: [&str; 6] =
    ["connect", "tz_aware", "uuidRepresentation", "document_class", "type_registry", "unicode_decode_error_handler"];

/// `prefixes`: those of resources, as they are written.
pub fn read(top: &Section<'_>, mut prefixes: Vec<String>, claim: Option<String>) -> Connections {
    if claim.is_some() {
        let named = top.keys().filter_map(|key| PLACES.iter().find_map(|place| key.strip_suffix(place)));
        prefixes.extend(named.filter(|prefix| !prefix.is_empty()).map(str::to_owned));
    }
    let mut written: IndexMap<String, String> = IndexMap::new();
    let mut connections = Connections { named: IndexMap::new(), claim };
    for prefix in prefixes {
        let name = prefix.to_ascii_uppercase();
        match written.get(&name) {
            _ if name == MAIN => {}
            Some(known) if *known == prefix => {}
            Some(known) => top.fault(&prefix, format!("differs from the prefix {known} in its capitals alone")),
            None => {
                connections.named.insert(name.clone(), Place { top, prefix: &prefix }.url());
                written.insert(name, prefix);
            }
        }
    }
    connections
}

/// The settings of one prefix.
struct Place<'a> {
    top: &'a Section<'a>,
    prefix: &'a str,
}

impl<'a> Place<'a> {
    fn url(&self) -> Option<Secret> {
        let concern = self.value("WRITE_CONCERN");
        if concern.is_some() {
            self.top.warn(&self.key("WRITE_CONCERN"), "ignored: every write is durable");
        }
        self.value("CONNECT");
        let (uri, database) = (self.text("URI"), self.text("DBNAME"));
        let (host, port) = (self.text("HOST"), self.value("PORT"));
        let (user, password) = (self.text("USERNAME"), self.text("PASSWORD"));
        let options = self.options();
        let secret = password.map(|_| "PASSWORD").or(uri.filter(|uri| uri.contains('@')).map(|_| "URI"));
        if let Some(secret) = secret {
            self.top
                .warn(&self.key(secret), "passwords are better kept by the service's own configuration, under stores");
        }
        if let Some(uri) = uri {
            return Some(Secret::new(with_database(uri, database)));
        }
        let (None, None) = (host, database) else {
            let Some(database) = database else {
                self.top.fault(&self.key("DBNAME"), "is missing: the connection needs a database");
                return None;
            };
            let mut url = "mongodb://".to_owned();
            match (user, password) {
                (Some(user), Some(password)) => url = format!("{url}{}:{}@", encoded(user), encoded(password)),
                (None, None) => {}
                _ => self.top.fault(&self.key("USERNAME"), "needs a password, and a password a name"),
            }
            url.push_str(host.unwrap_or("localhost"));
            if host.is_none_or(|host| !host.contains([':', ','])) {
                let port = match port {
                    None => 27017,
                    Some(port) => natural(port).filter(|port| (1..=65535).contains(port)).unwrap_or_else(|| {
                        self.top.fault(&self.key("PORT"), "must be a port");
                        27017
                    }),
                };
                url = format!("{url}:{port}");
            }
            url = format!("{url}/{}", encoded(database));
            for (number, (name, value)) in options.iter().enumerate() {
                let _ = write!(url, "{}{name}={value}", if number == 0 { '?' } else { '&' });
            }
            return Some(Secret::new(url));
        };
        None
    }

    fn options(&self) -> Vec<(String, String)> {
        let mut options = Vec::new();
        for (suffix, name) in
            [("AUTH_SOURCE", "authSource"), ("AUTH_MECHANISM", "authMechanism"), ("REPLICA_SET", "replicaSet")]
        {
            options.extend(self.text(suffix).map(|text| (name.to_owned(), encoded(text))));
        }
        let pairs = |members: &Document| -> String {
            let pair = |(name, value): (&String, &Bson)| format!("{name}:{}", value.as_str().unwrap_or_default());
            members.iter().map(pair).collect::<Vec<_>>().join(",")
        };
        match self.value("AUTH_MECHANISM_PROPERTIES") {
            None => {}
            Some(Bson::String(text)) => options.push(("authMechanismProperties".to_owned(), encoded(text))),
            Some(Bson::Document(members)) => {
                options.push(("authMechanismProperties".to_owned(), encoded(&pairs(members))));
            }
            Some(_) => self.top.fault(&self.key("AUTH_MECHANISM_PROPERTIES"), "must be a text or a mapping"),
        }
        match self.value("OPTIONS") {
            None => {}
            Some(Bson::Document(members)) => {
                for (name, value) in members.iter().filter(|(name, _)| !OF_PYTHON.contains(&name.as_str())) {
                    match value {
                        Bson::String(text) => options.push((name.clone(), encoded(text))),
                        Bson::Boolean(_) | Bson::Int32(_) | Bson::Int64(_) => {
                            options.push((name.clone(), value.to_string()));
                        }
                        _ => self
                            .top
                            .fault(&self.key("OPTIONS"), format!("'{name}' must be a text, a number, true or false")),
                    }
                }
            }
            Some(_) => self.top.fault(&self.key("OPTIONS"), "must be a mapping"),
        }
        options
    }

    fn key(&self, suffix: &str) -> String {
        format!("{}_{suffix}", self.prefix)
    }

    /// Null says nothing.
    fn value(&self, suffix: &str) -> Option<&'a Bson> {
        self.top.named(&self.key(suffix)).filter(|value| **value != Bson::Null)
    }

    fn text(&self, suffix: &str) -> Option<&'a str> {
        match self.value(suffix)? {
            Bson::String(text) => Some(text),
            _ => {
                self.top.fault(&self.key(suffix), "must be a string");
                None
            }
        }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The database of the URL wins over the one beside it.
fn with_database(uri: &str, database: Option<&str>) -> String {
    let (address, options) = uri.split_once('?').map_or((uri, None), |(address, options)| (address, Some(options)));
    let (scheme, rest) = address.split_once("://").unwrap_or(("mongodb", address));
    let (hosts, named) = rest.split_once('/').unwrap_or((rest, ""));
    let database = match (named, database) {
        ("", Some(database)) => encoded(database),
        (named, _) => named.to_owned(),
    };
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{scheme}://{hosts}/{database}{options}")
}
