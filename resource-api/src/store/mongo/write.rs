//! Batches of writes. A single write is decided by its own filter; several are a transaction, which is run again where another one
//! was in the way.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, doc};
use futures_util::TryStreamExt as _;
use mongodb::ClientSession;
use mongodb::action::Action as _;
use mongodb::error::Error;
use sha2::{Digest as _, Sha256};
use shared::clock;
use shared::store::StoreError;
use shared::store::mongo::{Again, Duplicate, End, Work, duplicate};

use super::prepare::LOCKS;
use super::undo::Undo;
use super::{LOOKED_UP, MongoDocuments, with_id};
use crate::query::Filter;
use crate::store::keys::equality_key;
use crate::store::{Guard, LeftOut, Outcome, Waiting, Write};

/// Bytes of a document that MongoDB takes.
const LARGEST: usize = 16 << 20;

/// Why a write was not made.
pub(super) enum Refused {
    Changed,
    Missing,
    Conflict(String),
}

/// How many documents each write touched, or what became of the batch instead.
type Applied = Result<Vec<u64>, Outcome>;

struct Batch<'a> {
    store: &'a MongoDocuments,
    writes: &'a [Write],
}

#[async_trait]
impl Work for Batch<'_> {
    type Answer = Applied;

    async fn run(&self, session: &mut ClientSession) -> Result<End<Applied>, Error> {
        Ok(match self.store.apply(self.writes, session).await? {
            Ok(touched) => End::Commit(Ok(touched)),
            Err(refused) => End::Abort(Err(refused)),
        })
    }
}

impl MongoDocuments {
    pub(super) async fn write(&self, writes: &[Write]) -> Result<Outcome, StoreError> {
        if writes.iter().any(is_too_large) {
            return Err(StoreError::TooLarge);
        }
        let applied = match writes {
            [] => Ok(Vec::new()),
            [write] if !matches!(write, Write::Vacant { .. }) && !self.doubled.concerns(write.source()) => self
                .mongo
                .limited(async { Ok::<_, StoreError>(self.one(write, None).await?) })
                .await?
                .map_or_else(|refused| Err(outcome(0, refused)), |touched| Ok(vec![touched])),
            writes if self.mongo.has_transactions() => {
                let _turn = match writes.iter().find_map(vacancy) {
                    Some(key) => Some(self.turns[usize::from(key?) % self.turns.len()].lock().await),
                    None => None,
                };
                self.mongo.transaction(&Batch { store: self, writes }).await?
            }
            writes => self.apply_or_take_back(writes).await?,
        };
        Ok(applied.map_or_else(|refused| refused, Outcome::Done))
    }

    async fn apply(&self, writes: &[Write], session: &mut ClientSession) -> Result<Applied, Error> {
        let mut touched = Vec::with_capacity(writes.len());
        while let Some(write) = writes.get(touched.len()) {
            let at = touched.len();
            let run = insertions(&writes[at..]);
            if run.len() > 1
                && self.doubled.concerns(write.source())
                && let Err((index, refused)) = self.may_join(write.source(), &run, session).await?
            {
                return Ok(Err(outcome(at + index, refused)));
            }
            if run.len() < 2 && self.doubled.concerns(write.source()) {
                let done = self.doubled.write(self, write, session).await?;
                match done {
                    Ok(count) => touched.push(count),
                    Err(refused) => return Ok(Err(outcome(at, refused))),
                }
            } else if run.len() > 1 {
                match self.collection(write.source()).insert_many(run.iter().copied()).session(&mut *session).await {
                    Ok(_) => touched.extend(run.iter().map(|_| 1)),
                    Err(error) => match duplicate(&error) {
                        Some(Duplicate { field, index }) => {
                            return Ok(Err(outcome(at + index, Refused::Conflict(field))));
                        }
                        None => return Err(error),
                    },
                }
            } else {
                match self.one(write, Some(&mut *session)).await? {
                    Ok(count) => touched.push(count),
                    Err(refused) => return Ok(Err(outcome(at, refused))),
                }
            }
        }
        Ok(Ok(touched))
    }

    /// On a standalone server: one after the other, and where one is refused, fails or comes too late the others are taken back.
    async fn apply_or_take_back(&self, writes: &[Write]) -> Result<Applied, StoreError> {
        let mut undo = Undo::default();
        let applied = self.mongo.limited(self.apply_each(writes, &mut undo)).await;
        if !matches!(applied, Ok(Ok(_))) {
            let back = self.mongo.clone().patient();
            back.limited(undo.take_back(self)).await.inspect_err(|error| {
                log::error!("a part of a bulk that was not done stays stored, as it can't be taken back: {error}");
            })?;
        }
        applied
    }

