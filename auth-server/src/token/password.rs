//! The password grant in Flask-Sentinel's shape: legacy, off by default, for opted-in first-party clients (B-060 to B-068).

use shared::Secret;
use shared::clock;
use shared::form::Parameters;
use shared::oauth::{ErrorCode, Scopes, TokenResponse};

use super::{Asking, audience_for, issue, required, scope};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::client::{Client, GrantType};
use crate::error::OAuthError;
use crate::grant::NewGrant;
use crate::scope::told;
use crate::sign_in::{self, Answer, By};

pub struct Request<'a> {
    username: &'a str,
    password: Secret,
}

impl<'a> Request<'a> {
    pub fn read(form: &'a Parameters) -> Result<Self, OAuthError> {
        let password = Secret::new(required(form, "password")?);
        Ok(Self { username: required(form, "username")?, password })
    }

    pub async fn sign_in(&self, asking: &Asking<'_>) -> Result<TokenResponse, OAuthError> {
        let Asking { app, client, form, origin } = asking;
        if !client.flags.first_party {
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not use this grant"));
        }
        let by = By::Client(&client.id);
        let user = match sign_in::check(app, origin, by, self.username, self.password.clone()).await? {
            Answer::Accepted { user, .. } => user,
            Answer::Refused => return Err(OAuthError::invalid_grant()),
            Answer::Throttled { retry_after } => return Err(OAuthError::Throttled { retry_after }),
        };
        let event = Event::new(EventKind::LoginSucceeded).own(&user.id).client(&client.id).sent_from(origin);
        app.audit.note_soon(event.reason(GrantType::Password.as_str())).await;
        let new = NewGrant {
            grant_type: GrantType::Password,
            client,
            user: Some(&user),
            scopes: scopes_of(app, client, scope(form)?).await?,
            resources: audience_for(app, client, form)?,
            session: None,
            auth_time: Some(clock::now()),
            origin: Some(origin.clone()),
        };
        issue(asking, new, client.permits(GrantType::RefreshToken)).await
    }
}

/// As everywhere, but that scopes bound to a role are never given this way, and that an imported client may
/// get none (B-066).
async fn scopes_of(app: &App, client: &Client, asked: Option<Scopes>) -> Result<Scopes, OAuthError> {
    if asked.is_none() && client.flags.allow_empty_scope {
        return Ok(Scopes::default());
    }
    let registry = app.scopes.registry().await?;
    let invalid = |description: String| OAuthError::new(ErrorCode::InvalidScope, description);
    let chosen = client.scopes_for(asked.as_ref(), &registry).map_err(|refusal| invalid(refusal.to_string()))?;
    let open = registry.without_role(&chosen);
    if open.is_empty() || (asked.is_some() && open != chosen) {
        let refused = told(&chosen.without(&open));
        return Err(invalid(format!("scope names {refused}, which the password grant never gives")));
    }
    Ok(open)
}
