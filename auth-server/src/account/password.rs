//! GET and POST /account/password: a new password, wanted or demanded (F-013, F-014).

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::Secret;
use shared::session::Forged;

use crate::app::App;
use crate::audit::Author;
use crate::authorize::respond::see_other;
use crate::browser::Visitor;
use crate::browser_form;
use crate::directory::Replaced;
use crate::error_page::PageError;
use crate::passwords;
use crate::purpose::Purpose;
use crate::sign_in::{self, Answer, By, Marks};

const WRONG: &str = "This is not your present password.";
/// Where it goes on to by itself.
const CHANGED: &str = "/account?done=password";
const SAME: &str = "Choose a password that differs from the present one.";

#[derive(Serialize)]
struct NewPassword<'a> {
    csrf: &'a str,
    tx: Option<&'a str>,
    next: Option<&'a str>,
    username: &'a str,
    /// An admin set the present one, so it must go now.
    demanded: bool,
    minimum: usize,
    current_error: &'a str,
    new_error: &'a str,
}

/// What is wrong with the two fields.
#[derive(Default)]
struct Faults<'a> {
    current: &'a str,
    new: &'a str,
}

fn page(app: &App, visitor: &Visitor, purpose: &Purpose, status: StatusCode, faults: &Faults<'_>) -> HttpResponse {
    let data = NewPassword {
        csrf: visitor.session.csrf(),
        tx: purpose.tx(),
        next: purpose.next(),
        username: visitor.user.as_ref().map_or("", |user| &user.username),
        demanded: visitor.user.as_ref().is_some_and(|user| user.must_change),
        minimum: app.config.passwords.minimum_length,
        current_error: faults.current,
        new_error: faults.new,
    };
    app.pages.respond(status, "account_password.html", &data, &purpose.policy())
}

/// GET /account/password.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let sign_in = || PageError::SignInFirst(format!("{}/account/password", app.config.root()));
    let visitor = Visitor::known(app, request).await?.ok_or_else(sign_in)?;
    let purpose = Purpose::or_page(app, &browser_form::query(request)?, &visitor, CHANGED).await?;
    if visitor.user.is_none() {
        return Ok(see_other(&purpose.by_way_of(app, "login")));
    }
    Ok(page(app, &visitor, &purpose, StatusCode::OK, &Faults::default()))
}

/// POST /account/password.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (visitor, form) = browser_form::checked(app, request, body).await?;
    let purpose = Purpose::or_page(app, &form, &visitor, CHANGED).await?;
    let Some(user) = visitor.user.clone() else {
        return Ok(see_other(&purpose.by_way_of(app, "login")));
    };
    let refused = |faults: Faults<'_>| Ok(page(app, &visitor, &purpose, StatusCode::BAD_REQUEST, &faults));
    let busy = |busy: passwords::Busy| PageError::Unavailable(busy.to_string());
    let current = Secret::new(form.one("current")?.unwrap_or_default());
    let new = Secret::new(form.one("new")?.unwrap_or_default());
    let by = By::Page(&Marks::of(app, request));
    let mut user = match sign_in::check(app, &visitor.origin, by, &user.username, current.clone()).await? {
        Answer::Accepted { user: checked, .. } if checked.id == user.id => checked,
        Answer::Throttled { retry_after } => {
            let faults = Faults { current: &sign_in::throttled_message(retry_after), ..Faults::default() };
            let mut response = page(app, &visitor, &purpose, StatusCode::TOO_MANY_REQUESTS, &faults);
            response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
            return Ok(response);
        }
        _ => return refused(Faults { current: WRONG, ..Faults::default() }),
    };
    if let Err(weak) = app.passwords.check_new(&new, &user.username) {
        return refused(Faults { new: &weak.to_string(), ..Faults::default() });
    }
    if new.matches(current.expose()) {
        return refused(Faults { new: SAME, ..Faults::default() });
    }
    user.password_hash = Some(app.passwords.hash(new).await.map_err(busy)?);
    user.must_change = false;
    // Ends every session and grant of the account, this session among them (F-013); this browser gets a new one.
    let owner = Author::user(&user.id, &visitor.origin);
    if app.users.replace(&user, &owner).await? != Replaced::Done {
        return Err(Forged::Token.into());
    }
    let onward = purpose.onward(app);
    let signed_in = visitor.begin_again(app, user).await?.ok_or(Forged::Token)?;
    Ok(signed_in.answer(see_other(&onward)))
}
