//! What an authorization server tells those who remember its answers about tokens, so that a revoked token is forgotten at once
//! (D-039, decisions 7).
//!
//! The feed is a row of looks: at a steady pace the teller looks at the store for what has ended since its last look, and tells
//! it, be it nothing. A look that was heard therefore says more than that the line works: all that had ended by then is known.
//! Looks are numbered, so that whoever misses one notices.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Between two looks.
pub const PACE: Duration = Duration::from_millis(200);
/// After so long without a look nothing is believed any more.
pub const SILENCE: Duration = Duration::from_millis(900);
/// Where looks are published, after the prefix of the Redis store's keys.
pub const CHANNEL: &str = "revocations";
/// Handles in one look at most; what ended beyond them comes with the next.
pub const MOST_HANDLES: usize = 1000;

/// Names what ended, and tells those nothing who don't know it already: a family of tokens, or all that a person gave or a client
/// got.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle([u8; 16]);

/// One look at the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The teller: another one after each of its starts.
    pub from: String,
    /// One more with each look.
    pub number: u64,
    pub ended: Vec<Handle>,
}

/// A text that is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a handle")]
pub struct BadHandle;

impl Handle {
    /// Of what `purpose` says; nobody finds `of` from it.
    pub fn new(purpose: &str, of: &[u8]) -> Self {
        let digest = Sha256::new().chain_update("public handle: ").chain_update(purpose).chain_update([0]);
        let digest: [u8; 32] = digest.chain_update(of).finalize().into();
        let mut handle = [0; 16];
        handle.copy_from_slice(&digest[..16]);
        Self(handle)
    }

    /// Of all grants that a user gave, by his id: the `sub` of their tokens.
    pub fn of_user(id: &str) -> Self {
        Self::new("user", id.as_bytes())
    }

    /// Of all grants that a client got.
    pub fn of_client(id: &str) -> Self {
        Self::new("client", id.as_bytes())
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Handle {
    type Err = BadHandle;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut handle = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut handle) {
            Ok(16) => Ok(Self(handle)),
            _ => Err(BadHandle),
        }
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_look_is_read_as_it_was_written() {
        let ended = vec![Handle::of_user("u_1"), Handle::of_client("u_1")];
        assert_ne!(ended[0], ended[1]);
        let look = Look { from: "a".to_owned(), number: 7, ended };
        let text = serde_json::to_string(&look).unwrap();
        assert!(!text.contains("u_1"), "{text}");
        assert_eq!(serde_json::from_str::<Look>(&text).unwrap(), look);
        for bad in ["", "x", "äää", &"A".repeat(21), &"A".repeat(23)] {
            assert_eq!(bad.parse::<Handle>(), Err(BadHandle), "{bad}");
        }
    }
}
