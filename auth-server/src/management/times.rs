//! How the console writes times.

use jiff::Timestamp;

/// ISO 8601 of epoch seconds, for machines.
pub fn instant(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}

/// The day of epoch seconds, for people.
pub fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}
