//! The file of a ring: one key a line, the newest first, for its owner only.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{KeyError, KeyRing, MasterKey};
use crate::Secret;
use crate::random::random_id;

/// How often a running server looks at the file.
const LOOK: Duration = Duration::from_secs(1);

/// A ring as it was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Names of the keys that are in it now, the newest first.
    pub kept: Vec<String>,
    /// Names of those that went.
    pub dropped: Vec<String>,
}

impl KeyRing {
    /// From a file only its owner may read; made with a fresh key, and a notice, where it is missing.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(fault(path))?;
        }
        if !path.exists() {
            let draft = draft(path, &[MasterKey::random()])?;
            let linked = std::fs::hard_link(&draft, path);
            std::fs::remove_file(&draft).map_err(fault(path))?;
            match linked {
                Ok(()) => log::warn!("made a new master key in {}; keep a copy in a safe place", path.display()),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fault(path)(error)),
            }
        }
        Self::load(path)
    }

    /// From a file that must be there.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let mode = std::fs::metadata(path).map_err(fault(path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.display().to_string() });
        }
        Self::parse(&Secret::new(std::fs::read_to_string(path).map_err(fault(path))?))
    }

    /// Puts a new key in front of the file's ring, or the one named `to` that is in it. Of all keys the foremost `keep` stay.
    pub fn rotate(path: &Path, to: Option<&str>, keep: usize) -> Result<Rotated, KeyError> {
        change(path, |keys| {
            let first = match to {
                None => MasterKey::random(),
                Some(name) => {
                    let place = keys.iter().position(|key| key.name() == name);
                    keys.remove(place.ok_or_else(|| KeyError::Unknown(name.to_owned()))?)
                }
            };
            keys.insert(0, first);
            let dropped = keys.split_off(keep.clamp(1, keys.len()));
            Ok(dropped.iter().map(MasterKey::name).collect())
        })
    }

    /// Puts a new key behind the others: it opens, and seals nothing until it is [rotated](KeyRing::rotate) to. For several
    /// servers with the same ring: each must know a key before one of them uses it.
    pub fn stage(path: &Path) -> Result<Rotated, KeyError> {
        change(path, |keys| {
            keys.push(MasterKey::random());
            Ok(Vec::new())
        })
    }

    /// Adds the keys of another file behind those of the file at `path`, where they are missing; makes that file where it is
    /// missing. What either ring opened is opened by the result.
    pub fn merge(path: &Path, other: &Path) -> Result<Rotated, KeyError> {
        let others = Self::load(other)?.keys();
        if !path.exists() {
            let draft = draft(path, &others)?;
            std::fs::rename(&draft, path).map_err(fault(path))?;
            return Ok(Rotated { kept: Self::load(path)?.ids(), dropped: Vec::new() });
        }
        change(path, |keys| {
            for key in others.iter() {
                if keys.iter().all(|held| held.0 != key.0) {
                    keys.push(key.clone());
                }
            }
            Ok(Vec::new())
        })
    }

    /// Takes over what others make of the file, within a second, for as long as the ring is used. A file that can't be read
    /// changes nothing.
    pub fn follow(&self, path: PathBuf) {
        let held = std::sync::Arc::downgrade(&self.keys);
        let mut seen = state(&path);
        actix_rt::spawn(async move {
            loop {
                actix_rt::time::sleep(LOOK).await;
                let Some(keys) = held.upgrade() else { return };
                let now = state(&path);
                if now == seen {
                    continue;
                }
                seen = now;
                match Self::load(&path) {
                    Ok(read) => {
                        *keys.write().unwrap_or_else(PoisonError::into_inner) = read.keys();
                        log::info!("{} master keys were read from {}", read.keys().len(), path.display());
                    }
                    Err(error) => log::error!("the master keys stay as they were: {error}"),
                }
            }
        });
    }
}

/// Changes the ring in a file, one process at a time. The file is replaced by a whole one: neither a crash nor a reader
/// finds half a ring.
fn change(
    path: &Path,
    change: impl FnOnce(&mut Vec<MasterKey>) -> Result<Vec<String>, KeyError>,
) -> Result<Rotated, KeyError> {
    let _held = lock(path)?;
    let mut keys = KeyRing::load(path)?.keys().to_vec();
    let dropped = change(&mut keys)?;
    let draft = draft(path, &keys)?;
    std::fs::rename(&draft, path).map_err(fault(path))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault(path))?;
    Ok(Rotated { kept: keys.iter().map(MasterKey::name).collect(), dropped })
}

