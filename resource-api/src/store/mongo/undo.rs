//! What a standalone server needs to take a batch back: the documents as they were before each write (decision: no half bulk).

use bson::raw::RawDocumentBuf;
use bson::{Bson, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::Error;
use shared::store::StoreError;

use super::MongoDocuments;
use super::write::guard;
use crate::store::Write;

/// The steps back, the last first.
#[derive(Default)]
pub(super) struct Undo(Vec<Step>);

struct Step {
    source: String,
    /// The document that was not there.
    inserted: Option<Bson>,
    before: Vec<RawDocumentBuf>,
}

impl Undo {
    /// Before a write.
    pub(super) async fn note(&mut self, store: &MongoDocuments, write: &Write) -> Result<(), Error> {
        let collection = store.collection(write.source());
        let (inserted, before) = match (write, guard(write)) {
            (Write::Insert { document, .. }, _) => {
                (document.get("_id").ok().flatten().and_then(|id| id.try_into().ok()), Vec::new())
            }
            (Write::DeleteMany { filter, .. }, _) => {
                (None, collection.find(filter.to_document()).await?.try_collect().await?)
            }
            (_, Some(guard)) => {
                let found = collection.find_one(doc! { "_id": { "$eq": &guard.id } }).await?;
                (None, found.into_iter().collect())
            }
            _ => (None, Vec::new()),
        };
        self.0.push(Step { source: write.source().to_owned(), inserted, before });
        Ok(())
    }

    /// The write was refused.
    pub(super) fn forget_last(&mut self) {
        self.0.pop();
    }

    pub(super) async fn take_back(mut self, store: &MongoDocuments) -> Result<(), StoreError> {
        while let Some(step) = self.0.pop() {
            let collection = store.collection(&step.source);
            if let Some(id) = step.inserted {
                collection.delete_one(doc! { "_id": { "$eq": id } }).await?;
            }
            for document in step.before {
                let id = document.get("_id").ok().flatten().map(Bson::try_from);
                if let Some(Ok(id)) = id {
                    collection.replace_one(doc! { "_id": { "$eq": id } }, document).upsert(true).await?;
                }
            }
        }
        Ok(())
    }
}
