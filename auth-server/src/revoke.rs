//! POST /revoke: a client gives a token back (RFC 7009, C-020 to C-028).

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::oauth::ErrorCode;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::error::OAuthError;
use crate::form::MachineForm;
use crate::origin::Origin;
use crate::token::client_auth;

pub async fn endpoint(
    app: web::Data<App>,
    request: HttpRequest,
    MachineForm(form): MachineForm,
) -> Result<HttpResponse, OAuthError> {
    // The token's own prefix says what it is, so a wrong or unknown hint changes nothing (C-023).
    form.one("token_type_hint")?;
    let token = form.one("token")?.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let client = client_auth::authenticate(&app, &request, &form).await?;
    // An unknown token is a success: the caller must not learn which tokens exist (RFC 7009 2.2).
    if let Some(found) = app.tokens.find_revocable(token).await? {
        if found.grant.client != client.id {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "the token was issued to another client"));
        }
        // A rotated refresh token ends its family as well: its client wants no more of it (C-026).
        let single = found.access.filter(|_| !client.flags.revoke_cascade);
        let what = if single.is_some() { "access_token" } else { "grant" };
        let event = Event::new(EventKind::TokenRevoked).actor(&client.id).of_grant(&found.grant).reason(what);
        app.audit.record(event.sent_from(&Origin::of(&request))).await?;
        match &single {
            Some(token) => app.tokens.revoke_access(token).await?,
            None => app.tokens.revoke(found.grant_key).await?,
        }
    }
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish())
}
