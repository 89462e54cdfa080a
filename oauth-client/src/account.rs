//! What the two cookies stand for: a browser on its way to sign in, and a signed-in account. Rules only, no I/O.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use shared::oauth::{Scopes, TokenResponse};
use shared::seal::KeyRing;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Logins that may be under way in one browser (E-003).
pub const MOST_LOGINS: usize = 10;
/// Earlier than this before its end an access token is refreshed (E-040), in seconds …
const REFRESH_BEFORE: i64 = 60;
/// … or when less than this part of its life is left.
const REFRESH_PART: i64 = 5;

/// One login under way (E-001). Its `state` is kept as a digest: the value itself is only needed to ask for it.
#[derive(Serialize, Deserialize, Clone, Zeroize, ZeroizeOnDrop)]
pub struct Login {
    pub state_digest: String,
    pub verifier: String,
    pub issuer: String,
    pub redirect_uri: String,
    /// A path of this app.
    pub target: String,
    /// Epoch seconds.
    pub created_at: i64,
    /// Whether the form kept in this browser goes on after it (E-046).
    pub resumes: bool,
}

/// A form that could not be handled because the sign-in had ended (E-046).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct KeptForm {
    /// The `sub` of who entered it; nobody else is shown it (E-048).
    pub person: String,
    /// The path it was posted to, where its page is.
    pub path: String,
    pub fields: Vec<(String, String)>,
}

/// What the pre-login cookie stands for (E-002).
#[derive(Serialize, Deserialize, Clone, Default)]
pub struct Visitor {
    pub logins: Vec<Login>,
    pub kept: Option<KeptForm>,
}

impl Visitor {
    /// Adds a login; the oldest makes room where there are [`MOST_LOGINS`].
    pub fn begin(&mut self, login: Login, life: i64) {
        let now = login.created_at;
        self.logins.retain(|earlier| now - earlier.created_at < life);
        if self.logins.len() >= MOST_LOGINS {
            self.logins.remove(0);
        }
        self.logins.push(login);
    }

    /// Takes the login of `state` out, so that a second callback with it finds nothing (E-011).
    pub fn take(&mut self, state: &str, now: i64, life: i64) -> Option<Login> {
        let digest = digest(state);
        let place = self.logins.iter().position(|login| login.state_digest == digest)?;
        let login = self.logins.remove(place);
        (now - login.created_at < life).then_some(login)
    }
}

/// SHA-256 as base64url, as PKCE's S256 and the state's look-up use it.
pub fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// The tokens of one sign-in. No Debug: bearer values.
#[derive(Serialize, Deserialize, Clone)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: Option<String>,
    /// Granted by the user.
    pub scopes: Scopes,
    /// Epoch seconds.
    pub issued_at: i64,
    /// Epoch seconds; `None` where the server does not tell.
    pub expires_at: Option<i64>,
}

impl Drop for Tokens {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

impl Tokens {
    /// From an answer that was checked. `asked`: what was asked for, which is granted where the answer names no scope
    /// (RFC 6749 5.1).
    pub fn new(answer: &TokenResponse, asked: &Scopes, now: i64) -> Self {
        Self {
            access_token: answer.access_token.clone(),
            refresh_token: answer.refresh_token.clone(),
            scopes: answer.scope.clone().unwrap_or_else(|| asked.clone()),
            issued_at: now,
            expires_at: answer.expires_in.map(|life| now.saturating_add(i64::try_from(life).unwrap_or(i64::MAX))),
        }
    }

    /// The pair that follows this one: a refresh token that was not returned stays (E-043).
    pub fn refreshed(&self, answer: &TokenResponse, now: i64) -> Self {
        let mut next = Self::new(answer, &self.scopes, now);
        if next.refresh_token.is_none() {
            next.refresh_token.clone_from(&self.refresh_token);
        }
        next
    }

    /// Whether less than min(60 s, 20 % of its life) is left (E-040).
    pub fn is_due(&self, now: i64) -> bool {
        let Some(end) = self.expires_at else { return false };
        let (left, life) = (end - now, end - self.issued_at);
        left < REFRESH_BEFORE && left.saturating_mul(REFRESH_PART) < life
    }

    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

/// What the session cookie stands for.
#[derive(Serialize, Deserialize, Clone, Default)]
pub struct Account {
    /// Sealed [`Tokens`]; `None` once the authorization server took them back (E-046).
    pub tokens: Option<String>,
    /// A sealed [`KeptForm`], until its page is shown.
    pub kept: Option<String>,
    /// Who signed in, sealed by [`Vault::seal_person`]; `None` where the authorization server does not tell. Forms carry it,
    /// so that one whose session is gone by the time it is posted still has an owner (E-048).
    pub person: Option<String>,
    /// Refreshes that failed in a row, and when the next may be tried, in epoch seconds (E-045).
    pub failed_refreshes: u32,
    pub next_refresh_at: i64,
}

/// Seals what is stored: AES-256-GCM, bound to the id of the session it belongs to (E-030).
#[derive(Clone)]
pub struct Vault(KeyRing);

impl Vault {
    pub fn new(keys: KeyRing) -> Self {
        Self(keys)
    }

