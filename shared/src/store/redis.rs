//! A Redis server: how it is reached, how long it may take, and what its errors mean.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, ErrorKind, IntoConnectionInfo as _, RedisError};

use super::StoreError;
use crate::Secret;

/// For a connection, for an answer, and for both: a request is to be refused within a second (decisions 19).
const CONNECTED_WITHIN: Duration = Duration::from_millis(400);
const ANSWERED_WITHIN: Duration = Duration::from_millis(700);
const ALL_WITHIN: Duration = Duration::from_millis(850);
/// A connection whose other end is silent for so long is given up.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// How often a lost server is looked for.
const LOOKED_FOR: Duration = Duration::from_millis(250);
/// Commands that may wait to be sent.
const QUEUE: usize = 1000;

/// One connection that all requests share and that is made anew when it breaks; cheap to clone.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    client: Client,
    prefix: String,
    /// Whether somebody waits for a lost server to come back.
    looked_for: Arc<AtomicBool>,
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
            // Whoever waits is told at once, and `look_for` tries again.
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(unreadable)?;
        let prefix = format!("{}:", asked.unwrap_or_else(|| prefix.to_owned()));
        Ok(Self { connection, client, prefix, looked_for: Arc::default() })
    }

    /// What all keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The connection, for the calls within [`Redis::call`].
    pub fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }

    /// For connections of their own, such as subscriptions.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Awaits an answer for as long as one may take.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(ALL_WITHIN, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if error.is_io_error() {
                    self.look_for();
                }
                Err(error.into())
            }
            Err(_) => Err(StoreError::Unavailable("Redis did not answer in time".to_owned())),
        }
    }

    /// Asks in the background until it answers: a broken connection is made anew by the command after the one that met it,
    /// which is not to be a user's.
    fn look_for(&self) {
        if self.looked_for.swap(true, Ordering::AcqRel) {
            return;
        }
        let redis = self.clone();
        actix_rt::spawn(async move {
            let mut connection = redis.connection();
            let ping = redis::cmd("PING");
            // The first of each round meets the connection that is broken, and has it made anew for the second.
            while ping.exec_async(&mut connection).await.is_err() && ping.exec_async(&mut connection).await.is_err() {
                tokio::time::sleep(LOOKED_FOR).await;
            }
            redis.looked_for.store(false, Ordering::Release);
        });
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
    use super::*;

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
