//! The first admin: made at a page that opens by a link which the server prints at its start, for as long as nobody can open
//! the console (H-002). There is no default password.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::Secret;
use shared::expiring::{Expiring, Op, Owner};
use shared::page::Policy;
use shared::random::random_token;
use shared::session::{Forged, check_origin};
use shared::store::StoreError;

use crate::accounts::{self, NewUserFault};
use crate::app::App;
use crate::audit::Author;
use crate::authorize::respond::see_other;
use crate::browser::{SignIn, Visitor};
use crate::browser_form;
use crate::error_page::PageError;
use crate::state;
use crate::user::{self, ADMIN, User};

/// How long a link opens the page.
const LIFE: Duration = Duration::from_secs(3600);

/// The links that are out; the store has their hashes only.
fn links(app: &App) -> Expiring<()> {
    Expiring::new(app.state.durable().clone(), "setup_link", LIFE)
}

fn owner() -> Owner {
    Owner::new("setup", "link")
}

/// A new link, which takes the place of earlier ones; `None` when somebody can open the console, or nobody ever can.
pub async fn new_link(app: &App) -> Result<Option<Secret>, StoreError> {
    if !app.config.management.enabled || app.users.has_admin().await? {
        return Ok(None);
    }
    let token = random_token("");
    let insert = links(app).insert_op(&token, &(), LIFE, vec![owner()])?;
    state::apply_all(&**app.state.durable(), vec![Op::DeleteOwned { owner: owner() }, insert]).await?;
    Ok(Some(Secret::new(format!("{}/setup?token={token}", app.config.console_base()))))
}

#[derive(Serialize)]
struct Setup<'a> {
    csrf: &'a str,
    token: &'a str,
    username: &'a str,
    minimum: usize,
    username_error: &'a str,
    password_error: &'a str,
}

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Typed<'a> {
    username: &'a str,
    username_error: &'a str,
    password_error: &'a str,
}

fn page(app: &App, visitor: &Visitor, token: &str, status: StatusCode, typed: &Typed<'_>) -> HttpResponse {
    let content = Setup {
        csrf: visitor.session.csrf(),
        token,
        username: typed.username,
        minimum: app.config.passwords.minimum_length,
        username_error: typed.username_error,
        password_error: typed.password_error,
    };
    visitor.answer(app.pages.respond(status, "setup.html", content, &Policy::default()))
}

/// Whether the link opens the page: it is one of ours, and there is still nobody.
async fn check(app: &App, token: &str) -> Result<(), PageError> {
    if token.is_empty() || links(app).get(token).await?.is_none() || app.users.has_admin().await? {
        return Err(PageError::NoSetup);
    }
    Ok(())
}

/// GET /setup.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let shown = async {
        let parameters = browser_form::query(&request)?;
        let token = parameters.one("token")?.unwrap_or_default();
        check(&app, token).await?;
        let visitor = Visitor::any(&app, &request).await?;
        Ok(page(&app, &visitor, token, StatusCode::OK, &Typed::default()))
    };
    shown.await.unwrap_or_else(|error: PageError| error.respond(&app))
}

/// POST /setup.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    check_origin(request)?;
    let (visitor, form) = browser_form::checked(app, request, body).await?;
    let token = form.one("token")?.unwrap_or_default();
    check(app, token).await?;
    let username = form.one("username")?.unwrap_or_default();
    let refuse = |fault: &NewUserFault| {
        let told = fault.to_string();
        let typed = match fault.field() {
            Some("password") => Typed { username, password_error: &told, ..Typed::default() },
            _ => Typed { username, username_error: &told, ..Typed::default() },
        };
        Ok(page(app, &visitor, token, StatusCode::BAD_REQUEST, &typed))
    };
    let name = match user::username(username) {
        Ok(name) => name,
        Err(bad) => return refuse(&bad.into()),
    };
    let mut admin = User::new(name, shared::clock::now());
    admin.roles = vec![ADMIN.to_owned()];
    let password = Secret::new(form.one("password")?.unwrap_or_default());
    admin.password_hash = match accounts::hash_password(app, &admin.username, Some(password)).await {
        Ok(new) => Some(new.hash),
        Err(NewUserFault::Busy(busy)) => return Err(PageError::Unavailable(busy.to_string())),
        Err(NewUserFault::Store(error)) => return Err(error.into()),
        Err(fault) => return refuse(&fault),
    };
    match app.users.insert_first_admin(&admin, &Author::setup_link(&visitor.origin)).await {
        Ok(true) => {}
        Ok(false) => return Err(PageError::NoSetup),
        Err(StoreError::Conflict { .. }) => return refuse(&NewUserFault::Taken),
        Err(error) => return Err(error.into()),
    }
    state::apply_all(&**app.state.durable(), vec![Op::DeleteOwned { owner: owner() }]).await?;
    app.attempts.forget(&admin.username).await?;
    let console = format!("{}/management", app.config.root());
    match visitor.sign_in(app, admin).await? {
        SignIn::Done(signed_in) => Ok(signed_in.answer(see_other(&console))),
        SignIn::Ended | SignIn::Outdated(_) => Err(Forged::Token.into()),
    }
}

/// For the log and the terminal: what to do with the link.
pub fn announcement(link: &Secret) -> String {
    format!(
        "\nNobody can open the console yet. Make the first admin within an hour at\n\n  {}\n\n\
         (The link works once; a new one is printed at the next start. `user create NAME --role admin` does it too.)\n",
        link.expose()
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app;

    /// H-002: the link is 256 bits, the newest one counts alone, the store has no copy of it, and with an admin there is none.
    #[actix_rt::test]
    async fn a_link_is_made_while_there_is_no_admin() {
        let (_folder, app) = app::for_test();
        let token = |link: &Secret| link.expose().split_once("token=").unwrap().1.to_owned();
        let first = token(&new_link(&app).await.unwrap().unwrap());
        let second = token(&new_link(&app).await.unwrap().unwrap());
        assert!(first.len() == 43 && first != second);
        assert!(check(&app, &first).await.is_err() && check(&app, "").await.is_err());
        assert!(check(&app, &second).await.is_ok());
        let mut admin = User::new("root".to_owned(), 0);
        admin.roles = vec![ADMIN.to_owned()];
        app.users.insert(&admin, &Author::server()).await.unwrap();
        assert!(check(&app, &second).await.is_err(), "an old link opens nothing once there is an admin");
        assert!(new_link(&app).await.unwrap().is_none());
    }
}
