//! Encryption of what must be stored and read back: AES-256-GCM under a ring of master keys (E-030, F-070, F-071).

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Secret;
use crate::random::random_bytes;

const NONCE: usize = 12;
const TAG: usize = 16;
const KEY_ID: usize = 4;

/// One master key of 256 bits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct MasterKey([u8; 32]);

/// The first key seals, every key opens: a new key is put in front, the old one is taken out once nothing needs it.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<MasterKey>,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("a master key is 43 base64url characters (256 bits), one key a line, the newest first")]
    Malformed,
    #[error("{path} can be read by others than its owner: chmod 600 {path}")]
    Exposed { path: String },
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRing({} keys)", self.keys.len())
    }
}

impl KeyRing {
    /// From text: one key a line, the newest first.
    pub fn parse(text: &Secret) -> Result<Self, KeyError> {
        let keys = text
            .expose()
            .split_whitespace()
            .map(|line| {
                let bytes = URL_SAFE_NO_PAD.decode(line).map_err(|_| KeyError::Malformed)?;
                // All bytes alike is a placeholder somebody typed, not 256 random bits.
                let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Malformed)?;
                if bytes.iter().all(|byte| *byte == bytes[0]) { Err(KeyError::Malformed) } else { Ok(MasterKey(bytes)) }
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::Malformed) } else { Ok(Self { keys }) }
    }

    /// From a file only its owner may read; made with a fresh key, and a notice, where it is missing.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let file_error = |source| KeyError::File { path: path.display().to_string(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(file_error)?;
        }
        // Written whole under another name first: neither a crash nor a second process finds half a key.
        if !path.exists() {
            let draft = path.with_extension(crate::random::random_id("new-"));
            let mut line = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
            line.push('\n');
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)
                .map_err(file_error)?;
            file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(file_error)?;
            let linked = std::fs::hard_link(&draft, path);
            std::fs::remove_file(&draft).map_err(file_error)?;
            match linked {
                Ok(()) => log::warn!("made a new master key in {}; keep a copy in a safe place", path.display()),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(file_error(error)),
            }
        }
        let mode = std::fs::metadata(path).map_err(file_error)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.display().to_string() });
        }
        Self::parse(&Secret::new(std::fs::read_to_string(path).map_err(file_error)?))
    }

    /// A key for one purpose, from the newest master key and `input`.
    pub fn derive(&self, purpose: &str, input: &[u8]) -> [u8; 32] {
        self.keys[0].derive(purpose, input)
    }

    /// The same under every key of the ring, newest first: what was derived before a rotation is still found.
    pub fn derive_all(&self, purpose: &str, input: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.keys.iter().map(move |key| key.derive(purpose, input))
    }

    /// Encrypts; `context` (a record's name) must be given again to open, so sealed values can't be swapped.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        let nonce = random_bytes::<NONCE>();
        let mut tag = [0; TAG];
        let sealed = encrypt_aead(
            Cipher::aes_256_gcm(),
            &key.derive("seal", &[]),
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
        let key = self.keys.iter().find(|key| key.id() == id)?;
        let key = key.derive("seal", &[]);
        decrypt_aead(Cipher::aes_256_gcm(), &key, Some(nonce), context.as_bytes(), sealed, tag).ok()
    }
}

impl MasterKey {
    fn derive(&self, purpose: &str, input: &[u8]) -> [u8; 32] {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(purpose.as_bytes()), &self.0)
            .expand(input, &mut key)
            .expect("32 bytes are within HKDF's limit");
        key
    }

    fn id(&self) -> [u8; KEY_ID] {
        let digest: [u8; 32] = Sha256::digest(self.derive("key id", &[])).into();
        [digest[0], digest[1], digest[2], digest[3]]
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

    #[test]
    fn parallel_first_starts_agree_on_one_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let derived: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..8).map(|_| scope.spawn(|| KeyRing::load_or_create(&path).unwrap().derive("test", b""))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(derived.len(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    /// F-070: made private on first start, refused when others may read it or when it is weak.
    #[test]
    fn a_master_key_file_is_private_and_strong() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        let made = KeyRing::load_or_create(&path).unwrap();
        let sealed = made.seal("c", b"x");
        assert_eq!(KeyRing::load_or_create(&path).unwrap().open("c", &sealed).unwrap(), b"x");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(KeyRing::load_or_create(&path), Err(KeyError::Exposed { .. })));
        for weak in ["", "short", &URL_SAFE_NO_PAD.encode([0; 32])] {
            assert!(matches!(KeyRing::parse(&Secret::new(weak)), Err(KeyError::Malformed)), "{weak}");
        }
    }
}