/// Held until the file is closed. Whoever waited for a file that was replaced meanwhile waits for its successor.
fn lock(path: &Path) -> Result<File, KeyError> {
    loop {
        let file = File::open(path).map_err(fault(path))?;
        file.lock().map_err(fault(path))?;
        let held = file.metadata().map_err(fault(path))?.ino();
        if std::fs::metadata(path).map_err(fault(path))?.ino() == held {
            return Ok(file);
        }
    }
}

/// Written whole, and to the disk, under another name beside the file.
fn draft(path: &Path, keys: &[MasterKey]) -> Result<PathBuf, KeyError> {
    let draft = path.with_extension(random_id("new-"));
    let mut text = Zeroizing::new(String::with_capacity(keys.len() * 44));
    for key in keys {
        URL_SAFE_NO_PAD.encode_string(key.0, &mut text);
        text.push('\n');
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(fault(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault(path))?;
    Ok(draft)
}

/// Tells two states of the file apart.
fn state(path: &Path) -> Option<(u64, u64, i64, i64)> {
    let of = |metadata: Metadata| (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec());
    std::fs::metadata(path).ok().map(of)
}

fn fault(path: &Path) -> impl Fn(std::io::Error) -> KeyError {
    let path = path.display().to_string();
    move |source| KeyError::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parallel_first_starts_agree_on_one_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let derived: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let starts: Vec<_> =
                (0..8).map(|_| scope.spawn(|| *KeyRing::load_or_create(&path).unwrap().derive("test", b""))).collect();
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

    /// F-071: the new key seals, the old one opens, what is more than wanted goes.
    #[test]
    fn a_rotation_puts_a_new_key_in_front() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = KeyRing::load_or_create(&path).unwrap();
        let sealed = first.seal("c", b"x");
        let rotated = KeyRing::rotate(&path, None, usize::MAX).unwrap();
        assert_eq!((rotated.kept.len(), &rotated.kept[1], rotated.dropped.len()), (2, &first.ids()[0], 0));
        let second = KeyRing::load(&path).unwrap();
        assert_eq!(second.open("c", &sealed).unwrap(), b"x");
        assert_eq!(first.open("c", &second.seal("c", b"y")), None, "the new key seals");
        let third = KeyRing::rotate(&path, None, 2).unwrap();
        assert_eq!((third.kept.len(), third.dropped), (2, first.ids()));
        assert_eq!(KeyRing::load(&path).unwrap().open("c", &sealed), None);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    /// F-071 with several servers: a staged key opens everywhere before it seals anywhere.
    #[test]
    fn a_staged_key_seals_once_it_is_rotated_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = KeyRing::load_or_create(&path).unwrap().ids();
        let staged = KeyRing::stage(&path).unwrap().kept;
        assert_eq!((&staged[0], staged.len()), (&first[0], 2));
        let rotated = KeyRing::rotate(&path, Some(&staged[1]), usize::MAX).unwrap();
        assert_eq!(rotated.kept, [staged[1].clone(), first[0].clone()]);
        assert!(matches!(KeyRing::rotate(&path, Some("00000000"), 9), Err(KeyError::Unknown(_))));
    }

    #[test]
    fn parallel_rotations_lose_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        KeyRing::load_or_create(&path).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| KeyRing::rotate(&path, None, usize::MAX).unwrap());
            }
        });
        assert_eq!(KeyRing::load(&path).unwrap().ids().len(), 9);
    }

    #[test]
    fn a_merged_ring_opens_what_either_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other, missing) = (folder.path().join("one"), folder.path().join("other"), folder.path().join("new"));
        let (first, second) = (KeyRing::load_or_create(&one).unwrap(), KeyRing::load_or_create(&other).unwrap());
        for _ in 0..2 {
            let merged = KeyRing::merge(&one, &other).unwrap().kept;
            assert_eq!(merged, [first.ids(), second.ids()].concat());
        }
        assert_eq!(KeyRing::merge(&missing, &other).unwrap().kept, second.ids());
        assert_eq!(std::fs::metadata(&missing).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// F-071: a running server takes a new key over by itself, and keeps its keys when the file is no good.
    #[actix_rt::test]
    async fn a_running_server_follows_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let ring = KeyRing::load_or_create(&path).unwrap();
        let (clone, old) = (ring.clone(), ring.ids());
        ring.follow(path.clone());
        let rotated = KeyRing::rotate(&path, None, usize::MAX).unwrap().kept;
        let mut tries = 0;
        while clone.ids() == old {
            actix_rt::time::sleep(Duration::from_millis(50)).await;
            tries += 1;
            assert!(tries < 1200, "the new key is not taken over");
        }
        assert_eq!(clone.ids(), rotated);
        std::fs::write(&path, "nonsense").unwrap();
        actix_rt::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(clone.ids(), rotated);
    }
}
