//! `max_results` and `page` (PAGE-01 to PAGE-04).

use crate::domain::{Resource, Settings};

/// What a store can count to.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// Which part of the matches is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u64,
    /// Documents of a page; 0: all.
    pub max_results: u64,
}

impl Page {
    pub(super) fn parse(
        number: Option<&str>,
        max_results: Option<&str>,
        resource: &Resource,
        settings: &Settings,
    ) -> Self {
        let wanted = max_results.and_then(size);
        if !resource.pagination {
            return Self { number: 1, max_results: wanted.unwrap_or(0) };
        }
        Self {
            number: number.and_then(whole).unwrap_or(1).max(1),
            max_results: wanted.unwrap_or(settings.pagination_default).min(resource.pagination_limit),
        }
    }

    /// Documents before the page.
    pub(super) fn skip(self) -> u64 {
        (self.number - 1).saturating_mul(self.max_results).min(LARGEST)
    }
}

/// A float, its fraction cut; none below 1.
fn size(text: &str) -> Option<u64> {
    let number: f64 = digits(text)?.parse().ok()?;
    // The cast saturates.
    (number.is_finite() && number >= 1.0).then(|| (number as u64).min(LARGEST))
}

/// An integer without its sign.
fn whole(text: &str) -> Option<u64> {
    let text = digits(text)?;
    let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(LARGEST).min(LARGEST))
}

/// Without space around, and without the underscores that Python allows between digits.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let misplaced = |(index, byte): (usize, &u8)| {
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        *byte == b'_' && !(index > 0 && is_digit(index - 1) && is_digit(index + 1))
    };
    if bytes.iter().enumerate().any(misplaced) { None } else { Some(text.replace('_', "")) }
}
