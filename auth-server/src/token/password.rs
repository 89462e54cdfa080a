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
use crate::users::{Authentication, Refusal};

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
        let user = match app.users.authenticate(self.username, self.password.clone()).await? {
            // A password to be changed first can't be changed here (F-014).
            Authentication::Accepted { user, .. } if !user.must_change => user,
            Authentication::Accepted { user, .. } => {
                return Err(refused(asking, &Refusal { user: Some(user.id), reason: "must_change_password" }).await);
            }
            Authentication::Refused(refusal) => return Err(refused(asking, &refusal).await),
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

async fn refused(asking: &Asking<'_>, refusal: &Refusal) -> OAuthError {
    let event = Event::login_failed(refusal).client(&asking.client.id).sent_from(&asking.origin);
    asking.app.audit.note(event).await;
    OAuthError::invalid_grant()
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
        return Err(invalid("scope names what the password grant never gives".to_owned()));
    }
    Ok(open)
}
