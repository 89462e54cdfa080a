//! A MongoDB deployment: how it is reached, how long it may take, and, in `errors`, what its errors mean.

mod errors;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::{Error, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, TransactionOptions, WriteConcern,
};
use mongodb::{Client, ClientSession, Collection, Database};
use tokio::sync::Semaphore;

pub use self::errors::{Duplicate, code, duplicate, refused};
use self::errors::{is_transient, told, unreadable};
use super::StoreError;
use super::waiting::{self, Waiting};
use crate::Secret;
use crate::random::random_bytes;

/// For a connection, and for a server that takes writes to be known.
const REACHED_WITHIN: Duration = Duration::from_secs(2);
/// For a call, all its repetitions included.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// A request waits at most so many times as long as a call may take, whatever the number of its calls.
const CALLS_OF_A_REQUEST: u32 = 2;
/// Calls at the same time, each on a connection of its own, unless the URL says otherwise (`maxPoolSize`).
const AT_A_TIME: u32 = 64;
/// Calls that may be under way or wait for their turn: more are refused at once, so that a slow server is not met with ever more of
/// what it can't do, and memory is bounded.
const MOST_PENDING: usize = 2048;
/// Longer than MongoDB keeps the transaction of a program that was killed: `transactionLifetimeLimitSeconds`, a minute.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(75);
/// Then it is told that a transaction waits.
const TOLD_AFTER: Duration = Duration::from_secs(3);
/// The longest pause before a transaction that met another one is tried again.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The collection that says which version of each component's data there is.
pub const VERSIONS: &str = "schema_version";

/// One database, cheap to clone. Every call is limited in time by [`Mongo::call`]: the driver itself waits for an answer without
/// end.
#[derive(Clone)]
pub struct Mongo {
    database: Database,
    limit: Duration,
    transactions: bool,
    places: Arc<Places>,
}

/// Who may call. The driver's own queue for a connection keeps the places of those who gave up waiting, and passes only one of them on
/// with each event: after a time of slow answers it would hold up everybody. As its pool has no limit but this one, nobody waits there.
struct Places {
    pending: Semaphore,
    calling: Semaphore,
}

/// Steps that are one transaction. Run again from the start when another transaction was in the way.
#[async_trait]
pub trait Work: Send + Sync {
    type Answer: Send;

    async fn run(&self, session: &mut ClientSession) -> Result<End<Self::Answer>, Error>;
}

/// Carried by an [`Error::custom`]: another transaction was in the way.
#[derive(Debug)]
pub struct Again;

/// How a transaction ends.
pub enum End<T> {
    Commit(T),
    /// Nothing of it happened.
    Abort(T),
}

impl Mongo {
    /// Connects to the deployment. `database` is the one to use where the URL names none.
    pub async fn connect(url: &Secret, database: &str) -> Result<Self, StoreError> {
        let (url, limit) = without_limit(url)?;
        let mut options = ClientOptions::parse(url.expose()).await.map_err(unreadable)?;
        options.app_name.get_or_insert_with(|| "evergate".to_owned());
        options.connect_timeout.get_or_insert(REACHED_WITHIN);
        options.server_selection_timeout.get_or_insert(REACHED_WITHIN);
        let at_a_time = options.max_pool_size.unwrap_or(AT_A_TIME);
        options.max_pool_size = Some(u32::MAX);
        options.max_connecting = Some(u32::MAX);
        // What a secondary says may be old: a token that was revoked, an ETag that was replaced. Transactions would refuse it.
        if let Some(SelectionCriteria::ReadPreference(preference)) = &options.selection_criteria
            && !matches!(preference, ReadPreference::Primary)
        {
            log::warn!("readPreference of the mongodb URL is left out: all reads go to the primary");
            options.selection_criteria = None;
        }
        // What was acknowledged survives the loss of a server (X-025, decisions 10).
        let concern = options.write_concern.get_or_insert_with(WriteConcern::default);
        if concern.w == Some(Acknowledgment::Nodes(0)) {
            let told = "the mongodb URL says w=0, so that nobody would know what was written: leave it out";
            return Err(StoreError::Unavailable(told.to_owned()));
        }
        concern.w.get_or_insert(Acknowledgment::Majority);
        concern.journal.get_or_insert(true);
        concern.w_timeout.get_or_insert(ANSWERED_WITHIN);
        let database = options.default_database.clone().unwrap_or_else(|| database.to_owned());
        let database = Client::with_options(options).map_err(unreadable)?.database(&database);
        let places = Places {
            pending: Semaphore::new(MOST_PENDING),
            calling: Semaphore::new(usize::try_from(at_a_time).unwrap_or(1)),
        };
        let mut mongo =
            Self { database, limit: limit.unwrap_or(ANSWERED_WITHIN), transactions: false, places: Arc::new(places) };
        let hello = mongo.call(mongo.database.run_command(doc! { "hello": 1 })).await?;
        mongo.transactions = hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        Ok(mongo)
    }

