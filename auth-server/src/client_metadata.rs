//! Clients as people write and read them: the metadata of RFC 7591 2 with our own members, and the rules it must keep.

use serde::{Deserialize, Serialize};
use shared::Secret;
use shared::oauth::Scopes;
use shared::random::random_id;

use crate::client::{AuthMethod, Client, ClientFlags, ClientSecret, GrantType, SecretForm};
use crate::redirect_uri::RedirectUri;
use crate::resource;

/// A client id has at most this many characters.
pub const LONGEST_ID: usize = 128;

/// How long a client's access tokens may live, in seconds.
const LONGEST_ACCESS: u64 = 86_400;

/// A client's settings. Absent members take their defaults; unknown ones are refused, so that a misspelt restriction is
/// not lost.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientMetadata {
    pub client_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// `none` makes a public client; the others a confidential one. Both of a secret's ways when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<AuthMethod>,
    pub redirect_uris: Vec<String>,
    pub grant_types: Vec<GrantType>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_types: Vec<String>,
    /// All the client may ask for.
    pub scope: Scopes,
    /// What it gets when it asks for none.
    pub default_scope: Scopes,
    /// Beside the server's default resource.
    pub resources: Vec<String>,
    /// The resource identifiers it introspects tokens for.
    pub introspects: Vec<String>,
    /// Seconds; the server's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_ttl: Option<u64>,
    pub first_party: bool,
    pub require_pkce: bool,
    pub allow_localhost: bool,
    pub allow_empty_scope: bool,
    pub lenient_basic: bool,
    pub rotate_refresh_tokens: bool,
    pub revoke_cascade: bool,
}

impl Default for ClientMetadata {
    fn default() -> Self {
        let flags = ClientFlags::default();
        Self {
            client_name: String::new(),
            client_uri: None,
            token_endpoint_auth_method: None,
            redirect_uris: Vec::new(),
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            response_types: Vec::new(),
            scope: Scopes::default(),
            default_scope: Scopes::default(),
            resources: Vec::new(),
            introspects: Vec::new(),
            access_ttl: None,
            first_party: flags.first_party,
            require_pkce: flags.require_pkce,
            allow_localhost: flags.allow_localhost,
            allow_empty_scope: flags.allow_empty_scope,
            lenient_basic: flags.lenient_basic,
            rotate_refresh_tokens: flags.rotate_refresh_tokens,
            revoke_cascade: flags.revoke_cascade,
        }
    }
}

/// What is wrong with one member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct MetadataFault {
    /// The member's name.
    pub field: &'static str,
    pub message: String,
}

impl ClientMetadata {
    /// Every broken rule; empty when a client can be made of it.
    pub fn faults(&self) -> Vec<MetadataFault> {
        let mut faults = Vec::new();
        let mut fault = |field, message: &str| faults.push(MetadataFault { field, message: message.to_owned() });
        let public = self.token_endpoint_auth_method == Some(AuthMethod::None);
        if let Err(reason) = check_name(&self.client_name) {
            fault("client_name", reason);
        }
        if let Some(uri) = &self.client_uri
            && !url::Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
        {
            fault("client_uri", "must be an http or https URL");
        }
        for uri in &self.redirect_uris {
            if let Err(reason) = RedirectUri::register(uri) {
                fault("redirect_uris", &format!("{uri} {reason}"));
            }
        }
        let grants = |grant| self.grant_types.contains(&grant);
        if grants(GrantType::AuthorizationCode) == self.redirect_uris.is_empty() {
            fault("redirect_uris", "go with the authorization_code grant: give both or neither");
        }
        if self.grant_types == [GrantType::RefreshToken] {
            fault("grant_types", "refresh_token needs a grant that issues refresh tokens");
        }
        if self.grant_types.is_empty() && self.introspects.is_empty() {
            fault("grant_types", "are empty, which only resource servers (with introspects) may have");
        }
        if self.response_types.iter().any(|kind| kind != "code") {
            fault("response_types", "can only be code");
        }
        if public && grants(GrantType::ClientCredentials) {
            fault("grant_types", "client_credentials is for confidential clients");
        }
        if public && !self.introspects.is_empty() {
            fault("introspects", "is for confidential clients");
        }
        if grants(GrantType::Password) && !self.first_party {
            fault("grant_types", "password is for first_party clients");
        }
        if public && !self.require_pkce {
            fault("require_pkce", "can't be off for a public client");
        }
        if public && self.lenient_basic {
            fault("lenient_basic", "is for clients with a secret");
        }
        if public && !self.rotate_refresh_tokens {
            fault("rotate_refresh_tokens", "can't be off for a public client");
        }
        if !self.default_scope.within(&self.scope) {
            fault("default_scope", "is not within scope");
        }
        for (field, resources) in [("resources", &self.resources), ("introspects", &self.introspects)] {
            for one in resources {
                if let Err(reason) = resource::check(one) {
                    fault(field, &format!("{one} {reason}"));
                }
            }
        }
        if self.access_ttl.is_some_and(|ttl| !(1..=LONGEST_ACCESS).contains(&ttl)) {
            fault("access_ttl", "must be 1 to 86400 seconds");
        }
        faults
    }

