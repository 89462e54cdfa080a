//! Whether both sides keep the same: counts and digests, read side by side.

use std::collections::VecDeque;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{BATCH, Blame, Holder, MigrationError, Record, Watch};
use crate::clock;

/// A kind that is the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    pub kind: String,
    pub records: u64,
    /// SHA-256 over the records in their order, in hexadecimal: each its length (eight bytes, the greatest first) and its bytes.
    pub digest: String,
}

/// The records of one side, a batch at a time.
struct Side<'s> {
    holder: &'s dyn Holder,
    kind: &'s str,
    blame: Blame<'s>,
    waiting: VecDeque<Record>,
    after: Option<Vec<u8>>,
    records: u64,
    digest: Sha256,
}

impl<'s> Side<'s> {
    fn new(holder: &'s dyn Holder, kind: &'s str, blame: Blame<'s>) -> Self {
        let (waiting, digest) = (VecDeque::new(), Sha256::new());
        Self { holder, kind, blame, waiting, after: None, records: 0, digest }
    }

    async fn fill(&mut self) -> Result<(), MigrationError> {
        if self.waiting.is_empty() {
            let read = self.holder.read(self.kind, self.after.as_deref(), BATCH).await;
            let read = read.map_err(self.blame)?;
            if let Some(last) = read.last() {
                self.after = Some(last.place.clone());
            }
            self.waiting = read.into();
        }
        Ok(())
    }

    /// Counts the first one.
    fn take(&mut self) {
        if let Some(record) = self.waiting.pop_front() {
            self.records += 1;
            self.digest.update((record.body.len() as u64).to_be_bytes());
            self.digest.update(&record.body);
        }
    }

    fn skip(&mut self) {
        self.waiting.pop_front();
    }

    fn told(self) -> Compared {
        let digest = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Compared { kind: self.kind.to_owned(), records: self.records, digest }
    }
}

/// The kind with its digest, or the first record that is not the same. What has ended by itself on one side only is left out.
pub(super) async fn compare(
    source: &dyn Holder,
    target: &dyn Holder,
    kind: &str,
    watch: &mut dyn Watch,
    (ours, theirs): (Blame<'_>, Blame<'_>),
) -> Result<Result<Compared, String>, MigrationError> {
    let (mut one, mut other) = (Side::new(source, kind, ours), Side::new(target, kind, theirs));
    loop {
        let number = one.records + 1;
        futures_util::try_join!(one.fill(), other.fill())?;
        match (one.waiting.front(), other.waiting.front()) {
            (None, None) => break,
            (Some(here), Some(there)) if here.body == there.body => {
                one.take();
                other.take();
                watch.advance(1);
            }
            (Some(here), _) if has_ended(here) => one.skip(),
            (_, Some(there)) if has_ended(there) => other.skip(),
            (Some(here), _) => {
                return Ok(Err(format!("{kind}, record {number}: {}", source.name(kind, here))));
            }
            (None, Some(there)) => {
                return Ok(Err(format!("{kind}, only in the target: {}", target.name(kind, there))));
            }
        }
    }
    let (one, other) = (one.told(), other.told());
    if one != other {
        let told = |side: &Compared| format!("{} with digest {}", side.records, side.digest);
        return Ok(Err(format!("{kind}: {} and {}", told(&one), told(&other))));
    }
    Ok(Ok(one))
}

fn has_ended(record: &Record) -> bool {
    record.ends_at.is_some_and(|end| end <= clock::now() * 1000)
}
