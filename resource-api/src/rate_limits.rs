//! How often somebody may call (RATE-01 to RATE-04), counted by this process alone: no call waits for a store.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use shared::clock;

use crate::domain::CallLimit;

/// Callers counted at once; beyond them, those seen least are forgotten.
const MOST_CALLERS: u64 = 100_000;

/// Who calls: the token's subject, without a token the address (RATE-01).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    Subject(String),
    Address(IpAddr),
}

/// A call that was counted, and what is left (RATE-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub limit: u64,
    pub remaining: u64,
    /// Epoch seconds at which the count starts anew.
    pub reset: i64,
}

/// One call too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Rate limit exceeded")]
pub struct TooOften {
    /// Seconds until the count starts anew, at least one.
    pub retry_after: i64,
}

/// RATE-02: from a caller's first call on, whatever comes later.
struct Window {
    length: Duration,
    /// Epoch seconds.
    ends: i64,
    calls: AtomicU64,
}

struct UntilEnd;

impl Expiry<Who, Arc<Window>> for UntilEnd {
    fn expire_after_create(&self, _: &Who, window: &Arc<Window>, _: Instant) -> Option<Duration> {
        Some(window.length)
    }
}

pub struct RateLimits {
    limits: BTreeMap<&'static str, CallLimit>,
    /// One count for all methods.
    windows: moka::sync::Cache<Who, Arc<Window>>,
}

impl RateLimits {
    /// `None`: nothing is limited.
    pub fn new(limits: &BTreeMap<&'static str, CallLimit>) -> Option<Self> {
        let windows = moka::sync::Cache::builder().max_capacity(MOST_CALLERS).expire_after(UntilEnd).build();
        (!limits.is_empty()).then(|| Self { limits: limits.clone(), windows })
    }

    pub fn of(&self, method: &str) -> Option<CallLimit> {
        self.limits.get(method).copied()
    }

    /// Counts a call.
    pub fn count(&self, limit: CallLimit, who: Who) -> Result<Counted, TooOften> {
        let begin = || {
            let ends = clock::now().saturating_add(i64::from(limit.seconds));
            Arc::new(Window { length: Duration::from_secs(limit.seconds.into()), ends, calls: AtomicU64::new(0) })
        };
        let window = self.windows.get_with(who, begin);
        let calls = window.calls.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        match limit.calls.checked_sub(calls) {
            Some(remaining) => Ok(Counted { limit: limit.calls, remaining, reset: window.ends }),
            None => Err(TooOften { retry_after: window.ends.saturating_sub(clock::now()).max(1) }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RATE-01: all methods share a count, each compares it with its own limit; RATE-03.
    #[test]
    fn one_count_is_compared_with_the_limit_of_each_method() {
        let (get, post) = (CallLimit { calls: 3, seconds: 60 }, CallLimit { calls: 1, seconds: 60 });
        let limits = RateLimits::new(&BTreeMap::from([("GET", get), ("POST", post)])).unwrap();
        assert_eq!((limits.of("GET"), limits.of("PUT")), (Some(get), None));
        let ada = || Who::Subject("ada".to_owned());
        let left = |counted: Result<Counted, TooOften>| counted.map(|counted| counted.remaining);
        assert_eq!(left(limits.count(get, ada())), Ok(2));
        assert!((1..=60).contains(&limits.count(post, ada()).unwrap_err().retry_after));
        assert_eq!(left(limits.count(get, ada())), Ok(0));
        assert!(limits.count(get, ada()).is_err());
        assert_eq!(left(limits.count(get, Who::Address([127, 0, 0, 1].into()))), Ok(2));
        assert!(RateLimits::new(&BTreeMap::new()).is_none());
    }
}
