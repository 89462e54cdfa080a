//! How the console writes times.

use jiff::Timestamp;
use serde::Serialize;

/// A time for people and, as ISO 8601, for machines.
#[derive(Serialize)]
pub struct Time {
    pub iso: String,
    /// To the minute, in UTC.
    pub minute: String,
    pub day: String,
}

impl Time {
    /// Of epoch seconds.
    pub fn of(seconds: i64) -> Self {
        let time = Timestamp::from_second(seconds).unwrap_or_default();
        Self {
            iso: time.to_string(),
            minute: time.strftime("%Y-%m-%d %H:%M").to_string(),
            day: time.strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// The first moment (UTC) of a day written as `2026-01-31`, in epoch seconds.
pub fn day_start(day: &str) -> Option<i64> {
    let date: jiff::civil::Date = day.parse().ok().filter(|_| day.len() == "2026-01-31".len())?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// A length of time in the largest unit that fits it whole.
pub fn length(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let fitting = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, name) = fitting.unwrap_or((1, "second"));
    let number = seconds / unit;
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people() {
        assert_eq!(Time::of(1_767_225_600).minute, "2026-01-01 00:00");
        assert_eq!(day_start("2026-01-01"), Some(1_767_225_600));
        assert_eq!(day_start("2026-13-01"), None);
        assert_eq!(day_start("2026-01-01T10:00"), None);
        for (seconds, told) in [(1, "1 second"), (90, "90 seconds"), (900, "15 minutes"), (7_776_000, "90 days")] {
            assert_eq!(length(seconds), told);
        }
    }
}
