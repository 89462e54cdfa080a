//! Browser sessions kept on the server: the cookie holds one random id, the store its hash (E-030 to E-035, F-050 to F-052).

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::clock;
use crate::expiring::{Applied, Entry, Expiring, ExpiringStore, Key, Op, Owner};
use crate::form::Parameters;
use crate::random::random_token;
use crate::store::StoreError;

/// Sessions holding a `T`, under one cookie name per service (cookies ignore ports).
#[derive(Clone)]
pub struct Sessions<T> {
    entries: Expiring<Stored<T>>,
    cookie: String,
    secure: bool,
    idle: Duration,
    absolute: Duration,
}

#[derive(Serialize, Deserialize, Clone)]
struct Stored<T> {
    data: T,
    csrf: String,
    /// Epoch seconds.
    created_at: i64,
    /// When it was last used, to the minute; epoch seconds.
    #[serde(default)]
    seen_at: i64,
}

/// A session as its owner sees it from elsewhere: found, and ended, without its id.
#[derive(Debug, Clone)]
pub struct ListedSession<T> {
    /// Where it is kept: a hash of its id, which opens nothing.
    pub key: Key,
    pub data: T,
    /// Epoch seconds.
    pub created_at: i64,
    /// When it was last used, to the minute; epoch seconds.
    pub seen_at: i64,
}

/// A live session. The id is the bearer value in the cookie: no Debug.
pub struct Session<T> {
    id: String,
    version: u64,
    csrf: String,
    created_at: i64,
    pub data: T,
}

/// How a form post fails its forgery check: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    #[error("the request comes from another site")]
    CrossSite,
    #[error("the form's token is missing or wrong")]
    Token,
}

/// The state a write found.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// Another request changed the session since it was read: load it again.
    Changed,
    /// It was ended meanwhile, and stays ended (E-061).
    Gone,
}

impl<T> Session<T> {
    /// What a form must send back as `csrf`.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Epoch seconds.
    pub fn created_at(&self) -> i64 {
        self.created_at
    }

    /// The value of the cookie; a key for what belongs to this session.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Refuses posts that another site caused (A-054, A-055, E-035).
    pub fn check_form(&self, request: &HttpRequest, form: &Parameters) -> Result<(), Forged> {
        check_origin(request)?;
        let sent = form.one("csrf").ok().flatten().unwrap_or_default();
        if bool::from(sent.as_bytes().ct_eq(self.csrf.as_bytes())) { Ok(()) } else { Err(Forged::Token) }
    }
}

impl<T: Clone> Session<T> {
    fn stored(&self, seen_at: i64) -> Stored<T> {
        Stored { data: self.data.clone(), csrf: self.csrf.clone(), created_at: self.created_at, seen_at }
    }
}

/// `Sec-Fetch-Site` must say same-origin where the browser sends it.
pub fn check_origin(request: &HttpRequest) -> Result<(), Forged> {
    match request.headers().get("sec-fetch-site") {
        Some(site) if site.as_bytes() != b"same-origin" => Err(Forged::CrossSite),
        _ => Ok(()),
    }
}

impl<T: Serialize + DeserializeOwned + Clone> Sessions<T> {
    /// `kind` names the entries in the store. Under https (`secure`) the cookie is `__Host-<name>`.
    pub fn new(
        store: Arc<dyn ExpiringStore>,
        kind: &'static str,
        name: &str,
        secure: bool,
        idle: Duration,
        absolute: Duration,
    ) -> Self {
        let cookie = if secure { format!("__Host-{name}") } else { name.to_owned() };
        Self { entries: Expiring::new(store, kind, idle), cookie, secure, idle, absolute }
    }

    /// The request's session, its idle time renewed; `None` without a cookie, or when the session ended or expired.
    /// An id that this server did not issue is never adopted (E-033).
    pub async fn load(&self, request: &HttpRequest) -> Result<Option<Session<T>>, StoreError> {
        let Some(cookie) = request.cookie(&self.cookie) else { return Ok(None) };
        self.get(cookie.value()).await
    }

    /// The session of a cookie value.
    pub async fn get(&self, id: &str) -> Result<Option<Session<T>>, StoreError> {
        if id.is_empty() || id.len() > 100 {
            return Ok(None);
        }
        let Some(mut held) = self.entries.get(id).await? else { return Ok(None) };
        let rest = self.rest(held.value.created_at);
        if rest.is_zero() {
            return Ok(None);
        }
        let mut version = held.version;
        let idle = self.idle.min(rest);
        // Not on every request: a write per page view would be the most expensive part of most.
        if idle.saturating_sub(held.left) > (self.idle / 10).min(Duration::from_secs(60)) {
            held.value.seen_at = clock::now();
            if self.entries.update(id, version, &held.value, Some(idle)).await? {
                version += 1;
            }
        }
        let Stored { data, csrf, created_at, .. } = held.value;
        Ok(Some(Session { id: id.to_owned(), version, csrf, created_at, data }))
    }

    /// A new session; the cookie goes into the response. `owners` find it again, to end it from elsewhere.
    pub async fn create(&self, data: T, owners: Vec<Owner>) -> Result<(Session<T>, Cookie<'static>), StoreError> {
        let (session, cookie, op) = self.create_op(|_| data, owners)?;
        self.apply(vec![op]).await?;
        Ok((session, cookie))
    }

