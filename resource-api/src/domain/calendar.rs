//! UTC's calendar over every year that dates can name, 9999 to its last second: the library's own moments end a day earlier.

use bson::DateTime;
use jiff::civil;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

const EPOCH: civil::DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// `None` beyond the years -9999 and 9999.
pub fn civil(millis: i64) -> Option<civil::DateTime> {
    match Timestamp::from_millisecond(millis) {
        Ok(timestamp) => Some(Offset::UTC.to_datetime(timestamp)),
        Err(_) => EPOCH.checked_add(SignedDuration::from_millis(millis)).ok(),
    }
}

/// The same, held at the ends of those years.
pub fn nearest_civil(millis: i64) -> civil::DateTime {
    civil(millis).unwrap_or(if millis < 0 { civil::DateTime::MIN } else { civil::DateTime::MAX })
}

/// Sub-milliseconds cut.
pub fn moment(civil: civil::DateTime) -> DateTime {
    let since = civil.duration_since(EPOCH);
    DateTime::from_millis(since.as_secs() * 1000 + i64::from(since.subsec_nanos().div_euclid(1_000_000)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_calendar_reaches_to_both_ends() {
        for (millis, written) in [
            (253_402_300_799_999, "9999-12-31T23:59:59.999"),
            (253_402_207_200_000, "9999-12-30T22:00:00"),
            (-62_135_596_800_000, "0001-01-01T00:00:00"),
            (-1, "1969-12-31T23:59:59.999"),
            (0, "1970-01-01T00:00:00"),
        ] {
            let civil = civil(millis).unwrap();
            assert_eq!(civil.to_string(), written);
            assert_eq!(moment(civil), DateTime::from_millis(millis));
            assert_eq!(nearest_civil(millis), civil);
        }
        assert_eq!(civil(253_402_300_800_000), None);
        assert_eq!(civil(i64::MAX), None);
        assert_eq!(nearest_civil(i64::MAX).year(), 9999);
        assert_eq!(nearest_civil(i64::MIN).year(), -9999);
    }
}
