//! What is stored of a grant and its tokens, and the checks on what is presented. No I/O.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use shared::expiring::{Key, Owner};
use shared::oauth::Scopes;
use shared::revocation_feed::Handle;

use crate::bearer::GrantHandle;
use crate::client::{Client, GrantType};
use crate::origin::Origin;
use crate::pkce;
use crate::user::User;

/// One consented authorization. Its tokens live only while its entry does: revoking is deleting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The public handle of the family of its tokens.
    pub family: String,
    pub grant_type: GrantType,
    pub client: String,
    /// `None` for a machine's grant (B-091).
    pub user: Option<GrantUser>,
    pub scopes: Scopes,
    /// The audience of its tokens, never empty (B-006).
    pub resources: Vec<String>,
    /// The browser session it was given in, by a digest of the session's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When the user proved who he is; epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Where the user gave it (F-053).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Epoch seconds; a refresh token's absolute life counts from here (B-077).
    pub created_at: i64,
    /// Access tokens that were revoked by themselves and have not expired yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<RevokedAccess>,
    /// When it last gave tokens: epoch seconds. `None` while its code waits to be redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<i64>,
}

/// An access token that its grant outlives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedAccess {
    /// A part of the key of its entry, in base64url.
    token: String,
    /// When it would have expired; epoch seconds.
    exp: i64,
}

/// How many a grant holds at most.
const MOST_REVOKED: usize = 100;

/// What a new grant is to be.
pub struct NewGrant<'a> {
    pub grant_type: GrantType,
    pub client: &'a Client,
    /// `None`: the client acts for itself.
    pub user: Option<&'a User>,
    pub scopes: Scopes,
    /// Never empty.
    pub resources: Vec<String>,
    /// A digest of the browser session's id.
    pub session: Option<String>,
    /// Epoch seconds.
    pub auth_time: Option<i64>,
    /// Where the user gave it.
    pub origin: Option<Origin>,
}

/// Who gave a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantUser {
    pub id: String,
    pub username: String,
}

impl From<&User> for GrantUser {
    fn from(user: &User) -> Self {
        Self { id: user.id.clone(), username: user.username.clone() }
    }
}

/// An authorization code, bound to what it was issued for; the rest of the binding is in its grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// The redirect URI that the answer went to.
    pub redirect_uri: String,
    /// Whether the request named it, or the only registered one was taken.
    pub redirect_uri_sent: bool,
    pub code_challenge: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// An access token. Whoever reads it needs nothing else, but that its grant is still there (B-006).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    pub client: String,
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    pub scopes: Scopes,
    pub aud: Vec<String>,
    /// Epoch seconds.
    pub iat: i64,
    /// Epoch seconds.
    pub exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// A refresh token. Its entry outlives its use, so that a second use is recognised (B-080, X-029).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// How many came before it in the family (B-081).
    pub generation: u64,
    /// The end of its idle time; epoch seconds.
    pub expires_at: i64,
}

/// Noted when a refresh token is rotated: enough to give the same answer once more (B-078, decisions 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub asked: RefreshParameters,
    /// What the access token got.
    pub scopes: Scopes,
    /// When that access token ends; epoch seconds.
    pub exp: i64,
}

/// What a refresh request asked for; a repeated one must ask for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshParameters {
    pub scopes: Option<Scopes>,
    pub resources: Vec<String>,
}

/// What a client shows to redeem a code.
pub struct Redemption<'a> {
    pub redirect_uri: Option<&'a str>,
    pub code_verifier: Option<&'a str>,
}

/// Why a code is not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    #[error("the code was issued to another client")]
    OtherClient,
    #[error("redirect_uri is not the one of the authorization request")]
    RedirectUri,
    #[error("code_verifier is missing or wrong")]
    Verifier,
    /// Downgrade defence: the one case that is invalid_request (B-044).
    #[error("code_verifier was sent, but the authorization request had no code_challenge")]
    UnexpectedVerifier,
}

/// What a presented refresh token that was rotated before deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The same pair once more (B-078).
    SameAgain,
    /// invalid_grant, nothing else (B-078).
    Refuse,
    /// invalid_grant, and the family dies (B-080).
    Reuse,
}

/// Half of the key is enough to tell the tokens of one grant apart.
fn noted_key(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(&key.0[..16])
}

