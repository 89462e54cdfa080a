//! Listens to those who tell what ends: auth-servers over HTTP, and a Redis channel that they publish in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use futures_util::StreamExt as _;
use shared::revocation_feed::{CHANNEL, Look, SILENCE};
use shared::store::{Redis, StoreError, StoreUrl};
use url::Url;

use super::Fault;
use super::feed::{Feed, Row};
use super::server::{AuthServer, accepted, send};
use crate::config::RevocationFeed;

/// The prefix of the auth-server's keys, where its URL names no other.
const PREFIX: &str = "auth_server";
/// How often it is looked whether somebody has fallen silent.
const WATCH: Duration = Duration::from_millis(50);
/// Until the next attempt, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// For the head of an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// An answer is begun anew now and then.
const LONGEST_ANSWER: Duration = Duration::from_secs(86_400);
/// Bytes of one look.
const LONGEST_LINE: usize = 1 << 20;
/// A channel in which nobody says anything is subscribed to anew.
const DEAF: Duration = Duration::from_secs(5);

/// Listens until it is dropped.
pub struct Following(Vec<JoinHandle<()>>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Why a row of looks has ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nothing was heard for too long")]
    Silent,
    #[error("it was ended")]
    Ended,
    #[error("a look was missed")]
    Gap,
    #[error("what it says can't be understood: {0}")]
    Unreadable(String),
}

/// Begins to listen.
pub fn start(server: &Arc<AuthServer>, feed: &Arc<Feed>, config: &RevocationFeed) -> Result<Following, StoreError> {
    let mut tasks = Following(Vec::new());
    if !config.follow {
        return Ok(tasks);
    }
    let watched = feed.clone();
    tasks.0.push(actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(WATCH).await;
            watched.watch(Instant::now());
        }
    }));
    // Checked with the configuration.
    let mut urls: Vec<Option<Url>> = config.streams.iter().map(|url| Url::parse(url).ok()).collect();
    if urls.is_empty() {
        urls.push(None);
    }
    for (index, url) in urls.into_iter().enumerate() {
        let stream = Stream { server: server.clone(), url, feed: feed.clone(), row: Row::Stream(index) };
        tasks.0.push(actix_rt::spawn(stream.follow()));
    }
    if let Some(StoreUrl::Redis(url)) = &config.redis {
        let channel = Channel { redis: Redis::new(url, PREFIX)?, feed: feed.clone() };
        tasks.0.push(actix_rt::spawn(channel.follow()));
    }
    Ok(tasks)
}

/// Tries again and again, ever more slowly; says each reason once.
struct Patience {
    what: String,
    told: String,
    pause: Duration,
}

impl Patience {
    fn new(what: String) -> Self {
        Self { what, told: String::new(), pause: FIRST_PAUSE }
    }

    /// `heard`: something was heard before it was lost.
    async fn after(&mut self, lost: &Lost, heard: bool) {
        if heard {
            self.pause = FIRST_PAUSE;
            self.told.clear();
        }
        let told = lost.to_string();
        if told != self.told {
            log::warn!("{} is not heard: {told}", self.what);
            self.told = told;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// One auth-server's answer.
struct Stream {
    server: Arc<AuthServer>,
    /// `None`: as the issuer's metadata say.
    url: Option<Url>,
    feed: Arc<Feed>,
    row: Row,
}

impl Stream {
    async fn follow(self) {
        let name = self.url.as_ref().map_or_else(|| self.server.issuer().to_owned(), ToString::to_string);
        let mut patience = Patience::new(format!("what ends at {name}"));
        loop {
            let mut heard = false;
            let Err(lost) = self.listen(&mut heard).await;
            self.feed.lose(|row| *row == self.row, Instant::now());
            patience.after(&lost, heard).await;
        }
    }

    async fn listen(&self, heard: &mut bool) -> Result<std::convert::Infallible, Lost> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.server.revocation_feed_endpoint().await?,
        };
        let request = || self.server.post(url.clone(), &[]).timeout(LONGEST_ANSWER);
        let answer = tokio::time::timeout(ANSWERED_WITHIN, send(request)).await.map_err(|_| Lost::Silent)?;
        let mut answer = accepted(answer?)?;
        let mut read = Vec::new();
        loop {
            let chunk = tokio::time::timeout(SILENCE, answer.chunk()).await.map_err(|_| Lost::Silent)?;
            let unreachable = |error: reqwest::Error| Fault::Unreachable(super::server::reason(&error));
            let chunk = chunk.map_err(unreachable)?.ok_or(Lost::Ended)?;
            read.extend_from_slice(&chunk);
            while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = read.drain(..=end).collect();
                if !self.feed.hear(&self.row, &understood(&line)?, Instant::now()) {
                    return Err(Lost::Gap);
                }
                *heard = true;
            }
            if read.len() > LONGEST_LINE {
                return Err(Lost::Unreadable("a line without an end".to_owned()));
            }
        }
    }
}

/// What auth-servers publish.
struct Channel {
    redis: Redis,
    feed: Arc<Feed>,
}

impl Channel {
    async fn follow(self) {
        let mut patience = Patience::new("what auth-servers publish in Redis".to_owned());
        loop {
            let mut heard = false;
            let Err(lost) = self.listen(&mut heard).await;
            self.feed.lose(|row| matches!(row, Row::Published(_)), Instant::now());
            patience.after(&lost, heard).await;
        }
    }

    async fn listen(&self, heard: &mut bool) -> Result<std::convert::Infallible, Lost> {
        let mut messages = self.redis.subscribe(CHANNEL).await?;
        loop {
            let message = tokio::time::timeout(DEAF, messages.next()).await.map_err(|_| Lost::Silent)?;
            let look = understood(&message.ok_or(Lost::Ended)?)?;
            // One that was missed makes this row begin anew; the others are whole.
            self.feed.hear(&Row::Published(look.from.clone()), &look, Instant::now());
            *heard = true;
        }
    }
}

fn understood(text: &[u8]) -> Result<Look, Lost> {
    serde_json::from_slice(text).map_err(|error| Lost::Unreadable(error.to_string()))
}
