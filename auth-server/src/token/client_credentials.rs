//! The client_credentials grant: a machine acts for itself (RFC 6749 4.4, B-090 to B-093).

use shared::oauth::{ErrorCode, Scopes, TokenResponse};

use super::{Asking, audience_for, scope};
use crate::client::GrantType;
use crate::error::OAuthError;
use crate::grant::NewGrant;
use crate::scope::told;

/// Scopes that speak of a person (B-092).
const PERSONAL: [&str; 4] = ["openid", "profile", "email", "offline_access"];

pub async fn issue(asking: &Asking<'_>) -> Result<TokenResponse, OAuthError> {
    let Asking { app, client, form, .. } = asking;
    let asked = scope(form)?;
    let registry = app.scopes.registry().await?;
    let invalid = |description: String| OAuthError::new(ErrorCode::InvalidScope, description);
    let chosen = client.scopes_for(asked.as_ref(), &registry).map_err(|refusal| invalid(refusal.to_string()))?;
    let for_machines: Scopes =
        registry.without_role(&chosen).iter().filter(|scope| !PERSONAL.contains(scope)).collect();
    if for_machines.is_empty() || (asked.is_some() && chosen != for_machines) {
        let refused = chosen.without(&for_machines);
        return Err(invalid(format!("scope names {}, which only people can have", told(&refused))));
    }
    let new = NewGrant {
        grant_type: GrantType::ClientCredentials,
        client,
        user: None,
        scopes: for_machines,
        resources: audience_for(app, client, form)?,
        session: None,
        auth_time: None,
        origin: None,
    };
    super::issue(asking, new, false).await
}
