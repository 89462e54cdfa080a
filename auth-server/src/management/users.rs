//! The console's users: listed, found, created (H-003, H-004).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::Secret;

use super::{Admin, Faults, Listing, cut};
use crate::accounts::{self, NewUser, NewUserFault};
use crate::app::App;
use crate::error_page::PageError;
use crate::user::User;

#[derive(Serialize)]
struct UserLine {
    id: String,
    username: String,
    roles: Vec<String>,
    disabled: bool,
    must_change: bool,
    created: String,
    created_day: String,
}

impl From<User> for UserLine {
    fn from(user: User) -> Self {
        Self {
            created: super::times::instant(user.created_at),
            created_day: super::times::day(user.created_at),
            id: user.id,
            username: user.username,
            roles: user.roles,
            disabled: user.disabled,
            must_change: user.must_change,
        }
    }
}

#[derive(Serialize)]
struct UserList {
    q: String,
    users: Vec<UserLine>,
    first: String,
    next: String,
}

/// GET /management/users.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_list(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_list(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let admin = Admin::visiting(app, request).await?;
    let listing = Listing::of(app, request, "users")?;
    let mut users = app.users.list(&listing.page()).await?;
    let last = cut(&mut users, |user| &user.id);
    let (first, next) = listing.links(last.as_deref());
    let users = users.into_iter().map(UserLine::from).collect();
    let content = UserList { q: listing.search, users, first, next };
    Ok(admin.page(app, StatusCode::OK, "users", "management_user_list.html", content))
}

#[derive(Serialize, Default)]
struct UserForm {
    username: String,
    roles: String,
}

#[derive(Serialize)]
struct UserFormPage {
    form: UserForm,
    faults: Faults,
}

/// GET /management/users/new.
pub async fn new(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let page = async {
        let admin = Admin::visiting(&app, &request).await?;
        Ok(form_page(&app, &admin, StatusCode::OK, UserForm::default(), Faults::new()))
    };
    page.await.unwrap_or_else(|error: PageError| error.respond(&app))
}

fn form_page(app: &App, admin: &Admin, status: StatusCode, form: UserForm, faults: Faults) -> HttpResponse {
    admin.page(app, status, "users", "management_user_new.html", UserFormPage { form, faults })
}

#[derive(Serialize)]
struct UserCreated {
    user: UserLine,
    /// A generated one, shown this once.
    password: Option<String>,
}

/// POST /management/users.
pub async fn create(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_create(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_create(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (admin, fields) = Admin::posting(app, request, body).await?;
    let username = fields.one("username")?.unwrap_or_default().to_owned();
    let roles = fields.one("roles")?.unwrap_or_default().to_owned();
    let new = NewUser {
        username: username.clone(),
        password: fields.one("password")?.map(Secret::new),
        roles: roles.split_whitespace().map(str::to_owned).collect(),
        must_change: true,
        declared: false,
    };
    match accounts::create_user(app, new, &admin.author()).await {
        Ok(created) => {
            let password = created.generated.map(|password| password.expose().to_owned());
            let content = UserCreated { user: created.user.into(), password };
            Ok(admin.page(app, StatusCode::CREATED, "users", "management_user_created.html", content))
        }
        Err(NewUserFault::Busy(busy)) => Err(PageError::Unavailable(busy.to_string())),
        Err(NewUserFault::Store(error)) => Err(error.into()),
        Err(fault) => {
            let field = fault.field().unwrap_or("username");
            let faults = Faults::from([(field, fault.to_string())]);
            Ok(form_page(app, &admin, StatusCode::BAD_REQUEST, UserForm { username, roles }, faults))
        }
    }
}