impl Grant {
    pub fn new(handle: GrantHandle, new: NewGrant<'_>, now: i64) -> Self {
        Self {
            family: family(&handle.key()).to_string(),
            grant_type: new.grant_type,
            client: new.client.id.clone(),
            user: new.user.map(GrantUser::from),
            scopes: new.scopes,
            resources: new.resources,
            session: new.session,
            auth_time: new.auth_time,
            origin: new.origin,
            created_at: now,
            revoked: Vec::new(),
            used_at: None,
        }
    }

    /// Whether an access token of it was revoked by itself; `key` is that of its entry.
    pub fn has_revoked(&self, key: &Key) -> bool {
        !self.revoked.is_empty() && self.revoked.iter().any(|revoked| revoked.token == noted_key(key))
    }

    /// The same with one more such token, and without those that have expired by `now`. `None`: there are too many.
    pub fn with_revoked(&self, key: &Key, exp: i64, now: i64) -> Option<Self> {
        let mut grant = self.clone();
        grant.revoked.retain(|revoked| revoked.exp > now);
        grant.revoked.push(RevokedAccess { token: noted_key(key), exp });
        (grant.revoked.len() <= MOST_REVOKED).then_some(grant)
    }

    /// Under which it is found and revoked: its user and its client.
    pub fn owners(&self) -> Vec<Owner> {
        let mut owners = vec![Owner::new("client", &self.client)];
        if let Some(user) = &self.user {
            owners.push(Owner::new("user", &user.id));
        }
        owners
    }

    /// The same once it has tokens; from then on it counts for the cap of B-007, by user and client together.
    pub fn counted_owners(&self) -> Vec<Owner> {
        let mut owners = self.owners();
        owners.extend(self.user.as_ref().map(|user| pair_owner(&user.id, &self.client)));
        owners
    }

    /// The `sub` of its tokens (B-091).
    pub fn sub(&self) -> &str {
        self.user.as_ref().map_or(&self.client, |user| &user.id)
    }

    /// The code's checks, all of them, before it is claimed (B-040 to B-045).
    pub fn check_code(&self, code: &Code, client: &Client, shown: &Redemption<'_>) -> Result<(), CodeRefusal> {
        if self.client != client.id {
            return Err(CodeRefusal::OtherClient);
        }
        let proved = match (&code.code_challenge, shown.code_verifier) {
            (Some(challenge), Some(verifier)) if pkce::verifies(verifier, challenge) => true,
            (Some(_), _) => return Err(CodeRefusal::Verifier),
            (None, Some(_)) => return Err(CodeRefusal::UnexpectedVerifier),
            (None, None) => false,
        };
        match shown.redirect_uri {
            Some(sent) if sent == code.redirect_uri => Ok(()),
            Some(_) => Err(CodeRefusal::RedirectUri),
            // B-042: omitted here although sent there, only PKCE can stand in for it.
            None if code.redirect_uri_sent && !proved => Err(CodeRefusal::RedirectUri),
            None => Ok(()),
        }
    }

    /// When refresh tokens of this grant end at the latest: epoch seconds.
    pub fn refresh_end(&self, absolute: Duration) -> i64 {
        self.created_at.saturating_add_unsigned(absolute.as_secs())
    }
}

impl Rotation {
    /// Judges a token rotated `claimed_for` ago. `successor_unused`: the token it was rotated into is still there and was
    /// not rotated itself.
    pub fn repeat(
        &self,
        asked: &RefreshParameters,
        claimed_for: Duration,
        grace: Duration,
        successor_unused: bool,
    ) -> Repeat {
        if grace.is_zero() || claimed_for > grace || !successor_unused {
            Repeat::Reuse
        } else if self.asked != *asked {
            Repeat::Refuse
        } else {
            Repeat::SameAgain
        }
    }
}

/// What is told of a grant, by the key of its entry: the same for all tokens of its family.
pub fn family(key: &Key) -> Handle {
    Handle::new("family", &key.0)
}

/// What is told of all grants of an owner; `None` where his entries are none. Of a user and a client together, more than that: all
/// that the user gave.
pub fn given_by(owner: &Owner) -> Option<Handle> {
    let (kind, id) = owner.0.split_once(':')?;
    match kind {
        "user" => Some(Handle::of_user(id)),
        "client" => Some(Handle::of_client(id)),
        "user+client" => Some(Handle::of_user(id.split(' ').next().unwrap_or(id))),
        _ => None,
    }
}

