//! What may happen so often a minute, from one address or in one name, and then waits.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use shared::expiring::ExpiringStore;
use shared::rate_limit::{Allowance, RateLimit};
use shared::store::StoreError;

/// In which the calls are counted, and for which a throttle stays closed.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Counts in the store, for all processes; once closed, it costs no write. While the store is away this process counts by itself where
/// the store is one for [counting](crate::state::State::counting).
pub struct Throttle {
    limit: RateLimit,
    closed: Cache<String, ()>,
}

impl Throttle {
    /// At most `most` a minute and key.
    pub fn new(state: Arc<dyn ExpiringStore>, name: &'static str, most: u64) -> Self {
        let closed = Cache::builder().max_capacity(100_000).time_to_live(WINDOW).build();
        Self { limit: RateLimit::new(state, name, most, WINDOW), closed }
    }

    /// Whether there were too many. `key` is made only where it is needed.
    pub fn is_closed(&self, key: impl FnOnce() -> String) -> bool {
        // Nothing is closed but under attack: then even the key is worth saving.
        self.closed.entry_count() != 0 && self.closed.contains_key(&key())
    }

    /// Counts one more, and says whether it is still within the limit.
    pub async fn count(&self, key: String) -> Result<bool, StoreError> {
        if self.limit.check(&key).await? == Allowance::Allowed {
            return Ok(true);
        }
        self.closed.insert(key, ());
        self.closed.run_pending_tasks();
        Ok(false)
    }
}

/// There were more calls from one network than a minute allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins were opened from one network")]
pub struct Crowded;

/// Calls a minute and network, counted in this process alone: where counting in the store would cost as much as the call.
pub struct LocalLimit {
    most: u32,
    counts: Cache<IpAddr, Arc<AtomicU32>>,
}

impl LocalLimit {
    /// 0: no limit.
    pub fn new(most: u32) -> Self {
        Self { most, counts: Cache::builder().max_capacity(100_000).time_to_live(WINDOW).build() }
    }

    /// Counts one more, and says whether it is still within the limit.
    pub fn check(&self, ip: IpAddr) -> Result<(), Crowded> {
        let within = self.most == 0
            || self.counts.get_with(network(ip), Arc::default).fetch_add(1, Ordering::Relaxed) < self.most;
        if within { Ok(()) } else { Err(Crowded) }
    }
}

/// The part of an address that one party holds: all of an IPv4 address, the network of an IPv6 address.
pub fn network(address: IpAddr) -> IpAddr {
    // A listener on [::] sees IPv4 clients as ::ffff:a.b.c.d, which would all be one network.
    match address.to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_local_limit_counts_each_network() {
        let (limit, of) = (LocalLimit::new(2), |text: &str| text.parse().unwrap());
        let allowed = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"].map(|ip| limit.check(of(ip)).is_ok());
        assert_eq!(allowed, [true, true, false, true]);
        let none = LocalLimit::new(0);
        assert!((0..10).all(|_| none.check(of("192.0.2.1")).is_ok()));
    }

    /// B-036, F-040: whoever changes his address within his network is still the same.
    #[test]
    fn an_ipv6_address_counts_by_its_network() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("::ffff:192.0.2.1"), of("::ffff:192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
