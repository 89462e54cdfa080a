//! Applications that ask for tokens, and resource servers that ask about them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use shared::Secret;
use shared::expiring::Owner;
use shared::oauth::Scopes;
use shared::random::{random_id, random_token};
use subtle::ConstantTimeEq as _;

use crate::client_metadata::ClientMetadata;
use crate::redirect_uri::RedirectUri;
use crate::scope::{ScopeRegistry, told};

/// A registered client. Made and changed through [`crate::client_metadata::ClientMetadata`], which checks the rules.
#[derive(Clone, Serialize, Deserialize)]
pub struct Client {
    /// `c_…` when generated; imported and declared clients keep theirs. Never begins with `u_`.
    pub id: String,
    /// Shown on the consent page.
    pub name: String,
    /// The application's home page, for a way on from error pages.
    pub uri: Option<String>,
    /// `[None]` for public clients; otherwise any of the secret's two ways (B-024).
    pub auth_methods: Vec<AuthMethod>,
    /// Several may live at a time, so that a secret can be replaced without an outage.
    pub secrets: Vec<ClientSecret>,
    pub redirect_uris: Vec<RedirectUri>,
    pub grant_types: Vec<GrantType>,
    /// All it may ever ask for.
    pub scopes: Scopes,
    /// What it gets when it asks for none.
    pub default_scopes: Scopes,
    /// What it may ask tokens for, beside the server's default resource.
    pub resources: Vec<String>,
    /// What it is itself, as a resource server: it may introspect tokens for these (C-001, C-004). Empty: it may not.
    pub introspects: Vec<String>,
    pub flags: ClientFlags,
    /// In seconds, instead of the server's.
    pub access_ttl: Option<u64>,
    pub disabled: bool,
    /// From a declared file, so that `apply --prune` may take it out again.
    #[serde(default)]
    pub declared: bool,
    /// Epoch seconds.
    pub created_at: i64,
    /// How often it was written: a write must know the version it changes. Not part of the stored text.
    #[serde(skip)]
    pub version: u64,
}

/// What sets a client apart; set by admins only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientFlags {
    /// Ours: consent may be skipped, the password grant may be opted into (B-068).
    pub first_party: bool,
    /// Only confidential clients may be without.
    pub require_pkce: bool,
    /// A native app whose `http://localhost` redirect matches with any port.
    pub allow_localhost: bool,
    /// Gets a token without scopes when it asks for none, as in Flask-Sentinel (B-066).
    pub allow_empty_scope: bool,
    /// Its secret is also right in a Basic header that is not form-encoded, as old programs send it (B-022).
    pub lenient_basic: bool,
    /// Off, a refresh token stays the same at each use; confidential clients only (B-072).
    pub rotate_refresh_tokens: bool,
    /// Revoking an access token takes its family along (C-025).
    pub revoke_cascade: bool,
}

impl Default for ClientFlags {
    fn default() -> Self {
        Self {
            first_party: false,
            require_pkce: true,
            allow_localhost: false,
            allow_empty_scope: false,
            lenient_basic: false,
            rotate_refresh_tokens: true,
            revoke_cascade: false,
        }
    }
}

/// The grants this server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    Password,
}

/// How a client proves itself at the machine endpoints (RFC 7591 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    None,
    ClientSecretBasic,
    ClientSecretPost,
}

/// A stored secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct ClientSecret {
    /// Names it to people; tells nothing of it.
    #[serde(default)]
    pub id: String,
    pub form: SecretForm,
    /// Epoch seconds; 0: not known.
    #[serde(default)]
    pub created_at: i64,
    /// Epoch seconds; `None`: until it is taken out.
    pub until: Option<i64>,
}

/// Generated secrets have full entropy, so one SHA-256 is enough; imported ones are hashed like passwords (B-030).
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretForm {
    Sha256(Digest32),
    /// A PHC string.
    Argon2id(String),
}

/// A SHA-256 digest; base64url in the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest32(pub [u8; 32]);

/// What a request for scopes can fail with: invalid_scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeRefusal {
    #[error("scope names {}, which this server does not know", told(.0))]
    Unknown(Scopes),
    #[error("scope names {}, which this client may not ask for", told(.0))]
    NotAllowed(Scopes),
    #[error("no scope was asked for and the client has no default scopes")]
    NoneAsked,
}

impl Client {
    /// Without a secret: identified, not proved.
    pub fn is_public(&self) -> bool {
        self.auth_methods == [AuthMethod::None]
    }

