//! Proof Key for Code Exchange, method S256 only (RFC 7636, A-023 to A-027, B-043).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether a `code_challenge` is the 43 base64url characters that S256 yields.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether `verifier` is well formed and hashes to `challenge` (RFC 7636 4.1, 4.6).
pub fn verifies(verifier: &str, challenge: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(legal) {
        return false;
    }
    let computed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    computed.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    /// B-043: the vector of RFC 7636 Appendix B, and what must fail.
    #[test]
    fn a_verifier_proves_its_own_challenge_and_no_other() {
        assert!(verifies(VERIFIER, CHALLENGE));
        assert!(!verifies(&VERIFIER.replace('d', "e"), CHALLENGE));
        assert!(!verifies(CHALLENGE, CHALLENGE));
        for malformed in ["", &VERIFIER[1..], &"a".repeat(129), &VERIFIER.replace('-', "+")] {
            assert!(!verifies(malformed, &URL_SAFE_NO_PAD.encode(Sha256::digest(malformed))), "{malformed}");
        }
    }

    ///
    #[test]
    fn a_challenge_is_43_base64url_characters() {
        assert!(is_challenge(CHALLENGE));
        for bad in ["", &CHALLENGE[1..], &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
