//! GET and POST /login: who somebody is.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::Secret;
use shared::session::{Forged, check_origin};
use shared::store::StoreError;

use crate::app::App;
use crate::audit::{Author, Event, EventKind};
use crate::authorize::respond::see_other;
use crate::browser::{self, SignIn, Visitor};
use crate::browser_form;
use crate::directory::Replaced;
use crate::error_page::PageError;
use crate::purpose::Purpose;
use crate::sign_in::{self, Answer, By, Marks};
use crate::user::User;
use crate::users::{AuthenticateError, Refusal};

/// The one thing a failed sign-in tells, whatever the cause (F-020, G-005).
const WRONG: &str = "User name or password is wrong.";
const STALE: &str = "This form was no longer valid. Please sign in again.";
const BUSY: &str = "Too many people are signing in right now. Please try again in a moment.";

/// What stands in the form besides its purpose.
#[derive(Default)]
struct Shown<'a> {
    username: &'a str,
    error: &'a str,
    /// The error concerns the fields.
    wrong: bool,
    /// Waiting may not be enough.
    throttled: bool,
}

#[derive(Serialize)]
struct Login<'a> {
    csrf: &'a str,
    tx: Option<&'a str>,
    next: Option<&'a str>,
    client_name: Option<&'a str>,
    username: &'a str,
    error: &'a str,
    wrong: bool,
    throttled: bool,
    /// What the address bar should show.
    host: &'a str,
}

fn page(app: &App, visitor: Visitor, purpose: &Purpose, status: StatusCode, shown: &Shown<'_>) -> HttpResponse {
    let origin = app.config.issuer.origin();
    let data = Login {
        csrf: visitor.session.csrf(),
        tx: purpose.tx(),
        next: purpose.next(),
        client_name: purpose.client_name(),
        username: shown.username,
        error: shown.error,
        wrong: shown.wrong,
        throttled: shown.throttled,
        host: origin.split_once("://").map_or(origin.as_str(), |(_, host)| host),
    };
    let response = app.pages.respond(status, "login.html", &data, &purpose.policy());
    visitor.answer(response)
}

/// GET /login.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let parameters = browser_form::query(request)?;
    if parameters.has("tx") && !browser::sent_cookie(app, request) {
        return Err(PageError::NoCookie);
    }
    let visitor = Visitor::any(app, request).await?;
    let purpose = Purpose::of(app, &parameters, &visitor).await?;
    if visitor.user.is_some() {
        return Ok(see_other(&purpose.onward(app)));
    }
    Ok(page(app, visitor, &purpose, StatusCode::OK, &Shown::default()))
}

/// POST /login.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    check_origin(request)?;
    let form = browser_form::fields(request, body).await?;
    if !browser::sent_cookie(app, request) {
        return Err(PageError::NoCookie);
    }
    let visitor = Visitor::any(app, request).await?;
    let forged = visitor.session.check_form(request, &form).is_err();
    let purpose = Purpose::of(app, &form, &visitor).await?;
    let username = form.one("username")?.unwrap_or_default();
    if forged {
        // Back button or second tab: go on where somebody is signed in, otherwise a fresh form (G-007). Nothing was done.
        if visitor.user.is_some() {
            return Ok(see_other(&purpose.onward(app)));
        }
        let shown = Shown { username, error: STALE, ..Shown::default() };
        return Ok(page(app, visitor, &purpose, StatusCode::FORBIDDEN, &shown));
    }
    let password = Secret::new(form.one("password")?.unwrap_or_default());
    let by = By::Page(&Marks::of(app, request));
    let user = match sign_in::check(app, &visitor.origin, by, username, password).await {
        Ok(Answer::Accepted { user, set_anew }) => {
            if set_anew {
                to_be_changed(app, user).await?
            } else {
                user
            }
        }
        Ok(Answer::Refused) => return Ok(wrong(app, visitor, &purpose, username)),
        Ok(Answer::Throttled { retry_after }) => {
            return Ok(later(app, visitor, &purpose, username, &Later::Throttled(retry_after)));
        }
        Err(AuthenticateError::Busy(_)) => return Ok(later(app, visitor, &purpose, username, &Later::Busy)),
        Err(AuthenticateError::Store(error)) => return Err(error.into()),
    };
    let onward = if user.must_change { purpose.by_way_of(app, "account/password") } else { purpose.onward(app) };
    let device = sign_in::remember_device(app, request, &user);
    let id = user.id.clone();
    match visitor.sign_in(app, user).await? {
        SignIn::Done(signed_in) => {
            let event = Event::new(EventKind::LoginSucceeded).own(&id).sent_from(&signed_in.origin);
            app.audit.note(event).await;
            Ok(signed_in.remembered_by(device).answer(see_other(&onward)))
        }
        SignIn::Outdated(visitor) => {
            let refusal = Refusal { user: Some(id), reason: "account_changed" };
            app.audit.note(Event::login_failed(&refusal).sent_from(&visitor.origin)).await;
            Ok(wrong(app, visitor, &purpose, username))
        }
        // Ended from elsewhere while the password was checked.
        SignIn::Ended => Err(Forged::Token.into()),
    }
}

/// Why a sign-in was not tried.
enum Later {
    /// Too many failed, from here or in this name (F-041).
    Throttled(Duration),
    /// Too many are tried at the same time (F-007).
    Busy,
}

/// The same page for any name, the name kept (G-006).
fn later(app: &App, visitor: Visitor, purpose: &Purpose, username: &str, why: &Later) -> HttpResponse {
    let (status, message, seconds) = match why {
        Later::Throttled(wait) => (StatusCode::TOO_MANY_REQUESTS, sign_in::throttled_message(*wait), wait.as_secs()),
        Later::Busy => (StatusCode::SERVICE_UNAVAILABLE, BUSY.to_owned(), 2),
    };
    let shown = Shown { username, error: &message, throttled: status == StatusCode::TOO_MANY_REQUESTS, wrong: false };
    let mut response = page(app, visitor, purpose, status, &shown);
    response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    response
}

fn wrong(app: &App, visitor: Visitor, purpose: &Purpose, username: &str) -> HttpResponse {
    let shown = Shown { username, error: WRONG, wrong: true, throttled: false };
    let mut response = page(app, visitor, purpose, StatusCode::UNAUTHORIZED, &shown);
    // The field belongs to this status (RFC 9110 15.5.2); no browser opens a prompt for this scheme.
    let challenge = HeaderValue::from_static("Form realm=\"sign-in\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// The old scheme saw only a part of the password: its owner must set one anew (F-004).
async fn to_be_changed(app: &App, mut user: User) -> Result<User, StoreError> {
    user.must_change = true;
    // Whoever else wrote the account meanwhile leaves this for the next sign-in.
    if app.users.replace(&user, &Author::server()).await? == Replaced::Done {
        user.version += 1;
    }
    Ok(user)
}
