//! [`ExpiringStore`] on Redis. A batch is one script, so no other command comes between its steps; Redis' clock decides what has
//! expired.
//!
//! Keys, after the prefix: `e:` and 32 bytes is an entry, a hash of `v`alue, versio`n`, `c`laim's time, no`t`e and `o`wners; `o:` and
//! an owner, the keys of his entries in order; `x`, by expiry, the entries that have owners, so that a sweep finds what is to be
//! taken off those lists; `c:` and 32 bytes is a counter.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;

use super::{Applied, Count, Entry, ExpiringStore, Kept, Key, Op, Owner, Whole};
use crate::store::{Redis, StoreError};

static APPLY: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/entry.lua"), include_str!("redis/apply.lua"))));
static READ: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/entry.lua"), include_str!("redis/read.lua"))));
static LIST: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/entry.lua"), include_str!("redis/list.lua"))));
static SWEEP: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/entry.lua"), include_str!("redis/sweep.lua"))));
static EXPORT: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/entry.lua"), include_str!("redis/export.lua"))));
static IMPORT: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("redis/entry.lua"), include_str!("redis/import.lua"))));
static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/count.lua")));

/// How many keys a step of a scan looks at.
const SCANNED: usize = 1000;

/// Entries under one prefix of a Redis server.
pub struct RedisExpiring {
    redis: Redis,
}

/// An entry as the scripts give it: value, version, age of the claim or -1, note, life left; times in milliseconds.
type Row = (Vec<u8>, u64, i64, Vec<u8>, u64);

/// The same whole: value, version, time of the claim or -1, note, owners, time of the end.
type WholeRow = (Vec<u8>, u64, i64, Vec<u8>, String, i64);

impl RedisExpiring {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        write: impl FnOnce(&mut redis::ScriptInvocation<'_>),
    ) -> Result<T, StoreError> {
        let mut invocation = script.prepare_invoke();
        invocation.arg(self.redis.prefix());
        write(&mut invocation);
        let mut connection = self.redis.connection();
        self.redis.call(invocation.invoke_async(&mut connection)).await
    }

    /// The first `limit` keys after `after`, in order. Redis keeps no order of all keys, so this looks at every one.
    async fn keys(&self, after: Option<&Key>, limit: usize) -> Result<BTreeSet<Key>, StoreError> {
        let start = format!("{}e:", self.redis.prefix());
        let pattern = format!("{}*", escaped(&start));
        let (mut first, mut cursor) = (BTreeSet::new(), 0_u64);
        loop {
            let mut connection = self.redis.connection();
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCANNED);
            let (next, found): (u64, Vec<Vec<u8>>) = self.redis.call(command.query_async(&mut connection)).await?;
            for name in found {
                let Some(Ok(key)) = name.strip_prefix(start.as_bytes()).map(<[u8; 32]>::try_from) else { continue };
                if after.is_none_or(|after| Key(key) > *after) {
                    first.insert(Key(key));
                    if first.len() > limit {
                        first.pop_last();
                    }
                }
            }
            if next == 0 {
                return Ok(first);
            }
            cursor = next;
        }
    }
}

#[async_trait]
impl ExpiringStore for RedisExpiring {
    async fn apply(&self, ops: Vec<Op>) -> Result<Applied, StoreError> {
        let refused: Option<(usize, Option<Row>)> =
            self.run(&APPLY, |call| ops.iter().for_each(|op| write(op, call))).await?;
        Ok(match refused {
            None => Applied::Done,
            Some((index, found)) => Applied::Refused { index, found: found.map(kept) },
        })
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Kept>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<Option<Row>> = self
            .run(&READ, |call| {
                keys.iter().for_each(|key| {
                    call.arg(&key.0[..]);
                });
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.map(kept)).collect())
    }

    async fn list(&self, owner: &Owner, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let rows: Vec<(Vec<u8>, Row)> = self
            .run(&LIST, |call| {
                call.arg(&owner.0).arg(after.map_or(&[][..], |key| &key.0)).arg(limit);
            })
            .await?;
        rows.into_iter().map(|(key, row)| Ok(Entry { key: Key(bytes(&key)?), kept: kept(row) })).collect()
    }

