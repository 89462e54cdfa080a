//! The registry of scopes: what may be asked for at all, and what each means in plain words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::oauth::Scopes;

use crate::user::User;

/// A scope this server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// A scope token of RFC 6749 3.3.
    pub name: String,
    /// One plain sentence for the consent page.
    pub text: String,
    /// Only people holding this role get the scope: never a machine, never by the password grant (B-066).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

impl Scope {
    /// What is wrong with it.
    pub fn faults(&self) -> Vec<&'static str> {
        let mut faults = Vec::new();
        if self.name.is_empty() || self.name.contains(' ') || self.name.parse::<Scopes>().is_err() {
            faults.push("is no scope token (RFC 6749 3.3)");
        }
        if self.text.trim().is_empty() {
            faults.push("needs a text that people understand");
        }
        faults
    }
}

/// The first few of `scopes`, cut, for an error's description: a developer finds the misspelt one at once (G-009).
pub fn told(scopes: &Scopes) -> String {
    let mut names: Vec<String> = scopes.iter().take(3).map(|name| name.chars().take(64).collect()).collect();
    if scopes.iter().count() > names.len() {
        names.push("others".to_owned());
    }
    names.join(", ")
}

/// All known scopes by name.
#[derive(Debug, Clone, Default)]
pub struct ScopeRegistry(BTreeMap<String, Scope>);

impl FromIterator<Scope> for ScopeRegistry {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(|scope| (scope.name.clone(), scope)).collect())
    }
}

impl ScopeRegistry {
    pub fn get(&self, name: &str) -> Option<&Scope> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.values()
    }

    /// Those of `scopes` that are not registered.
    pub fn unknown_of(&self, scopes: &Scopes) -> Scopes {
        scopes.iter().filter(|name| !self.0.contains_key(*name)).collect()
    }

    /// Whether every one of `scopes` is registered.
    pub fn knows(&self, scopes: &Scopes) -> bool {
        scopes.iter().all(|name| self.0.contains_key(name))
    }

    /// Those of `scopes` that `user` may hold: registered, and not bound to a role the user lacks (B-076).
    pub fn open_to(&self, user: &User, scopes: &Scopes) -> Scopes {
        self.filtered(scopes, |scope| scope.role.as_deref().is_none_or(|role| user.has_role(role)))
    }

    /// Those of `scopes` that need no role: what machines and the password grant can have (B-066, B-092).
    pub fn without_role(&self, scopes: &Scopes) -> Scopes {
        self.filtered(scopes, |scope| scope.role.is_none())
    }

    fn filtered(&self, scopes: &Scopes, keep: impl Fn(&Scope) -> bool) -> Scopes {
        scopes.iter().filter(|name| self.0.get(*name).is_some_and(&keep)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// X-033, B-066: unknown scopes are refused, role-bound ones belong to the people with that role.
    #[test]
    fn a_scope_bound_to_a_role_is_open_to_its_holders_only() {
        let scope = |name: &str, role: Option<&str>| Scope {
            name: name.to_owned(),
            text: "…".to_owned(),
            role: role.map(str::to_owned),
        };
        let registry: ScopeRegistry = [scope("read", None), scope("manage", Some("admin"))].into_iter().collect();
        let asked: Scopes = ["read", "manage"].into_iter().collect();
        let read: Scopes = ["read"].into_iter().collect();
        let mut user = User::new("alice".to_owned(), 0);
        assert!(registry.knows(&asked) && !registry.knows(&["Read"].into_iter().collect()));
        assert_eq!(registry.open_to(&user, &asked), read);
        user.roles.push("admin".to_owned());
        assert_eq!(registry.open_to(&user, &asked), asked);
        assert_eq!(registry.without_role(&asked), read);
    }
}
