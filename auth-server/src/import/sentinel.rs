//! Flask-Sentinel's documents: `users` with `username` and `hashpw`, `clients` with `client_id` and `client_type`, in
//! MongoDB's extended JSON, canonical, relaxed, or of version 1. Forks add secrets, redirect URIs and roles.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use shared::Secret;
use shared::oauth::Scopes;

use crate::accounts::check_roles;
use crate::client::{AuthMethod, Client, GrantType};
use crate::client_metadata::ClientMetadata;
use crate::redirect_uri::RedirectUri;
use crate::user::{ADMIN, User, username};

/// An account to be.
pub struct ImportedUser {
    pub user: User,
    /// What is not as it was there.
    pub notes: Vec<String>,
}

/// A client to be, still without its secret.
pub struct ImportedClient {
    pub client: Client,
    pub secret: Option<Secret>,
    /// What is not as it was there.
    pub notes: Vec<String>,
}

impl ImportedUser {
    /// The id is `u_` and the old ObjectId: known again at a second import, and by data that names its owners.
    pub fn read(document: &Value) -> Result<Self, String> {
        let name = text(&document["username"]).ok_or("has no username")?;
        let name = username(&name).map_err(|error| format!("{name:?}: {error}"))?;
        let hash = text(&document["hashpw"]).ok_or_else(|| format!("{name}: has no hashpw"))?;
        if !is_bcrypt(&hash) {
            return Err(format!("{name}: hashpw is no bcrypt hash ($2a$, $2b$ or $2y$) of cost 4 to 16"));
        }
        let (id, created) = object_id(&document["_id"]).ok_or_else(|| format!("{name}: _id is no ObjectId"))?;
        let mut user = User::new(name, created);
        user.id = format!("u_{id}");
        user.password_hash = Some(hash);
        let mut notes = Vec::new();
        for role in texts(&document["roles"]) {
            if role == ADMIN {
                notes.push("the role admin was not taken over: give it with `user roles --add admin`".to_owned());
            } else if check_roles(std::slice::from_ref(&role)).is_err() {
                notes.push(format!("the role {role:?} was left out: it is no word"));
            } else if !user.has_role(&role) {
                user.roles.push(role);
            }
        }
        Ok(Self { user, notes })
    }
}

impl ImportedClient {
    /// A client of the password grant, ours, that may ask for no scope (B-062, B-066, B-068).
    pub fn read(document: &Value, scopes: &Scopes) -> Result<Self, String> {
        let id = text(&document["client_id"]).ok_or("has no client_id")?;
        let mut notes = Vec::new();
        let confidential = document["client_type"] == "confidential";
        let secret = text(&document["client_secret"]).filter(|secret| confidential && !secret.is_empty());
        if confidential && secret.is_none() {
            return Err(format!("{id}: is confidential and has no client_secret"));
        }
        let mut lenient_basic = false;
        if secret
            .as_ref()
            .is_some_and(|secret| !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)))
        {
            lenient_basic = true;
            notes.push(
                "the secret has characters that a Basic header must form-encode (RFC 6749 2.3.1): the client got \
                 lenient_basic, so that it may go on sending them as they are"
                    .to_owned(),
            );
        }
        let mut redirect_uris = Vec::new();
        for uri in texts(&document["redirect_uris"]) {
            match RedirectUri::register(&uri) {
                Ok(_) if !redirect_uris.contains(&uri) => redirect_uris.push(uri),
                Ok(_) => {}
                Err(reason) => notes.push(format!("the redirect URI {uri} was left out: it {reason}")),
            }
        }
        let mut grant_types = vec![GrantType::Password, GrantType::RefreshToken];
        if !redirect_uris.is_empty() {
            grant_types.insert(0, GrantType::AuthorizationCode);
        }
        let name =
            text(&document["name"]).unwrap_or_else(|| format!("Imported {}", &id.chars().take(8).collect::<String>()));
        let metadata = |client_name: String| ClientMetadata {
            client_name,
            token_endpoint_auth_method: (!confidential).then_some(AuthMethod::None),
            redirect_uris: redirect_uris.clone(),
            grant_types: grant_types.clone(),
            scope: scopes.clone(),
            default_scope: scopes.clone(),
            first_party: true,
            allow_empty_scope: true,
            lenient_basic,
            ..ClientMetadata::default()
        };
        let created = object_id(&document["_id"]).map_or(0, |(_, created)| created);
        let client = metadata(name)
            .declare(id.clone(), created)
            .or_else(|_| metadata("Imported".to_owned()).declare(id.clone(), created));
        let client = client.map_err(|faults| {
            format!("{id}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        Ok(Self { client, secret: secret.map(Secret::new), notes })
    }
}

/// A text, or what Python 3's bytes became: `{"$binary": {"base64": …}}`, before version 2 `{"$binary": …, "$type": …}`.
fn text(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let binary = value.get("$binary")?;
    let encoded = binary.as_str().or_else(|| binary["base64"].as_str())?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// A list of texts, or one text of several words.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        _ => text(value).map(|text| text.split_whitespace().map(str::to_owned).collect()).unwrap_or_default(),
    }
}

/// An ObjectId in hexadecimal, and when it was made: epoch seconds.
fn object_id(value: &Value) -> Option<(String, i64)> {
    let id = value["$oid"].as_str().or_else(|| value.as_str())?.to_ascii_lowercase();
    let legal = id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let seconds = i64::from_str_radix(id.get(..8)?, 16).ok()?;
    legal.then_some((id, seconds))
}

fn is_bcrypt(hash: &str) -> bool {
    let known = ["$2a$", "$2b$", "$2y$"].iter().any(|scheme| hash.starts_with(scheme));
    let cost = hash.get(4..6).and_then(|digits| digits.parse::<u32>().ok());
    let rest = hash.get(6..).unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    known
        && cost.is_some_and(|cost| (4..=16).contains(&cost))
        && rest.len() == 54
        && rest.starts_with('$')
        && rest[1..].bytes().all(legal)
}
