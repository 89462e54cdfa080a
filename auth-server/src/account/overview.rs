//! GET /account: what there is to know at a glance; and POST /account/notices, what was read.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::{Member, apps, sessions};
use crate::app::App;
use crate::authorize::respond::see_other;
use crate::error_page::PageError;
use crate::notices::NoticeKind;
use crate::times::Moment;
use crate::user::User;

#[derive(Serialize)]
struct Overview {
    notices: Vec<NoticeLine>,
    /// Browsers that are signed in, this one among them.
    browsers: usize,
    apps: usize,
}

/// A notice as pages show it.
#[derive(Serialize)]
pub struct NoticeLine {
    id: String,
    kind: NoticeKind,
    client_name: String,
    at: Moment,
}

/// GET /account.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let member = Member::visiting(app, request).await?;
    let overview = Overview {
        notices: notices(app, &member.user).await?,
        browsers: sessions::of(app, &member.user).await?.len(),
        apps: apps::of(app, &member.user).await?.len(),
    };
    Ok(member.page(app, request, "overview", "account_overview.html", overview))
}

/// What waits for a person to be read.
pub async fn notices(app: &App, user: &User) -> Result<Vec<NoticeLine>, PageError> {
    let mut lines = Vec::new();
    for (id, notice) in app.notices.of(&user.id).await? {
        let client = app.clients.find(&notice.client).await?;
        let client_name = client.map_or(notice.client, |client| client.name.clone());
        lines.push(NoticeLine { id: id.to_string(), kind: notice.kind, client_name, at: Moment::at(notice.at) });
    }
    Ok(lines)
}

/// POST /account/notices: one was read.
pub async fn dismiss(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_dismiss(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_dismiss(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (member, form) = Member::posting(app, request, body).await?;
    // One that is no id, or another's, has nothing to be taken down.
    if let Some(Ok(id)) = form.one("notice")?.map(str::parse) {
        app.notices.take_down(&member.user.id, id).await?;
    }
    Ok(see_other(&format!("{}/account", app.config.root())))
}
