//! The scope registry in use, kept for a moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::store::StoreError;

use crate::audit::{Author, Event, EventKind};
use crate::directory::ScopeStore;
use crate::scope::{Scope, ScopeRegistry};

/// How long another process's change may go unseen.
const KEPT: Duration = Duration::from_secs(1);

/// The scope store behind a short memory.
#[derive(Clone)]
pub struct KnownScopes {
    store: Arc<dyn ScopeStore>,
    kept: Arc<RwLock<Option<KeptRegistry>>>,
    generation: Arc<AtomicU64>,
}

struct KeptRegistry {
    registry: Arc<ScopeRegistry>,
    read_at: Instant,
    generation: u64,
}

impl KnownScopes {
    pub fn new(store: Arc<dyn ScopeStore>) -> Self {
        Self { store, kept: Arc::default(), generation: Arc::default() }
    }

    /// All scopes as they are, or were at most a second ago if another process changed them.
    pub async fn registry(&self) -> Result<Arc<ScopeRegistry>, StoreError> {
        let generation = self.generation.load(Ordering::Acquire);
        if let Ok(guard) = self.kept.read()
            && let Some(kept) = &*guard
            && kept.generation == generation
            && kept.read_at.elapsed() < KEPT
        {
            return Ok(kept.registry.clone());
        }
        let read_at = Instant::now();
        let registry: Arc<ScopeRegistry> = Arc::new(self.store.list().await?.into_iter().collect());
        if let Ok(mut kept) = self.kept.write() {
            *kept = Some(KeptRegistry { registry: registry.clone(), read_at, generation });
        }
        Ok(registry)
    }

    /// Adds a scope, or changes the one of that name.
    pub async fn put(&self, scope: &Scope, by: &Author) -> Result<(), StoreError> {
        let before = self.store.list().await?.into_iter().find(|known| known.name == scope.name);
        let kind = if before.is_none() { EventKind::ScopeCreated } else { EventKind::ScopeChanged };
        let told = |scope: &Scope| json!({ "text": scope.text, "role": scope.role });
        let before = before.map_or(Value::Null, |before| told(&before));
        let event = Event::new(kind).by(by).detail(json!({ "scope": scope.name }));
        let event = event.changing(&before, &told(scope));
        let put = self.store.put(scope, &[event]).await;
        self.generation.fetch_add(1, Ordering::AcqRel);
        put
    }

    pub async fn delete(&self, name: &str, by: &Author) -> Result<bool, StoreError> {
        let event = Event::new(EventKind::ScopeDeleted).by(by).detail(json!({ "scope": name }));
        let deleted = self.store.delete(name, &[event]).await;
        self.generation.fetch_add(1, Ordering::AcqRel);
        deleted
    }
}
