//! How often somebody may call (RATE-01 to RATE-04), counted in the store that all instances share, where there is one. While it
//! does not answer, and where there is none, this process counts alone (decisions 19).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use shared::clock;
use shared::expiring::{self, ExpiringStore, Key, OrLocal};
use shared::store::StoreError;

use crate::domain::CallLimit;

/// How long a request waits for the shared count.
const PATIENCE: Duration = Duration::from_millis(300);

/// Who calls: the token's subject, without a token the address (RATE-01).
#[derive(Debug, Clone, PartialEq, Eq)]
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

pub struct RateLimits {
    limits: BTreeMap<&'static str, CallLimit>,
    /// One count for all methods.
    counts: Arc<dyn ExpiringStore>,
}

impl RateLimits {
    /// `None`: nothing is limited. `store`: where all instances count.
    pub fn new(limits: &BTreeMap<&'static str, CallLimit>, store: Option<Arc<dyn ExpiringStore>>) -> Option<Self> {
        let or_alone = |store| Arc::new(OrLocal::new(store).within(PATIENCE)) as Arc<dyn ExpiringStore>;
        (!limits.is_empty())
            .then(|| Self { limits: limits.clone(), counts: store.map_or_else(expiring::in_memory, or_alone) })
    }

    pub fn of(&self, method: &str) -> Option<CallLimit> {
        self.limits.get(method).copied()
    }

    /// Counts a call. RATE-02: a window begins with a caller's first call, whatever comes later.
    pub async fn count(&self, limit: CallLimit, who: &Who) -> Result<Result<Counted, TooOften>, StoreError> {
        let key = match who {
            Who::Subject(subject) => Key::new("calls of a subject", subject),
            Who::Address(address) => Key::new("calls from an address", &address.to_string()),
        };
        let counted = self.counts.count(&key, Duration::from_secs(limit.seconds.into())).await?;
        let (now, left) = (clock::now(), counted.left.as_secs_f64().ceil() as i64);
        Ok(match limit.calls.checked_sub(counted.calls) {
            Some(remaining) => Ok(Counted { limit: limit.calls, remaining, reset: now.saturating_add(left) }),
            None => Err(TooOften { retry_after: left.max(1) }),
        })
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
        let left =
            |counted: Result<Result<Counted, TooOften>, StoreError>| counted.unwrap().map(|counted| counted.remaining);
        assert_eq!(left(limits.count(get, &ada()).await), Ok(2));
        assert!((1..=60).contains(&limits.count(post, &ada()).await.unwrap().unwrap_err().retry_after));
        assert_eq!(left(limits.count(get, &ada()).await), Ok(0));
        assert!(limits.count(get, &ada()).await.unwrap().is_err());
        assert_eq!(left(limits.count(get, &Who::Address([127, 0, 0, 1].into())).await), Ok(2));
        assert!(RateLimits::new(&BTreeMap::new(), None).is_none());
    }
}
