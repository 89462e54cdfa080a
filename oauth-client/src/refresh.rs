//! Keeping a session's access token usable: one refresh at a time per session, across tabs and processes (E-040 to E-047).

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::clock;
use shared::expiring::{Expiring, ExpiringStore};
use shared::oauth::ErrorCode;
use shared::random::{random_bytes, random_token};
use shared::request_id;
use shared::session::{Saved, Session};
use shared::store::StoreError;

use crate::account::{Account, Tokens};
use crate::app::App;
use crate::error::SiteError;
use crate::provider::ProviderError;

/// A lock outlives the slowest refresh, so that its owner never has to doubt it.
const LOCK: Duration = Duration::from_secs(20);
/// The owner gives the lock back only this long after taking it; later it could be somebody else's.
const SURE: Duration = Duration::from_secs(15);
/// How long others wait for the owner.
const PATIENCE: Duration = Duration::from_secs(12);
/// Longest pause between failed refreshes, in seconds (E-045).
const LONGEST_PAUSE: i64 = 60;
/// How often a write is tried again when another request changed the session.
const TRIES: usize = 16;

/// Who refreshes which session.
pub struct RefreshLocks {
    entries: Expiring<String>,
}

/// A held lock.
struct Lock {
    session: String,
    since: Instant,
}

impl RefreshLocks {
    pub fn new(store: Arc<dyn ExpiringStore>) -> Self {
        Self { entries: Expiring::new(store, "refresh-lock", LOCK) }
    }

    async fn take(&self, session: &str) -> Result<Option<Lock>, StoreError> {
        let since = Instant::now();
        let owner = random_token("");
        let taken = self.entries.insert(session, &owner, Vec::new()).await?;
        Ok(taken.then(|| Lock { session: session.to_owned(), since }))
    }

    async fn give_back(&self, lock: Lock) {
        if lock.since.elapsed() < SURE
            && let Err(error) = self.entries.delete(&lock.session).await
        {
            log::warn!("a refresh lock stays until it expires: {error}");
        }
    }
}

/// Tokens that are good for a call. `refused`: the access token that the API has just refused (E-044), which is then not
/// used again.
pub async fn usable_tokens(
    app: &Arc<App>,
    session: &mut Session<Account>,
    refused: Option<&str>,
) -> Result<Tokens, SiteError> {
    let start = Instant::now();
    let mut refreshed = false;
    loop {
        let tokens = app.tokens(session).ok_or(SiteError::SignInNeeded)?;
        let now = clock::now();
        let forced = refused == Some(tokens.access_token.as_str());
        let lives = !forced && !tokens.is_expired(now);
        // Without a refresh token the access token serves until its end; and once is enough, whatever came of it (E-044).
        if lives && (!tokens.is_due(now) || tokens.refresh_token.is_none() || refreshed) {
            return Ok(tokens);
        }
        let in_the_meantime =
            |reason: &str, pause: i64| if lives { Ok(tokens.clone()) } else { Err(unavailable(reason, pause)) };
        let pause = session.data.next_refresh_at - now;
        if pause > 0 {
            return in_the_meantime("a refresh failed a moment ago", pause);
        }
        if refreshed || start.elapsed() > PATIENCE {
            return in_the_meantime("a refresh gives no usable token", 1);
        }
        match app.locks.take(session.id()).await? {
            Some(lock) => {
                refresh_apart(app, lock, refused).await?;
                refreshed = true;
            }
            // Somebody else is at it; a token that still lives need not wait for that.
            None if lives => return Ok(tokens),
            None => actix_rt::time::sleep(Duration::from_millis(20 + u64::from(random_bytes::<1>()[0] / 4))).await,
        }
        *session = app.accounts.get(session.id()).await?.ok_or(SiteError::SignInNeeded)?;
    }
}

/// Refreshes on a task of its own: a browser that goes away must not cut it off before its result is saved.
async fn refresh_apart(app: &Arc<App>, lock: Lock, refused: Option<&str>) -> Result<(), SiteError> {
    let (app, refused) = (app.clone(), refused.map(str::to_owned));
    let work = async move {
        let result = refresh(&app, &lock.session, refused.as_deref()).await;
        app.locks.give_back(lock).await;
        result
    };
    let task = match request_id::current().and_then(|id| id.parse().ok()) {
        Some(id) => actix_rt::spawn(request_id::scope(id, work)),
        None => actix_rt::spawn(work),
    };
    task.await.map_err(|error| StoreError::Unavailable(format!("a refresh broke off: {error}")))?
}