    async fn apply_each(&self, writes: &[Write], undo: &mut Undo) -> Result<Applied, StoreError> {
        let mut touched = Vec::with_capacity(writes.len());
        for (index, write) in writes.iter().enumerate() {
            undo.note(self, write).await?;
            match self.one(write, None).await? {
                Ok(count) => touched.push(count),
                Err(refused) => {
                    undo.forget_last();
                    return Ok(Err(outcome(index, refused)));
                }
            }
        }
        Ok(Ok(touched))
    }

    /// Makes one write.
    pub(super) async fn one(
        &self,
        write: &Write,
        mut session: Option<&mut ClientSession>,
    ) -> Result<Result<u64, Refused>, Error> {
        let collection = self.collection(write.source());
        let done = match write {
            Write::Insert { document, .. } => {
                let insert = collection.insert_one(&**document);
                insert.optional(session.as_deref_mut(), |insert, session| insert.session(session)).await.map(|_| 1)
            }
            Write::Replace { guard, document, .. } if has_operators_name(document)? => {
                let replace = doc! { "$replaceWith": { "$literal": Document::try_from(&***document)? } };
                let replace = collection.update_one(expected(guard), vec![replace]);
                replace
                    .optional(session.as_deref_mut(), |replace, session| replace.session(session))
                    .await
                    .map(|done| done.matched_count)
            }
            Write::Replace { guard, document, .. } => {
                let replace = collection.replace_one(expected(guard), &**document);
                replace
                    .optional(session.as_deref_mut(), |replace, session| replace.session(session))
                    .await
                    .map(|done| done.matched_count)
            }
            Write::Set { guard, fields, .. } if fields.is_empty() => {
                let find = collection.find_one(expected(guard));
                find.optional(session.as_deref_mut(), |find, session| find.session(session))
                    .await
                    .map(|found| u64::from(found.is_some()))
            }
            Write::Set { guard, fields, .. } => {
                let set = match fields.keys().all(|name| is_plain(name)) {
                    true => collection.update_one(expected(guard), doc! { "$set": fields }),
                    false => collection.update_one(expected(guard), set_by_name(fields)),
                };
                set.optional(session.as_deref_mut(), |set, session| set.session(session))
                    .await
                    .map(|done| done.matched_count)
            }
            Write::Delete { guard, .. } => {
                let delete = collection.delete_one(expected(guard));
                delete
                    .optional(session.as_deref_mut(), |delete, session| delete.session(session))
                    .await
                    .map(|done| done.deleted_count)
            }
            Write::DeleteMany { filter, .. } => {
                let delete = collection.delete_many(filter.to_document());
                return Ok(Ok(delete
                    .optional(session, |delete, session| delete.session(session))
                    .await?
                    .deleted_count));
            }
            Write::Vacant { source, path, value, filter } => {
                let wanted = Filter::equal(path.as_str(), value.clone());
                let key = equality_key(value).map_err(|error| Error::custom(error.to_string()))?;
                let filter = wanted.and(filter.clone());
                self.lock(source, path, &key, session.as_deref_mut()).await?;
                let taken = collection.find_one(filter.to_document());
                let taken = taken.optional(session, |find, session| find.session(session)).await?;
                return Ok(if taken.is_some() { Err(Refused::Conflict(path.clone())) } else { Ok(0) });
            }
        };
        match (done, guard(write)) {
            (Ok(0), Some(guard)) => {
                let id = collection.find_one(doc! { "_id": { "$eq": &guard.id } });
                let found = id.optional(session, |find, session| find.session(session)).await?;
                Ok(Err(if found.is_some() { Refused::Changed } else { Refused::Missing }))
            }
            (Ok(count), _) => Ok(Ok(count)),
            (Err(error), _) => match duplicate(&error) {
                Some(Duplicate { field, .. }) => Ok(Err(Refused::Conflict(field))),
                None => Err(error),
            },
        }
    }

    /// Of two transactions that lock one key, the later one waits or starts again; so it sees what the earlier one wrote.
    pub(super) async fn lock(
        &self,
        source: &str,
        path: &str,
        key: &[u8],
        session: Option<&mut ClientSession>,
    ) -> Result<(), Error> {
        let Some(session) = session else { return Ok(()) };
        let mut digest = Sha256::new();
        for part in [source.as_bytes(), path.as_bytes(), key] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let id = Binary { subtype: BinarySubtype::Generic, bytes: digest.finalize().to_vec() };
        let now = DateTime::from_millis(clock::now().saturating_mul(1000));
        let held = doc! { "$inc": { "times": 1_i64 }, "$set": { "at": now } };
        let locks = self.mongo.collection::<Document>(LOCKS);
        match locks.update_one(doc! { "_id": id }, held).upsert(true).session(session).await {
            // Two made it at the same time.
            Err(error) if duplicate(&error).is_some() => Err(again()),
            done => done.map(drop),
        }
    }

