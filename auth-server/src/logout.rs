//! GET and POST /logout: the end of the browser's session here (C-090, C-091).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use shared::page::Policy;
use shared::session::check_origin;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::authorize::respond::see_other;
use crate::browser::Visitor;
use crate::browser_form;
use crate::error_page::PageError;

#[derive(Serialize)]
struct Logout<'a> {
    csrf: &'a str,
    username: &'a str,
}

/// GET /logout: asks, or says that nobody is signed in. Ends nothing: any site can make a browser get this.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    match Visitor::known(app, request).await? {
        Some(Visitor { session, user: Some(user), .. }) => {
            let data = Logout { csrf: session.csrf(), username: &user.username };
            Ok(app.pages.respond(StatusCode::OK, "logout.html", data, &Policy::default()))
        }
        _ => Ok(app.pages.respond(StatusCode::OK, "signed_out.html", json!({}), &Policy::default())),
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
    let response = end(app, visitor, form.one("tx")?).await?;
    if let Some(event) = event {
        app.audit.note(event).await;
    }
    Ok(response)
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
