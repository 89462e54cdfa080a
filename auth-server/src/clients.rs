//! Clients in use: looked up on every machine request, so kept for a moment; and changes that take issued tokens along.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use serde_json::{Value, json};
use shared::expiring::ExpiringStore;
use shared::store::StoreError;

use crate::audit::{Author, Event, EventKind};
use crate::client::Client;
use crate::directory::{ClientStore, Page, Replaced};
use crate::endings::{Before, Ending, Endings};

/// How long another process's change may go unseen. Only the client's own authentication rests on it: its grants are
/// deleted by whoever disables it (B-084).
const KEPT: Duration = Duration::from_secs(1);
const MOST_KEPT: u64 = 10_000;

/// The client store behind a short memory.
#[derive(Clone)]
pub struct Clients {
    store: Arc<dyn ClientStore>,
    endings: Endings,
    kept: Cache<String, KeptClient>,
    /// One more with each change made here: what was read before a change is not believed after it.
    generation: Arc<AtomicU64>,
}

#[derive(Clone)]
struct KeptClient {
    client: Arc<Client>,
    generation: u64,
}

impl Clients {
    pub fn new(store: Arc<dyn ClientStore>, state: Arc<dyn ExpiringStore>) -> Self {
        let kept = Cache::builder().max_capacity(MOST_KEPT).time_to_live(KEPT).build();
        Self { store, endings: Endings::new(state), kept, generation: Arc::default() }
    }

    /// The client as it is, or was at most a second ago if another process changed it.
    pub async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(kept) = self.kept.get(id).filter(|kept| kept.generation == generation) {
            return Ok(Some(kept.client));
        }
        let Some(client) = self.store.find(id).await? else { return Ok(None) };
        let client = Arc::new(client);
        self.kept.insert(id.to_owned(), KeptClient { client: client.clone(), generation });
        Ok(Some(client))
    }

    /// The client as the store has it now: what a change begins with.
    pub async fn read(&self, id: &str) -> Result<Option<Client>, StoreError> {
        self.store.find(id).await
    }

    pub async fn list(&self, page: &Page) -> Result<Vec<Client>, StoreError> {
        self.store.list(page).await
    }

    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store.count().await
    }

    pub async fn insert(&self, client: &Client, by: &Author) -> Result<(), StoreError> {
        let event = Event::new(EventKind::ClientCreated).by(by).client(&client.id);
        self.store.insert(client, &[event.changing(&Value::Null, &client.told())]).await
    }

    /// Writes a changed client. When it is disabled, its grants are revoked (B-084). Nothing happens where somebody else wrote
    /// it since it was read.
    pub async fn replace(&self, client: &Client, by: &Author) -> Result<Replaced, StoreError> {
        let before = self.store.find(&client.id).await?;
        let Some(before) = before.filter(|before| before.version == client.version) else {
            return Ok(Replaced::Changed);
        };
        let ending = if client.disabled { Some(self.announce(&before).await?) } else { None };
        let replaced = self.store.replace(client, &changed(&before, client, by)).await?;
        self.forget();
        if let Some(ending) = ending {
            match replaced {
                Replaced::Done => self.endings.finish(ending).await?,
                Replaced::Changed | Replaced::LastAdmin => self.endings.withdraw(ending).await?,
            }
        }
        Ok(replaced)
    }

    /// Deletes a client with its consents and grants (B-084).
    pub async fn delete(&self, client: &Client, by: &Author) -> Result<bool, StoreError> {
        let ending = self.announce(client).await?;
        let event = Event::new(EventKind::ClientDeleted).by(by).client(&client.id);
        let deleted = self.store.delete(&client.id, &[event.changing(&client.told(), &Value::Null)]).await?;
        self.forget();
        self.endings.finish(ending).await?;
        Ok(deleted)
    }

    async fn announce(&self, client: &Client) -> Result<Ending, StoreError> {
        let before = Before::Client { id: client.id.clone(), version: client.version };
        self.endings.announce(before, vec![client.grants_owner()]).await
    }

    fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// What the log tells of a change: the settings and the secrets are two things (F-062).
fn changed(before: &Client, after: &Client, by: &Author) -> Vec<Event> {
    let event = |kind| Event::new(kind).by(by).client(&after.id);
    let told = |client: &Client| {
        client.secrets.iter().map(|secret| (secret.id.clone(), json!({ "until": secret.until }))).collect::<Value>()
    };
    [
        event(EventKind::ClientSecretsChanged).changing(&told(before), &told(after)),
        event(EventKind::ClientChanged).changing(&before.told(), &after.told()),
    ]
    .into_iter()
    .filter(Event::changes_anything)
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use shared::expiring::{Key, Op};

    use super::*;
    use crate::app;
    use crate::client_metadata::ClientMetadata;
    use crate::state;

    /// B-084: disabling what somebody else has changed meanwhile is told, and ends nothing.
    #[actix_rt::test]
    async fn a_change_of_an_outdated_client_revokes_nothing() {
        let (_folder, app) = app::for_test();
        let metadata = ClientMetadata {
            client_name: "Shop".to_owned(),
            redirect_uris: vec!["https://shop.example/cb".to_owned()],
            ..ClientMetadata::default()
        };
        let client = metadata.register(0).unwrap().0;
        app.clients.insert(&client, &Author::server()).await.unwrap();
        let current = app.clients.read(&client.id).await.unwrap().unwrap();
        let outdated = Client { disabled: true, ..current.clone() };
        assert_eq!(app.clients.replace(&current, &Author::server()).await.unwrap(), Replaced::Done);
        let (owner, ttl) = (client.grants_owner(), Duration::from_secs(60));
        let kept = Op::Insert { key: Key::new("test", "1"), value: Vec::new(), ttl, owners: vec![owner.clone()] };
        state::apply_all(&**app.state.durable(), vec![kept]).await.unwrap();
        assert_eq!(app.clients.replace(&outdated, &Author::server()).await.unwrap(), Replaced::Changed);
        assert_eq!(app.state.durable().list(&owner, None, 10).await.unwrap().len(), 1);
    }
}
