//! What a service on MongoDB and Redis is compared with: an actix handler without middleware that makes the same calls of the
//! drivers, and writes what it gets as JSON.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use actix_web::error::ErrorInternalServerError;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};
use mongodb::{Client, Collection};
use redis::aio::ConnectionManager;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Fault;
use crate::bare::WORKERS;

/// What the handler does for each request.
#[derive(Clone, Serialize, Deserialize)]
pub enum Calls {
    /// `find_one` by id.
    Item { collection: String, id: ObjectId },
    /// `find` for a page and `count_documents`, side by side.
    List { collection: String, country: String },
    /// `insert_one` of the body, acknowledged by a majority and journalled.
    Insert { collection: String },
    /// An entry of each store, side by side: a grant in MongoDB and a token in Redis.
    Introspection { grant: Vec<u8>, token: Vec<u8> },
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Plan {
    pub mongodb: String,
    pub redis: String,
    pub calls: Calls,
}

#[derive(clap::Args)]
pub struct Options {
    /// A [`Plan`] as JSON.
    #[arg(long)]
    plan: PathBuf,
}

struct Ready {
    calls: Calls,
    documents: Collection<Document>,
    redis: ConnectionManager,
}

impl Ready {
    async fn answer(&self, body: &[u8]) -> Result<HttpResponse, Fault> {
        Ok(match &self.calls {
            Calls::Item { id, .. } => {
                let found = self.documents.find_one(doc! { "_id": id }).await?.ok_or("the document is gone")?;
                HttpResponse::Ok().json(found)
            }
            Calls::List { country, .. } => {
                let filter = doc! { "country": country };
                let page = async {
                    let cursor = self.documents.find(filter.clone()).sort(doc! { "_id": 1 }).limit(25).await?;
                    cursor.try_collect::<Vec<Document>>().await
                };
                let (items, total) =
                    try_join(page, self.documents.count_documents(filter.clone()).into_future()).await?;
                HttpResponse::Ok().json(json!({ "items": items, "total": total }))
            }
            Calls::Insert { .. } => {
                let mut document: Document = serde_json::from_slice(body)?;
                document.insert("_id", ObjectId::new());
                self.documents.insert_one(&document).await?;
                HttpResponse::Created().json(document)
            }
            Calls::Introspection { grant, token } => {
                let grant = Binary { subtype: BinarySubtype::Generic, bytes: grant.clone() };
                let token = async {
                    let mut connection = self.redis.clone();
                    let mut command = redis::cmd("HGETALL");
                    command.arg(token);
                    Ok::<Vec<Vec<u8>>, Fault>(command.query_async(&mut connection).await?)
                };
                let grant = async { Ok(self.documents.find_one(doc! { "_id": grant }).await?) };
                let (grant, token) = try_join(grant, token).await?;
                if token.is_empty() {
                    return Err("the token is gone".into());
                }
                HttpResponse::Ok().json(json!({ "active": true, "grant": grant.ok_or("the grant is gone")? }))
            }
        })
    }
}

impl Calls {
    fn collection(&self) -> &str {
        match self {
            Calls::Item { collection, .. } | Calls::List { collection, .. } | Calls::Insert { collection } => {
                collection
            }
            Calls::Introspection { .. } => "expiring",
        }
    }
}

/// Serves until it is ended; prints its address first.
#[allow(clippy::print_stdout, reason = "the caller reads the address")]
pub async fn serve(options: Options) -> Result<(), Fault> {
    let Plan { mongodb, redis, calls } = serde_json::from_slice(&std::fs::read(&options.plan)?)?;
    let mut client = ClientOptions::parse(&mongodb).await?;
    client.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    let database = Client::with_options(client)?.default_database().ok_or("the MongoDB URL names no database")?;
    let ready = Data::new(Ready {
        documents: database.collection(calls.collection()),
        calls,
        redis: ConnectionManager::new(redis::Client::open(redis)?).await?,
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    let server = HttpServer::new(move || {
        let route = web::to(|ready: Data<Ready>, body: Bytes| async move {
            ready.answer(&body).await.map_err(|fault| ErrorInternalServerError(fault.to_string()))
        });
        App::new().app_data(ready.clone()).default_service(route)
    });
    Ok(server.workers(WORKERS).listen(listener)?.run().await?)
}
