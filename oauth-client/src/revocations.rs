//! Tokens that must be taken back at the authorization server (E-060). They wait sealed in the store until that is done, so
//! that neither an outage nor a crash leaves them alive.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use shared::expiring::{Applied, Expiring, ExpiringStore, Key, Op, Owner};
use shared::oauth::ErrorCode;
use shared::random::random_token;
use shared::store::StoreError;

use crate::account::{Tokens, Vault};
use crate::app::App;
use crate::provider::{Provider, ProviderError};

/// How long somebody who signs out waits for the revocation (E-060).
const PATIENCE: Duration = Duration::from_secs(3);
/// After this time a revocation is given up.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Revocations tried in one round.
const ROUND: usize = 100;

pub struct Revocations {
    entries: Expiring<Waiting>,
    vault: Vault,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    /// Sealed [`Tokens`], bound to the entry's key.
    tokens: String,
}

/// What became of a revocation.
enum Outcome {
    /// The server took the tokens back, or said for good that it won't.
    Over,
    Later,
}

impl Revocations {
    pub fn new(store: Arc<dyn ExpiringStore>, vault: Vault) -> Self {
        Self { entries: Expiring::new(store, "revocation", LIFE), vault }
    }

    /// The step that queues the tokens, for the batch that takes them from their session; and its key.
    pub fn queue(&self, tokens: &Tokens) -> Result<(Key, Op), StoreError> {
        let id = random_token("");
        let key = self.entries.key(&id);
        let waiting = Waiting { tokens: self.vault.seal(&context(&key), tokens) };
        let op = self.entries.insert_op(&id, &waiting, self.entries.ttl(), vec![owner()])?;
        Ok((key, op))
    }

    /// Queues the tokens and tries at once.
    pub async fn revoke(&self, provider: &Provider, tokens: &Tokens) -> Result<(), StoreError> {
        let (key, op) = self.queue(tokens)?;
        apply(self.entries.store(), op).await?;
        self.try_now(provider, key, tokens).await
    }

    /// Tries queued tokens for at most 3 seconds; where that fails, they stay queued.
    pub async fn try_now(&self, provider: &Provider, key: Key, tokens: &Tokens) -> Result<(), StoreError> {
        match tokio::time::timeout(PATIENCE, attempt(provider, tokens)).await {
            Ok(Outcome::Over) => apply(self.entries.store(), Op::Delete { key }).await,
            Ok(Outcome::Later) => Ok(()),
            Err(_) => {
                log::warn!("a revocation took too long and is tried again later");
                Ok(())
            }
        }
    }

    /// Tries what is queued; stops at the first that must wait.
    async fn round(&self, provider: &Provider) -> Result<(), StoreError> {
        for entry in self.entries.store().list(&owner(), None, ROUND).await? {
            let waiting = self.entries.read(entry.kept)?.value;
            let outcome = match self.vault.open::<Tokens>(&context(&entry.key), &waiting.tokens) {
                Some(tokens) => attempt(provider, &tokens).await,
                None => {
                    log::error!(
                        "tokens to be revoked were sealed with a key that is gone; they live until they expire"
                    );
                    Outcome::Over
                }
            };
            match outcome {
                Outcome::Over => apply(self.entries.store(), Op::Delete { key: entry.key }).await?,
                Outcome::Later => break,
            }
        }
        Ok(())
    }
}

/// Tries queued revocations again and again, for as long as the app is there.
pub fn keep_trying(app: &Arc<App>) {
    let pause = Duration::from_secs(app.config.lifetimes.revocation_retry);
    let app = Arc::downgrade(app);
    actix_rt::spawn(async move {
        loop {
            actix_rt::time::sleep(pause).await;
            let Some(app) = app.upgrade() else { return };
            if let Err(error) = app.revocations.round(&app.provider).await {
                log::warn!("queued revocations were not tried: {error}");
            }
        }
    });
}

/// The refresh token first: with it goes the whole family (C-024).
async fn attempt(provider: &Provider, tokens: &Tokens) -> Outcome {
    let refresh = tokens.refresh_token.as_deref().map(|token| (token, "refresh_token"));
    for (token, hint) in refresh.into_iter().chain([(tokens.access_token.as_str(), "access_token")]) {
        match provider.revoke(token, hint).await {
            Ok(()) => {}
            Err(error @ (ProviderError::Unavailable { .. } | ProviderError::Metadata(_))) => {
                log::warn!("a revocation failed and is tried again later: {error}");
                return Outcome::Later;
            }
            Err(error @ ProviderError::Refused(Some(ErrorCode::InvalidClient))) => {
                log::error!("configuration fault: a revocation failed and is tried again later: {error}");
                return Outcome::Later;
            }
            Err(error @ (ProviderError::Refused(_) | ProviderError::Unusable(_))) => {
                log::warn!("the authorization server does not revoke a token: {error}");
            }
        }
    }
    Outcome::Over
}

async fn apply(store: &Arc<dyn ExpiringStore>, op: Op) -> Result<(), StoreError> {
    match store.apply(vec![op]).await? {
        Applied::Done => Ok(()),
        Applied::Refused { .. } => Err(StoreError::Corrupt("the id of a revocation was taken".to_owned())),
    }
}

fn owner() -> Owner {
    Owner::new("revocations", "waiting")
}

fn context(key: &Key) -> String {
    format!("revocation:{}", URL_SAFE_NO_PAD.encode(key.0))
}
