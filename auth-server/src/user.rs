//! People who sign in.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::expiring::Owner;
use shared::random::random_id;
use unicode_normalization::UnicodeNormalization as _;

/// The role that opens the management console (H-001).
pub const ADMIN: &str = "admin";

/// A person's account. The name may change, the id never does and is never used again.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    /// `u_…`; the `sub` of this person's tokens.
    pub id: String,
    /// As [`username`] returns it; unique.
    pub username: String,
    /// A PHC string (argon2id) or an imported bcrypt hash; without one nobody can sign in by password.
    pub password_hash: Option<String>,
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub disabled: bool,
    /// The password was set by an admin: to be changed before any code is issued (F-014).
    #[serde(default)]
    pub must_change: bool,
    /// From a declared file, so that `apply --prune` may take it out again.
    #[serde(default)]
    pub declared: bool,
    /// Epoch seconds.
    pub created_at: i64,
    /// How often it was written: a write must know the version it changes. Not part of the stored text.
    #[serde(skip)]
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 128 characters, no control characters, and no space at its ends")]
pub struct BadUsername;

impl User {
    /// A new account without a password.
    pub fn new(username: String, now: i64) -> Self {
        Self {
            id: random_id("u_"),
            username,
            password_hash: None,
            roles: Vec::new(),
            disabled: false,
            must_change: false,
            declared: false,
            created_at: now,
            version: 0,
        }
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    pub fn is_admin(&self) -> bool {
        self.has_role(ADMIN)
    }

    /// What made the stored hash: `argon2id`, `bcrypt`; `None` without a password.
    pub fn password_scheme(&self) -> Option<&str> {
        let name = self.password_hash.as_deref()?.trim_start_matches('$').split('$').next()?;
        Some(if name.starts_with('2') { "bcrypt" } else { name })
    }

    /// Whether this account can open the console: the store keeps at least one that can (H-008).
    pub fn is_acting_admin(&self) -> bool {
        self.is_admin() && !self.disabled
    }

    /// What the audit log tells of it: everything but the password (F-062).
    pub fn told(&self) -> Value {
        json!({
            "username": self.username,
            "roles": self.roles,
            "disabled": self.disabled,
            "must_change": self.must_change,
            "declared": self.declared,
        })
    }

    /// Under which this person's grants are found and revoked.
    pub fn grants_owner(&self) -> Owner {
        Owner::new("user", &self.id)
    }

    /// Under which this person's browser sessions are found and ended.
    pub fn sessions_owner(&self) -> Owner {
        Owner::new("sessions", &self.id)
    }

    /// Whether turning `before` into `self` takes something away that issued tokens may rest on (B-084).
    pub fn loses_rights_of(&self, before: &User) -> bool {
        let disabled = self.disabled && !before.disabled;
        disabled || before.roles.iter().any(|role| !self.has_role(role))
    }
}

/// A user name in the form it is stored and looked up: NFC.
pub fn username(text: &str) -> Result<String, BadUsername> {
    let name: String = text.nfc().collect();
    let legal = (1..=128).contains(&name.chars().count()) && !name.chars().any(char::is_control) && name.trim() == name;
    if legal { Ok(name) } else { Err(BadUsername) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_normalised_and_bare_of_controls_and_outer_spaces() {
        assert_eq!(username("rene\u{301}"), Ok("ren\u{e9}".to_owned()));
        for bad in ["", " a", "a ", "a\nb", "a\0", &"x".repeat(129)] {
            assert_eq!(username(bad), Err(BadUsername), "{bad:?}");
        }
    }

    /// B-084: losing a role or the account counts, gaining one doesn't.
    #[test]
    fn only_losing_rights_revokes() {
        let mut before = User::new("alice".to_owned(), 0);
        before.roles = vec!["editor".to_owned()];
        let mut after = before.clone();
        after.roles.push(ADMIN.to_owned());
        assert!(!after.loses_rights_of(&before));
        assert!(before.loses_rights_of(&after));
        after.disabled = true;
        assert!(after.loses_rights_of(&before));
    }
}
