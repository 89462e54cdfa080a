//! The named conversions of `coerce` and `rename_handler`; failures speak Python (VAL-30).

use bson::Bson;
use bson::oid::ObjectId;

use crate::domain::convert;
use crate::domain::{Coercion, DateFormat, RenameHandler, python_text};

/// The converted value, or why it can't be converted.
pub fn coerce(step: Coercion, value: &Bson, dates: &DateFormat) -> Result<Bson, String> {
    let class = python_text::class(value);
    let text = |name: &str| value.as_str().ok_or_else(|| format!("'{class}' object has no attribute '{name}'"));
    match step {
        Coercion::Int => convert::to_integer(value).ok_or_else(|| match value {
            Bson::String(_) => format!("invalid literal for int() with base 10: {}", python_text::repr(value)),
            Bson::Double(number) if number.is_nan() => "cannot convert float NaN to integer".to_owned(),
            Bson::Double(_) => "cannot convert float to integer".to_owned(),
            _ => {
                format!("int() argument must be a string, a bytes-like object or a real number, not '{class}'")
            }
        }),
        Coercion::Float => convert::to_float(value).ok_or_else(|| match value {
            Bson::String(_) => format!("could not convert string to float: {}", python_text::repr(value)),
            _ => format!("float() argument must be a string or a real number, not '{class}'"),
        }),
        Coercion::Str => Ok(Bson::String(python_text::str(value))),
        Coercion::Bool => Ok(Bson::Boolean(!super::compare::is_falsy(value))),
        Coercion::Lower => Ok(Bson::String(text("lower")?.to_lowercase())),
        Coercion::Upper => Ok(Bson::String(text("upper")?.to_uppercase())),
        Coercion::Strip => Ok(Bson::String(text("strip")?.trim().to_owned())),
        Coercion::Datetime => match value {
            Bson::DateTime(_) => Ok(value.clone()),
            Bson::String(text) => dates.parse(text).map(Bson::DateTime).ok_or_else(|| {
                format!("time data {} does not match format '{}'", python_text::repr(value), dates.as_str())
            }),
            _ => Err(format!("strptime() argument 1 must be str, not {class}")),
        },
        Coercion::ObjectId => match value {
            Bson::ObjectId(_) => Ok(value.clone()),
            Bson::String(text) => ObjectId::parse_str(text).map(Bson::ObjectId).map_err(|_| {
                let shown = python_text::repr(value);
                format!("{shown} is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string")
            }),
            _ => Err(format!("id must be an instance of (bytes, str, ObjectId), not <class '{class}'>")),
        },
        Coercion::Json => match value {
            Bson::String(text) => {
                let value = convert::parse_json(text.as_bytes()).map_err(|error| error.to_string())?;
                convert::storable(&value).map_err(|error| error.to_string())?;
                Ok(value)
            }
            _ => Err(format!("the JSON object must be str, bytes or bytearray, not {class}")),
        },
    }
}

/// The new name of a field.
pub fn rename(step: RenameHandler, name: &str) -> String {
    match step {
        RenameHandler::Lower => name.to_lowercase(),
        RenameHandler::Upper => name.to_uppercase(),
        RenameHandler::SnakeCase => snake_case(name),
    }
}

/// `HTTPServer`, `http-server` and `http server` all become `http_server`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (index, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            if !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let after = letters.get(index + 1);
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if starts_word && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::bson;

    /// VAL-30: conversions and the words of their failures.
    #[test]
    fn values_are_coerced_as_python_does() {
        let dates = DateFormat::default();
        for (step, value, expected) in [
            (Coercion::Int, bson!("42"), Ok(bson!(42))),
            (Coercion::Int, bson!(4.9), Ok(bson!(4))),
            (Coercion::Int, bson!("x"), Err("invalid literal for int() with base 10: 'x'")),
            (
                Coercion::Int,
                bson!(null),
                Err("int() argument must be a string, a bytes-like object or a real number, not 'NoneType'"),
            ),
            (Coercion::Float, bson!("1.5"), Ok(bson!(1.5))),
            (Coercion::Float, bson!("x"), Err("could not convert string to float: 'x'")),
            (Coercion::Str, bson!(1.0), Ok(bson!("1.0"))),
            (Coercion::Bool, bson!([]), Ok(bson!(false))),
            (Coercion::Lower, bson!("ÄB"), Ok(bson!("äb"))),
            (Coercion::Upper, bson!(1), Err("'int' object has no attribute 'upper'")),
            (Coercion::Strip, bson!(" a "), Ok(bson!("a"))),
            (Coercion::Json, bson!("{\"a\": [1]}"), Ok(bson!({ "a": [1] }))),
            (Coercion::Json, bson!(r#"{"a\u0000": 1}"#), Err("the name 'a\\x00' has a null character")),
            (
                Coercion::ObjectId,
                bson!("x"),
                Err("'x' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string"),
            ),
            (Coercion::ObjectId, bson!(5), Err("id must be an instance of (bytes, str, ObjectId), not <class 'int'>")),
            (Coercion::Datetime, bson!("x"), Err("time data 'x' does not match format '%a, %d %b %Y %H:%M:%S GMT'")),
        ] {
            assert_eq!(coerce(step, &value, &dates), expected.map_err(str::to_owned), "{step:?} {value}");
        }
    }

    #[test]
    fn names_become_snake_case() {
        for (name, expected) in [
            ("firstName", "first_name"),
            ("HTTPServer", "http_server"),
            ("http-server", "http_server"),
            ("already_there", "already_there"),
            ("Area51Name", "area51_name"),
        ] {
            assert_eq!(rename(RenameHandler::SnakeCase, name), expected);
        }
    }
}
