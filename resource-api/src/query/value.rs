//! One view of a value, decoded or still raw, so that comparing and matching are written once and build nothing.

use bson::oid::ObjectId;
use bson::{Binary, Bson, DateTime, Document, JavaScriptCodeWithScope, Regex, Timestamp};

use super::number::Number;
use super::raw::Elements;

/// A BSON value wherever it lies.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    MinKey,
    Undefined,
    Null,
    Number(Number),
    String(&'a str),
    Symbol(&'a str),
    Document(Container<'a>),
    Array(Container<'a>),
    Binary {
        subtype: u8,
        bytes: &'a [u8],
    },
    ObjectId(ObjectId),
    Boolean(bool),
    /// Milliseconds since 1970.
    DateTime(i64),
    Timestamp {
        time: u32,
        increment: u32,
    },
    Regex {
        pattern: &'a str,
        options: &'a str,
    },
    DbPointer(DbPointer<'a>),
    Code(&'a str),
    CodeWithScope {
        code: &'a str,
        scope: Container<'a>,
    },
    MaxKey,
}

/// A document, or an array: as for MongoDB, an array is a document whose keys are positions.
#[derive(Clone, Copy)]
pub(super) enum Container<'a> {
    Document(&'a Document),
    Array(&'a [Bson]),
    /// Either of them, as stored.
    Raw(&'a [u8]),
}

/// The deprecated type, whose parts the `bson` crate does not show.
#[derive(Clone, Copy)]
pub(super) enum DbPointer<'a> {
    Decoded(&'a bson::DbPointer),
    Raw(&'a str, ObjectId),
}

impl<'a> From<&'a Bson> for Value<'a> {
    fn from(value: &'a Bson) -> Self {
        match value {
            Bson::Double(number) => Value::Number(Number::Double(*number)),
            Bson::String(text) => Value::String(text),
            Bson::Array(items) => Value::Array(Container::Array(items)),
            Bson::Document(document) => Value::Document(Container::Document(document)),
            Bson::Boolean(flag) => Value::Boolean(*flag),
            Bson::Null => Value::Null,
            Bson::RegularExpression(regex) => {
                Value::Regex { pattern: regex.pattern.as_str(), options: regex.options.as_str() }
            }
            Bson::JavaScriptCode(code) => Value::Code(code),
            Bson::JavaScriptCodeWithScope(with) => {
                Value::CodeWithScope { code: &with.code, scope: Container::Document(&with.scope) }
            }
            Bson::Int32(number) => Value::Number(Number::Int32(*number)),
            Bson::Int64(number) => Value::Number(Number::Int64(*number)),
            Bson::Timestamp(stamp) => Value::Timestamp { time: stamp.time, increment: stamp.increment },
            Bson::Binary(binary) => Value::Binary { subtype: binary.subtype.into(), bytes: &binary.bytes },
            Bson::ObjectId(id) => Value::ObjectId(*id),
            Bson::DateTime(time) => Value::DateTime(time.timestamp_millis()),
            Bson::Symbol(text) => Value::Symbol(text),
            Bson::Decimal128(number) => Value::Number(Number::Decimal(*number)),
            Bson::Undefined => Value::Undefined,
            Bson::MaxKey => Value::MaxKey,
            Bson::MinKey => Value::MinKey,
            Bson::DbPointer(pointer) => Value::DbPointer(DbPointer::Decoded(pointer)),
        }
    }
}

impl Value<'_> {
    /// The value by itself; `None` if it can't be read, or can't be made (DBPointer).
    pub(super) fn to_bson(self) -> Option<Bson> {
        Some(match self {
            Value::MinKey => Bson::MinKey,
            Value::Undefined => Bson::Undefined,
            Value::Null => Bson::Null,
            Value::Number(Number::Int32(number)) => Bson::Int32(number),
            Value::Number(Number::Int64(number)) => Bson::Int64(number),
            Value::Number(Number::Double(number)) => Bson::Double(number),
            Value::Number(Number::Decimal(number)) => Bson::Decimal128(number),
            Value::String(text) => Bson::String(text.to_owned()),
            Value::Symbol(text) => Bson::Symbol(text.to_owned()),
            Value::Document(inner) => Bson::Document(inner.to_document()?),
            Value::Array(items) => Bson::Array(items.values().map(Value::to_bson).collect::<Option<_>>()?),
            Value::Binary { subtype, bytes } => Bson::Binary(Binary { subtype: subtype.into(), bytes: bytes.to_vec() }),
            Value::ObjectId(id) => Bson::ObjectId(id),
            Value::Boolean(flag) => Bson::Boolean(flag),
            Value::DateTime(millis) => Bson::DateTime(DateTime::from_millis(millis)),
            Value::Timestamp { time, increment } => Bson::Timestamp(Timestamp { time, increment }),
            Value::Regex { pattern, options } => {
                Bson::RegularExpression(Regex { pattern: pattern.try_into().ok()?, options: options.try_into().ok()? })
            }
            Value::Code(code) => Bson::JavaScriptCode(code.to_owned()),
            Value::CodeWithScope { code, scope } => Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
                code: code.to_owned(),
                scope: scope.to_document()?,
            }),
            Value::MaxKey => Bson::MaxKey,
            Value::DbPointer(_) => return None,
        })
    }

    /// The number `$type` knows it by.
    pub(super) fn type_code(self) -> i32 {
        match self {
            Value::MinKey => -1,
            Value::Number(Number::Double(_)) => 1,
            Value::String(_) => 2,
            Value::Document(_) => 3,
            Value::Array(_) => 4,
            Value::Binary { .. } => 5,
            Value::Undefined => 6,
            Value::ObjectId(_) => 7,
            Value::Boolean(_) => 8,
            Value::DateTime(_) => 9,
            Value::Null => 10,
            Value::Regex { .. } => 11,
            Value::DbPointer(_) => 12,
            Value::Code(_) => 13,
            Value::Symbol(_) => 14,
            Value::CodeWithScope { .. } => 15,
            Value::Number(Number::Int32(_)) => 16,
            Value::Timestamp { .. } => 17,
            Value::Number(Number::Int64(_)) => 18,
            Value::Number(Number::Decimal(_)) => 19,
            Value::MaxKey => 127,
        }
    }

    /// The place of its type in the order of all values; types of one rank are compared with each other.
    pub(super) fn rank(self) -> u8 {
        match self {
            Value::MinKey => 0,
            Value::Undefined => 1,
            Value::Null => 2,
            Value::Number(_) => 3,
            Value::String(_) | Value::Symbol(_) => 4,
            Value::Document(_) => 5,
            Value::Array(_) => 6,
            Value::Binary { .. } => 7,
            Value::ObjectId(_) => 8,
            Value::Boolean(_) => 9,
            Value::DateTime(_) => 10,
            Value::Timestamp { .. } => 11,
            Value::Regex { .. } => 12,
            Value::DbPointer(_) => 13,
            Value::Code(_) => 14,
            Value::CodeWithScope { .. } => 15,
            Value::MaxKey => 16,
        }
    }
}

impl<'a> Container<'a> {
    fn to_document(self) -> Option<Document> {
        let member =
            |(key, value): (&[u8], Value<'_>)| Some((std::str::from_utf8(key).ok()?.to_owned(), value.to_bson()?));
        self.entries().map(member).collect()
    }

    /// The value under a key. Raw bytes that can't be read are as good as absent: who decodes them reports it.
    pub(super) fn get(self, key: &str) -> Option<Value<'a>> {
        match self {
            Container::Document(document) => document.get(key).map(Value::from),
            Container::Array(items) => position(key).and_then(|index| items.get(index)).map(Value::from),
            Container::Raw(bytes) => Elements::new(bytes).find(|element| element.key == key.as_bytes())?.value(),
        }
    }

    pub(super) fn entries(self) -> Entries<'a> {
        match self {
            Container::Document(document) => Entries::Document(document.iter()),
            Container::Array(items) => Entries::Array(items.iter()),
            Container::Raw(bytes) => Entries::Raw(Elements::new(bytes)),
        }
    }

    pub(super) fn values(self) -> impl Iterator<Item = Value<'a>> {
        self.entries().map(|(_, value)| value)
    }
}

/// A path's segment that can be a position: digits, without needless zeros.
pub(super) fn position(segment: &str) -> Option<usize> {
    let digits = segment.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = segment.len() == 1 || !segment.starts_with('0');
    if digits && canonical { segment.parse().ok() } else { None }
}

/// The entries of a container in order.
pub(super) enum Entries<'a> {
    Document(bson::document::Iter<'a>),
    Array(std::slice::Iter<'a, Bson>),
    Raw(Elements<'a>),
}

impl<'a> Iterator for Entries<'a> {
    /// The name of a decoded array's element is left empty.
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Entries::Document(entries) => entries.next().map(|(key, value)| (key.as_bytes(), value.into())),
            Entries::Array(items) => items.next().map(|value| (&[][..], value.into())),
            Entries::Raw(elements) => {
                let element = elements.next()?;
                Some((element.key, element.value()?))
            }
        }
    }
}

impl DbPointer<'_> {
    /// A text that is equal for equal pointers.
    pub(super) fn text(self) -> String {
        match self {
            DbPointer::Raw(namespace, id) => format!("{namespace}/{id}"),
            DbPointer::Decoded(pointer) => {
                let json = Bson::DbPointer(pointer.clone()).into_relaxed_extjson();
                let member = |pointer: &str| json.pointer(pointer).and_then(|text| text.as_str().map(str::to_owned));
                let namespace = member("/$dbPointer/$ref").unwrap_or_default();
                format!("{namespace}/{}", member("/$dbPointer/$id/$oid").unwrap_or_default())
            }
        }
    }
}
