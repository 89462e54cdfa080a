//! Encryption of what must be stored and read back: AES-256-GCM under a ring of master keys (E-030, F-070, F-071).

mod file;

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use file::Rotated;

use crate::Secret;
use crate::random::random_bytes;

const NONCE: usize = 12;
const TAG: usize = 16;
const KEY_ID: usize = 4;

/// One master key of 256 bits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct MasterKey([u8; 32]);

/// The first key seals, every key opens: a new key is put in front, the old one is taken out once nothing needs it. Clones
/// share the keys, and so a [change of their file](KeyRing::follow).
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<RwLock<Arc<[MasterKey]>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("a master key is 43 base64url characters (256 bits), one key a line, the newest first")]
    Malformed,
    #[error("{path} can be read by others than its owner: chmod 600 {path}")]
    Exposed { path: String },
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("there is no key {0} in the ring")]
    Unknown(String),
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.keys().len())
    }
}

impl KeyRing {
    /// From text: one key a line, the newest first.
    pub fn parse(text: &Secret) -> Result<Self, KeyError> {
        let keys = text
            .expose()
            .split_whitespace()
            .map(|line| {
                let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(line).map_err(|_| KeyError::Malformed)?);
                let mut key = MasterKey([0; 32]);
                if bytes.len() != key.0.len() {
                    return Err(KeyError::Malformed);
                }
                key.0.copy_from_slice(&bytes);
                // All bytes alike is a placeholder somebody typed, not 256 random bits.
                if key.0.iter().all(|byte| *byte == key.0[0]) { Err(KeyError::Malformed) } else { Ok(key) }
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Malformed) } else { Ok(Self { keys: Arc::new(RwLock::new(keys.into())) }) }
    }

    /// As they are now.
    fn keys(&self) -> Arc<[MasterKey]> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names of the keys, the newest first. A name tells nothing of its key.
    pub fn ids(&self) -> Vec<String> {
        self.keys().iter().map(MasterKey::name).collect()
    }

    /// A key for one purpose, from the newest master key and `input`.
    pub fn derive(&self, purpose: &str, input: &[u8]) -> Zeroizing<[u8; 32]> {
        self.keys()[0].derive(purpose, input)
    }

    /// The same under every key of the ring, newest first: what was derived before a rotation is still found.
    pub fn derive_all(&self, purpose: &str, input: &[u8]) -> impl Iterator<Item = Zeroizing<[u8; 32]>> {
        let keys = self.keys();
        (0..keys.len()).map(move |number| keys[number].derive(purpose, input))
    }

    /// Encrypts; `context` (a record's name) must be given again to open, so sealed values can't be swapped.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let key = &self.keys()[0];
        let nonce = random_bytes::<NONCE>();
        let mut tag = [0; TAG];
        let sealed = encrypt_aead(
            Cipher::aes_256_gcm(),
            key.derive("seal", &[]).as_slice(),
            Some(&nonce),
            context.as_bytes(),
            plain,
            &mut tag,
        )
        .expect("AES-256-GCM takes any input with these lengths");
        [key.id().as_slice(), &nonce, &tag, &sealed].concat()
    }

    /// `None` when it was changed, sealed for another context, or under a key that is gone.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (id, rest) = sealed.split_at_checked(KEY_ID)?;
        let (nonce, rest) = rest.split_at_checked(NONCE)?;
        let (tag, sealed) = rest.split_at_checked(TAG)?;
        let key = self.keys().iter().find(|key| key.id() == id)?.derive("seal", &[]);
        decrypt_aead(Cipher::aes_256_gcm(), key.as_slice(), Some(nonce), context.as_bytes(), sealed, tag).ok()
    }
}

impl MasterKey {
    fn random() -> Self {
        Self(random_bytes())
    }

    fn derive(&self, purpose: &str, input: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(purpose.as_bytes()), &self.0)
            .expand(input, &mut *key)
            .expect("32 bytes are within HKDF's limit");
        key
    }

    fn id(&self) -> [u8; KEY_ID] {
        let digest: [u8; 32] = Sha256::digest(self.derive("key id", &[]).as_slice()).into();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    fn name(&self) -> String {
        self.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(byte: u8) -> String {
        let mut key = [byte; 32];
        key[0] ^= 1;
        URL_SAFE_NO_PAD.encode(key)
    }

    /// F-071: a new key seals, the old one still opens; without it nothing opens.
    #[test]
    fn a_rotated_ring_opens_what_the_old_key_sealed() {
        let old = KeyRing::parse(&Secret::new(line(1))).unwrap();
        let both = KeyRing::parse(&Secret::new(format!("{}\n{}\n", line(2), line(1)))).unwrap();
        let new = KeyRing::parse(&Secret::new(line(2))).unwrap();
        let sealed = old.seal("session", b"tokens");
        assert_eq!(both.open("session", &sealed).unwrap(), b"tokens");
        assert_eq!(both.open("another", &sealed), None);
        assert_eq!(new.open("session", &sealed), None);
        assert_eq!(new.open("session", &both.seal("session", b"x")).unwrap(), b"x");
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(old.open("session", &changed), None);
    }
}
