//! What the store remembers of an import: how far it came, in the same commit as the documents, and what the ids of new
//! documents are made of, so that a line has the same id however often it is read.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bson::oid::ObjectId;
use bson::raw::{RawArrayBuf, RawDocumentBuf};
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, rawdoc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::clock;
use shared::random::random_bytes;
use shared::store::StoreError;

use crate::domain::Resource;
use crate::query::Filter;
use crate::store::{DocumentStore, Guard, Outcome, Write};

/// The collection of these records.
pub const SOURCE: &str = "evergate_imports";

/// One import of one file into one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    id: String,
    /// The collection it is in: in the database of the resource's documents.
    source: String,
    resource: String,
    file: String,
    /// Length and time of the last change, which tell another state of the file.
    state: (i64, i64),
    pub started: DateTime,
    random: [u8; 5],
    /// The last line that is done with.
    pub line: u64,
    pub inserted: u64,
    pub refused: u64,
    /// Lines of the last batch that were left out, with the reasons: a kill may have come before the error file had them.
    pub untold: Vec<(u64, Value)>,
    pub finished: bool,
}

impl Record {
    /// A new import of a file.
    pub fn new(resource: &str, file: &Path) -> std::io::Result<Self> {
        let about = std::fs::metadata(file)?;
        let path = std::fs::canonicalize(file)?.display().to_string();
        let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let state = (i64::try_from(about.len()).unwrap_or(i64::MAX), i64::try_from(changed).unwrap_or(i64::MAX));
        let digest = Sha256::digest(format!("{resource}\0{path}"));
        let id = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { id, file: path, state, ..Self::unnamed(resource) })
    }

    /// Of an import that nobody can take up again.
    pub fn unnamed(resource: &str) -> Self {
        Self {
            id: String::new(),
            source: SOURCE.to_owned(),
            resource: resource.to_owned(),
            file: String::new(),
            state: (0, 0),
            started: DateTime::from_millis(clock::now().saturating_mul(1000)),
            random: random_bytes(),
            line: 0,
            inserted: 0,
            refused: 0,
            untold: Vec::new(),
            finished: false,
        }
    }

    /// The same, kept beside the resource's documents.
    #[must_use]
    pub fn beside(self, resource: &Resource) -> Self {
        Self { source: resource.datasource.beside(SOURCE).into_owned(), ..self }
    }

    /// The id of the document in a line, if it brings none.
    pub fn object_id(&self, line: u64) -> ObjectId {
        let seconds = u32::try_from(self.started.timestamp_millis() / 1000).unwrap_or_default();
        // Of a line's number the counter holds three bytes; what is above goes into the random part.
        let line = line.to_be_bytes();
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&self.random);
        for (byte, above) in bytes[4..9].iter_mut().zip(&line[..5]) {
            *byte ^= above;
        }
        bytes[9..].copy_from_slice(&line[5..]);
        ObjectId::from_bytes(bytes)
    }

    /// The record of an earlier import of the same file into the same resource.
    pub async fn stored(&self, documents: &dyn DocumentStore) -> Result<Option<Self>, StoreError> {
        let id = Bson::String(self.id.clone());
        let Some(found) = documents.get(&self.source, &id, &Filter::All).await? else { return Ok(None) };
        let found = Document::try_from(found).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let read =
            Self::read(&found).ok_or_else(|| StoreError::Corrupt(format!("the record of an import: {found}")))?;
        Ok(Some(Self { source: self.source.clone(), ..read }))
    }

    /// Whether the file is still as it was when that import began.
    pub fn is_of_the_same_file(&self, other: &Self) -> bool {
        self.state == other.state
    }

    /// Stores it, in the place of an earlier one.
    pub async fn store(&self, documents: &dyn DocumentStore) -> Result<(), StoreError> {
        let new = Write::Insert { source: self.source.clone(), document: Arc::new(self.to_document()) };
        if let Outcome::Done(_) = documents.commit(vec![new]).await? {
            return Ok(());
        }
        match documents.commit(vec![self.replace(Filter::All)]).await? {
            Outcome::Done(_) => Ok(()),
            _ => Err(StoreError::Unavailable("the record of an import has just gone".to_owned())),
        }
    }

    /// The write that puts it in the place of the stored one, which stands at `line`: only one import of a file gets on.
    pub fn behind(&self, line: u64) -> Write {
        self.replace(Filter::equal("line", Bson::Int64(i64::try_from(line).unwrap_or(i64::MAX))))
    }

    fn replace(&self, filter: Filter) -> Write {
        let guard = Guard { id: Bson::String(self.id.clone()), filter, etag: None };
        Write::Replace { source: self.source.clone(), guard, document: Arc::new(self.to_document()) }
    }

    fn to_document(&self) -> RawDocumentBuf {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut untold = RawArrayBuf::new();
        for (line, reason) in &self.untold {
            untold.push(rawdoc! { "line": number(*line), "reason": reason.to_string() });
        }
        rawdoc! {
            "_id": self.id.as_str(),
            "resource": self.resource.as_str(),
            "file": self.file.as_str(),
            "size": self.state.0,
            "changed": self.state.1,
            "started": self.started,
            "random": Binary { subtype: BinarySubtype::Generic, bytes: self.random.to_vec() },
            "line": number(self.line),
            "inserted": number(self.inserted),
            "refused": number(self.refused),
            "untold": untold,
            "finished": self.finished,
        }
    }

    fn read(document: &Document) -> Option<Self> {
        let number = |name| u64::try_from(document.get_i64(name).ok()?).ok();
        let untold = match document.get_array("untold") {
            Ok(untold) => untold.iter().map(refusal).collect::<Option<_>>()?,
            Err(_) => Vec::new(),
        };
        Some(Self {
            id: document.get_str("_id").ok()?.to_owned(),
            source: SOURCE.to_owned(),
            resource: document.get_str("resource").ok()?.to_owned(),
            file: document.get_str("file").ok()?.to_owned(),
            state: (document.get_i64("size").ok()?, document.get_i64("changed").ok()?),
            started: *document.get_datetime("started").ok()?,
            random: document.get_binary_generic("random").ok()?.as_slice().try_into().ok()?,
            line: number("line")?,
            inserted: number("inserted")?,
            refused: number("refused")?,
            untold,
            finished: document.get_bool("finished").ok()?,
        })
    }
}

fn refusal(document: &Bson) -> Option<(u64, Value)> {
    let document = document.as_document()?;
    let line = u64::try_from(document.get_i64("line").ok()?).ok()?;
    Some((line, serde_json::from_str(document.get_str("reason").ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut record = Record::new("people", file.path()).unwrap();
        (record.line, record.inserted, record.refused) = (7, 5, 2);
        record.untold = vec![(3, "it is no document".into()), (6, serde_json::json!({ "name": ["\u{0}\"", 1] }))];
        assert_eq!(Record::read(&Document::try_from(record.to_document()).unwrap()).unwrap(), record);
        assert_eq!(Record::read(&bson::doc! { "_id": "x" }), None);
    }

    #[test]
    fn lines_have_ids_of_their_own_in_their_order() {
        let record = Record::unnamed("people");
        let lines = [1, 2, 255, 256, 65_536, (1 << 24) - 1];
        let ids = lines.map(|line| record.object_id(line));
        assert!(ids.is_sorted());
        let far: std::collections::HashSet<_> =
            [1, 1 << 24, (1 << 24) + 1, 1 << 40].map(|line| record.object_id(line)).into();
        assert_eq!(far.len(), 4);
        assert_eq!(record.object_id(3), record.object_id(3));
    }
}
