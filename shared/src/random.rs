//! Unguessable values.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// `N` bytes from the operating system's generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers");
    bytes
}

/// `prefix` and 256 bits as base64url without padding; the prefix lets scanners recognise leaked values.
pub fn random_token(prefix: &str) -> String {
    let mut token = String::with_capacity(prefix.len() + 43);
    token.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(*Zeroizing::new(random_bytes::<32>()), &mut token);
    token
}

/// `prefix` and 128 bits as base64url: names that need no secrecy, such as `u_…` and `c_…`.
pub fn random_id(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random_bytes::<16>()))
}
