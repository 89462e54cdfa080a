//! The `sort` parameter: a Python or JSON literal, or names with commas (SORT-01 to SORT-03).

use bson::Bson;

use super::error::QueryError;
use super::path;
use super::python_text::{Token, Tokens, constant, negative, number};
use super::visible::{Visibility, Visible};
use super::{Direction, Sort};

/// As many as MongoDB takes.
const KEY_LIMIT: usize = 32;
/// A list of pairs is two deep, in parentheses three.
const DEPTH_LIMIT: usize = 4;

/// An empty sort stands for none: the default applies.
pub(super) fn parse(text: &str, visible: Visible<'_>) -> Result<Sort, QueryError> {
    let text = text.trim();
    let keys = match literal(text) {
        Literal::Value(value) => value.keys()?,
        Literal::Broken => return Err(QueryError::Sort("not a list, a mapping or names with commas")),
        Literal::None => names(text)?,
    };
    let mut sort = Sort::new();
    for (path, direction) in keys {
        let plain = path.split('.').all(|name| !name.is_empty() && !name.starts_with('$'));
        if !plain || !path::is_allowed(&path) {
            return Err(QueryError::Sort("not a field name"));
        }
        match visible.path(&path) {
            Visibility::Hidden => return Err(QueryError::SortNotAllowed(path)),
            // Nothing a client could see is in this order.
            Visibility::Unknown => continue,
            Visibility::Shown => {}
        }
        match sort.iter().position(|(known, _)| *known == path) {
            // The last one counts, as in a Python mapping.
            Some(known) => sort[known].1 = direction,
            None if sort.len() == KEY_LIMIT => return Err(QueryError::Sort("too many fields")),
            None => sort.push((path, direction)),
        }
    }
    Ok(sort)
}

fn names(text: &str) -> Result<Vec<(String, Direction)>, QueryError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let name = |item: &str| {
        let item = item.trim();
        let (name, direction) = match item.strip_prefix('-') {
            Some(name) => (name.trim(), Direction::Descending),
            None => (item, Direction::Ascending),
        };
        let odd = |character: char| {
            character.is_whitespace() || character.is_control() || "\"'()[]{}:;=\\#".contains(character)
        };
        if name.is_empty() || name.contains(odd) {
            return Err(QueryError::Sort("not a field name"));
        }
        Ok((name.to_owned(), direction))
    };
    text.split(',').map(name).collect()
}

/// A Python literal, as far as a sort can be one.
enum Value {
    Scalar(Bson),
    List(Vec<Value>),
    Mapping(Vec<(Value, Value)>),
}

enum Literal {
    Value(Value),
    /// Begins like one.
    Broken,
    /// Not a literal at all.
    None,
}

impl Value {
    fn keys(self) -> Result<Vec<(String, Direction)>, QueryError> {
        match self {
            Value::Scalar(Bson::Null) => Ok(Vec::new()),
            Value::Scalar(_) => Err(QueryError::Sort("a list of fields and directions is needed")),
            Value::List(items) => items.into_iter().map(Value::key).collect(),
            Value::Mapping(members) => members.into_iter().map(|(field, order)| pair(field, &order)).collect(),
        }
    }

    /// A pair, or a name alone.
    fn key(self) -> Result<(String, Direction), QueryError> {
        match self {
            Value::Scalar(Bson::String(field)) => Ok((field, Direction::Ascending)),
            Value::List(parts) => match <[Value; 2]>::try_from(parts) {
                Ok([field, order]) => pair(field, &order),
                Err(_) => Err(QueryError::Sort("each field needs one direction")),
            },
            _ => Err(QueryError::Sort("each field is a pair of name and direction")),
        }
    }
}

fn pair(field: Value, order: &Value) -> Result<(String, Direction), QueryError> {
    match (field, order) {
        (Value::Scalar(Bson::String(field)), Value::Scalar(Bson::Int32(1))) => Ok((field, Direction::Ascending)),
        (Value::Scalar(Bson::String(field)), Value::Scalar(Bson::Int32(-1))) => Ok((field, Direction::Descending)),
        (Value::Scalar(Bson::String(_)), _) => Err(QueryError::Sort("a direction is 1 or -1")),
        _ => Err(QueryError::Sort("a field is a string")),
    }
}

fn literal(text: &str) -> Literal {
    let begins = text.starts_with(['[', '(', '{', '"', '\'']);
    let mut reader = Reader { tokens: Tokens::new(text), next: None };
    match reader.read() {
        Some(value) => Literal::Value(value),
        None if begins => Literal::Broken,
        None => Literal::None,
    }
}

struct Reader<'t> {
    tokens: Tokens<'t>,
    next: Option<Token<'t>>,
}

impl<'t> Reader<'t> {
    fn read(&mut self) -> Option<Value> {
        self.advance()?;
        let first = self.value(0)?;
        let mut items = vec![first];
        // A tuple needs no parentheses.
        let mut tuple = false;
        while self.take(",")? {
            tuple = true;
            if self.next.is_none() {
                break;
            }
            items.push(self.value(0)?);
        }
        match self.next {
            Some(_) => None,
            None if tuple => Some(Value::List(items)),
            None => items.pop(),
        }
    }

    fn advance(&mut self) -> Option<Option<Token<'t>>> {
        let next = match self.tokens.next() {
            Some(token) => Some(token?),
            None => None,
        };
        Some(std::mem::replace(&mut self.next, next))
    }

    fn take(&mut self, sign: &'static str) -> Option<bool> {
        let there = self.next == Some(Token::Sign(sign));
        if there {
            self.advance()?;
        }
        Some(there)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        Some(match self.advance()?? {
            Token::Text(text) => Value::Scalar(Bson::String(text)),
            Token::Word(word) => Value::Scalar(number(word).or_else(|| constant(word))?),
            Token::Sign("-") => Value::Scalar(negative(self.number()?)),
            Token::Sign("+") => Value::Scalar(self.number()?),
            Token::Sign("[") => self.list("]", depth)?.0,
            // One value in parentheses is that value.
            Token::Sign("(") => match self.list(")", depth)? {
                (Value::List(mut items), false) if items.len() == 1 => items.pop()?,
                (list, _) => list,
            },
            Token::Sign("{") => self.mapping(depth)?,
            Token::Sign(_) => return None,
        })
    }

    fn number(&mut self) -> Option<Bson> {
        match self.advance()?? {
            Token::Word(word) => number(word),
            _ => None,
        }
    }

    /// The items, and whether a comma ends them.
    fn list(&mut self, end: &'static str, depth: usize) -> Option<(Value, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(end)? {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            comma = self.take(",")?;
        }
        Some((Value::List(items), comma))
    }

    fn mapping(&mut self, depth: usize) -> Option<Value> {
        let mut members = Vec::new();
        let mut comma = true;
        while !self.take("}")? {
            if !comma {
                return None;
            }
            let field = self.value(depth + 1)?;
            if !self.take(":")? {
                return None;
            }
            members.push((field, self.value(depth + 1)?));
            comma = self.take(",")?;
        }
        Some(Value::Mapping(members))
    }
}
