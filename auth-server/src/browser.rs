//! One session per browser, anonymous until somebody signs in in it (A-051, A-056, F-050 to F-052).

use actix_web::cookie::Cookie;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use shared::clock;
use shared::expiring::Op;
use shared::random::random_token;
use shared::serve::client_ip;
use shared::session::Session;
use shared::store::StoreError;

use crate::app::App;
use crate::error_page::PageError;
use crate::origin::Origin;
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
    /// Where it was given, for the list of sessions (F-053).
    #[serde(default)]
    pub origin: Option<Origin>,
}

impl SignedIn {
    /// Just now, by a request from `origin`.
    fn now(user: &User, origin: &Origin) -> Self {
        Self { user: user.id.clone(), auth_time: clock::now(), origin: Some(origin.clone()) }
    }
}

/// Whoever sent the request, by its cookie.
pub struct Visitor {
    pub session: Session<BrowserSession>,
    /// The signed-in user; `None` as well when the account was disabled or deleted since.
    pub user: Option<User>,
    /// Where the request came from.
    pub origin: Origin,
    /// To be set by the answer.
    cookies: Vec<Cookie<'static>>,
}

/// What a sign-in came to.
pub enum SignIn {
    Done(Visitor),
    /// The session was ended meanwhile.
    Ended,
    /// The account was disabled, or its password changed, since it was checked: nobody is signed in (F-013, B-084).
    Outdated(Visitor),
}

impl Visitor {
    /// The request's visitor, if it carries a live session.
    pub async fn known(app: &App, request: &HttpRequest) -> Result<Option<Self>, StoreError> {
        let Some(session) = app.sessions.load(request).await? else { return Ok(None) };
        let user = match &session.data.signed_in {
            Some(signed_in) => app.users.find(&signed_in.user).await?.filter(|user| !user.disabled),
            None => None,
        };
        Ok(Some(Self { session, user, origin: Origin::of(request), cookies: Vec::new() }))
    }

    /// The request's visitor, or a new anonymous one.
    pub async fn any(app: &App, request: &HttpRequest) -> Result<Self, PageError> {
        let (visitor, created) = Self::or_new(app, request).await?;
        if let Some(op) = created {
            app.openings.check(client_ip(request))?;
            state::apply_all(&**app.state.durable(), vec![op]).await?;
        }
        Ok(visitor)
    }

    /// The same, with the step that keeps a new one still to be done, for a batch with others. Whoever keeps it counts it
    /// among the [openings](App::openings).
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
        Ok((Self { session, user: None, origin: Origin::of(request), cookies: vec![cookie] }, Some(op)))
    }

    /// The same browser with `user` signed in, under a new session id (F-051). `user` is the account that was checked.
    pub async fn sign_in(self, app: &App, user: User) -> Result<SignIn, StoreError> {
        let data = BrowserSession {
            browser: self.session.data.browser.clone(),
            signed_in: Some(SignedIn::now(&user, &self.origin)),
        };
        let owners = vec![user.sessions_owner()];
        let rotated = app.sessions.rotate(&self.session, data, owners).await?;
        let Some((session, cookie)) = rotated else { return Ok(SignIn::Ended) };
        // Whoever changes an account ends the sessions there are: this one may have come too late to be among them.
        let outdated = outdated(app, &user).await?;
        let signed_in = Self { session, user: Some(user), origin: self.origin, cookies: vec![cookie] };
        if !outdated {
            app.counts.sessions_started.increment(1);
            return Ok(SignIn::Done(signed_in));
        }
        Ok(signed_in.sign_out(app).await?.map_or(SignIn::Ended, SignIn::Outdated))
    }

    /// The same browser with `user` signed in, after all sessions of his were ended. `None`: his password was changed once
    /// more meanwhile.
    pub async fn begin_again(self, app: &App, user: User) -> Result<Option<Self>, StoreError> {
        let data =
            BrowserSession { browser: self.session.data.browser, signed_in: Some(SignedIn::now(&user, &self.origin)) };
        let (session, cookie) = app.sessions.create(data, vec![user.sessions_owner()]).await?;
        if outdated(app, &user).await? {
            app.sessions.end(&session).await?;
            return Ok(None);
        }
        app.counts.sessions_started.increment(1);
        Ok(Some(Self { session, user: Some(user), origin: self.origin, cookies: vec![cookie] }))
    }

    /// The same browser with nobody signed in, under a new session id; the old one is useless (C-091).
    pub async fn sign_out(self, app: &App) -> Result<Option<Self>, StoreError> {
        let data = BrowserSession { browser: self.session.data.browser.clone(), signed_in: None };
        let rotated = app.sessions.rotate(&self.session, data, Vec::new()).await?;
        Ok(rotated.map(|(session, cookie)| Self { session, user: None, origin: self.origin, cookies: vec![cookie] }))
    }

    /// The same, told by `device` to be one that signed in before (F-042).
    pub fn remembered_by(mut self, device: Cookie<'static>) -> Self {
        self.cookies.push(device);
        self
    }

    /// The answer, with the cookies where there are new ones.
    pub fn answer(&self, mut response: HttpResponse) -> HttpResponse {
        for cookie in &self.cookies {
            if let Err(error) = response.add_cookie(cookie) {
                log::error!("the cookie {} could not be set: {error}", cookie.name());
            }
        }
        response
    }
}

