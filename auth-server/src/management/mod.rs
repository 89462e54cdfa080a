//! The console at /management: for signed-in users with the role admin, and nobody else (H-001).
//!
//! A new page: one file here, its template `management_….html` on the frame `management.html`, its routes, and a line in
//! the frame's navigation. Every endpoint begins with [`Admin::visiting`] or, for forms, [`Admin::posting`]; what destroys
//! something goes on with [`Admin::prove`].

mod audit;
mod clients;
mod confirm;
mod grants;
mod listing;
mod names;
mod overview;
mod prove;
mod roles;
mod routes;
mod scopes;
mod times;
mod users;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::{ParameterError, Parameters};
use shared::page::Policy;
use shared::session::Forged;
use shared::store::StoreError;

use crate::app::App;
use crate::audit::Author;
use crate::authorize::respond::see_other;
use crate::browser::Visitor;
use crate::browser_form;
use crate::error_page::PageError;
use crate::user::User;

pub use routes::scope;

/// What is wrong with a form, by field.
type Faults = BTreeMap<&'static str, String>;

/// What an endpoint of the console answers.
type Answer = Result<HttpResponse, Instead>;

/// What comes instead of what was asked for.
enum Instead {
    /// Another page of the console: a form with faults, a question.
    Page(Box<HttpResponse>),
    Error(PageError),
}

impl Instead {
    fn page(response: HttpResponse) -> Self {
        Instead::Page(Box::new(response))
    }

    fn not_found() -> Self {
        Instead::Error(PageError::NotFound)
    }
}

impl From<PageError> for Instead {
    fn from(error: PageError) -> Self {
        Instead::Error(error)
    }
}

impl From<StoreError> for Instead {
    fn from(error: StoreError) -> Self {
        Instead::Error(error.into())
    }
}

impl From<ParameterError> for Instead {
    fn from(error: ParameterError) -> Self {
        Instead::Error(error.into())
    }
}

impl From<Forged> for Instead {
    fn from(error: Forged) -> Self {
        Instead::Error(error.into())
    }
}

async fn answer(app: &App, page: impl Future<Output = Answer>) -> HttpResponse {
    match page.await {
        Ok(response) => response,
        Err(Instead::Page(response)) => *response,
        Err(Instead::Error(error)) => error.respond(app),
    }
}

/// Whoever uses the console.
struct Admin {
    user: User,
    visitor: Visitor,
}

/// What every page of the console is given beside its own data.
#[derive(Serialize)]
struct Framed<'a, T> {
    section: &'static str,
    admin_name: &'a str,
    csrf: &'a str,
    #[serde(flatten)]
    content: T,
}

impl Admin {
    /// The admin who asked for a page; others are sent to the login page and back, or told that this is not theirs.
    async fn visiting(app: &App, request: &HttpRequest) -> Result<Self, PageError> {
        let overview = || format!("{}/management", app.config.root());
        let back = request.uri().path_and_query().map_or_else(overview, |path| path.as_str().to_owned());
        match Visitor::known(app, request).await? {
            Some(visitor) => Self::of(visitor, back),
            None => Err(PageError::SignInFirst(back)),
        }
    }

    /// The admin who posted a form of the console, and its fields (H-007).
    async fn posting(app: &App, request: &HttpRequest, body: web::Payload) -> Result<(Self, Parameters), PageError> {
        let (visitor, form) = browser_form::checked(app, request, body).await?;
        Ok((Self::of(visitor, format!("{}/management", app.config.root()))?, form))
    }

    /// `back`: where to go on after a detour.
    fn of(visitor: Visitor, back: String) -> Result<Self, PageError> {
        match visitor.user.clone() {
            None => Err(PageError::SignInFirst(back)),
            Some(user) if !user.is_admin() => Err(PageError::NotAdmin),
            Some(user) if user.must_change => Err(PageError::NewPasswordFirst(back)),
            Some(user) => Ok(Self { user, visitor }),
        }
    }

    /// What the audit log tells of who did it.
    fn author(&self) -> Author {
        Author::user(&self.user.id, &self.visitor.origin)
    }

    fn page(
        &self,
        app: &App,
        status: StatusCode,
        section: &'static str,
        template: &str,
        content: impl Serialize,
    ) -> HttpResponse {
        let csrf = self.visitor.session.csrf();
        let framed = Framed { section, admin_name: &self.user.username, csrf, content };
        self.visitor.answer(app.pages.respond(status, template, framed, &Policy::default()))
    }

    /// Leads to another page of the console; `path` below /management.
    fn lead(&self, app: &App, path: &str) -> HttpResponse {
        self.visitor.answer(see_other(&format!("{}/management{path}", app.config.root())))
    }
}

/// A field's text without the spaces around it.
fn text(fields: &Parameters, name: &str) -> Result<String, ParameterError> {
    Ok(fields.one(name)?.unwrap_or_default().trim().to_owned())
}

/// The version of the entry that a form was made from.
fn version(fields: &Parameters) -> Result<u64, ParameterError> {
    Ok(fields.one("version")?.and_then(|version| version.parse().ok()).unwrap_or_default())
}
