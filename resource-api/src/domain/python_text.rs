//! Values as Python prints them: the messages of Cerberus are made of this (VAL, "Message formatting").

use bson::Bson;

use crate::representation::json::{write_double, write_hex};

/// `str(value)`: strings bare, everything else as [`repr`].
pub fn str(value: &Bson) -> String {
    match value {
        Bson::String(text) | Bson::Symbol(text) => text.clone(),
        Bson::ObjectId(id) => id.to_hex(),
        Bson::Decimal128(number) => number.to_string(),
        Bson::DateTime(date) => match civil(*date) {
            Some(date) => format!("{} {}{}", date.date(), clock(date), micros(date)),
            None => String::new(),
        },
        _ => repr(value),
    }
}

/// `repr(value)`.
pub fn repr(value: &Bson) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// A tuple: `('c', 'd')`, with one member `('c',)`.
pub fn tuple<'a>(values: impl IntoIterator<Item = &'a Bson>) -> String {
    let members: Vec<String> = values.into_iter().map(repr).collect();
    match members.as_slice() {
        [only] => format!("({only},)"),
        _ => format!("({})", members.join(", ")),
    }
}

/// A list: `['c', 'd']`.
pub fn list<'a>(values: impl IntoIterator<Item = &'a Bson>) -> String {
    format!("[{}]", values.into_iter().map(repr).collect::<Vec<_>>().join(", "))
}

/// A set, in the order given (Python's own order is undefined).
pub fn set<'a>(values: impl IntoIterator<Item = &'a Bson>) -> String {
    format!("{{{}}}", values.into_iter().map(repr).collect::<Vec<_>>().join(", "))
}

/// A dict: `{'a': 1}`.
pub fn dict<'a>(members: impl IntoIterator<Item = (&'a String, &'a Bson)>) -> String {
    let members: Vec<String> =
        members.into_iter().map(|(key, value)| format!("{}: {}", quoted(key), repr(value))).collect();
    format!("{{{}}}", members.join(", "))
}

/// The name of the value's class, as in `'int' object has no attribute 'lower'`.
pub fn class(value: &Bson) -> &'static str {
    match value {
        Bson::String(_) | Bson::Symbol(_) => "str",
        Bson::Int32(_) | Bson::Int64(_) => "int",
        Bson::Double(_) => "float",
        Bson::Boolean(_) => "bool",
        Bson::Null | Bson::Undefined => "NoneType",
        Bson::Document(_) => "dict",
        Bson::Array(_) => "list",
        Bson::DateTime(_) => "datetime.datetime",
        Bson::ObjectId(_) => "ObjectId",
        Bson::Decimal128(_) => "Decimal128",
        Bson::Binary(_) => "bytes",
        _ => "object",
    }
}

fn write(value: &Bson, out: &mut String) {
    match value {
        Bson::String(text) | Bson::Symbol(text) => out.push_str(&quoted(text)),
        Bson::Int32(number) => out.push_str(&number.to_string()),
        Bson::Int64(number) => out.push_str(&number.to_string()),
        Bson::Double(number) => {
            let mut text = Vec::new();
            write_double(*number, &mut text);
            out.push_str(&String::from_utf8_lossy(&text));
        }
        Bson::Boolean(flag) => out.push_str(if *flag { "True" } else { "False" }),
        Bson::Document(document) => out.push_str(&dict(document)),
        Bson::Array(items) => out.push_str(&list(items)),
        Bson::ObjectId(id) => out.push_str(&format!("ObjectId('{}')", id.to_hex())),
        Bson::Decimal128(number) => out.push_str(&format!("Decimal128('{number}')")),
        Bson::DateTime(date) => {
            let Some(date) = civil(*date) else { return };
            out.push_str(&format!("datetime.datetime({}, {}, {}", date.year(), date.month(), date.day()));
            out.push_str(&format!(", {}, {}", date.hour(), date.minute()));
            let micros = date.subsec_nanosecond() / 1000;
            if date.second() != 0 || micros != 0 {
                out.push_str(&format!(", {}", date.second()));
            }
            if micros != 0 {
                out.push_str(&format!(", {micros}"));
            }
            out.push(')');
        }
        Bson::Binary(binary) => {
            let mut hex = Vec::new();
            write_hex(&binary.bytes, &mut hex);
            out.push_str(&format!("bytes.fromhex('{}')", String::from_utf8_lossy(&hex)));
        }
        _ => out.push_str("None"),
    }
}

/// Single quotes, or double ones if only those avoid an escape.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            '\0'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' => {
                out.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
    out
}

fn civil(date: bson::DateTime) -> Option<jiff::civil::DateTime> {
    super::calendar::civil(date.timestamp_millis())
}

fn clock(date: jiff::civil::DateTime) -> String {
    format!("{:02}:{:02}:{:02}", date.hour(), date.minute(), date.second())
}

fn micros(date: jiff::civil::DateTime) -> String {
    match date.subsec_nanosecond() / 1000 {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::{DateTime, bson};

    #[test]
    fn values_look_like_python() {
        let date = Bson::DateTime(DateTime::from_millis(1_352_198_011_000));
        let late = Bson::DateTime(DateTime::from_millis(1_352_198_011_120));
        for (value, text, detail) in [
            (bson!("it's"), "it's", "\"it's\""),
            (bson!("say \"it's\""), "say \"it's\"", "'say \"it\\'s\"'"),
            (bson!("a\\\n\u{1}ü"), "a\\\n\u{1}ü", "'a\\\\\\n\\x01ü'"),
            (bson!(null), "None", "None"),
            (bson!(true), "True", "True"),
            (bson!(1.0), "1.0", "1.0"),
            (bson!([1, "a", false]), "[1, 'a', False]", "[1, 'a', False]"),
            (bson!({ "a": { "b": null } }), "{'a': {'b': None}}", "{'a': {'b': None}}"),
            (date, "2012-11-06 10:33:31", "datetime.datetime(2012, 11, 6, 10, 33, 31)"),
            (late, "2012-11-06 10:33:31.120000", "datetime.datetime(2012, 11, 6, 10, 33, 31, 120000)"),
        ] {
            assert_eq!(str(&value), text);
            assert_eq!(repr(&value), detail);
        }
        assert_eq!(tuple(&[bson!("c")]), "('c',)");
        assert_eq!(tuple(&[bson!("c"), bson!(1)]), "('c', 1)");
        assert_eq!(set(&[bson!("x"), bson!("y")]), "{'x', 'y'}");
    }
}
