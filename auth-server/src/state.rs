//! Where expiring state is kept: what must not be lost in the durable store, what may be lost in the ephemeral one. Often both
//! are the same.
//!
//! A token lives only while its grant does, and grants are durable: whatever happens to the ephemeral store, nothing that was
//! revoked comes back, and nobody loses more than an access token, which a client replaces by refreshing.

use std::sync::Arc;

use shared::expiring::{Applied, ExpiringStore, Kept, Key, Op, OrLocal};
use shared::store::StoreError;

/// Both stores of expiring state.
#[derive(Clone)]
pub struct State {
    durable: Arc<dyn ExpiringStore>,
    /// `None`: the durable store keeps everything.
    ephemeral: Option<Arc<dyn ExpiringStore>>,
}

/// Which store is written first, where there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    DurableFirst,
    /// For what is only now made, so that nobody knows it before the answer: where the ephemeral store is down, nothing has been
    /// used up. What is already there was put there by an earlier attempt at the same.
    EphemeralFirst,
}

/// What became of steps in both stores.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done,
    /// As in [`Applied::Refused`], of the durable steps; the ephemeral ones came to nothing.
    DurableRefused {
        index: usize,
        found: Option<Kept>,
    },
    /// One of the ephemeral steps. With two stores the durable ones were done.
    EphemeralRefused,
}

impl State {
    /// `ephemeral` only where it is another store.
    pub fn new(durable: Arc<dyn ExpiringStore>, ephemeral: Option<Arc<dyn ExpiringStore>>) -> Self {
        Self { durable, ephemeral }
    }

    /// Grants, codes, refresh tokens, sessions, the runs of failures that close accounts.
    pub fn durable(&self) -> &Arc<dyn ExpiringStore> {
        &self.durable
    }

    /// Access tokens, requests that wait for a person, all other counters.
    pub fn ephemeral(&self) -> &Arc<dyn ExpiringStore> {
        self.ephemeral.as_ref().unwrap_or(&self.durable)
    }

    /// Both for counters of what goes wrong: while the ephemeral store is away this process counts by itself (decisions 19), as sign-ins
    /// must neither stop nor be free meanwhile.
    #[must_use]
    pub fn counting(&self) -> Self {
        let or_local = |ephemeral: &Arc<dyn ExpiringStore>| Arc::new(OrLocal::new(ephemeral.clone())) as _;
        Self { durable: self.durable.clone(), ephemeral: self.ephemeral.as_ref().map(or_local) }
    }

    pub fn is_split(&self) -> bool {
        self.ephemeral.is_some()
    }

    /// One batch where there is one store, and one in each where there are two.
    pub async fn apply(&self, durable: Vec<Op>, ephemeral: Vec<Op>, order: Order) -> Result<Outcome, StoreError> {
        let Some(other) = &self.ephemeral else {
            let own = durable.len();
            let ops = durable.into_iter().chain(ephemeral).collect();
            return Ok(match self.durable.apply(ops).await? {
                Applied::Done => Outcome::Done,
                Applied::Refused { index, found } if index < own => Outcome::DurableRefused { index, found },
                Applied::Refused { .. } => Outcome::EphemeralRefused,
            });
        };
        if order == Order::EphemeralFirst {
            let _: Applied = other.apply(ephemeral).await?;
            return Ok(match self.durable.apply(durable).await? {
                Applied::Done => Outcome::Done,
                Applied::Refused { index, found } => Outcome::DurableRefused { index, found },
            });
        }
        if !durable.is_empty()
            && let Applied::Refused { index, found } = self.durable.apply(durable).await?
        {
            return Ok(Outcome::DurableRefused { index, found });
        }
        Ok(match other.apply(ephemeral).await? {
            Applied::Done => Outcome::Done,
            Applied::Refused { .. } => Outcome::EphemeralRefused,
        })
    }

    /// As [`State::apply`], of what can't be refused: deletions, and insertions under fresh random keys.
    pub async fn apply_all(&self, durable: Vec<Op>, ephemeral: Vec<Op>, order: Order) -> Result<(), StoreError> {
        match self.apply(durable, ephemeral, order).await? {
            Outcome::Done => Ok(()),
            _ => Err(StoreError::Corrupt("a step that can't be refused was refused".to_owned())),
        }
    }

    /// An entry of each store: one read where there is one, two side by side where there are two.
    pub async fn read_both(&self, durable: Key, ephemeral: Key) -> Result<[Option<Kept>; 2], StoreError> {
        let Some(other) = &self.ephemeral else { return read_two(&*self.durable, durable, ephemeral).await };
        let (durable, ephemeral) = (&[durable], &[ephemeral]);
        let (durable, ephemeral) =
            futures_util::future::try_join(self.durable.get_many(durable), other.get_many(ephemeral)).await?;
        Ok([durable, ephemeral].map(|mut found| found.pop().flatten()))
    }
}

/// Two entries of a store by one read.
pub async fn read_two(store: &dyn ExpiringStore, first: Key, second: Key) -> Result<[Option<Kept>; 2], StoreError> {
    let read = store.get_many(&[first, second]).await?;
    read.try_into().map_err(|_| StoreError::Corrupt("a read of two entries answered another number".to_owned()))
}

/// Does what can't be refused: deletions, and insertions under fresh random keys.
pub async fn apply_all(store: &dyn ExpiringStore, ops: Vec<Op>) -> Result<(), StoreError> {
    match store.apply(ops).await? {
        Applied::Done => Ok(()),
        Applied::Refused { index, .. } => Err(StoreError::Corrupt(format!("step {index} of a batch was refused"))),
    }
}
