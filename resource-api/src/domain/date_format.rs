//! `DATE_FORMAT`: how every date of bodies and filters is written and read (RESP-04, SER-02, FILT-11).

use bson::DateTime;
use jiff::civil;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::Offset;

use super::calendar::{moment, nearest_civil};

/// Eve's default: the date of HTTP headers (RFC 9110, 5.6.7).
pub const RFC_1123: &str = "%a, %d %b %Y %H:%M:%S GMT";

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A checked strftime pattern; dates are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    written: String,
    /// The pattern as the date library writes it; `None` is the RFC 1123 fast path.
    pattern: Option<String>,
}

impl Default for DateFormat {
    fn default() -> Self {
        Self { written: RFC_1123.to_owned(), pattern: None }
    }
}

impl DateFormat {
    /// Takes Python's pattern; the error says what is wrong with it.
    pub fn new(written: &str) -> Result<Self, String> {
        if written == RFC_1123 {
            return Ok(Self::default());
        }
        // Python writes %f with six digits and reads any number of them.
        let pattern = written.replace("%f", "%6f");
        let sample = civil::datetime(2001, 2, 3, 4, 5, 6, 0);
        let format = Self { written: written.to_owned(), pattern: Some(pattern) };
        let mut text = Vec::new();
        format.write_civil(sample, &mut text).map_err(|error| error.to_string())?;
        Ok(format)
    }

    /// The pattern as the domain file writes it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Appends the date, sub-seconds cut unless the pattern shows them. Years beyond the calendar's range (about ±9999) are held at its ends.
    pub fn write(&self, date: DateTime, out: &mut Vec<u8>) {
        let civil = nearest_civil(date.timestamp_millis());
        // `new` has tried the pattern; what fails for one date only (a year of five digits) leaves it out.
        let _ = self.write_civil(civil, out);
    }

