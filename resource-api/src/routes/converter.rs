//! Converters of URL segments (URL-06).

use crate::domain::TextPattern;

/// What a segment must look like.
#[derive(Debug)]
pub enum Converter {
    /// `regex("[a-f0-9]{24}")`, the usual one, without an engine.
    HexId,
    /// The whole segment must match.
    Regex(TextPattern),
    /// Digits only.
    Integer,
    Float,
    Uuid,
    /// Any one segment.
    Text,
    /// May span slashes.
    Path,
}

impl Converter {
    /// `int`, `regex("…")`, …
    pub fn parse(written: &str) -> Result<Self, String> {
        let written = written.trim();
        match written {
            "int" => return Ok(Converter::Integer),
            "float" => return Ok(Converter::Float),
            "uuid" => return Ok(Converter::Uuid),
            "string" | "default" => return Ok(Converter::Text),
            "path" => return Ok(Converter::Path),
            _ => {}
        }
        let pattern = written
            .strip_prefix("regex(")
            .and_then(|rest| rest.strip_suffix(')'))
            .map(str::trim)
            .and_then(|quoted| {
                let quote = quoted.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
                quoted.strip_prefix(quote)?.strip_suffix(quote)
            })
            .ok_or_else(|| {
                format!("{written:?} is no converter: use regex(\"…\"), int, float, string, path or uuid")
            })?;
        if pattern == "[a-f0-9]{24}" {
            return Ok(Converter::HexId);
        }
        match TextPattern::new(&format!("(?:{pattern})")) {
            Ok(pattern) => Ok(Converter::Regex(pattern)),
            Err(error) => Err(format!("{written:?}: {error}")),
        }
    }

    /// The segment's value, if it fits.
    pub fn take(&self, segment: &str) -> Option<String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = match self {
            Converter::HexId => {
                segment.len() == 24 && segment.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            }
            // `$` would also match before a line end.
            Converter::Regex(regex) => !segment.ends_with('\n') && regex.is_match(segment),
            Converter::Integer => digits(segment),
            Converter::Float => segment.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part)),
            Converter::Uuid => {
                segment.len() == 36
                    && segment.bytes().enumerate().all(|(place, byte)| match place {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
            Converter::Text | Converter::Path => !segment.is_empty(),
        };
        fits.then(|| segment.to_owned())
    }

    /// Smaller is tried first.
    pub fn weight(&self) -> u8 {
        match self {
            Converter::HexId | Converter::Regex(_) | Converter::Integer | Converter::Float | Converter::Uuid => 1,
            Converter::Text => 2,
            Converter::Path => 3,
        }
    }
}

/// Where the `>` of a converter is whose `<` was taken, past whatever stands in quotes.
pub fn end(open: &str) -> Option<usize> {
    let mut quote = None;
    for (place, byte) in open.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(mark), byte) if mark == byte => quote = None,
            (None, b'>') => return Some(place),
            _ => {}
        }
    }
    None
}