    async fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let (mut entries, mut after) = (Vec::new(), after.copied());
        loop {
            let wanted = limit - entries.len();
            let keys: Vec<Key> = self.keys(after.as_ref(), wanted).await?.into_iter().collect();
            let found = self.get_many(&keys).await?;
            entries.extend(keys.iter().zip(found).filter_map(|(key, kept)| Some(Entry { key: *key, kept: kept? })));
            // Some may have expired since their keys were read; a page that is not full is the last one.
            if entries.len() == limit || keys.len() < wanted {
                return Ok(entries);
            }
            after = keys.last().copied();
        }
    }

    async fn export(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Whole>, StoreError> {
        let (mut entries, mut after) = (Vec::new(), after.copied());
        loop {
            let wanted = limit - entries.len();
            let keys: Vec<Key> = self.keys(after.as_ref(), wanted).await?.into_iter().collect();
            let found: Vec<Option<WholeRow>> = self
                .run(&EXPORT, |call| {
                    keys.iter().for_each(|key| {
                        call.arg(&key.0[..]);
                    });
                })
                .await?;
            entries.extend(keys.iter().zip(found).filter_map(|(key, row)| Some(whole(*key, row?))));
            if entries.len() == limit || keys.len() < wanted {
                return Ok(entries);
            }
            after = keys.last().copied();
        }
    }

    async fn import(&self, entries: Vec<Whole>) -> Result<(), StoreError> {
        self.run(&IMPORT, |call| entries.iter().for_each(|entry| put(entry, call))).await
    }

    async fn count(&self, key: &Key, window: Duration) -> Result<Count, StoreError> {
        let (calls, left): (u64, u64) = self
            .run(&COUNT, |call| {
                call.arg(&key.0[..]).arg(milliseconds(window));
            })
            .await?;
        Ok(Count { calls, left: Duration::from_millis(left) })
    }

    async fn sweep(&self, limit: usize) -> Result<usize, StoreError> {
        self.run(&SWEEP, |call| {
            call.arg(limit);
        })
        .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.redis.connection();
        let mut command = redis::cmd("SET");
        command.arg(format!("{}ping", self.redis.prefix())).arg(1).arg("PX").arg(1000);
        // A replica, or a server whose memory is full, answers but takes no writes.
        self.redis.call(command.exec_async(&mut connection)).await
    }
}

fn write(op: &Op, call: &mut redis::ScriptInvocation<'_>) {
    match op {
        Op::Insert { key, value, ttl, owners } => {
            let owners: Vec<&str> = owners.iter().map(|owner| owner.0.as_str()).collect();
            call.arg("insert").arg(&key.0[..]).arg(value.as_slice()).arg(milliseconds(*ttl)).arg(owners.join("\0"))
        }
        Op::Claim { key, note } => call.arg("claim").arg(&key.0[..]).arg(note.as_slice()),
        Op::Update { key, expected, value, ttl } => {
            let ttl = ttl.map_or_else(String::new, |ttl| milliseconds(ttl).to_string());
            call.arg("update").arg(&key.0[..]).arg(*expected).arg(value.as_slice()).arg(ttl)
        }
        Op::Require { key } => call.arg("require").arg(&key.0[..]),
        Op::Delete { key } => call.arg("delete").arg(&key.0[..]),
        Op::DeleteOwned { owner } => call.arg("delete_owned").arg(&owner.0),
    };
}

fn kept((value, version, claimed, note, left): Row) -> Kept {
    Kept {
        value,
        version,
        claimed_for: u64::try_from(claimed).ok().map(Duration::from_millis),
        note,
        left: Duration::from_millis(left),
    }
}

fn whole(key: Key, (value, version, claimed, note, owners, expires_at): WholeRow) -> Whole {
    let owners = owners.split('\0').filter(|owner| !owner.is_empty()).map(|owner| Owner(owner.to_owned())).collect();
    let claimed_at = (claimed >= 0).then_some(claimed);
    Whole { key, value, version, claimed_at, note, expires_at, owners }.in_order()
}

fn put(entry: &Whole, call: &mut redis::ScriptInvocation<'_>) {
    let owners: Vec<&str> = entry.owners.iter().map(|owner| owner.0.as_str()).collect();
    call.arg(&entry.key.0[..]).arg(entry.value.as_slice()).arg(entry.version).arg(entry.claimed_at.unwrap_or(-1));
    call.arg(entry.note.as_slice()).arg(owners.join("\0")).arg(entry.expires_at.min(1 << 52));
}

fn bytes(key: &[u8]) -> Result<[u8; 32], StoreError> {
    key.try_into().map_err(|_| StoreError::Corrupt("a key that is not 32 bytes".to_owned()))
}

fn milliseconds(duration: Duration) -> u64 {
    // Longer than Redis can count is as good as for ever.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(1 << 52)
}

/// As a pattern that matches nothing else.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| ("*?[]\\".contains(c).then_some('\\')).into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::servers;

    async fn empty() -> Option<((), RedisExpiring)> {
        let url = servers::redis()?;
        Some(((), RedisExpiring::new(Redis::new(&url, "unused").unwrap())))
    }

    crate::expiring_conformance!(empty);
}