    /// The date as text.
    pub fn format(&self, date: DateTime) -> String {
        let mut out = Vec::with_capacity(32);
        self.write(date, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Reads a date in this format; `None` when it does not match.
    pub fn parse(&self, text: &str) -> Option<DateTime> {
        let civil = match &self.pattern {
            None => parse_rfc_1123(text)?,
            Some(_) => {
                let mut parsed = BrokenDownTime::parse(&self.written, text).ok()?;
                // Python does not compare the name of the day with the date.
                parsed.set_weekday(None);
                if let Ok(timestamp) = parsed.to_timestamp() {
                    return Some(DateTime::from_millis(timestamp.as_millisecond()));
                }
                match parsed.to_datetime() {
                    Ok(civil) => civil,
                    Err(_) => parsed.to_date().ok()?.to_datetime(civil::Time::midnight()),
                }
            }
        };
        // Python's years begin with 1.
        (civil.year() >= 1).then(|| moment(civil))
    }

    fn write_civil(&self, civil: civil::DateTime, out: &mut Vec<u8>) -> Result<(), jiff::Error> {
        match &self.pattern {
            None => write_rfc_1123(civil, out),
            Some(pattern) => {
                let text = match civil.to_zoned(jiff::tz::TimeZone::UTC) {
                    Ok(zoned) => strtime::format(pattern, &zoned)?,
                    Err(_) => {
                        // The last day of 9999.
                        let mut parts = BrokenDownTime::from(civil);
                        parts.set_offset(Some(Offset::UTC));
                        parts.to_string(pattern)?
                    }
                };
                out.extend_from_slice(text.as_bytes());
            }
        }
        Ok(())
    }
}

fn write_rfc_1123(civil: civil::DateTime, out: &mut Vec<u8>) {
    let two = |value: i8| [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
    let year = civil.year().unsigned_abs();
    out.extend_from_slice(WEEKDAYS[civil.weekday().to_monday_zero_offset() as usize].as_bytes());
    out.extend_from_slice(b", ");
    out.extend_from_slice(&two(civil.day()));
    out.push(b' ');
    out.extend_from_slice(MONTHS[(civil.month() - 1) as usize].as_bytes());
    out.push(b' ');
    out.extend_from_slice(&two((year / 100) as i8));
    out.extend_from_slice(&two((year % 100) as i8));
    for (separator, part) in [(b' ', civil.hour()), (b':', civil.minute()), (b':', civil.second())] {
        out.push(separator);
        out.extend_from_slice(&two(part));
    }
    out.extend_from_slice(b" GMT");
}

/// Names in any case, any weekday, one digit where two are usual: what Python's strptime takes.
fn parse_rfc_1123(text: &str) -> Option<civil::DateTime> {
    let (weekday, rest) = text.split_once(',')?;
    WEEKDAYS.iter().find(|name| name.eq_ignore_ascii_case(weekday))?;
    let mut words = rest.split_ascii_whitespace();
    // The pattern has a space after the comma.
    if !rest.starts_with(|character: char| character.is_ascii_whitespace()) {
        return None;
    }
    let day = digits(words.next()?, 1, 2)?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(name))? + 1;
    let year = digits(words.next()?, 4, 4)?;
    let mut clock = words.next()?.split(':');
    let hour = digits(clock.next()?, 1, 2)?;
    let minute = digits(clock.next()?, 1, 2)?;
    let second = digits(clock.next()?, 1, 2)?;
    let zone = words.next()?;
    if clock.next().is_some() || words.next().is_some() || !zone.eq_ignore_ascii_case("GMT") || text.ends_with(' ') {
        return None;
    }
    civil::DateTime::new(year, month as i8, day as i8, hour as i8, minute as i8, second as i8, 0).ok()
}

fn digits(text: &str, least: usize, most: usize) -> Option<i16> {
    let shape = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if shape { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MILLIS: i64 = 1_352_198_011_120;

    /// RESP-04: UTC, sub-seconds cut.
    #[test]
    fn the_default_is_the_date_of_http() {
        let format = DateFormat::new(RFC_1123).unwrap();
        assert_eq!(format.format(DateTime::from_millis(MILLIS)), "Tue, 06 Nov 2012 10:33:31 GMT");
        assert_eq!(format.format(DateTime::from_millis(-1)), "Wed, 31 Dec 1969 23:59:59 GMT");
    }

    /// SER-02: case-insensitive names, weekday not cross-checked, one digit is fine.
    #[test]
    fn reading_is_as_lenient_as_python() {
        let format = DateFormat::default();
        let expected = Some(DateTime::from_millis(MILLIS - 120));
        for text in ["Tue, 06 Nov 2012 10:33:31 GMT", "tue, 6 NOV 2012 10:33:31 gmt", "Fri, 06 Nov 2012 10:33:31 GMT"] {
            assert_eq!(format.parse(text), expected, "{text}");
        }
        for text in [
            "",
            "2012-11-06T10:33:31Z",
            "Tue, 06 Nov 2012 10:33:31",
            "Tue, 31 Feb 2012 10:33:31 GMT",
            "Tue, 06 Nov 12 10:33:31 GMT",
            "Tue, 06 Nov 2012 10:33:31 GMT ",
            "Tue,06 Nov 2012 10:33:31 GMT",
        ] {
            assert_eq!(format.parse(text), None, "{text}");
        }
    }

    /// DATE_FORMAT is any strftime pattern.
    #[test]
    fn other_patterns_work_both_ways() {
        for (pattern, text) in [
            ("%Y-%m-%dT%H:%M:%SZ", "2012-11-06T10:33:31Z"),
            ("%d/%m/%Y %H:%M:%S", "06/11/2012 10:33:31"),
            ("%Y-%m-%d %H:%M:%S.%f", "2012-11-06 10:33:31.000000"),
            ("%A %d %B %Y %H:%M:%S", "Tuesday 06 November 2012 10:33:31"),
        ] {
            let format = DateFormat::new(pattern).unwrap();
            let date = DateTime::from_millis(MILLIS - 120);
            assert_eq!(format.format(date), text);
            assert_eq!(format.parse(text), Some(date), "{pattern}");
        }
    }

    #[test]
    fn fractions_and_offsets_are_read_as_python_does() {
        for (pattern, text, millis) in [
            ("%Y-%m-%dT%H:%M:%S.%fZ", "2012-11-06T10:33:31.12Z", MILLIS),
            ("%Y-%m-%dT%H:%M:%S%z", "2012-11-06T12:33:31+0200", MILLIS - 120),
            ("%Y-%m-%d", "2012-11-6", 1_352_160_000_000),
        ] {
            let format = DateFormat::new(pattern).unwrap();
            assert_eq!(format.parse(text), Some(DateTime::from_millis(millis)), "{pattern}");
        }
    }

    /// RESP-04: a pattern with fractions loses none.
    #[test]
    fn fractions_are_written_where_the_pattern_has_them() {
        let format = DateFormat::new("%Y-%m-%dT%H:%M:%S.%fZ").unwrap();
        for (millis, text) in [(MILLIS, "2012-11-06T10:33:31.120000Z"), (-1, "1969-12-31T23:59:59.999000Z")] {
            let date = DateTime::from_millis(millis);
            assert_eq!(format.format(date), text);
            assert_eq!(format.parse(text), Some(date));
        }
    }

    /// SER-02, RESP-04: Python's first and last second, which stand for always and never.
    #[test]
    fn every_year_of_python_is_read_and_written() {
        let default = DateFormat::default();
        let iso = DateFormat::new("%Y-%m-%dT%H:%M:%SZ").unwrap();
        for (http, text, millis) in [
            ("Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z", 253_402_300_799_000),
            ("Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z", -62_135_596_800_000),
        ] {
            let date = DateTime::from_millis(millis);
            assert_eq!((default.parse(http), iso.parse(text)), (Some(date), Some(date)));
            assert_eq!((default.format(date).as_str(), iso.format(date).as_str()), (http, text));
        }
        assert_eq!(default.parse("Sat, 01 Jan 0000 00:00:00 GMT"), None);
        assert_eq!(iso.parse("0000-01-01T00:00:00Z"), None);
        assert_eq!(default.format(DateTime::from_millis(i64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_bad_pattern_is_refused() {
        assert!(DateFormat::new("%Y-%!").is_err());
    }
}
