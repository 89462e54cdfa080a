//! What each operator means: MongoDB's matching, in one place (FILT-14). Nothing is built while a document is looked at.

use std::cmp::Ordering;

use bson::{Bson, Document, RawDocument};

use super::compare::compare_values;
use super::filter::{Choices, Filter, Test};
use super::pattern::Pattern;
use super::value::{Container, Value, position};

impl Filter {
    /// Whether the document satisfies it.
    pub fn matches(&self, document: &Document) -> bool {
        self.holds(Container::Document(document))
    }

    /// The same for a document that is still bytes.
    pub fn matches_raw(&self, document: &RawDocument) -> bool {
        self.holds(Container::Raw(document.as_bytes()))
    }

    fn holds(&self, document: Container<'_>) -> bool {
        match self {
            Filter::All => true,
            Filter::And(filters) => filters.iter().all(|filter| filter.holds(document)),
            Filter::Or(filters) => filters.iter().any(|filter| filter.holds(document)),
            Filter::Nor(filters) => !filters.iter().any(|filter| filter.holds(document)),
            Filter::Field { path, test } => test.holds_at(document, path),
        }
    }
}

impl Test {
    /// Whether it holds for what lies at the path: negations turn the whole search round, the rest wants one value.
    fn holds_at(&self, document: Container<'_>, path: &str) -> bool {
        match self {
            Test::Ne(value) => !any_value(document, path, Leaf::Open, &mut |found| equal(found, value)),
            Test::Nin(values) => !any_value(document, path, Leaf::Open, &mut |found| chosen(found, values)),
            Test::Exists(false) => !any_value(document, path, Leaf::Whole, &mut |found| found.is_some()),
            Test::Not(tests) => !tests.iter().all(|test| test.holds_at(document, path)),
            Test::All(tests) => !tests.is_empty() && tests.iter().all(|test| test.holds_at(document, path)),
            Test::Size(_) | Test::ElemMatchDocument(_) | Test::ElemMatchValue(_) | Test::Exists(true) => {
                any_value(document, path, Leaf::Whole, &mut |found| self.holds_for(found))
            }
            _ => any_value(document, path, Leaf::Open, &mut |found| self.holds_for(found)),
        }
    }

    /// Whether it holds for one value; `None`: there is none.
    pub(super) fn holds_for(&self, found: Option<Value<'_>>) -> bool {
        match self {
            Test::Eq(value) => equal(found, value),
            Test::Ne(value) => !equal(found, value),
            Test::Gt(value) => ordered(found, value, Ordering::is_gt, Edge::Minimum),
            Test::Gte(value) => ordered(found, value, Ordering::is_ge, Edge::Minimum),
            Test::Lt(value) => ordered(found, value, Ordering::is_lt, Edge::Maximum),
            Test::Lte(value) => ordered(found, value, Ordering::is_le, Edge::Maximum),
            Test::In(values) => chosen(found, values),
            Test::Nin(values) => !chosen(found, values),
            Test::Exists(wanted) => found.is_some() == *wanted,
            Test::Type(types) => found.is_some_and(|value| types.iter().any(|wanted| is_type(value, wanted))),
            Test::Mod { divisor, remainder } => match found {
                // A divisor of zero is refused by the parser; the operator itself then holds for nothing.
                Some(Value::Number(number)) => {
                    number.truncated().is_some_and(|number| remainder_of(number, *divisor) == Some(*remainder))
                }
                _ => false,
            },
            Test::Regex(pattern) => like(found, pattern),
            Test::InPatterns { values, patterns } => {
                chosen(found, values) || patterns.iter().any(|pattern| like(found, pattern))
            }
            Test::All(tests) => !tests.is_empty() && tests.iter().all(|test| test.holds_for(found)),
            Test::Not(tests) => !tests.iter().all(|test| test.holds_for(found)),
            Test::ElemMatchDocument(filter) => match found {
                Some(Value::Array(items)) => items.values().any(|item| match item {
                    Value::Document(element) | Value::Array(element) => filter.holds(element),
                    _ => false,
                }),
                _ => false,
            },
            Test::ElemMatchValue(tests) => match found {
                Some(Value::Array(items)) => {
                    items.values().any(|item| tests.iter().all(|test| test.holds_for(Some(item))))
                }
                _ => false,
            },
            Test::Size(size) => match found {
                Some(Value::Array(items)) => i64::try_from(items.entries().count()) == Ok(*size),
                _ => false,
            },
            Test::BitsAllClear(mask) => bits(found, *mask).is_some_and(|set| set == 0),
            Test::BitsAllSet(mask) => bits(found, *mask).is_some_and(|set| set == *mask),
            Test::BitsAnyClear(mask) => bits(found, *mask).is_some_and(|set| set != *mask),
            Test::BitsAnySet(mask) => bits(found, *mask).is_some_and(|set| set != 0),
        }
    }
}

/// What an array at the end of a path offers.
#[derive(Clone, Copy, PartialEq)]
enum Leaf {
    /// Its elements, then itself.
    Open,
    /// Only itself.
    Whole,
}

