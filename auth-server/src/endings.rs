//! Changes of an account or a client that end its sessions or grants (B-084, F-013). The change stands in the directory, what it
//! ends in the store of expiring entries, and no transaction spans both. So the ending is announced first, then comes the change
//! with its events, then the ending itself: a change that fails has ended nothing, and one that was made ends everything, if
//! need be by whoever finds the announcement after a crash.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::expiring::{Expiring, ExpiringStore, Op, Owner};
use shared::random::random_id;
use shared::store::StoreError;

use crate::app::App;
use crate::revocations::note;
use crate::state;

/// Longer than anything lives that could be ended.
const LIFE: Duration = Duration::from_secs(366 * 86_400);
/// After so long no change is still on its way to the directory.
const GIVEN_UP: Duration = Duration::from_secs(60);
/// Between two looks for what others left unfinished.
const PAUSE: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 100;

/// What is about to be changed, as it stands before.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Before {
    User { id: String, version: u64 },
    Client { id: String, version: u64 },
}

#[derive(Serialize, Deserialize)]
struct Announced {
    id: String,
    before: Before,
    owners: Vec<String>,
}

/// An announced ending: to be [finished](Endings::finish) or [withdrawn](Endings::withdraw). Dropped, it is settled later, by
/// what became of the change.
#[must_use]
pub struct Ending {
    id: String,
    owners: Vec<Owner>,
}

/// The endings that are on their way.
#[derive(Clone)]
pub struct Endings {
    announced: Expiring<Announced>,
}

impl Endings {
    pub fn new(state: Arc<dyn ExpiringStore>) -> Self {
        Self { announced: Expiring::new(state, "ending", LIFE) }
    }

    /// Says what a change will end: everything of these owners.
    pub async fn announce(&self, before: Before, owners: Vec<Owner>) -> Result<Ending, StoreError> {
        let id = random_id("");
        let announced =
            Announced { id: id.clone(), before, owners: owners.iter().map(|owner| owner.0.clone()).collect() };
        let insert = self.announced.insert_op(&id, &announced, LIFE, vec![all()])?;
        state::apply_all(&**self.announced.store(), vec![insert]).await?;
        Ok(Ending { id, owners })
    }

    /// The change was made: ends what hangs on it.
    pub async fn finish(&self, ending: Ending) -> Result<(), StoreError> {
        let delete = self.announced.delete_op(&ending.id);
        let mut ops = note(ending.owners.into_iter().map(|owner| Op::DeleteOwned { owner }).collect(), &[]);
        ops.push(delete);
        state::apply_all(&**self.announced.store(), ops).await
    }

    /// The change was not made.
    pub async fn withdraw(&self, ending: Ending) -> Result<(), StoreError> {
        self.announced.delete(&ending.id).await
    }
}

/// Finishes what was changed and not ended, by this process or another; withdraws what never came to a change.
pub async fn settle(app: &App) -> Result<(), StoreError> {
    let endings = Endings::new(app.users.state().clone());
    let mut after = None;
    loop {
        let page = endings.announced.store().list(&all(), after.as_ref(), AT_ONCE).await?;
        after = page.last().map(|entry| entry.key);
        let whole = page.len() < AT_ONCE;
        for entry in page {
            let held = endings.announced.read(entry.kept)?;
            let Announced { id, before, owners } = held.value;
            let ending = Ending { id, owners: owners.into_iter().map(Owner).collect() };
            if was_changed(app, &before).await? {
                log::warn!("sessions and grants that a change of {before:?} was to end are ended now");
                endings.finish(ending).await?;
            } else if LIFE.saturating_sub(held.left) >= GIVEN_UP {
                endings.withdraw(ending).await?;
            }
        }
        if whole {
            return Ok(());
        }
    }
}

async fn was_changed(app: &App, before: &Before) -> Result<bool, StoreError> {
    Ok(match before {
        Before::User { id, version } => app.users.find(id).await?.is_none_or(|user| user.version != *version),
        Before::Client { id, version } => app.clients.read(id).await?.is_none_or(|client| client.version != *version),
    })
}

/// Settles again and again, for as long as there is an app.
pub fn follow(app: &Arc<App>) {
    let app: Weak<App> = Arc::downgrade(app);
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(PAUSE).await;
            let Some(app) = app.upgrade() else { return };
            if let Err(error) = settle(&app).await {
                log::warn!("what changes were to end could not be looked for: {error}");
            }
        }
    });
}

fn all() -> Owner {
    Owner::new("endings", "all")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared::expiring::Key;

    use super::*;
    use crate::app;
    use crate::audit::Author;
    use crate::directory::Replaced;
    use crate::user::User;

    async fn sessions(app: &App, user: &User) -> usize {
        app.users.state().list(&user.sessions_owner(), None, 10).await.unwrap().len()
    }

    /// B-084, F-013, X-025: a process that stops between a change and what it ends leaves that to the next; one that stops
    /// before the change has ended nothing.
    #[actix_rt::test]
    async fn what_a_change_was_to_end_is_ended_after_a_crash_and_only_then() {
        let (_folder, app) = app::for_test();
        let user = User::new("alice".to_owned(), 0);
        app.users.insert(&user, &Author::server()).await.unwrap();
        let session = Op::Insert {
            key: Key::new("test", "session"),
            value: Vec::new(),
            ttl: Duration::from_secs(60),
            owners: vec![user.sessions_owner()],
        };
        state::apply_all(&**app.users.state(), vec![session]).await.unwrap();
        let endings = Endings::new(app.users.state().clone());
        let mut user = app.users.find(&user.id).await.unwrap().unwrap();
        let before = Before::User { id: user.id.clone(), version: user.version };
        drop(endings.announce(before, vec![user.sessions_owner()]).await.unwrap());
        settle(&app).await.unwrap();
        assert_eq!(sessions(&app, &user).await, 1, "nothing was changed");
        user.username = "alicia".to_owned();
        assert_eq!(app.users.replace(&user, &Author::server()).await.unwrap(), Replaced::Done);
        assert_eq!(sessions(&app, &user).await, 1, "a new name ends nothing by itself");
        settle(&app).await.unwrap();
        assert_eq!(sessions(&app, &user).await, 0);
        assert!(app.users.state().list(&all(), None, 10).await.unwrap().is_empty());
    }
}