    /// The same with another limit for each call.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same for a command that goes on where it was killed: what that was writing then, MongoDB has to give up first.
    #[must_use]
    pub fn patient(self) -> Self {
        let limit = self.limit.max(GIVEN_UP_WITHIN);
        self.within(limit)
    }

    /// Whether it has transactions: a standalone server has none.
    pub fn has_transactions(&self) -> bool {
        self.transactions
    }

    /// As a standalone server has them, for tests.
    #[cfg(any(test, feature = "conformance"))]
    #[must_use]
    pub fn without_transactions(self) -> Self {
        Self { transactions: false, ..self }
    }

    /// For what can't do without transactions.
    pub fn require_transactions(self) -> Result<Self, StoreError> {
        if self.transactions {
            return Ok(self);
        }
        let told = "this MongoDB server is a standalone one and so has no transactions: start it as a replica set, of one \
                    server if need be";
        Err(StoreError::Unavailable(told.to_owned()))
    }

    /// Notes which version of a component's data this program writes; a database of a newer one is refused.
    pub async fn claim_version(&self, component: &str, version: i64) -> Result<(), StoreError> {
        let versions = self.collection::<Document>(VERSIONS);
        let found = self.call(versions.find_one(doc! { "_id": component })).await?;
        let found = found.and_then(|found| found.get_i64("version").ok()).unwrap_or_default();
        if found > version {
            return Err(StoreError::Corrupt(format!(
                "the database {} holds version {found} of {component}; this program knows up to {version}: use a newer program, or restore the copy made before the upgrade",
                self.database.name()
            )));
        }
        if found < version {
            let newest = doc! { "$max": { "version": version } };
            self.call(versions.update_one(doc! { "_id": component }, newest).upsert(true)).await?;
        }
        Ok(())
    }

    /// The version of each component's data, by name.
    pub async fn schema(&self) -> Result<BTreeMap<String, i64>, StoreError> {
        let versions = self.collection::<Document>(VERSIONS);
        let found: Vec<Document> =
            self.call(async { versions.find(Document::new()).await?.try_collect().await }).await?;
        let known = |entry: &Document| Some((entry.get_str("_id").ok()?.to_owned(), entry.get_i64("version").ok()?));
        Ok(found.iter().filter_map(known).collect())
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.database.collection(name)
    }

