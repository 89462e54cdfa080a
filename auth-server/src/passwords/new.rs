//! What a new password must be (F-006, F-010 to F-012): long enough, and not known beforehand. Nothing else (F-011).

use shared::Secret;
use unicode_normalization::UnicodeNormalization as _;

use super::Passwords;
use super::blocklist::Known;

/// Why a new password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    #[error("the password needs at least {0} characters")]
    TooShort(usize),
    #[error("the password can have at most {0} characters")]
    TooLong(usize),
    #[error("the password holds a character that can't be typed everywhere (NUL)")]
    Nul,
    #[error("the password is one of those that everybody tries first, or little more")]
    Common,
    #[error("the password is the user name, or little more")]
    UserName,
    #[error("the password is the name of this service, or little more")]
    Service,
    #[error("the password is on this service's list of passwords that are known to others")]
    Listed,
}

impl Passwords {
    /// Checks a password that somebody chose for the user of this name, wherever it is set. Its length is counted in characters
    /// of its normal form.
    pub fn check_new(&self, password: &Secret, username: &str) -> Result<(), WeakPassword> {
        let text = password.expose();
        if text.contains('\0') {
            return Err(WeakPassword::Nul);
        }
        let config = &self.inner.config;
        let length = text.nfc().count();
        if length < config.minimum_length {
            return Err(WeakPassword::TooShort(config.minimum_length));
        }
        if length > config.maximum_length {
            return Err(WeakPassword::TooLong(config.maximum_length));
        }
        match self.inner.blocklist.find(password, username) {
            None => Ok(()),
            Some(Known::Common) => Err(WeakPassword::Common),
            Some(Known::UserName) => Err(WeakPassword::UserName),
            Some(Known::Service) => Err(WeakPassword::Service),
            Some(Known::Listed) => Err(WeakPassword::Listed),
        }
    }
}
