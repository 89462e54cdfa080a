//! GET /: where people land who come by themselves, and the way on from pages that have no other (G-003).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::page::Policy;

use crate::app::App;
use crate::authorize::respond::see_other;
use crate::browser::Visitor;
use crate::error_page::PageError;

#[derive(Serialize, Default)]
struct Home<'a> {
    csrf: &'a str,
    username: &'a str,
    is_admin: bool,
    /// Whether something waits to be read on the account's page.
    notices: bool,
}

/// GET /.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let visitor = Visitor::known(app, request).await?;
    let home = match &visitor {
        Some(Visitor { session, user: Some(user), .. }) => {
            let notices = !app.notices.of(&user.id).await?.is_empty();
            Home { csrf: session.csrf(), username: &user.username, is_admin: user.is_admin(), notices }
        }
        _ => Home::default(),
    };
    Ok(app.pages.respond(StatusCode::OK, "home.html", home, &Policy::default()))
}

/// GET of the bare host, or of our path without its slash.
pub async fn lead_home(app: web::Data<App>) -> HttpResponse {
    see_other(&format!("{}/", app.config.root()))
}

/// Any address that is none of ours.
pub async fn not_found(app: web::Data<App>) -> HttpResponse {
    PageError::NotFound.respond(&app)
}

/// A page that knows only GET.
pub async fn only_get(app: web::Data<App>) -> HttpResponse {
    PageError::MethodNotAllowed("GET, HEAD").respond(&app)
}

/// A form without a page of its own.
pub async fn only_post(app: web::Data<App>) -> HttpResponse {
    PageError::MethodNotAllowed("POST").respond(&app)
}

/// A page with a form.
pub async fn only_get_or_post(app: web::Data<App>) -> HttpResponse {
    PageError::MethodNotAllowed("GET, HEAD, POST").respond(&app)
}

/// The style sheet of all pages.
pub async fn style(app: web::Data<App>) -> HttpResponse {
    app.pages.style()
}
