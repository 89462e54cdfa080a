//! Passwords that attackers try first (F-012). The whole password is compared, as NIST SP 800-63B-4 3.1.1.2 demands: words of a
//! long one do no harm, so no rule about its composition comes of it (F-011).

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use shared::Secret;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Letters and digits of the best-known passwords and their parts.
static COMMON: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = include_str!("common.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| plain(line).to_string()).collect()
});

/// What lies side by side on keyboards and in the alphabet: any part of it, either way round, twice over as well.
static ROWS: LazyLock<Vec<String>> = LazyLock::new(|| ROW.iter().map(|row| row.repeat(2)).collect());
const ROW: [&str; 12] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
];

/// Parts shorter than this are no words: nearly every password could be made of them.
const SHORTEST: usize = 3;
/// Two parts are no longer than this, in bytes.
const LONGEST: usize = 80;

/// Why a password is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Everybody tries it first.
    Common,
    /// The user name, or little more.
    UserName,
    /// The name of this service, or little more.
    Service,
    /// In the operator's file.
    Listed,
}

/// The built-in list, what belongs to this service, and what the operator adds.
#[derive(Default)]
pub struct Blocklist {
    /// The service's host, whole and in parts.
    service: Vec<String>,
    /// Of the operator's file: a digest of each entry, sorted. Eight bytes an entry, so that millions fit.
    listed: Vec<u64>,
}

/// Why the operator's file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("can't read {}: {source}", path.display())]
pub struct BlocklistError {
    path: PathBuf,
    source: std::io::Error,
}

impl Blocklist {
    /// `host`: where the service is known; `file`: one password a line, UTF-8.
    pub fn open(host: &str, file: Option<&Path>) -> Result<Self, BlocklistError> {
        let labels = host.split('.').collect::<Vec<_>>();
        // The last label is a country or kind, and an address has no names.
        let named = host.parse::<std::net::IpAddr>().is_err() && labels.len() > 1;
        let parts = if named { &labels[..labels.len() - 1] } else { &[][..] };
        let service = parts.iter().chain([&host]).map(|part| plain(part).to_string());
        let service = service.filter(|part| part.len() >= SHORTEST).collect();
        let mut listed = Vec::new();
        if let Some(path) = file {
            let fault = |source| BlocklistError { path: path.to_owned(), source };
            let mut lines = BufReader::new(std::fs::File::open(path).map_err(fault)?);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).map_err(fault)? > 0 {
                let text = plain(&String::from_utf8_lossy(&line));
                if !text.is_empty() {
                    listed.push(digest(&text));
                }
                line.clear();
            }
            listed.sort_unstable();
            listed.dedup();
        }
        Ok(Self { service, listed })
    }

    /// Whether a password for this user is known beforehand.
    pub fn find(&self, password: &Secret, username: &str) -> Option<Known> {
        let own = |part: &str| part.chars().count() >= SHORTEST;
        let local = username.split('@').next().unwrap_or_default();
        let names = [plain(username), plain(local)];
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).filter(|name| own(name)).collect();
        forms(password.expose()).iter().find_map(|form| self.judge(form, &names))
    }

    fn judge(&self, form: &str, names: &[&str]) -> Option<Known> {
        if let Some(known) = self.word(form, names) {
            return Some(known);
        }
        if let Some(unit) = unit(form) {
            // Four signs over and over are tried like one word, whatever they are.
            return self.judge(unit, names).or((unit.chars().count() <= 4).then_some(Known::Common));
        }
        if form.len() > LONGEST {
            return None;
        }
        form.char_indices().skip(SHORTEST).find_map(|(middle, _)| {
            let (first, second) = form.split_at(middle);
            if second.chars().count() < SHORTEST {
                return None;
            }
            let part = |part: &str| self.word(part, names).or_else(|| self.word(unit(part)?, names));
            let (first, second) = (part(first)?, part(second)?);
            // What tells more of the reason: a name of one's own rather than a word of everybody's.
            Some(if first == Known::Common { second } else { first })
        })
    }

    fn word(&self, text: &str, names: &[&str]) -> Option<Known> {
        if names.contains(&text) {
            Some(Known::UserName)
        } else if self.service.iter().any(|part| part == text) {
            Some(Known::Service)
        } else if COMMON.contains(text) || is_row(text) {
            Some(Known::Common)
        } else if !self.listed.is_empty() && self.listed.binary_search(&digest(text)).is_ok() {
            Some(Known::Listed)
        } else {
            None
        }
    }
}

/// Letters and digits alone, in lower case.
fn plain(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.nfkc().flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric()).collect())
}

/// What a password may have been made from: as it is, without digits and signs at its ends, and with look-alike signs turned
/// back into letters. Some signs at the ends stand for letters, and some for nothing.
fn forms(password: &str) -> Vec<Zeroizing<String>> {
    let lower: Zeroizing<String> = Zeroizing::new(password.nfkc().flat_map(char::to_lowercase).collect());
    let no_letter = |letter: char| !letter.is_alphabetic();
    let (end, signs) = (lower.trim_end_matches(no_letter), lower.trim_end_matches(|c: char| !c.is_alphanumeric()));
    let bare = end.trim_start_matches(no_letter);
    let mut forms = vec![plain(&lower), plain(bare)];
    for text in [lower.as_str(), signs, end, bare] {
        for one in ['l', 'i'] {
            let letters: Zeroizing<String> = Zeroizing::new(text.chars().map(|sign| letter_for(sign, one)).collect());
            forms.push(plain(&letters));
        }
    }
    forms.retain(|form| !form.is_empty());
    forms.dedup();
    forms
}

