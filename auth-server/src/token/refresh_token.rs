//! The refresh_token grant (RFC 6749 6, B-070 to B-084).

use shared::clock;
use shared::form::Parameters;
use shared::oauth::{ErrorCode, Scopes, TokenResponse};

use super::{Asking, audience_within, required, scope};
use crate::app::App;
use crate::audit::EventKind;
use crate::client::{Client, GrantType};
use crate::error::OAuthError;
use crate::grant::{Grant, RefreshParameters};
use crate::notices::NoticeKind;
use crate::scope::told;
use crate::tokens::{PresentedRefresh, Repeated, Rotated, Wanted};
use crate::user::User;

pub struct Request<'a> {
    refresh_token: &'a str,
}

impl<'a> Request<'a> {
    pub fn read(form: &'a Parameters) -> Result<Self, OAuthError> {
        Ok(Self { refresh_token: required(form, "refresh_token")? })
    }

    pub async fn refresh(&self, asking: &Asking<'_>) -> Result<TokenResponse, OAuthError> {
        let Asking { app, client, form, .. } = asking;
        // Whoever is overtaken finds the token rotated when it reads it again, or the grant with a note more.
        for _ in 0..3 {
            let presented = app.tokens.find_refresh(self.refresh_token).await?.ok_or_else(OAuthError::invalid_grant)?;
            let grant = &presented.grant.value;
            if grant.client != client.id {
                app.audit.note(asking.event(EventKind::ForeignToken).of_grant(grant)).await;
                return Err(OAuthError::invalid_grant());
            }
            if presented.token.claimed_for.is_some() {
                return repeat(asking, &presented, &asked(form)?).await;
            }
            if presented.token.value.expires_at <= clock::now() {
                return Err(OAuthError::invalid_grant());
            }
            let user = holder(app, grant).await?;
            let asked = asked(form)?;
            let scopes = effective_scopes(app, grant, client, user.as_ref(), asked.scopes.as_ref()).await?;
            let aud = audience_within(&grant.resources, form)?;
            let wanted = Wanted { client, user: user.as_ref(), asked, scopes, aud };
            match app.tokens.rotate(&presented, wanted).await? {
                Rotated::Issued(tokens) => {
                    note(asking, grant, &tokens).await;
                    return Ok(tokens);
                }
                Rotated::Overtaken => {}
                Rotated::Gone => return Err(OAuthError::invalid_grant()),
            }
        }
        Err(OAuthError::invalid_grant())
    }
}

fn asked(form: &Parameters) -> Result<RefreshParameters, OAuthError> {
    let mut resources: Vec<String> = form.all("resource").map(str::to_owned).collect();
    resources.sort_unstable();
    Ok(RefreshParameters { scopes: scope(form)?, resources })
}

/// The asked-for part of what was granted (B-073), less what the client or user has lost since (B-076).
async fn effective_scopes(
    app: &App,
    grant: &Grant,
    client: &Client,
    user: Option<&User>,
    asked: Option<&Scopes>,
) -> Result<Scopes, OAuthError> {
    let asked = asked.unwrap_or(&grant.scopes);
    if !asked.within(&grant.scopes) {
        let more = told(&asked.without(&grant.scopes));
        return Err(OAuthError::new(ErrorCode::InvalidScope, format!("scope names {more}, which was not granted")));
    }
    if asked.is_empty() {
        return Ok(Scopes::default());
    }
    let registry = app.scopes.registry().await?;
    let kept = asked.intersection(&client.scopes);
    let kept = match user {
        Some(user) => registry.open_to(user, &kept),
        None => registry.without_role(&kept),
    };
    if kept.is_empty() { Err(OAuthError::invalid_grant()) } else { Ok(kept) }
}

/// Whose grant it is, still enabled (B-008).
async fn holder(app: &App, grant: &Grant) -> Result<Option<User>, OAuthError> {
    let Some(holder) = &grant.user else { return Ok(None) };
    let user = app.users.find(&holder.id).await?.filter(|user| !user.disabled);
    user.map(Some).ok_or_else(OAuthError::invalid_grant)
}

async fn repeat(
    asking: &Asking<'_>,
    presented: &PresentedRefresh,
    asked: &RefreshParameters,
) -> Result<TokenResponse, OAuthError> {
    match asking.app.tokens.repeat(presented, asked).await? {
        Repeated::Issued(tokens) => {
            note(asking, &presented.grant.value, &tokens).await;
            Ok(tokens)
        }
        Repeated::Refused => Err(OAuthError::invalid_grant()),
        Repeated::Reused => {
            let grant = &presented.grant.value;
            asking.note_theft(EventKind::RefreshReused, NoticeKind::RefreshReused, grant).await;
            Err(OAuthError::invalid_grant())
        }
    }
}

async fn note(asking: &Asking<'_>, grant: &Grant, tokens: &TokenResponse) {
    let user = grant.user.as_ref().map(|user| user.id.as_str());
    asking.note_tokens(EventKind::TokenRefreshed, user, GrantType::RefreshToken, tokens).await;
}
