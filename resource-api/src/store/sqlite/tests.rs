//! The embedded store against the suite, and what is its own: plans, limits, files.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::conformance::{Store, document_store_conformance};

async fn empty() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path().join("test.db")).unwrap();
    let store = SqliteDocuments::open(sqlite, Duration::from_secs(30)).unwrap();
    (folder, Arc::new(store))
}

document_store_conformance!(empty);
