//! A Redis server: how it is reached, how long it may take, and what its errors mean.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, ErrorKind, IntoConnectionInfo as _, RedisError};
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
    connection: ConnectionManager,
    client: Client,
    prefix: String,
    /// Whether the server is gone: calls are refused at once until `watch` has found it again.
    lost: Arc<AtomicBool>,
    pending: Arc<Semaphore>,
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
        let (url, asked) = split_prefix(url.expose());
        let settings = TcpSettings::default().set_nodelay(true).set_user_timeout(SILENT_FOR);
        let information = url.into_connection_info().map_err(unreadable)?.set_tcp_settings(settings);
        let client = Client::open(information).map_err(unreadable)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECTED_WITHIN))
            .set_response_timeout(Some(ANSWERED_WITHIN))
            .set_pipeline_buffer_size(QUEUE)
            // Whoever waits is told at once, and `watch` tries again.
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(unreadable)?;
        let prefix = format!("{}:", asked.unwrap_or_else(|| prefix.to_owned()));
        let lost = Arc::default();
        tokio::spawn(watch(connection.clone(), Arc::downgrade(&lost)));
        Ok(Self { connection, client, prefix, lost, pending: Arc::new(Semaphore::new(MOST_PENDING)) })
    }

    /// What all keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The connection, for the calls within [`Redis::call`].
    pub fn connection(&self) -> ConnectionManager {
        self.connection.clone()
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
            let mut subscription = self.client.get_async_pubsub().await?;
            subscription.subscribe(name).await?;
            Ok(subscription)
        });
        let messages = subscription.await?.into_on_message();
        Ok(messages.map(|message| message.get_payload_bytes().to_vec()).boxed())
    }

    /// Awaits an answer for as long as one may take.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
        if self.lost.load(Ordering::Acquire) {
            return Err(StoreError::Unavailable("Redis is gone".to_owned()));
        }
        let Ok(_pending) = self.pending.try_acquire() else {
            return Err(StoreError::Unavailable("too many calls are waiting for Redis".to_owned()));
        };
        let answer = tokio::time::timeout(ALL_WITHIN, call).await;
        if answer.as_ref().map_or(true, |answer| answer.as_ref().is_err_and(RedisError::is_io_error)) {
            self.lost.store(true, Ordering::Release);
        }
        match answer {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(StoreError::Unavailable("Redis did not answer in time".to_owned())),
        }
    }
}

/// Tries the connection in the background, for as long as somebody holds the store: one that broke while nobody used it must not be
/// a user's to find, and a server that was lost is found again without one.
async fn watch(mut connection: ConnectionManager, lost: Weak<AtomicBool>) {
    let ping = redis::cmd("PING");
    loop {
        let Some(lost) = lost.upgrade() else { return };
        // The first meets a connection that is broken, and has it made anew for the second.
        let gone = ping.exec_async(&mut connection).await.is_err() && ping.exec_async(&mut connection).await.is_err();
        if gone != lost.swap(gone, Ordering::AcqRel) {
            if gone { log::error!("Redis is gone") } else { log::info!("Redis is back") }
        }
        drop(lost);
        tokio::time::sleep(if gone { LOOKED_FOR } else { WATCHED }).await;
    }
}

/// The URL without its parameter `prefix`, and that parameter.
fn split_prefix(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (mut rest, mut prefix) = (Vec::new(), None);
    for pair in query.split('&') {
        match pair.strip_prefix("prefix=") {
            Some(asked) => prefix = Some(asked.to_owned()),
            None => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (url, prefix)
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
        relay.delay(Duration::from_secs(2));
        let started = Instant::now();
        let quick = std::cell::Cell::new(0);
        let calls = join_all((0..MOST_PENDING + 500).map(|_| async {
            let refused = ping().await.is_err();
            quick.set(quick.get() + usize::from(refused && started.elapsed() < Duration::from_millis(300)));
            refused
        }));
        assert!(calls.await.into_iter().all(|refused| refused));
        assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
        assert_eq!(quick.get(), 500);
        let asked = Instant::now();
        for _ in 0..1000 {
            ping().await.unwrap_err();
            assert!(asked.elapsed() < Duration::from_millis(300), "{:?}", asked.elapsed());
        }
        relay.restore();
        let restored = Instant::now();
        while ping().await.is_err() {
            assert!(restored.elapsed() < Duration::from_secs(2), "not back yet");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[test]
    fn the_prefix_of_keys_may_stand_in_the_url() {
        for (url, rest, prefix) in [
            ("redis://:p@cache/0", "redis://:p@cache/0", None),
            ("redis://cache/0?prefix=shop", "redis://cache/0", Some("shop")),
            ("redis://cache?protocol=resp3&prefix=a&x=1", "redis://cache?protocol=resp3&x=1", Some("a")),
        ] {
            assert_eq!(split_prefix(url), (rest.to_owned(), prefix.map(str::to_owned)));
        }
    }
}
