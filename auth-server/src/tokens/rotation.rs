//! Refresh tokens: each use replaces the token by a successor that is derived from it, so that a repeated use within the
//! grace computes the same pair and nothing replayable is stored (B-072 to B-082, decisions 6).

use std::time::Duration;

use shared::clock;
use shared::expiring::{Held, Op};
use shared::oauth::{Scopes, TokenResponse};
use shared::store::StoreError;

use super::{Tokens, access_token};
use crate::bearer::{self, GrantHandle, Kind};
use crate::client::Client;
use crate::config::Lifetimes;
use crate::grant::{Grant, RefreshParameters, RefreshToken, Repeat, Rotation};
use crate::state::{Order, Outcome, read_two};
use crate::user::User;

const REFRESH_SUCCESSOR: &str = "refresh token's successor";
const ACCESS_SUCCESSOR: &str = "access token of a refresh token";

/// A refresh token as presented, with its grant; neither is judged yet.
pub struct PresentedRefresh {
    text: String,
    handle: GrantHandle,
    pub token: Held<RefreshToken>,
    pub grant: Held<Grant>,
}

/// What a refresh is to give.
pub struct Wanted<'a> {
    pub client: &'a Client,
    pub user: Option<&'a User>,
    /// As the request had them.
    pub asked: RefreshParameters,
    pub scopes: Scopes,
    pub aud: Vec<String>,
}

/// What became of a refresh.
pub enum Rotated {
    Issued(TokenResponse),
    /// Another request rotated the token first: read it again and [judge](Tokens::repeat) the repeat.
    Overtaken,
    /// The token expired, or its grant was revoked, meanwhile.
    Gone,
}

/// What became of a token that was rotated before.
pub enum Repeated {
    Issued(TokenResponse),
    Refused,
    /// The family is revoked (B-080).
    Reused,
}

impl Tokens {
    /// The refresh token and its grant by one read; `None` where either is gone.
    pub async fn find_refresh(&self, text: &str) -> Result<Option<PresentedRefresh>, StoreError> {
        let Some(handle) = bearer::grant_of(Kind::RefreshToken, text) else { return Ok(None) };
        let [token, grant] =
            read_two(&**self.state.durable(), self.refresh.key(text), self.grants.key(&handle.id())).await?;
        let (Some(token), Some(grant)) = (token, grant) else { return Ok(None) };
        let (token, grant) = (self.refresh.read(token)?, self.grants.read(grant)?);
        Ok(Some(PresentedRefresh { text: text.to_owned(), handle, token, grant }))
    }

    /// Gives a new pair for a token that is good. Whoever claims it first decides what the pair is.
    pub async fn rotate(&self, presented: &PresentedRefresh, wanted: Wanted<'_>) -> Result<Rotated, StoreError> {
        if !wanted.client.rotates_refresh_tokens() {
            return self.renew(presented, wanted).await;
        }
        let now = clock::now();
        let (handle, grant) = (presented.handle, &presented.grant.value);
        let ttl = self.access_ttl(wanted.client);
        let access = access_token(grant, wanted.user, wanted.scopes.clone(), wanted.aud, now, ttl);
        let generation = presented.token.value.generation + 1;
        let (refresh, life, kept) = self.refresh_entry(grant, generation, now);
        let renewed = Grant { used_at: Some(now), ..grant.clone() };
        let note = Rotation { asked: wanted.asked, scopes: wanted.scopes, exp: access.exp };
        let access_source = access_source(&presented.text, &note.asked)?;
        let access_text =
            bearer::compose(Kind::AccessToken, handle, &self.keys.derive(ACCESS_SUCCESSOR, &access_source));
        let refresh_source = presented.text.as_bytes();
        let refresh_text =
            bearer::compose(Kind::RefreshToken, handle, &self.keys.derive(REFRESH_SUCCESSOR, refresh_source));
        let lasting = vec![
            self.refresh.claim_op(&presented.text, written(&note)?),
            self.grants.update_op(&handle.id(), presented.grant.version, &renewed, Some(life.max(ttl)))?,
            self.refresh.insert_op(&refresh_text, &refresh, kept, Vec::new())?,
        ];
        let issue = vec![self.access.insert_op(&access_text, &access, ttl, Vec::new())?];
        Ok(match self.state.apply(lasting, issue, Order::EphemeralFirst).await? {
            Outcome::Done => Rotated::Issued(answer(access_text, Some(refresh_text), note.scopes, ttl)),
            Outcome::DurableRefused { found: None, .. } => Rotated::Gone,
            _ => Rotated::Overtaken,
        })
    }

