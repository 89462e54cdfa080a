//! Entries with everything that a store keeps of them, for a move to another one.

use serde::{Deserialize, Serialize};

use super::{Key, Owner};
use crate::store::StoreError;

/// An entry as it stands. Times are epoch milliseconds of the store's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub key: Key,
    pub value: Vec<u8>,
    pub version: u64,
    pub claimed_at: Option<i64>,
    /// What the claimer noted.
    pub note: Vec<u8>,
    pub expires_at: i64,
    /// In order, each once.
    pub owners: Vec<Owner>,
}

/// The form in which an entry travels: the same bytes for the same entry, whatever store it comes from.
#[derive(Serialize, Deserialize)]
struct Form {
    key: [u8; 32],
    value: Vec<u8>,
    version: u64,
    claimed_at: Option<i64>,
    note: Vec<u8>,
    expires_at: i64,
    owners: Vec<String>,
}

impl Whole {
    /// With its owners in order, each once.
    pub fn in_order(mut self) -> Self {
        self.owners.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        self.owners.dedup();
        self
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let form = Form {
            key: self.key.0,
            value: self.value.clone(),
            version: self.version,
            claimed_at: self.claimed_at,
            note: self.note.clone(),
            expires_at: self.expires_at,
            owners: self.owners.iter().map(|owner| owner.0.clone()).collect(),
        };
        serde_json::to_vec(&form).map_err(|error| StoreError::Corrupt(format!("an entry: {error}")))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let form: Form =
            serde_json::from_slice(bytes).map_err(|error| StoreError::Corrupt(format!("an entry: {error}")))?;
        let Form { key, value, version, claimed_at, note, expires_at, owners } = form;
        let owners = owners.into_iter().map(Owner).collect();
        Ok(Self { key: Key(key), value, version, claimed_at, note, expires_at, owners })
    }
}
