//! POST /introspect: a resource server asks about a token (RFC 7662, C-001 to C-008).

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::Parameters;
use shared::oauth::{ErrorCode, Scopes};

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::bearer;
use crate::client::Client;
use crate::error::OAuthError;
use crate::form::MachineForm;
use crate::origin::Origin;
use crate::token::client_auth;
use crate::tokens::LiveToken;

/// The whole answer for every token that is not good, whatever the reason (C-003).
const INACTIVE: &str = r#"{"active":false}"#;

/// What is told of an active token (C-005); the borrowed form of [`shared::oauth::Introspection`].
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    scope: &'a Scopes,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    sub: &'a str,
    aud: &'a [String],
    iss: &'a str,
    exp: i64,
    iat: i64,
    jti: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    family: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
}

pub async fn endpoint(
    app: web::Data<App>,
    request: HttpRequest,
    MachineForm(form): MachineForm,
) -> Result<HttpResponse, OAuthError> {
    // A hint is only a hint: the token's own prefix says what it is (C-002).
    form.one("token_type_hint")?;
    let token = form.one("token")?.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let client = resource_server(&app, &request, &form).await?;
    let found = app.tokens.introspect(token).await?.filter(|live| concerns(&client, live));
    let Some(LiveToken { token: live, family }) = found else {
        app.counts.inactive_tokens.increment(1);
        return Ok(answer(INACTIVE.into()));
    };
    app.counts.active_tokens.increment(1);
    let body = serde_json::to_vec(&Active {
        active: true,
        scope: &live.scopes,
        client_id: &live.client,
        username: live.username.as_deref(),
        sub: &live.sub,
        aud: &live.aud,
        iss: app.config.issuer.as_str(),
        exp: live.exp,
        iat: live.iat,
        jti: bearer::token_handle(token),
        token_type: "Bearer",
        roles: &live.roles,
        family: &family,
        auth_time: live.auth_time,
    });
    Ok(answer(body.expect("strings and numbers can be written as JSON")))
}

/// The caller, where it is one that may ask (C-001).
pub async fn resource_server(app: &App, request: &HttpRequest, form: &Parameters) -> Result<Arc<Client>, OAuthError> {
    let client = client_auth::authenticate(app, request, form).await?;
    if client.is_public() {
        return Err(OAuthError::invalid_client());
    }
    if client.introspects.is_empty() {
        let event = Event::new(EventKind::IntrospectionRefused).actor(&client.id).client(&client.id);
        app.audit.note(event.sent_from(&Origin::of(request))).await;
        return Err(OAuthError::new(ErrorCode::AccessDenied, "this client may not introspect tokens"));
    }
    Ok(client)
}

/// A caller sees only tokens that are for it (C-004).
fn concerns(caller: &Client, live: &LiveToken) -> bool {
    live.token.aud.iter().any(|aud| caller.introspects.contains(aud))
}

fn answer(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .body(body)
}
