//! Whether a name and a password belong together: the one way that the login page, the password grant and every other page
//! that asks for a password go.
//!
//! ```text
//! wait? ── Attempts::wait ──► the account's hash, or a dummy ──► right: Attempts::succeeded ──► Accepted
//!   │                                                     └────► wrong: Attempts::failed ─────► Refused
//!   └───────────────────────────────────────────────────────────────────────────────────────► Throttled
//! ```
//!
//! Whatever is not a success takes the same time (F-022), and tells the same for known and unknown names (F-020, F-023).
//! Races are decided after the password was checked: an attempt that others overtook counts as one that had to wait.

mod attempts;
mod counters;
mod device;

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use shared::Secret;

pub use attempts::{Attempts, fold};
pub use device::Marks;

use self::attempts::{Attempter, Counted};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::origin::Origin;
use crate::user::User;
use crate::users::{AuthenticateError, Authentication, Found, Refusal};

/// Who asks for a sign-in.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// A person at one of our pages, in a browser with these marks.
    Page(&'a Marks),
    /// A client, by its id, that was handed the password: it can't have a password changed that must be (F-014).
    Client(&'a str),
}

/// The answer to a name and a password.
pub enum Answer {
    /// `set_anew`: the stored hash saw only a part of the password (F-004). `user.version` is the one that was checked, so
    /// that the caller can see whether the account changed since.
    Accepted { user: User, set_anew: bool },
    /// Unknown, disabled, without a password, or a wrong one: which of these is nobody's business (F-020).
    Refused,
    /// Too many attempts: nothing is told of this one (F-046). In whole seconds.
    Throttled { retry_after: Duration },
}

/// Checks a password, slows guessing, notes failures, and lets every failure take the same time.
pub async fn check(
    app: &App,
    origin: &Origin,
    by: By<'_>,
    username: &str,
    password: Secret,
) -> Result<Answer, AuthenticateError> {
    let start = Instant::now();
    let floor = app.config.passwords.floor();
    let folded = fold(username);
    let mark = match by {
        By::Page(marks) => marks.find(&app.keys, &folded),
        By::Client(_) => None,
    };
    let attempter = app.attempts.attempter(&folded, origin.ip, mark);

    let wait = app.attempts.wait(&attempter).await?;
    if !wait.is_zero() {
        let user = app.users.find_by_username(username).await?.map(|user| user.id);
        note(app, EventKind::LoginThrottled, origin, by, &Refusal { user, reason: "too_many_failures" }).await;
        actix_rt::time::sleep_until((start + floor).into()).await;
        return Ok(throttled(wait));
    }
    let Authentication { found, began } = app.users.authenticate(username, password).await?;
    let (wait, refusal) = match found {
        Found::Right { user, set_anew } if matches!(by, By::Page(_)) || !user.must_change => {
            let wait = app.attempts.succeeded(&attempter).await?;
            if wait.is_zero() {
                return Ok(Answer::Accepted { user, set_anew });
            }
            (wait, Refusal { user: Some(user.id), reason: "too_many_failures" })
        }
        Found::Right { user, .. } => {
            failed(app, &attempter, Refusal { user: Some(user.id), reason: "must_change_password" }).await?
        }
        Found::Refused(refusal) => failed(app, &attempter, refusal).await?,
    };
    let kind = if wait.is_zero() { EventKind::LoginFailed } else { EventKind::LoginThrottled };
    note(app, kind, origin, by, &refusal).await;
    // From where the hash began: how long it waited for its turn depends on others alone.
    actix_rt::time::sleep_until((began + floor).into()).await;
    Ok(if wait.is_zero() { Answer::Refused } else { throttled(wait) })
}

/// Counts a failure. How long others made it wait meanwhile: then nothing may be told of it.
async fn failed(app: &App, attempter: &Attempter, refusal: Refusal) -> Result<(Duration, Refusal), AuthenticateError> {
    match app.attempts.failed(attempter).await? {
        Counted::Counted { closed } => {
            // A name that is nobody's is closed just the same, but there is no account to tell of.
            if let Some(user) = refusal.user.as_ref().filter(|_| closed) {
                app.audit.note(Event::new(EventKind::AccountClosed).subject(user)).await;
            }
            Ok((Duration::ZERO, refusal))
        }
        Counted::TooLate(wait) => Ok((wait, Refusal { reason: "too_many_failures", ..refusal })),
    }
}

async fn note(app: &App, kind: EventKind, origin: &Origin, by: By<'_>, refusal: &Refusal) {
    let mut event = Event { kind, ..Event::login_failed(refusal).sent_from(origin) };
    if let By::Client(client) = by {
        event = event.client(client);
    }
    app.audit.note(event).await;
}

/// The cookie by which this browser is told from strangers at its next sign-in to the account (F-042).
pub fn remember_device(app: &App, request: &HttpRequest, user: &User) -> Cookie<'static> {
    let marks = Marks::of(app, request);
    let folded = fold(&user.username);
    let known = marks.find(&app.keys, &folded).cloned();
    device::remember(app, marks, &folded, known.as_ref())
}

/// What a page says of it, the same for any name (G-006).
pub fn throttled_message(retry_after: Duration) -> String {
    let minutes = retry_after.as_secs().div_ceil(60).max(1);
    format!("Too many attempts, try again in {minutes} minute{}.", if minutes == 1 { "" } else { "s" })
}

fn throttled(wait: Duration) -> Answer {
    Answer::Throttled { retry_after: Duration::from_secs(wait.as_millis().div_ceil(1000).try_into().unwrap_or(1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G-006.
    #[test]
    fn a_wait_is_told_in_minutes() {
        for (seconds, told) in [(1, "1 minute."), (60, "1 minute."), (61, "2 minutes."), (900, "15 minutes.")] {
            let message = throttled_message(Duration::from_secs(seconds));
            assert_eq!(message, format!("Too many attempts, try again in {told}"));
        }
    }
}
