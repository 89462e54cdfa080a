//! Issuing, reading and revoking codes and tokens. Every step is one batch on the store, durable before the answer.
//!
//! A grant is written with its code. Its tokens carry its handle, so that token and grant are read together; a token whose
//! grant is gone is dead.

mod listing;
mod rotation;

use std::time::Duration;

use shared::clock;
use shared::expiring::{Applied, Expiring, Held, Key, Op};
use shared::oauth::{Scopes, TokenResponse};
use shared::random::random_bytes;
use shared::seal::KeyRing;
use shared::store::StoreError;

use crate::bearer::{self, GrantHandle, Kind};
use crate::client::Client;
use crate::config::Lifetimes;
use crate::grant::{AccessToken, Code, Grant, NewGrant, RefreshToken, family, pair_owner};
use crate::revocations::note;
use crate::state::{self, Order, Outcome, State, read_two};
use crate::user::User;

pub use listing::{GrantId, GrantsOf, ListedGrant, revoke_ops};
pub use rotation::{PresentedRefresh, Repeated, Rotated, Wanted};

/// Grants that one user may have given one client (B-007).
const MOST_GRANTS: usize = 50;

/// All codes, grants and tokens.
#[derive(Clone)]
pub struct Tokens {
    state: State,
    grants: Expiring<Grant>,
    codes: Expiring<Code>,
    access: Expiring<AccessToken>,
    refresh: Expiring<RefreshToken>,
    keys: KeyRing,
    lifetimes: Lifetimes,
}

/// A code as presented, with its grant; neither is judged yet.
pub struct PresentedCode {
    text: String,
    handle: GrantHandle,
    pub code: Held<Code>,
    pub grant: Held<Grant>,
}

/// What a redemption came to.
pub enum Redeemed {
    Issued(TokenResponse),
    /// Somebody was first: the second valid use (B-047).
    Again,
    /// The code expired or the grant was revoked meanwhile.
    Gone,
}

/// An access token as introspection needs it.
pub struct LiveToken {
    pub token: AccessToken,
    /// The public handle of its grant.
    pub family: String,
}

/// A token as revocation needs it.
pub struct Revocable {
    /// Of an access token its own entry.
    pub access: Option<RevocableAccess>,
    pub grant: Grant,
    pub grant_key: Key,
}

/// An access token that may be ended by itself.
pub struct RevocableAccess {
    key: Key,
    exp: i64,
    grant_id: String,
}

impl Tokens {
    pub fn new(state: State, keys: KeyRing, lifetimes: Lifetimes) -> Self {
        let seconds = Lifetimes::seconds;
        Self {
            grants: Expiring::new(state.durable().clone(), bearer::GRANT, seconds(lifetimes.refresh_absolute)),
            codes: Expiring::new(state.durable().clone(), "code", seconds(lifetimes.code)),
            access: Expiring::new(state.ephemeral().clone(), "access_token", seconds(lifetimes.access)),
            refresh: Expiring::new(state.durable().clone(), "refresh_token", seconds(lifetimes.refresh_idle)),
            state,
            keys,
            lifetimes,
        }
    }

    /// The steps that write a grant and the code that leads to it, for a batch with others; the answer is the code.
    /// The grant lives as long as the code until it is redeemed.
    pub fn issue_code_ops(&self, new: NewGrant<'_>, code: &Code, ops: &mut Vec<Op>) -> Result<String, StoreError> {
        let handle = GrantHandle::random();
        let text = bearer::random(Kind::Code, handle);
        let grant = Grant::new(handle, new, clock::now());
        ops.push(self.grants.insert_op(&handle.id(), &grant, self.codes.ttl(), grant.owners())?);
        ops.push(self.codes.insert_op(&text, code, self.codes.ttl(), Vec::new())?);
        Ok(text)
    }

    /// The code and its grant by one read; `None` where either is gone.
    pub async fn find_code(&self, text: &str) -> Result<Option<PresentedCode>, StoreError> {
        let Some(handle) = bearer::grant_of(Kind::Code, text) else { return Ok(None) };
        let [code, grant] =
            read_two(&**self.state.durable(), self.codes.key(text), self.grants.key(&handle.id())).await?;
        let (Some(code), Some(grant)) = (code, grant) else { return Ok(None) };
        let (code, grant) = (self.codes.read(code)?, self.grants.read(grant)?);
        Ok(Some(PresentedCode { text: text.to_owned(), handle, code, grant }))
    }

