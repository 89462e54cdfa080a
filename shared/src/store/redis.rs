//! A Redis server: how it is reached, how long it may take, and what its errors mean.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, ErrorKind, IntoConnectionInfo as _, RedisError, ServerErrorKind};
use tokio::sync::Semaphore;

use super::StoreError;
use crate::Secret;

/// For a connection, for an answer, and for both: a request is to be refused within a second (decisions 19).
const CONNECTED_WITHIN: Duration = Duration::from_millis(400);
const ANSWERED_WITHIN: Duration = Duration::from_millis(700);
const ALL_WITHIN: Duration = Duration::from_millis(850);
/// A connection whose other end is silent for so long is given up.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// How often the connection is tried, while all is well and while the server is lost.
const WATCHED: Duration = Duration::from_secs(1);
const LOOKED_FOR: Duration = Duration::from_millis(250);
/// Commands that may wait to be sent, and calls that may be under way in all: more are refused at once.
const QUEUE: usize = 1000;
const MOST_PENDING: usize = 4096;

/// One connection that all requests share and that is made anew when it breaks; cheap to clone.
#[derive(Clone)]
pub struct Redis {
    line: Arc<Line>,
    prefix: String,
    pending: Arc<Semaphore>,
}

/// The connection, and what is known of the server behind it.
struct Line {
    client: Client,
    connection: RwLock<ConnectionManager>,
    /// Whether the server is gone: calls are refused at once until `watch` has found it again.
    lost: AtomicBool,
    /// Whether it refuses writes: another one may have taken its place under the same name.
    read_only: AtomicBool,
}

impl Redis {
    /// The server of a `redis://` or `rediss://` URL. All keys begin with `prefix`, or with the one that the URL names:
    /// `redis://cache/0?prefix=shop`. It need not answer yet.
    pub fn new(url: &Secret, prefix: &str) -> Result<Self, StoreError> {
        // The client's message may repeat a part of the password.
        let unreadable = |_| {
            StoreError::Unavailable(
                "the redis URL can't be read: see that user and password are percent-encoded".to_owned(),
            )
        };
        let (url, asked) = split_prefix(url.expose())?;
        let settings = TcpSettings::default().set_nodelay(true).set_user_timeout(SILENT_FOR);
        let information = url.into_connection_info().map_err(unreadable)?.set_tcp_settings(settings);
        let client = Client::open(information).map_err(unreadable)?;
        let connection = RwLock::new(connect(&client).map_err(unreadable)?);
        let line = Arc::new(Line { client, connection, lost: AtomicBool::default(), read_only: AtomicBool::default() });
        let prefix = format!("{}:", asked.unwrap_or_else(|| prefix.to_owned()));
        tokio::spawn(watch(Arc::downgrade(&line), prefix.clone()));
        Ok(Self { line, prefix, pending: Arc::new(Semaphore::new(MOST_PENDING)) })
    }

    /// What all keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The connection, for the calls within [`Redis::call`].
    pub fn connection(&self) -> ConnectionManager {
        self.line.connection()
    }

    /// Tells those who are subscribed to a channel of this prefix now, and nobody else.
    pub async fn publish(&self, channel: &str, message: &[u8]) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let mut command = redis::cmd("PUBLISH");
        command.arg(format!("{}{channel}", self.prefix)).arg(message);
        self.call(command.exec_async(&mut connection)).await
    }

    /// What is published in a channel of this prefix from now on. Ends when the connection breaks.
    pub async fn subscribe(&self, channel: &str) -> Result<BoxStream<'static, Vec<u8>>, StoreError> {
        let name = format!("{}{channel}", self.prefix);
        let subscription = self.call(async {
            let mut subscription = self.line.client.get_async_pubsub().await?;
            subscription.subscribe(name).await?;
            Ok(subscription)
        });
        let messages = subscription.await?.into_on_message();
        Ok(messages.map(|message| message.get_payload_bytes().to_vec()).boxed())
    }

    /// Awaits an answer for as long as one may take.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
        if self.line.lost.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("Redis is gone".to_owned()));
        }
        let Ok(_pending) = self.pending.try_acquire() else {
            return Err(StoreError::Unavailable("too many calls are waiting for Redis".to_owned()));
        };
        let Ok(answer) = tokio::time::timeout(ALL_WITHIN, call).await else {
            self.line.lost.store(true, Ordering::Release);
            return Err(StoreError::Unavailable("Redis did not answer in time".to_owned()));
        };
        if let Err(error) = &answer {
            let read_only = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
            if read_only {
                self.line.read_only.store(true, Ordering::Release);
            }
            if read_only || error.is_io_error() {
                self.line.lost.store(true, Ordering::Release);
            }
        }
        Ok(answer?)
    }
}

