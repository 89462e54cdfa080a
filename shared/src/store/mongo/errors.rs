//! What MongoDB's errors mean.

use bson::raw::RawDocument;
use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, WriteFailure};

use super::Again;
use crate::store::StoreError;

/// The codes of a unique index's refusal.
const DUPLICATE_KEY: [i32; 3] = [11000, 11001, 12582];
/// MaxTimeMSExpired, ExceededTimeLimit.
const TOO_SLOW: [i32; 2] = [50, 262];
/// QueryExceededMemoryLimitNoDiskUseAllowed: a sort of more than a server takes.
const TOO_LARGE: i32 = 292;
/// BadValue, FailedToParse, TypeMismatch, Overflow, numbers as names in arrays, and invalid patterns by versions.
const REFUSED_QUERY: [i32; 10] = [2, 9, 14, 15, 16746, 51075, 51091, 51108, 51110, 51111];
/// DollarPrefixedFieldName, InvalidIdField, EmptyFieldName, DottedFieldName; then what an index can't take: two arrays of a document,
/// no GeoJSON, no point, one out of bounds, a language it does not know.
const REFUSED_CONTENT: [i32; 9] = [52, 53, 56, 57, 171, 16755, 13026, 13027, 17262];
/// BSONObjectTooLarge, and what an edit would make so large.
const TOO_LARGE_DOCUMENT: [i32; 3] = [10334, 17419, 17420];
const WRITE_CONFLICT: i32 = 112;
/// DocumentValidationFailure: somebody put rules on the collection.
const REFUSED_DOCUMENT: i32 = 121;

/// Whether another transaction was in the way, or the connection broke.
pub(super) fn is_transient(error: &Error) -> bool {
    error.contains_label(TRANSIENT_TRANSACTION_ERROR)
        || error.get_custom::<Again>().is_some()
        || code(error) == Some(WRITE_CONFLICT)
}

/// The server's code.
pub fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        ErrorKind::InsertMany(error) => match (&error.write_errors, &error.write_concern_error) {
            (Some(errors), _) if !errors.is_empty() => Some(errors[0].code),
            (_, Some(error)) => Some(error.code),
            _ => None,
        },
        _ => None,
    }
}

/// What the server says, if a query itself is what it refuses. Only of reads: of a write the same codes tell of something else.
pub fn refused(error: &Error) -> Option<StoreError> {
    let refusal = code(error).is_some_and(|code| REFUSED_QUERY.contains(&code));
    match &*error.kind {
        ErrorKind::Command(command) if refusal => {
            Some(StoreError::Refused(format!("{}: {}", command.code_name, command.message)))
        }
        _ => None,
    }
}

/// Why a URL can't be used. What the driver says of its text may repeat a part of the password.
pub(super) fn unreadable(error: Error) -> StoreError {
    StoreError::Unavailable(match &*error.kind {
        ErrorKind::DnsResolve { .. } | ErrorKind::Io(_) | ErrorKind::InvalidTlsConfig { .. } => told(&error),
        _ => "the mongodb URL can't be read: see that user and password are percent-encoded and all options known"
            .to_owned(),
    })
}

/// The code of the refusal of a document itself, whatever is tried.
fn of_content(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(_)) | ErrorKind::InsertMany(_) => code(error),
        _ => None,
    }
}

/// A unique index's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The first path of the index.
    pub field: String,
    /// Which document of an insertion of many.
    pub index: usize,
}

