//! GET and POST /logout: the end of the browser's session here (C-090, C-091).

use std::collections::BTreeSet;

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::page::Policy;
use shared::session::{Session, check_origin};
use shared::store::StoreError;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::authorize::respond::see_other;
use crate::authorize::session_digest;
use crate::browser::{BrowserSession, Visitor};
use crate::browser_form;
use crate::error_page::PageError;
use crate::state;
use crate::tokens::{GrantsOf, ListedGrant, revoke_ops};
use crate::user::User;

/// How long the page after signing out can say who did.
const TOLD_FOR: Duration = Duration::minutes(1);
/// What its cookie is sealed for.
const SEALED_FOR: &str = "signed out";

/// Who signed out just now, and of what (G-015).
#[derive(Default, Serialize, Deserialize)]
struct Left {
    username: String,
    ended: Vec<String>,
    /// Apps that keep their own sessions.
    kept: Vec<String>,
}

impl Left {
    fn cookie(app: &App, value: String) -> Cookie<'static> {
        Cookie::build(format!("{}-left", app.sessions.cookie_name()), value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(app.config.secure_cookies())
            .max_age(TOLD_FOR)
            .finish()
    }

    /// For the next page: nothing is kept of it here.
    fn tell(&self, app: &App, response: &mut HttpResponse) {
        let sealed = serde_json::to_vec(self).map(|plain| URL_SAFE_NO_PAD.encode(app.keys.seal(SEALED_FOR, &plain)));
        let told = sealed
            .map_err(|error| error.to_string())
            .and_then(|value| response.add_cookie(&Self::cookie(app, value)).map_err(|error| error.to_string()));
        if let Err(error) = told {
            log::error!("the page after signing out can't say who did: {error}");
        }
    }

    /// What the page before it told; told once.
    fn take(app: &App, request: &HttpRequest) -> Option<(Self, Cookie<'static>)> {
        let mut cookie = Self::cookie(app, String::new());
        let sealed = URL_SAFE_NO_PAD.decode(request.cookie(cookie.name())?.value()).ok()?;
        let left = serde_json::from_slice(&app.keys.open(SEALED_FOR, &sealed)?).ok()?;
        cookie.make_removal();
        Some((left, cookie))
    }
}

#[derive(Serialize)]
struct Logout<'a> {
    csrf: &'a str,
    username: &'a str,
    /// The apps that were signed in to from this browser's session (G-015).
    apps: Vec<String>,
}

/// GET /logout: asks, or says that nobody is signed in. Ends nothing: any site can make a browser get this.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    match Visitor::known(app, request).await? {
        Some(Visitor { session, user: Some(user), .. }) => {
            let data = Logout {
                csrf: session.csrf(),
                username: &user.username,
                apps: names(app, &given_in(app, &session, &user).await?).await?,
            };
            Ok(app.pages.respond(StatusCode::OK, "logout.html", data, &Policy::default()))
        }
        _ => {
            let (left, cookie) = Left::take(app, request).unzip();
            let left = left.unwrap_or_default();
            let mut response = app.pages.respond(StatusCode::OK, "signed_out.html", &left, &Policy::default());
            if let Some(cookie) = cookie
                && let Err(error) = response.add_cookie(&cookie)
            {
                log::error!("the cookie {} could not be taken back: {error}", cookie.name());
            }
            Ok(response)
        }
    }
}

/// POST /logout. With `tx`, from "Not you?" on the consent page: the transaction goes on with another account.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    check_origin(request)?;
    let signed_out = format!("{}/logout", app.config.root());
    let form = browser_form::fields(request, body).await?;
    // Ended before, here or from elsewhere: what was asked for is already so.
    let Some(visitor) = Visitor::known(app, request).await? else { return Ok(see_other(&signed_out)) };
    visitor.session.check_form(request, &form)?;
    let event =
        visitor.user.as_ref().map(|user| Event::new(EventKind::LoggedOut).own(&user.id).sent_from(&visitor.origin));
    let mut left = None;
    if let Some(user) = &visitor.user {
        let grants = given_in(app, &visitor.session, user).await?;
        let apps = names(app, &grants).await?;
        let username = user.username.clone();
        left = Some(if form.has("apps") {
            sign_out_of_apps(app, &visitor, user, grants).await?;
            Left { username, ended: apps, kept: Vec::new() }
        } else {
            Left { username, ended: Vec::new(), kept: apps }
        });
    }
    let tx = form.one("tx")?;
    let mut response = end(app, visitor, tx).await?;
    if let Some(left) = left.filter(|_| tx.is_none()) {
        left.tell(app, &mut response);
    }
    if let Some(event) = event {
        app.audit.note(event).await;
    }
    Ok(response)
}

/// What was given to apps in this session, and is alive.
async fn given_in(app: &App, session: &Session<BrowserSession>, user: &User) -> Result<Vec<ListedGrant>, StoreError> {
    let digest = session_digest(session.id());
    let grants = app.tokens.list_all(GrantsOf::User(&user.id)).await?;
    Ok(grants
        .into_iter()
        .filter(|listed| listed.has_tokens() && listed.grant.session.as_ref() == Some(&digest))
        .collect())
}

async fn names(app: &App, grants: &[ListedGrant]) -> Result<Vec<String>, StoreError> {
    let clients: BTreeSet<String> = grants.iter().map(|listed| listed.grant.client.clone()).collect();
    let mut names = Vec::new();
    for id in clients {
        names.push(app.clients.find(&id).await?.map_or(id, |client| client.name.clone()));
    }
    Ok(names)
}

/// Ends what the apps got in this session. Their consents stay: the person goes, he takes nothing back.
async fn sign_out_of_apps(
    app: &App,
    visitor: &Visitor,
    user: &User,
    grants: Vec<ListedGrant>,
) -> Result<(), StoreError> {
    if grants.is_empty() {
        return Ok(());
    }
    let event = Event::new(EventKind::TokenRevoked).own(&user.id).sent_from(&visitor.origin).reason("sign_out");
    app.audit.record(event.detail(json!({"grants": grants.len()}))).await?;
    state::apply_all(&**app.state.durable(), revoke_ops(&grants)).await
}

async fn end(app: &App, visitor: Visitor, tx: Option<&str>) -> Result<HttpResponse, PageError> {
    let signed_out = format!("{}/logout", app.config.root());
    if let Some(tx) = tx {
        let onward = format!("{}/authorize/continue?tx={}", app.config.root(), shared::form::encode(tx));
        return Ok(match visitor.sign_out(app).await? {
            Some(anonymous) => anonymous.answer(see_other(&onward)),
            None => see_other(&signed_out),
        });
    }
    app.sessions.end(&visitor.session).await?;
    let mut response = see_other(&signed_out);
    if let Err(error) = response.add_cookie(&app.sessions.expired_cookie()) {
        log::error!("the session cookie could not be expired: {error}");
    }
    Ok(response)
}
