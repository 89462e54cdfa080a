//! The directory in MongoDB: a collection for each kind of entity, which stands under `body`, beside the fields it is found by.

mod audit;
mod change;
mod transfer;
mod users;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::store::{Mongo, StoreError};

use self::change::Change;
use super::{ClientStore, ConsentStore, NoteStore, Page, Replaced, ScopeStore};
use crate::audit::Event;
use crate::client::Client;
use crate::consent::Consent;
use crate::scope::Scope;

/// What this program writes; a database of a newer one is refused.
const VERSION: i64 = 1;

/// All directory traits on one database.
pub struct MongoDirectory {
    mongo: Mongo,
    users: Collection<Document>,
    clients: Collection<Document>,
    consents: Collection<Document>,
    scopes: Collection<Document>,
    notes: Collection<Document>,
    locks: Collection<Document>,
    audit: Collection<Document>,
}

impl MongoDirectory {
    /// Makes the collections and indexes where they are missing.
    pub async fn new(mongo: Mongo) -> Result<Self, StoreError> {
        let mongo = mongo.require_transactions()?;
        mongo.claim_version("directory", VERSION).await?;
        let directory = Self {
            users: mongo.collection("user"),
            clients: mongo.collection("client"),
            consents: mongo.collection("consent"),
            scopes: mongo.collection("scope"),
            notes: mongo.collection("note"),
            locks: mongo.collection("lock"),
            audit: mongo.collection("audit"),
            mongo,
        };
        let index = |keys| IndexModel::builder().keys(keys).build();
        let unique = IndexOptions::builder().unique(true).build();
        let by_name = IndexModel::builder().keys(doc! { "username": 1 }).options(unique).build();
        let by_role = index(doc! { "roles": 1 });
        directory.mongo.call(directory.users.create_indexes([by_name, by_role])).await?;
        directory.prepare_users().await?;
        directory.mongo.call(directory.clients.create_index(index(doc! { "name": 1, "_id": 1 }))).await?;
        let of_client = index(doc! { "client": 1 });
        directory
            .mongo
            .call(directory.consents.create_indexes([index(doc! { "user": 1, "client": 1 }), of_client]))
            .await?;
        for collection in [&directory.scopes, &directory.notes] {
            // Every collection has this index: so the collection is there before a transaction needs it.
            directory.mongo.call(collection.create_index(index(doc! { "_id": 1 }))).await?;
        }
        directory.mongo.call(directory.audit.create_indexes(audit::INDEXES.iter().map(|keys| index(keys())))).await?;
        Ok(directory)
    }

    async fn one<T: DeserializeOwned>(
        &self,
        collection: &Collection<Document>,
        filter: Document,
    ) -> Result<Option<(T, u64)>, StoreError> {
        let found = self.mongo.call(collection.find_one(filter).max_time(self.mongo.limit())).await?;
        found.map(body_and_version).transpose()
    }

    async fn all<T: DeserializeOwned>(
        &self,
        collection: &Collection<Document>,
        filter: Document,
        sort: Document,
        limit: usize,
    ) -> Result<Vec<(T, u64)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = collection.find(filter).sort(sort).limit(limit).max_time(self.mongo.limit());
        let found: Vec<Document> = self.mongo.call(async { find.await?.try_collect().await }).await?;
        found.into_iter().map(body_and_version).collect()
    }

    /// One page by `name`, the field of the collection that people know entities by.
    async fn listing<T: DeserializeOwned>(
        &self,
        collection: &Collection<Document>,
        name: &str,
        page: &Page,
        wanted: Document,
    ) -> Result<Vec<(T, u64)>, StoreError> {
        let mut conditions = vec![wanted];
        if let Some(after) = &page.after {
            let last =
                collection.find_one(doc! { "_id": after }).projection(doc! { name: 1 }).max_time(self.mongo.limit());
            let Some(last) = self.mongo.call(last).await? else { return Ok(Vec::new()) };
            let last = last.get(name).cloned().unwrap_or(Bson::Null);
            conditions.push(doc! { "$or": [{ name: { "$gt": &last } }, { name: last, "_id": { "$gt": after } }] });
        }
        if let Some(search) = page.search.as_deref().filter(|search| !search.is_empty()) {
            let literal = regex::escape(search);
            let anywhere = doc! { "$regex": &literal, "$options": "i" };
            conditions.push(doc! { "$or": [{ name: anywhere }, { "_id": { "$regex": literal } }] });
        }
        self.all(collection, doc! { "$and": conditions }, doc! { name: 1, "_id": 1 }, page.limit).await
    }
}

/// As plain BSON, through the JSON that the other backend keeps: both hold the same.
fn written(value: &impl Serialize) -> Result<Bson, StoreError> {
    serde_json::to_value(value)
        .map_err(|error| error.to_string())
        .and_then(|value| bson::serialize_to_bson(&value).map_err(|error| error.to_string()))
        .map_err(|error| StoreError::Corrupt(format!("an entry of the directory: {error}")))
}

fn read<T: DeserializeOwned>(body: Bson) -> Result<T, StoreError> {
    bson::deserialize_from_bson::<serde_json::Value>(body)
        .map_err(|error| error.to_string())
        .and_then(|value| serde_json::from_value(value).map_err(|error| error.to_string()))
        .map_err(|error| StoreError::Corrupt(format!("an entry of the directory: {error}")))
}

fn body_and_version<T: DeserializeOwned>(mut document: Document) -> Result<(T, u64), StoreError> {
    let body = document.remove("body").unwrap_or(Bson::Null);
    Ok((read(body)?, u64::try_from(document.get_i64("version").unwrap_or_default()).unwrap_or_default()))
}

