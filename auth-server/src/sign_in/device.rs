//! Browsers that signed in before. Each carries a mark of its own, so that a stranger's failures can't lock an account's owner
//! out (F-042). A mark says nothing about its account and opens nothing: it only has counters of its own.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock;
use shared::random::random_bytes;
use shared::seal::KeyRing;
use subtle::ConstantTimeEq as _;

use crate::app::App;

const NONCE: usize = 16;
/// The day it was made, counted from 1970.
const DAY: usize = 4;
const PROOF: usize = 16;
/// Accounts that one browser is remembered for.
const MOST: usize = 4;
/// A mark that was not renewed for so many days is worth nothing.
const LIFE: u32 = 365;

/// What one browser got at its last sign-in to one account.
#[derive(Clone)]
pub struct Mark([u8; NONCE + DAY + PROOF]);

/// The marks that a request carries, the newest first.
#[derive(Default)]
pub struct Marks(Vec<Mark>);

impl Marks {
    pub fn of(app: &App, request: &HttpRequest) -> Self {
        Self::read(request.cookie(&name(app)).as_ref().map_or("", Cookie::value))
    }

    fn read(value: &str) -> Self {
        let read = |text: &str| Some(Mark(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?));
        Self(value.split('.').take(MOST).filter_map(read).collect())
    }

    /// The mark for the account of this (folded) name.
    pub fn find(&self, keys: &KeyRing, folded: &str) -> Option<&Mark> {
        self.0.iter().find(|mark| mark.proves(keys, folded, today()))
    }

    /// Renewed, or made, for the account of this name; others are kept as long as there is room. `nonce`: the one to keep.
    fn with(self, keys: &KeyRing, folded: &str, nonce: Option<[u8; NONCE]>) -> Self {
        let new = Mark::new(keys, folded, nonce.unwrap_or_else(random_bytes), today());
        let others = self.0.into_iter().filter(|mark| !mark.proves(keys, folded, today()));
        Self(std::iter::once(new).chain(others).take(MOST).collect())
    }

    fn text(&self) -> String {
        self.0.iter().map(|mark| URL_SAFE_NO_PAD.encode(mark.0)).collect::<Vec<_>>().join(".")
    }
}

impl Mark {
    fn new(keys: &KeyRing, folded: &str, nonce: [u8; NONCE], day: u32) -> Self {
        let mut mark = Self([0; NONCE + DAY + PROOF]);
        mark.0[..NONCE].copy_from_slice(&nonce);
        mark.0[NONCE..NONCE + DAY].copy_from_slice(&day.to_be_bytes());
        let proof = keys.derive("device", &mark.claim(folded));
        mark.0[NONCE + DAY..].copy_from_slice(&proof[..PROOF]);
        mark
    }

    /// Under which its failures are counted.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.nonce())
    }

    fn nonce(&self) -> &[u8] {
        &self.0[..NONCE]
    }

    fn claim(&self, folded: &str) -> Vec<u8> {
        [&self.0[..NONCE + DAY], folded.as_bytes()].concat()
    }

    fn proves(&self, keys: &KeyRing, folded: &str, today: u32) -> bool {
        let day = self.0[NONCE..NONCE + DAY].try_into().map_or(0, u32::from_be_bytes);
        let proof = &self.0[NONCE + DAY..];
        let fresh = today.saturating_sub(day) <= LIFE;
        fresh && keys.derive_all("device", &self.claim(folded)).any(|own| own[..PROOF].ct_eq(proof).into())
    }
}

/// The cookie to be given after a sign-in. `keep`: the mark that the browser was recognised by.
pub fn remember(app: &App, marks: Marks, folded: &str, keep: Option<&Mark>) -> Cookie<'static> {
    let nonce = keep.and_then(|mark| mark.nonce().try_into().ok());
    Cookie::build(name(app), marks.with(&app.keys, folded, nonce).text())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.config.secure_cookies())
        .max_age(Duration::days(LIFE.into()))
        .finish()
}

fn name(app: &App) -> String {
    format!("{}-device", app.sessions.cookie_name())
}

fn today() -> u32 {
    u32::try_from(clock::now() / 86_400).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared::Secret;

    use super::*;

    fn keys(byte: u8) -> KeyRing {
        let mut key = [byte; 32];
        key[0] ^= 1;
        KeyRing::parse(&Secret::new(URL_SAFE_NO_PAD.encode(key))).unwrap()
    }

    /// F-042: a mark counts for the account, the year and the server it was made for.
    #[test]
    fn a_mark_is_for_one_account_and_one_year() {
        let keys = keys(1);
        let mark = Mark::new(&keys, "alice", [7; NONCE], 1000);
        assert!(mark.proves(&keys, "alice", 1000) && mark.proves(&keys, "alice", 1000 + LIFE));
        assert!(!mark.proves(&keys, "alice", 1001 + LIFE) && !mark.proves(&keys, "bob", 1000));
        assert!(!mark.proves(&self::keys(2), "alice", 1000));
        for byte in 0..mark.0.len() {
            let mut changed = mark.clone();
            changed.0[byte] ^= 1;
            assert!(!changed.proves(&keys, "alice", 1000), "byte {byte}");
        }
    }

    /// F-042: several people share a browser; one more than there is room for displaces the oldest.
    #[test]
    fn a_browser_is_remembered_for_a_few_accounts() {
        let keys = keys(1);
        let mut marks = Marks::default();
        for name in ["a", "b", "a", "c", "d"] {
            marks = Marks::read(&marks.with(&keys, name, None).text());
        }
        assert!(["a", "b", "c", "d"].iter().all(|name| marks.find(&keys, name).is_some()));
        let kept = marks.find(&keys, "a").unwrap().nonce().try_into().unwrap();
        let marks = Marks::read(&marks.with(&keys, "a", Some(kept)).text());
        assert_eq!(marks.find(&keys, "a").unwrap().nonce(), kept);
        let marks = Marks::read(&marks.with(&keys, "e", None).text());
        assert!(marks.find(&keys, "b").is_none() && marks.find(&keys, "a").is_some());
        assert!(Marks::read("").0.is_empty() && Marks::read("..x.%").0.is_empty());
        assert!(marks.text().len() < 250 && !marks.text().contains("alice"));
    }
}