/// Refreshes under the lock. `Ok`: the session is worth another look, whatever came of it.
async fn refresh(app: &App, id: &str, refused: Option<&str>) -> Result<(), SiteError> {
    // Another process may have refreshed while this one waited for the lock (E-042).
    let Some(session) = app.accounts.get(id).await? else { return Ok(()) };
    let Some(tokens) = app.tokens(&session) else { return Ok(()) };
    let now = clock::now();
    let needed = tokens.is_due(now) || refused == Some(tokens.access_token.as_str());
    if !needed || session.data.next_refresh_at > now {
        return Ok(());
    }
    let Some(refresh_token) = &tokens.refresh_token else {
        return change(app, session, &tokens, |account| account.tokens = None).await.map(drop);
    };
    match app.provider.refresh(refresh_token).await {
        Ok(answer) => {
            let next = tokens.refreshed(&answer, clock::now());
            let sealed = app.vault.seal(id, &next);
            let saved = change(app, session, &tokens, |account| {
                account.tokens = Some(sealed.clone());
                (account.failed_refreshes, account.next_refresh_at) = (0, 0);
            })
            .await?;
            if saved == Change::Gone {
                // Signed out meanwhile: the session stays ended, and the new pair ends, too (E-061).
                app.revocations.revoke(&app.provider, &next).await?;
            }
            Ok(())
        }
        Err(ProviderError::Refused(Some(ErrorCode::InvalidGrant))) => {
            log::info!("the authorization server ended a sign-in");
            change(app, session, &tokens, |account| account.tokens = None).await.map(drop)
        }
        Err(ProviderError::Unavailable { reason, retry_after }) => {
            log::warn!("a refresh failed: {reason}");
            postpone(app, session, &tokens, retry_after).await
        }
        // The pair may have been made and lost on its way; asking again soon gets it (B-082).
        Err(ProviderError::Unusable(reason)) => {
            log::error!("a refresh answer is unusable: {reason}");
            postpone(app, session, &tokens, None).await
        }
        Err(error @ (ProviderError::Refused(_) | ProviderError::Metadata(_))) => {
            Err(SiteError::Misconfigured(format!("a refresh failed: {error}")))
        }
    }
}

/// E-045: the tokens stay, and the next try waits, longer with each failure, with jitter.
async fn postpone(
    app: &App,
    session: Session<Account>,
    tokens: &Tokens,
    retry_after: Option<u64>,
) -> Result<(), SiteError> {
    let failed = session.data.failed_refreshes.saturating_add(1);
    let asked = retry_after.and_then(|seconds| i64::try_from(seconds).ok());
    let pause = asked.map_or_else(|| pause(failed, random_bytes::<1>()[0]), |asked| asked.clamp(1, 300));
    let next = clock::now() + pause;
    change(app, session, tokens, |account| {
        account.failed_refreshes = failed;
        account.next_refresh_at = next;
    })
    .await
    .map(drop)
}

/// Seconds after the `failed`th failure in a row; `random` spreads sessions over a quarter of it.
fn pause(failed: u32, random: u8) -> i64 {
    let full = 1_i64.checked_shl(failed.min(10)).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
    (full - full * i64::from(random) / 1024).max(1)
}

/// What became of a change.
#[derive(PartialEq, Eq)]
enum Change {
    Done,
    /// The session holds other tokens by now.
    Overtaken,
    /// It was ended.
    Gone,
}

/// Writes a change in one conditional step (E-043), provided that the session still holds `tokens`.
async fn change(
    app: &App,
    mut session: Session<Account>,
    tokens: &Tokens,
    mut make: impl FnMut(&mut Account),
) -> Result<Change, SiteError> {
    for _ in 0..TRIES {
        make(&mut session.data);
        match app.accounts.save(&mut session).await? {
            Saved::Done => return Ok(Change::Done),
            Saved::Gone => return Ok(Change::Gone),
            Saved::Changed => match app.accounts.get(session.id()).await? {
                Some(current) => session = current,
                None => return Ok(Change::Gone),
            },
        }
        if app.tokens(&session).is_none_or(|current| current.access_token != tokens.access_token) {
            return Ok(Change::Overtaken);
        }
    }
    Err(StoreError::Unavailable("a session changes too often".to_owned()).into())
}

fn unavailable(reason: &str, retry_after: i64) -> SiteError {
    SiteError::SignInUnavailable {
        reason: reason.to_owned(),
        retry_after: u64::try_from(retry_after).unwrap_or(1),
        target: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E-045.
    #[test]
    fn pauses_grow_and_are_spread() {
        let full: Vec<i64> = (1..=8).map(|failed| pause(failed, 0)).collect();
        assert_eq!(full, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(6, 255), 46);
        assert_eq!(pause(u32::MAX, 128), 53);
    }
}
