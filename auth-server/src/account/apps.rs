//! GET and POST /account/apps: the apps a person has let in, and taking that back (F-053, F-054).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::ParameterError;
use shared::oauth::Scopes;
use shared::store::StoreError;

use super::{Member, onward};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::error_page::PageError;
use crate::scope::ScopeRegistry;
use crate::times::Moment;
use crate::tokens::{GrantId, GrantsOf, ListedGrant};
use crate::user::User;

/// One app, with everything it was given.
pub struct Given {
    client: String,
    /// The last used first.
    grants: Vec<ListedGrant>,
    /// When a remembered "Allow" was given; epoch seconds.
    remembered_at: Option<i64>,
    scopes: Scopes,
}

impl Given {
    fn new(client: &str) -> Self {
        Self { client: client.to_owned(), grants: Vec::new(), remembered_at: None, scopes: Scopes::default() }
    }

    fn used_at(&self) -> i64 {
        let used = self.grants.iter().map(ListedGrant::used_at).max();
        used.or(self.remembered_at).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct AppList {
    apps: Vec<AppLine>,
}

#[derive(Serialize)]
struct AppLine {
    id: String,
    name: String,
    /// The app's home page.
    uri: Option<String>,
    /// What it may do, in the words of the consent page.
    scopes: Vec<String>,
    /// Where it is signed in.
    grants: Vec<GrantLine>,
    /// When "Allow" was given, if that is remembered.
    allowed: Option<Moment>,
}

#[derive(Serialize)]
struct GrantLine {
    id: String,
    device: String,
    address: String,
    given: Moment,
    used: Moment,
}

/// Every app with a live grant or a remembered consent, the last used first.
pub async fn of(app: &App, user: &User) -> Result<Vec<Given>, StoreError> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    let grants = app.tokens.list_all(GrantsOf::User(&user.id)).await?;
    for listed in grants.into_iter().filter(ListedGrant::has_tokens) {
        let client = &listed.grant.client;
        let one = given.entry(client.clone()).or_insert_with(|| Given::new(client));
        one.scopes = one.scopes.union(&listed.grant.scopes);
        one.grants.push(listed);
    }
    for consent in app.consents.list_for_user(&user.id).await? {
        let one = given.entry(consent.client.clone()).or_insert_with(|| Given::new(&consent.client));
        one.remembered_at = Some(consent.given_at);
        one.scopes = consent.scopes_at.values().fold(one.scopes.clone(), |all, some| all.union(some));
    }
    let mut given: Vec<Given> = given.into_values().collect();
    given.sort_by_key(|one| std::cmp::Reverse(one.used_at()));
    Ok(given)
}

/// GET /account/apps.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let member = Member::visiting(app, request).await?;
    let registry = app.scopes.registry().await?;
    let mut apps = Vec::new();
    for given in of(app, &member.user).await? {
        apps.push(line(app, &registry, given).await?);
    }
    Ok(member.page(app, request, "apps", "account_apps.html", AppList { apps }))
}

async fn line(app: &App, registry: &ScopeRegistry, given: Given) -> Result<AppLine, StoreError> {
    let client = app.clients.find(&given.client).await?;
    let text = |name: &str| registry.get(name).map_or_else(|| name.to_owned(), |scope| scope.text.clone());
    Ok(AppLine {
        name: client.as_ref().map_or_else(|| given.client.clone(), |client| client.name.clone()),
        uri: client.and_then(|client| client.uri.clone()),
        id: given.client,
        scopes: given.scopes.iter().map(text).collect(),
        grants: given.grants.into_iter().map(grant_line).collect(),
        allowed: given.remembered_at.map(Moment::at),
    })
}

fn grant_line(listed: ListedGrant) -> GrantLine {
    let origin = listed.grant.origin.as_ref();
    GrantLine {
        id: listed.id.to_string(),
        device: origin.map_or_else(|| "Unknown program".to_owned(), |origin| origin.device()),
        address: origin.map(|origin| origin.address()).unwrap_or_default(),
        given: Moment::at(listed.grant.created_at),
        used: Moment::at(listed.used_at()),
    }
}

/// POST /account/apps: with `app` all that an app was given ends, with `grant` one sign-in of it. Both forget the consent: the
/// app has to ask again.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (member, form) = Member::posting(app, request, body).await?;
    let user = &member.user.id;
    if let Some(client) = form.one("app")? {
        // What is not there any more needs no event.
        if of(app, &member.user).await?.iter().any(|given| given.client == client) {
            app.audit.record(withdrawn(&member, client, "app")).await?;
            app.consents.delete(user, client, &[]).await?;
            app.tokens.revoke_given(user, client).await?;
        }
        return Ok(onward(app, "/apps", "app"));
    }
    let id: GrantId = form.one("grant")?.and_then(|text| text.parse().ok()).ok_or(ParameterError::Encoding)?;
    let found = app.tokens.find_grant(id).await?.map(|listed| listed.grant);
    if let Some(grant) = found.filter(|grant| grant.user.as_ref().is_some_and(|holder| holder.id == *user)) {
        app.audit.record(withdrawn(&member, &grant.client, "grant")).await?;
        app.consents.delete(user, &grant.client, &[]).await?;
        app.tokens.revoke_grant(id).await?;
    }
    Ok(onward(app, "/apps", "grant"))
}

fn withdrawn(member: &Member, client: &str, what: &str) -> Event {
    let event = Event::new(EventKind::ConsentWithdrawn).own(&member.user.id).client(client);
    event.sent_from(&member.visitor.origin).reason(what)
}
