//! What people see and change of their own account, at /account (F-013, F-053, F-054).
//!
//! A new page: one file here, its template `account_….html` on the frame `account.html`, its routes, and a line in the
//! frame's navigation. Every endpoint begins with [`Member::visiting`] or, for forms, [`Member::posting`]. What a form has
//! done is told by the page it leads to: one line in [`done`].

pub mod apps;
pub mod overview;
pub mod password;
pub mod sessions;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::Parameters;
use shared::page::Policy;

use crate::app::App;
use crate::authorize::respond::see_other;
use crate::browser::Visitor;
use crate::browser_form;
use crate::error_page::PageError;
use crate::user::User;

/// Somebody who looks at his own account.
pub struct Member {
    pub user: User,
    pub visitor: Visitor,
}

/// What every page of the account is given beside its own data.
#[derive(Serialize)]
struct Framed<'a, T> {
    section: &'static str,
    username: &'a str,
    is_admin: bool,
    csrf: &'a str,
    /// What has just been done.
    done: Option<&'static str>,
    #[serde(flatten)]
    content: T,
}

impl Member {
    /// The person who asked for a page; others sign in first and come back.
    pub async fn visiting(app: &App, request: &HttpRequest) -> Result<Self, PageError> {
        let overview = || format!("{}/account", app.config.root());
        let back = request.uri().path_and_query().map_or_else(overview, |path| path.as_str().to_owned());
        match Visitor::known(app, request).await? {
            Some(visitor) => Self::of(visitor, back),
            None => Err(PageError::SignInFirst(back)),
        }
    }

    /// The person who posted a form of the account, and its fields.
    pub async fn posting(
        app: &App,
        request: &HttpRequest,
        body: web::Payload,
    ) -> Result<(Self, Parameters), PageError> {
        let (visitor, form) = browser_form::checked(app, request, body).await?;
        Ok((Self::of(visitor, format!("{}/account", app.config.root()))?, form))
    }

    fn of(mut visitor: Visitor, back: String) -> Result<Self, PageError> {
        match visitor.user.take() {
            None => Err(PageError::SignInFirst(back)),
            Some(user) if user.must_change => Err(PageError::NewPasswordFirst(back)),
            Some(user) => Ok(Self { user, visitor }),
        }
    }

    fn page(
        &self,
        app: &App,
        request: &HttpRequest,
        section: &'static str,
        template: &str,
        content: impl Serialize,
    ) -> HttpResponse {
        let code =
            browser_form::query(request).ok().and_then(|query| query.one("done").ok().flatten().map(str::to_owned));
        let framed = Framed {
            section,
            username: &self.user.username,
            is_admin: self.user.is_admin(),
            csrf: self.visitor.session.csrf(),
            done: code.as_deref().and_then(done),
            content,
        };
        app.pages.respond(StatusCode::OK, template, framed, &Policy::default())
    }
}

/// What a form did, in words; the code travels in the address of the page it leads to.
fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "password" => "Your password is changed. All other browsers and apps have to sign in again.",
        "session" => "That browser is signed out.",
        "elsewhere" => "You are signed out everywhere else.",
        "app" => "The app no longer has access.",
        "grant" => "That sign-in has ended.",
        _ => return None,
    })
}

/// The way on after a form: a page of the account that tells what was done.
fn onward(app: &App, page: &str, code: &str) -> HttpResponse {
    see_other(&format!("{}/account{page}?done={code}", app.config.root()))
}
