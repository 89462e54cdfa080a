//! Cursors: places in the order of one query, as text that a client hands back in `after`.
//!
//! A cursor holds the sort values of the last document of a page, so that it leads on even if that document has gone. Where
//! they are hidden from the client, or long, it holds the document's id instead, and the document has to be there still. It
//! gives no access to anything: whoever changes it begins elsewhere in the documents that the query finds anyway.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document, RawDocument, doc};
use sha2::{Digest, Sha256};

use super::error::QueryError;
use super::visible::{Visibility, Visible};
use super::{Direction, Sort, place, total_order};
use crate::domain::{Resource, Settings};

/// Bytes of values that a cursor carries; more than that it finds by the document's id.
const LONGEST_VALUES: usize = 600;
/// Characters of a cursor that is read at all.
const LONGEST: usize = 2048;
/// Bytes of the digest that tells queries apart.
const DIGEST: usize = 12;

/// Where a query goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Cursor {
    /// A value for each key of the total order.
    Values(Vec<Bson>),
    /// Behind the document with this `_id`.
    Document(Bson),
}

/// What makes the cursors of one query: they fit no other.
#[derive(Debug, Clone)]
pub struct Cursors {
    digest: [u8; DIGEST],
    /// Ends in `_id`.
    pub order: Sort,
    /// A client may see every value that documents are sorted by.
    shown: bool,
}

impl Cursors {
    /// `condition` is the text of `where`; the sort is the one that counts, whoever named it.
    pub(super) fn new(resource: &Resource, settings: &Settings, condition: &str, sort: &Sort) -> Self {
        let order = total_order(sort);
        let mut digest = Sha256::new();
        digest.update(resource.key.as_bytes());
        for (path, direction) in &order {
            digest.update(if *direction == Direction::Descending { b"\0-" } else { b"\0+" });
            digest.update(path.as_bytes());
        }
        digest.update(b"\0?");
        digest.update(condition.trim().as_bytes());
        let mut short = [0; DIGEST];
        short.copy_from_slice(&digest.finalize()[..DIGEST]);
        let visible = Visible::new(resource, settings);
        let owner = resource.auth_field.as_deref().filter(|field| !resource.schema.contains_key(*field));
        let shown =
            order.iter().all(|(path, _)| visible.path(path) == Visibility::Shown && path.split('.').next() != owner);
        Self { digest: short, order, shown }
    }

    /// The cursor behind a document that the query found.
    pub fn behind(&self, document: &RawDocument) -> Result<String, QueryError> {
        let values = place(&self.order, document).filter(|_| self.shown).map(|values| doc! { "v": values });
        let values = values.map(|values| RawDocumentBuf::try_from(&values)).transpose().ok().flatten();
        let state = match values {
            Some(values) if values.as_bytes().len() <= LONGEST_VALUES => values,
            _ => {
                let id = document.get("_id").ok().flatten().ok_or(QueryError::Cursor)?;
                let mut state = RawDocumentBuf::new();
                state.append(bson::cstr!("i"), id);
                state
            }
        };
        let bytes = [self.digest.as_slice(), state.as_bytes()].concat();
        let text = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        if text.len() > LONGEST { Err(QueryError::Cursor) } else { Ok(text) }
    }

    /// What a client handed back.
    pub(super) fn read(&self, text: &str) -> Result<Cursor, QueryError> {
        if text.len() > LONGEST {
            return Err(QueryError::Cursor);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| QueryError::Cursor)?;
        let (digest, state) = bytes.split_at_checked(DIGEST).ok_or(QueryError::Cursor)?;
        let state = RawDocument::from_bytes(state).map_err(|_| QueryError::Cursor)?;
        // However deep a client nests the values, `LONGEST` ends it long before the call stack does.
        let state = Document::try_from(state).map_err(|_| QueryError::Cursor)?;
        let cursor = match (state.get("v"), state.get("i")) {
            (Some(Bson::Array(values)), None) => Cursor::Values(values.clone()),
            (None, Some(id)) => Cursor::Document(id.clone()),
            _ => return Err(QueryError::Cursor),
        };
        let fits = match &cursor {
            Cursor::Values(values) => self.shown && values.len() == self.order.len(),
            Cursor::Document(_) => true,
        };
        if digest != self.digest || !fits { Err(QueryError::ForeignCursor) } else { Ok(cursor) }
    }
}
