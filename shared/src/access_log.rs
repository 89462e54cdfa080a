//! One line a request. The lines of one turn of a worker's event loop are written together: a system call for each would be a
//! fifteenth of a short request.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::request_id;

/// Records of this target are whole lines.
pub const TARGET: &str = "access";
/// Bytes that are not kept back any longer.
const MOST: usize = 32 * 1024;

/// A worker's lines that wait for the end of the turn.
#[derive(Default)]
struct Lines {
    text: String,
    /// The last line's epoch second, and how its time begins.
    second: i64,
    stamp: String,
}

impl Lines {
    /// Epoch milliseconds, written as [`crate::logging`] writes a time.
    fn time(&mut self, milliseconds: i64) {
        let second = milliseconds.div_euclid(1000);
        if second != self.second || self.stamp.is_empty() {
            let time = Timestamp::from_second(second).unwrap_or_default().to_string();
            time.trim_end_matches('Z').clone_into(&mut self.stamp);
            self.second = second;
        }
        self.text.push_str(&self.stamp);
        let rest = milliseconds.rem_euclid(1000);
        self.text.push('.');
        self.text.extend([rest / 100, rest / 10 % 10, rest % 10].map(|digit| char::from(b'0' + digit as u8)));
        self.text.push('Z');
    }

    /// Hands them to the logger, as one record.
    fn write(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let mut record = log::Record::builder();
        let record = record.level(log::Level::Info).target(TARGET);
        log::logger().log(&record.args(format_args!("{}", self.text)).build());
        self.text.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.write();
    }
}

thread_local! {
    static LINES: RefCell<Lines> = RefCell::default();
}

/// Notes an answered request, with the id of [`request_id::scope`]. Only on a worker of the server. `path` is without the
/// query, which may hold codes and states.
pub fn note(method: &str, path: &str, status: u16, took: Duration) {
    if !log::log_enabled!(target: TARGET, log::Level::Info) {
        return;
    }
    #[allow(clippy::disallowed_methods, reason = "a line's own time")]
    let now = Timestamp::now().as_millisecond();
    LINES.with_borrow_mut(|lines| {
        if lines.text.is_empty() {
            actix_rt::spawn(end_of_turn());
        }
        lines.time(now);
        let hundredths = took.as_micros() / 10;
        let (whole, part) = (hundredths / 100, hundredths % 100);
        request_id::with_current(|id| {
            let id = id.unwrap_or_default();
            writeln!(lines.text, " INFO  {TARGET} [{id}] {method} {path} {status} {whole}.{part:02}ms")
                .expect("writing to a String succeeds");
        });
        if lines.text.len() > MOST {
            lines.write();
        }
    });
}

/// Behind what was ready to run when the first line came.
async fn end_of_turn() {
    tokio::task::yield_now().await;
    LINES.with_borrow_mut(Lines::write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_that_of_any_other_line() {
        let mut lines = Lines::default();
        for time in [0, 1_790_000_000_007, 1_790_000_000_999, 1_790_000_001_000, -1] {
            lines.time(time);
            let expected = Timestamp::from_millisecond(time).unwrap();
            assert_eq!(std::mem::take(&mut lines.text), format!("{expected:.3}"));
        }
    }
}