/// The grants that one user gave one client.
pub fn pair_owner(user: &str, client: &str) -> Owner {
    Owner(format!("user+client:{user} {client}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::client_metadata::ClientMetadata;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const URI: &str = "https://shop.example/cb";

    fn client(id: &str) -> Client {
        let metadata = ClientMetadata { client_name: id.into(), redirect_uris: vec![URI.into()], ..Default::default() };
        metadata.declare(id.to_owned(), 0).unwrap()
    }

    fn grant() -> Grant {
        Grant {
            family: "f".to_owned(),
            grant_type: GrantType::AuthorizationCode,
            client: "shop".to_owned(),
            user: Some(GrantUser { id: "u_1".to_owned(), username: "alice".to_owned() }),
            scopes: Scopes::default(),
            resources: vec!["urn:x".to_owned()],
            session: None,
            auth_time: Some(0),
            origin: None,
            created_at: 0,
            revoked: Vec::new(),
            used_at: None,
        }
    }

    fn check(
        challenge: Option<&str>,
        uri_sent: bool,
        redirect_uri: Option<&str>,
        code_verifier: Option<&str>,
    ) -> Result<(), CodeRefusal> {
        let code = Code {
            redirect_uri: URI.to_owned(),
            redirect_uri_sent: uri_sent,
            code_challenge: challenge.map(str::to_owned),
            nonce: None,
        };
        grant().check_code(&code, &client("shop"), &Redemption { redirect_uri, code_verifier })
    }

    /// B-041 to B-044.
    #[test]
    fn a_code_needs_its_redirect_uri_and_its_verifier() {
        use CodeRefusal as Refusal;
        let (challenge, verifier) = (Some(CHALLENGE), Some(VERIFIER));
        for (sent, shown) in [(true, Some(URI)), (true, None), (false, None), (false, Some(URI))] {
            assert_eq!(check(challenge, sent, shown, verifier), Ok(()));
        }
        assert_eq!(check(challenge, true, Some("https://shop.example/cb/"), verifier), Err(Refusal::RedirectUri));
        assert_eq!(check(challenge, false, Some("https://evil.example"), verifier), Err(Refusal::RedirectUri));
        assert_eq!(check(challenge, true, Some(URI), None), Err(Refusal::Verifier));
        assert_eq!(check(challenge, true, Some(URI), Some(&VERIFIER.replace('d', "e"))), Err(Refusal::Verifier));
        assert_eq!(check(challenge, true, Some(URI), Some("short")), Err(Refusal::Verifier));
        assert_eq!(check(None, true, Some(URI), verifier), Err(Refusal::UnexpectedVerifier));
        assert_eq!(check(None, true, Some(URI), None), Ok(()));
        assert_eq!(check(None, true, None, None), Err(Refusal::RedirectUri));
        assert_eq!(check(None, false, None, None), Ok(()));
    }

    /// B-040.
    #[test]
    fn a_code_belongs_to_its_client() {
        let code = Code { redirect_uri: URI.into(), redirect_uri_sent: true, code_challenge: None, nonce: None };
        let shown = Redemption { redirect_uri: Some(URI), code_verifier: None };
        assert_eq!(grant().check_code(&code, &client("other"), &shown), Err(CodeRefusal::OtherClient));
    }

    /// B-078, B-080: the table of a repeated refresh.
    #[test]
    fn a_rotated_token_answers_again_only_at_once_and_to_the_same_question() {
        let same = RefreshParameters { scopes: None, resources: Vec::new() };
        let other = RefreshParameters { scopes: Some(["a"].into_iter().collect()), resources: Vec::new() };
        let rotation = Rotation { asked: same.clone(), scopes: Scopes::default(), exp: 0 };
        let judge = |asked, seconds, grace, unused| {
            rotation.repeat(asked, Duration::from_secs(seconds), Duration::from_secs(grace), unused)
        };
        assert_eq!(judge(&same, 3, 10, true), Repeat::SameAgain);
        assert_eq!(judge(&other, 3, 10, true), Repeat::Refuse);
        assert_eq!(judge(&same, 5, 10, false), Repeat::Reuse);
        assert_eq!(judge(&same, 11, 10, true), Repeat::Reuse);
        assert_eq!(judge(&other, 11, 10, true), Repeat::Reuse);
        assert_eq!(judge(&same, 0, 0, true), Repeat::Reuse);
    }
}
