//! What a query string or a form says (REQ-07, REQ-10).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::str;

use percent_encoding::percent_decode;

/// Names and values in their order. Bytes that are no UTF-8 stay percent-encoded, as Eve's library has it: nothing is lost.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let middle = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (decoded(&pair[..middle]), decoded(pair.get(middle + 1..).unwrap_or_default()))
    })
}

fn decoded(text: &[u8]) -> Cow<'_, str> {
    let spaced = if text.contains(&b'+') {
        Cow::Owned(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect())
    } else {
        Cow::Borrowed(text)
    };
    match spaced {
        Cow::Borrowed(text) => match percent_decode(text).into() {
            Cow::Borrowed(text) => str::from_utf8(text).map_or_else(|_| Cow::Owned(kept(text)), Cow::Borrowed),
            Cow::Owned(bytes) => Cow::Owned(owned(bytes)),
        },
        Cow::Owned(text) => Cow::Owned(owned(percent_decode(&text).collect())),
    }
}

fn owned(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| kept(error.as_bytes()))
}

fn kept(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-07, REQ-10.
    #[test]
    fn bytes_that_are_no_text_stay_encoded() {
        let read = |text: &str| -> Vec<(String, String)> {
            pairs(text.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read("a=1&&b=x+y%2B&%61&=c=d&"),
            [pair("a", "1"), pair("b", "x y+"), pair("a", ""), pair("", "c=d")]
        );
        assert_eq!(read("a=%C3%BC&b=%fF&c=+%e2%82x%"), [pair("a", "ü"), pair("b", "%FF"), pair("c", " %E2%82x%")]);
        assert_eq!(read(""), []);
    }
}
