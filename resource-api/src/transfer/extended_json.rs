//! Documents as lines of MongoDB's Extended JSON, version 2: what is written reads back as the same document, type by type.
//!
//! Numbers and dates are written the relaxed way where that says all, and with their type where it would not: a 64-bit integer
//! that would fit into 32 bits is a `$numberLong`.

use bson::raw::{RawBsonRef, RawDocument};
use bson::{Bson, Document};
use serde::de::{Error as _, MapAccess};
use serde_json::{Map, Value};

use crate::domain::convert::{self, JsonValue, Objects};
use crate::etag::write_date;
use crate::representation::json::{write_double, write_hex, write_integer};

/// Why a line is no document.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("it is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is a list: one document a line is needed (mongoexport without --jsonArray)")]
    List,
    #[error("it is no document")]
    NotADocument,
    #[error("{0}")]
    Conversion(#[from] convert::ConversionError),
}

/// Reads one line; also takes what older versions of mongoexport write.
pub fn parse(line: &[u8]) -> Result<Document, LineError> {
    // Told by its own name, and quicker for the parser.
    let text = std::str::from_utf8(line)?;
    if text.trim_start().starts_with('[') {
        return Err(LineError::List);
    }
    let JsonValue::<Wrappers> { value, .. } = serde_json::from_str(text)?;
    convert::storable(&value)?;
    match value {
        Bson::Document(document) => Ok(document),
        _ => Err(LineError::NotADocument),
    }
}

/// Objects of Extended JSON: a document, or a value with its type.
struct Wrappers;

impl Objects for Wrappers {
    fn read<'de, A: MapAccess<'de>>(mut members: A) -> Result<Bson, A::Error> {
        let mut document = Document::new();
        while let Some(name) = members.next_key::<String>()? {
            if document.is_empty() && is_wrapper(&name) {
                let mut wrapper = Map::from_iter([(name, members.next_value()?)]);
                while let Some((name, value)) = members.next_entry()? {
                    wrapper.insert(name, value);
                }
                return unwrap(wrapper).map_err(A::Error::custom);
            }
            let read = members.next_value::<JsonValue<Self>>()?;
            document.insert(name, read.value);
        }
        Ok(Bson::Document(document))
    }
}

/// Whether an object that begins with this name may stand for one value. References are documents.
fn is_wrapper(name: &str) -> bool {
    name.starts_with('$') && !matches!(name, "$ref" | "$id" | "$db")
}

/// The value that an object stands for, or the object.
fn unwrap(wrapper: Map<String, Value>) -> Result<Bson, String> {
    let name = wrapper.keys().next().cloned().unwrap_or_default();
    let malformed = |error: bson::error::Error| format!("a malformed {name}: {error}");
    if let Some(date) = wrapper.get("$date").filter(|_| wrapper.len() == 1) {
        if let Some(millis) = date.as_i64() {
            return Ok(Bson::DateTime(bson::DateTime::from_millis(millis)));
        }
        // Of the time zone's two digits with no colon between, as in version 1.
        if let Some((time, zone)) = date.as_str().and_then(|text| text.split_at_checked(text.len().checked_sub(4)?))
            && time.ends_with(['+', '-'])
            && zone.bytes().all(|byte| byte.is_ascii_digit())
        {
            let text = format!("{time}{}:{}", &zone[..2], &zone[2..]);
            return Bson::try_from(Map::from_iter([("$date".to_owned(), Value::String(text))])).map_err(malformed);
        }
    }
    // Version 1: {"$regex": "…", "$options": "…"}, {"$binary": "…", "$type": "00"}.
    if let (Some(pattern), Some(options), 2) = (wrapper.get("$regex"), wrapper.get("$options"), wrapper.len()) {
        let body = Map::from_iter([("pattern".to_owned(), pattern.clone()), ("options".to_owned(), options.clone())]);
        let regex = Map::from_iter([("$regularExpression".to_owned(), Value::Object(body))]);
        return Bson::try_from(regex).map_err(malformed);
    }
    if let (Some(Value::String(_)), Some(kind), 2) = (wrapper.get("$binary"), wrapper.get("$type"), wrapper.len()) {
        let body = [("base64".to_owned(), wrapper["$binary"].clone()), ("subType".to_owned(), kind.clone())];
        let binary = Map::from_iter([("$binary".to_owned(), Value::Object(Map::from_iter(body)))]);
        return Bson::try_from(binary).map_err(malformed);
    }
    Bson::try_from(wrapper).map_err(malformed)
}

/// Appends a stored document as one line, without its end. Says whether it reads back as the same document: an object whose
/// first name is that of a type can't be told from a value of that type.
pub fn write(document: &RawDocument, out: &mut Vec<u8>) -> Result<bool, bson::error::Error> {
    let start = out.len();
    let doubtful = write_document(document, out)?;
    if !doubtful {
        return Ok(true);
    }
    let read = parse(&out[start..]).ok().and_then(|read| bson::RawDocumentBuf::try_from(&read).ok());
    Ok(read.is_some_and(|read| read.as_bytes() == document.as_bytes()))
}

/// Whether it holds something that may read back as something else.
fn write_document(document: &RawDocument, out: &mut Vec<u8>) -> Result<bool, bson::error::Error> {
    let mut doubtful = false;
    out.push(b'{');
    for (index, element) in document.iter().enumerate() {
        let (name, value) = element?;
        if index > 0 {
            out.push(b',');
        } else {
            doubtful = is_wrapper(name.as_str());
        }
        write_text(name.as_str(), out);
        out.push(b':');
        doubtful |= write_value(value, out)?;
    }
    out.push(b'}');
    Ok(doubtful)
}

fn write_value(value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<bool, bson::error::Error> {
    match value {
        RawBsonRef::String(text) => write_text(text, out),
        RawBsonRef::Int32(number) => write_integer(i64::from(number), out),
        RawBsonRef::Int64(number) if i32::try_from(number).is_err() => write_integer(number, out),
        RawBsonRef::Double(number) if number.is_finite() => write_double(number, out),
        RawBsonRef::Boolean(true) => out.extend_from_slice(b"true"),
        RawBsonRef::Boolean(false) => out.extend_from_slice(b"false"),
        RawBsonRef::Null => out.extend_from_slice(b"null"),
        RawBsonRef::ObjectId(id) => {
            out.extend_from_slice(b"{\"$oid\":\"");
            write_hex(&id.bytes(), out);
            out.extend_from_slice(b"\"}");
        }
        RawBsonRef::DateTime(date) => {
            out.extend_from_slice(b"{\"$date\":");
            write_date(date.timestamp_millis(), out);
            out.push(b'}');
        }
        RawBsonRef::Document(document) => return write_document(document, out),
        RawBsonRef::Array(array) => {
            let mut doubtful = false;
            out.push(b'[');
            for (index, item) in array.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                doubtful |= write_value(item?, out)?;
            }
            out.push(b']');
            return Ok(doubtful);
        }
        rare => {
            let value = Bson::try_from(rare)?.into_canonical_extjson();
            out.extend_from_slice(value.to_string().as_bytes());
            // Code may come with a scope, which is a document of its own.
            return Ok(matches!(rare, RawBsonRef::JavaScriptCodeWithScope(_)));
        }
    }
    Ok(false)
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing a text into memory does not fail");
}

#[cfg(test)]
mod tests;
