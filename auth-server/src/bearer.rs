//! The form of codes and tokens: `oat_`, `ort_` or `oac_`, then base64url of the grant's handle and 256 random bits.
//!
//! A token names its grant, so that both are read at once; and what has not this form is refused without a look.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::expiring::Key;
use shared::random::random_bytes;
use shared::revocation_feed::Handle;

/// The kind of grants' entries.
pub const GRANT: &str = "grant";

const HANDLE: usize = 16;
const RANDOM: usize = 32;
/// Of 48 bytes in base64url.
const ENCODED: usize = 64;

/// What a bearer value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    AccessToken,
    RefreshToken,
    Code,
}

/// Names a grant within its tokens. It grants nothing by itself, yet only its public form leaves the server by name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GrantHandle([u8; HANDLE]);

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::AccessToken => "oat_",
            Kind::RefreshToken => "ort_",
            Kind::Code => "oac_",
        }
    }
}

impl GrantHandle {
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// The id of the grant's entry.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Of the grant's entry.
    pub fn key(&self) -> Key {
        Key::new(GRANT, &self.id())
    }
}

/// A new value of `kind` for a grant.
pub fn random(kind: Kind, grant: GrantHandle) -> String {
    compose(kind, grant, &random_bytes())
}

/// The value whose secret part is `secret`: 256 bits that nobody can guess.
pub fn compose(kind: Kind, grant: GrantHandle, secret: &[u8; RANDOM]) -> String {
    let mut bytes = [0; HANDLE + RANDOM];
    bytes[..HANDLE].copy_from_slice(&grant.0);
    bytes[HANDLE..].copy_from_slice(secret);
    let prefix = kind.prefix();
    let mut text = String::with_capacity(prefix.len() + ENCODED);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

/// The kind and grant of a presented value; `None` for what this server never issued.
pub fn parse(text: &str) -> Option<(Kind, GrantHandle)> {
    let (prefix, encoded) = text.split_at_checked(4)?;
    let kind = [Kind::AccessToken, Kind::RefreshToken, Kind::Code].into_iter().find(|kind| kind.prefix() == prefix)?;
    if encoded.len() != ENCODED {
        return None;
    }
    let mut bytes = [0; HANDLE + RANDOM];
    URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
    let mut handle = [0; HANDLE];
    handle.copy_from_slice(&bytes[..HANDLE]);
    Some((kind, GrantHandle(handle)))
}

/// The grant of a value that must be of `kind`.
pub fn grant_of(kind: Kind, text: &str) -> Option<GrantHandle> {
    parse(text).filter(|(found, _)| *found == kind).map(|(_, grant)| grant)
}

/// The `jti` of a token: neither the token nor its stored hash (C-006).
pub fn token_handle(token: &str) -> String {
    Handle::new("jti", token.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::family;

    /// 256 random bits, a prefix for scanners, and garbage is recognised by its form.
    #[test]
    fn a_token_names_its_kind_and_grant() {
        let grant = GrantHandle::random();
        let token = random(Kind::AccessToken, grant);
        assert!(token.starts_with("oat_") && token.len() == 68);
        assert!(grant_of(Kind::AccessToken, &token).is_some_and(|found| found == grant));
        assert!(grant_of(Kind::RefreshToken, &token).is_none());
        assert_ne!(token, random(Kind::AccessToken, grant));
        for garbage in ["", "oat_", "oat_x", "äat_x", &token[1..], &format!("{token}A"), &token.replace("oat_", "oxt_")]
        {
            assert!(parse(garbage).is_none(), "{garbage}");
        }
    }

    /// C-006.
    #[test]
    fn public_handles_tell_nothing_of_the_token() {
        let grant = GrantHandle::random();
        let token = random(Kind::AccessToken, grant);
        let family = family(&grant.key()).to_string();
        assert!(!token.contains(&token_handle(&token)) && !token.contains(&family));
        assert!(family != grant.id() && !grant.key().to_string().contains(&family));
    }
}
