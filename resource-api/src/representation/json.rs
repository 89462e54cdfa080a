//! Stored values as Eve's JSON, straight into the response's buffer (RESP-02, RESP-04).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document};
use serde_json::Value;

use crate::domain::DateFormat;

/// How values of a response are written.
#[derive(Debug, Clone, Copy)]
pub struct JsonStyle<'a> {
    pub dates: &'a DateFormat,
}

impl JsonStyle<'_> {
    /// Appends an object: `{"a": 1, "b": [2, 3]}`.
    pub fn write_document(&self, document: &Document, out: &mut Vec<u8>) {
        let reference = document.iter().next().is_some_and(|(key, _)| key == "$ref");
        out.push(b'{');
        for (index, (key, value)) in document.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            write_string(key, out);
            out.extend_from_slice(b": ");
            match value {
                // RESP-04: the id of a reference is text.
                Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) if reference && key == "$id" => {
                    out.push(b'"');
                    self.write(value, out);
                    out.push(b'"');
                }
                _ => self.write(value, out),
            }
        }
        out.push(b'}');
    }

    /// Appends any value. What JSON cannot say becomes null: NaN, infinities, the markers of BSON.
    pub fn write(&self, value: &Bson, out: &mut Vec<u8>) {
        match value {
            Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text) => write_string(text, out),
            Bson::Int32(number) => write_integer(i64::from(*number), out),
            Bson::Int64(number) => write_integer(*number, out),
            Bson::Double(number) if number.is_finite() => write_double(*number, out),
            Bson::Boolean(true) => out.extend_from_slice(b"true"),
            Bson::Boolean(false) => out.extend_from_slice(b"false"),
            Bson::ObjectId(id) => {
                out.push(b'"');
                write_hex(&id.bytes(), out);
                out.push(b'"');
            }
            Bson::DateTime(date) => self.write_date(*date, out),
            Bson::Timestamp(timestamp) => {
                self.write_date(bson::DateTime::from_millis(i64::from(timestamp.time) * 1000), out);
            }
            Bson::Document(document) => self.write_document(document, out),
            Bson::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.extend_from_slice(b", ");
                    }
                    self.write(item, out);
                }
                out.push(b']');
            }
            Bson::Decimal128(number) => write_string(&number.to_string(), out),
            Bson::Binary(binary) => write_binary(binary, out),
            Bson::RegularExpression(regex) => write_string(regex.pattern.as_str(), out),
            _ => out.extend_from_slice(b"null"),
        }
    }

    fn write_date(&self, date: bson::DateTime, out: &mut Vec<u8>) {
        // A pattern may hold anything, so only the default is known to need no escapes.
        if self.dates.as_str() == crate::domain::RFC_1123 {
            out.push(b'"');
            self.dates.write(date, out);
            out.push(b'"');
        } else {
            write_string(&self.dates.format(date), out);
        }
    }
}

/// Appends what was read as JSON.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => write_integer(integer, out),
            (None, Some(double)) if number.is_f64() => write_double(double, out),
            _ => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                write_value(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                write_string(name, out);
                out.extend_from_slice(b": ");
                write_value(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_binary(binary: &Binary, out: &mut Vec<u8>) {
    let uuid = matches!(binary.subtype, BinarySubtype::Uuid | BinarySubtype::UuidOld) && binary.bytes.len() == 16;
    if uuid {
        out.push(b'"');
        for (index, byte) in binary.bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                out.push(b'-');
            }
            write_hex(&[*byte], out);
        }
        out.push(b'"');
    } else {
        write_string(&STANDARD.encode(&binary.bytes), out);
    }
}

/// Appends a quoted string, everything but printable ASCII escaped as Python's json does.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut copied = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\') {
            continue;
        }
        if index < copied {
            // Inside a character that is written already.
            continue;
        }
        out.extend_from_slice(&bytes[copied..index]);
        copied = index + write_escaped(text, index, out);
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// Escapes the character at `index` and says how many bytes it has.
fn write_escaped(text: &str, index: usize, out: &mut Vec<u8>) -> usize {
    let Some(character) = text[index..].chars().next() else { return 1 };
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                write_hex(&unit.to_be_bytes(), out);
            }
            return character.len_utf8();
        }
    };
    out.extend_from_slice(&[b'\\', short]);
    1
}

/// Appends lower-case hex digits.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

