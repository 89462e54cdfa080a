//! Counters that all processes share, and that each process counts by itself while their store is away (decisions 19).

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::local::LocalExpiring;
use super::{Applied, Count, Entry, ExpiringStore, Kept, Key, Op, Owner, Whole};
use crate::store::StoreError;

/// For so long nobody asks a store that did not answer, where somebody is in a hurry.
const REST: Duration = Duration::from_secs(1);

/// A store and, for each call that it does not answer, the memory of this process. Only for counters: what is written to one is not
/// in the other. Whoever reads a counter from one and writes it to the other finds it changed, and reads again.
///
/// What was counted meanwhile is not added to the store when it is back: each counter then goes on where the store has it.
pub struct OrLocal {
    shared: Arc<dyn ExpiringStore>,
    local: LocalExpiring,
    patience: Option<Duration>,
    /// When the store failed last, where it has not answered since.
    failed: Mutex<Option<Instant>>,
}

impl OrLocal {
    /// Waits for the store's answers for as long as the store itself does.
    pub fn new(shared: Arc<dyn ExpiringStore>) -> Self {
        Self { shared, local: LocalExpiring::default(), patience: None, failed: Mutex::default() }
    }

    /// The same for who is in a hurry: an answer later than `patience` is none, and after one that was missed the store is left alone
    /// for a second.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// The answer of the store, if it is there to answer.
    async fn answer<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Option<Result<T, StoreError>> {
        let failed = || self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match self.patience {
            None => call.await,
            Some(_) if failed().is_some_and(|failed| failed.elapsed() < REST) => return None,
            Some(patience) => {
                let late = |_| Err(StoreError::Unavailable("no answer in time".to_owned()));
                tokio::time::timeout(patience, call).await.unwrap_or_else(late)
            }
        };
        match answer {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Deadline)) => {
                if failed().replace(Instant::now()).is_none() {
                    log::warn!("this process counts by itself: {error}");
                }
                None
            }
            answer => {
                if failed().take().is_some() {
                    log::info!("all processes count together again");
                }
                Some(answer)
            }
        }
    }
}

#[async_trait]
impl ExpiringStore for OrLocal {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError> {
        match self.answer(self.shared.apply(ops.clone())).await {
            Some(answer) => answer,
            None => self.local.apply(ops).await,
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError> {
        match self.answer(self.shared.get_many(keys)).await {
            Some(answer) => answer,
            None => self.local.get_many(keys).await,
        }
    }

    async fn list(&self, owner: &Owner, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.shared.list(owner, after, limit).await
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.shared.scan(after, limit).await
    }

    async fn export(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Whole>, StoreError> {
        self.shared.export(after, limit).await
    }

    async fn import(&self, entries: Vec<Whole>) -> Result<(), StoreError> {
        self.shared.import(entries).await
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<Count, StoreError> {
        match self.answer(self.shared.count(key, window)).await {
            Some(answer) => answer,
            None => self.local.count(key, window).await,
        }
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.shared.sweep(limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.shared.ping().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::*;
    use crate::expiring::{MongoExpiring, RedisExpiring};
    use crate::store::servers::{self, Relay};
    use crate::store::{Mongo, Redis};

    const PATIENCE: Duration = Duration::from_millis(300);
    const WINDOW: Duration = Duration::from_secs(600);

    /// Both stores, each behind a relay.
    async fn relayed() -> Vec<(Arc<dyn ExpiringStore>, Relay)> {
        let mut stores: Vec<(Arc<dyn ExpiringStore>, Relay)> = Vec::new();
        if let Some(url) = servers::redis() {
            let (url, relay) = servers::relayed(&url);
            stores.push((Arc::new(RedisExpiring::new(Redis::new(&url, "unused").unwrap())), relay));
        }
        if let Some((url, relay)) = servers::mongodb_relayed() {
            let mongo = Mongo::connect(&url, "unused").await.unwrap();
            stores.push((Arc::new(MongoExpiring::new(mongo).await.unwrap()), relay));
        }
        stores
    }

    /// Decisions 19: a store that is late is not waited for, then left alone, and asked again when it had time to recover; each count
    /// goes on where it was.
    #[actix_rt::test]
    async fn who_is_in_a_hurry_counts_alone_while_the_store_is_late() {
        for (store, relay) in relayed().await {
            let tries = Cell::new(0);
            servers::in_time(PATIENCE, async |_| {
                let counters = OrLocal::new(store.clone()).within(PATIENCE);
                let key = Key::new("calls", &format!("ada {}", tries.replace(tries.get() + 1)));
                let calls = async || counters.count(&key, WINDOW).await.unwrap().calls;
                let early = Instant::now();
                let both = (calls().await, calls().await);
                if early.elapsed() >= PATIENCE {
                    // Until nobody leaves the store alone any more.
                    tokio::time::sleep(2 * REST).await;
                    return None;
                }
                assert_eq!(both, (1, 2));
                relay.delay(Duration::from_secs(2));
                let late = Instant::now();
                assert_eq!(calls().await, 1);
                let late = late.elapsed();
                assert!(late >= PATIENCE, "{late:?}");
                let resting = Instant::now();
                for expected in 2..100 {
                    assert_eq!(calls().await, expected);
                }
                let resting = resting.elapsed();
                relay.restore();
                let restored = Instant::now();
                // The call that was late may have been counted.
                while calls().await > 10 {
                    assert!(restored.elapsed() < Duration::from_secs(30), "the store is not asked again");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                (late < 2 * PATIENCE && resting < PATIENCE).then_some(())
            })
            .await;
        }
    }
}
