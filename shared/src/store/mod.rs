//! Where state lives, chosen by URL; and what can go wrong there.

mod components;
pub mod mongo;
mod redis;
#[cfg(any(test, feature = "conformance"))]
pub mod servers;
pub mod sqlite;
mod url;
pub(crate) mod waiting;

pub use components::components;
pub use mongo::Mongo;
pub use redis::Redis;
pub use sqlite::Sqlite;
pub use url::{StoreUrl, StoreUrlError};

/// What a store can answer besides its result. Absence is `Option`, never an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique rule; `field` says which.
    #[error("a value of {field} is taken")]
    Conflict { field: String },
    /// The store can't be reached or can't write now; the same call may succeed later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The work took longer than its limit, or more memory.
    #[error("the query took too long, or too much memory")]
    Deadline,
    /// What is asked is nothing that the store can do, now or later.
    #[error("the store refuses what is asked: {0}")]
    Refused(String),
    /// What is to be stored is larger than what the store takes.
    #[error("the document is too large for the store")]
    TooLarge,
    /// What is stored can't be understood.
    #[error("the store holds something it should not: {0}")]
    Corrupt(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match &error {
            rusqlite::Error::SqliteFailure(failure, message) => match failure.code {
                // "UNIQUE constraint failed: table.column"
                ErrorCode::ConstraintViolation => StoreError::Conflict {
                    field: message.as_deref().and_then(|text| text.rsplit('.').next()).unwrap_or("a field").to_owned(),
                },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(error.to_string()),
                ErrorCode::OperationInterrupted => StoreError::Deadline,
                _ => StoreError::Unavailable(error.to_string()),
            },
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Corrupt(error.to_string()),
            _ => StoreError::Unavailable(error.to_string()),
        }
    }
}
