//! What a person has allowed a client to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::oauth::Scopes;

/// A remembered "Allow". One per user and client; a wider one replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub user: String,
    pub client: String,
    /// By resource: what was allowed at one says nothing of another.
    #[serde(default)]
    pub scopes_at: BTreeMap<String, Scopes>,
    /// Epoch seconds.
    pub given_at: i64,
}

impl Consent {
    /// Of a person who allowed the client nothing yet.
    pub fn none(user: &str, client: &str) -> Self {
        Self { user: user.to_owned(), client: client.to_owned(), scopes_at: BTreeMap::new(), given_at: 0 }
    }

    /// Whether a request for `scopes` at `resources` asks for nothing new: each scope at each resource.
    pub fn covers(&self, scopes: &Scopes, resources: &[String]) -> bool {
        resources.iter().all(|resource| self.scopes_at.get(resource).is_some_and(|allowed| scopes.within(allowed)))
    }

    /// Both together: what a person who allowed this before has now allowed. `now` in epoch seconds.
    pub fn widened(mut self, scopes: &Scopes, resources: &[String], now: i64) -> Self {
        for resource in resources {
            let allowed = self.scopes_at.entry(resource.clone()).or_default();
            *allowed = allowed.union(scopes);
        }
        self.given_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scopes(text: &str) -> Scopes {
        text.parse().unwrap()
    }

    fn at(resource: &str) -> [String; 1] {
        [resource.to_owned()]
    }

    /// a wider request asks again.
    #[test]
    fn a_consent_covers_what_it_names_and_nothing_else() {
        let consent = Consent::none("u_1", "c_1").widened(&scopes("a b"), &at("urn:x"), 0);
        assert!(consent.covers(&scopes("a"), &at("urn:x")));
        assert!(!consent.covers(&scopes("a c"), &at("urn:x")));
        assert!(!consent.covers(&scopes("a"), &at("urn:y")));
        assert!(!Consent::none("u_1", "c_1").covers(&scopes("a"), &at("urn:x")));
    }

    /// two answers are not mixed: what was allowed at one resource is not allowed at another.
    #[test]
    fn a_scope_allowed_at_one_resource_is_not_allowed_at_another() {
        let consent = Consent::none("u_1", "c_1").widened(&scopes("read"), &at("urn:x"), 0);
        let consent = consent.widened(&scopes("write"), &at("urn:y"), 1);
        assert!(consent.covers(&scopes("read"), &at("urn:x")) && consent.covers(&scopes("write"), &at("urn:y")));
        assert!(!consent.covers(&scopes("write"), &at("urn:x")));
        assert!(!consent.covers(&scopes("read"), &["urn:x".to_owned(), "urn:y".to_owned()]));
        let consent = consent.widened(&scopes("write"), &at("urn:x"), 2);
        assert!(consent.covers(&scopes("read write"), &at("urn:x")) && consent.given_at == 2);
    }
}
