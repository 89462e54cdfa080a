//! Order-preserving keys, which know no store: bytes that compare as MongoDB compares values.
//!
//! `key` turns a value into such bytes, `number` those of numbers; `path` splits a dotted path; `entries` makes the keys that an
//! index holds of a document.

pub(in crate::store) mod entries;
pub(in crate::store) mod key;
mod number;
pub(in crate::store) mod path;

use bson::Bson;
use bson::raw::RawDocument;
use shared::store::StoreError;

use self::path::Component;
use crate::domain::{Index, IndexDirection};
use crate::query::Filter;
use crate::query::mongo_syntax::parse_trusted;

/// Bytes that are the same for values that are equal to a filter, whatever their types.
pub fn equality_key(value: &Bson) -> Result<Vec<u8>, StoreError> {
    Ok(key::of(value)?)
}

/// What an index holds of documents, wherever they are.
pub struct IndexKeys {
    components: Vec<Component>,
    /// Documents without any of the fields are not in it.
    sparse: bool,
    /// Other documents are not in it either.
    partial: Filter,
}

impl IndexKeys {
    /// `None`: an index that is not one of values, or whose filter nobody here understands.
    pub fn new(index: &Index) -> Option<Self> {
        let component = |(field, direction): &(String, IndexDirection)| match direction {
            IndexDirection::Ascending => Some(Component::new(field, false)),
            IndexDirection::Descending => Some(Component::new(field, true)),
            IndexDirection::Special(kind) => (kind == "hashed").then(|| Component::new(field, false)),
        };
        let partial = match index.options.get("partialFilterExpression") {
            Some(Bson::Document(filter)) => parse_trusted(filter).ok()?,
            _ => Filter::All,
        };
        Some(Self {
            components: index.keys.iter().map(component).collect::<Option<_>>()?,
            sparse: index.sparse,
            partial,
        })
    }

    /// A document's keys, each once.
    pub fn of(&self, document: &RawDocument) -> Result<Vec<Vec<u8>>, StoreError> {
        if !self.partial.matches_raw(document) {
            return Ok(Vec::new());
        }
        Ok(entries::of(document, &self.components, self.sparse)?.keys)
    }
}

/// BSON that can't be read, or values that BSON can't hold.
#[derive(Debug)]
pub(in crate::store) struct Malformed(pub(in crate::store) bson::error::Error);

impl From<bson::error::Error> for Malformed {
    fn from(error: bson::error::Error) -> Self {
        Self(error)
    }
}

impl From<Malformed> for StoreError {
    fn from(Malformed(error): Malformed) -> Self {
        StoreError::Corrupt(error.to_string())
    }
}
