//! GET and POST /consent: may this application have that.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use shared::clock;
use shared::form::ParameterError;
use shared::oauth::{ErrorCode, Scopes};
use shared::page::Policy;

use super::next_step::Step;
use super::request::{AuthorizationRequest, Refusal, Target};
use super::respond::{form_action, see_other, shown_host};
use super::transaction::{self, Open};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::browser::{self, Visitor};
use crate::browser_form;
use crate::consent::Consent;
use crate::error_page::PageError;

#[derive(Serialize)]
struct ConsentPage<'a> {
    csrf: &'a str,
    tx: &'a str,
    client_name: &'a str,
    redirect_host: String,
    username: &'a str,
    scopes: Vec<ScopeLine<'a>>,
    /// Any program on the device can claim to be this client.
    unproven: bool,
}

#[derive(Serialize)]
struct ScopeLine<'a> {
    name: &'a str,
    text: &'a str,
}

/// GET /consent.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let parameters = browser_form::query(request)?;
    let id = parameters.one("tx")?.ok_or(PageError::NoTransaction(None))?;
    if !browser::sent_cookie(app, request) {
        return Err(PageError::NoCookie);
    }
    let visitor = Visitor::known(app, request).await?;
    let open = transaction::open(app, id, visitor.as_ref()).await?;
    let Some(Visitor { session, user: Some(user), .. }) = &visitor else {
        return Ok(see_other(&super::continue_url(app, id)));
    };
    let registry = app.scopes.registry().await?;
    let scopes = registry.open_to(user, &open.request.scopes);
    let redirect_uri = &open.request.target.redirect_uri;
    let page = ConsentPage {
        csrf: session.csrf(),
        tx: id,
        client_name: &open.client.name,
        redirect_host: shown_host(redirect_uri),
        username: &user.username,
        scopes: scopes
            .iter()
            .filter_map(|name| registry.get(name))
            .map(|scope| ScopeLine { name: &scope.name, text: &scope.text })
            .collect(),
        unproven: open.client.is_public() && open.client.redirect_uri(redirect_uri).is_none_or(|uri| uri.is_native()),
    };
    let policy = Policy { form_action: form_action(redirect_uri).into_iter().collect(), ..Policy::default() };
    Ok(app.pages.respond(StatusCode::OK, "consent.html", page, &policy))
}

/// POST /consent.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (visitor, form) = browser_form::checked(app, request, body).await?;
    let id = form.one("tx")?.ok_or(PageError::NoTransaction(None))?;
    let open = transaction::open(app, id, Some(&visitor)).await?;
    let target = open.request.target.clone();
    decide(app, &visitor, open, form.one("decision")?).await.or_else(|error| super::failed(app, target, error))
}

async fn decide(app: &App, visitor: &Visitor, open: Open, decision: Option<&str>) -> Result<HttpResponse, PageError> {
    match decision {
        Some("deny") => {
            let event = event(EventKind::ConsentDenied, visitor, &open.request, &open.request.scopes);
            let response = super::answer_with_error(app, open, denied).await?;
            app.audit.note(event).await;
            Ok(response)
        }
        Some("allow") => {
            // Only what the server itself would ask now: the form carries no scopes.
            let Step::Consent(scopes) = super::step(app, &open.request, &open.client, visitor).await? else {
                return Ok(see_other(&super::continue_url(app, &open.id)));
            };
            let request = open.request.clone();
            let response = super::answer_with_code(app, visitor, open, scopes.clone()).await?;
            remember(app, visitor, &request, &scopes).await;
            Ok(response)
        }
        _ => Err(ParameterError::Encoding.into()),
    }
}

/// Keeps the answer for the next time. The code is out already: without this the user is merely asked again.
async fn remember(app: &App, visitor: &Visitor, request: &AuthorizationRequest, scopes: &Scopes) {
    let Some(user) = &visitor.user else { return };
    let store = &app.consents;
    let put = async {
        let now = clock::now();
        let before = store.find(&user.id, &request.client).await?;
        let before = before.unwrap_or_else(|| Consent::none(&user.id, &request.client));
        let event = event(EventKind::ConsentGranted, visitor, request, scopes);
        store.put(&before.widened(scopes, &request.resources, now), &[event]).await
    };
    if let Err(error) = put.await {
        log::warn!("a consent was not remembered: {error}");
    }
}

fn event(kind: EventKind, visitor: &Visitor, request: &AuthorizationRequest, scopes: &Scopes) -> Event {
    let detail = json!({"scope": scopes, "resources": request.resources});
    let event = Event::new(kind).client(&request.client).sent_from(&visitor.origin).detail(detail);
    match &visitor.user {
        Some(user) => event.own(&user.id),
        None => event,
    }
}

///
fn denied(target: Target) -> Refusal {
    Refusal { target, error: ErrorCode::AccessDenied, description: "the user said no".to_owned() }
}
