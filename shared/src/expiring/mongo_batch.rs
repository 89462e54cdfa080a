//! A batch of steps as one transaction of MongoDB: the entries are read, the steps are done in memory, and the difference is written.
//! Whoever writes an entry that another transaction wrote meanwhile starts again, so what was read holds at the commit.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bson::{Binary, DateTime, doc};
use futures_util::TryStreamExt as _;
use mongodb::error::Error;
use mongodb::{ClientSession, Collection};

use super::mongo::{Stored, after, binary, id, now, number};
use super::{Applied, Kept, Key, Op};
use crate::store::mongo::{End, Work};

pub(super) struct Batch<'a> {
    entries: &'a Collection<Stored>,
    ops: &'a [Op],
    /// Only insertions, under keys that nobody has used yet: true of nearly all. If not, the insertion fails by its key.
    inserts: bool,
}

/// An entry that the batch touches.
struct Draft {
    before: Option<Stored>,
    now: Option<Stored>,
    /// Whether the batch depends on it.
    required: bool,
}

impl<'a> Batch<'a> {
    pub fn new(entries: &'a Collection<Stored>, ops: &'a [Op]) -> Self {
        Self { entries, ops, inserts: ops.iter().all(|op| matches!(op, Op::Insert { .. })) }
    }

    /// Reads the entries before writing, even for insertions alone.
    pub fn look_first(&mut self) {
        self.inserts = false;
    }

    async fn insert_all(&self, session: &mut ClientSession) -> Result<(), Error> {
        let now = now();
        let entries = self.ops.iter().filter_map(|op| match op {
            Op::Insert { key, value, ttl, owners } => Some(Stored::new(key, value, *ttl, owners, now)),
            _ => None,
        });
        self.entries.insert_many(entries).session(session).await.map(drop)
    }

    async fn read(&self, session: &mut ClientSession) -> Result<BTreeMap<Key, Draft>, Error> {
        let mut drafts: BTreeMap<Key, Draft> = self
            .ops
            .iter()
            .filter_map(key)
            .map(|key| (*key, Draft { before: None, now: None, required: false }))
            .collect();
        if drafts.is_empty() {
            return Ok(drafts);
        }
        let ids: Vec<Binary> = drafts.keys().map(id).collect();
        let mut found = self.entries.find(doc! { "_id": { "$in": ids } }).session(&mut *session).await?;
        let found: Vec<Stored> = found.stream(session).try_collect().await?;
        for entry in found {
            let Some(key) = entry.key.bytes.as_slice().try_into().ok().map(Key) else { continue };
            drafts.insert(key, Draft { now: Some(entry.clone()), before: Some(entry), required: false });
        }
        Ok(drafts)
    }

    async fn write(&self, session: &mut ClientSession, drafts: BTreeMap<Key, Draft>) -> Result<(), Error> {
        let owners: Vec<&str> = self
            .ops
            .iter()
            .filter_map(|op| match op {
                Op::DeleteOwned { owner } => Some(owner.0.as_str()),
                _ => None,
            })
            .collect();
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        if !owners.is_empty() {
            self.entries.delete_many(doc! { "owners": { "$in": &owners } }).session(&mut *session).await?;
        }
        for Draft { before, now, required } in drafts.into_values() {
            // Gone already, with all its owner's.
            let before = before.filter(|entry| !entry.owners.iter().any(|owner| owners.contains(&owner.as_str())));
            match (before, now) {
                (Some(before), None) => gone.push(before.key),
                (None, Some(now)) => new.push(now),
                (Some(before), Some(now)) if before != now => {
                    self.entries.replace_one(doc! { "_id": &now.key }, now).session(&mut *session).await?;
                }
                // A write, so that whoever deletes it at the same time and this batch can't both go through.
                (Some(before), Some(_)) if required => {
                    let lock = doc! { "$inc": { "required": 1 } };
                    self.entries.update_one(doc! { "_id": &before.key }, lock).session(&mut *session).await?;
                }
                _ => {}
            }
        }
        if !gone.is_empty() {
            self.entries.delete_many(doc! { "_id": { "$in": gone } }).session(&mut *session).await?;
        }
        if !new.is_empty() {
            self.entries.insert_many(new).session(session).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Work for Batch<'_> {
    type Answer = Applied;

    async fn run(&self, session: &mut ClientSession) -> Result<End<Applied>, Error> {
        if self.inserts {
            self.insert_all(session).await?;
            return Ok(End::Commit(Applied::Done));
        }
        let mut drafts = self.read(session).await?;
        let now = now();
        for (index, op) in self.ops.iter().enumerate() {
            if let Err(found) = step(&mut drafts, op, now) {
                return Ok(End::Abort(Applied::Refused { index, found }));
            }
        }
        self.write(session, drafts).await?;
        Ok(End::Commit(Applied::Done))
    }
}

fn key(op: &Op) -> Option<&Key> {
    match op {
        Op::Insert { key, .. }
        | Op::Claim { key, .. }
        | Op::Update { key, .. }
        | Op::Require { key }
        | Op::Delete { key } => Some(key),
        Op::DeleteOwned { .. } => None,
    }
}

/// Does one step on the drafts; the entry in the way when it can't be done.
fn step(drafts: &mut BTreeMap<Key, Draft>, op: &Op, now: DateTime) -> Result<(), Option<Kept>> {
    if let Op::DeleteOwned { owner } = op {
        for draft in drafts.values_mut() {
            draft.now.take_if(|entry| entry.owners.contains(&owner.0));
        }
        return Ok(());
    }
    let Some(draft) = key(op).and_then(|key| drafts.get_mut(key)) else { return Ok(()) };
    let live = draft.now.as_mut().filter(|entry| entry.expires_at > now);
    match (op, live) {
        (Op::Insert { key, value, ttl, owners }, None) => draft.now = Some(Stored::new(key, value, *ttl, owners, now)),
        (Op::Claim { note, .. }, Some(entry)) if entry.claimed_at.is_none() => {
            entry.claimed_at = Some(now);
            entry.note = Some(binary(note));
        }
        (Op::Update { expected, value, ttl, .. }, Some(entry)) if entry.version == number(*expected) => {
            entry.value = binary(value);
            entry.version += 1;
            if let Some(ttl) = ttl {
                entry.expires_at = after(now, *ttl);
            }
        }
        (Op::Require { .. }, Some(_)) => draft.required = true,
        (Op::Delete { .. }, _) => draft.now = None,
        (_, entry) => return Err(entry.map(|entry| entry.kept(now))),
    }
    Ok(())
}
