//! One session per browser, anonymous until somebody signs in in it (A-051, A-056, F-050 to F-052).

use actix_web::cookie::Cookie;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use shared::clock;
use shared::expiring::Op;
use shared::random::random_token;
use shared::session::Session;
use shared::store::StoreError;

use crate::app::App;
use crate::state;
use crate::user::User;

/// What the server knows of a browser.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BrowserSession {
    /// Stays when the session's id changes at sign-in, so that transactions opened before go on. Never leaves the
    /// server.
    pub browser: String,
    pub signed_in: Option<SignedIn>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// The user's id.
    pub user: String,
    /// When the password was given; epoch seconds.
    pub auth_time: i64,
}

/// Whoever sent the request, by its cookie.
pub struct Visitor {
    pub session: Session<BrowserSession>,
    /// The signed-in user; `None` as well when the account was disabled or deleted since.
    pub user: Option<User>,
    /// To be set by the answer.
    cookie: Option<Cookie<'static>>,
}

impl Visitor {
    /// The request's visitor, if it carries a live session.
    pub async fn known(app: &App, request: &HttpRequest) -> Result<Option<Self>, StoreError> {
        let Some(session) = app.sessions.load(request).await? else { return Ok(None) };
        let user = match &session.data.signed_in {
            Some(signed_in) => app.users.find(&signed_in.user).await?.filter(|user| !user.disabled),
            None => None,
        };
        Ok(Some(Self { session, user, cookie: None }))
    }

    /// The request's visitor, or a new anonymous one.
    pub async fn any(app: &App, request: &HttpRequest) -> Result<Self, StoreError> {
        let (visitor, created) = Self::or_new(app, request).await?;
        if let Some(op) = created {
            state::apply_all(&*app.state, vec![op]).await?;
        }
        Ok(visitor)
    }

    /// The same, with the step that keeps a new one still to be done, for a batch with others.
    pub async fn or_new(app: &App, request: &HttpRequest) -> Result<(Self, Option<Op>), StoreError> {
        if let Some(known) = Self::known(app, request).await? {
            return Ok((known, None));
        }
        let data = BrowserSession { browser: random_token(""), signed_in: None };
        let (session, cookie, mut op) = app.sessions.create_op(|_| data, Vec::new())?;
        // Most who come without a cookie never show the new one: until then it is kept for no longer than a transaction.
        if let Op::Insert { ttl, .. } = &mut op {
            *ttl = (*ttl).min(app.transactions.ttl());
        }
        Ok((Self { session, user: None, cookie: Some(cookie) }, Some(op)))
    }

    /// The same browser with `user` signed in, under a new session id (F-051). `None`: the session was ended meanwhile.
    pub async fn sign_in(self, app: &App, user: User) -> Result<Option<Self>, StoreError> {
        let data = BrowserSession {
            browser: self.session.data.browser.clone(),
            signed_in: Some(SignedIn { user: user.id.clone(), auth_time: clock::now() }),
        };
        let owners = vec![user.sessions_owner()];
        let rotated = app.sessions.rotate(&self.session, data, owners).await?;
        Ok(rotated.map(|(session, cookie)| Self { session, user: Some(user), cookie: Some(cookie) }))
    }

    /// The same browser with `user` signed in, after all sessions of his were ended.
    pub async fn begin_again(self, app: &App, user: User) -> Result<Self, StoreError> {
        let data = BrowserSession {
            browser: self.session.data.browser,
            signed_in: Some(SignedIn { user: user.id.clone(), auth_time: clock::now() }),
        };
        let (session, cookie) = app.sessions.create(data, vec![user.sessions_owner()]).await?;
        Ok(Self { session, user: Some(user), cookie: Some(cookie) })
    }

    /// The same browser with nobody signed in, under a new session id; the old one is useless (C-091).
    pub async fn sign_out(self, app: &App) -> Result<Option<Self>, StoreError> {
        let data = BrowserSession { browser: self.session.data.browser.clone(), signed_in: None };
        let rotated = app.sessions.rotate(&self.session, data, Vec::new()).await?;
        Ok(rotated.map(|(session, cookie)| Self { session, user: None, cookie: Some(cookie) }))
    }

    /// The answer, with the cookie where there is a new one.
    pub fn answer(self, mut response: HttpResponse) -> HttpResponse {
        if let Some(cookie) = &self.cookie
            && let Err(error) = response.add_cookie(cookie)
        {
            log::error!("the session cookie could not be set: {error}");
        }
        response
    }
}

/// Whether the browser sent a cookie of ours at all, live or not (G-010).
pub fn sent_cookie(app: &App, request: &HttpRequest) -> bool {
    request.cookie(app.sessions.cookie_name()).is_some()
}