    pub fn permits(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    pub fn authenticates_by(&self, method: AuthMethod) -> bool {
        self.auth_methods.contains(&method)
    }

    /// What a request gets: all that it names, or the client's default. Never silently less.
    pub fn scopes_for(&self, asked: Option<&Scopes>, registry: &ScopeRegistry) -> Result<Scopes, ScopeRefusal> {
        match asked {
            Some(asked) if !registry.knows(asked) => Err(ScopeRefusal::Unknown(registry.unknown_of(asked))),
            Some(asked) if !asked.within(&self.scopes) => Err(ScopeRefusal::NotAllowed(asked.without(&self.scopes))),
            Some(asked) => Ok(asked.clone()),
            None => {
                let default: Scopes = self
                    .default_scopes
                    .intersection(&self.scopes)
                    .iter()
                    .filter(|name| registry.get(name).is_some())
                    .collect();
                if default.is_empty() { Err(ScopeRefusal::NoneAsked) } else { Ok(default) }
            }
        }
    }

    /// Whether it may ask tokens for `resource`.
    pub fn may_ask_for(&self, resource: &str, default_resource: &str) -> bool {
        resource == default_resource || self.resources.iter().any(|one| one == resource)
    }

    /// The registered redirect URI that `requested` matches.
    pub fn redirect_uri(&self, requested: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|uri| uri.matches(requested, self.flags.allow_localhost))
    }

    /// Whether a code request must carry a challenge.
    pub fn needs_pkce(&self) -> bool {
        self.is_public() || self.flags.require_pkce
    }

    /// Whether a refresh token is replaced at each use (B-072).
    pub fn rotates_refresh_tokens(&self) -> bool {
        self.is_public() || self.flags.rotate_refresh_tokens
    }

    /// Under which this client's grants are found and revoked.
    pub fn grants_owner(&self) -> Owner {
        Owner::new("client", &self.id)
    }

    /// Adds a new secret; it is shown to its owner now and never again (B-030).
    pub fn add_secret(&mut self, now: i64) -> Secret {
        let secret = Secret::new(random_token(""));
        self.secrets.push(ClientSecret::new(SecretForm::of_generated(&secret), now));
        secret
    }

    /// Adds a new secret, and lets the newest of the present ones live for `overlap` seconds more; older ones go (B-031).
    pub fn rotate_secret(&mut self, overlap: i64, now: i64) -> Secret {
        let newest = self.secrets.pop().filter(|held| overlap > 0 && held.is_live(now));
        let end = now.saturating_add(overlap);
        self.secrets = newest
            .map(|held| ClientSecret { until: Some(held.until.map_or(end, |until| until.min(end))), ..held })
            .into_iter()
            .collect();
        self.add_secret(now)
    }

    /// What the audit log tells of it: its settings, never its secrets (F-062).
    pub fn told(&self) -> Value {
        let mut told = serde_json::to_value(ClientMetadata::from(self)).unwrap_or_default();
        told["disabled"] = self.disabled.into();
        told["declared"] = self.declared.into();
        told
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.id)
    }
}

impl ClientSecret {
    /// One that lives until it is taken out.
    pub fn new(form: SecretForm, now: i64) -> Self {
        Self { id: random_id("s_"), form, created_at: now, until: None }
    }

    pub fn is_live(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl SecretForm {
    /// Of a secret with 256 random bits.
    pub fn of_generated(secret: &Secret) -> Self {
        SecretForm::Sha256(Digest32::of(secret.expose()))
    }
}

impl Digest32 {
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Compares in time that tells nothing.
    pub fn matches(&self, other: &Digest32) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Serialize for Digest32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Digest32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| serde::de::Error::custom("not a digest"))
    }
}

impl GrantType {
    pub const ALL: [GrantType; 4] =
        [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials, GrantType::Password];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            GrantType::AuthorizationCode => "authorization_code",
            GrantType::RefreshToken => "refresh_token",
            GrantType::ClientCredentials => "client_credentials",
            GrantType::Password => "password",
        }
    }
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AuthMethod {
    pub const ALL: [AuthMethod; 3] = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost, AuthMethod::None];

    pub fn as_str(self) -> &'static str {
        match self {
            AuthMethod::None => "none",
            AuthMethod::ClientSecretBasic => "client_secret_basic",
            AuthMethod::ClientSecretPost => "client_secret_post",
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::client_metadata::ClientMetadata;

    /// B-031: two secrets live at most, the old one for the overlap only.
    #[test]
    fn a_rotated_secret_lives_on_for_the_overlap_and_no_longer() {
        let metadata = ClientMetadata {
            client_name: "Robot".to_owned(),
            grant_types: vec![GrantType::ClientCredentials],
            ..ClientMetadata::default()
        };
        let (mut client, first) = metadata.register(0).unwrap();
        let live = |client: &Client, secret: &Secret, now| {
            let digest = Digest32::of(secret.expose());
            let matches = |held: &ClientSecret| matches!(&held.form, SecretForm::Sha256(kept) if kept.matches(&digest));
            client.secrets.iter().any(|held| held.is_live(now) && matches(held))
        };
        let first = first.unwrap();
        let second = client.rotate_secret(60, 100);
        assert!(live(&client, &first, 159) && !live(&client, &first, 160) && live(&client, &second, 1_000_000));
        let third = client.rotate_secret(60, 110);
        assert!(!live(&client, &first, 110), "the older one goes");
        assert!(live(&client, &second, 169) && live(&client, &third, 1_000_000));
        let fourth = client.rotate_secret(0, 120);
        assert!(client.secrets.len() == 1 && live(&client, &fourth, 120));
    }
}
