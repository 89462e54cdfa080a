//! Which pages of other origins may call the API (CORS-01 to CORS-03).

use regex::Regex;

/// What X_DOMAINS and its like say.
#[derive(Debug, Clone)]
pub struct Cors {
    /// Exact origins; `*` is any.
    pub domains: Vec<String>,
    pub patterns: Vec<Regex>,
    /// What the headers of the same names say.
    pub allow_headers: String,
    pub expose_headers: String,
    pub allow_credentials: bool,
    /// Seconds.
    pub max_age: u32,
}

impl Cors {
    pub fn allows(&self, origin: &str) -> bool {
        self.domains.iter().any(|domain| domain == "*" || domain == origin)
            || self.patterns.iter().any(|pattern| pattern.is_match(origin))
    }
}

/// An entry of X_DOMAINS_RE: it matches from the start, to the end only if it says so.
pub fn origin_pattern(written: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("\\A(?:{written})"))
}
