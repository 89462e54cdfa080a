//! Name and roles of a user.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::form::Parameters;
use shared::session::Forged;
use shared::store::StoreError;

use super::super::{Admin, Answer, Faults, answer, version};
use super::{SECTION, UserForm, UserFormPage, UserLine, choices, field, find};
use crate::accounts::{self, NewUserFault};
use crate::app::App;
use crate::directory::Replaced;
use crate::error_page::PageError;
use crate::user::{self, User};

const LAST_ADMIN: &str = "is the last one with the role admin: give it to another user first";

/// GET /management/users/{id}/edit.
pub async fn edit(app: web::Data<App>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let user = find(&app, &id).await?;
        let form = UserForm { username: user.username.clone(), roles: user.roles.clone(), more_roles: String::new() };
        form_page(&app, &admin, StatusCode::OK, &user, &form, Shown::default()).await
    })
    .await
}

/// What stands in the form besides what was typed.
#[derive(Default)]
struct Shown {
    faults: Faults,
    overtaken: bool,
}

async fn form_page(app: &App, admin: &Admin, status: StatusCode, user: &User, form: &UserForm, shown: Shown) -> Answer {
    let content = UserFormPage {
        user: Some(UserLine::from(user)),
        version: user.version,
        username: &form.username,
        roles: choices(app, form).await?,
        more_roles: &form.more_roles,
        faults: shown.faults,
        overtaken: shown.overtaken,
    };
    Ok(admin.page(app, status, SECTION, "management_user_form.html", content))
}

/// POST /management/users/{id}/edit.
pub async fn update(
    app: web::Data<App>,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Payload,
) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        try_update(&app, &request, admin, &id, &fields).await
    })
    .await
}

async fn try_update(app: &App, request: &HttpRequest, mut admin: Admin, id: &str, fields: &Parameters) -> Answer {
    let form = UserForm::read(fields)?;
    let before = find(app, id).await?;
    let refuse = |admin: Admin, field, told: String| async move {
        let shown = Shown { faults: Faults::from([(field, told)]), overtaken: false };
        let form = UserForm::read(fields)?;
        form_page(app, &admin, StatusCode::BAD_REQUEST, &find(app, id).await?, &form, shown).await
    };
    if version(fields)? != before.version {
        let shown = Shown { faults: Faults::new(), overtaken: true };
        return form_page(app, &admin, StatusCode::CONFLICT, &before, &form, shown).await;
    }
    let username = match user::username(&form.username) {
        Ok(username) => username,
        Err(bad) => return refuse(admin, "username", bad.to_string()).await,
    };
    let roles = form.all_roles();
    if let Err(fault) = accounts::check_roles(&roles) {
        return refuse(admin, field(&fault), fault.to_string()).await;
    }
    let after = User { username, roles, ..before.clone() };
    if after.is_admin() != before.is_admin() {
        admin = admin.prove(app, request, fields).await?;
    }
    match app.users.replace(&after, &admin.author()).await {
        Ok(Replaced::Done) => {}
        Ok(Replaced::LastAdmin) => return refuse(admin, "more_roles", LAST_ADMIN.to_owned()).await,
        Ok(Replaced::Changed) => {
            let now = find(app, id).await?;
            let shown = Shown { faults: Faults::new(), overtaken: true };
            return form_page(app, &admin, StatusCode::CONFLICT, &now, &form, shown).await;
        }
        Err(StoreError::Conflict { .. }) => return refuse(admin, "username", NewUserFault::Taken.to_string()).await,
        Err(error) => return Err(error.into()),
    }
    if after.username != before.username {
        // What strangers tried in this name before it was anybody's is not to be held against its owner.
        app.attempts.forget(&after.username).await?;
    }
    let path = format!("/users/{id}?done=changed");
    if after.id != admin.user.id || after.roles == before.roles {
        return Ok(admin.lead(app, &path));
    }
    // One's own roles: every session ended, this one too, and this browser goes on in a new one (F-051).
    let visitor = admin.visitor.begin_again(app, after).await?.ok_or(Forged::Token)?;
    match Admin::of(visitor, String::new()) {
        Ok(admin) => Ok(admin.lead(app, &path)),
        Err(error @ PageError::NotAdmin) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}