fn as_read(id: &str, version: u64) -> Document {
    doc! { "_id": id, "version": i64::try_from(version).unwrap_or(-1) }
}

fn replaced(changed: u64) -> Replaced {
    if changed == 1 { Replaced::Done } else { Replaced::Changed }
}

/// The field as the directory calls it.
fn conflict(error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict { field } if field == "_id" => StoreError::Conflict { field: "id".to_owned() },
        other => other,
    }
}

fn client_with((mut client, version): (Client, u64)) -> Client {
    client.version = version;
    client
}

#[async_trait]
impl ClientStore for MongoDirectory {
    async fn insert(&self, client: &Client, events: &[Event]) -> Result<(), StoreError> {
        let document = doc! { "_id": &client.id, "name": &client.name, "body": written(client)?, "version": 1_i64 };
        self.change(Change::Insert { into: self.clients.clone(), document }, events).await.map(drop).map_err(conflict)
    }

    async fn find(&self, id: &str) -> Result<Option<Client>, StoreError> {
        Ok(self.one(&self.clients, doc! { "_id": id }).await?.map(client_with))
    }

    async fn list(&self, page: &Page) -> Result<Vec<Client>, StoreError> {
        Ok(self.listing(&self.clients, "name", page, Document::new()).await?.into_iter().map(client_with).collect())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.mongo.call(self.clients.count_documents(Document::new()).max_time(self.mongo.limit())).await
    }

    async fn replace(&self, client: &Client, events: &[Event]) -> Result<Replaced, StoreError> {
        let fields = doc! { "name": &client.name, "body": written(client)? };
        let update = doc! { "$set": fields, "$inc": { "version": 1_i64 } };
        let change = Change::Set { of: self.clients.clone(), filter: as_read(&client.id, client.version), update };
        self.change(change, events).await.map(replaced)
    }

    async fn delete(&self, id: &str, events: &[Event]) -> Result<bool, StoreError> {
        let (from, consents) = (self.clients.clone(), self.consents.clone());
        let change = Change::DeleteWithConsents { from, id: id.to_owned(), consents, field: "client" };
        Ok(self.change(change, events).await? == 1)
    }
}

#[async_trait]
impl ConsentStore for MongoDirectory {
    async fn put(&self, consent: &Consent, events: &[Event]) -> Result<(), StoreError> {
        let id = consent_id(&consent.user, &consent.client);
        let document = doc! { "_id": id, "user": &consent.user, "client": &consent.client, "body": written(consent)? };
        let (consents, users, clients) = (self.consents.clone(), self.users.clone(), self.clients.clone());
        match self.change(Change::PutConsent { document, consents, users, clients }, events).await? {
            0 => Err(StoreError::Conflict { field: "user or client".to_owned() }),
            _ => Ok(()),
        }
    }

    async fn find(&self, user: &str, client: &str) -> Result<Option<Consent>, StoreError> {
        Ok(self.one(&self.consents, doc! { "_id": consent_id(user, client) }).await?.map(|(consent, _)| consent))
    }

    async fn list_for_user(&self, user: &str) -> Result<Vec<Consent>, StoreError> {
        let found = self.all(&self.consents, doc! { "user": user }, doc! { "client": 1 }, 0).await?;
        Ok(found.into_iter().map(|(consent, _)| consent).collect())
    }

    async fn delete(&self, user: &str, client: &str, events: &[Event]) -> Result<bool, StoreError> {
        let change = Change::Delete { from: self.consents.clone(), id: consent_id(user, client) };
        Ok(self.change(change, events).await? == 1)
    }
}

/// Neither id has a space.
fn consent_id(user: &str, client: &str) -> String {
    format!("{user} {client}")
}

#[async_trait]
impl ScopeStore for MongoDirectory {
    async fn put(&self, scope: &Scope, events: &[Event]) -> Result<(), StoreError> {
        let document = doc! { "_id": &scope.name, "body": written(scope)? };
        self.change(Change::Put { into: self.scopes.clone(), document }, events).await.map(drop)
    }

    async fn list(&self) -> Result<Vec<Scope>, StoreError> {
        let found = self.all(&self.scopes, Document::new(), doc! { "_id": 1 }, 0).await?;
        Ok(found.into_iter().map(|(scope, _)| scope).collect())
    }

    async fn delete(&self, name: &str, events: &[Event]) -> Result<bool, StoreError> {
        let change = Change::Delete { from: self.scopes.clone(), id: name.to_owned() };
        Ok(self.change(change, events).await? == 1)
    }
}

#[async_trait]
impl NoteStore for MongoDirectory {
    async fn get(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.one(&self.notes, doc! { "_id": name }).await?.map(|(text, _)| text))
    }

    async fn put(&self, name: &str, text: &str, events: &[Event]) -> Result<(), StoreError> {
        let document = doc! { "_id": name, "body": text };
        self.change(Change::Put { into: self.notes.clone(), document }, events).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared::store::servers;

    use super::*;
    use crate::directory::Directory;

    async fn empty() -> Option<((), Directory)> {
        let mongo = Mongo::connect(&servers::mongodb()?, "unused").await.unwrap();
        Some(((), MongoDirectory::new(mongo).await.unwrap().into()))
    }

    /// One whose audit log takes nothing.
    async fn deaf() -> Option<((), Directory)> {
        let mongo = Mongo::connect(&servers::mongodb()?, "unused").await.unwrap();
        let directory = MongoDirectory::new(mongo.clone()).await.unwrap();
        let refuse =
            doc! { "collMod": "audit", "validator": { "never": { "$exists": true } }, "validationAction": "error" };
        mongo.database().run_command(refuse).await.unwrap();
        Some(((), directory.into()))
    }

    crate::directory::conformance::suite!(empty, deaf);
}