/// The letter that a look-alike stands for.
fn letter_for(sign: char, one: char) -> char {
    match sign {
        '@' | '4' => 'a',
        '3' | '€' => 'e',
        '1' | '|' => one,
        '!' => 'i',
        '0' => 'o',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// The shortest text that `form` repeats from end to end.
fn unit(form: &str) -> Option<&str> {
    let half = form.len() / 2;
    let lengths = form.char_indices().map(|(end, _)| end).skip(1).take_while(|end| *end <= half);
    let mut whole = lengths.filter(|end| form.len().is_multiple_of(*end));
    whole.find(|end| form.as_bytes().chunks(*end).all(|part| part == &form.as_bytes()[..*end])).map(|end| &form[..end])
}

fn is_row(text: &str) -> bool {
    if text.chars().count() < SHORTEST {
        return false;
    }
    let backwards: Zeroizing<String> = Zeroizing::new(text.chars().rev().collect());
    ROWS.iter().any(|row| row.contains(text) || row.contains(backwards.as_str()))
}

fn digest(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn find(password: &str) -> Option<Known> {
        let list = Blocklist::open("sign-in.acme.example", None).unwrap();
        list.find(&Secret::new(password), "alice.jones@acme.example")
    }

    /// F-012: the best-known ones, however they are dressed up.
    #[test]
    fn common_passwords_are_known_in_every_dress() {
        for common in [
            "password",
            "Password123456!",
            "P@ssw0rd2026!!!",
            "passwordpassword",
            "Passwort-Passwort",
            "123456789012345",
            "543210987654321",
            "qwertyuiopasdfgh",
            "Qwertzuiopasdfg1",
            "1qaz2wsx3edc4rfv",
            "abcdefghijklmnop",
            "aaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "Correct Horse Battery Staple",
            "correcthorsebatterystaple1",
            "iloveyouforever!",
            "letmein letmein letmein",
            "LetMeIn-Administrator",
            "$up3r$3cr3tP@ssw0rd",
            "trustno1trustno1",
            "adminadmin123456",
            "welcome welcome 2026",
            "Sunshine.Princess.1",
            "!!!!!!!!password!!!!!!!!",
        ] {
            assert_eq!(find(common), Some(Known::Common), "{common}");
        }
    }

    /// F-012: the user's own name and the service's are no secrets.
    #[test]
    fn names_of_user_and_service_are_known() {
        for own in [
            "alice.jones@acme.example",
            "AliceJones2026!",
            "alicejonesalicejones",
            "alice.jones-password",
            "4l1c3j0n3s!!!!!",
        ] {
            assert_eq!(find(own), Some(Known::UserName), "{own}");
        }
        for service in ["sign-in.acme.example", "AcmeAcmeAcmeAcme", "acme-password-1", "Sign-in Acme 2026"] {
            assert_eq!(find(service), Some(Known::Service), "{service}");
        }
        let list = Blocklist::open("127.0.0.1", None).unwrap();
        assert_eq!(list.find(&Secret::new("127.0.0.1127.0.0.1"), "al"), Some(Known::Service));
        assert_eq!(list.find(&Secret::new("al is no word, just short"), "al"), None);
    }

    /// F-011: what a password is made of is nobody's business as long as it is not known beforehand.
    #[test]
    fn uncommon_passwords_of_any_kind_are_unknown() {
        for good in [
            "a password for tests",
            "another long password",
            "my password is long enough",
            "tractor violin seventeen",
            "lllllillllilllil",
            "829145730264918",
            "ünïcödé ist schön",
            "пароль для проверки",
            "密码要够长才算好密码啊真的",
            "🦊🐢🌵🍉🚲🎻🧭🪁🏔️🛶🥁🔭🧶🪴🎲",
            "\u{200b}\u{200b}",
            "",
            "x7Kq-2bPz-9vRt-4mWs",
            "alice went to acme with a password",
        ] {
            assert_eq!(find(good), None, "{good}");
        }
    }

    /// F-012: an operator's own file counts, in any dress; one that can't be read is named.
    #[test]
    fn an_operators_file_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, b"Rosebud Sledge\r\n\n\xff\xfe\nthird-entry\n").unwrap();
        let list = Blocklist::open("acme.example", Some(&path)).unwrap();
        for listed in ["rosebudsledge", "R0sebud_Sledge!", "thirdentry 99", "Rosebud Sledge Rosebud Sledge"] {
            assert_eq!(list.find(&Secret::new(listed), "bob"), Some(Known::Listed), "{listed}");
        }
        assert_eq!(list.find(&Secret::new("rosebud and sledge"), "bob"), None);
        let missing = folder.path().join("missing.txt");
        let told = Blocklist::open("acme.example", Some(&missing)).err().unwrap().to_string();
        assert!(told.contains("missing.txt"), "{told}");
    }

    #[test]
    fn the_built_in_list_is_in_the_form_it_is_compared_in() {
        assert!(COMMON.len() > 700 && COMMON.iter().all(|word| word.chars().count() >= SHORTEST));
    }
}
