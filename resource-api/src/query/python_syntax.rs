//! Eve's other `where` language, conditions as Python writes them → MongoDB's (FILT-06 to FILT-09).

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use jiff::civil;

use super::python_text::{Token, Tokens, constant, is_path, negative, number};
use crate::domain::calendar;

/// Parentheses within parentheses.
const DEPTH_LIMIT: usize = 64;

/// A condition; `None` where Python has none of its comparisons.
pub(super) fn parse(text: &str) -> Option<Document> {
    let mut parser = Parser { tokens: Tokens::new(text), next: None };
    parser.advance()?;
    let document = parser.disjunction(0)?;
    parser.next.is_none().then_some(document)
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    /// The word to be read next; `None` at the end.
    next: Option<Token<'t>>,
}

impl<'t> Parser<'t> {
    /// The word read so far; fails where the next one is none.
    fn advance(&mut self) -> Option<Option<Token<'t>>> {
        let next = match self.tokens.next() {
            Some(token) => Some(token?),
            None => None,
        };
        Some(std::mem::replace(&mut self.next, next))
    }

    fn take(&mut self, wanted: &Token<'_>) -> Option<bool> {
        let there = self.next.as_ref() == Some(wanted);
        if there {
            self.advance()?;
        }
        Some(there)
    }

    fn expect(&mut self, sign: &'static str) -> Option<()> {
        self.take(&Token::Sign(sign))?.then_some(())
    }

    fn disjunction(&mut self, depth: usize) -> Option<Document> {
        let mut conditions = vec![self.conjunction(depth)?];
        while self.take(&Token::Word("or"))? {
            conditions.push(self.conjunction(depth)?);
        }
        Some(joined("$or", conditions))
    }

    fn conjunction(&mut self, depth: usize) -> Option<Document> {
        let mut conditions = vec![self.atom(depth)?];
        while self.take(&Token::Word("and"))? {
            conditions.push(self.atom(depth)?);
        }
        Some(joined("$and", conditions))
    }

    fn atom(&mut self, depth: usize) -> Option<Document> {
        if self.take(&Token::Sign("("))? {
            if depth == DEPTH_LIMIT {
                return None;
            }
            let inner = self.disjunction(depth + 1)?;
            self.expect(")")?;
            return Some(inner);
        }
        let field = match self.advance()?? {
            Token::Word(word) if is_field(word) => word.to_owned(),
            // An operator in quotes would slip past every check of operators.
            Token::Text(text) if !text.is_empty() && !text.starts_with('$') => text,
            _ => return None,
        };
        let operator = match self.advance()?? {
            Token::Sign("==") => None,
            Token::Sign("!=") => Some("$ne"),
            Token::Sign(">") => Some("$gt"),
            Token::Sign(">=") => Some("$gte"),
            Token::Sign("<") => Some("$lt"),
            Token::Sign("<=") => Some("$lte"),
            _ => return None,
        };
        let value = self.value()?;
        let mut document = Document::new();
        document.insert(
            field,
            match operator {
                Some(operator) => {
                    let mut expression = Document::new();
                    expression.insert(operator, value);
                    Bson::Document(expression)
                }
                None => value,
            },
        );
        Some(document)
    }

    fn value(&mut self) -> Option<Bson> {
        match self.advance()?? {
            Token::Text(text) => Some(Bson::String(text)),
            Token::Sign("-") => self.unsigned().map(negative),
            Token::Sign("+") => self.unsigned(),
            Token::Word("ObjectId") if self.take(&Token::Sign("("))? => self.object_id(),
            Token::Word("datetime") if self.take(&Token::Sign("("))? => self.datetime(),
            Token::Word(word) => number(word)
                .or_else(|| constant(word))
                // A bare name stands for itself (FILT-07).
                .or_else(|| is_name(word).then(|| Bson::String(word.to_owned()))),
            Token::Sign(_) => None,
        }
    }

    fn unsigned(&mut self) -> Option<Bson> {
        match self.advance()?? {
            Token::Word(word) => number(word),
            _ => None,
        }
    }

    fn object_id(&mut self) -> Option<Bson> {
        let Token::Text(hex) = self.advance()?? else { return None };
        self.expect(")")?;
        ObjectId::parse_str(hex).ok().map(Bson::ObjectId)
    }

    /// Year, month, day, then hour, minute, second and microsecond as far as given; UTC.
    fn datetime(&mut self) -> Option<Bson> {
        let mut parts = [0_i32, 0, 0, 0, 0, 0, 0];
        let mut given = 0;
        loop {
            let Bson::Int32(part) = self.unsigned()? else { return None };
            *parts.get_mut(given)? = part;
            given += 1;
            if !self.take(&Token::Sign(","))? {
                break;
            }
        }
        self.expect(")")?;
        let [year, month, day, hour, minute, second, microsecond] = parts;
        if given < 3 || !(1..=9999).contains(&year) || !(0..1_000_000).contains(&microsecond) {
            return None;
        }
        let small = |part: i32| i8::try_from(part).ok();
        let civil = civil::DateTime::new(
            i16::try_from(year).ok()?,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            microsecond * 1000,
        );
        Some(Bson::DateTime(calendar::moment(civil.ok()?)))
    }
}

fn joined(operator: &str, mut conditions: Vec<Document>) -> Document {
    match conditions.len() {
        1 => conditions.swap_remove(0),
        _ => doc! { operator: conditions },
    }
}

/// Python's keywords are good names for fields, but for those that this language needs itself.
fn is_field(word: &str) -> bool {
    is_path(word) && number(word).is_none() && constant(word).is_none() && !is_operator(word)
}

fn is_name(word: &str) -> bool {
    is_path(word) && !word.starts_with(|first: char| first.is_ascii_digit()) && !is_operator(word)
}

fn is_operator(word: &str) -> bool {
    matches!(word, "and" | "or" | "not")
}
