//! Parameters of queries and forms, read strictly.

use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// A parameter longer than this is refused, in bytes.
pub const LONGEST_PARAMETER: usize = 8 * 1024;

/// Decoded `application/x-www-form-urlencoded` text. Empty values count as absent. No Debug, and wiped when dropped:
/// passwords, verifiers and client secrets are among the values (F-072).
#[derive(Clone, Default, ZeroizeOnDrop)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("bad percent-encoding, bad UTF-8 or a NUL")]
    Encoding,
    #[error("{0} is given more than once")]
    Repeated(String),
    #[error("{0} is too long")]
    TooLong(String),
}

impl Parameters {
    pub fn parse(text: &[u8]) -> Result<Self, ParameterError> {
        let pairs = text
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let middle = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
                let name = decode(&pair[..middle])?;
                let value = decode(pair.get(middle + 1..).unwrap_or_default())?;
                if value.len() > LONGEST_PARAMETER || name.len() > LONGEST_PARAMETER {
                    // It goes into pages and logs, where a line end would forge a line.
                    let shown = name.chars().filter(|letter| !letter.is_control()).take(40).collect();
                    return Err(ParameterError::TooLong(shown));
                }
                Ok((name, value))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { pairs })
    }

    /// The one value of `name`; given twice, even with empty values, is an error.
    pub fn one(&self, name: &str) -> Result<Option<&str>, ParameterError> {
        let mut values = self.pairs.iter().filter(|(key, _)| key == name);
        let first = values.next();
        match values.next() {
            Some(_) => Err(ParameterError::Repeated(name.to_owned())),
            None => Ok(first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())),
        }
    }

    /// Every non-empty value of a parameter that may repeat, such as `resource`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether the name occurs, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    /// All pairs in order, as sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Decodes one name or value: `+` is a space, a `%` must be followed by two hex digits.
pub fn decode(text: &[u8]) -> Result<String, ParameterError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
                let (high, low) = (digit(), digit());
                match (high, low) {
                    (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                    _ => return Err(ParameterError::Encoding),
                }
            }
            byte => *byte,
        });
    }
    if bytes.contains(&0) {
        return Err(ParameterError::Encoding);
    }
    String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| {
        error.into_bytes().zeroize();
        ParameterError::Encoding
    })
}

/// Encodes for a query or form.
pub fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    ///
    #[test]
    fn parameters_are_read_strictly() {
        let read = |text: &str| Parameters::parse(text.as_bytes());
        let form = read("a=1+2%2B&b=&c=x&c=y&d").unwrap();
        assert_eq!(form.one("a"), Ok(Some("1 2+")));
        assert_eq!(form.one("b"), Ok(None));
        assert_eq!(form.one("d"), Ok(None));
        assert_eq!(form.one("missing"), Ok(None));
        assert_eq!(form.one("c"), Err(ParameterError::Repeated("c".into())));
        assert_eq!(form.all("c").collect::<Vec<_>>(), ["x", "y"]);
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1", "a=%00"] {
            assert_eq!(read(bad).err(), Some(ParameterError::Encoding), "{bad}");
        }
        let long = format!("state={}", "x".repeat(LONGEST_PARAMETER + 1));
        assert_eq!(read(&long).err(), Some(ParameterError::TooLong("state".into())));
        let forged = format!("a%0AERROR={}", "x".repeat(LONGEST_PARAMETER + 1));
        assert_eq!(read(&forged).err(), Some(ParameterError::TooLong("aERROR".into())));
        let text = "ä b&c=d%";
        assert_eq!(decode(encode(text).as_bytes()).unwrap(), text);
    }
}
