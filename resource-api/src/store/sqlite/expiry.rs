//! Indexes that documents expire by (MongoDB's `expireAfterSeconds`).

use bson::DateTime;
use shared::clock;
use shared::store::StoreError;

use super::SqliteDocuments;
use crate::query::{Filter, Test};
use crate::store::{DocumentStore, Write};

impl SqliteDocuments {
    /// Removes what has expired: where an index says so, documents whose date is old enough.
    pub(in crate::store) async fn expire(&self) -> Result<(), StoreError> {
        let mut writes = Vec::new();
        for (name, source) in self.catalogue.all() {
            for index in source.indexes.iter().filter(|index| index.built) {
                let Some(seconds) = index.definition.expire_after else { continue };
                let millis = clock::now().saturating_sub(seconds).saturating_mul(1000);
                let old = Filter::field(index.field(), Test::Lte(DateTime::from_millis(millis).into()));
                writes.push(Write::DeleteMany { source: name.clone(), filter: old.and(index.partial.clone()) });
            }
        }
        for write in writes {
            // A deletion without conditions is never refused.
            let _ = self.commit(vec![write]).await?;
        }
        Ok(())
    }
}
