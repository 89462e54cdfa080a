//! Counting calls in a fixed window.

use std::sync::Arc;
use std::time::Duration;

use crate::expiring::{ExpiringStore, Key};
use crate::store::StoreError;

/// At most `most` calls per `window` and key.
#[derive(Clone)]
pub struct RateLimit {
    store: Arc<dyn ExpiringStore>,
    name: &'static str,
    most: u64,
    window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    Allowed,
    /// Until the window ends.
    Exceeded {
        retry_after: Duration,
    },
}

impl RateLimit {
    pub fn new(store: Arc<dyn ExpiringStore>, name: &'static str, most: u64, window: Duration) -> Self {
        Self { store, name, most, window }
    }

    /// Counts this call.
    pub async fn check(&self, key: &str) -> Result<Allowance, StoreError> {
        let count = self.store.count(&Key::new(self.name, key), self.window).await?;
        Ok(if count.calls > self.most { Allowance::Exceeded { retry_after: count.left } } else { Allowance::Allowed })
    }
}