    /// `context` must be given again to open it; a session's id, or another value of the same secrecy.
    pub fn seal<T: Serialize>(&self, context: &str, value: &T) -> String {
        let mut plain = serde_json::to_vec(value).expect("these types serialise: their maps have text keys");
        let sealed = self.0.seal(context, &plain);
        plain.zeroize();
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// `None` when it was changed or moved, or when its key is gone: the owner must sign in again.
    pub fn open<T: DeserializeOwned>(&self, context: &str, sealed: &str) -> Option<T> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let mut plain = self.0.open(context, &sealed)?;
        let value = serde_json::from_slice(&plain).ok();
        plain.zeroize();
        value
    }

    /// Seals who somebody is at an issuer, for no session in particular.
    pub fn seal_person(&self, issuer: &str, sub: &str) -> String {
        self.seal(&format!("person:{issuer}"), &sub)
    }

    /// The `sub` in it; `None` for anything else, and for people of another issuer.
    pub fn open_person(&self, issuer: &str, sealed: &str) -> Option<String> {
        self.open(&format!("person:{issuer}"), sealed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIFE: i64 = 600;

    fn login(state: &str, created_at: i64) -> Login {
        Login {
            state_digest: digest(state),
            verifier: format!("verifier of {state}"),
            issuer: "https://as.test".to_owned(),
            redirect_uri: "https://app.test/callback".to_owned(),
            target: "/".to_owned(),
            created_at,
            resumes: false,
        }
    }

    /// E-001, E-011: a login is found by its state once, and not after its life.
    #[test]
    fn a_login_is_taken_once_and_within_its_life() {
        let mut visitor = Visitor::default();
        visitor.begin(login("a", 0), LIFE);
        visitor.begin(login("b", 0), LIFE);
        assert!(visitor.take("c", 1, LIFE).is_none());
        assert_eq!(visitor.take("a", 599, LIFE).unwrap().verifier, "verifier of a");
        assert!(visitor.take("a", 599, LIFE).is_none());
        assert!(visitor.take("b", 600, LIFE).is_none());
    }

    /// E-003: ten at a time; the eleventh pushes the oldest out.
    #[test]
    fn the_eleventh_login_replaces_the_oldest() {
        let mut visitor = Visitor::default();
        for number in 0..11 {
            visitor.begin(login(&number.to_string(), number), LIFE);
        }
        assert_eq!(visitor.logins.len(), MOST_LOGINS);
        assert!(visitor.take("0", 20, LIFE).is_none());
        assert!(visitor.take("1", 20, LIFE).is_some());
        visitor.begin(login("late", 5000), LIFE);
        assert_eq!(visitor.logins.len(), 1);
    }

    fn answer(expires_in: Option<u64>, refresh_token: Option<&str>) -> TokenResponse {
        TokenResponse {
            access_token: "access".to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in,
            refresh_token: refresh_token.map(str::to_owned),
            scope: None,
            sub: None,
        }
    }

    /// E-040: min(60 s, 20 % of the life) before the end.
    #[test]
    fn a_token_is_due_near_its_end() {
        let due =
            |life: u64, age: i64| Tokens::new(&answer(Some(life), None), &Scopes::default(), 1000).is_due(1000 + age);
        assert!(!due(3600, 3540) && due(3600, 3541));
        assert!(!due(100, 80) && due(100, 81));
        assert!(!due(5, 4) && due(5, 5));
        assert!(due(1, 1));
        assert!(!Tokens::new(&answer(None, None), &Scopes::default(), 0).is_due(i64::MAX / 2));
    }

    /// E-043: a refresh token that comes replaces the old one; none leaves it.
    #[test]
    fn the_refresh_token_stays_when_none_is_returned() {
        let first = Tokens::new(&answer(Some(60), Some("r1")), &"a b".parse().unwrap(), 0);
        assert_eq!(first.refreshed(&answer(Some(60), None), 1).refresh_token.as_deref(), Some("r1"));
        let second = first.refreshed(&answer(Some(60), Some("r2")), 1);
        assert_eq!(second.refresh_token.as_deref(), Some("r2"));
        assert_eq!(second.scopes, first.scopes);
    }

    /// E-030: what is sealed for one session opens for no other.
    #[test]
    fn sealed_values_open_only_for_their_session() {
        let key = shared::Secret::new(shared::random::random_token(""));
        let vault = Vault::new(KeyRing::parse(&key).unwrap());
        let sealed = vault.seal("ses_1", &"secret");
        assert_eq!(vault.open::<String>("ses_1", &sealed).as_deref(), Some("secret"));
        assert_eq!(vault.open::<String>("ses_2", &sealed), None);
        assert_eq!(vault.open::<String>("ses_1", "rubbish"), None);
    }

    /// E-048: who somebody is, is known only from what was sealed here, and among the people of one issuer.
    #[test]
    fn people_are_told_apart_by_issuer() {
        let vault = Vault::new(KeyRing::parse(&shared::Secret::new(shared::random::random_token(""))).unwrap());
        let sealed = vault.seal_person("https://as.test", "u_ada");
        assert_eq!(vault.open_person("https://as.test", &sealed).as_deref(), Some("u_ada"));
        assert_eq!(vault.open_person("https://other.test", &sealed), None);
        assert_eq!(vault.open_person("https://as.test", "u_ada"), None);
    }

    /// Table T3 of the contract (RFC 7636 appendix B).
    #[test]
    fn the_challenge_is_the_digest_of_the_verifier() {
        assert_eq!(
            digest("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