/// Whether the browser sent a cookie of ours at all, live or not (G-010).
pub fn sent_cookie(app: &App, request: &HttpRequest) -> bool {
    request.cookie(app.sessions.cookie_name()).is_some()
}

/// Whether a sign-in with what was checked of `user` would be refused by now.
async fn outdated(app: &App, user: &User) -> Result<bool, StoreError> {
    let now = app.users.find(&user.id).await?;
    Ok(now.is_none_or(|now| now.disabled || now.password_hash != user.password_hash))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::test::TestRequest;

    use super::*;
    use crate::app;
    use crate::audit::Author;
    use crate::directory::Replaced;

    /// Signs in with what was read of an account before `change` was made to it.
    async fn overtaken_by(change: impl FnOnce(&mut User)) -> (Option<Visitor>, usize) {
        let (_folder, app) = app::for_test();
        let mut user = User::new("alice".to_owned(), 0);
        user.password_hash = Some("old".to_owned());
        app.users.insert(&user, &Author::server()).await.unwrap();
        let checked = app.users.find(&user.id).await.unwrap().unwrap();
        let mut changed = checked.clone();
        change(&mut changed);
        assert_eq!(app.users.replace(&changed, &Author::server()).await.unwrap(), Replaced::Done);
        let visitor = Visitor::any(&app, &TestRequest::default().to_http_request()).await.unwrap();
        let visitor = match visitor.sign_in(&app, checked).await.unwrap() {
            SignIn::Done(visitor) | SignIn::Outdated(visitor) => Some(visitor),
            SignIn::Ended => None,
        };
        let sessions = app.state.durable().list(&user.sessions_owner(), None, 10).await.unwrap().len();
        (visitor, sessions)
    }

    /// F-013, B-084: the change ended all sessions before this one was there.
    #[actix_rt::test]
    async fn a_sign_in_that_a_change_of_password_overtakes_signs_nobody_in() {
        let changes: [fn(&mut User); 2] =
            [|user| user.password_hash = Some("new".to_owned()), |user| user.disabled = true];
        for change in changes {
            let (visitor, sessions) = overtaken_by(change).await;
            let visitor = visitor.unwrap();
            assert!(visitor.user.is_none() && visitor.session.data.signed_in.is_none());
            assert_eq!(sessions, 0);
        }
    }

    /// F-051: what leaves the password alone hinders no sign-in.
    #[actix_rt::test]
    async fn a_sign_in_during_another_change_of_the_account_goes_on() {
        let (visitor, sessions) = overtaken_by(|user| user.roles.push("editor".to_owned())).await;
        assert!(visitor.unwrap().user.is_some());
        assert_eq!(sessions, 1);
    }
}
