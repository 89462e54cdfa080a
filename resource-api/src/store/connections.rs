//! The stores that a domain's resources are in: the service's own, and one for each further `mongo_prefix`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use shared::store::{StoreError, StoreUrl};

use super::routed::{Routed, Routes};
use super::{DocumentStore, open};
use crate::domain::Domain;
use crate::domain::connections::MAIN;

/// Where all the stores are.
#[derive(Debug, Clone)]
pub struct Places {
    main: StoreUrl,
    /// By prefix in capitals.
    named: BTreeMap<String, StoreUrl>,
    /// Whether callers bring their own.
    by_caller: bool,
}

/// Why it is not known where a connection leads.
#[derive(Debug, thiserror::Error)]
#[error(
    "mongo_prefix {0}: nothing says where it leads: name a store in the service's configuration, under [stores], or {0}_URI in \
     the domain file"
)]
pub struct Nowhere(String);

/// The stores, open.
pub struct Connected {
    /// Each once.
    pub each: Vec<Arc<dyn DocumentStore>>,
    /// Each resource's documents where its own connection leads.
    pub documents: Arc<dyn DocumentStore>,
    /// By prefix in capitals, all resources' documents there: for callers who bring their connection. Otherwise there are none.
    pub of_callers: HashMap<String, Arc<dyn DocumentStore>>,
}

impl Connected {
    /// All documents where a caller's connection leads.
    pub fn of_caller(&self, prefix: &str) -> Option<Arc<dyn DocumentStore>> {
        self.of_callers.get(&prefix.to_ascii_uppercase()).cloned()
    }
}

impl Places {
    /// `configured`: those that the service's configuration names; they win over what the domain file says.
    pub fn of(main: &StoreUrl, configured: &BTreeMap<String, StoreUrl>, domain: &Domain) -> Result<Self, Nowhere> {
        let connections = &domain.connections;
        let by_caller = connections.claim.is_some();
        let mut named = BTreeMap::new();
        for (prefix, url) in configured {
            let prefix = prefix.to_ascii_uppercase();
            if by_caller || connections.named.contains_key(&prefix) {
                named.insert(prefix, url.clone());
            } else {
                log::warn!("stores.{prefix}: no resource has this mongo_prefix");
            }
        }
        for (prefix, written) in &connections.named {
            if !named.contains_key(prefix) {
                let url = written.as_ref().ok_or_else(|| Nowhere(prefix.clone()))?;
                named.insert(prefix.clone(), StoreUrl::Mongo(url.clone()));
            }
        }
        Ok(Self { main: main.clone(), named, by_caller })
    }

    /// Each of them, with the prefix that leads there.
    pub fn all(&self) -> impl Iterator<Item = (&str, &StoreUrl)> {
        std::iter::once((MAIN, &self.main)).chain(self.named.iter().map(|(prefix, url)| (prefix.as_str(), url)))
    }

    /// Opens them all; `time_limit` as for [`open`].
    pub async fn connect(&self, time_limit: Duration) -> Result<Connected, StoreError> {
        let main = open(&self.main, time_limit).await?;
        let mut opened: Vec<(&StoreUrl, Arc<dyn DocumentStore>)> = vec![(&self.main, main.clone())];
        let mut named = BTreeMap::new();
        for (prefix, url) in &self.named {
            let known = opened.iter().find(|(known, _)| known.is_same(url)).map(|(_, store)| Arc::clone(store));
            let store = match known {
                Some(store) => store,
                None => open(url, time_limit).await.map_err(|error| match error {
                    StoreError::Unavailable(told) => StoreError::Unavailable(format!("{prefix}: {told}")),
                    other => other,
                })?,
            };
            opened.push((url, Arc::clone(&store)));
            named.insert(prefix.clone(), store);
        }
        let mut each: Vec<Arc<dyn DocumentStore>> = Vec::with_capacity(opened.len());
        for (_, store) in opened {
            if !each.iter().any(|known| Arc::ptr_eq(known, &store)) {
                each.push(store);
            }
        }
        if named.is_empty() && !self.by_caller {
            return Ok(Connected { each, documents: main, of_callers: HashMap::new() });
        }
        let mut of_callers: HashMap<String, Arc<dyn DocumentStore>> = HashMap::new();
        if self.by_caller {
            let all = named.iter().map(|(prefix, store)| (prefix.as_str(), store)).chain([(MAIN, &main)]);
            for (prefix, store) in all {
                let whole = Routed::new(Arc::clone(store), BTreeMap::new(), Routes::None);
                of_callers.insert(prefix.to_owned(), Arc::new(whole));
            }
        }
        let routes = if self.by_caller { Routes::OwnAndAny } else { Routes::Own };
        Ok(Connected { each, documents: Arc::new(Routed::new(main, named, routes)), of_callers })
    }
}