    /// Claims a code whose checks have passed, and issues its tokens in the same batch (B-045): `refresh` with a refresh
    /// token, for an audience within the grant's.
    pub async fn redeem(
        &self,
        presented: &PresentedCode,
        client: &Client,
        user: Option<&User>,
        aud: Vec<String>,
        refresh: bool,
    ) -> Result<Redeemed, StoreError> {
        let now = clock::now();
        let grant = &Grant { used_at: Some(now), ..presented.grant.value.clone() };
        let pair = self.new_pair(presented.handle, grant, client, user, grant.scopes.clone(), aud, refresh, now)?;
        let id = presented.handle.id();
        let mut ops = vec![
            self.codes.claim_op(&presented.text, Vec::new()),
            // Written anew, as only now it counts among the grants of its user and client (B-007).
            Op::Require { key: self.grants.key(&id) },
            self.grants.delete_op(&id),
            self.grants.insert_op(&id, grant, pair.grant_ttl, grant.counted_owners())?,
        ];
        ops.extend(self.evictions(grant).await?);
        ops.extend(pair.refresh);
        Ok(match self.state.apply(ops, vec![pair.access], Order::EphemeralFirst).await? {
            Outcome::Done => Redeemed::Issued(pair.response),
            Outcome::DurableRefused { index: 0, found: Some(_) } => Redeemed::Again,
            _ => Redeemed::Gone,
        })
    }

    /// Writes a grant that needs no code, and its tokens (B-062, B-090).
    pub async fn issue(&self, new: NewGrant<'_>, refresh: bool) -> Result<TokenResponse, StoreError> {
        let (now, handle) = (clock::now(), GrantHandle::random());
        let (client, user) = (new.client, new.user);
        let grant = Grant { used_at: Some(now), ..Grant::new(handle, new, now) };
        let (scopes, aud) = (grant.scopes.clone(), grant.resources.clone());
        let pair = self.new_pair(handle, &grant, client, user, scopes, aud, refresh, now)?;
        let mut ops = self.evictions(&grant).await?;
        ops.push(self.grants.insert_op(&handle.id(), &grant, pair.grant_ttl, grant.counted_owners())?);
        ops.extend(pair.refresh);
        self.state.apply_all(ops, vec![pair.access], Order::EphemeralFirst).await?;
        Ok(pair.response)
    }

    /// The access token, if it and its grant live.
    pub async fn introspect(&self, text: &str) -> Result<Option<LiveToken>, StoreError> {
        let Some(handle) = bearer::grant_of(Kind::AccessToken, text) else { return Ok(None) };
        let key = self.access.key(text);
        let grant_key = handle.key();
        let [grant, token] = self.state.read_both(grant_key, key).await?;
        let (Some(token), Some(grant)) = (token, grant) else { return Ok(None) };
        // Where there is one store, a revoked token has no entry, and what else the grant says is nobody's question.
        if self.state.is_split() && self.grants.read(grant)?.value.has_revoked(&key) {
            return Ok(None);
        }
        let token = self.access.read(token)?.value;
        Ok((token.exp > clock::now()).then(|| LiveToken { token, family: family(&grant_key).to_string() }))
    }

    /// A token of either kind, if it and its grant live.
    pub async fn find_revocable(&self, text: &str) -> Result<Option<Revocable>, StoreError> {
        let Some((kind, handle)) = bearer::parse(text) else { return Ok(None) };
        let grant_key = self.grants.key(&handle.id());
        match kind {
            Kind::AccessToken => {
                let key = self.access.key(text);
                let [grant, token] = self.state.read_both(grant_key, key).await?;
                let (Some(token), Some(grant)) = (token, grant) else { return Ok(None) };
                let (token, grant) = (self.access.read(token)?.value, self.grants.read(grant)?.value);
                if grant.has_revoked(&key) {
                    return Ok(None);
                }
                let access = Some(RevocableAccess { key, exp: token.exp, grant_id: handle.id() });
                Ok(Some(Revocable { access, grant, grant_key }))
            }
            Kind::RefreshToken => {
                let [token, grant] = read_two(&**self.state.durable(), self.refresh.key(text), grant_key).await?;
                let (Some(_), Some(grant)) = (token, grant) else { return Ok(None) };
                Ok(Some(Revocable { access: None, grant: self.grants.read(grant)?.value, grant_key }))
            }
            Kind::Code => Ok(None),
        }
    }

    /// Deletes a grant, and with it every token of its family (C-024, C-025).
    pub async fn revoke(&self, grant: Key) -> Result<(), StoreError> {
        state::apply_all(&**self.state.durable(), note(vec![Op::Delete { key: grant }], &[])).await
    }

    /// Ends a single access token (C-024). Where its entry may be lost and come back, as from a copy, it is noted in its grant
    /// first, until it would have expired.
    pub async fn revoke_access(&self, token: &RevocableAccess) -> Result<(), StoreError> {
        let (grant_key, delete) = (self.grants.key(&token.grant_id), Op::Delete { key: token.key });
        if !self.state.is_split() {
            return state::apply_all(&**self.state.durable(), note(vec![delete], &[grant_key])).await;
        }
        while let Some(held) = self.grants.get(&token.grant_id).await? {
            // So many that the list would outgrow the grant: the whole family goes.
            let Some(grant) = held.value.with_revoked(&token.key, token.exp, clock::now()) else {
                return self.revoke(grant_key).await;
            };
            let update = self.grants.update_op(&token.grant_id, held.version, &grant, None)?;
            if self.state.durable().apply(note(vec![update], &[grant_key])).await? == Applied::Done {
                break;
            }
        }
        state::apply_all(&**self.state.ephemeral(), vec![delete]).await
    }

