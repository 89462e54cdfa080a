//! Regular expressions of filters. They come from strangers and run over whole tables, so only an engine whose time is
//! linear in the text will do: it knows neither look-around nor back-references, which are refused.

use regex::{Regex, RegexBuilder};

use super::perl;

/// Longest pattern in bytes.
const PATTERN_LIMIT: usize = 4096;
/// Bytes a compiled pattern may take: what bounds the time of each byte of a text.
const SIZE_LIMIT: usize = 256 << 10;

/// A regular expression with MongoDB's options: `i` ignore case, `m` multi-line, `s` dot matches all, `x` verbose, `u` accepted.
#[derive(Debug, Clone)]
pub struct Pattern {
    pattern: String,
    options: String,
    compiled: Regex,
}

impl Pattern {
    /// The error says what is wrong with the pattern, in a few words.
    pub fn new(pattern: &str, options: &str) -> Result<Self, String> {
        if pattern.len() > PATTERN_LIMIT {
            return Err(format!("longer than {PATTERN_LIMIT} bytes"));
        }
        if pattern.contains('\0') {
            return Err("has an embedded null byte".to_owned());
        }
        let translated = perl::translated(pattern, options.contains('x'), options.contains('m'))?;
        let mut builder = RegexBuilder::new(&translated);
        builder.size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT);
        for option in options.chars() {
            match option {
                'i' => builder.case_insensitive(true),
                'm' => builder.multi_line(true),
                's' => builder.dot_matches_new_line(true),
                'x' => builder.ignore_whitespace(true),
                'u' => &mut builder,
                other => return Err(format!("invalid flag in regex options: {other}")),
            };
        }
        let compiled = builder.build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "too large when compiled".to_owned(),
            error => summary(&error.to_string()),
        })?;
        let mut options: Vec<char> = options.chars().collect();
        options.sort_unstable();
        options.dedup();
        Ok(Self { pattern: pattern.to_owned(), options: options.into_iter().collect(), compiled })
    }

    /// As written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// In alphabetical order, each once.
    pub fn options(&self) -> &str {
        &self.options
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.options == other.options
    }
}

/// The library draws the pattern with a mark below; the last line says what is wrong.
fn summary(error: &str) -> String {
    let last = error.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
