//! The digest of a document, byte for byte Eve's: SHA-1 of sorted, relaxed Extended JSON (ETAG-01).

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bson::{Bson, Document};
use sha1::{Digest, Sha1};

use crate::domain::calendar;
use crate::representation::json::{write_double, write_hex, write_integer, write_string};

/// 9999-12-31T23:59:59.999Z, the last date that is written as text.
const LAST_ISO_MILLIS: i64 = 253_402_300_799_999;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The ETag of a document without quotes, 40 hex digits. `ignore` names fields left out, dotted paths into dicts
/// allowed (ETAG-05).
pub fn etag(document: &Document, ignore: &[String]) -> String {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        let ignore: Vec<&str> = ignore.iter().map(String::as_str).collect();
        let mut text = Text { buffer, digest: Sha1::new() };
        write_document(document, &ignore, &mut text);
        let Text { buffer, digest } = text;
        let digest = digest.chain_update(&buffer[..]).finalize();
        let mut hex = Vec::with_capacity(40);
        write_hex(&digest, &mut hex);
        String::from_utf8(hex).expect("hex digits are ASCII")
    })
}

/// Bytes of text that are kept at a time: that of a document may be several times as long as the document.
const PIECE: usize = 32 << 10;

/// The text to be digested: what is written, and the digest of what was.
struct Text<'b> {
    buffer: &'b mut Vec<u8>,
    digest: Sha1,
}

impl Text<'_> {
    fn string(&mut self, text: &str) {
        if text.len() <= PIECE {
            write_string(text, self);
        } else {
            self.push(b'"');
            let mut rest = text;
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE));
                let start = self.len();
                write_string(piece, self);
                // The quotes of the piece.
                self.remove(start);
                self.pop();
                self.flush();
                rest = behind;
            }
            self.push(b'"');
        }
        self.flush();
    }

    fn flush(&mut self) {
        if self.buffer.len() > PIECE {
            self.digest.update(&self.buffer[..]);
            self.buffer.clear();
        }
    }
}

impl Deref for Text<'_> {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        self.buffer
    }
}

impl DerefMut for Text<'_> {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        self.buffer
    }
}

fn write_document(document: &Document, ignore: &[&str], out: &mut Text<'_>) {
    let mut members: Vec<(&String, &Bson)> = document.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    out.push(b'{');
    let mut first = true;
    for (key, value) in members {
        if ignore.contains(&key.as_str()) {
            continue;
        }
        if !first {
            out.extend_from_slice(b", ");
        }
        first = false;
        write_string(key, out);
        out.extend_from_slice(b": ");
        match value {
            Bson::Document(inner) if !ignore.is_empty() => {
                let below = ignore.iter().filter_map(|path| path.strip_prefix(key.as_str())?.strip_prefix('.'));
                write_document(inner, &below.collect::<Vec<_>>(), out);
            }
            _ => write(value, out),
        }
    }
    out.push(b'}');
}

