//! GET and POST /authorize, and the way back to it: an application asks for a code, a person signs in and allows it.
//!
//! ```text
//! /authorize ── request.rs ── next_step.rs ─┬─ Login ───► /login?tx=… ────┐
//!     ▲                                     ├─ NewPassword ► /account/password?tx=… ┤
//!     │                                     ├─ Consent ─► /consent?tx=… ──┤
//!     │                                     └─ Issue, Refuse ─► client    │
//!     └──────────── /authorize/continue?tx=… ◄────────────────────────────┘
//! ```
//!
//! A new step (a second factor, choosing an account): one more [`Step`], one endpoint that shows its page for a `tx`, and a
//! redirect to `/authorize/continue` when it is done.

pub mod consent;
pub mod next_step;
pub mod request;
pub mod respond;
#[cfg(test)]
mod tests;
pub mod transaction;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest as _, Sha256};
use shared::expiring::{Applied, Op};
use shared::form::{ParameterError, Parameters};
use shared::oauth::{ErrorCode, Scopes};
use shared::serve::client_ip;
use shared::store::StoreError;

use self::next_step::{Step, next_step};
use self::request::{AuthorizationRequest, PageFault, Refusal, Target};
use self::respond::{see_other, with_code, with_error};
use self::transaction::Open;
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::browser::Visitor;
use crate::browser_form;
use crate::client::{Client, GrantType};
use crate::error_page::PageError;
use crate::grant::{Code, NewGrant};
use crate::state::{self, Order, Outcome};

/// GET /authorize.
pub async fn get(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    begin(&app, &request, browser_form::query(&request)).await.unwrap_or_else(|error| error.respond(&app))
}

/// POST /authorize, the same from a form. A cross-site post carries no Lax cookies, so the request is kept and the browser
/// sent on by GET (A-044).
pub async fn post(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    let answer = async {
        let parameters = browser_form::fields(&request, body).await?;
        match read(&app, &parameters).await? {
            Read::Valid(wanted, _) => {
                app.openings.check(client_ip(&request))?;
                let target = wanted.target.clone();
                let kept = async {
                    let (id, op) = transaction::begin_op(&app, wanted, None)?;
                    state::apply_all(&**app.state.ephemeral(), vec![op]).await?;
                    Ok(id)
                };
                Ok(match kept.await {
                    Ok(id) => see_other(&continue_url(&app, &id)),
                    Err(error) => unavailable(&app, target, &error),
                })
            }
            Read::Refused(refusal) => Ok(with_error(&refusal, app.config.issuer.as_str())),
        }
    };
    answer.await.unwrap_or_else(|error: PageError| error.respond(&app))
}