    /// Judges a token that was rotated before: the same pair again, a refusal, or the end of the family.
    pub async fn repeat(
        &self,
        presented: &PresentedRefresh,
        asked: &RefreshParameters,
    ) -> Result<Repeated, StoreError> {
        let claimed_for = presented.token.claimed_for.unwrap_or(Duration::MAX);
        let note: Rotation = serde_json::from_slice(&presented.token.note)
            .map_err(|error| StoreError::Corrupt(format!("a rotation's note: {error}")))?;
        let successor = self.find_successor(presented, &note.asked).await?;
        let unused = successor.as_ref().is_some_and(|(_, _, held)| held.claimed_for.is_none());
        let grace = Lifetimes::seconds(self.lifetimes.refresh_grace);
        match (note.repeat(asked, claimed_for, grace, unused), successor) {
            (Repeat::SameAgain, Some((access, refresh, _))) => {
                let left = u64::try_from(note.exp - clock::now()).unwrap_or_default();
                Ok(Repeated::Issued(answer(access, Some(refresh), note.scopes, Duration::from_secs(left))))
            }
            (Repeat::Refuse, _) => Ok(Repeated::Refused),
            _ => {
                self.revoke(self.grants.key(&presented.handle.id())).await?;
                Ok(Repeated::Reused)
            }
        }
    }

    /// The pair that a rotated token led to, under whichever master key it was derived with.
    async fn find_successor(
        &self,
        presented: &PresentedRefresh,
        asked: &RefreshParameters,
    ) -> Result<Option<(String, String, Held<RefreshToken>)>, StoreError> {
        let access_source = access_source(&presented.text, asked)?;
        let access = self.keys.derive_all(ACCESS_SUCCESSOR, &access_source);
        let refresh = self.keys.derive_all(REFRESH_SUCCESSOR, presented.text.as_bytes());
        for (access, refresh) in access.zip(refresh) {
            let refresh = bearer::compose(Kind::RefreshToken, presented.handle, &refresh);
            if let Some(held) = self.refresh.get(&refresh).await? {
                return Ok(Some((bearer::compose(Kind::AccessToken, presented.handle, &access), refresh, held)));
            }
        }
        Ok(None)
    }

    /// For clients whose refresh token stays: a new access token, and more idle time (B-072, B-077).
    async fn renew(&self, presented: &PresentedRefresh, wanted: Wanted<'_>) -> Result<Rotated, StoreError> {
        let now = clock::now();
        let (handle, grant) = (presented.handle, &presented.grant.value);
        let ttl = self.access_ttl(wanted.client);
        let text = bearer::random(Kind::AccessToken, handle);
        let access = access_token(grant, wanted.user, wanted.scopes.clone(), wanted.aud, now, ttl);
        let (refresh, life, _) = self.refresh_entry(grant, presented.token.value.generation, now);
        let issue = self.access.insert_op(&text, &access, ttl, Vec::new())?;
        let renewed_grant = Grant { used_at: Some(now), ..grant.clone() };
        let renewed = vec![
            self.refresh.update_op(&presented.text, presented.token.version, &refresh, None)?,
            self.grants.update_op(&handle.id(), presented.grant.version, &renewed_grant, Some(life.max(ttl)))?,
        ];
        let response = || answer(text.clone(), None, wanted.scopes.clone(), ttl);
        match self.state.apply(renewed, vec![issue.clone()], Order::EphemeralFirst).await? {
            Outcome::Done => return Ok(Rotated::Issued(response())),
            Outcome::DurableRefused { found: None, .. } => return Ok(Rotated::Gone),
            _ => {}
        }
        // Another use of the same token has just renewed it.
        let (refresh, grant) = (self.refresh.key(&presented.text), self.grants.key(&handle.id()));
        let there = vec![Op::Require { key: refresh }, Op::Require { key: grant }];
        Ok(match self.state.apply(there, vec![issue], Order::EphemeralFirst).await? {
            Outcome::Done => Rotated::Issued(response()),
            _ => Rotated::Gone,
        })
    }
}

/// What an access token's text is derived from: the refresh token, and what was asked for, so that two requests that differ in it
/// never lead to one token.
fn access_source(old: &str, asked: &RefreshParameters) -> Result<Vec<u8>, StoreError> {
    let asked =
        serde_json::to_vec(asked).map_err(|error| StoreError::Corrupt(format!("what a refresh asked for: {error}")))?;
    Ok([old.as_bytes(), &[0], &asked].concat())
}

fn answer(access_token: String, refresh_token: Option<String>, scopes: Scopes, ttl: Duration) -> TokenResponse {
    TokenResponse {
        access_token,
        token_type: "Bearer".to_owned(),
        expires_in: Some(ttl.as_secs()),
        refresh_token,
        scope: Some(scopes),
        sub: None,
    }
}

fn written(note: &Rotation) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(note).map_err(|error| StoreError::Corrupt(format!("a rotation's note: {error}")))
}
