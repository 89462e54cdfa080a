//! Issuing, reading and revoking codes and tokens. Every step is one batch on the store, durable before the answer.
//!
//! A grant is written with its code. Its tokens carry its handle, so that token and grant are read together; a token whose
//! grant is gone is dead.

mod listing;
mod rotation;

use std::sync::Arc;
use std::time::Duration;

use shared::clock;
use shared::expiring::{Applied, Expiring, ExpiringStore, Held, Key, Op};
use shared::oauth::{Scopes, TokenResponse};
use shared::random::random_bytes;
use shared::seal::KeyRing;
use shared::store::StoreError;

use crate::bearer::{self, GrantHandle, Kind};
use crate::client::Client;
use crate::config::Lifetimes;
use crate::grant::{AccessToken, Code, Grant, NewGrant, RefreshToken, pair_owner};
use crate::state;
use crate::user::User;

pub use listing::{GrantId, GrantsOf, ListedGrant};
pub use rotation::{PresentedRefresh, Repeated, Rotated, Wanted};

/// Grants that one user may have given one client (B-007).
const MOST_GRANTS: usize = 50;

/// All codes, grants and tokens.
#[derive(Clone)]
pub struct Tokens {
    state: Arc<dyn ExpiringStore>,
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
    pub is_access: bool,
    pub key: Key,
    pub grant: Grant,
    pub grant_key: Key,
}

impl Tokens {
    pub fn new(state: Arc<dyn ExpiringStore>, keys: KeyRing, lifetimes: Lifetimes) -> Self {
        let seconds = Lifetimes::seconds;
        Self {
            grants: Expiring::new(state.clone(), "grant", seconds(lifetimes.refresh_absolute)),
            codes: Expiring::new(state.clone(), "code", seconds(lifetimes.code)),
            access: Expiring::new(state.clone(), "access_token", seconds(lifetimes.access)),
            refresh: Expiring::new(state.clone(), "refresh_token", seconds(lifetimes.refresh_idle)),
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
        let [code, grant] = self.read_two(self.codes.key(text), self.grants.key(&handle.id())).await?;
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
        ops.extend(pair.ops);
        Ok(match self.state.apply(ops).await? {
            Applied::Done => Redeemed::Issued(pair.response),
            Applied::Refused { index: 0, found: Some(_) } => Redeemed::Again,
            Applied::Refused { .. } => Redeemed::Gone,
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
        ops.extend(pair.ops);
        state::apply_all(&*self.state, ops).await?;
        Ok(pair.response)
    }

    /// The access token, if it and its grant live.
    pub async fn introspect(&self, text: &str) -> Result<Option<LiveToken>, StoreError> {
        let Some(handle) = bearer::grant_of(Kind::AccessToken, text) else { return Ok(None) };
        let [token, grant] = self.read_two(self.access.key(text), self.grants.key(&handle.id())).await?;
        let (Some(token), Some(_)) = (token, grant) else { return Ok(None) };
        let token = self.access.read(token)?.value;
        Ok((token.exp > clock::now()).then(|| LiveToken { token, family: handle.family() }))
    }

    /// A token of either kind, if it and its grant live.
    pub async fn find_revocable(&self, text: &str) -> Result<Option<Revocable>, StoreError> {
        let Some((kind, handle)) = bearer::parse(text) else { return Ok(None) };
        let grant_key = self.grants.key(&handle.id());
        let key = match kind {
            Kind::AccessToken => self.access.key(text),
            Kind::RefreshToken => self.refresh.key(text),
            Kind::Code => return Ok(None),
        };
        let [Some(_), Some(grant)] = self.read_two(key, grant_key).await? else { return Ok(None) };
        let grant = self.grants.read(grant)?.value;
        Ok(Some(Revocable { is_access: kind == Kind::AccessToken, key, grant, grant_key }))
    }

    /// Deletes one entry: a grant, and with it every token of its family, or a single access token (C-024, C-025).
    pub async fn revoke(&self, key: Key) -> Result<(), StoreError> {
        state::apply_all(&*self.state, vec![Op::Delete { key }]).await
    }

    /// Revokes the grant that a code or token of ours names.
    pub async fn revoke_family_of(&self, text: &str) -> Result<(), StoreError> {
        match bearer::parse(text) {
            Some((_, handle)) => self.revoke(self.grants.key(&handle.id())).await,
            None => Ok(()),
        }
    }

    async fn read_two(&self, first: Key, second: Key) -> Result<[Option<shared::expiring::Kept>; 2], StoreError> {
        let read = self.state.get_many(&[first, second]).await?;
        read.try_into().map_err(|_| StoreError::Corrupt("a read of two entries answered another number".to_owned()))
    }

    /// Deletions of the oldest grants, where the user has given this client as many as he may (B-007). Codes that were not
    /// redeemed don't count: whoever asks for many of them ends nothing.
    async fn evictions(&self, grant: &Grant) -> Result<Vec<Op>, StoreError> {
        let Some(user) = &grant.user else { return Ok(Vec::new()) };
        let entries = self.state.list(&pair_owner(&user.id, &grant.client), None, 4 * MOST_GRANTS).await?;
        if entries.len() < MOST_GRANTS {
            return Ok(Vec::new());
        }
        let mut held = entries
            .into_iter()
            .map(|entry| Ok((self.grants.read(entry.kept)?.value.created_at, entry.key)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        held.sort_unstable();
        let surplus = held.len() + 1 - MOST_GRANTS;
        Ok(held.into_iter().take(surplus).map(|(_, key)| Op::Delete { key }).collect())
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
        let mut ops = vec![self.access.insert_op(&access, &token, ttl, Vec::new())?];
        let mut grant_ttl = ttl;
        let mut refresh_token = None;
        if refresh {
            let text = bearer::compose(Kind::RefreshToken, handle, &random_bytes());
            let (entry, life, store_ttl) = self.refresh_entry(grant, 0, now);
            ops.push(self.refresh.insert_op(&text, &entry, store_ttl, Vec::new())?);
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
        Ok(NewPair { ops, grant_ttl, response })
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
    ops: Vec<Op>,
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
