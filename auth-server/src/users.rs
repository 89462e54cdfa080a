//! Accounts in use: signing in by password, and changes that take issued tokens along.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use shared::Secret;
use shared::expiring::{ExpiringStore, Op};
use shared::store::StoreError;

use crate::audit::{Author, Event, EventKind};
use crate::directory::{AuditStore, Deleted, Page, Replaced, UserStore};
use crate::endings::{Before, Endings};
use crate::passwords::{Busy, Checked, Passwords, Renewal, Verdict};
use crate::state;
use crate::user::{ADMIN, User, username};

/// A stronger hash is stored only over the account it was read from; whoever is overtaken checks the account as it is then.
const ATTEMPTS: usize = 3;

/// The user store, and what hangs on its entries.
#[derive(Clone)]
pub struct Users {
    store: Arc<dyn UserStore>,
    audit: Arc<dyn AuditStore>,
    state: Arc<dyn ExpiringStore>,
    endings: Endings,
    passwords: Passwords,
}

/// What a name and a password came to.
pub struct Authentication {
    pub found: Found,
    /// When the work began that is the same for all, after whatever wait for its turn.
    pub began: Instant,
}

/// The answer to a name and a password.
pub enum Found {
    /// `set_anew`: the stored hash saw only a part of the password (F-004).
    Right { user: User, set_anew: bool },
    /// Which reason it was is for the audit log, and nobody else's business (F-020).
    Refused(Refusal),
}

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The id of the account that was meant, if there is one.
    pub user: Option<String>,
    /// As the audit log words it.
    pub reason: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Busy(#[from] Busy),
}

impl Users {
    pub fn new(
        store: Arc<dyn UserStore>,
        audit: Arc<dyn AuditStore>,
        state: Arc<dyn ExpiringStore>,
        passwords: Passwords,
    ) -> Self {
        Self { store, audit, endings: Endings::new(state.clone()), state, passwords }
    }

    /// Checks a password: a step of [`crate::sign_in::check`], which slows guessing. The work is the same whether or not the
    /// account exists (F-021). Whether the account [must change](User::must_change) its password is the caller's business.
    /// The account's version is the one that was checked, so that the caller can see whether it changed since.
    pub(crate) async fn authenticate(&self, name: &str, password: Secret) -> Result<Authentication, AuthenticateError> {
        let name = username(name).ok();
        let mut first = None;
        for _ in 0..ATTEMPTS {
            let user = match &name {
                Some(name) => self.store.find_by_username(name).await?,
                None => None,
            };
            let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
            let Checked { verdict, began } = self.passwords.verify(stored, password.clone()).await?;
            let began = *first.get_or_insert(began);
            let refused = |user: Option<String>, reason| {
                Ok(Authentication { found: Found::Refused(Refusal { user, reason }), began })
            };
            let Some(mut user) = user else { return refused(None, "unknown_user") };
            let Verdict::Right(renewal) = verdict else { return refused(Some(user.id), "wrong_password") };
            if user.disabled {
                return refused(Some(user.id), "disabled");
            }
            let set_anew = renewal == Renewal::SetAnew;
            if let Renewal::Store(hash) = renewal {
                user.password_hash = Some(hash);
                // The same password, kept better: nothing that the log tells.
                if self.store.replace(&user, &[]).await? != Replaced::Done {
                    continue;
                }
                user.version += 1;
            }
            return Ok(Authentication { found: Found::Right { user, set_anew }, began });
        }
        Err(Busy.into())
    }

    /// Where the sessions and grants of accounts are.
    pub(crate) fn state(&self) -> &Arc<dyn ExpiringStore> {
        &self.state
    }

    pub async fn find(&self, id: &str) -> Result<Option<User>, StoreError> {
        self.store.find(id).await
    }

    pub async fn find_by_username(&self, name: &str) -> Result<Option<User>, StoreError> {
        match username(name) {
            Ok(name) => self.store.find_by_username(&name).await,
            Err(_) => Ok(None),
        }
    }