    /// A new client with a new id and, if it is confidential, a new secret to be shown once (B-021, B-030).
    pub fn register(self, now: i64) -> Result<(Client, Option<Secret>), Vec<MetadataFault>> {
        let mut client = self.declare(random_id("c_"), now)?;
        let secret = (!client.is_public()).then(|| client.add_secret(now));
        Ok((client, secret))
    }

    /// A client under an id of the caller's, still without a secret.
    pub fn declare(self, id: String, now: i64) -> Result<Client, Vec<MetadataFault>> {
        let mut faults = self.faults();
        if !is_client_id(&id) {
            faults.push(MetadataFault {
                field: "client_id",
                message: "has 1 to 128 characters of A-Z a-z 0-9 - . _ ~ and does not begin with u_".to_owned(),
            });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut client = Client {
            id,
            name: String::new(),
            uri: None,
            auth_methods: Vec::new(),
            secrets: Vec::new(),
            redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            scopes: Scopes::default(),
            default_scopes: Scopes::default(),
            resources: Vec::new(),
            introspects: Vec::new(),
            flags: ClientFlags::default(),
            access_ttl: None,
            disabled: false,
            declared: false,
            created_at: now,
            version: 0,
        };
        self.write_to(&mut client)?;
        Ok(client)
    }

    /// Gives an existing client these settings; its id and secrets stay.
    pub fn write_to(self, client: &mut Client) -> Result<(), Vec<MetadataFault>> {
        let faults = self.faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        client.name = self.client_name;
        client.uri = self.client_uri;
        client.auth_methods = match self.token_endpoint_auth_method {
            Some(method) => vec![method],
            None => vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
        };
        if client.is_public() {
            client.secrets.clear();
        }
        client.redirect_uris = self.redirect_uris.iter().filter_map(|uri| RedirectUri::register(uri).ok()).collect();
        client.grant_types = self.grant_types;
        client.scopes = self.scope;
        client.default_scopes = self.default_scope;
        client.resources = self.resources;
        client.introspects = self.introspects;
        client.access_ttl = self.access_ttl;
        client.flags = ClientFlags {
            first_party: self.first_party,
            require_pkce: self.require_pkce,
            allow_localhost: self.allow_localhost,
            allow_empty_scope: self.allow_empty_scope,
            lenient_basic: self.lenient_basic,
            rotate_refresh_tokens: self.rotate_refresh_tokens,
            revoke_cascade: self.revoke_cascade,
        };
        Ok(())
    }
}

impl From<&Client> for ClientMetadata {
    fn from(client: &Client) -> Self {
        let flags = client.flags;
        Self {
            client_name: client.name.clone(),
            client_uri: client.uri.clone(),
            token_endpoint_auth_method: match client.auth_methods.as_slice() {
                [one] => Some(*one),
                _ => None,
            },
            redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            grant_types: client.grant_types.clone(),
            response_types: if client.permits(GrantType::AuthorizationCode) { vec!["code".to_owned()] } else { vec![] },
            scope: client.scopes.clone(),
            default_scope: client.default_scopes.clone(),
            resources: client.resources.clone(),
            introspects: client.introspects.clone(),
            access_ttl: client.access_ttl,
            first_party: flags.first_party,
            require_pkce: flags.require_pkce,
            allow_localhost: flags.allow_localhost,
            allow_empty_scope: flags.allow_empty_scope,
            lenient_basic: flags.lenient_basic,
            rotate_refresh_tokens: flags.rotate_refresh_tokens,
            revoke_cascade: flags.revoke_cascade,
        }
    }
}

/// A secret made elsewhere by a machine, such as one that a deployment hands to both sides: 256 bits in characters that
/// need no encoding. Secrets that people typed are refused (B-021).
pub fn generated_secret(secret: &Secret, now: i64) -> Result<ClientSecret, MetadataFault> {
    let text = secret.expose();
    let distinct = text.bytes().collect::<std::collections::BTreeSet<_>>().len();
    if (43..=256).contains(&text.len()) && text.bytes().all(is_unreserved) && distinct >= 12 {
        Ok(ClientSecret::new(SecretForm::of_generated(secret), now))
    } else {
        let message = "must be at least 43 random characters of A-Z a-z 0-9 - . _ ~".to_owned();
        Err(MetadataFault { field: "client_secret", message })
    }
}

fn is_client_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(is_unreserved) && !id.starts_with("u_")
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// A name that people can read and that can't pose as another by look-alike or invisible characters (A-066).
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim() != name || !(1..=100).contains(&name.chars().count()) {
        return Err("has 1 to 100 characters and no space at its ends");
    }
    let invisible = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            )
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}')
            || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    if name.chars().any(invisible) {
        return Err("holds invisible or control characters");
    }
    let latin = name.chars().any(|c| c.is_ascii_alphabetic());
    let alike = |c: char| matches!(c, '\u{370}'..='\u{52f}' | '\u{13a0}'..='\u{13ff}' | '\u{ff00}'..='\u{ff5e}' | '\u{1d400}'..='\u{1d7ff}');
    if latin && name.chars().any(alike) {
        return Err("mixes Latin letters with look-alike ones");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn web() -> ClientMetadata {
        serde_json::from_str(
            r#"{"client_name":"Shop","redirect_uris":["https://shop.example/cb"],"scope":"a b","default_scope":"a"}"#,
        )
        .unwrap()
    }

    fn fields(metadata: &ClientMetadata) -> Vec<&'static str> {
        metadata.faults().iter().map(|fault| fault.field).collect()
    }

    /// X-022, B-021, B-024, B-030: a confidential client has a generated id and secret, of which the digest alone is kept.
    #[test]
    fn a_confidential_client_gets_a_secret_that_is_not_kept() {
        let (client, secret) = web().register(5).unwrap();
        let secret = secret.unwrap();
        assert!(client.id.starts_with("c_") && client.id.len() >= 24 && secret.expose().len() == 43);
        assert!(secret.expose().bytes().all(is_unreserved) && client.id.bytes().all(is_unreserved));
        assert_eq!(client.auth_methods, [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost]);
        let stored = serde_json::to_string(&client).unwrap();
        assert!(!stored.contains(secret.expose()));
        let SecretForm::Sha256(digest) = &client.secrets[0].form else { panic!("a generated secret is a digest") };
        assert!(digest.matches(&Digest32::of(secret.expose())) && !digest.matches(&Digest32::of("other")));
        let read: Client = serde_json::from_str(&stored).unwrap();
        assert_eq!(
            serde_json::to_value(ClientMetadata::from(&read)).unwrap(),
            serde_json::to_value(ClientMetadata::from(&client)).unwrap()
        );
    }

    use crate::client::Digest32;

    /// B-068, B-072, B-090, A-023: what a public or foreign client can't have.
    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let public = ClientMetadata {
            token_endpoint_auth_method: Some(AuthMethod::None),
            grant_types: vec![GrantType::AuthorizationCode, GrantType::ClientCredentials, GrantType::Password],
            require_pkce: false,
            rotate_refresh_tokens: false,
            introspects: vec!["urn:x".to_owned()],
            ..web()
        };
        assert_eq!(
            fields(&public),
            ["grant_types", "introspects", "grant_types", "require_pkce", "rotate_refresh_tokens"]
        );
        let odd = ClientMetadata {
            redirect_uris: vec!["http://shop.example".to_owned()],
            response_types: vec!["token".to_owned()],
            default_scope: "c".parse().unwrap(),
            resources: vec!["people".to_owned()],
            access_ttl: Some(LONGEST_ACCESS + 1),
            ..web()
        };
        assert_eq!(fields(&odd), ["redirect_uris", "response_types", "default_scope", "resources", "access_ttl"]);
        assert!(serde_json::from_str::<ClientMetadata>(r#"{"client_name":"x","require_pcke":true}"#).is_err());
    }

    /// A-066: names that could deceive.
    #[test]
    fn a_name_can_not_pose_as_another() {
        for bad in ["", " Shop", "Sh\u{202e}op", "Sh\u{200b}op", "Sh\u{43e}p", "Ｓhop", "a\nb"] {
            assert_eq!(fields(&ClientMetadata { client_name: bad.to_owned(), ..web() }), ["client_name"], "{bad:?}");
        }
        for good in ["Shop", "Café Zürich", "Магазин", "商店", "Shop <script>"] {
            assert!(fields(&ClientMetadata { client_name: good.to_owned(), ..web() }).is_empty(), "{good}");
        }
    }

    /// B-021, X-032: typed secrets and ids out of a user's namespace are refused.
    #[test]
    fn a_declared_client_brings_a_random_secret_and_no_user_id() {
        assert!(generated_secret(&Secret::new("hunter2"), 0).is_err());
        assert!(generated_secret(&Secret::new("a".repeat(43)), 0).is_err());
        assert!(generated_secret(&Secret::new(shared::random::random_token("")), 0).is_ok());
        assert!(web().declare("u_1".to_owned(), 0).is_err());
        assert!(web().declare("shop frontend".to_owned(), 0).is_err());
        assert!(web().declare("shop".to_owned(), 0).is_ok());
    }
}
