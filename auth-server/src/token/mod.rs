//! POST /token: the phases that every grant shares, the first failing one decides the answer (B-003).
//!
//! A new grant: one file here, one arm in [`GrantRequest`]'s two functions, one variant of [`GrantType`].

mod authorization_code;
pub mod client_auth;
mod client_credentials;
mod password;
mod refresh_token;

use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use shared::clock;
use shared::form::Parameters;
use shared::oauth::{ErrorCode, Scopes, TokenResponse};

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::client::{Client, GrantType};
use crate::error::OAuthError;
use crate::form::MachineForm;
use crate::grant::{Grant, NewGrant};
use crate::notices::{Notice, NoticeKind};
use crate::origin::Origin;
use crate::resource::{self, ResourceFault};

/// Everything any grant reads; given twice it is refused, whichever the grant.
const KNOWN: [&str; 13] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "username",
    "password",
    "scope",
    "refresh_token",
    "state",
];

/// A parsed request of one grant.
enum GrantRequest<'a> {
    AuthorizationCode(authorization_code::Request<'a>),
    RefreshToken(refresh_token::Request<'a>),
    ClientCredentials,
    Password(password::Request<'a>),
}

pub async fn endpoint(
    app: web::Data<App>,
    request: HttpRequest,
    MachineForm(form): MachineForm,
) -> Result<HttpResponse, OAuthError> {
    let tokens = tokens(&app, &request, &form).await;
    let grant = form.one("grant_type").ok().flatten().and_then(GrantType::named).map_or("unknown", GrantType::as_str);
    app.counts.token_requests.count([grant, tokens.as_ref().map_or_else(OAuthError::name, |_| "issued")]);
    Ok(answer(&tokens?))
}

async fn tokens(app: &App, request: &HttpRequest, form: &Parameters) -> Result<TokenResponse, OAuthError> {
    for name in KNOWN {
        form.one(name)?;
    }
    let (grant_type, grant) = GrantRequest::read(app, form)?;
    let client = client_auth::authenticate(app, request, form).await?;
    if !client.permits(grant_type) || (grant_type == GrantType::ClientCredentials && client.is_public()) {
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not use this grant"));
    }
    let asking = Asking { app, client: &client, form, origin: Origin::of(request) };
    match grant {
        GrantRequest::AuthorizationCode(grant) => grant.redeem(&asking).await,
        GrantRequest::RefreshToken(grant) => grant.refresh(&asking).await,
        GrantRequest::ClientCredentials => client_credentials::issue(&asking).await,
        GrantRequest::Password(grant) => grant.sign_in(&asking).await,
    }
}

/// A request whose client is proved, and may use its grant.
struct Asking<'a> {
    app: &'a App,
    client: &'a Client,
    form: &'a Parameters,
    origin: Origin,
}

impl Asking<'_> {
    /// An event that this client caused.
    fn event(&self, kind: EventKind) -> Event {
        Event::new(kind).actor(&self.client.id).client(&self.client.id).sent_from(&self.origin)
    }

    /// Tells the log, and the person whose grant was revoked to protect him.
    async fn note_theft(&self, event: EventKind, notice: NoticeKind, grant: &Grant) {
        if let Some(user) = &grant.user {
            let notice = Notice { kind: notice, client: grant.client.clone(), at: clock::now() };
            self.app.notices.leave(&user.id, &notice).await;
        }
        self.app.audit.note(self.event(event).of_grant(grant)).await;
    }

    /// Tells the log of tokens that were given, for a user or for the client itself (F-061).
    async fn note_tokens(&self, kind: EventKind, user: Option<&str>, by: GrantType, tokens: &TokenResponse) {
        let mut event = self.event(kind).reason(by.as_str());
        event.subject = user.map(str::to_owned);
        event.detail = tokens.scope.as_ref().map(|scopes| json!({ "scope": scopes }));
        self.app.audit.note_soon(event).await;
    }
}

impl<'a> GrantRequest<'a> {
    fn read(app: &App, form: &'a Parameters) -> Result<(GrantType, Self), OAuthError> {
        let name = form.one("grant_type")?.ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
        Ok(match GrantType::named(name) {
            Some(kind @ GrantType::AuthorizationCode) => {
                (kind, Self::AuthorizationCode(authorization_code::Request::read(form)?))
            }
            Some(kind @ GrantType::RefreshToken) => (kind, Self::RefreshToken(refresh_token::Request::read(form)?)),
            Some(kind @ GrantType::ClientCredentials) => (kind, Self::ClientCredentials),
            Some(kind @ GrantType::Password) if app.config.password_grant => {
                (kind, Self::Password(password::Request::read(form)?))
            }
            _ => return Err(OAuthError::new(ErrorCode::UnsupportedGrantType, "this grant_type is not supported")),
        })
    }
}

/// Tokens of a grant that no code or earlier token stands for. What was disabled or changed while they were made gets none:
/// its revocation may have come before they were there (B-008, B-084).
async fn issue(asking: &Asking<'_>, new: NewGrant<'_>, refresh: bool) -> Result<TokenResponse, OAuthError> {
    let (app, client, user, grant_type) = (asking.app, new.client, new.user, new.grant_type);
    let tokens = app.tokens.issue(new, refresh).await?;
    let client_stands = stands(app, client).await?;
    let user_stands = match user {
        Some(user) => app.users.find(&user.id).await?.is_some_and(|now| now.version == user.version),
        None => true,
    };
    if client_stands && user_stands {
        asking.note_tokens(EventKind::TokenIssued, user.map(|user| user.id.as_str()), grant_type, &tokens).await;
        return Ok(tokens);
    }
    app.tokens.revoke_family_of(&tokens.access_token).await?;
    Err(if client_stands { OAuthError::invalid_grant() } else { OAuthError::invalid_client() })
}

/// Whether the client may still have tokens, as the store has it now: another process may have removed it.
async fn stands(app: &App, client: &Client) -> Result<bool, OAuthError> {
    Ok(app.clients.read(&client.id).await?.is_some_and(|now| !now.disabled))
}

/// B-004.
fn answer(tokens: &TokenResponse) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache")).json(tokens)
}

fn required<'a>(form: &'a Parameters, name: &'static str) -> Result<&'a str, OAuthError> {
    form.one(name)?.ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
}

/// The `scope` parameter; absent is `None`. Judged after the client and its grant, as nobody else learns what is wrong with
/// it (B-003).
fn scope(form: &Parameters) -> Result<Option<Scopes>, OAuthError> {
    let parsed = form.one("scope")?.map(str::parse::<Scopes>).transpose();
    parsed.map_err(|error| OAuthError::new(ErrorCode::InvalidScope, error.to_string()))
}

/// The audience of a token: what is asked for among what `client` may ask for, or the default resource.
fn audience_for(app: &App, client: &Client, form: &Parameters) -> Result<Vec<String>, OAuthError> {
    let default = &app.config.default_resource;
    let allowed = |resource: &str| client.may_ask_for(resource, default);
    Ok(resource::choose(form.all("resource"), allowed, std::slice::from_ref(default))?)
}

/// The audience of a token: what is asked for within what was granted (B-050, B-075).
fn audience_within(granted: &[String], form: &Parameters) -> Result<Vec<String>, OAuthError> {
    let allowed = |resource: &str| granted.iter().any(|one| one == resource);
    Ok(resource::choose(form.all("resource"), allowed, granted)?)
}

impl From<ResourceFault> for OAuthError {
    fn from(fault: ResourceFault) -> Self {
        OAuthError::new(ErrorCode::InvalidTarget, format!("resource: {fault}"))
    }
}
