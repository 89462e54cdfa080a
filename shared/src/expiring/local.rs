//! [`ExpiringStore`] in this process's memory, where everything is lost with it: for counters, while the store that keeps them for all
//! processes is away.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{Applied, Count, Entry, ExpiringStore, Kept, Key, Op, Owner, Whole};
use crate::store::StoreError;

/// Entries, and counters, that are held at most: then those that would expire first make room. Some tens of megabytes.
const MOST: usize = 100_000;

/// Entries and counters of this process.
pub struct LocalExpiring {
    held: Mutex<Held>,
    most: usize,
}

#[derive(Default)]
struct Held {
    entries: BTreeMap<Key, Local>,
    /// How many calls, and when their window ends.
    counters: BTreeMap<Key, (u64, i64)>,
}

/// Times are epoch milliseconds.
#[derive(Clone)]
struct Local {
    value: Vec<u8>,
    version: u64,
    claimed_at: Option<i64>,
    note: Vec<u8>,
    expires_at: i64,
    owners: Vec<Owner>,
}

impl Default for LocalExpiring {
    fn default() -> Self {
        Self { held: Mutex::default(), most: MOST }
    }
}

impl LocalExpiring {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that holds it can panic halfway through a change.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ExpiringStore for LocalExpiring {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError> {
        let (mut held, now) = (self.held(), now());
        let mut undo = Vec::new();
        for (index, op) in ops.into_iter().enumerate() {
            if let Err(found) = held.step(op, now, &mut undo) {
                while let Some((key, before)) = undo.pop() {
                    held.put(key, before);
                }
                return Ok(Applied::Refused { index, found });
            }
        }
        make_room(&mut held.entries, self.most, now, |entry| entry.expires_at);
        Ok(Applied::Done)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError> {
        let (held, now) = (self.held(), now());
        Ok(keys.iter().map(|key| held.live(key, now).map(|entry| entry.kept(now))).collect())
    }

    async fn list(&self, owner: &Owner, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(listed(self.held().page(after, |entry| entry.owners.contains(owner)).take(limit)))
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(listed(self.held().page(after, |_| true).take(limit)))
    }