impl Line {
    fn connection(&self) -> ConnectionManager {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the server is of no use now.
    async fn fault(&self, prefix: &str) -> Option<RedisError> {
        let mut probe = redis::cmd("PING");
        if self.read_only.load(Ordering::Acquire) {
            probe = redis::cmd("SET");
            probe.arg(format!("{prefix}ping")).arg(1).arg("PX").arg(1000);
        }
        let mut answer = probe.exec_async(&mut self.connection()).await;
        if answer.is_err() {
            // To whoever has the name now. The client would keep a connection that was refused, for a password for example.
            if let Ok(anew) = connect(&self.client) {
                *self.connection.write().unwrap_or_else(PoisonError::into_inner) = anew;
            }
            answer = probe.exec_async(&mut self.connection()).await;
        }
        if answer.is_ok() {
            self.read_only.store(false, Ordering::Release);
        }
        answer.err()
    }
}

fn connect(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECTED_WITHIN))
        .set_response_timeout(Some(ANSWERED_WITHIN))
        .set_pipeline_buffer_size(QUEUE)
        // Whoever waits is told at once, and `watch` tries again.
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// Tries the connection in the background, for as long as somebody holds the store: one that broke while nobody used it must not be
/// a user's to find, and a server that was lost is found again without one.
async fn watch(line: Weak<Line>, prefix: String) {
    let mut told: Option<String> = None;
    let mut known = false;
    loop {
        let Some(line) = line.upgrade() else { return };
        let fault = line.fault(&prefix).await.map(|error| error.to_string());
        line.lost.store(fault.is_some(), Ordering::Release);
        match (&fault, &told) {
            // Each reason once: a server that was gone may be loading its file next.
            (Some(fault), told) if told.as_ref() != Some(fault) => log::error!("Redis is gone: {fault}"),
            (None, Some(_)) => log::info!("Redis is back"),
            _ => {}
        }
        let gone = fault.is_some();
        told = fault;
        if !gone && !known {
            known = true;
            look_at(&mut line.connection()).await;
        }
        drop(line);
        tokio::time::sleep(if gone { LOOKED_FOR } else { WATCHED }).await;
    }
}

/// Tells of settings of the server that this store can't do with.
async fn look_at(connection: &mut ConnectionManager) {
    // Nobody's rights need go so far.
    let Ok(told) = redis::cmd("INFO").query_async::<String>(connection).await else { return };
    let says = |line: &str| told.lines().any(|told| told.trim_end() == line);
    if says("cluster_enabled:1") {
        log::error!(
            "this Redis is a node of a Redis Cluster, which refuses batches over several keys: use a server (with replicas, if \
             you like) that is not"
        );
    }
    if !says("maxmemory:0") && !says("maxmemory_policy:noeviction") {
        log::warn!(
            "this Redis forgets entries before their time when its memory is full: counts begin anew and tokens are gone; set \
             maxmemory-policy noeviction"
        );
    }
}

