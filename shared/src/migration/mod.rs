//! All that one store keeps, copied into another and compared there. A service says by a [`Holder`] what it keeps; which
//! backend that lies in makes no difference here.
//!
//! The target holds a [`Mark`] of how far it is, written with each batch, so that a move that was interrupted goes on. No
//! service starts on a target that is marked.

mod compare;
mod expiring;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::store::{StoreError, StoreUrl};

pub use compare::Compared;
pub use expiring::{ExpiringHolder, mark as mark_among_entries};

/// Records read and written at a time, where they are small.
const BATCH: usize = 1000;

/// Something that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands in its own store; reading goes on behind it.
    pub place: Vec<u8>,
    /// All of it, in the same bytes whatever store it lies in.
    pub body: Vec<u8>,
    /// When the store removes it by itself: epoch milliseconds.
    pub ends_at: Option<i64>,
}

/// Everything that one service keeps in one store, by kinds.
#[async_trait]
pub trait Holder: Send + Sync {
    /// In the order in which they can be written: what others refer to goes first.
    async fn kinds(&self) -> Result<Vec<String>, StoreError>;
    /// How many records there are, where that is easily told.
    async fn count(&self, kind: &str) -> Result<Option<u64>, StoreError>;
    /// The next records behind a place, in an order that all stores share: at most `limit`, fewer where they are large, and none
    /// only at the end.
    async fn read(&self, kind: &str, after: Option<&[u8]>, limit: usize) -> Result<Vec<Record>, StoreError>;
    /// Writes records and the mark: in one commit, or so that doing it again changes nothing.
    async fn write(&self, kind: &str, records: Vec<Record>, mark: &Mark) -> Result<(), StoreError>;
    /// What a record is called, for the one who looks for it.
    fn name(&self, kind: &str, record: &Record) -> String;
    async fn mark(&self) -> Result<Option<Mark>, StoreError>;
    /// Whatever else is to be there before services start, and then no mark any more.
    async fn finish(&self) -> Result<(), StoreError>;
}

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The store that is copied: see [`StoreUrl::place`].
    pub source: String,
    /// The kind that is being copied; those before it are. `None`: all are.
    pub kind: Option<String>,
    /// The last record of it that was copied, in base64.
    pub after: Option<String>,
}

impl Mark {
    pub fn to_text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Corrupt(format!("the mark of a move: {error}")))
    }

    pub fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("the mark of a move: {error}")))
    }

    /// Why a service does not start on a store that has this mark.
    pub fn refusal(&self) -> StoreError {
        StoreError::Unavailable(format!(
            "it is the target of a move from {} that has not ended: run that `evergate migrate` again, or empty it",
            self.source
        ))
    }
}

/// Who looks on.
pub trait Watch {
    /// A kind is copied, or compared; `all` records, where that is known.
    fn begin(&mut self, kind: &str, work: Work, all: Option<u64>);
    fn advance(&mut self, records: u64);
    fn end(&mut self);
}

/// What is done to a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Copy,
    Compare,
}

/// A move that ended well.
#[derive(Debug, Serialize)]
pub struct Moved {
    /// Whether an earlier attempt had begun it.
    pub resumed: bool,
    pub kinds: Vec<Compared>,
}

#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error("the source, {0}: {1}")]
    Source(String, StoreError),
    #[error("the target, {0}: {1}")]
    Target(String, StoreError),
    #[error("source and target are the same store")]
    Same,
    #[error("the target, {target}, is not empty: it holds {kind}; name an empty one")]
    NotEmpty { target: String, kind: String },
    #[error("the target, {target}, has a part of {other}: run that `evergate migrate` again, or empty it")]
    Another { target: String, other: String },
    #[error(
        "not the same on both sides: {}. Nothing is served from the target as it is. Was something written meanwhile? Empty the \
         target, stop what writes to the source, and begin again",
        .0.join("; ")
    )]
    Differs(Vec<String>),
}

/// One service's data and both their places.
pub struct Move {
    pub from: StoreUrl,
    pub to: StoreUrl,
    pub source: Box<dyn Holder>,
    pub target: Box<dyn Holder>,
}

impl Move {
    fn ours(&self) -> impl Fn(StoreError) -> MigrationError + Send + Sync + use<> {
        let place = self.from.place();
        move |error| MigrationError::Source(place.clone(), error)
    }

