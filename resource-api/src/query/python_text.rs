//! The words of Python that Eve's `where` and `sort` are written in.

use std::iter::Peekable;
use std::str::CharIndices;

use bson::Bson;

/// A word of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    /// A name, a dotted path or a number: what it is depends on where it stands.
    Word(&'t str),
    Text(String),
    /// An operator, bracket or separator.
    Sign(&'static str),
}

/// The longer signs first.
const SIGNS: [&str; 17] = ["==", "!=", ">=", "<=", ">", "<", "(", ")", "[", "]", "{", "}", ",", ":", "-", "+", ";"];

/// Splits a text into its words; what Python can't read as such ends them with `None`.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn word(&mut self, rest: &'t str) -> Option<Token<'t>> {
        let part_of_word = |character: char| character.is_alphanumeric() || character == '_' || character == '.';
        let mut end = rest.find(|character| !part_of_word(character)).unwrap_or(rest.len());
        // The sign of an exponent belongs to its number.
        if rest.starts_with(|first: char| first.is_ascii_digit() || first == '.')
            && rest[..end].ends_with(['e', 'E'])
            && rest[end..].starts_with(['+', '-'])
            && rest[..end - 1].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            let exponent = &rest[end + 1..];
            end += 1 + exponent.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(exponent.len());
        }
        self.at += end;
        (end > 0).then(|| Token::Word(&rest[..end]))
    }

    fn quoted(&mut self, rest: &'t str, quote: char) -> Option<Token<'t>> {
        let mut characters = rest.char_indices().peekable();
        characters.next();
        let mut text = String::new();
        loop {
            match characters.next()? {
                (index, character) if character == quote => {
                    self.at += index + character.len_utf8();
                    return Some(Token::Text(text));
                }
                (_, '\n' | '\r') => return None,
                (_, '\\') => escape(&mut characters, &mut text)?,
                (_, character) => text.push(character),
            }
        }
    }
}

impl<'t> Iterator for Tokens<'t> {
    /// The inner `None` stands for what is no word.
    type Item = Option<Token<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t']);
        self.at = self.text.len() - rest.len();
        let first = rest.chars().next()?;
        if matches!(first, '"' | '\'') {
            return Some(self.quoted(rest, first));
        }
        match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Some(Some(Token::Sign(sign)))
            }
            None => Some(self.word(rest)),
        }
    }
}

/// What follows a backslash; an unknown escape keeps it.
fn escape(characters: &mut Peekable<CharIndices<'_>>, text: &mut String) -> Option<()> {
    let (_, character) = characters.next()?;
    let plain = match character {
        '\\' | '\'' | '"' => character,
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'x' => digits(characters, 16, 2, 2, 0)?,
        'u' => digits(characters, 16, 4, 4, 0)?,
        'U' => digits(characters, 16, 8, 8, 0)?,
        '0'..='7' => digits(characters, 8, 0, 2, character.to_digit(8)?)?,
        other => {
            text.push('\\');
            other
        }
    };
    text.push(plain);
    Some(())
}

fn digits(
    characters: &mut Peekable<CharIndices<'_>>,
    radix: u32,
    least: usize,
    most: usize,
    mut number: u32,
) -> Option<char> {
    for read in 0..most {
        match characters.next_if(|(_, next)| next.is_digit(radix)) {
            Some((_, digit)) => number = number.checked_mul(radix)? + digit.to_digit(radix)?,
            None if read >= least => break,
            None => return None,
        }
    }
    char::from_u32(number)
}

/// A decimal number as Python writes it, without its sign.
pub(super) fn number(word: &str) -> Option<Bson> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(word) {
        // Python refuses leading zeros, but for zero itself.
        let canonical = !word.starts_with('0') || word.bytes().all(|byte| byte == b'0');
        return canonical.then(|| integer(word)).flatten();
    }
    let looks_like_one = word.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if looks_like_one { word.parse().ok().map(Bson::Double) } else { None }
}

fn integer(digits: &str) -> Option<Bson> {
    match digits.parse::<i64>() {
        Ok(number) => Some(i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32)),
        Err(_) => digits.parse().ok().map(Bson::Double),
    }
}

/// The number with its sign turned.
pub(super) fn negative(number: Bson) -> Bson {
    match number {
        Bson::Int32(number) => number.checked_neg().map_or(Bson::Int64(-i64::from(number)), Bson::Int32),
        Bson::Int64(number) => match number.checked_neg() {
            Some(turned) => i32::try_from(turned).map_or(Bson::Int64(turned), Bson::Int32),
            None => Bson::Double(-(number as f64)),
        },
        Bson::Double(number) => Bson::Double(-number),
        other => other,
    }
}

/// True, False and None.
pub(super) fn constant(word: &str) -> Option<Bson> {
    match word {
        "True" => Some(Bson::Boolean(true)),
        "False" => Some(Bson::Boolean(false)),
        "None" => Some(Bson::Null),
        _ => None,
    }
}

/// Names joined by dots.
pub(super) fn is_path(word: &str) -> bool {
    word.split('.').all(|name| !name.is_empty())
}