    /// The step that [`Sessions::create`] takes, for a batch with others. `data` is made from the new id, so that it can be
    /// sealed with it.
    pub fn create_op(
        &self,
        data: impl FnOnce(&str) -> T,
        owners: Vec<Owner>,
    ) -> Result<(Session<T>, Cookie<'static>, Op), StoreError> {
        let id = random_token("ses_");
        let data = data(&id);
        let session = Session { id, version: 1, csrf: random_token(""), created_at: clock::now(), data };
        let stored = session.stored(session.created_at);
        let op = self.entries.insert_op(&session.id, &stored, self.idle.min(self.absolute), owners)?;
        let cookie = self.cookie(&session);
        Ok((session, cookie, op))
    }

    /// Replaces a session by a new one under a new id (login, change of rights: F-051); the old id is dead at once.
    /// `None`: the old one was ended meanwhile.
    pub async fn rotate(
        &self,
        old: &Session<T>,
        data: T,
        owners: Vec<Owner>,
    ) -> Result<Option<(Session<T>, Cookie<'static>)>, StoreError> {
        let (session, cookie, insert) = self.create_op(|_| data, owners)?;
        let key = self.entries.key(&old.id);
        let applied = self.entries.store().apply(vec![Op::Require { key }, Op::Delete { key }, insert]).await?;
        Ok((applied == Applied::Done).then_some((session, cookie)))
    }

    /// Writes changed data, if the session is still as it was read.
    pub async fn save(&self, session: &mut Session<T>) -> Result<Saved, StoreError> {
        Ok(match self.entries.store().apply(vec![self.save_op(session)?]).await? {
            Applied::Done => {
                session.version += 1;
                Saved::Done
            }
            Applied::Refused { found: Some(_), .. } => Saved::Changed,
            Applied::Refused { found: None, .. } => Saved::Gone,
        })
    }

    /// The step that [`Sessions::save`] takes: refused when the session was changed or ended since it was read.
    pub fn save_op(&self, session: &Session<T>) -> Result<Op, StoreError> {
        let stored = session.stored(clock::now());
        let idle = self.idle.min(self.rest(session.created_at));
        self.entries.update_op(&session.id, session.version, &stored, Some(idle))
    }

    /// Ends it: the cookie's old value is useless afterwards (C-091).
    pub async fn end(&self, session: &Session<T>) -> Result<(), StoreError> {
        self.entries.delete(&session.id).await
    }

    /// The step that ends it, for a batch with others.
    pub fn end_op(&self, session: &Session<T>) -> Op {
        self.entries.delete_op(&session.id)
    }

    /// The step that refuses its batch once the session has ended.
    pub fn require_op(&self, session: &Session<T>) -> Op {
        Op::Require { key: self.entries.key(&session.id) }
    }

    /// A page of an owner's sessions, in an order that stays but means nothing. `after` is the last one of the page before.
    pub async fn list(
        &self,
        owner: &Owner,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<ListedSession<T>>, StoreError> {
        let entries = self.entries.store().list(owner, after, limit).await?;
        entries.into_iter().map(|entry| self.listed(entry)).collect()
    }

    /// The session at `key`, if it is alive. Whose it is tells its data: the caller must look.
    pub async fn find_listed(&self, key: Key) -> Result<Option<ListedSession<T>>, StoreError> {
        let kept = self.entries.store().get_many(&[key]).await?.pop().flatten();
        kept.map(|kept| self.listed(Entry { key, kept })).transpose()
    }

    /// Where a session is kept, to know it in a listing.
    pub fn key(&self, session: &Session<T>) -> Key {
        self.entries.key(&session.id)
    }

    /// The step that ends a listed session, for a batch with others.
    pub fn end_listed_op(&self, key: Key) -> Op {
        Op::Delete { key }
    }

    fn listed(&self, entry: Entry) -> Result<ListedSession<T>, StoreError> {
        let Stored { data, created_at, seen_at, .. } = self.entries.read(entry.kept)?.value;
        Ok(ListedSession { key: entry.key, data, created_at, seen_at: seen_at.max(created_at) })
    }

    /// Tells the browser to forget the cookie.
    pub fn expired_cookie(&self) -> Cookie<'static> {
        let mut cookie = self.build(String::new());
        cookie.make_removal();
        cookie
    }

    /// The name of the cookie.
    pub fn cookie_name(&self) -> &str {
        &self.cookie
    }

    fn cookie(&self, session: &Session<T>) -> Cookie<'static> {
        self.build(session.id.clone())
    }

    fn build(&self, value: String) -> Cookie<'static> {
        // Lax: Strict would drop it on the way back from another site (E-031).
        Cookie::build(self.cookie.clone(), value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .finish()
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        match self.entries.store().apply(ops).await? {
            Applied::Done => Ok(()),
            Applied::Refused { .. } => Err(StoreError::Corrupt("a new session id was taken".to_owned())),
        }
    }

    /// What is left of the absolute life.
    fn rest(&self, created_at: i64) -> Duration {
        let age = u64::try_from(clock::now() - created_at).unwrap_or_default();
        self.absolute.saturating_sub(Duration::from_secs(age))
    }
}
