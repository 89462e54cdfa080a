//! What a person should hear of the next time he looks at his account: that an app's access was ended to protect it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::expiring::{BadKey, Expiring, ExpiringStore, Key, Op, Owner};
use shared::random::random_id;
use shared::store::StoreError;

use crate::state;

/// How long one waits to be read.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How many are shown; whoever has more has read none of them.
const MOST: usize = 20;

/// What happened to somebody's account without him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: NoticeKind,
    /// The client's id.
    pub client: String,
    /// Epoch seconds.
    pub at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A refresh token was used twice, and the client's access ended (B-080).
    RefreshReused,
    /// A code was used twice, and what came of it ended (B-047).
    CodeReplayed,
}

/// Names one notice in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoticeId(Key);

impl std::fmt::Display for NoticeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for NoticeId {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// All notices, by the person they wait for.
pub struct Notices {
    entries: Expiring<Notice>,
}

impl Notices {
    pub fn new(state: Arc<dyn ExpiringStore>) -> Self {
        Self { entries: Expiring::new(state, "notice", KEPT) }
    }

    /// Leaves one for a user. Losing it loses a word, not the protection: failures are only logged.
    pub async fn leave(&self, user: &str, notice: &Notice) {
        if let Err(error) = self.entries.insert(&random_id(""), notice, vec![owner(user)]).await {
            log::error!("a notice was not left: {error}");
        }
    }

    /// Those that wait for a user, the newest first.
    pub async fn of(&self, user: &str) -> Result<Vec<(NoticeId, Notice)>, StoreError> {
        let entries = self.entries.store().list(&owner(user), None, MOST).await?;
        let read = entries.into_iter().map(|entry| Ok((NoticeId(entry.key), self.entries.read(entry.kept)?.value)));
        let mut notices = read.collect::<Result<Vec<_>, StoreError>>()?;
        notices.sort_by_key(|(_, notice)| std::cmp::Reverse(notice.at));
        Ok(notices)
    }

    /// Takes one of a user's down; another's stays.
    pub async fn take_down(&self, user: &str, id: NoticeId) -> Result<(), StoreError> {
        if self.of(user).await?.iter().any(|(own, _)| *own == id) {
            state::apply_all(&**self.entries.store(), vec![Op::Delete { key: id.0 }]).await?;
        }
        Ok(())
    }
}

fn owner(user: &str) -> Owner {
    Owner::new("notices", user)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app;

    #[actix_rt::test]
    async fn a_notice_waits_for_its_reader_and_is_taken_down_by_nobody_else() {
        let (_folder, app) = app::for_test();
        let notice = |at| Notice { kind: NoticeKind::RefreshReused, client: "c_1".to_owned(), at };
        for at in [10, 30, 20] {
            app.notices.leave("u_1", &notice(at)).await;
        }
        let waiting = app.notices.of("u_1").await.unwrap();
        assert_eq!(waiting.iter().map(|(_, notice)| notice.at).collect::<Vec<_>>(), [30, 20, 10]);
        assert!(app.notices.of("u_2").await.unwrap().is_empty());
        let id: NoticeId = waiting[0].0.to_string().parse().unwrap();
        app.notices.take_down("u_2", id).await.unwrap();
        assert_eq!(app.notices.of("u_1").await.unwrap().len(), 3);
        app.notices.take_down("u_1", id).await.unwrap();
        assert_eq!(app.notices.of("u_1").await.unwrap().len(), 2);
    }
}
