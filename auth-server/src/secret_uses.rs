//! When each secret of a client was last used, to the hour: whether an old one can be taken out (B-031).

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use shared::clock;
use shared::expiring::{Expiring, ExpiringStore};
use shared::store::StoreError;

use crate::client::ClientSecret;
use crate::state;

/// How exact it is: a use is written once in this time and process, so that nearly none costs a write.
const EXACT: Duration = Duration::from_secs(3600);
/// How long a use is remembered.
const KEPT: Duration = Duration::from_secs(400 * 86_400);
const MOST_KEPT: u64 = 100_000;

/// The last uses of secrets.
#[derive(Clone)]
pub struct SecretUses {
    /// Epoch seconds, by the secret's id.
    uses: Expiring<i64>,
    noted: Cache<String, ()>,
}

impl SecretUses {
    pub fn new(state: Arc<dyn ExpiringStore>) -> Self {
        let noted = Cache::builder().max_capacity(MOST_KEPT).time_to_live(EXACT).build();
        Self { uses: Expiring::new(state, "secret_use", KEPT), noted }
    }

    /// Notes a use. The write goes on behind the answer: it is worth no wait, and losing it does no harm.
    pub fn note(&self, secret: &ClientSecret) {
        if secret.id.is_empty() || self.noted.contains_key(&secret.id) {
            return;
        }
        self.noted.insert(secret.id.clone(), ());
        let (uses, id) = (self.uses.clone(), secret.id.clone());
        actix_rt::spawn(async move {
            if let Err(error) = write(&uses, &id).await {
                log::warn!("the use of a client's secret was not noted: {error}");
            }
        });
    }

    /// When each was last used; epoch seconds.
    pub async fn last(&self, secrets: &[ClientSecret]) -> Result<Vec<Option<i64>>, StoreError> {
        let keys: Vec<_> = secrets.iter().map(|secret| self.uses.key(&secret.id)).collect();
        let kept = self.uses.store().get_many(&keys).await?;
        kept.into_iter().map(|kept| kept.map(|kept| Ok(self.uses.read(kept)?.value)).transpose()).collect()
    }
}

async fn write(uses: &Expiring<i64>, id: &str) -> Result<(), StoreError> {
    let ops = vec![uses.delete_op(id), uses.insert_op(id, &clock::now(), uses.ttl(), Vec::new())?];
    state::apply_all(&**uses.store(), ops).await
}