fn write(value: &Bson, out: &mut Text<'_>) {
    match value {
        Bson::String(text) => out.string(text),
        Bson::Int32(number) => write_integer(i64::from(*number), out),
        Bson::Int64(number) => write_integer(*number, out),
        Bson::Double(number) if number.is_finite() => write_double(*number, out),
        Bson::Double(number) => {
            let text = if number.is_nan() {
                "NaN"
            } else if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            wrap("$numberDouble", out, |out| write_string(text, out));
        }
        Bson::Boolean(true) => out.extend_from_slice(b"true"),
        Bson::Boolean(false) => out.extend_from_slice(b"false"),
        Bson::Null | Bson::Undefined => out.extend_from_slice(b"null"),
        Bson::Document(document) => write_document(document, &[], out),
        Bson::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                write(item, out);
                out.flush();
            }
            out.push(b']');
        }
        Bson::ObjectId(id) => wrap("$oid", out, |out| {
            out.push(b'"');
            write_hex(&id.bytes(), out);
            out.push(b'"');
        }),
        Bson::DateTime(date) => wrap("$date", out, |out| write_date(date.timestamp_millis(), out)),
        Bson::Decimal128(number) => wrap("$numberDecimal", out, |out| write_string(&number.to_string(), out)),
        Bson::Binary(binary) => wrap("$binary", out, |out| {
            out.extend_from_slice(b"{\"base64\": ");
            out.string(&STANDARD.encode(&binary.bytes));
            out.extend_from_slice(b", \"subType\": \"");
            write_hex(&[u8::from(binary.subtype)], out);
            out.extend_from_slice(b"\"}");
        }),
        Bson::RegularExpression(regex) => wrap("$regularExpression", out, |out| {
            out.extend_from_slice(b"{\"options\": ");
            write_string(regex.options.as_str(), out);
            out.extend_from_slice(b", \"pattern\": ");
            write_string(regex.pattern.as_str(), out);
            out.push(b'}');
        }),
        Bson::Timestamp(timestamp) => wrap("$timestamp", out, |out| {
            out.extend_from_slice(b"{\"i\": ");
            write_integer(i64::from(timestamp.increment), out);
            out.extend_from_slice(b", \"t\": ");
            write_integer(i64::from(timestamp.time), out);
            out.push(b'}');
        }),
        Bson::JavaScriptCode(code) => wrap("$code", out, |out| out.string(code)),
        Bson::JavaScriptCodeWithScope(code) => {
            out.extend_from_slice(b"{\"$code\": ");
            write_string(&code.code, out);
            out.extend_from_slice(b", \"$scope\": ");
            write_document(&code.scope, &[], out);
            out.push(b'}');
        }
        Bson::Symbol(text) => write_string(text, out),
        Bson::MinKey => wrap("$minKey", out, |out| out.push(b'1')),
        Bson::MaxKey => wrap("$maxKey", out, |out| out.push(b'1')),
        // Removed from BSON long ago and not readable through the library.
        Bson::DbPointer(_) => out.extend_from_slice(b"null"),
    }
}

fn wrap(key: &str, out: &mut Text<'_>, value: impl FnOnce(&mut Text<'_>)) {
    out.push(b'{');
    write_string(key, out);
    out.extend_from_slice(b": ");
    value(out);
    out.push(b'}');
}