    pub async fn list(&self, page: &Page) -> Result<Vec<User>, StoreError> {
        self.store.list(page, None).await
    }

    /// Those who hold a role.
    pub async fn holders(&self, role: &str, page: &Page) -> Result<Vec<User>, StoreError> {
        self.store.list(page, Some(role)).await
    }

    /// Every role that somebody holds, with the number of its holders.
    pub async fn roles(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.store.roles().await
    }

    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store.count().await
    }

    /// Adds an account; a name that is taken is [`StoreError::Conflict`].
    pub async fn insert(&self, user: &User, by: &Author) -> Result<(), StoreError> {
        self.store.insert(user, &[created(user, by)]).await
    }

    /// Adds the first account that can open the console; `false` where there is one already (H-002).
    pub async fn insert_first_admin(&self, user: &User, by: &Author) -> Result<bool, StoreError> {
        self.store.insert_first_admin(user, &[created(user, by)]).await
    }

    /// Writes a changed account. Where it is disabled, loses a role or has a new password, its grants are revoked and its
    /// sessions ended (B-084); where it gains a role its sessions are, as no session id outlives a change of rights (F-051).
    /// If somebody else wrote it since it was read, nothing happens.
    pub async fn replace(&self, user: &User, by: &Author) -> Result<Replaced, StoreError> {
        let before = self.store.find(&user.id).await?;
        let Some(before) = before.filter(|before| before.version == user.version) else { return Ok(Replaced::Changed) };
        let events = changed(&before, user, by);
        let loses = user.disabled || user.loses_rights_of(&before) || user.password_hash != before.password_hash;
        let ended = match (loses, user.roles == before.roles) {
            (false, true) => return self.store.replace(user, &events).await,
            (false, false) => vec![user.sessions_owner()],
            (true, _) => vec![user.grants_owner(), user.sessions_owner()],
        };
        if before.is_acting_admin() && !user.is_acting_admin() && self.is_last_admin(&before).await? {
            return Ok(Replaced::LastAdmin);
        }
        let ending = self.endings.announce(version_of(&before), ended).await?;
        let replaced = self.store.replace(user, &events).await?;
        match replaced {
            Replaced::Done => self.endings.finish(ending).await?,
            Replaced::Changed | Replaced::LastAdmin => self.endings.withdraw(ending).await?,
        }
        Ok(replaced)
    }

    /// Deletes an account with its consents, grants and sessions (B-084).
    pub async fn delete(&self, user: &User, by: &Author) -> Result<Deleted, StoreError> {
        if self.is_last_admin(user).await? {
            return Ok(Deleted::LastAdmin);
        }
        let ending = self.endings.announce(version_of(user), vec![user.grants_owner(), user.sessions_owner()]).await?;
        let event = Event::new(EventKind::UserDeleted).by(by).subject(&user.id);
        let deleted = self.store.delete(&user.id, &[event.changing(&user.told(), &Value::Null)]).await?;
        match deleted {
            Deleted::Done | Deleted::Missing => self.endings.finish(ending).await?,
            Deleted::LastAdmin => self.endings.withdraw(ending).await?,
        }
        Ok(deleted)
    }

    /// Ends every browser session of a user.
    pub async fn end_sessions(&self, user: &User, by: &Author) -> Result<(), StoreError> {
        self.audit.append(&[Event::new(EventKind::SessionsEnded).by(by).subject(&user.id)]).await?;
        state::apply_all(&*self.state, vec![Op::DeleteOwned { owner: user.sessions_owner() }]).await
    }

    /// Whether nobody else can open the console, as things stand; the store decides once more when it writes (H-008).
    pub async fn is_last_admin(&self, user: &User) -> Result<bool, StoreError> {
        if !user.is_acting_admin() {
            return Ok(false);
        }
        let mut page = Page { limit: 100, ..Page::default() };
        loop {
            let holders = self.holders(ADMIN, &page).await?;
            if holders.iter().any(|other| other.id != user.id && other.is_acting_admin()) {
                return Ok(false);
            }
            let Some(last) = holders.last() else { return Ok(true) };
            page.after = Some(last.id.clone());
        }
    }

    /// Whether anybody can open the console.
    pub async fn has_admin(&self) -> Result<bool, StoreError> {
        let mut page = Page { limit: 100, ..Page::default() };
        loop {
            let holders = self.holders(ADMIN, &page).await?;
            if holders.iter().any(User::is_acting_admin) {
                return Ok(true);
            }
            let Some(last) = holders.last() else { return Ok(false) };
            page.after = Some(last.id.clone());
        }
    }
}

