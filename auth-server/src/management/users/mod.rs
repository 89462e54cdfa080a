//! The console's users: listed, found, created, shown and changed (H-003, H-004).

mod actions;
mod change;
mod show;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::Parameters;
use shared::store::StoreError;

use super::listing::{Links, Listing, cut};
use super::times::Time;
use super::{Admin, Faults, Instead, answer, roles, text};
use crate::accounts::{self, NewUser, NewUserFault};
use crate::app::App;
use crate::error_page::PageError;
use crate::user::{ADMIN, User};

pub use actions::{act, ask, end_session};
pub use change::{edit, update};
pub use show::show;

const SECTION: &str = "users";

#[derive(Serialize)]
struct UserLine {
    id: String,
    username: String,
    roles: Vec<String>,
    disabled: bool,
    must_change: bool,
    created: Time,
}

impl From<&User> for UserLine {
    fn from(user: &User) -> Self {
        Self {
            created: Time::of(user.created_at),
            id: user.id.clone(),
            username: user.username.clone(),
            roles: user.roles.clone(),
            disabled: user.disabled,
            must_change: user.must_change,
        }
    }
}

/// The user whose page it is.
async fn find(app: &App, id: &str) -> Result<User, Instead> {
    app.users.find(id).await?.ok_or_else(Instead::not_found)
}

#[derive(Serialize)]
struct UserList<'a> {
    q: &'a str,
    role: &'a str,
    done: &'static str,
    users: Vec<UserLine>,
    links: Links,
}

/// GET /management/users.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let listing = Listing::of(&app, &request, SECTION, &["role"])?;
        let page = listing.page();
        let mut users = match listing.kept("role") {
            Some(role) => app.users.holders(role, &page).await?,
            None => app.users.list(&page).await?,
        };
        let last = cut(&mut users, |user| user.id.clone());
        let content = UserList {
            q: &listing.search,
            role: listing.kept("role").unwrap_or_default(),
            done: show::done(&request)?,
            users: users.iter().map(UserLine::from).collect(),
            links: listing.links(last.as_deref()),
        };
        Ok(admin.page(&app, StatusCode::OK, SECTION, "management_user_list.html", content))
    })
    .await
}

/// A role to choose.
#[derive(Serialize)]
struct RoleChoice {
    name: String,
    held: bool,
}

/// The form as typed, so that a refused one keeps everything.
#[derive(Default)]
struct UserForm {
    username: String,
    roles: Vec<String>,
    /// Roles that nobody has yet, separated by spaces.
    more_roles: String,
}

impl UserForm {
    fn read(fields: &Parameters) -> Result<Self, Instead> {
        Ok(Self {
            username: fields.one("username")?.unwrap_or_default().to_owned(),
            roles: fields.all("roles").map(str::to_owned).collect(),
            more_roles: text(fields, "more_roles")?,
        })
    }

    /// All roles, each once.
    fn all_roles(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for role in self.roles.iter().map(String::as_str).chain(self.more_roles.split_whitespace()) {
            if !all.iter().any(|known| known == role) {
                all.push(role.to_owned());
            }
        }
        all
    }
}

#[derive(Serialize)]
struct UserFormPage<'a> {
    /// The user as stored; `None`: a new one.
    user: Option<UserLine>,
    version: u64,
    username: &'a str,
    roles: Vec<RoleChoice>,
    more_roles: &'a str,
    faults: Faults,
    /// Somebody else changed the user since the form was opened.
    overtaken: bool,
}

async fn choices(app: &App, form: &UserForm) -> Result<Vec<RoleChoice>, StoreError> {
    let known = roles::known(app).await?;
    let typed = form.roles.iter().filter(|role| !known.contains(role)).cloned().collect::<Vec<_>>();
    let all = known.into_iter().chain(typed);
    Ok(all.map(|name| RoleChoice { held: form.roles.contains(&name), name }).collect())
}

/// GET /management/users/new.
pub async fn new(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        Ok(new_page(&app, &admin, StatusCode::OK, &UserForm::default(), Faults::new()).await?)
    })
    .await
}

async fn new_page(
    app: &App,
    admin: &Admin,
    status: StatusCode,
    form: &UserForm,
    faults: Faults,
) -> Result<HttpResponse, StoreError> {
    let content = UserFormPage {
        user: None,
        version: 0,
        username: &form.username,
        roles: choices(app, form).await?,
        more_roles: &form.more_roles,
        faults,
        overtaken: false,
    };
    Ok(admin.page(app, status, SECTION, "management_user_form.html", content))
}

#[derive(Serialize)]
struct Password {
    user: UserLine,
    /// The account is new.
    created: bool,
    /// Generated, shown this once, and good for one sign-in (F-014).
    password: String,
}

/// POST /management/users.
pub async fn create(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    answer(&app, async {
        let (mut admin, fields) = Admin::posting(&app, &request, body).await?;
        let form = UserForm::read(&fields)?;
        let roles = form.all_roles();
        // Whoever makes an admin makes somebody who stays when he himself is found out.
        if roles.iter().any(|role| role == ADMIN) {
            admin = admin.prove(&app, &request, &fields).await?;
        }
        let new =
            NewUser { username: form.username.clone(), password: None, roles, must_change: true, declared: false };
        match accounts::create_user(&app, new, &admin.author()).await {
            Ok(created) => {
                let password = created.generated.map(|password| password.expose().to_owned()).unwrap_or_default();
                let content = Password { user: UserLine::from(&created.user), created: true, password };
                Ok(admin.page(&app, StatusCode::CREATED, SECTION, "management_user_password.html", content))
            }
            Err(NewUserFault::Busy(busy)) => Err(PageError::Unavailable(busy.to_string()).into()),
            Err(NewUserFault::Store(error)) => Err(error.into()),
            Err(fault) => {
                let faults = Faults::from([(field(&fault), fault.to_string())]);
                Ok(new_page(&app, &admin, StatusCode::BAD_REQUEST, &form, faults).await?)
            }
        }
    })
    .await
}

/// Where the form shows it.
fn field(fault: &NewUserFault) -> &'static str {
    match fault.field() {
        Some("roles") => "more_roles",
        Some(field) => field,
        None => "username",
    }
}