    fn theirs(&self) -> impl Fn(StoreError) -> MigrationError + Send + Sync + use<> {
        let place = self.to.place();
        move |error| MigrationError::Target(place.clone(), error)
    }

    /// Whether an earlier attempt did a part of it.
    pub async fn is_begun(&self) -> Result<bool, MigrationError> {
        Ok(self.target.mark().await.map_err(self.theirs())?.is_some())
    }

    /// Copies everything, or what an earlier attempt left, and compares both sides. `resuming`: a move that began together with
    /// this one has not ended; then a target that is not empty and has no mark is what the earlier attempt finished.
    pub async fn run(&self, resuming: bool, watch: &mut dyn Watch) -> Result<Moved, MigrationError> {
        let (source, target) = (&*self.source, &*self.target);
        let (ours, theirs) = (self.ours(), self.theirs());
        let (here, there) = (self.from.place(), self.to.place());
        if here == there {
            return Err(MigrationError::Same);
        }
        // It is a half itself.
        if let Some(mark) = source.mark().await.map_err(&ours)? {
            return Err(ours(mark.refusal()));
        }
        let kinds = source.kinds().await.map_err(&ours)?;
        let found = target.mark().await.map_err(&theirs)?;
        let mut resumed = found.is_some();
        let mut mark = match found {
            Some(mark) if mark.source == here => mark,
            Some(mark) => return Err(MigrationError::Another { target: there, other: mark.source }),
            None => {
                let holding = first_held(target, &kinds).await.map_err(&theirs)?;
                resumed = resuming && holding.is_some();
                match holding {
                    Some(kind) if !resuming => return Err(MigrationError::NotEmpty { target: there, kind }),
                    Some(_) => Mark { source: here, kind: None, after: None },
                    None => Mark { source: here, kind: kinds.first().cloned(), after: None },
                }
            }
        };
        while let Some(kind) = mark.kind.clone() {
            let place = kinds.iter().position(|known| *known == kind);
            let next = kinds.get(place.map_or(kinds.len(), |place| place + 1));
            copy(source, target, &kind, &mut mark, watch, (&ours, &theirs)).await?;
            mark = Mark { kind: next.cloned(), after: None, ..mark };
            target.write(&kind, Vec::new(), &mark).await.map_err(&theirs)?;
        }
        let (mut compared, mut differing) = (Vec::new(), Vec::new());
        for kind in &kinds {
            watch.begin(kind, Work::Compare, source.count(kind).await.map_err(&ours)?);
            match compare::compare(source, target, kind, watch, (&ours, &theirs)).await? {
                Ok(same) => compared.push(same),
                Err(difference) => differing.push(difference),
            }
            watch.end();
        }
        if differing.is_empty() {
            Ok(Moved { resumed, kinds: compared })
        } else {
            Err(MigrationError::Differs(differing))
        }
    }

    /// From here on services start on the target.
    pub async fn finish(&self) -> Result<(), MigrationError> {
        self.target.finish().await.map_err(self.theirs())
    }
}

/// The first kind that there is something of.
async fn first_held(target: &dyn Holder, kinds: &[String]) -> Result<Option<String>, StoreError> {
    for kind in kinds {
        if !target.read(kind, None, 1).await?.is_empty() {
            return Ok(Some(kind.clone()));
        }
    }
    Ok(None)
}

/// Whose fault an error is.
type Blame<'b> = &'b (dyn Fn(StoreError) -> MigrationError + Send + Sync);

async fn copy(
    source: &dyn Holder,
    target: &dyn Holder,
    kind: &str,
    mark: &mut Mark,
    watch: &mut dyn Watch,
    (ours, theirs): (Blame<'_>, Blame<'_>),
) -> Result<(), MigrationError> {
    watch.begin(kind, Work::Copy, source.count(kind).await.map_err(ours)?);
    let unreadable = |error: base64::DecodeError| theirs(StoreError::Corrupt(format!("the mark of a move: {error}")));
    let mut after = mark.after.as_ref().map(|text| STANDARD.decode(text)).transpose().map_err(unreadable)?;
    loop {
        let records = source.read(kind, after.as_deref(), BATCH).await.map_err(ours)?;
        let Some(last) = records.last() else { break };
        let number = records.len();
        after = Some(last.place.clone());
        mark.after = after.as_ref().map(|place| STANDARD.encode(place));
        target.write(kind, records, mark).await.map_err(theirs)?;
        watch.advance(number as u64);
    }
    watch.end();
    Ok(())
}
