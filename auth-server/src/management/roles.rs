//! The console's roles: who holds them, and what they open.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::encode;
use shared::store::StoreError;

use super::{Admin, answer};
use crate::app::App;
use crate::user::ADMIN;

#[derive(Serialize)]
struct RoleLine {
    name: String,
    /// For a link.
    encoded: String,
    holders: u64,
    opens_console: bool,
    /// The scopes that only its holders get.
    scopes: Vec<String>,
}

#[derive(Serialize)]
struct RoleList {
    roles: Vec<RoleLine>,
}

/// GET /management/roles.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let roles = lines(&app).await?;
        Ok(admin.page(&app, StatusCode::OK, "roles", "management_roles.html", RoleList { roles }))
    })
    .await
}

async fn lines(app: &App) -> Result<Vec<RoleLine>, StoreError> {
    let registry = app.scopes.registry().await?;
    let held = app.users.roles().await?;
    let names = known(app).await?.into_iter();
    let lines = names.map(|name| RoleLine {
        encoded: encode(&name),
        holders: held.iter().find(|(role, _)| *role == name).map_or(0, |(_, holders)| *holders),
        opens_console: name == ADMIN,
        scopes: registry
            .iter()
            .filter(|scope| scope.role.as_deref() == Some(name.as_str()))
            .map(|scope| scope.name.clone())
            .collect(),
        name,
    });
    Ok(lines.collect())
}

/// Every role that there is: held by somebody, asked for by a scope, or ours. The console's own comes first.
pub async fn known(app: &App) -> Result<Vec<String>, StoreError> {
    let registry = app.scopes.registry().await?;
    let asked_for = registry.iter().filter_map(|scope| scope.role.clone());
    let held = app.users.roles().await?.into_iter().map(|(role, _)| role);
    let mut roles: Vec<String> = asked_for.chain(held).filter(|role| role != ADMIN).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.insert(0, ADMIN.to_owned());
    Ok(roles)
}
