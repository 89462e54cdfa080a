//! Unique rules that what is stored already breaks, so that MongoDB can't have their index: what is there stays, and nothing may
//! join it. A write looks for other documents with its new keys, in a transaction that holds a lock for each.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::error::Error;

use super::MongoDocuments;
use super::write::{Refused, guard};
use crate::domain::Index;
use crate::store::keys::IndexKeys;
use crate::store::{Write, raw};

/// By source.
#[derive(Default)]
pub(super) struct Doubled(RwLock<HashMap<String, Arc<Vec<Rule>>>>);

struct Rule {
    keys: IndexKeys,
    /// The first path.
    path: String,
}

impl Doubled {
    pub(super) fn set(&self, source: &str, indexes: &[&Index]) {
        let mut rules = Vec::new();
        for index in indexes {
            if let (Some(keys), Some((path, _))) = (IndexKeys::new(index), index.keys.first()) {
                rules.push(Rule { keys, path: path.clone() });
            }
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match rules.is_empty() {
            true => all.remove(source),
            false => all.insert(source.to_owned(), Arc::new(rules)),
        };
    }

    pub(super) fn concerns(&self, source: &str) -> bool {
        self.rules(source).is_some()
    }

    fn rules(&self, source: &str) -> Option<Arc<Vec<Rule>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    /// Makes the write unless another document has one of the keys that it brings.
    pub(super) async fn write(
        &self,
        store: &MongoDocuments,
        write: &Write,
        session: &mut ClientSession,
    ) -> Result<Result<u64, Refused>, Error> {
        let id = match (write, guard(write)) {
            (Write::Insert { document, .. }, _) => document.get("_id").ok().flatten().and_then(|id| id.try_into().ok()),
            (Write::Delete { .. }, _) => None,
            (_, guard) => guard.map(|guard| guard.id.clone()),
        };
        let (Some(id), Some(rules)) = (id, self.rules(write.source())) else {
            return store.one(write, Some(session)).await;
        };
        let collection = store.mongo.collection::<Document>(write.source());
        let by_id = doc! { "_id": { "$eq": &id } };
        let before = collection.find_one(by_id.clone()).session(&mut *session).await?;
        let count = match store.one(write, Some(&mut *session)).await? {
            Ok(count) => count,
            refused => return Ok(refused),
        };
        let Some(now) = collection.find_one(by_id).session(&mut *session).await? else { return Ok(Ok(count)) };
        for Rule { keys: of, path } in rules.iter() {
            let mut new = keys(of, &now)?;
            if let Some(before) = &before {
                let old = keys(of, before)?;
                new.retain(|key| !old.contains(key));
            }
            if new.is_empty() {
                continue;
            }
            for key in &new {
                store.lock(write.source(), path, key, Some(&mut *session)).await?;
            }
            let mut values = Vec::new();
            collect(&Bson::Document(now.clone()), Some(path), &mut values);
            values.push(Bson::Null);
            let others = doc! { "_id": { "$ne": &id }, path: { "$in": values } };
            let mut others = collection.find(others).session(&mut *session).await?;
            while let Some(other) = others.stream(session).try_next().await? {
                if keys(of, &other)?.intersection(&new).next().is_some() {
                    return Ok(Err(Refused::Conflict(path.clone())));
                }
            }
        }
        Ok(Ok(count))
    }
}

fn keys(keys: &IndexKeys, document: &Document) -> Result<BTreeSet<Vec<u8>>, Error> {
    let keys = raw(document).and_then(|document| keys.of(&document));
    keys.map(BTreeSet::from_iter).map_err(|error| Error::custom(error.to_string()))
}

/// The values at a path, and of arrays their elements.
fn collect(value: &Bson, path: Option<&str>, out: &mut Vec<Bson>) {
    match (value, path) {
        (Bson::Document(document), Some(path)) => {
            let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
            if let Some(value) = document.get(name) {
                collect(value, rest, out);
            }
        }
        (Bson::Array(items), Some(path)) => {
            let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
            if let Some(item) = name.parse().ok().and_then(|place: usize| items.get(place)) {
                collect(item, rest, out);
            }
            items.iter().for_each(|item| collect(item, Some(path), out));
        }
        (Bson::Array(items), None) => {
            out.push(value.clone());
            out.extend(items.iter().filter(|item| !matches!(item, Bson::RegularExpression(_))).cloned());
        }
        (Bson::RegularExpression(_), None) | (_, Some(_)) => {}
        (value, None) => out.push(value.clone()),
    }
}
