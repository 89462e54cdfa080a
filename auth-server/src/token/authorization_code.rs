//! The authorization_code grant (RFC 6749 4.1.3, B-040 to B-052).

use shared::form::Parameters;
use shared::oauth::TokenResponse;

use super::{Asking, audience_within, required, stands};
use crate::audit::EventKind;
use crate::client::GrantType;
use crate::error::OAuthError;
use crate::grant::{CodeRefusal, Grant, Redemption};
use crate::notices::NoticeKind;
use crate::tokens::Redeemed;

/// `scope` is ignored: the code decides (B-051).
pub struct Request<'a> {
    code: &'a str,
    shown: Redemption<'a>,
}

impl<'a> Request<'a> {
    pub fn read(form: &'a Parameters) -> Result<Self, OAuthError> {
        let shown = Redemption { redirect_uri: form.one("redirect_uri")?, code_verifier: form.one("code_verifier")? };
        Ok(Self { code: required(form, "code")?, shown })
    }

    pub async fn redeem(&self, asking: &Asking<'_>) -> Result<TokenResponse, OAuthError> {
        let Asking { app, client, form, .. } = asking;
        let presented = app.tokens.find_code(self.code).await?.ok_or_else(OAuthError::invalid_grant)?;
        let grant = &presented.grant.value;
        grant.check_code(&presented.code.value, client, &self.shown).map_err(|refusal| match refusal {
            CodeRefusal::UnexpectedVerifier => OAuthError::invalid_request(refusal.to_string()),
            other => {
                log::info!("a code was not redeemed: {other}");
                OAuthError::invalid_grant()
            }
        })?;
        if presented.code.claimed_for.is_some() {
            return Err(self.replayed(asking, grant).await?);
        }
        let user = match &grant.user {
            Some(holder) => {
                let user = app.users.find(&holder.id).await?.filter(|user| !user.disabled);
                Some(user.ok_or_else(OAuthError::invalid_grant)?)
            }
            None => None,
        };
        let audience = audience_within(&grant.resources, form)?;
        let refresh = client.permits(GrantType::RefreshToken);
        match app.tokens.redeem(&presented, client, user.as_ref(), audience, refresh).await? {
            Redeemed::Issued(tokens) if stands(app, client).await? => {
                app.audit.note_soon(asking.event(EventKind::CodeRedeemed).of_grant(grant)).await;
                let user = user.as_ref().map(|user| user.id.as_str());
                asking.note_tokens(EventKind::TokenIssued, user, grant.grant_type, &tokens).await;
                Ok(tokens)
            }
            // Removed by another process before the code was issued: no revocation saw this grant (B-084).
            Redeemed::Issued(tokens) => {
                app.tokens.revoke_family_of(&tokens.access_token).await?;
                Err(OAuthError::invalid_client())
            }
            Redeemed::Again => Err(self.replayed(asking, grant).await?),
            Redeemed::Gone => Err(OAuthError::invalid_grant()),
        }
    }

    /// The second request that is valid in every respect: one of the two was not the client's, so all its tokens die
    /// (B-047).
    async fn replayed(&self, asking: &Asking<'_>, grant: &Grant) -> Result<OAuthError, OAuthError> {
        asking.app.tokens.revoke_family_of(self.code).await?;
        asking.note_theft(EventKind::CodeReplayed, NoticeKind::CodeReplayed, grant).await;
        Ok(OAuthError::invalid_grant())
    }
}