pub fn write_integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends the shortest text that reads back as the same number, laid out as Python's repr: `1.0`, `1e+20`, `1e-05`.
pub fn write_double(number: f64, out: &mut Vec<u8>) {
    let magnitude = number.abs();
    if number == 0.0 || (1e-4..1e16).contains(&magnitude) {
        let start = out.len();
        out.extend_from_slice(zmij::Buffer::new().format(number).as_bytes());
        if !out[start..].contains(&b'e') {
            return;
        }
        out.truncate(start);
        // Plain digits; the standard library never writes an exponent here.
        out.extend_from_slice(format!("{number:?}").as_bytes());
        return;
    }
    if !number.is_finite() {
        let text: &[u8] = if number.is_nan() {
            b"nan"
        } else if number > 0.0 {
            b"inf"
        } else {
            b"-inf"
        };
        out.extend_from_slice(text);
        return;
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    out.extend_from_slice(format!("{mantissa}e{sign}{digits:0>2}").as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::oid::ObjectId;
    use bson::{DateTime, bson};
    use proptest::prelude::*;

    fn json(value: Bson) -> String {
        let style = JsonStyle { dates: &DateFormat::default() };
        let mut out = Vec::new();
        style.write(&value, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// RESP-04, value by value.
    #[test]
    fn values_read_as_eve_writes_them() {
        let id = ObjectId::parse_str("5f0000000000000000000abc").unwrap();
        let uuid = Binary { subtype: BinarySubtype::Uuid, bytes: (0..16).collect() };
        for (value, text) in [
            (bson!(null), "null"),
            (bson!(true), "true"),
            (bson!(-7), "-7"),
            (Bson::Int64(9_007_199_254_740_993), "9007199254740993"),
            (Bson::Double(1.0), "1.0"),
            (Bson::Double(f64::NAN), "null"),
            (Bson::Double(f64::INFINITY), "null"),
            (Bson::ObjectId(id), "\"5f0000000000000000000abc\""),
            (Bson::DateTime(DateTime::from_millis(1_352_198_011_120)), "\"Tue, 06 Nov 2012 10:33:31 GMT\""),
            (Bson::Decimal128("1.50".parse().unwrap()), "\"1.50\""),
            (Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 255] }), "\"AP8=\""),
            (Bson::Binary(uuid), "\"00010203-0405-0607-0809-0a0b0c0d0e0f\""),
            (bson!({ "$ref": "people", "$id": 7 }), "{\"$ref\": \"people\", \"$id\": \"7\"}"),
            (bson!({ "b": [1, "x", []], "a": {} }), "{\"b\": [1, \"x\", []], \"a\": {}}"),
        ] {
            assert_eq!(json(value), text);
        }
    }

    /// RESP-02: non-ASCII is escaped, beyond the BMP as two units.
    #[test]
    fn strings_are_plain_ascii() {
        for (text, expected) in [
            ("", r#""""#),
            ("Zürich\n", r#""Z\u00fcrich\n""#),
            ("a\"b\\c/", r#""a\"b\\c/""#),
            ("\u{7f}\u{1}\u{8}", r#""\u007f\u0001\b""#),
            ("日😀!", r#""\u65e5\ud83d\ude00!""#),
        ] {
            assert_eq!(json(Bson::String(text.to_owned())), expected);
        }
    }

    /// RESP-04: shortest round trip, as Python lays it out.
    #[test]
    fn doubles_look_like_python() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1e20, "1e+20"),
            (1.234_5e-7, "1.2345e-07"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
            (123_456_789.125, "123456789.125"),
        ] {
            assert_eq!(json(Bson::Double(number)), text);
        }
    }

    #[test]
    fn a_date_pattern_with_quotes_is_escaped() {
        let dates = DateFormat::new("\"%Y\"").unwrap();
        let mut out = Vec::new();
        JsonStyle { dates: &dates }.write(&Bson::DateTime(DateTime::from_millis(0)), &mut out);
        assert_eq!(out, br#""\"1970\"""#);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Any text and any number reads back unchanged.
        #[test]
        fn what_is_written_reads_back(text in ".*", number in proptest::num::f64::NORMAL, integer in any::<i64>()) {
            let value: serde_json::Value = serde_json::from_str(&json(Bson::Array(vec![
                Bson::String(text.clone()), Bson::Double(number), Bson::Int64(integer),
            ]))).unwrap();
            prop_assert_eq!(&value[0], &serde_json::Value::String(text));
            prop_assert_eq!(value[1].as_f64(), Some(number));
            prop_assert_eq!(value[2].as_i64(), Some(integer));
        }
    }
}
