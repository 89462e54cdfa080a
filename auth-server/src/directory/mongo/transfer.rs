//! Rows as they stand in MongoDB.

use async_trait::async_trait;
use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::store::StoreError;
use shared::store::mongo::{End, Work};

use super::super::terms::terms;
use super::super::{EventId, MARK, Row, Table, TransferStore};
use super::{MongoDirectory, audit, read, users, written};
use crate::audit::Event;
use crate::client::Client;
use crate::consent::Consent;
use crate::user::User;

/// Rows and the mark, one commit.
struct Import<'a> {
    into: &'a Collection<Document>,
    documents: Vec<Document>,
    notes: &'a Collection<Document>,
    mark: Option<&'a str>,
}

#[async_trait]
impl Work for Import<'_> {
    type Answer = ();

    async fn run(&self, session: &mut ClientSession) -> Result<End<()>, Error> {
        if !self.documents.is_empty() {
            self.into.insert_many(&self.documents).session(&mut *session).await?;
        }
        let marked = doc! { "_id": MARK };
        match self.mark {
            Some(mark) => {
                let note = doc! { "_id": MARK, "body": mark };
                self.notes.replace_one(marked, note).upsert(true).session(session).await?;
            }
            None => {
                self.notes.delete_one(marked).session(session).await?;
            }
        }
        Ok(End::Commit(()))
    }
}

impl MongoDirectory {
    fn table(&self, table: Table) -> &Collection<Document> {
        match table {
            Table::Users => &self.users,
            Table::Clients => &self.clients,
            Table::Scopes => &self.scopes,
            Table::Consents => &self.consents,
            Table::Notes => &self.notes,
            Table::Audit => &self.audit,
        }
    }
}

#[async_trait]
impl TransferStore for MongoDirectory {
    async fn export(&self, table: Table, after: Option<&str>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let mut wanted = Document::new();
        if table == Table::Notes {
            wanted.insert("_id", doc! { "$ne": MARK });
        }
        let mut conditions = vec![wanted];
        let by_place = if table == Table::Audit {
            audit::INDEXES[0]()
        } else {
            doc! { "_id": 1 }
        };
        match (table, after) {
            (_, None) => {}
            (Table::Audit, Some(after)) => {
                let Some(position) = audit::position(&EventId(after.to_owned())) else { return Ok(Vec::new()) };
                // The index begins there, which the alternatives alone would not tell.
                conditions.extend([doc! { "at": { "$gte": position.0 } }, audit::beyond(position, "$gt")]);
            }
            (_, Some(after)) => conditions.push(doc! { "_id": { "$gt": after } }),
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = self.table(table).find(doc! { "$and": conditions }).sort(by_place).limit(limit);
        let find = find.max_time(self.mongo.limit());
        let found: Vec<Document> = self.mongo.call(async { find.await?.try_collect().await }).await?;
        found.into_iter().map(|document| row(table, document)).collect()
    }

    async fn import(&self, table: Table, rows: Vec<Row>, mark: Option<&str>) -> Result<(), StoreError> {
        let documents = rows.iter().map(|row| document(table, row)).collect::<Result<_, _>>()?;
        let import = Import { into: self.table(table), documents, notes: &self.notes, mark };
        self.mongo.transaction(&import).await
    }
}

fn row(table: Table, mut document: Document) -> Result<Row, StoreError> {
    let place = if table == Table::Audit {
        audit::id(&document)?.0
    } else {
        let key = document.get_str("_id").map(str::to_owned);
        key.map_err(|_| StoreError::Corrupt("an entry of the directory without its key".to_owned()))?
    };
    let version = document.get_i64("version").ok().map(|number| u64::try_from(number).unwrap_or_default());
    Ok(Row { place, version, body: read(document.remove("body").unwrap_or(Bson::Null))? })
}

fn document(table: Table, row: &Row) -> Result<Document, StoreError> {
    let (place, body) = (&row.place, written(&row.body)?);
    let mut document = match table {
        Table::Users => users::document(&typed::<User>(&row.body)?)?,
        Table::Clients => doc! { "_id": place, "name": typed::<Client>(&row.body)?.name },
        Table::Scopes | Table::Notes => doc! { "_id": place },
        Table::Consents => {
            let consent: Consent = typed(&row.body)?;
            doc! { "_id": place, "user": consent.user, "client": consent.client }
        }
        Table::Audit => {
            let (event, (at, number, id)) = (typed::<Event>(&row.body)?, position(place)?);
            doc! { "_id": id, "at": at, "number": number, "terms": terms(&event) }
        }
    };
    document.insert("body", body);
    if let Some(version) = row.version {
        document.insert("version", i64::try_from(version).unwrap_or(i64::MAX));
    }
    Ok(document)
}

/// Where an event stands; what comes from a store without ids of this kind gets one that is always the same.
fn position(place: &str) -> Result<audit::Position, StoreError> {
    if let Some(position) = audit::position(&EventId(place.to_owned())) {
        return Ok(position);
    }
    let (at, number) = place.split_once('.').unwrap_or_default();
    let (Ok(at), Ok(number)) = (at.parse::<i64>(), number.parse::<i64>()) else {
        return Err(StoreError::Corrupt("an event without its place".to_owned()));
    };
    let mut id = [0; 12];
    id[..4].copy_from_slice(&at.to_be_bytes()[4..]);
    id[4..].copy_from_slice(&number.to_be_bytes());
    Ok((at, number, ObjectId::from_bytes(id)))
}

fn typed<T: DeserializeOwned>(body: &Value) -> Result<T, StoreError> {
    T::deserialize(body).map_err(|error| StoreError::Corrupt(format!("an entry of the directory: {error}")))
}