    async fn export(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Whole>, StoreError> {
        let held = self.held();
        let live = held.page(after, |_| true).take(limit);
        Ok(live.map(|(key, entry)| entry.whole(*key)).collect())
    }

    async fn import(&self, entries: Vec<Whole>) -> Result<(), StoreError> {
        let (mut held, now) = (self.held(), now());
        for Whole { key, value, version, claimed_at, note, expires_at, owners } in entries {
            if expires_at > now {
                held.put(key, Some(Local { value, version, claimed_at, note, expires_at, owners }));
            }
        }
        make_room(&mut held.entries, self.most, now, |entry| entry.expires_at);
        Ok(())
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<Count, StoreError> {
        let (mut held, now) = (self.held(), now());
        let counter = held.counters.entry(*key).or_insert((0, after(now, window)));
        if counter.1 <= now {
            *counter = (0, after(now, window));
        }
        counter.0 += 1;
        let count = Count { calls: counter.0, left: between(now, counter.1) };
        make_room(&mut held.counters, self.most, now, |(_, ends)| *ends);
        Ok(count)
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        let (mut held, now) = (self.held(), now());
        held.counters.retain(|_, (_, ends)| *ends > now);
        let expired = held.entries.iter().filter(|(_, entry)| entry.expires_at <= now);
        let expired: Vec<Key> = expired.map(|(key, _)| *key).take(limit).collect();
        for key in &expired {
            held.entries.remove(key);
        }
        Ok(expired.len())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Held {
    fn live(&self, key: &Key, now: i64) -> Option<&Local> {
        self.entries.get(key).filter(|entry| entry.expires_at > now)
    }

    fn put(&mut self, key: Key, entry: Option<Local>) {
        match entry {
            Some(entry) => _ = self.entries.insert(key, entry),
            None => _ = self.entries.remove(&key),
        }
    }

    /// Does a step, and notes what was there before; the entry in the way where it can't be done.
    fn step(&mut self, op: Op, now: i64, undo: &mut Vec<(Key, Option<Local>)>) -> Result<(), Option<Kept>> {
        let (key, after) = match op {
            Op::DeleteOwned { owner } => {
                let gone = self.entries.extract_if(.., |_, entry| entry.owners.contains(&owner));
                undo.extend(gone.map(|(key, entry)| (key, Some(entry))));
                return Ok(());
            }
            Op::Delete { key } => (key, None),
            Op::Require { key } => return self.live(&key, now).map(drop).ok_or(None),
            Op::Insert { key, value, ttl, owners } => match self.live(&key, now) {
                Some(entry) => return Err(Some(entry.kept(now))),
                None => (key, Some(Local::new(value, after(now, ttl), owners))),
            },
            Op::Claim { key, note } => match self.live(&key, now) {
                Some(entry) if entry.claimed_at.is_none() => {
                    (key, Some(Local { claimed_at: Some(now), note, ..entry.clone() }))
                }
                found => return Err(found.map(|entry| entry.kept(now))),
            },
            Op::Update { key, expected, value, ttl } => match self.live(&key, now) {
                Some(entry) if entry.version == expected => {
                    let expires_at = ttl.map_or(entry.expires_at, |ttl| after(now, ttl));
                    (key, Some(Local { value, version: expected + 1, expires_at, ..entry.clone() }))
                }
                found => return Err(found.map(|entry| entry.kept(now))),
            },
        };
        undo.push((key, self.entries.get(&key).cloned()));
        self.put(key, after);
        Ok(())
    }

    fn page(&self, after: Option<&Key>, wanted: impl Fn(&Local) -> bool) -> impl Iterator<Item = (&Key, &Local)> {
        let now = now();
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let live = self.entries.range((from, Bound::Unbounded));
        live.filter(move |(_, entry)| entry.expires_at > now && wanted(entry))
    }
}

fn listed<'a>(entries: impl Iterator<Item = (&'a Key, &'a Local)>) -> Vec<Entry> {
    let now = now();
    entries.map(|(key, entry)| Entry { key: *key, kept: entry.kept(now) }).collect()
}

impl Local {
    fn new(value: Vec<u8>, expires_at: i64, owners: Vec<Owner>) -> Self {
        Self { value, version: 1, claimed_at: None, note: Vec::new(), expires_at, owners }
    }

    fn kept(&self, now: i64) -> Kept {
        Kept {
            value: self.value.clone(),
            version: self.version,
            claimed_for: self.claimed_at.map(|at| between(at, now)),
            note: self.note.clone(),
            left: between(now, self.expires_at),
        }
    }

    fn whole(&self, key: Key) -> Whole {
        let Local { value, version, claimed_at, note, expires_at, owners } = self.clone();
        Whole { key, value, version, claimed_at, note, expires_at, owners }.in_order()
    }
}

fn after(now: i64, ttl: Duration) -> i64 {
    now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}

fn between(earlier: i64, later: i64) -> Duration {
    Duration::from_millis(u64::try_from(later - earlier).unwrap_or_default())
}

#[allow(clippy::disallowed_methods, reason = "expiry is the store's business: this is the place that reads the clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Where there are more than `most`: what has expired goes, and of the rest the tenth that would go first, so that this is rare.
fn make_room<T>(held: &mut BTreeMap<Key, T>, most: usize, now: i64, end: impl Fn(&T) -> i64) {
    if held.len() <= most {
        return;
    }
    held.retain(|_, one| end(one) > now);
    if held.len() > most {
        let mut ends: Vec<i64> = held.values().map(&end).collect();
        let first_to_go = *ends.select_nth_unstable_by_key(most - most / 10, |end| Reverse(*end)).1;
        held.retain(|_, one| end(one) > first_to_go);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn empty() -> Option<((), LocalExpiring)> {
        Some(((), LocalExpiring::default()))
    }

    crate::expiring_conformance!(empty);

    /// Strangers decide how many there are: what they cost is bounded, and what matters longest stays.
    #[actix_rt::test]
    async fn the_soonest_to_expire_make_room_for_more() {
        let store = LocalExpiring { most: 100, ..LocalExpiring::default() };
        let key = |number: u64| Key::new("test", &number.to_string());
        for number in 0..1000 {
            let ttl = Duration::from_secs(1000 + number);
            let insert = Op::Insert { key: key(number), value: Vec::new(), ttl, owners: Vec::new() };
            assert_eq!(store.apply(vec![insert]).await.unwrap(), Applied::Done);
            store.count(&key(number), ttl).await.unwrap();
        }
        let held = store.held();
        assert!(held.entries.len() <= 100 && held.entries.len() >= 89, "{}", held.entries.len());
        assert!(held.counters.len() <= 100 && held.counters.contains_key(&key(999)));
        assert!((950..1000).all(|number| held.entries.contains_key(&key(number))));
    }
}
