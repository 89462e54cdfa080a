//! Unique rules that what is stored already breaks, so that MongoDB can't have their index: what is there stays, and nothing may
//! join it. A write looks for other documents with its new keys, in a transaction that holds a lock for each.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::error::Error;
use sha2::{Digest as _, Sha256};

use super::MongoDocuments;
use super::write::{Refused, guard};
use crate::domain::Index;
use crate::store::keys::IndexKeys;
use crate::store::{Write, raw};

/// Keys of a rule share so many locks: of a bulk each lock is a write of its own.
const LOCKS: u8 = 64;
/// Values that are looked for at a time.
const LOOKED_FOR: usize = 200;

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
            store.lock_keys(write.source(), path, &new, session).await?;
            let mut values = Vec::new();
            collect(&Bson::Document(now.clone()), Some(path), &mut values);
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

impl MongoDocuments {
    /// Finds out whether documents that are to be inserted, all of one source, may be; else which of them may not.
    pub(super) async fn may_join(
        &self,
        source: &str,
        documents: &[&RawDocumentBuf],
        session: &mut ClientSession,
    ) -> Result<Result<(), (usize, Refused)>, Error> {
        let collection = self.mongo.collection::<Document>(source);
        for Rule { keys: of, path } in self.doubled.rules(source).iter().flat_map(|rules| rules.iter()) {
            let (mut bringing, mut values) = (HashMap::new(), Vec::new());
            for (index, document) in documents.iter().enumerate() {
                let new = raw_keys(of, document)?;
                if new.iter().any(|key| bringing.contains_key(key)) {
                    return Ok(Err((index, Refused::Conflict(path.clone()))));
                }
                if !new.is_empty() {
                    collect(&Bson::Document(Document::try_from(&***document)?), Some(path), &mut values);
                }
                bringing.extend(new.into_iter().map(|key| (key, index)));
            }
            let all = bringing.keys().cloned().collect();
            self.lock_keys(source, path, &all, session).await?;
            let mut first: Option<usize> = None;
            for values in values.chunks(LOOKED_FOR) {
                let others = doc! { path: { "$in": values } };
                let mut others = collection.find(others).session(&mut *session).await?;
                while let Some(other) = others.stream(session).try_next().await? {
                    let taken = keys(of, &other)?.into_iter().filter_map(|key| bringing.get(&key).copied()).min();
                    first = first.into_iter().chain(taken).min();
                }
            }
            if let Some(index) = first {
                return Ok(Err((index, Refused::Conflict(path.clone()))));
            }
        }
        Ok(Ok(()))
    }

    /// Of two transactions with a key in common the later one starts again.
    async fn lock_keys(
        &self,
        source: &str,
        path: &str,
        keys: &BTreeSet<Vec<u8>>,
        session: &mut ClientSession,
    ) -> Result<(), Error> {
        let locks: BTreeSet<u8> = keys.iter().map(|key| Sha256::digest(key)[0] % LOCKS).collect();
        for number in locks {
            self.lock(source, path, &[b"doubled".as_slice(), &[number]].concat(), Some(&mut *session)).await?;
        }
        Ok(())
    }
}

fn raw_keys(keys: &IndexKeys, document: &RawDocument) -> Result<BTreeSet<Vec<u8>>, Error> {
    keys.of(document).map(BTreeSet::from_iter).map_err(|error| Error::custom(error.to_string()))
}

fn keys(keys: &IndexKeys, document: &Document) -> Result<BTreeSet<Vec<u8>>, Error> {
    let keys = raw(document).and_then(|document| keys.of(&document));
    keys.map(BTreeSet::from_iter).map_err(|error| Error::custom(error.to_string()))
}

/// The values at a path, and of arrays their elements; null where one is missing.
fn collect(value: &Bson, path: Option<&str>, out: &mut Vec<Bson>) {
    match (value, path) {
        (Bson::Document(document), Some(path)) => {
            let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
            match document.get(name) {
                Some(value) => collect(value, rest, out),
                None => out.push(Bson::Null),
            }
        }
        (Bson::Array(items), Some(path)) => {
            let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
            if let Some(item) = name.parse().ok().and_then(|place: usize| items.get(place)) {
                collect(item, rest, out);
            }
            if items.is_empty() {
                out.push(Bson::Null);
            }
            items.iter().for_each(|item| collect(item, Some(path), out));
        }
        (Bson::Array(items), None) => {
            out.push(value.clone());
            if items.is_empty() {
                out.push(Bson::Null);
            }
            out.extend(items.iter().filter(|item| !matches!(item, Bson::RegularExpression(_))).cloned());
        }
        (Bson::RegularExpression(_), None) => {}
        (_, Some(_)) => out.push(Bson::Null),
        (value, None) => out.push(value.clone()),
    }
}
