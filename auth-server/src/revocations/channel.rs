//! Looks go into a Redis channel too, where several servers share one. A look that can't be published leaves a gap in the numbers,
//! which those who listen notice.

use std::sync::{Arc, Weak};
use std::time::Duration;

use shared::random::random_id;
use shared::revocation_feed::{CHANNEL, Handle, Look};
use shared::store::Redis;
use tokio::sync::broadcast::error::RecvError;

use super::feed::{Feed, Follower};

/// Until the store is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes every look, for as long as there is a feed.
pub fn publish(feed: &Arc<Feed>, redis: Redis) {
    let feed: Weak<Feed> = Arc::downgrade(feed);
    actix_rt::spawn(async move {
        let mut teller = Teller { redis, from: random_id(""), number: 0 };
        loop {
            let Some(followed) = feed.upgrade() else { return };
            let Ok(Follower { mut looks, .. }) = followed.follow().await else {
                drop(followed);
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            drop(followed);
            loop {
                match looks.recv().await {
                    Ok(found) => teller.tell(&found).await,
                    Err(RecvError::Lagged(_)) => teller.number += 1,
                    Err(RecvError::Closed) => return,
                }
            }
        }
    });
}

struct Teller {
    redis: Redis,
    from: String,
    number: u64,
}

impl Teller {
    async fn tell(&mut self, ended: &[Handle]) {
        self.number += 1;
        let look = Look { from: self.from.clone(), number: self.number, ended: ended.to_vec() };
        let message = serde_json::to_vec(&look).expect("text and numbers can be written as JSON");
        if let Err(error) = self.redis.publish(CHANNEL, &message).await {
            log::debug!("what has ended was not published: {error}");
        }
    }
}
