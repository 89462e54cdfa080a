//! JSON texts of clients, whose values are counted before memory is spent on them.

use bson::Bson;

use super::json_value::{Documents, JsonValue};

/// Values in one text of a client. One takes some hundred bytes of memory, and as little as two of text.
pub const MOST_VALUES: usize = 250_000;

/// Why a text is not taken.
#[derive(Debug, thiserror::Error)]
pub enum JsonTextError {
    #[error(transparent)]
    Syntax(#[from] serde_json::Error),
    /// Python reads them.
    #[error("NaN and Infinity are no numbers of JSON")]
    NotANumber,
    #[error("more than {MOST_VALUES} values in one JSON text")]
    TooManyValues,
}

/// What is wrong with a text that does not parse.
fn fault(text: &[u8], error: serde_json::Error) -> JsonTextError {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // It stops at the first letter, or behind a sign.
    let places = error.column().saturating_sub(2)..=error.column();
    let odd = |place: usize| line.get(place..).is_some_and(|rest| rest.starts_with(b"NaN") || rest.starts_with(b"Inf"));
    if error.is_syntax() && places.into_iter().any(odd) {
        JsonTextError::NotANumber
    } else {
        JsonTextError::Syntax(error)
    }
}

/// Parses JSON of a bounded number of values. Each part of a dotted name counts as one, as it may become a dict (SER-01).
pub fn parse(text: &[u8]) -> Result<Bson, JsonTextError> {
    // A byte order mark may be ignored (RFC 8259, 8.1).
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // No value takes less than two bytes, so short texts need not be counted.
    if text.len() / 2 > MOST_VALUES && count(text) > MOST_VALUES {
        return Err(JsonTextError::TooManyValues);
    }
    read(text).map_err(|error| fault(text, error))
}

/// The same where several texts share a number of values, of which `left` are left.
pub fn parse_counted(text: &[u8], left: &mut usize) -> Result<Bson, JsonTextError> {
    *left = left.checked_sub(count(text)).ok_or(JsonTextError::TooManyValues)?;
    Ok(read(text)?)
}

fn read(text: &[u8]) -> Result<Bson, serde_json::Error> {
    serde_json::from_slice::<JsonValue<Documents>>(text).map(|read| read.value)
}

/// At least the number of values, if the text is JSON.
fn count(text: &[u8]) -> usize {
    let mut values = 1;
    let mut parts = 0;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                parts = 0;
                loop {
                    match bytes.next() {
                        None | Some(b'"') => break,
                        Some(b'.') => parts += 1,
                        Some(b'\\') => {
                            // It may be a dot.
                            parts += 1;
                            bytes.next();
                        }
                        Some(_) => {}
                    }
                }
            }
            b':' => values += parts,
            b',' | b'[' | b'{' => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::bson;

    use super::*;

    #[test]
    fn values_and_parts_of_names_are_counted_and_text_is_not() {
        for (text, values) in [
            ("1", 1),
            ("[1, 2]", 3),
            (r#"{"a": 1, "b": [0, 0]}"#, 5),
            (r#"{"a.b.c": 1}"#, 4),
            (r#"{"a\u002eb": 1}"#, 3),
            (r#"{"a": "x, [y]. \"{z}."}"#, 2),
        ] {
            assert_eq!(count(text.as_bytes()), values, "{text}");
        }
    }

    /// REQ-05: what Python takes for numbers is told apart from other nonsense.
    #[test]
    fn numbers_that_are_none_are_told() {
        for text in ["NaN", "[NaN]", "{\"a\":\n Infinity}", "[1, -Infinity]", " -Infinity"] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonTextError::NotANumber)), "{text}");
        }
        for text in ["nan", "[", "{\"NaN\": }", "[Na]", "\"Infinity", ""] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonTextError::Syntax(_))), "{text}");
        }
        assert_eq!(parse(b"[\"NaN\"]").unwrap(), bson!(["NaN"]));
    }

    /// A body of zeros would take a hundred times its size.
    #[test]
    fn a_text_of_too_many_values_is_refused_before_it_is_built() {
        let zeros = |number: usize| format!("[{}0]", "0,".repeat(number - 1));
        assert!(parse(zeros(MOST_VALUES - 1).as_bytes()).is_ok());
        assert!(matches!(parse(zeros(MOST_VALUES + 1).as_bytes()), Err(JsonTextError::TooManyValues)));
        let names = format!("{{\"a{}\": 1}}", ".a".repeat(MOST_VALUES));
        assert!(matches!(parse(names.as_bytes()), Err(JsonTextError::TooManyValues)));
        let prose = format!("[\"{}\"]", ". ,".repeat(MOST_VALUES));
        assert!(parse(prose.as_bytes()).is_ok());
        assert!(matches!(parse(b"[1"), Err(JsonTextError::Syntax(_))));
        assert_eq!(parse(b"\xef\xbb\xbf1").unwrap(), Bson::Int32(1));
    }
}