/// GET /authorize/continue: where every step returns to.
pub async fn go_on(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_go_on(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

/// What became of an authorization request's parameters.
enum Read {
    Valid(AuthorizationRequest, Arc<Client>),
    Refused(Refusal),
}

/// Everything is checked before anybody is asked for a password (A-050).
async fn read(app: &App, parameters: &Parameters) -> Result<Read, PageError> {
    let id = request::client_id(parameters)?;
    let client = app.clients.find(id).await?.filter(|client| !client.disabled).ok_or(PageFault::UnknownClient)?;
    let target = request::target(parameters, &client)?;
    let registry = match app.scopes.registry().await {
        Ok(registry) => registry,
        Err(error) => return Ok(Read::Refused(outage(target.0, &error))),
    };
    Ok(match request::check(parameters, &client, &registry, &app.config.default_resource, target) {
        Ok(request) => Read::Valid(request, client),
        Err(refusal) => Read::Refused(refusal),
    })
}

async fn begin(
    app: &App,
    http: &HttpRequest,
    parameters: Result<Parameters, ParameterError>,
) -> Result<HttpResponse, PageError> {
    let parameters = parameters.map_err(PageFault::from)?;
    let (wanted, client) = match read(app, &parameters).await? {
        Read::Valid(wanted, client) => (wanted, client),
        Read::Refused(refusal) => return Ok(with_error(&refusal, app.config.issuer.as_str())),
    };
    let target = wanted.target.clone();
    first_step(app, http, wanted, &client).await.or_else(|error| failed(app, target, error))
}

/// The first step of a new request. It is only kept where a page must be shown.
async fn first_step(
    app: &App,
    http: &HttpRequest,
    wanted: AuthorizationRequest,
    client: &Client,
) -> Result<HttpResponse, PageError> {
    let (visitor, created) = Visitor::or_new(app, http).await?;
    let step = step(app, &wanted, client, &visitor).await?;
    let page = match step {
        Step::Login => "login",
        Step::NewPassword => "account/password",
        Step::Consent(_) => "consent",
        Step::Issue(scopes) => {
            return Ok(match issue(app, &visitor, &wanted, client, scopes, None).await? {
                Issued::Code(code) => with_code(&wanted.target, &code, app.config.issuer.as_str()),
                Issued::SignedOut | Issued::Answered => with_error(&late(wanted.target), app.config.issuer.as_str()),
            });
        }
        Step::Refuse => return Ok(with_error(&refused(wanted.target), app.config.issuer.as_str())),
    };
    app.openings.check(client_ip(http))?;
    let (id, kept) = transaction::begin_op(app, wanted, Some(visitor.session.data.browser.clone()))?;
    app.state.apply_all(created.into_iter().collect(), vec![kept], Order::DurableFirst).await?;
    Ok(visitor.answer(see_other(&page_url(app, page, &id))))
}

async fn try_go_on(app: &App, http: &HttpRequest) -> Result<HttpResponse, PageError> {
    let parameters = browser_form::query(http)?;
    let id = parameters.one("tx")?.ok_or(PageError::NoTransaction(None))?;
    // The browser that was sent here by our own answer to its POST may not have a cookie yet (A-044).
    let visitor = Visitor::any(app, http).await?;
    let open = transaction::open(app, id, Some(&visitor)).await?;
    let target = open.request.target.clone();
    next(app, visitor, open).await.or_else(|error| failed(app, target, error))
}

/// The next step of a kept request.
async fn next(app: &App, visitor: Visitor, open: Open) -> Result<HttpResponse, PageError> {
    let response = match step(app, &open.request, &open.client, &visitor).await? {
        Step::Login => see_other(&page_url(app, "login", &open.id)),
        Step::NewPassword => see_other(&page_url(app, "account/password", &open.id)),
        Step::Consent(_) => see_other(&page_url(app, "consent", &open.id)),
        Step::Issue(scopes) => answer_with_code(app, &visitor, open, scopes).await?,
        Step::Refuse => answer_with_error(app, open, refused).await?,
    };
    Ok(visitor.answer(response))
}

async fn step(
    app: &App,
    wanted: &AuthorizationRequest,
    client: &Client,
    visitor: &Visitor,
) -> Result<Step, StoreError> {
    let consent = match &visitor.user {
        Some(user) => app.consents.find(&user.id, &client.id).await?,
        None => None,
    };
    let registry = app.scopes.registry().await?;
    Ok(next_step(wanted, client, visitor.user.as_ref(), consent.as_ref(), &registry))
}

/// Ends a transaction with a code; whoever comes second is told so (A-046).
async fn answer_with_code(app: &App, visitor: &Visitor, open: Open, scopes: Scopes) -> Result<HttpResponse, PageError> {
    let claim = app.transactions.claim_op(&open.id, Vec::new());
    match issue(app, visitor, &open.request, &open.client, scopes, Some(claim)).await? {
        Issued::Code(code) => Ok(with_code(&open.request.target, &code, app.config.issuer.as_str())),
        Issued::SignedOut => answer_with_error(app, open, late).await,
        Issued::Answered => Err(PageError::Answered(open.client)),
    }
}

/// Ends a transaction with an error for the client.
async fn answer_with_error(
    app: &App,
    open: Open,
    refusal: impl FnOnce(Target) -> Refusal,
) -> Result<HttpResponse, PageError> {
    let claim = app.transactions.claim_op(&open.id, Vec::new());
    match app.state.ephemeral().apply(vec![claim]).await? {
        Applied::Done => Ok(with_error(&refusal(open.request.target), app.config.issuer.as_str())),
        Applied::Refused { .. } => Err(PageError::Answered(open.client)),
    }
}

/// Without a code nothing was written.
enum Issued {
    Code(String),
    /// The session ended since it was read.
    SignedOut,
    /// The transaction was answered since it was read.
    Answered,
}

/// Writes grant and code, only while the session lives, and claims the transaction, so that one answer makes at most one code
/// that anybody learns of.
async fn issue(
    app: &App,
    visitor: &Visitor,
    wanted: &AuthorizationRequest,
    client: &Client,
    scopes: Scopes,
    claim: Option<Op>,
) -> Result<Issued, StoreError> {
    let (Some(user), Some(signed_in)) = (&visitor.user, &visitor.session.data.signed_in) else {
        return Ok(Issued::SignedOut);
    };
    let grant = NewGrant {
        grant_type: GrantType::AuthorizationCode,
        client,
        user: Some(user),
        scopes,
        resources: wanted.resources.clone(),
        session: Some(session_digest(visitor.session.id())),
        auth_time: Some(signed_in.auth_time),
        origin: Some(visitor.origin.clone()),
    };
    let code = Code {
        redirect_uri: wanted.target.redirect_uri.clone(),
        redirect_uri_sent: wanted.redirect_uri_sent,
        code_challenge: wanted.code_challenge.clone(),
        nonce: None,
    };
    // The code first: where another answer has claimed the transaction meanwhile, nobody gets to know it.
    let mut ops = vec![app.sessions.require_op(&visitor.session)];
    let text = app.tokens.issue_code_ops(grant, &code, &mut ops)?;
    Ok(match app.state.apply(ops, claim.into_iter().collect(), Order::DurableFirst).await? {
        Outcome::Done => {
            let event = Event::new(EventKind::CodeIssued).own(&user.id).client(&client.id).sent_from(&visitor.origin);
            app.audit.note_soon(event).await;
            Issued::Code(text)
        }
        Outcome::DurableRefused { .. } => Issued::SignedOut,
        Outcome::EphemeralRefused => Issued::Answered,
    })
}

fn late(target: Target) -> Refusal {
    Refusal { target, error: ErrorCode::TemporarilyUnavailable, description: "the session ended meanwhile".to_owned() }
}

fn refused(target: Target) -> Refusal {
    let description = "nothing that was asked for is open to this user".to_owned();
    Refusal { target, error: ErrorCode::AccessDenied, description }
}

fn outage(target: Target, error: &StoreError) -> Refusal {
    log::error!("authorization request: {error}");
    let (error, description) = match error {
        StoreError::Unavailable(_) | StoreError::Deadline => {
            (ErrorCode::TemporarilyUnavailable, "the server can't reach its store right now")
        }
        StoreError::Conflict { .. } | StoreError::Refused(_) | StoreError::TooLarge | StoreError::Corrupt(_) => {
            (ErrorCode::ServerError, "the server has a fault")
        }
    };
    Refusal { target, error, description: description.to_owned() }
}

/// A-029, X-030.
fn unavailable(app: &App, target: Target, error: &StoreError) -> HttpResponse {
    with_error(&outage(target, error), app.config.issuer.as_str())
}

/// A failure of ours while a transaction is answered: the client hears of it (A-029, X-030). Other errors stay with the
/// user.
fn failed(app: &App, target: Target, error: PageError) -> Result<HttpResponse, PageError> {
    let error = match error {
        PageError::Unavailable(reason) => StoreError::Unavailable(reason),
        PageError::Failed(reason) => StoreError::Corrupt(reason),
        other => return Err(other),
    };
    Ok(unavailable(app, target, &error))
}

/// What a grant keeps of the session it was given in (A-045, X-021).
pub fn session_digest(id: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(id))
}

fn continue_url(app: &App, id: &str) -> String {
    page_url(app, "authorize/continue", id)
}

fn page_url(app: &App, page: &str, id: &str) -> String {
    format!("{}/{page}?tx={id}", app.config.root())
}
