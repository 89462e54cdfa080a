//! Flask-Sentinel's own database: its collections `users` and `clients`, read where they are, in batches. Nothing is written.

use bson::raw::{RawBsonRef, RawDocumentBuf};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::Cursor;
use serde_json::Value;
use shared::Secret;
use shared::store::{Mongo, StoreError};

use super::{Found, ImportError, Source};

/// Where Flask-Sentinel keeps its data unless told otherwise.
const NAME: &str = "oauth";
/// Documents fetched at a time.
const BATCH: u32 = 500;

/// What there is to take over.
pub struct Database {
    pub users: Option<Collection>,
    pub clients: Option<Collection>,
}

/// Documents of one collection, by their `_id`.
pub struct Collection {
    mongo: Mongo,
    name: &'static str,
    documents: Cursor<RawDocumentBuf>,
    number: usize,
}

impl Database {
    pub async fn connect(url: &Secret) -> Result<Self, ImportError> {
        let fault = |source| ImportError::Source { place: "Flask-Sentinel's database".to_owned(), source };
        let mongo = Mongo::connect(url, NAME).await.map_err(fault)?;
        let there = mongo.call(mongo.database().list_collection_names()).await.map_err(fault)?;
        let open = async |name: &'static str| {
            if there.iter().any(|known| known == name) {
                Collection::open(&mongo, name).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let database = Self { users: open("users").await?, clients: open("clients").await? };
        if database.users.is_none() && database.clients.is_none() {
            return Err(ImportError::NothingThere(mongo.database().name().to_owned()));
        }
        Ok(database)
    }
}

impl Collection {
    async fn open(mongo: &Mongo, name: &'static str) -> Result<Self, ImportError> {
        let collection = mongo.collection::<RawDocumentBuf>(name);
        let find = collection.find(Document::new()).sort(doc! { "_id": 1 }).batch_size(BATCH);
        let documents = mongo.call(find).await.map_err(|source| fault(name, source))?;
        Ok(Self { mongo: mongo.clone(), name, documents, number: 0 })
    }
}

impl Source for Collection {
    async fn next(&mut self) -> Result<Option<Found>, ImportError> {
        let next = self.mongo.call(self.documents.try_next()).await;
        let Some(document) = next.map_err(|source| fault(self.name, source))? else { return Ok(None) };
        self.number += 1;
        Ok(Some(Found { place: self.place(&document), document: read(&document) }))
    }
}

impl Collection {
    /// The `_id`, where it can be told in a few words.
    fn place(&self, document: &RawDocumentBuf) -> String {
        match document.get("_id") {
            Ok(Some(RawBsonRef::ObjectId(id))) => format!("{}, _id {id}", self.name),
            Ok(Some(RawBsonRef::String(id))) if id.len() <= 100 => format!("{}, _id {id:?}", self.name),
            _ => format!("{}, document {}", self.name, self.number),
        }
    }
}

fn fault(name: &str, source: StoreError) -> ImportError {
    ImportError::Source { place: format!("Flask-Sentinel's {name}"), source }
}

/// In extended JSON. The reason of a refusal is without the text itself: it holds a hash.
fn read(document: &RawDocumentBuf) -> Result<Value, String> {
    let document = Document::try_from(document.as_ref()).map_err(|_| "is no legal document".to_owned())?;
    Ok(Bson::Document(document).into_relaxed_extjson())
}
