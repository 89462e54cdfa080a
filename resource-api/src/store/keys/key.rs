//! Order-preserving keys: bytes that compare as MongoDB compares the values they stand for.
//!
//! A value is a tag (its class in MongoDB's order of types) and a payload. No encoding is the beginning of another one, so
//! keys can be put behind each other (compound indexes) and their bytes inverted (descending fields). Equal values have
//! equal keys, whatever their types: 1, 1.0 and the decimal "1.00" are one key.

use bson::raw::{RawBsonRef, RawDocument};
use bson::spec::BinarySubtype;
use bson::{Bson, RawBson};
use sha2::{Digest, Sha256};

use super::Malformed;
use super::number;

/// Ends documents, arrays and texts; lower than every tag, so that what is shorter comes first.
const END: u8 = 0x00;
/// Stands before a byte of text that would read as [`END`] or as itself.
const ESCAPE: u8 = 0x01;
/// Higher than the first byte of every key, inverted or not.
const AFTER: u8 = 0xff;

/// Longer keys are kept in indexes as their beginning and a digest of the whole: equality stays exact, and so does every
/// comparison with a key that is not shortened; only the order among those that share the beginning is lost.
const LONGEST: usize = 992;

/// Deeper documents are compared as bytes: the depth of the call stack must not be the client's choice.
const DEEPEST: usize = 200;

/// The tags, in MongoDB's order of types.
pub(in crate::store) mod tag {
    pub const MIN_KEY: u8 = 0x08;
    pub const UNDEFINED: u8 = 0x10;
    pub const NULL: u8 = 0x18;
    pub const NUMBER: u8 = 0x20;
    pub const STRING: u8 = 0x28;
    pub const DOCUMENT: u8 = 0x30;
    pub const ARRAY: u8 = 0x38;
    pub const BINARY: u8 = 0x40;
    pub const OBJECT_ID: u8 = 0x48;
    pub const BOOLEAN: u8 = 0x50;
    pub const DATE: u8 = 0x58;
    pub const TIMESTAMP: u8 = 0x60;
    pub const REGEX: u8 = 0x68;
    pub const DB_POINTER: u8 = 0x70;
    pub const CODE: u8 = 0x78;
    pub const CODE_WITH_SCOPE: u8 = 0x80;
    pub const MAX_KEY: u8 = 0xf0;
}

/// Appends the key of `value`.
pub(in crate::store) fn append(value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    append_whole(value, out, 0)
}

/// The key of a value as a filter or an id holds it.
pub(in crate::store) fn of(value: &Bson) -> Result<Vec<u8>, Malformed> {
    let mut key = Vec::with_capacity(24);
    match value {
        Bson::ObjectId(id) => append(RawBsonRef::ObjectId(*id), &mut key)?,
        Bson::String(text) => append(RawBsonRef::String(text), &mut key)?,
        Bson::Int32(number) => append(RawBsonRef::Int32(*number), &mut key)?,
        Bson::Int64(number) => append(RawBsonRef::Int64(*number), &mut key)?,
        _ => append(RawBson::try_from(value.clone())?.as_raw_bson_ref(), &mut key)?,
    }
    Ok(key)
}

/// What the keys of all texts that begin with `text` begin with.
pub(in crate::store) fn of_beginning(text: &str) -> Vec<u8> {
    let mut key = vec![tag::STRING];
    append_text(text.as_bytes(), &mut key);
    key.pop();
    key
}

/// Whether an index keeps the key shortened.
pub(in crate::store) fn is_long(key: &[u8]) -> bool {
    key.len() > LONGEST
}

/// Makes what is behind `start`, one key, as indexes keep it; whether that shortened it.
pub(in crate::store) fn shorten(key: &mut Vec<u8>, start: usize) -> bool {
    let long = is_long(&key[start..]);
    if long {
        let digest = Sha256::digest(&key[start..]);
        key.truncate(start + LONGEST);
        key.extend_from_slice(&digest);
    }
    long
}

/// The key in a descending place.
pub(in crate::store) fn inverted(key: &[u8]) -> Vec<u8> {
    key.iter().map(|byte| !byte).collect()
}

/// The least bytes above all keys that begin with `prefix`.
pub(in crate::store) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut next = prefix.to_vec();
    while next.last() == Some(&u8::MAX) {
        next.pop();
    }
    match next.last_mut() {
        Some(last) => *last += 1,
        None => next.push(AFTER),
    }
    next
}

fn append_whole(value: RawBsonRef<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    out.push(tag_of(value));
    append_payload(value, out, depth)
}