/// The URL without its parameter `prefix`, and that parameter. The client ignores what it does not know.
fn split_prefix(url: &str) -> Result<(String, Option<String>), StoreError> {
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let (mut rest, mut prefix) = (Vec::new(), None);
    for pair in query.split('&') {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("prefix", asked) => prefix = Some(asked.to_owned()),
            ("protocol", _) => rest.push(pair),
            (other, _) => {
                return Err(StoreError::Unavailable(format!(
                    "the redis URL can't be read: there is no option `{other}`, only prefix and protocol"
                )));
            }
        }
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((url, prefix))
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => StoreError::Corrupt(error.to_string()),
            _ => StoreError::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Instant;

    use futures_util::future::join_all;

    use super::*;
    use crate::store::servers::{RedisServer, Relay};

    /// Decisions 19: while the server is slow a call is refused within a second, those beyond what may wait at once, and so are all
    /// others once the slowness is known; within two seconds of its end all is as before.
    #[actix_rt::test]
    async fn a_slow_server_is_left_alone_until_it_is_itself_again() {
        let Some(server) = RedisServer::start() else { return };
        let relay = Relay::before(&server.address());
        let redis = Redis::new(&Secret::new(format!("redis://{}", relay.address())), "test").unwrap();
        let ping = || async {
            let mut connection = redis.connection();
            redis.call(redis::cmd("PING").exec_async(&mut connection)).await
        };
        ping().await.unwrap();
        relay.delay(Duration::from_secs(60));
        let started = Instant::now();
        let quick = std::cell::Cell::new(0);
        let calls = join_all((0..MOST_PENDING + 500).map(|_| async {
            let asked = Instant::now();
            let refused = ping().await.is_err();
            quick.set(quick.get() + usize::from(refused && asked.elapsed() < Duration::from_millis(300)));
            refused
        }));
        assert!(calls.await.into_iter().all(|refused| refused));
        // Thousands at once take their time by themselves.
        assert!(started.elapsed() < ALL_WITHIN + Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(quick.get(), 500);
        let asked = Instant::now();
        for _ in 0..1000 {
            ping().await.unwrap_err();
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        }
        relay.restore();
        let restored = Instant::now();
        while ping().await.is_err() {
            assert!(restored.elapsed() < Duration::from_secs(2), "not back yet");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// the server becomes a replica, and another one has its name: what is read-only is left.
    #[actix_rt::test]
    async fn a_server_that_takes_no_writes_any_more_is_left_for_the_one_in_its_place() {
        let (Some(first), Some(second)) = (RedisServer::start(), RedisServer::start()) else { return };
        let relay = Relay::before(&first.address());
        let redis = Redis::new(&Secret::new(format!("redis://{}", relay.address())), "test").unwrap();
        let write = async || {
            let mut connection = redis.connection();
            redis.call(redis::cmd("SET").arg("key").arg(1).exec_async(&mut connection)).await
        };
        write().await.unwrap();
        first.follow(&second);
        write().await.unwrap_err();
        let asked = Instant::now();
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(write().await.is_err(), "nobody has taken its place yet");
        relay.lead_to(&second.address());
        while write().await.is_err() {
            assert!(asked.elapsed() < Duration::from_secs(3), "not back yet");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What is wrong is known before anybody asks, and told without the password.
    #[actix_rt::test]
    async fn a_server_of_no_use_is_known_and_why() {
        let Some(mut server) = RedisServer::start() else { return };
        let url = Secret::new(format!("redis://:hunter2@{}", server.address()));
        let redis = Redis::new(&url, "test").unwrap();
        let fault = async || redis.line.fault("test:").await.map(|error| error.to_string()).unwrap_or_default();
        let told = fault().await;
        assert!(told.contains("authentication failed") && !told.contains("hunter2"), "without a password: {told}");
        server.set_password("hunter2");
        assert_eq!(fault().await, "");
        server.kill();
        let told = fault().await;
        assert!(told.contains("refused") && !told.contains("hunter2"), "{told}");
        let killed = Instant::now();
        while !redis.line.lost.load(Ordering::Acquire) {
            assert!(killed.elapsed() < Duration::from_secs(3), "nobody has noticed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[test]
    fn the_prefix_of_keys_may_stand_in_the_url() {
        for (url, rest, prefix) in [
            ("redis://:p@cache/0", "redis://:p@cache/0", None),
            ("redis://cache/0?prefix=shop", "redis://cache/0", Some("shop")),
            ("redis://cache?protocol=resp3&prefix=a", "redis://cache?protocol=resp3", Some("a")),
        ] {
            assert_eq!(split_prefix(url).unwrap(), (rest.to_owned(), prefix.map(str::to_owned)));
        }
        let refused = split_prefix("redis://:hunter2@cache/0?prfix=shop").unwrap_err().to_string();
        assert!(refused.contains("`prfix`") && !refused.contains("hunter2"), "{refused}");
    }
}