/// A date as relaxed Extended JSON has it inside of `$date`.
pub fn write_date(millis: i64, out: &mut Vec<u8>) {
    let date = if (0..=LAST_ISO_MILLIS).contains(&millis) { calendar::civil(millis) } else { None };
    let Some(date) = date else {
        out.extend_from_slice(b"{\"$numberLong\": \"");
        write_integer(millis, out);
        out.extend_from_slice(b"\"}");
        return;
    };
    let parts = [
        (b'"', i64::from(date.year()), 1000),
        (b'-', i64::from(date.month()), 10),
        (b'-', i64::from(date.day()), 10),
        (b'T', i64::from(date.hour()), 10),
        (b':', i64::from(date.minute()), 10),
        (b':', i64::from(date.second()), 10),
        (b'.', millis % 1000, 100),
    ];
    let shown = if millis % 1000 == 0 { &parts[..6] } else { &parts[..] };
    for (lead, value, highest) in shown {
        out.push(*lead);
        let mut unit = *highest;
        while unit > 0 {
            out.push(b'0' + (value / unit % 10) as u8);
            unit /= 10;
        }
    }
    out.extend_from_slice(b"Z\"");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::oid::ObjectId;
    use bson::spec::BinarySubtype;
    use bson::{Binary, DateTime, doc};

    fn text(document: &Document) -> String {
        let mut buffer = Vec::new();
        write_document(document, &[], &mut Text { buffer: &mut buffer, digest: Sha1::new() });
        String::from_utf8(buffer).unwrap()
    }

    /// ETAG-01: long texts are digested piece by piece, to the same digest.
    #[test]
    fn a_long_text_has_the_digest_of_the_whole() {
        let text = "a\"\u{e9}\u{1F600}\u{1}".repeat(40_000);
        let escaped = "a\\\"\\u00e9\\ud83d\\ude00\\u0001".repeat(40_000);
        let list = "1, ".repeat(60_000);
        let whole = format!("{{\"list\": [{}1], \"text\": \"{escaped}\", \"z\": 1}}", list);
        let mut expected = Vec::new();
        write_hex(&Sha1::digest(whole), &mut expected);
        let document = doc! { "z": 1, "text": text, "list": vec![1; 60_001] };
        assert_eq!(etag(&document, &[]).as_bytes(), expected);
    }

    fn john() -> Document {
        let date = DateTime::from_millis(1_767_323_045_000);
        doc! { "name": "john", "age": 3, "_created": date, "_updated": date }
    }

    /// ETAG-02, the first vector.
    #[test]
    fn a_plain_document_has_eves_digest() {
        assert_eq!(
            text(&john()),
            r#"{"_created": {"$date": "2026-01-02T03:04:05Z"}, "_updated": {"$date": "2026-01-02T03:04:05Z"}, "age": 3, "name": "john"}"#
        );
        assert_eq!(etag(&john(), &[]), "3fcc179ed7314abc19e17defa2b175e1b7db42cf");
    }

    /// ETAG-02, the second vector, and ETAG-05: missing ignored fields are no matter.
    #[test]
    fn ignored_fields_do_not_count() {
        let mut document = john();
        document.insert("x", doc! { "y": 1, "z": 2 });
        let ignore = ["x.y".to_owned(), "age".to_owned()];
        assert_eq!(etag(&document, &ignore), "8a87cb007c39f0fd2712c024614c691e36589429");
        let more = ["x.y".to_owned(), "age".to_owned(), "gone".to_owned(), "name.first".to_owned()];
        assert_eq!(etag(&document, &more), etag(&document, &ignore));
    }

    /// ETAG-01, value by value.
    #[test]
    fn every_type_is_relaxed_extended_json() {
        let id = ObjectId::parse_str("5f0000000000000000000abc").unwrap();
        let binary = |subtype, bytes| Bson::Binary(Binary { subtype, bytes });
        for (value, expected) in [
            (Bson::ObjectId(id), r#"{"$oid": "5f0000000000000000000abc"}"#),
            (Bson::DateTime(DateTime::from_millis(1_352_198_011_120)), r#"{"$date": "2012-11-06T10:33:31.120Z"}"#),
            (Bson::DateTime(DateTime::from_millis(253_402_300_799_000)), r#"{"$date": "9999-12-31T23:59:59Z"}"#),
            (Bson::DateTime(DateTime::from_millis(-1000)), r#"{"$date": {"$numberLong": "-1000"}}"#),
            (Bson::Int64(1 << 40), "1099511627776"),
            (Bson::Double(1.0), "1.0"),
            (Bson::Double(1e20), "1e+20"),
            (Bson::Double(f64::INFINITY), r#"{"$numberDouble": "Infinity"}"#),
            (Bson::Double(f64::NAN), r#"{"$numberDouble": "NaN"}"#),
            (Bson::Decimal128("1.50".parse().unwrap()), r#"{"$numberDecimal": "1.50"}"#),
            (binary(BinarySubtype::Generic, vec![0, 255]), r#"{"$binary": {"base64": "AP8=", "subType": "00"}}"#),
            (
                binary(BinarySubtype::Uuid, vec![1; 16]),
                r#"{"$binary": {"base64": "AQEBAQEBAQEBAQEBAQEBAQ==", "subType": "04"}}"#,
            ),
            (
                Bson::Document(doc! { "$ref": "people", "$id": id }),
                r#"{"$id": {"$oid": "5f0000000000000000000abc"}, "$ref": "people"}"#,
            ),
            (Bson::String("Zürich".into()), r#""Z\u00fcrich""#),
            (Bson::Array(vec![Bson::Null, Bson::Boolean(true)]), "[null, true]"),
        ] {
            assert_eq!(text(&doc! { "v": value }), format!("{{\"v\": {expected}}}"));
        }
    }
}
