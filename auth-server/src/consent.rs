//! What a person has allowed a client to do.

use serde::{Deserialize, Serialize};
use shared::oauth::Scopes;

/// A remembered "Allow". One per user and client; a wider one replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub user: String,
    pub client: String,
    pub scopes: Scopes,
    pub resources: Vec<String>,
    /// Epoch seconds.
    pub given_at: i64,
}

impl Consent {
    /// Whether a request for `scopes` at `resources` asks for nothing new.
    pub fn covers(&self, scopes: &Scopes, resources: &[String]) -> bool {
        scopes.within(&self.scopes) && resources.iter().all(|resource| self.resources.contains(resource))
    }

    /// Both together: what a person who allowed this before has now allowed.
    pub fn widened(mut self, scopes: &Scopes, resources: &[String], now: i64) -> Self {
        self.scopes = self.scopes.union(scopes);
        for resource in resources {
            if !self.resources.contains(resource) {
                self.resources.push(resource.clone());
            }
        }
        self.given_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a wider request asks again.
    #[test]
    fn a_consent_covers_what_it_names_and_nothing_else() {
        let scopes = |text: &str| text.split(' ').collect::<Scopes>();
        let consent = Consent {
            user: "u_1".to_owned(),
            client: "c_1".to_owned(),
            scopes: scopes("a b"),
            resources: vec!["urn:x".to_owned()],
            given_at: 0,
        };
        assert!(consent.covers(&scopes("a"), &["urn:x".to_owned()]));
        assert!(!consent.covers(&scopes("a c"), &["urn:x".to_owned()]));
        assert!(!consent.covers(&scopes("a"), &["urn:y".to_owned()]));
        assert!(consent.widened(&scopes("c"), &["urn:y".to_owned()], 1).covers(&scopes("a c"), &["urn:y".to_owned()]));
    }
}
