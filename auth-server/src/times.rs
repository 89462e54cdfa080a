//! How pages write times: for machines in ISO 8601, for people in words, always in UTC and saying so.

use jiff::Timestamp;
use serde::Serialize;

/// One moment in both ways, for a `<time>` element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    pub instant: String,
    pub text: String,
}

impl Moment {
    /// Of epoch seconds.
    pub fn at(seconds: i64) -> Self {
        let time = Timestamp::from_second(seconds).unwrap_or_default();
        Self { instant: time.to_string(), text: time.strftime("%-d %B %Y, %H:%M UTC").to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_for_machines_and_for_people() {
        let moment = Moment::at(1_767_258_300);
        assert_eq!(
            (moment.instant.as_str(), moment.text.as_str()),
            ("2026-01-01T09:05:00Z", "1 January 2026, 09:05 UTC")
        );
    }
}
