//! Regular expressions of schemas (VAL-11). Their author is trusted, the texts they are tried on are not.

use regex::Regex;

/// Steps a pattern may backtrack; past them a value counts as no match, so that no pattern can stall a worker.
const BACKTRACK_LIMIT: usize = 100_000;
/// Bytes of a text that a pattern which backtracks is tried on. Between two steps it may look at all of the text, so that
/// its time can grow with the square of the length: some tenths of a second here, minutes for the longest body.
const LONGEST_TEXT: usize = 16 << 10;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub enum TextPattern {
    /// Its time is linear in the text.
    Linear(Regex),
    /// It has look-around or back-references.
    Backtracking(Box<fancy_regex::Regex>),
}

impl TextPattern {
    /// Matches from the start, and to the end because a `$` is added.
    pub fn new(written: &str) -> Result<Self, String> {
        let end = if written.ends_with('$') { "" } else { "$" };
        let whole = format!("\\A(?:{written}{end})");
        if let Ok(linear) = Regex::new(&whole) {
            return Ok(Self::Linear(linear));
        }
        let pattern = fancy_regex::RegexBuilder::new(&whole).backtrack_limit(BACKTRACK_LIMIT).build();
        pattern
            .map(|pattern| Self::Backtracking(Box::new(pattern)))
            .map_err(|error| format!("can't be compiled: {error}"))
    }

    /// A pattern that gives up counts as no match.
    pub fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Linear(pattern) => pattern.is_match(text),
            Self::Backtracking(pattern) => text.len() <= LONGEST_TEXT && pattern.is_match(text).unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, Instant};

    use super::*;

    /// VAL-11: from the start to the end, with all that Python's patterns know.
    #[test]
    fn a_pattern_matches_the_whole_text() {
        for (pattern, text, expected) in [
            ("[a-z]+", "abc", true),
            ("[a-z]+", "abc1", false),
            ("[a-z]+", "1abc", false),
            ("[a-z]+$", "abc", true),
            ("a|b", "b", true),
            ("(?!x)[a-z]+", "xa", false),
            ("(?=.*[0-9])[a-z0-9]{4,}", "abc1", true),
            ("(.)\\1", "aa", true),
            ("(.)\\1", "ab", false),
        ] {
            assert_eq!(TextPattern::new(pattern).unwrap().is_match(text), expected, "{pattern} {text}");
        }
        assert!(TextPattern::new("(").unwrap_err().starts_with("can't be compiled: "));
    }

    /// However a pattern backtracks, and however long the text is.
    #[test]
    fn no_pattern_takes_long() {
        let start = Instant::now();
        for pattern in ["(?:.(?=.*x))*", "(?:(?!ab).)*c", "((a+)+)+(?!y)b", "(?:a(?=.*b)(?=.*c))*z", "(a*)*\\1x"] {
            for length in [1000, LONGEST_TEXT, 4 << 20] {
                TextPattern::new(pattern).unwrap().is_match(&"a".repeat(length));
            }
        }
        // In a test build, on a busy machine.
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    }
}