    /// Takes those out whose ids are taken, also by one before it.
    pub(super) async fn taken_ids(&self, source: &str, waiting: &mut Vec<Waiting>) -> Result<Vec<LeftOut>, StoreError> {
        let mut keys = HashMap::new();
        for (index, _, document) in &*waiting {
            let id = document.get("_id").ok().flatten().map(Bson::try_from);
            if let Some(Ok(id)) = id {
                keys.insert(*index, (equality_key(&id)?, id));
            }
        }
        let mut taken: HashSet<Vec<u8>> = HashSet::new();
        let ids: Vec<&Bson> = keys.values().map(|(_, id)| id).collect();
        for part in ids.chunks(LOOKED_UP) {
            let wanted = doc! { "_id": { "$in": part.iter().map(|id| (*id).clone()).collect::<Vec<_>>() } };
            let collection = self.mongo.collection::<Document>(source);
            let found = collection.find(wanted).projection(doc! { "_id": 1 });
            let found: Vec<Document> = self.mongo.call(async { found.await?.try_collect().await }).await?;
            for document in found {
                if let Some(id) = document.get("_id") {
                    taken.insert(equality_key(id)?);
                }
            }
        }
        let mut left_out = Vec::new();
        waiting.retain(|(index, _, document)| {
            let Some((key, _)) = keys.get(index) else { return true };
            let free = taken.insert(key.clone());
            if !free {
                let document = RawDocumentBuf::clone(document);
                left_out.push(LeftOut { index: *index, field: "_id".to_owned(), vacancy: None, document });
            }
            free
        });
        Ok(left_out)
    }
}

/// The driver says so of an insertion only, and a server closes the connection.
fn is_too_large(write: &Write) -> bool {
    match write {
        Write::Insert { document, .. } | Write::Replace { document, .. } => document.as_bytes().len() > LARGEST,
        _ => false,
    }
}

/// A number of what a write wants vacant.
fn vacancy(write: &Write) -> Option<Result<u8, StoreError>> {
    let Write::Vacant { value, .. } = write else { return None };
    Some(equality_key(value).map(|key| Sha256::digest(key)[0]))
}

/// What makes a transaction start again.
fn again() -> Error {
    Error::custom(Again)
}

/// The documents that these writes begin with: insertions into one source.
fn insertions(writes: &[Write]) -> Vec<&RawDocumentBuf> {
    let Some(first) = writes.first() else { return Vec::new() };
    writes
        .iter()
        .map_while(|write| match write {
            Write::Insert { source, document } if source == first.source() => Some(&**document),
            _ => None,
        })
        .collect()
}

pub(super) fn guard(write: &Write) -> Option<&Guard> {
    match write {
        Write::Replace { guard, .. } | Write::Set { guard, .. } | Write::Delete { guard, .. } => Some(guard),
        _ => None,
    }
}

fn outcome(index: usize, refused: Refused) -> Outcome {
    match refused {
        Refused::Changed => Outcome::Changed { index },
        Refused::Missing => Outcome::Missing { index },
        Refused::Conflict(field) => Outcome::Conflict { index, field },
    }
}

/// The document in the state that a write needs (ETAG-10).
fn expected(guard: &Guard) -> Document {
    let mut wanted = with_id(&guard.id, &guard.filter);
    if let Some((field, etag)) = &guard.etag {
        wanted.insert(field, doc! { "$eq": etag });
    }
    wanted
}

/// Whether `$set` takes the name for that of a top-level field.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('$') && !name.contains('.')
}

/// Whether a replacement would be taken for an update, or be refused.
fn has_operators_name(document: &RawDocument) -> Result<bool, Error> {
    for element in document {
        if element?.0.as_str().starts_with('$') {
            return Ok(true);
        }
    }
    Ok(false)
}

fn set_by_name(fields: &Document) -> Vec<Document> {
    let set = |(name, value): (&String, &Bson)| {
        let field = doc! { "field": { "$literal": name }, "input": "$$ROOT", "value": { "$literal": value } };
        doc! { "$replaceWith": { "$setField": field } }
    };
    fields.iter().map(set).collect()
}