fn version_of(user: &User) -> Before {
    Before::User { id: user.id.clone(), version: user.version }
}

fn created(user: &User, by: &Author) -> Event {
    Event::new(EventKind::UserCreated).by(by).subject(&user.id).changing(&Value::Null, &user.told())
}

/// What the log tells of a change: the account and its password are two things (F-062).
fn changed(before: &User, after: &User, by: &Author) -> Vec<Event> {
    let event = |kind| Event::new(kind).by(by).subject(&after.id);
    let account = event(EventKind::UserChanged).changing(&before.told(), &after.told());
    let password = if by.is_user(&after.id) { EventKind::PasswordChanged } else { EventKind::PasswordSet };
    let mut events = Vec::new();
    if before.password_hash != after.password_hash {
        events.push(event(password));
    }
    if account.changes_anything() {
        events.push(account);
    }
    events
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app;

    /// B-084: a write that comes too late to take effect ends nothing either.
    #[actix_rt::test]
    async fn a_change_of_an_outdated_account_revokes_nothing() {
        let (_folder, app) = app::for_test();
        let user = User::new("alice".to_owned(), 0);
        app.users.insert(&user, &Author::server()).await.unwrap();
        let mut outdated = app.users.find(&user.id).await.unwrap().unwrap();
        outdated.disabled = true;
        let mut current = app.users.find(&user.id).await.unwrap().unwrap();
        current.roles.push("editor".to_owned());
        assert_eq!(app.users.replace(&current, &Author::server()).await.unwrap(), Replaced::Done);
        for owner in [user.sessions_owner(), user.grants_owner()] {
            state::apply_all(&**app.state.durable(), vec![kept_for(owner)]).await.unwrap();
        }
        assert_eq!(app.users.replace(&outdated, &Author::server()).await.unwrap(), Replaced::Changed);
        for owner in [user.sessions_owner(), user.grants_owner()] {
            assert_eq!(app.state.durable().list(&owner, None, 10).await.unwrap().len(), 1);
        }
    }

    /// F-013, F-065: a change that the log does not take has ended nothing.
    #[actix_rt::test]
    async fn a_change_that_can_not_be_written_down_ends_nothing() {
        let (folder, app) = app::for_test();
        let user = User::new("alice".to_owned(), 0);
        app.users.insert(&user, &Author::server()).await.unwrap();
        for owner in [user.sessions_owner(), user.grants_owner()] {
            state::apply_all(&**app.users.state(), vec![kept_for(owner)]).await.unwrap();
        }
        let file = shared::store::Sqlite::open(folder.path().join("auth.db")).unwrap();
        let broken = "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken for a test'); END";
        file.write(move |connection| Ok::<_, StoreError>(connection.execute_batch(broken)?)).await.unwrap();
        let mut changed = app.users.find(&user.id).await.unwrap().unwrap();
        changed.password_hash = Some("new".to_owned());
        assert!(app.users.replace(&changed, &Author::server()).await.is_err());
        assert!(app.users.delete(&changed, &Author::server()).await.is_err());
        for owner in [user.sessions_owner(), user.grants_owner()] {
            assert_eq!(app.users.state().list(&owner, None, 10).await.unwrap().len(), 1);
        }
    }

    fn kept_for(owner: shared::expiring::Owner) -> Op {
        let (key, ttl) = (shared::expiring::Key::new("test", &owner.0), std::time::Duration::from_secs(60));
        Op::Insert { key, value: Vec::new(), ttl, owners: vec![owner] }
    }
}
