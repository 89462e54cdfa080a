//! Small steps on the store of expiring entries that several parts share.

use shared::expiring::{Applied, ExpiringStore, Op};
use shared::store::StoreError;

/// Does what can't be refused: deletions, and insertions under fresh random keys.
pub async fn apply_all(state: &dyn ExpiringStore, ops: Vec<Op>) -> Result<(), StoreError> {
    match state.apply(ops).await? {
        Applied::Done => Ok(()),
        Applied::Refused { index, .. } => Err(StoreError::Corrupt(format!("step {index} of a batch was refused"))),
    }
}
