//! A typed view of one kind of entry.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Applied, ExpiringStore, Kept, Key, Op, Owner};
use crate::store::StoreError;

/// Entries of type `T` under one kind and with one lifetime.
pub struct Expiring<T> {
    store: Arc<dyn ExpiringStore>,
    kind: &'static str,
    ttl: Duration,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Expiring<T> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), kind: self.kind, ttl: self.ttl, of: PhantomData }
    }
}

/// A typed entry as read.
#[derive(Debug, Clone)]
pub struct Held<T> {
    pub value: T,
    pub version: u64,
    /// How long ago it was claimed; `None`: unclaimed.
    pub claimed_for: Option<Duration>,
    pub note: Vec<u8>,
    pub left: Duration,
}

impl<T: Serialize + DeserializeOwned> Expiring<T> {
    /// `kind` names the entries in the store and must never change.
    pub fn new(store: Arc<dyn ExpiringStore>, kind: &'static str, ttl: Duration) -> Self {
        Self { store, kind, ttl, of: PhantomData }
    }

    /// The store beneath, for batches over several kinds.
    pub fn store(&self) -> &Arc<dyn ExpiringStore> {
        &self.store
    }

    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    pub fn key(&self, id: &str) -> Key {
        Key::new(self.kind, id)
    }

    pub async fn get(&self, id: &str) -> Result<Option<Held<T>>, StoreError> {
        let kept = self.store.get_many(&[self.key(id)]).await?.pop().flatten();
        kept.map(|kept| self.read(kept)).transpose()
    }

    /// Reads what this kind wrote.
    pub fn read(&self, kept: Kept) -> Result<Held<T>, StoreError> {
        let value = serde_json::from_slice(&kept.value)
            .map_err(|error| StoreError::Corrupt(format!("an entry of kind {}: {error}", self.kind)))?;
        Ok(Held { value, version: kept.version, claimed_for: kept.claimed_for, note: kept.note, left: kept.left })
    }

    /// Writes an entry; `false` when the id is taken.
    pub async fn insert(&self, id: &str, value: &T, owners: Vec<Owner>) -> Result<bool, StoreError> {
        let op = self.insert_op(id, value, self.ttl, owners)?;
        Ok(self.store.apply(vec![op]).await? == Applied::Done)
    }

    /// The step that [`Expiring::insert`] takes, with a lifetime of its own.
    pub fn insert_op(&self, id: &str, value: &T, ttl: Duration, owners: Vec<Owner>) -> Result<Op, StoreError> {
        Ok(Op::Insert { key: self.key(id), value: self.write(value)?, ttl, owners })
    }

    /// The step that exactly one caller succeeds with; `note` is kept for those who come later.
    pub fn claim_op(&self, id: &str, note: Vec<u8>) -> Op {
        Op::Claim { key: self.key(id), note }
    }

    /// Writes what was changed since version `expected` was read; `false` when somebody else was first. Renews the lifetime
    /// to `ttl` if given.
    pub async fn update(&self, id: &str, expected: u64, value: &T, ttl: Option<Duration>) -> Result<bool, StoreError> {
        let op = self.update_op(id, expected, value, ttl)?;
        Ok(self.store.apply(vec![op]).await? == Applied::Done)
    }

    pub fn update_op(&self, id: &str, expected: u64, value: &T, ttl: Option<Duration>) -> Result<Op, StoreError> {
        Ok(Op::Update { key: self.key(id), expected, value: self.write(value)?, ttl })
    }

    pub async fn delete(&self, id: &str) -> Result<(), StoreError> {
        match self.store.apply(vec![self.delete_op(id)]).await? {
            Applied::Done => Ok(()),
            Applied::Refused { .. } => Err(StoreError::Corrupt("a deletion was refused".to_owned())),
        }
    }

    pub fn delete_op(&self, id: &str) -> Op {
        Op::Delete { key: self.key(id) }
    }

    fn write(&self, value: &T) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(value)
            .map_err(|error| StoreError::Corrupt(format!("an entry of kind {}: {error}", self.kind)))
    }
}
