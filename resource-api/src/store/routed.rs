//! Several stores as one: a collection's name says in which it is. One batch of writes is for one store, as a resource's own
//! collections are beside it; what leads to another resource is looked up where that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bson::Bson;
use bson::raw::RawDocumentBuf;
use futures_util::future::try_join_all;
use indexmap::IndexMap;
use shared::metrics::Metrics;
use shared::store::StoreError;

use super::{Also, Candidate, DocumentStore, Each, Found, Outcome, Write};
use crate::domain::connections::{MAIN, at, parts};
use crate::domain::{Collections, Index};
use crate::query::{Filter, Find};

type Store = Arc<dyn DocumentStore>;

/// Each collection in the store of its connection.
pub(super) struct Routed {
    main: Store,
    /// By prefix in capitals.
    named: BTreeMap<String, Store>,
    routes: Routes,
}

/// Which connections count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Routes {
    /// A resource's own.
    Own,
    /// A resource's own, but a caller may bring another one, so that every store has all collections.
    OwnAndAny,
    /// None: everything is in the main store.
    None,
}

impl Routed {
    pub(super) fn new(main: Store, named: BTreeMap<String, Store>, routes: Routes) -> Self {
        Self { main, named, routes }
    }

    /// The store of a collection, and the name there.
    fn at<'s>(&self, source: &'s str) -> Result<(&Store, &'s str), StoreError> {
        match parts(source) {
            (Some(prefix), name) if self.routes != Routes::None => match self.named.get(prefix) {
                Some(store) => Ok((store, name)),
                None => Err(StoreError::Corrupt(format!("there is no connection {prefix}"))),
            },
            (_, name) => Ok((&self.main, name)),
        }
    }

    /// The one store that writes are for, which then have the names there.
    fn at_all(&self, writes: &mut [Write]) -> Result<&Store, StoreError> {
        let mut found: Option<&Store> = None;
        for write in writes {
            let (store, name) = self.at(write.source())?;
            if found.is_some_and(|found| !Arc::ptr_eq(found, store)) {
                return Err(StoreError::Corrupt("one commit can't be in two stores".to_owned()));
            }
            found = Some(store);
            if name.len() < write.source().len() {
                let name = name.to_owned();
                *write.source_mut() = name;
            }
        }
        Ok(found.unwrap_or(&self.main))
    }

    /// Each store once, as two connections may lead to the same place.
    fn stores(&self) -> Vec<(&str, &Store)> {
        let mut stores = vec![(MAIN, &self.main)];
        for (prefix, store) in &self.named {
            if !stores.iter().any(|(_, known)| Arc::ptr_eq(known, store)) {
                stores.push((prefix, store));
            }
        }
        stores
    }
}

fn renamed(mut writes: Vec<Write>) -> Vec<Write> {
    for write in &mut writes {
        if let (Some(_), name) = parts(write.source()) {
            let name = name.to_owned();
            *write.source_mut() = name;
        }
    }
    writes
}

#[async_trait]
impl DocumentStore for Routed {
    fn measure(&self, metrics: &Metrics) {
        self.stores().iter().for_each(|(_, store)| store.measure(metrics));
    }

    async fn prepare_collections(&self, collections: &Collections<'_>) -> Result<(), StoreError> {
        for (_, store) in self.stores() {
            let mut its: Collections<'_> = IndexMap::new();
            for (source, indexes) in collections {
                let (there, name) = self.at(source)?;
                if self.routes == Routes::OwnAndAny || Arc::ptr_eq(there, store) {
                    let known: &mut Vec<Index> = its.entry(name.into()).or_default();
                    let new = indexes.iter().filter(|index| !known.contains(index)).cloned().collect::<Vec<_>>();
                    known.extend(new);
                }
            }
            store.prepare_collections(&its).await?;
        }
        Ok(())
    }

    async fn commit(&self, mut writes: Vec<Write>) -> Result<Outcome, StoreError> {
        let store = self.at_all(&mut writes)?;
        store.commit(writes).await
    }

    async fn get(&self, source: &str, id: &Bson, filter: &Filter) -> Result<Option<RawDocumentBuf>, StoreError> {
        let (store, name) = self.at(source)?;
        store.get(name, id, filter).await
    }

    async fn find(&self, source: &str, find: &Find) -> Result<Found, StoreError> {
        let (store, name) = self.at(source)?;
        store.find(name, find).await
    }

    async fn scan(&self, source: &str, after: Option<&Bson>, limit: usize) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let (store, name) = self.at(source)?;
        store.scan(name, after, limit).await
    }

    async fn sources(&self) -> Result<Vec<String>, StoreError> {
        let mut sources = Vec::new();
        for (prefix, store) in self.stores() {
            sources.extend(store.sources().await?.iter().map(|name| at(prefix, name)));
        }
        sources.sort_unstable();
        Ok(sources)
    }

    async fn insert_each(&self, source: &str, candidates: Vec<Candidate>, also: Also) -> Result<Each, StoreError> {
        let (store, name) = self.at(source)?;
        let rename =
            |candidate: Candidate| Candidate { vacancies: renamed(candidate.vacancies), document: candidate.document };
        let candidates = candidates.into_iter().map(rename).collect();
        store.insert_each(name, candidates, Box::new(move |left| renamed(also(left)))).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let ping = |(prefix, store): (&str, &Store)| {
            let (prefix, store) = (prefix.to_owned(), Arc::clone(store));
            async move {
                store.ping().await.map_err(|error| match error {
                    StoreError::Unavailable(told) => StoreError::Unavailable(format!("{prefix}: {told}")),
                    other => other,
                })
            }
        };
        try_join_all(self.stores().into_iter().map(ping)).await.map(drop)
    }
}
