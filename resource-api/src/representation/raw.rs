//! Stored bytes as JSON without decoding them first: what lists and items are made of.

use bson::raw::{RawBsonRef, RawDocument};
use bson::{Binary, Bson, DateTime};

use super::json::{JsonStyle, write_double, write_hex, write_integer, write_string};

impl JsonStyle<'_> {
    /// Appends an object, members in stored order.
    pub fn write_raw_document(&self, document: &RawDocument, out: &mut Vec<u8>) -> Result<(), bson::error::Error> {
        out.push(b'{');
        let mut reference = false;
        for (index, member) in document.iter().enumerate() {
            let (key, value) = member?;
            let key = key.as_str();
            if index > 0 {
                out.extend_from_slice(b", ");
            } else {
                reference = key == "$ref";
            }
            write_string(key, out);
            out.extend_from_slice(b": ");
            // RESP-04: the id of a reference is text.
            let number = matches!(value, RawBsonRef::Int32(_) | RawBsonRef::Int64(_) | RawBsonRef::Double(_));
            let quoted = reference && key == "$id" && number;
            if quoted {
                out.push(b'"');
            }
            self.write_raw(value, out)?;
            if quoted {
                out.push(b'"');
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends any value.
    pub fn write_raw(&self, value: RawBsonRef<'_>, out: &mut Vec<u8>) -> Result<(), bson::error::Error> {
        match value {
            RawBsonRef::String(text) => write_string(text, out),
            RawBsonRef::Int32(number) => write_integer(i64::from(number), out),
            RawBsonRef::Int64(number) => write_integer(number, out),
            RawBsonRef::Double(number) if number.is_finite() => write_double(number, out),
            RawBsonRef::Boolean(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
            RawBsonRef::ObjectId(id) => {
                out.push(b'"');
                write_hex(&id.bytes(), out);
                out.push(b'"');
            }
            RawBsonRef::DateTime(date) => self.write(&Bson::DateTime(date), out),
            RawBsonRef::Document(document) => self.write_raw_document(document, out)?,
            RawBsonRef::Array(items) => {
                out.push(b'[');
                for (index, item) in items.into_iter().enumerate() {
                    if index > 0 {
                        out.extend_from_slice(b", ");
                    }
                    self.write_raw(item?, out)?;
                }
                out.push(b']');
            }
            RawBsonRef::Binary(binary) => {
                let binary = Binary { subtype: binary.subtype, bytes: binary.bytes.to_vec() };
                self.write(&Bson::Binary(binary), out);
            }
            RawBsonRef::Timestamp(stamp) => {
                self.write(&Bson::DateTime(DateTime::from_millis(i64::from(stamp.time) * 1000)), out);
            }
            RawBsonRef::Decimal128(number) => write_string(&number.to_string(), out),
            RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => write_string(text, out),
            RawBsonRef::RegularExpression(regex) => write_string(regex.pattern.as_str(), out),
            _ => out.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::oid::ObjectId;
    use bson::spec::BinarySubtype;
    use bson::{Document, doc};

    use super::*;
    use crate::domain::DateFormat;

    /// RESP-04: one meaning, stored or decoded.
    #[test]
    fn stored_bytes_read_as_the_decoded_document() {
        let binary = |subtype| Bson::Binary(Binary { subtype, bytes: (0..16).collect() });
        let document: Document = doc! {
            "_id": ObjectId::parse_str("5f0000000000000000000abc").unwrap(),
            "text": "Zürich \"1\"\n", "int": 7, "long": 1_i64 << 40, "double": 1.5, "nan": f64::NAN, "yes": true,
            "none": null, "date": DateTime::from_millis(1_352_198_011_120),
            "decimal": Bson::Decimal128("1.50".parse().unwrap()), "bytes": binary(BinarySubtype::Generic),
            "uuid": binary(BinarySubtype::Uuid), "ref": { "$ref": "people", "$id": 7, "$db": "x" },
            "list": [1, [], {}, { "a": [null] }], "min": Bson::MinKey,
            "regex": Bson::RegularExpression(bson::Regex { pattern: "a".try_into().unwrap(), options: "i".try_into().unwrap() }),
            "stamp": Bson::Timestamp(bson::Timestamp { time: 5, increment: 1 }),
        };
        let style = JsonStyle { dates: &DateFormat::default() };
        let (mut decoded, mut stored) = (Vec::new(), Vec::new());
        style.write_document(&document, &mut decoded);
        let raw = bson::raw::RawDocumentBuf::try_from(&document).unwrap();
        style.write_raw_document(&raw, &mut stored).unwrap();
        assert_eq!(String::from_utf8(stored).unwrap(), String::from_utf8(decoded).unwrap());
    }
}
