//! The console's scopes: what apps can ask for, and the sentence that people read.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::{ParameterError, Parameters, encode};
use shared::store::StoreError;

use super::confirm::Question;
use super::{Admin, Answer, Faults, Instead, answer, roles, text};
use crate::accounts;
use crate::app::App;
use crate::browser_form;
use crate::directory::Page;
use crate::scope::Scope;

const SECTION: &str = "scopes";
/// Clients looked through for who uses a scope, at most.
const LOOKED_THROUGH: usize = 2000;

#[derive(Serialize)]
struct ScopeLine<'a> {
    name: &'a str,
    /// For a link.
    encoded: String,
    text: &'a str,
    role: Option<&'a str>,
}

#[derive(Serialize)]
struct ScopeList<'a> {
    done: &'static str,
    scopes: Vec<ScopeLine<'a>>,
}

/// GET /management/scopes.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let registry = app.scopes.registry().await?;
        let scopes = registry.iter().map(|scope| ScopeLine {
            name: &scope.name,
            encoded: encode(&scope.name),
            text: &scope.text,
            role: scope.role.as_deref(),
        });
        let done = match browser_form::query(&request)?.one("done")?.unwrap_or_default() {
            "created" => "The scope is there: clients can be allowed to ask for it.",
            "changed" => "The changes are saved.",
            "deleted" => "The scope is deleted.",
            _ => "",
        };
        let content = ScopeList { done, scopes: scopes.collect() };
        Ok(admin.page(&app, StatusCode::OK, SECTION, "management_scopes.html", content))
    })
    .await
}

/// The form as typed.
#[derive(Serialize, Default)]
struct ScopeForm {
    name: String,
    text: String,
    role: String,
}

impl ScopeForm {
    fn read(fields: &Parameters) -> Result<Self, ParameterError> {
        Ok(Self { name: text(fields, "name")?, text: text(fields, "text")?, role: text(fields, "role")? })
    }

    fn scope(&self) -> (Scope, Faults) {
        let role = (!self.role.is_empty()).then(|| self.role.clone());
        let scope = Scope { name: self.name.clone(), text: self.text.clone(), role };
        let mut faults = Faults::new();
        for fault in scope.faults() {
            faults.insert(if fault.contains("text") { "text" } else { "name" }, fault.to_owned());
        }
        if let Some(role) = &scope.role
            && let Err(fault) = accounts::check_roles(std::slice::from_ref(role))
        {
            faults.insert("role", fault.to_string());
        }
        (scope, faults)
    }
}

#[derive(Serialize)]
struct ScopePage<'a> {
    form: &'a ScopeForm,
    /// A new one, whose name can be typed.
    new: bool,
    encoded: String,
    roles: String,
    faults: Faults,
}

async fn form_page(
    app: &App,
    admin: &Admin,
    status: StatusCode,
    form: &ScopeForm,
    new: bool,
    faults: Faults,
) -> Result<HttpResponse, StoreError> {
    let roles = roles::known(app).await?.join(", ");
    let content = ScopePage { form, new, encoded: encode(&form.name), roles, faults };
    Ok(admin.page(app, status, SECTION, "management_scope_form.html", content))
}

/// GET /management/scopes/new.
pub async fn new(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        Ok(form_page(&app, &admin, StatusCode::OK, &ScopeForm::default(), true, Faults::new()).await?)
    })
    .await
}

/// POST /management/scopes.
pub async fn create(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let form = ScopeForm::read(&fields)?;
        let (scope, mut faults) = form.scope();
        if app.scopes.registry().await?.get(&scope.name).is_some() {
            faults.insert("name", "is there already: change it instead".to_owned());
        }
        written(&app, &admin, &form, true, scope, faults).await
    })
    .await
}

async fn written(app: &App, admin: &Admin, form: &ScopeForm, new: bool, scope: Scope, faults: Faults) -> Answer {
    if !faults.is_empty() {
        return Ok(form_page(app, admin, StatusCode::BAD_REQUEST, form, new, faults).await?);
    }
    app.scopes.put(&scope, &admin.author()).await?;
    Ok(admin.lead(app, if new { "/scopes?done=created" } else { "/scopes?done=changed" }))
}

/// The scope that a request names: names may hold slashes, so they stand in the query or the form.
async fn named(app: &App, parameters: &Parameters) -> Result<Scope, Instead> {
    let name = parameters.one("name")?.unwrap_or_default();
    app.scopes.registry().await?.get(name).cloned().ok_or_else(Instead::not_found)
}

/// GET /management/scopes/edit?name=….
pub async fn edit(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let scope = named(&app, &browser_form::query(&request)?).await?;
        let form = ScopeForm { name: scope.name, text: scope.text, role: scope.role.unwrap_or_default() };
        Ok(form_page(&app, &admin, StatusCode::OK, &form, false, Faults::new()).await?)
    })
    .await
}

/// POST /management/scopes/edit.
pub async fn update(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        named(&app, &fields).await?;
        let form = ScopeForm::read(&fields)?;
        let (scope, faults) = form.scope();
        written(&app, &admin, &form, false, scope, faults).await
    })
    .await
}

async fn question(app: &App, scope: &Scope) -> Result<Question, StoreError> {
    let mut users = Vec::new();
    let mut page = Page { limit: 200, ..Page::default() };
    for _ in 0..LOOKED_THROUGH / page.limit {
        let clients = app.clients.list(&page).await?;
        let using = clients.iter().filter(|client| client.scopes.iter().any(|name| name == scope.name));
        users.extend(using.map(|client| client.name.clone()));
        let Some(last) = clients.last() else { break };
        page.after = Some(last.id.clone());
    }
    let mut consequences = vec![
        "No app can ask for it any more, and refreshed tokens no longer carry it. Tokens that are out keep it until they end."
            .to_owned(),
    ];
    match users.len() {
        0 => consequences.push("No client is allowed to ask for it.".to_owned()),
        1..=10 => consequences.push(format!("Used by {}.", users.join(", "))),
        many => consequences.push(format!("Used by {}, and {} more clients.", users[..10].join(", "), many - 10)),
    }
    Ok(Question {
        title: format!("Delete the scope {}?", scope.name),
        button: "Delete for good".to_owned(),
        consequences,
        danger: true,
        action: "/scopes/delete".to_owned(),
        cancel: "/scopes".to_owned(),
        hidden: vec![("name", scope.name.clone())],
        choice: None,
    })
}

/// GET /management/scopes/delete?name=….
pub async fn ask_to_delete(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let scope = named(&app, &browser_form::query(&request)?).await?;
        Ok(admin.ask_whether(&app, SECTION, question(&app, &scope).await?))
    })
    .await
}

/// POST /management/scopes/delete.
pub async fn delete(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let scope = named(&app, &fields).await?;
        let admin = admin.prove(&app, &request, &fields).await?;
        app.scopes.delete(&scope.name, &admin.author()).await?;
        Ok(admin.lead(&app, "/scopes?done=deleted"))
    })
    .await
}
