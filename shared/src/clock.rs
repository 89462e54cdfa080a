//! The one place that reads the wall clock outside the stores.

use std::time::{SystemTime, UNIX_EPOCH};

/// Epoch seconds.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
