//! What a test says about the keys of the values it holds for.

use bson::Bson;

use super::plan::Range;
use crate::query::{Pattern, Test};
use crate::store::keys::Malformed;
use crate::store::keys::key::{self, tag};

/// A test that leaves only certain keys.
#[derive(Debug)]
pub(super) struct Points {
    pub keys: Vec<Vec<u8>>,
    /// Every document with such a key satisfies the test; otherwise it has to be asked.
    pub exact: bool,
    /// Documents without the field may satisfy it.
    pub missing: bool,
}

impl Points {
    fn one(key: Vec<u8>) -> Self {
        Self { keys: vec![key], exact: true, missing: false }
    }

    fn join(mut self, other: Points) -> Self {
        self.keys.extend(other.keys);
        Self { keys: self.keys, exact: self.exact && other.exact, missing: self.missing || other.missing }
    }
}

/// The keys of the documents for which `test` can hold, if they are few.
pub(super) fn points(test: &Test) -> Result<Option<Points>, Malformed> {
    match test {
        Test::Eq(value) => points_of(value),
        Test::In(values) => {
            let mut all = Points { keys: Vec::with_capacity(values.len()), exact: true, missing: false };
            for value in values.iter() {
                match points_of(value)? {
                    Some(points) => all = all.join(points),
                    None => return Ok(None),
                }
            }
            Ok(Some(all))
        }
        // Each must hold, so the first that can be searched for is enough to find them.
        Test::All(tests) => {
            for test in tests {
                if let Some(points) = points(test)? {
                    return Ok(Some(Points { exact: points.exact && tests.len() == 1, ..points }));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn points_of(value: &Bson) -> Result<Option<Points>, Malformed> {
    Ok(Some(match value {
        // What is missing has the key of null, and so have some places in arrays that do not count as null.
        Bson::Null | Bson::Undefined => {
            Points { keys: vec![vec![tag::UNDEFINED], vec![tag::NULL]], exact: false, missing: true }
        }
        // An array has the keys of its elements; only one within another array, or at a position, has its own.
        Bson::Array(elements) => {
            let first = match elements.first() {
                Some(element) => key::of(element)?,
                None => vec![tag::UNDEFINED],
            };
            Points { keys: vec![first, key::of(value)?], exact: false, missing: false }
        }
        Bson::DbPointer(_) | Bson::JavaScriptCodeWithScope(_) => return Ok(None),
        value => Points::one(key::of(value)?),
    }))
}

/// A test that leaves only parts of the order.
#[derive(Debug)]
pub(super) struct Intervals {
    /// In order, without overlaps.
    pub ranges: Vec<Range>,
    /// Every document with a key in them satisfies the test; otherwise it has to be asked.
    pub exact: bool,
}

/// Where the keys of the values lie for which `test` can hold, if that is not everywhere.
pub(super) fn intervals(test: &Test, descending: bool) -> Result<Option<Intervals>, Malformed> {
    let (mut ends, exact) = match test {
        Test::Gt(bound) | Test::Gte(bound) | Test::Lt(bound) | Test::Lte(bound) => match comparison(test, bound)? {
            Some(ends) => (vec![ends], true),
            None => return Ok(None),
        },
        Test::Regex(pattern) => match literal_beginning(pattern) {
            Some(text) => {
                let beginning = key::of_beginning(text);
                let class = vec![tag::REGEX];
                // A stored regular expression that equals the pattern satisfies it too.
                let ends = [beginning, class].map(|prefix| (Edge::Before(prefix.clone()), Edge::After(prefix)));
                (Vec::from(ends), false)
            }
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if descending {
        ends = ends.into_iter().rev().map(|(from, to)| (to.inverted(), from.inverted())).collect();
    }
    let ranges = ends.into_iter().map(|(from, to)| Range { from: from.position(), to: to.position() }).collect();
    Ok(Some(Intervals { ranges, exact }))
}

/// Between which keys all values lie, and nothing else, for which a comparison holds; only those of the bound's own class
/// can satisfy it.
fn comparison(test: &Test, bound: &Bson) -> Result<Option<(Edge, Edge)>, Malformed> {
    let lowest = match bound {
        Bson::Double(number) if number.is_nan() => return Ok(None),
        // NaN is below all numbers, and no comparison holds for it.
        Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_) => key::of(&Bson::Double(f64::NEG_INFINITY))?,
        Bson::String(_) | Bson::Symbol(_) => vec![tag::STRING],
        Bson::Binary(_) => vec![tag::BINARY],
        Bson::ObjectId(_) => vec![tag::OBJECT_ID],
        Bson::Boolean(_) => vec![tag::BOOLEAN],
        Bson::DateTime(_) => vec![tag::DATE],
        Bson::Timestamp(_) => vec![tag::TIMESTAMP],
        _ => return Ok(None),
    };
    let class = vec![lowest[0]];
    let bound = key::of(bound)?;
    if key::is_long(&bound) {
        return Ok(None);
    }
    Ok(Some(match test {
        Test::Gt(_) => (Edge::After(bound), Edge::After(class)),
        Test::Gte(_) => (Edge::Before(bound), Edge::After(class)),
        Test::Lt(_) => (Edge::Before(lowest), Edge::Before(bound)),
        _ => (Edge::Before(lowest), Edge::After(bound)),
    }))
}

/// What every text begins with that an anchored pattern matches.
fn literal_beginning(pattern: &Pattern) -> Option<&str> {
    // Under other options `^`, letters or blanks mean something else, and an alternative may lack the anchor.
    if pattern.options().contains(['i', 'm', 'x']) || pattern.pattern().contains('|') {
        return None;
    }
    let text = pattern.pattern().strip_prefix('^')?;
    let end = text.find(|letter: char| r".^$*+?()[]{}\".contains(letter)).unwrap_or(text.len());
    let (literal, rest) = text.split_at(end);
    // What may be repeated may be missing.
    let optional = rest.starts_with(['*', '?', '{']);
    let certain = if optional { literal.char_indices().next_back().map_or(0, |(last, _)| last) } else { literal.len() };
    let literal = &literal[..certain];
    (!literal.is_empty() && literal.len() < 500).then_some(literal)
}

/// Beside all keys that begin so.
enum Edge {
    Before(Vec<u8>),
    After(Vec<u8>),
}

impl Edge {
    fn inverted(self) -> Self {
        let invert = |key: Vec<u8>| key.into_iter().map(|byte| !byte).collect();
        match self {
            Edge::Before(key) => Edge::After(invert(key)),
            Edge::After(key) => Edge::Before(invert(key)),
        }
    }

    fn position(self) -> Vec<u8> {
        match self {
            Edge::Before(key) => key,
            Edge::After(key) => key::after(&key),
        }
    }
}
