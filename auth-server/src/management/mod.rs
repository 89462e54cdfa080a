//! The console at /management: for signed-in users with the role admin, and nobody else (H-001).
//!
//! A new page: one file here, its template `management_….html` on the frame `management.html`, its routes, and a line in
//! the frame's navigation. Every endpoint begins with [`Admin::visiting`] or, for forms, [`Admin::posting`].

pub mod clients;
mod times;
pub mod users;

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::{Parameters, encode};
use shared::page::Policy;

use crate::app::App;
use crate::audit::Author;
use crate::browser::Visitor;
use crate::browser_form;
use crate::client::GrantType;
use crate::directory::Page;
use crate::error_page::PageError;
use crate::origin::Origin;
use crate::user::User;

/// Entries on a page of a list (H-003).
const PAGE: usize = 25;

/// What is wrong with a form, by field.
type Faults = BTreeMap<&'static str, String>;

/// Whoever uses the console.
pub struct Admin {
    pub user: User,
    origin: Origin,
    csrf: String,
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
    pub async fn visiting(app: &App, request: &HttpRequest) -> Result<Self, PageError> {
        let overview = || format!("{}/management", app.config.root());
        let back = request.uri().path_and_query().map_or_else(overview, |path| path.as_str().to_owned());
        match Visitor::known(app, request).await? {
            Some(visitor) => Self::of(visitor, back),
            None => Err(PageError::SignInFirst(back)),
        }
    }

    /// The admin who posted a form of the console, and its fields (H-007).
    pub async fn posting(
        app: &App,
        request: &HttpRequest,
        body: web::Payload,
    ) -> Result<(Self, Parameters), PageError> {
        let (visitor, form) = browser_form::checked(app, request, body).await?;
        Ok((Self::of(visitor, format!("{}/management", app.config.root()))?, form))
    }

    /// `back`: where to go on after a detour.
    fn of(visitor: Visitor, back: String) -> Result<Self, PageError> {
        match visitor.user {
            None => Err(PageError::SignInFirst(back)),
            Some(user) if !user.is_admin() => Err(PageError::NotAdmin),
            Some(user) if user.must_change => Err(PageError::NewPasswordFirst(back)),
            Some(user) => Ok(Self { user, origin: visitor.origin, csrf: visitor.session.csrf().to_owned() }),
        }
    }

    /// What the audit log tells of who did it.
    fn author(&self) -> Author {
        Author::user(&self.user.id, &self.origin)
    }

    fn page(
        &self,
        app: &App,
        status: StatusCode,
        section: &'static str,
        template: &str,
        content: impl Serialize,
    ) -> HttpResponse {
        let framed = Framed { section, admin_name: &self.user.username, csrf: &self.csrf, content };
        app.pages.respond(status, template, framed, &Policy::default())
    }
}

#[derive(Serialize)]
struct Overview {
    issuer: String,
    metadata: String,
    authorization_endpoint: String,
    token_endpoint: String,
    warnings: Vec<&'static str>,
}

/// GET /management.
pub async fn overview(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_overview(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_overview(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let admin = Admin::visiting(app, request).await?;
    let mut warnings = Vec::new();
    if app.config.password_grant {
        warnings.push("The password grant is switched on: apps that use it see people's passwords.");
    }
    if app.config.dev {
        warnings.push("This server runs with dev = true: plain http and very short lifetimes are allowed.");
    }
    let overview = Overview {
        issuer: app.config.issuer.as_str().to_owned(),
        metadata: format!(
            "{}/.well-known/oauth-authorization-server{}",
            app.config.issuer.origin(),
            app.config.issuer.path()
        ),
        authorization_endpoint: app.config.url("/authorize"),
        token_endpoint: app.config.url("/token"),
        warnings,
    };
    Ok(admin.page(app, StatusCode::OK, "overview", "management_overview.html", overview))
}

#[derive(Serialize)]
struct ScopeLine<'a> {
    name: &'a str,
    text: &'a str,
    role: Option<&'a str>,
}

#[derive(Serialize)]
struct ScopeList<'a> {
    scopes: Vec<ScopeLine<'a>>,
}

/// GET /management/scopes.
pub async fn scopes(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_scopes(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_scopes(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let admin = Admin::visiting(app, request).await?;
    let registry = app.scopes.registry().await?;
    let scopes = registry
        .iter()
        .map(|scope| ScopeLine { name: &scope.name, text: &scope.text, role: scope.role.as_deref() })
        .collect();
    Ok(admin.page(app, StatusCode::OK, "scopes", "management_scopes.html", ScopeList { scopes }))
}

/// Which part of a list is asked for.
struct Listing {
    search: String,
    after: Option<String>,
    path: String,
}

impl Listing {
    fn of(app: &App, request: &HttpRequest, list: &str) -> Result<Self, PageError> {
        let parameters = browser_form::query(request)?;
        Ok(Self {
            search: parameters.one("q")?.unwrap_or_default().trim().to_owned(),
            after: parameters.one("after")?.map(str::to_owned),
            path: format!("{}/management/{list}", app.config.root()),
        })
    }

    /// One more than is shown, to know whether there is a next page.
    fn page(&self) -> Page {
        let search = (!self.search.is_empty()).then(|| self.search.clone());
        Page { after: self.after.clone(), search, limit: PAGE + 1 }
    }

    /// Links to the first page (when this is another) and to the page after `last`.
    fn links(&self, last: Option<&str>) -> (String, String) {
        let search = if self.search.is_empty() { String::new() } else { format!("q={}", encode(&self.search)) };
        let first = match (&self.after, search.is_empty()) {
            (None, _) => String::new(),
            (Some(_), true) => self.path.clone(),
            (Some(_), false) => format!("{}?{search}", self.path),
        };
        let next = match (last, search.is_empty()) {
            (None, _) => String::new(),
            (Some(last), true) => format!("{}?after={}", self.path, encode(last)),
            (Some(last), false) => format!("{}?{search}&after={}", self.path, encode(last)),
        };
        (first, next)
    }
}

/// Cuts the entry that only told that there are more; the answer is the id of the last one shown then.
fn cut<T>(entries: &mut Vec<T>, id: impl Fn(&T) -> &str) -> Option<String> {
    if entries.len() <= PAGE {
        return None;
    }
    entries.truncate(PAGE);
    entries.last().map(|last| id(last).to_owned())
}

/// Words for a client's settings that make it weaker than it need be (A-024, H-006).
fn weaknesses(client: &crate::client::Client) -> Vec<&'static str> {
    let mut found = Vec::new();
    if !client.needs_pkce() && client.permits(GrantType::AuthorizationCode) {
        found.push("no PKCE");
    }
    if client.permits(GrantType::Password) {
        found.push("password grant");
    }
    if client.flags.allow_localhost {
        found.push("localhost");
    }
    if !client.rotates_refresh_tokens() {
        found.push("no rotation");
    }
    if client.access_ttl.is_some_and(|seconds| seconds > 3600) {
        found.push("long-lived tokens");
    }
    found
}
