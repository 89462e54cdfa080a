//! How often somebody may call (RATE-01 to RATE-04), counted in the store that all instances share, where there is one. While it
//! does not answer, and where there is none, this process counts alone (decisions 19).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use shared::clock;
use shared::expiring::{Count, ExpiringStore, Key};
use shared::store::StoreError;

use crate::domain::CallLimit;

/// Callers counted at once; beyond them, those seen least are forgotten.
const MOST_CALLERS: u64 = 100_000;
/// How long a request waits for the shared count.
const PATIENCE: Duration = Duration::from_millis(300);
/// For so long nobody asks a store that failed.
const REST: Duration = Duration::from_secs(1);

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
    shared: Option<Shared>,
}

/// The count of all instances.
struct Shared {
    store: Arc<dyn ExpiringStore>,
    /// When it failed last, where it has not answered since.
    failed: Mutex<Option<Instant>>,
}

impl RateLimits {
    /// `None`: nothing is limited. `store`: where all instances count.
    pub fn new(limits: &BTreeMap<&'static str, CallLimit>, store: Option<Arc<dyn ExpiringStore>>) -> Option<Self> {
        let windows = moka::sync::Cache::builder().max_capacity(MOST_CALLERS).expire_after(UntilEnd).build();
        let shared = store.map(|store| Shared { store, failed: Mutex::default() });
        (!limits.is_empty()).then(|| Self { limits: limits.clone(), windows, shared })
    }

    pub fn of(&self, method: &str) -> Option<CallLimit> {
        self.limits.get(method).copied()
    }

    /// Counts a call.
    pub async fn count(&self, limit: CallLimit, who: Who) -> Result<Counted, TooOften> {
        let (calls, ends) = match self.count_together(limit, &who).await {
            Some(Count { calls, left }) => {
                (calls, clock::now().saturating_add_unsigned(left.as_secs_f64().ceil() as u64))
            }
            None => self.count_alone(limit, who),
        };
        match limit.calls.checked_sub(calls) {
            Some(remaining) => Ok(Counted { limit: limit.calls, remaining, reset: ends }),
            None => Err(TooOften { retry_after: ends.saturating_sub(clock::now()).max(1) }),
        }
    }

    async fn count_together(&self, limit: CallLimit, who: &Who) -> Option<Count> {
        let key = match who {
            Who::Subject(subject) => Key::new("calls of a subject", subject),
            Who::Address(address) => Key::new("calls from an address", &address.to_string()),
        };
        self.shared.as_ref()?.count(&key, Duration::from_secs(limit.seconds.into())).await
    }

    /// The calls of a window and when it ends, in epoch seconds.
    fn count_alone(&self, limit: CallLimit, who: Who) -> (u64, i64) {
        let begin = || {
            let ends = clock::now().saturating_add(i64::from(limit.seconds));
            Arc::new(Window { length: Duration::from_secs(limit.seconds.into()), ends, calls: AtomicU64::new(0) })
        };
        let window = self.windows.get_with(who, begin);
        (window.calls.fetch_add(1, Ordering::Relaxed).saturating_add(1), window.ends)
    }
}

impl Shared {
    /// `None`: it does not answer.
    async fn count(&self, key: &Key, window: Duration) -> Option<Count> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let resting = failed().is_some_and(|failed| failed.elapsed() < REST);
        if resting {
            return None;
        }
        let late = || StoreError::Unavailable("no answer in time".to_owned());
        let answer = tokio::time::timeout(PATIENCE, self.store.count(key, window)).await;
        match answer.unwrap_or_else(|_| Err(late())) {
            Ok(count) => {
                if failed().take().is_some() {
                    log::info!("calls are counted for all instances again");
                }
                Some(count)
            }
            Err(error) => {
                if failed().replace(Instant::now()).is_none() {
                    log::warn!("calls are counted for this instance alone: {error}");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RATE-01: all methods share a count, each compares it with its own limit; RATE-03.
    #[actix_rt::test]
    async fn one_count_is_compared_with_the_limit_of_each_method() {
        let (get, post) = (CallLimit { calls: 3, seconds: 60 }, CallLimit { calls: 1, seconds: 60 });
        let limits = RateLimits::new(&BTreeMap::from([("GET", get), ("POST", post)]), None).unwrap();
        assert_eq!((limits.of("GET"), limits.of("PUT")), (Some(get), None));
        let ada = || Who::Subject("ada".to_owned());
        let left = |counted: Result<Counted, TooOften>| counted.map(|counted| counted.remaining);
        assert_eq!(left(limits.count(get, ada()).await), Ok(2));
        assert!((1..=60).contains(&limits.count(post, ada()).await.unwrap_err().retry_after));
        assert_eq!(left(limits.count(get, ada()).await), Ok(0));
        assert!(limits.count(get, ada()).await.is_err());
        assert_eq!(left(limits.count(get, Who::Address([127, 0, 0, 1].into())).await), Ok(2));
        assert!(RateLimits::new(&BTreeMap::new(), None).is_none());
    }
}