fn tag_of(value: RawBsonRef<'_>) -> u8 {
    match value {
        RawBsonRef::MinKey => tag::MIN_KEY,
        RawBsonRef::Undefined => tag::UNDEFINED,
        RawBsonRef::Null => tag::NULL,
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_) | RawBsonRef::Decimal128(_) => tag::NUMBER,
        RawBsonRef::String(_) | RawBsonRef::Symbol(_) => tag::STRING,
        RawBsonRef::Document(_) => tag::DOCUMENT,
        RawBsonRef::Array(_) => tag::ARRAY,
        RawBsonRef::Binary(_) => tag::BINARY,
        RawBsonRef::ObjectId(_) => tag::OBJECT_ID,
        RawBsonRef::Boolean(_) => tag::BOOLEAN,
        RawBsonRef::DateTime(_) => tag::DATE,
        RawBsonRef::Timestamp(_) => tag::TIMESTAMP,
        RawBsonRef::RegularExpression(_) => tag::REGEX,
        RawBsonRef::DbPointer(_) => tag::DB_POINTER,
        RawBsonRef::JavaScriptCode(_) => tag::CODE,
        RawBsonRef::JavaScriptCodeWithScope(_) => tag::CODE_WITH_SCOPE,
        RawBsonRef::MaxKey => tag::MAX_KEY,
    }
}

fn append_payload(value: RawBsonRef<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    match value {
        RawBsonRef::MinKey | RawBsonRef::Undefined | RawBsonRef::Null | RawBsonRef::MaxKey => {}
        RawBsonRef::Int32(number) => number::append_i64(i64::from(number), out),
        RawBsonRef::Int64(number) => number::append_i64(number, out),
        RawBsonRef::Double(number) => number::append_f64(number, out),
        RawBsonRef::Decimal128(number) => number::append_decimal(number, out),
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => {
            append_text(text.as_bytes(), out);
        }
        RawBsonRef::Document(document) => append_document(document, out, depth + 1)?,
        RawBsonRef::Array(array) if depth >= DEEPEST => append_text(array.as_bytes(), out),
        RawBsonRef::Array(array) => {
            for element in array {
                append_whole(element?, out, depth + 1)?;
            }
            out.push(END);
        }
        // MongoDB compares the length first, then the subtype.
        RawBsonRef::Binary(binary) => {
            // A BSON document is at most 2 GiB.
            out.extend_from_slice(&u32::try_from(binary.bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.push(u8::from(BinarySubtype::clone(&binary.subtype)));
            out.extend_from_slice(binary.bytes);
        }
        RawBsonRef::ObjectId(id) => out.extend_from_slice(&id.bytes()),
        RawBsonRef::Boolean(value) => out.push(u8::from(value)),
        RawBsonRef::DateTime(date) => {
            out.extend_from_slice(&(date.timestamp_millis() as u64 ^ (1 << 63)).to_be_bytes());
        }
        RawBsonRef::Timestamp(timestamp) => {
            out.extend_from_slice(&timestamp.time.to_be_bytes());
            out.extend_from_slice(&timestamp.increment.to_be_bytes());
        }
        RawBsonRef::RegularExpression(regex) => {
            append_text(regex.pattern.as_str().as_bytes(), out);
            append_text(regex.options.as_str().as_bytes(), out);
        }
        // Its parts are private to the driver; the bytes of a document holding it are not.
        RawBsonRef::DbPointer(_) => {
            let mut holder = bson::RawDocumentBuf::new();
            holder.append(bson::raw::cstr!(""), value);
            append_text(holder.as_bytes(), out);
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            append_text(code.code.as_bytes(), out);
            append_document(code.scope, out, depth + 1)?;
        }
    }
    Ok(())
}

/// MongoDB compares the fields of two documents in their order: first by class of type, then by name, then by value.
fn append_document(document: &RawDocument, out: &mut Vec<u8>, depth: usize) -> Result<(), Malformed> {
    if depth > DEEPEST {
        append_text(document.as_bytes(), out);
        return Ok(());
    }
    for element in document {
        let (name, value) = element?;
        out.push(tag_of(value));
        append_text(name.as_str().as_bytes(), out);
        append_payload(value, out, depth)?;
    }
    out.push(END);
    Ok(())
}

fn append_text(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(special) = rest.iter().position(|byte| *byte <= ESCAPE) {
        out.extend_from_slice(&rest[..special]);
        out.extend_from_slice(&[ESCAPE, rest[special] + 1]);
        rest = &rest[special + 1..];
    }
    out.extend_from_slice(rest);
    out.push(END);
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
