//! Everything the auth-server keeps, for a move to another store: the directory's tables, then what expires, also the failures that
//! close accounts. Counts of calls in a window are not taken: they begin anew.

use std::str::FromStr as _;

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::expiring::{MongoExpiring, SqliteExpiring};
use shared::migration::{ExpiringHolder, Holder, Mark, Record};
use shared::store::{Mongo, Sqlite, StoreError, StoreUrl};
use strum::IntoEnumIterator as _;

use crate::app::NAME;
use crate::directory::{self, Directory, MARK, Row, Table};

/// Grants, tokens, codes, sessions.
const EXPIRING: &str = "expiring";

/// What the auth-server keeps in one store.
pub struct AuthHolder {
    directory: Directory,
    expiring: ExpiringHolder,
}

/// The store at `url`, which is made where it is missing. Nothing is removed from it in the background.
pub async fn holder(url: &StoreUrl) -> Result<AuthHolder, StoreError> {
    Ok(match url {
        StoreUrl::Sqlite(path) => {
            let file = Sqlite::open(path)?;
            AuthHolder {
                directory: directory::on_sqlite(file.clone())?,
                expiring: ExpiringHolder::new(SqliteExpiring::new(file)?),
            }
        }
        StoreUrl::Mongo(url) => {
            let mongo = Mongo::connect(url, NAME).await?.patient();
            let expiring = ExpiringHolder::new(MongoExpiring::new(mongo.clone()).await?);
            AuthHolder { directory: directory::on_mongo(mongo).await?, expiring }
        }
        StoreUrl::Redis(_) => {
            let told = "accounts are kept in sqlite:PATH or mongodb://, not in redis";
            return Err(StoreError::Unavailable(told.to_owned()));
        }
    })
}

#[async_trait]
impl Holder for AuthHolder {
    async fn kinds(&self) -> Result<Vec<String>, StoreError> {
        let tables = Table::iter().map(|table| <&str>::from(table).to_owned());
        Ok(tables.chain([EXPIRING.to_owned()]).collect())
    }

    async fn count(&self, kind: &str) -> Result<Option<u64>, StoreError> {
        Ok(match Table::from_str(kind) {
            Ok(Table::Users) => Some(self.directory.users.count().await?),
            Ok(Table::Clients) => Some(self.directory.clients.count().await?),
            _ => None,
        })
    }

    async fn read(&self, kind: &str, after: Option<&[u8]>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let Ok(table) = Table::from_str(kind) else { return self.expiring.read(kind, after, limit).await };
        let after = after.map(String::from_utf8_lossy);
        let rows = self.directory.transfer.export(table, after.as_deref(), limit).await?;
        Ok(rows.into_iter().map(|row| record(table, &row)).collect())
    }

    async fn write(&self, kind: &str, records: Vec<Record>, mark: &Mark) -> Result<(), StoreError> {
        let mark = mark.to_text()?;
        let Ok(table) = Table::from_str(kind) else {
            self.expiring.put(&records).await?;
            return self.directory.transfer.import(Table::Notes, Vec::new(), Some(&mark)).await;
        };
        let rows = records.iter().map(row).collect::<Result<_, _>>()?;
        self.directory.transfer.import(table, rows, Some(&mark)).await
    }

    fn name(&self, kind: &str, record: &Record) -> String {
        match Table::from_str(kind) {
            Ok(_) => String::from_utf8_lossy(&record.place).into_owned(),
            Err(_) => self.expiring.name(kind, record),
        }
    }

    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        mark(&self.directory).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.directory.transfer.import(Table::Notes, Vec::new(), None).await
    }
}

/// Of a move into this store that has not ended.
pub async fn mark(directory: &Directory) -> Result<Option<Mark>, StoreError> {
    directory.notes.get(MARK).await?.map(|text| Mark::read(&text)).transpose()
}

/// Where an event stands is each store's own business; their order is not.
fn record(table: Table, row: &Row) -> Record {
    let key = if table == Table::Audit { Value::Null } else { row.place.as_str().into() };
    let body = json!([key, row.version, row.body]).to_string().into_bytes();
    Record { place: row.place.clone().into_bytes(), body, ends_at: None }
}

fn row(record: &Record) -> Result<Row, StoreError> {
    let corrupt = |error: String| StoreError::Corrupt(format!("an entry of the directory: {error}"));
    let (_, version, body): (Value, Option<u64>, Value) =
        serde_json::from_slice(&record.body).map_err(|error| corrupt(error.to_string()))?;
    let place = String::from_utf8(record.place.clone()).map_err(|error| corrupt(error.to_string()))?;
    Ok(Row { place, version, body })
}