/// Calls `wanted` for each value the path leads to, through documents and arrays, until it says yes. `None` stands for a
/// place where there is no value. An array of scalars in the middle of a path offers nothing, not even that.
fn any_value<'a, F>(document: Container<'a>, path: &str, leaf: Leaf, wanted: &mut F) -> bool
where
    F: FnMut(Option<Value<'a>>) -> bool,
{
    let (name, rest) = split(path);
    match (document.get(name), rest) {
        (Some(Value::Array(items)), None) => {
            leaf == Leaf::Open && items.values().any(|item| wanted(Some(item))) || wanted(Some(Value::Array(items)))
        }
        (Some(value), None) => wanted(Some(value)),
        (Some(Value::Document(inner)), Some(rest)) => any_value(inner, rest, leaf, wanted),
        (Some(Value::Array(items)), Some(rest)) => any_element(items, rest, leaf, wanted),
        (Some(_) | None, _) => wanted(None),
    }
}

/// The rest of a path is looked for in every element that is a document, and counted in the array itself where it is a
/// number; the element a number leads to is taken whole.
fn any_element<'a, F>(items: Container<'a>, path: &str, leaf: Leaf, wanted: &mut F) -> bool
where
    F: FnMut(Option<Value<'a>>) -> bool,
{
    let (name, rest) = split(path);
    let place = position(name);
    for (index, item) in items.values().enumerate() {
        if let Value::Document(element) = item
            && any_value(element, path, leaf, wanted)
        {
            return true;
        }
        if place != Some(index) {
            continue;
        }
        let found = match (item, rest) {
            (item, None) => wanted(Some(item)),
            (Value::Document(element), Some(rest)) => any_value(element, rest, leaf, wanted),
            (Value::Array(inner), Some(rest)) => any_element(inner, rest, leaf, wanted),
            (_, Some(_)) => false,
        };
        if found {
            return true;
        }
    }
    false
}

pub(super) fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)))
}

/// Null equals what is not there.
fn equal(found: Option<Value<'_>>, value: &Bson) -> bool {
    match found {
        None | Some(Value::Undefined) => matches!(value, Bson::Null | Bson::Undefined),
        Some(Value::Null) if *value == Bson::Undefined => true,
        Some(found) => compare_values(found, value.into()).is_eq(),
    }
}

fn chosen(found: Option<Value<'_>>, values: &Choices) -> bool {
    match found {
        None | Some(Value::Undefined) => values.iter().any(|value| equal(found, value)),
        Some(found) => values.find(|value| compare_values(value.into(), found)),
    }
}

/// A text the pattern matches, or the same regular expression.
fn like(found: Option<Value<'_>>, pattern: &Pattern) -> bool {
    match found {
        Some(Value::String(text) | Value::Symbol(text)) => pattern.is_match(text),
        Some(Value::Regex { pattern: stored, options }) => stored == pattern.pattern() && options == pattern.options(),
        _ => false,
    }
}

#[derive(PartialEq)]
enum Edge {
    Minimum,
    Maximum,
}

/// Values of another type are in no order, but for the two edges of all values; NaN is in order with itself alone.
fn ordered(found: Option<Value<'_>>, bound: &Bson, wanted: fn(Ordering) -> bool, edge: Edge) -> bool {
    let bound = Value::from(bound);
    match (found.unwrap_or(Value::Undefined), bound) {
        (Value::Undefined | Value::Null, Value::Undefined | Value::Null) => wanted(Ordering::Equal),
        (Value::Number(one), Value::Number(two)) if one.is_nan() || two.is_nan() => {
            one.is_nan() && two.is_nan() && wanted(Ordering::Equal)
        }
        (value, bound) if value.rank() == bound.rank() => wanted(compare_values(value, bound)),
        (_, Value::MinKey) => edge == Edge::Minimum,
        (_, Value::MaxKey) => edge == Edge::Maximum,
        _ => false,
    }
}

fn is_type(value: Value<'_>, wanted: &Bson) -> bool {
    match wanted {
        Bson::String(alias) if alias == "number" => matches!(value, Value::Number(_)),
        Bson::String(alias) => type_code(alias) == Some(value.type_code()),
        number => match Value::from(number) {
            Value::Number(code) => code.integer() == Some(i64::from(value.type_code())),
            _ => false,
        },
    }
}

/// The number of a type's alias; "number" has none.
pub(super) fn type_code(alias: &str) -> Option<i32> {
    Some(match alias {
        "double" => 1,
        "string" => 2,
        "object" => 3,
        "array" => 4,
        "binData" => 5,
        "undefined" => 6,
        "objectId" => 7,
        "bool" => 8,
        "date" => 9,
        "null" => 10,
        "regex" => 11,
        "dbPointer" => 12,
        "javascript" => 13,
        "symbol" => 14,
        "javascriptWithScope" => 15,
        "int" => 16,
        "timestamp" => 17,
        "long" => 18,
        "decimal" => 19,
        "minKey" => -1,
        "maxKey" => 127,
        _ => return None,
    })
}

fn remainder_of(number: i64, divisor: i64) -> Option<i64> {
    match divisor {
        0 => None,
        // The only quotient that overflows has this remainder.
        -1 => Some(0),
        divisor => Some(number % divisor),
    }
}

/// Those bits of the mask that are set in a whole number or in binary data, bit 0 being the lowest of the first byte.
fn bits(found: Option<Value<'_>>, mask: u64) -> Option<u64> {
    match found? {
        Value::Number(number) => number.integer().map(|number| number.cast_unsigned() & mask),
        Value::Binary { bytes, .. } => {
            let lowest = bytes.iter().take(8).rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
            Some(lowest & mask)
        }
        _ => None,
    }
}
