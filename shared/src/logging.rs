//! One line a record on standard error, carrying the request id.

use std::io::Write as _;

use crate::{access_log, request_id};

/// Sets the process's logger up; `filter` is env_logger's syntax (`info`, `warn,auth_server=debug`). Later calls do nothing.
pub fn start(filter: &str) {
    let done = env_logger::Builder::new()
        .parse_filters(filter)
        .format(|buffer, record| {
            if record.target() == access_log::TARGET {
                return write!(buffer, "{}", record.args());
            }
            #[allow(clippy::disallowed_methods, reason = "a line's own time")]
            let time = jiff::Timestamp::now();
            let (level, target) = (record.level(), record.target());
            request_id::with_current(|id| match id {
                Some(id) => writeln!(buffer, "{time:.3} {level:5} {target} [{id}] {}", record.args()),
                None => writeln!(buffer, "{time:.3} {level:5} {target} {}", record.args()),
            })
        })
        .try_init();
    if done.is_err() {
        log::debug!("the logger was set up before");
    }
}
