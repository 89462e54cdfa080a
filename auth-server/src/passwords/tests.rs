#![allow(clippy::unwrap_used)]
use super::*;

fn passwords() -> Passwords {
    Passwords::open(&PasswordConfig::default(), "auth.example", &Metrics::default()).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

async fn right(passwords: &Passwords, stored: &str, text: &str) -> bool {
    matches!(passwords.verify(Some(stored), secret(text)).await.unwrap().verdict, Verdict::Right(_))
}

/// F-001, F-005: argon2id with the configured parameters and a random salt, over the whole password.
#[actix_rt::test]
async fn a_new_hash_is_argon2id_over_the_whole_password() {
    let passwords = passwords();
    let long = "x".repeat(99);
    let stored = passwords.hash(secret(&format!("{long}a"))).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_ne!(stored, passwords.hash(secret(&format!("{long}a"))).await.unwrap());
    assert_eq!(
        passwords.verify(Some(&stored), secret(&format!("{long}a"))).await.unwrap().verdict,
        Verdict::Right(Renewal::Keep)
    );
    assert!(!right(&passwords, &stored, &format!("{long}b")).await);
}

/// F-002, F-003: weaker hashes and all three bcrypt kinds are accepted and come back as argon2id.
#[actix_rt::test]
async fn weaker_and_older_hashes_are_upgraded_by_the_right_password() {
    let passwords = passwords();
    let text = "correct horse battery";
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).unwrap())
        .hash_password_with_salt(text.as_bytes(), &[7; 16])
        .unwrap()
        .to_string();
    let other = Argon2::new(Algorithm::Argon2i, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap())
        .hash_password_with_salt(text.as_bytes(), &[7; 16])
        .unwrap()
        .to_string();
    assert!(other.starts_with("$argon2i$"), "{other}");
    let parts = bcrypt::hash_with_result(text, 4).unwrap();
    let mut olds = vec![weak, other];
    for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
        olds.push(parts.format_for_version(version));
    }
    for old in olds {
        let Verdict::Right(Renewal::Store(new)) = passwords.verify(Some(&old), secret(text)).await.unwrap().verdict
        else {
            panic!("{old} was not upgraded")
        };
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2") && right(&passwords, &new, text).await);
        assert!(!right(&passwords, &old, "wrong horse battery").await);
    }
}

/// F-004: bcrypt saw 72 bytes only; a longer password signs in, but its hash is not renewed from it.
#[actix_rt::test]
async fn a_password_longer_than_bcrypt_sees_must_be_set_anew() {
    let passwords = passwords();
    let long = "ä".repeat(50);
    let old = bcrypt::hash(&long, 4).unwrap();
    let verdict = passwords.verify(Some(&old), secret(&long)).await.unwrap().verdict;
    assert_eq!(verdict, Verdict::Right(Renewal::SetAnew));
    assert!(right(&passwords, &old, &format!("{}x", "ä".repeat(36))).await);
    assert!(!right(&passwords, &old, &"ä".repeat(35)).await);
    assert!(!right(&passwords, "$2b$17$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a").await);
}

/// F-006: new passwords in NFC; legacy ones as typed first, then NFC; NUL never.
#[actix_rt::test]
async fn a_password_matches_however_its_accents_are_composed() {
    let passwords = passwords();
    let (composed, decomposed) = ("caf\u{e9} au lait, svp", "cafe\u{301} au lait, svp");
    let stored = passwords.hash(secret(decomposed)).await.unwrap();
    assert!(right(&passwords, &stored, composed).await && right(&passwords, &stored, decomposed).await);
    let raw = bcrypt::hash(decomposed, 4).unwrap();
    assert!(right(&passwords, &raw, decomposed).await && !right(&passwords, &raw, composed).await);
    let normal = bcrypt::hash(composed, 4).unwrap();
    assert!(right(&passwords, &normal, decomposed).await);
    assert!(!right(&passwords, &bcrypt::hash("a", 4).unwrap(), "a\0b").await);
    assert_eq!(passwords.check_new(&secret("sixteen letters\0"), "alice"), Err(WeakPassword::Nul));
}

