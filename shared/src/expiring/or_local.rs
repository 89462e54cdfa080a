//! Counters that all processes share, and that each process counts by itself while their store is away (decisions 19).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::local::LocalExpiring;
use super::{Applied, Count, Entry, ExpiringStore, Kept, Key, Op, Owner, Whole};
use crate::store::StoreError;

/// A store and, for each call that it does not answer, the memory of this process. Only for counters: what is written to one is not
/// in the other. Whoever reads a counter from one and writes it to the other finds it changed, and reads again.
///
/// What was counted meanwhile is not added to the store when it is back: each counter then goes on where the store has it.
pub struct OrLocal {
    shared: Arc<dyn ExpiringStore>,
    local: LocalExpiring,
}

impl OrLocal {
    pub fn new(shared: Arc<dyn ExpiringStore>) -> Self {
        Self { shared, local: LocalExpiring::default() }
    }
}

/// The answer of the store, if it is there to answer.
fn answered<T>(answer: Result<T, StoreError>) -> Option<Result<T, StoreError>> {
    match answer {
        Err(StoreError::Unavailable(error)) => {
            log::debug!("counted in this process alone: {error}");
            None
        }
        Err(StoreError::Deadline) => None,
        answer => Some(answer),
    }
}

#[async_trait]
impl ExpiringStore for OrLocal {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError> {
        match answered(self.shared.apply(ops.clone()).await) {
            Some(answer) => answer,
            None => self.local.apply(ops).await,
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError> {
        match answered(self.shared.get_many(keys).await) {
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
        match answered(self.shared.count(key, window).await) {
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
