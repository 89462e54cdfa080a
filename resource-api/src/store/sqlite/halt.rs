//! How a search ends without a result.

use shared::store::StoreError;

use crate::store::keys::Malformed;

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Halt {
    /// It would cost more than was allowed.
    Costly,
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Halt::Store(error)
    }
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        Halt::Store(error.into())
    }
}

impl From<Malformed> for Halt {
    fn from(error: Malformed) -> Self {
        Halt::Store(error.into())
    }
}

impl From<Halt> for StoreError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Costly => StoreError::Deadline,
            Halt::Store(error) => error,
        }
    }
}
