//! Reads BSON's bytes just as far as a filter needs to. Scans of whole tables spend their time here, so names are not
//! checked for UTF-8 and values that are passed over are not looked at.

use bson::Decimal128;
use bson::oid::ObjectId;

use super::number::Number;
use super::value::{Container, DbPointer, Value};

/// The elements of a document or array that are still to be read. What is malformed ends them: whoever decodes the
/// document reports it.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(&'a [u8]);

/// An element not looked into yet.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) key: &'a [u8],
    kind: u8,
    /// The value's bytes, exactly.
    bytes: &'a [u8],
}

impl<'a> Elements<'a> {
    /// `document` with its length in front.
    pub(super) fn new(document: &'a [u8]) -> Self {
        Self(document.get(4..).unwrap_or_default())
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&kind, rest) = self.0.split_first()?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (key, value) = (&rest[..end], &rest[end + 1..]);
        let size = match kind {
            0x10 => 4,
            0x02 | 0x0d | 0x0e => length(value)?.checked_add(4)?,
            0x01 | 0x09 | 0x11 | 0x12 => 8,
            0x03 | 0x04 | 0x0f => length(value)?,
            0x05 => length(value)?.checked_add(5)?,
            0x06 | 0x0a | 0x7f | 0xff => 0,
            0x07 => 12,
            0x08 => 1,
            0x0b => {
                let pattern = value.iter().position(|byte| *byte == 0)? + 1;
                pattern + value[pattern..].iter().position(|byte| *byte == 0)? + 1
            }
            0x0c => length(value)?.checked_add(16)?,
            0x13 => 16,
            // The end of the document is one of them.
            _ => return None,
        };
        let (bytes, rest) = value.split_at_checked(size)?;
        self.0 = rest;
        Some(Element { key, kind, bytes })
    }
}

impl<'a> Element<'a> {
    pub(super) fn value(self) -> Option<Value<'a>> {
        let bytes = self.bytes;
        Some(match self.kind {
            0x01 => Value::Number(Number::Double(f64::from_le_bytes(array(bytes)?))),
            0x02 => Value::String(text(bytes)?),
            0x03 => Value::Document(Container::Raw(bytes)),
            0x04 => Value::Array(Container::Raw(bytes)),
            0x05 => binary(bytes)?,
            0x06 => Value::Undefined,
            0x07 => Value::ObjectId(ObjectId::from_bytes(array(bytes)?)),
            0x08 => Value::Boolean(bytes != [0]),
            0x09 => Value::DateTime(i64::from_le_bytes(array(bytes)?)),
            0x0a => Value::Null,
            0x0b => {
                let (pattern, options) = std::str::from_utf8(bytes).ok()?.split_once('\0')?;
                Value::Regex { pattern, options: options.trim_end_matches('\0') }
            }
            0x0c => {
                let (namespace, id) = bytes.split_at_checked(bytes.len().checked_sub(12)?)?;
                Value::DbPointer(DbPointer::Raw(text(namespace)?, ObjectId::from_bytes(array(id)?)))
            }
            0x0d => Value::Code(text(bytes)?),
            0x0e => Value::Symbol(text(bytes)?),
            0x0f => {
                let inner = bytes.get(4..)?;
                let (code, scope) = inner.split_at_checked(length(inner)?.checked_add(4)?)?;
                Value::CodeWithScope { code: text(code)?, scope: Container::Raw(scope) }
            }
            0x10 => Value::Number(Number::Int32(i32::from_le_bytes(array(bytes)?))),
            0x11 => {
                let (increment, time) = bytes.split_at_checked(4)?;
                Value::Timestamp {
                    time: u32::from_le_bytes(array(time)?),
                    increment: u32::from_le_bytes(array(increment)?),
                }
            }
            0x12 => Value::Number(Number::Int64(i64::from_le_bytes(array(bytes)?))),
            0x13 => Value::Number(Number::Decimal(Decimal128::from_bytes(array(bytes)?))),
            0xff => Value::MinKey,
            0x7f => Value::MaxKey,
            _ => return None,
        })
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(i32::from_le_bytes(array(bytes.get(..4)?)?)).ok()
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// Length, text, a zero byte.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.get(4..bytes.len().checked_sub(1)?)?).ok()
}

fn binary(bytes: &[u8]) -> Option<Value<'_>> {
    let (&subtype, bytes) = bytes.get(4..)?.split_first()?;
    // The old subtype repeats the length.
    let bytes = if subtype == 2 { bytes.get(4..)? } else { bytes };
    Some(Value::Binary { subtype, bytes })
}