    /// Revokes the grant that a code or token of ours names.
    pub async fn revoke_family_of(&self, text: &str) -> Result<(), StoreError> {
        match bearer::parse(text) {
            Some((_, handle)) => self.revoke(self.grants.key(&handle.id())).await,
            None => Ok(()),
        }
    }

    /// Deletions of the oldest grants, where the user has given this client as many as he may (B-007). Codes that were not
    /// redeemed don't count: whoever asks for many of them ends nothing.
    async fn evictions(&self, grant: &Grant) -> Result<Vec<Op>, StoreError> {
        let Some(user) = &grant.user else { return Ok(Vec::new()) };
        let entries = self.state.durable().list(&pair_owner(&user.id, &grant.client), None, 4 * MOST_GRANTS).await?;
        if entries.len() < MOST_GRANTS {
            return Ok(Vec::new());
        }
        let mut held = entries
            .into_iter()
            .map(|entry| Ok((self.grants.read(entry.kept)?.value.created_at, entry.key)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        held.sort_unstable();
        let surplus = held.len() + 1 - MOST_GRANTS;
        Ok(note(held.into_iter().take(surplus).map(|(_, key)| Op::Delete { key }).collect(), &[]))
    }

    fn access_ttl(&self, client: &Client) -> Duration {
        client.access_ttl.map_or(self.access.ttl(), Lifetimes::seconds)
    }

    /// The steps that write a new access token, and a first refresh token where one is due.
    #[allow(clippy::too_many_arguments, reason = "the parts of a token, each of another source")]
    fn new_pair(
        &self,
        handle: GrantHandle,
        grant: &Grant,
        client: &Client,
        user: Option<&User>,
        scopes: Scopes,
        aud: Vec<String>,
        refresh: bool,
        now: i64,
    ) -> Result<NewPair, StoreError> {
        let ttl = self.access_ttl(client);
        let access = bearer::random(Kind::AccessToken, handle);
        let token = access_token(grant, user, scopes.clone(), aud, now, ttl);
        let access_op = self.access.insert_op(&access, &token, ttl, Vec::new())?;
        let mut grant_ttl = ttl;
        let (mut refresh_op, mut refresh_token) = (None, None);
        if refresh {
            let text = bearer::compose(Kind::RefreshToken, handle, &random_bytes());
            let (entry, life, store_ttl) = self.refresh_entry(grant, 0, now);
            refresh_op = Some(self.refresh.insert_op(&text, &entry, store_ttl, Vec::new())?);
            grant_ttl = grant_ttl.max(life);
            refresh_token = Some(text);
        }
        let response = TokenResponse {
            access_token: access,
            token_type: "Bearer".to_owned(),
            expires_in: Some(ttl.as_secs()),
            refresh_token,
            scope: Some(scopes),
            sub: grant.user.as_ref().map(|user| user.id.clone()),
        };
        Ok(NewPair { access: access_op, refresh: refresh_op, grant_ttl, response })
    }

    /// A refresh token's entry, how long it lives unused, and how long its entry is kept: to the family's end, so that a
    /// reuse is recognised.
    fn refresh_entry(&self, grant: &Grant, generation: u64, now: i64) -> (RefreshToken, Duration, Duration) {
        let end = grant.refresh_end(Lifetimes::seconds(self.lifetimes.refresh_absolute));
        let rest = Duration::from_secs(u64::try_from(end - now).unwrap_or_default());
        let life = rest.min(self.refresh.ttl());
        let entry = RefreshToken { generation, expires_at: now.saturating_add_unsigned(life.as_secs()) };
        (entry, life, rest)
    }
}

struct NewPair {
    /// The steps that write the tokens.
    access: Op,
    refresh: Option<Op>,
    /// How long the grant must live for these tokens.
    grant_ttl: Duration,
    response: TokenResponse,
}

fn access_token(
    grant: &Grant,
    user: Option<&User>,
    scopes: Scopes,
    aud: Vec<String>,
    now: i64,
    ttl: Duration,
) -> AccessToken {
    AccessToken {
        client: grant.client.clone(),
        sub: grant.sub().to_owned(),
        username: user.map(|user| user.username.clone()),
        roles: user.map(|user| user.roles.clone()).unwrap_or_default(),
        scopes,
        aud,
        iat: now,
        exp: now.saturating_add_unsigned(ttl.as_secs()),
        auth_time: grant.auth_time,
    }
}