    /// How long a call may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Awaits an answer of the driver for as long as a call may take. Never one within another: the inner could wait for the outer.
    pub async fn call<T>(&self, call: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, StoreError> {
        self.limited(async { Ok(call.await?) }).await
    }

    /// The same for several calls, with their own errors.
    pub async fn limited<T, E: From<StoreError>>(&self, calls: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let Ok(_pending) = self.places.pending.try_acquire() else {
            return Err(StoreError::Unavailable("too many calls are waiting for MongoDB".to_owned()).into());
        };
        let started = Instant::now();
        let limit = (self.limit * CALLS_OF_A_REQUEST).saturating_sub(waiting::so_far()).min(self.limit);
        if limit.is_zero() {
            return Err(StoreError::Unavailable("this request has waited for MongoDB for too long".to_owned()).into());
        }
        let _waiting = Waiting::begin();
        // Whoever has waited for half of his time is not let in, to give up in the middle.
        let turn = limit / 2;
        let calling = tokio::time::timeout(turn, self.places.calling.acquire()).await;
        if calling.is_err() || started.elapsed() >= turn {
            return Err(StoreError::Unavailable("other calls of MongoDB take too long".to_owned()).into());
        }
        tokio::time::timeout(limit.saturating_sub(started.elapsed()), calls).await.unwrap_or_else(|_| {
            let told = format!("MongoDB did not answer within {:.1} s", limit.as_secs_f32());
            Err(StoreError::Unavailable(told).into())
        })
    }

    /// Does the work as one transaction: all or nothing, acknowledged by a majority.
    pub async fn transaction<W: Work>(&self, work: &W) -> Result<W::Answer, StoreError> {
        self.limited(self.attempts(work)).await
    }

    async fn attempts<W: Work>(&self, work: &W) -> Result<W::Answer, StoreError> {
        let mut session = self.database.client().start_session().await?;
        let mut pause = Duration::from_millis(1);
        let (begun, mut told_of) = (Instant::now(), false);
        loop {
            let started = Instant::now();
            // The write concern is the client's. A transaction reads one state of the data throughout.
            let options =
                TransactionOptions::builder().read_concern(ReadConcern::snapshot()).max_commit_time(self.limit).build();
            session.start_transaction().with_options(options).await?;
            let met = match work.run(&mut session).await {
                Ok(End::Commit(answer)) => match commit(&mut session).await {
                    Ok(()) => return Ok(answer),
                    Err(error) => error,
                },
                Ok(End::Abort(answer)) => {
                    // What can't be told to end ends by itself.
                    session.abort_transaction().await.ok();
                    return Ok(answer);
                }
                Err(error) => {
                    session.abort_transaction().await.ok();
                    error
                }
            };
            if !is_transient(&met) {
                return Err(met.into());
            }
            log::debug!("a transaction is tried again after {:?}: {}", started.elapsed(), told(&met));
            if !told_of && begun.elapsed() > TOLD_AFTER {
                told_of = true;
                log::warn!(
                    "MongoDB makes a transaction wait ({}): of a program that was killed it gives up what it was writing after \
                     a minute",
                    told(&met)
                );
            }
            tokio::time::sleep(pause.mul_f32(f32::from(random_bytes::<1>()[0]) / 255.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether a server that takes writes answers; for /readyz.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let hello = self.call(self.database.run_command(doc! { "hello": 1 })).await?;
        match hello.get_bool("isWritablePrimary") {
            Ok(true) => Ok(()),
            _ => Err(StoreError::Unavailable("this MongoDB server takes no writes".to_owned())),
        }
    }
}

/// The URL without `timeoutMS`, which drivers for other languages know: how long a call may take in all.
fn without_limit(url: &Secret) -> Result<(Secret, Option<Duration>), StoreError> {
    let Some((base, options)) = url.expose().split_once('?') else { return Ok((url.clone(), None)) };
    let is_limit = |option: &&str| option.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("timeoutMS"));
    let (limits, others): (Vec<&str>, Vec<&str>) = options.split('&').partition(is_limit);
    let Some(limit) = limits.last() else { return Ok((url.clone(), None)) };
    let millis = limit.split_once('=').and_then(|(_, millis)| millis.parse().ok()).filter(|millis| *millis > 0);
    let millis = millis.ok_or_else(|| {
        StoreError::Unavailable("the mongodb URL can't be read: timeoutMS is a number of milliseconds".to_owned())
    })?;
    Ok((Secret::new(format!("{base}?{}", others.join("&"))), Some(Duration::from_millis(millis))))
}

async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    loop {
        match session.commit_transaction().await {
            // Whether it was committed is not known; asking again is harmless.
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) && !errors::is_too_slow(&error) => {}
            other => return other,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
