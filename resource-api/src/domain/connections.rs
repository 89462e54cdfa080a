//! Which of several databases a resource's documents lie in: Eve's `mongo_prefix`. To everything but the stores a collection is
//! one name, which has its connection in it.

use std::borrow::Cow;

use indexmap::IndexMap;
use shared::Secret;

use super::Datasource;

/// The prefix of the service's own store.
pub const MAIN: &str = "MONGO";
/// Between a connection and the name of a collection, none of which has it.
const BETWEEN: char = '\0';

/// The connections of a domain beside the service's own store.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    /// By prefix in capitals; with a URL of MongoDB where the domain file itself says where it leads.
    pub named: IndexMap<String, Option<Secret>>,
    /// The claim that names the connection of whoever calls (contract 2.4, `set_mongo_prefix()`).
    pub claim: Option<String>,
}

/// A collection of this name in the database of a connection.
pub fn at(prefix: &str, name: &str) -> String {
    if prefix == MAIN { name.to_owned() } else { format!("{prefix}{BETWEEN}{name}") }
}

/// The connection, if it is not the service's own store, and the collection's name there.
pub fn parts(source: &str) -> (Option<&str>, &str) {
    match source.split_once(BETWEEN) {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, source),
    }
}

impl Datasource {
    /// A collection of the service's own in the same database, so that one commit may write to both.
    pub fn beside<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match parts(&self.source).0 {
            None => Cow::Borrowed(name),
            Some(prefix) => Cow::Owned(at(prefix, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_connection() {
        assert_eq!(parts("people"), (None, "people"));
        assert_eq!(parts(&at(MAIN, "people")), (None, "people"));
        assert_eq!(parts(&at("OTHER", "people")), (Some("OTHER"), "people"));
    }
}