/// F-021: nothing stored, an empty password and a broken hash are all just wrong.
#[actix_rt::test]
async fn without_a_hash_no_password_is_right() {
    let passwords = passwords();
    let stored = passwords.hash(secret("a")).await.unwrap();
    for (stored, text) in [(None, "a"), (None, ""), (Some(stored.as_str()), ""), (Some("$argon2id$nonsense"), "a")] {
        assert_eq!(passwords.verify(stored, secret(text)).await.unwrap().verdict, Verdict::Wrong);
    }
    assert!(read_argon2(&passwords.inner.dummy).is_some(), "the dummy costs what a real hash costs");
}

/// F-021: where there is nothing to check, or nothing that can be, as much work is done as for a wrong password.
#[test]
fn nothing_to_check_costs_as_much_as_a_wrong_password() {
    let passwords = passwords();
    let stored = passwords.inner.hash(&secret("right"));
    let time = |stored: Option<&str>, text: &str| {
        let text = secret(text);
        cost::measure(|| passwords.inner.verify(stored, &text))
    };
    let wrong = time(Some(&stored), "wrong");
    for (stored, text) in
        [(None, "wrong"), (None, ""), (Some(stored.as_str()), ""), (Some("$argon2id$nonsense"), "wrong")]
    {
        let took = time(stored, text);
        assert!(took > wrong / 3 && took < wrong * 3, "{stored:?} {text:?}: {took:?} instead of {wrong:?}");
    }
}

/// F-007: what would wait too long is refused at once.
#[actix_rt::test]
async fn a_full_queue_is_busy() {
    let config = PasswordConfig { threads: 1, queue: 1, ..PasswordConfig::default() };
    let passwords = Passwords::open(&config, "auth.example", &Metrics::default()).unwrap();
    let results = futures_util::future::join_all((0..4).map(|_| passwords.hash(secret("a")))).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, false]);
    assert!(passwords.hash(secret("a")).await.is_ok());
}

/// F-007, decisions 25: unless told otherwise, a core is left to everything else.
#[test]
fn one_core_does_not_hash() {
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(passwords().inner.threads.available_permits(), (cores - 1).max(1));
}

/// F-011, F-012: any kind of characters will do, but nothing that is known beforehand; the refusal names the reason.
#[test]
fn a_new_password_is_no_known_one() {
    let passwords = passwords();
    let check = |text: &str| passwords.check_new(&secret(text), "alice.jones");
    for good in
        ["only lower letters", "ONLY UPPER LETTERS", "829145730264918", "-+-=/\\|{}[]<>?~", "       wide       "]
    {
        assert_eq!(check(good), Ok(()), "{good:?}");
    }
    for (bad, told) in [
        ("Password-1234567", "everybody tries first"),
        ("Alice.Jones.2026", "the user name"),
        ("auth.example-auth.example", "the name of this service"),
    ] {
        let refused = check(bad).unwrap_err().to_string();
        assert!(refused.contains(told), "{bad}: {refused}");
    }
}

/// F-010: counted in characters, with spaces and any script.
#[test]
fn a_new_password_has_a_least_and_a_most_length() {
    let passwords = passwords();
    let check = |text: &str| passwords.check_new(&secret(text), "alice");
    assert_eq!(check("fourteen chars"), Err(WeakPassword::TooShort(15)));
    assert_eq!(check("fifteen chars 1"), Ok(()));
    assert_eq!(check("ünïcödé ïst güt"), Ok(()));
    assert_eq!(check("ünïcödé ïst gü"), Err(WeakPassword::TooShort(15)));
    assert_eq!(check(&"one of many words ".repeat(14)), Ok(()), "252 characters");
    assert_eq!(check(&"x".repeat(257)), Err(WeakPassword::TooLong(256)));
}
