//! The servers of a cluster that a run uses, in places of its own: `TEST_MONGODB_URL` and `TEST_REDIS_URL`, which
//! `scripts/backends` sets.

use bson::{Bson, Document, doc};
use mongodb::Client;
use redis::AsyncCommands as _;

use crate::Fault;
use crate::cities::COUNTRY;
use crate::connection::{Connection, Target};
use crate::driver::{Calls, Plan};
use crate::rows::Row;

/// What all databases and keys of a run begin with.
fn name() -> String {
    format!("bench{}", std::process::id())
}

pub struct Cluster {
    mongodb: String,
    redis: String,
}

impl Cluster {
    /// The servers that the environment names.
    pub fn named() -> Result<Self, Fault> {
        #[allow(clippy::disallowed_methods, reason = "as tests find them")]
        let server =
            |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set: run scripts/bench --cluster"));
        Ok(Self { mongodb: server("TEST_MONGODB_URL")?, redis: server("TEST_REDIS_URL")? })
    }

    /// Where a service keeps what must last.
    pub fn store(&self, service: &str) -> String {
        let (base, options) = self.mongodb.split_once('?').unwrap_or((&self.mongodb, ""));
        format!("{}/{}_{service}?{options}", base.trim_end_matches('/'), name())
    }

    /// Where the auth-server keeps what may be lost.
    pub fn ephemeral(&self) -> String {
        format!("{}?prefix={}", self.redis, name())
    }

    /// The calls that a row is measured beside.
    pub async fn plan(&self, row: Row, api: &Target, request: &crate::load::Request) -> Result<Plan, Fault> {
        let (calls, service) = match row {
            Row::Item => {
                let (_, body) = request.once(&mut Connection::open(api).await?).await?;
                let id = crate::stage::text(&serde_json::from_slice(&body)?, "_id")?;
                (Calls::Item { collection: "cities".to_owned(), id: id.parse()? }, "api")
            }
            Row::ListOfFew => (Calls::List { collection: "cities".to_owned(), country: COUNTRY.to_owned() }, "api"),
            Row::Post => (Calls::Insert { collection: "arrivals".to_owned() }, "api"),
            Row::Introspection => (self.entries().await?, "auth"),
            _ => return Err(format!("{} is not measured on a cluster", row.title()).into()),
        };
        Ok(Plan { mongodb: self.store(service), redis: self.redis.clone(), calls })
    }

    /// A grant's entry and a token's.
    async fn entries(&self) -> Result<Calls, Fault> {
        let database = Client::with_uri_str(self.store("auth")).await?.default_database().ok_or("no database")?;
        let entry = database.collection::<Document>("expiring").find_one(doc! {}).await?.ok_or("there is no grant")?;
        let Some(Bson::Binary(grant)) = entry.get("_id") else { return Err("an entry has no key".into()) };
        let mut connection = redis::Client::open(&*self.redis)?.get_multiplexed_async_connection().await?;
        let pattern = format!("{}:e:*", name());
        let mut found = connection.scan_match::<_, Vec<u8>>(pattern).await?;
        let token = found.next_item().await.ok_or("there is no token")??;
        Ok(Calls::Introspection { grant: grant.bytes.clone(), token })
    }

    /// Takes everything away again.
    pub async fn leave(&self) -> Result<(), Fault> {
        for service in ["auth", "api"] {
            let database = Client::with_uri_str(self.store(service)).await?.default_database().ok_or("no database")?;
            database.drop().await?;
        }
        let mut connection = redis::Client::open(&*self.redis)?.get_multiplexed_async_connection().await?;
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(format!("{}:*", name())).query_async(&mut connection).await?;
        for keys in keys.chunks(1000) {
            connection.del::<_, ()>(keys).await?;
        }
        Ok(())
    }
}
