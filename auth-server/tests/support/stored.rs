//! The store behind a server's back: what stands in it, what another process does to it, and outages.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use shared::store::servers::{self, Cluster, Relayed};
use shared::store::{Mongo, Redis};

/// Where a server keeps its data.
pub enum Stored {
    File(PathBuf),
    /// Behind relays, which can cut it off.
    Cluster {
        direct: Cluster,
        relayed: Relayed,
    },
}

impl Stored {
    /// A store of one's own.
    pub fn fresh(folder: &Path) -> Self {
        match servers::chosen() {
            None => Stored::File(folder.join("auth.db")),
            Some(direct) => {
                let relayed = Relayed::before(&direct);
                Stored::Cluster { direct, relayed }
            }
        }
    }

    /// The settings that lead to it; without the ephemeral store where the test has one of its own.
    pub fn settings(&self, folder: &Path, own_ephemeral: bool) -> String {
        match self {
            Stored::File(path) => format!("store = 'sqlite:{}'", path.display()),
            Stored::Cluster { relayed, .. } => {
                let (store, ephemeral) = (relayed.cluster.store.expose(), relayed.cluster.ephemeral.expose());
                let ephemeral = if own_ephemeral { String::new() } else { format!("ephemeral = '{ephemeral}'") };
                format!("store = '{store}'\n{ephemeral}\nmaster_key_file = '{}/auth.key'", folder.display())
            }
        }
    }

    /// The file, for what is only true of it.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Stored::File(path) => Some(path),
            Stored::Cluster { .. } => None,
        }
    }

    /// From now on the store answers nothing of these entities, named as the embedded store's tables.
    pub fn lose(&self, table: &str) {
        match self {
            Stored::File(path) => run(path, &format!("ALTER TABLE {table} RENAME TO lost")),
            Stored::Cluster { relayed, .. } => {
                relayed.mongodb.cut();
                relayed.redis.cut();
            }
        }
    }

    /// Ends what [`Stored::lose`] began; see [`super::Server::find_store_again`].
    pub fn restore(&self, table: &str) {
        match self {
            Stored::File(path) => run(path, &format!("ALTER TABLE lost RENAME TO {table}")),
            Stored::Cluster { relayed, .. } => {
                relayed.mongodb.restore();
                relayed.redis.restore();
            }
        }
    }

    /// Until the value is dropped the store takes no writes; a cluster answers no reads either.
    pub fn refuse_writes(&self) -> Option<rusqlite::Connection> {
        match self {
            Stored::File(path) => {
                let blocker = rusqlite::Connection::open(path).unwrap();
                blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
                Some(blocker)
            }
            Stored::Cluster { .. } => {
                self.lose("");
                None
            }
        }
    }

    /// From now on the audit log takes nothing more.
    pub async fn break_the_audit_log(&self) {
        match self {
            Stored::File(path) => run(
                path,
                "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken for a test'); END",
            ),
            Stored::Cluster { direct, .. } => {
                let refuse = doc! { "collMod": "audit", "validator": { "never": { "$exists": true } }, "validationAction": "error" };
                database(direct).await.run_command(refuse).await.unwrap();
            }
        }
    }

    /// Waits until what a killed server was writing can be written again: MongoDB gives its transactions up after a while.
    /// From then on soon, of all the server's, also of other tests': see [`Self::keep_transactions`].
    pub async fn give_up_transactions(&self) {
        if self.limit_transactions(1).await {
            actix_rt::time::sleep(Duration::from_millis(1500)).await;
        }
    }

    /// Transactions live as long as they do by default.
    pub async fn keep_transactions(&self) {
        self.limit_transactions(60).await;
    }

    async fn limit_transactions(&self, seconds: i32) -> bool {
        let Stored::Cluster { direct, .. } = self else { return false };
        let limit = doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": seconds };
        database(direct).await.client().database("admin").run_command(limit).await.unwrap();
        true
    }

    /// What stands there for a consent can't be read.
    pub async fn damage_consent(&self, user: &str, client: &str) {
        match self {
            Stored::File(path) => {
                run(path, &format!("INSERT INTO consent VALUES ('{user}', '{client}', 'damaged')"));
            }
            Stored::Cluster { direct, .. } => {
                let entry =
                    doc! { "_id": format!("{user} {client}"), "user": user, "client": client, "body": "damaged" };
                database(direct).await.collection("consent").insert_one(entry).await.unwrap();
            }
        }
    }

    pub async fn remove_consents(&self) {
        match self {
            Stored::File(path) => run(path, "DELETE FROM consent"),
            Stored::Cluster { direct, .. } => {
                database(direct).await.collection::<Document>("consent").delete_many(doc! {}).await.unwrap();
            }
        }
    }

    /// Removes a client, and nothing else.
    pub async fn remove_client(&self, id: &str) {
        match self {
            Stored::File(path) => run(path, &format!("DELETE FROM client WHERE id = '{id}'")),
            Stored::Cluster { direct, .. } => {
                database(direct).await.collection::<Document>("client").delete_one(doc! { "_id": id }).await.unwrap();
            }
        }
    }

    /// Everything that is stored, as bytes.
    pub async fn contents(&self) -> Vec<u8> {
        let mut contents = Vec::new();
        match self {
            Stored::File(path) => {
                for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
                    // One that a process has just removed holds nothing.
                    contents.extend(std::fs::read(entry.unwrap().path()).unwrap_or_default());
                }
            }
            Stored::Cluster { direct, .. } => {
                let database = database(direct).await;
                for name in database.list_collection_names().await.unwrap() {
                    let all = database.collection::<Document>(&name).find(doc! {}).await.unwrap();
                    for document in all.try_collect::<Vec<_>>().await.unwrap() {
                        contents.extend(document.to_vec().unwrap());
                    }
                }
                let redis = Redis::new(&direct.ephemeral, "unused").unwrap();
                let mut connection = redis.connection();
                let mut keys = redis::cmd("KEYS");
                let keys: Vec<Vec<u8>> =
                    keys.arg(format!("{}*", redis.prefix())).query_async(&mut connection).await.unwrap();
                for key in keys {
                    contents.extend(&key);
                    let value: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.unwrap();
                    contents.extend(value);
                }
            }
        }
        contents
    }
}

async fn database(cluster: &Cluster) -> mongodb::Database {
    Mongo::connect(&cluster.store, "unused").await.unwrap().database().clone()
}

fn run(path: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.execute_batch(sql).unwrap();
}
