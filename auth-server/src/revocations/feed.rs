//! Looks at the store for what has ended, for all who follow. Nobody looks while nobody follows.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use shared::clock;
use shared::expiring::{Entry, ExpiringStore, Key};
use shared::metrics::Metrics;
use shared::revocation_feed::{Handle, MOST_HANDLES, PACE};
use shared::store::StoreError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::time::MissedTickBehavior;

use super::{BACK, key_at, noted};

/// Entries read at a time.
const PAGE: usize = 500;
/// Looks that a follower may be late by; one who is later has missed something.
const LATE: usize = 256;
/// Followers at once.
const MOST_FOLLOWERS: usize = 1000;

/// What one look found.
type Found = Arc<[Handle]>;

/// The endings of all servers and commands on one store.
pub struct Feed {
    store: Arc<dyn ExpiringStore>,
    /// `None` once the server is to stop.
    looks: Mutex<Option<Sender<Found>>>,
}

/// One who is told.
pub struct Follower {
    /// What has ended of late: whoever comes back may have missed it.
    pub lately: Vec<Handle>,
    /// What each look from now on finds.
    pub looks: Receiver<Found>,
}

/// Why nobody can follow.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("the server stops, or too many follow already")]
    Closed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Feed {
    pub fn new(store: Arc<dyn ExpiringStore>) -> Self {
        Self { store, looks: Mutex::new(Some(broadcast::channel(LATE).0)) }
    }

    /// Follows from now on.
    pub async fn follow(&self) -> Result<Follower, FollowError> {
        let looks = self.looks().filter(|looks| looks.receiver_count() < MOST_FOLLOWERS);
        // First this, so that nothing falls between.
        let looks = looks.ok_or(FollowError::Closed)?.subscribe();
        Ok(Follower { lately: handles(self.lately().await?.iter())?, looks })
    }

    /// Nobody is told anything any more.
    pub fn close(&self) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn looks(&self) -> Option<Sender<Found>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every note that is not older than a look goes back.
    async fn lately(&self) -> Result<Vec<Entry>, StoreError> {
        let mut last = key_at(clock::now().saturating_sub_unsigned(BACK.as_secs()), [0; 24]);
        let mut all = Vec::new();
        loop {
            let page = self.store.list(&noted(), Some(&last), PAGE).await?;
            let more = page.len() == PAGE;
            last = page.last().map_or(last, |entry| entry.key);
            all.extend(page);
            if !more {
                return Ok(all);
            }
        }
    }
}

/// Looks at a steady pace, for as long as there is a feed. A look that fails is not told: who hears none for a while believes
/// nothing any more, which is just what he should do.
pub fn watch(feed: &Arc<Feed>, metrics: &Metrics) {
    let help = "Followers of the feed of revocations";
    let counted = Arc::downgrade(feed);
    metrics.watch("evergate_revocation_feed_followers", help, move || {
        counted.upgrade().and_then(|feed| feed.looks()).map_or(0.0, |looks| looks.receiver_count() as f64)
    });
    let feed: Weak<Feed> = Arc::downgrade(feed);
    actix_rt::spawn(async move {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut failing) = (HashSet::new(), false);
        loop {
            pace.tick().await;
            let Some(feed) = feed.upgrade() else { return };
            let Some(looks) = feed.looks() else { return };
            if looks.receiver_count() == 0 {
                continue;
            }
            match look(&feed, &mut seen).await {
                Ok(found) => {
                    failing = false;
                    // Nobody is left: nothing to do.
                    found.chunks(MOST_HANDLES).for_each(|part| drop(looks.send(part.into())));
                    if found.is_empty() {
                        looks.send(Arc::default()).ok();
                    }
                }
                Err(error) if !failing => {
                    failing = true;
                    log::warn!("what has ended can't be looked for, so that nobody is told: {error}");
                }
                Err(_) => {}
            }
        }
    });
}

/// What was not there at the last look.
async fn look(feed: &Feed, seen: &mut HashSet<Key>) -> Result<Vec<Handle>, StoreError> {
    let lately = feed.lately().await?;
    let found = handles(lately.iter().filter(|entry| !seen.contains(&entry.key)))?;
    *seen = lately.iter().map(|entry| entry.key).collect();
    Ok(found)
}

fn handles<'e>(entries: impl Iterator<Item = &'e Entry>) -> Result<Vec<Handle>, StoreError> {
    let mut all = Vec::new();
    for entry in entries {
        let ended: Vec<Handle> = serde_json::from_slice(&entry.kept.value)
            .map_err(|error| StoreError::Corrupt(format!("a note of what ended: {error}")))?;
        all.extend(ended);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared::expiring::Owner;

    use super::*;
    use crate::app;
    use crate::revocations::note;
    use crate::state;
    use shared::expiring::Op;

    fn end(user: &str) -> Vec<Op> {
        note(vec![Op::DeleteOwned { owner: Owner::new("user", user) }], &[])
    }

    /// D-039: what ended before somebody follows is told at once, what ends later by the next look, and each once.
    #[actix_rt::test]
    async fn a_follower_hears_of_every_ending() {
        let (_folder, app) = app::for_test();
        let store = app.state.durable();
        state::apply_all(&**store, end("u_1")).await.unwrap();
        let feed = Arc::new(Feed::new(store.clone()));
        watch(&feed, &Metrics::default());
        let mut follower = feed.follow().await.unwrap();
        assert_eq!(follower.lately, [Handle::of_user("u_1")]);
        for _ in 0..3 {
            follower.looks.recv().await.unwrap();
        }
        for number in 2..6 {
            let user = format!("u_{number}");
            state::apply_all(&**store, end(&user)).await.unwrap();
            let mut found = follower.looks.recv().await.unwrap();
            while found.is_empty() {
                found = follower.looks.recv().await.unwrap();
            }
            assert_eq!(*found, [Handle::of_user(&user)]);
        }
        feed.close();
        while follower.looks.recv().await.is_ok() {}
        assert!(matches!(feed.follow().await, Err(FollowError::Closed)));
    }
}
