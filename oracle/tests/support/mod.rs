//! What the tests of the oracle share.

/// What scripts/test sets; without it a test is skipped, but not in CI.
pub fn given(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{variable} is not set: run scripts/test");
        eprintln!("skipped: {variable} is not set");
    }
    value
}