/// The unique index that refused a write, if that is what went wrong.
pub fn duplicate(error: &Error) -> Option<Duplicate> {
    let (index, message) = match &*error.kind {
        ErrorKind::Command(error) if DUPLICATE_KEY.contains(&error.code) => (0, &error.message),
        ErrorKind::Write(WriteFailure::WriteError(error)) if DUPLICATE_KEY.contains(&error.code) => (0, &error.message),
        ErrorKind::InsertMany(error) => {
            let first = error.write_errors.as_ref()?.first()?;
            DUPLICATE_KEY.contains(&first.code).then_some((first.index, &first.message))?
        }
        _ => return None,
    };
    let field = error.server_response().and_then(|response| told_field(response)).or_else(|| {
        // "E11000 duplicate key error collection: db.people index: email_1 dup key: { email: \"…\" }"
        let (_, key) = message.split_once("dup key: {")?;
        Some(key.split(':').next()?.trim().trim_matches('"').to_owned())
    });
    Some(Duplicate { field: field.filter(|field| !field.is_empty()).unwrap_or_else(|| "_id".to_owned()), index })
}

fn told_field(response: &RawDocument) -> Option<String> {
    let of = |document: &RawDocument| {
        let pattern = document.get_document("keyPattern").ok()?;
        let (field, _) = pattern.iter().next()?.ok()?;
        Some(field.as_str().to_owned())
    };
    of(response).or_else(|| {
        let first = response.get_array("writeErrors").ok()?.into_iter().next()?.ok()?;
        of(first.as_document()?)
    })
}

/// What went wrong, without the documents that the driver's own text may repeat.
pub(super) fn told(error: &Error) -> String {
    match &*error.kind {
        ErrorKind::Command(error) => format!("{} ({})", error.code_name, error.code),
        ErrorKind::Write(_) | ErrorKind::InsertMany(_) => {
            format!("a write failed ({})", code(error).unwrap_or_default())
        }
        other => other.to_string(),
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if let Some(Duplicate { field, .. }) = duplicate(&error) {
            return StoreError::Conflict { field };
        }
        if is_too_slow(&error) || code(&error) == Some(TOO_LARGE) {
            return StoreError::Deadline;
        }
        if code(&error) == Some(REFUSED_DOCUMENT) {
            return StoreError::Corrupt("MongoDB refused a document by the collection's validator".to_owned());
        }
        if code(&error).is_some_and(|code| TOO_LARGE_DOCUMENT.contains(&code)) {
            return StoreError::TooLarge;
        }
        if let Some(code) = of_content(&error).filter(|code| REFUSED_CONTENT.contains(code)) {
            return StoreError::Refused(format!("MongoDB can't take the document, by itself or for an index ({code})"));
        }
        match &*error.kind {
            ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => StoreError::Corrupt(told(&error)),
            _ => StoreError::Unavailable(told(&error)),
        }
    }
}

/// Whether the server gave the work up.
pub(super) fn is_too_slow(error: &Error) -> bool {
    code(error).is_some_and(|code| TOO_SLOW.contains(&code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::doc;

    use super::*;

    fn written(code: i32) -> StoreError {
        let error = doc! { "code": code, "codeName": "Some", "errmsg": "of { secret: 1 }" };
        ErrorDocument::from(error).0.into()
    }

    struct ErrorDocument(Error);

    impl From<bson::Document> for ErrorDocument {
        fn from(error: bson::Document) -> Self {
            Self(ErrorKind::Write(WriteFailure::WriteError(bson::deserialize_from_document(error).unwrap())).into())
        }
    }

    /// What will never be stored is nobody's to try again, and no fault of the server.
    #[test]
    fn a_document_that_mongodb_can_not_take_is_refused_and_not_put_off() {
        for code in REFUSED_CONTENT {
            let refused = written(code);
            assert!(matches!(&refused, StoreError::Refused(told) if !told.contains("secret")), "{code}: {refused}");
        }
        for code in TOO_LARGE_DOCUMENT {
            assert!(matches!(written(code), StoreError::TooLarge), "{code}");
        }
        // NotWritablePrimary, WriteConcernFailed.
        for code in [10107, 64] {
            let put_off = written(code);
            assert!(matches!(&put_off, StoreError::Unavailable(told) if !told.contains("secret")), "{code}: {put_off}");
        }
    }
}
