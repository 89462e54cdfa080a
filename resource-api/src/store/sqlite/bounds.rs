//! What a test says about the keys of the values it holds for.

use bson::Bson;

use super::Malformed;
use super::key::{self, tag};
use super::plan::Range;
use crate::query::Test;

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

/// Where the keys of the values lie for which `test` holds, all of them and nothing else; only values of the bound's own
/// class can satisfy a comparison.
pub(super) fn interval(test: &Test, descending: bool) -> Result<Option<Range>, Malformed> {
    let (Test::Gt(bound) | Test::Gte(bound) | Test::Lt(bound) | Test::Lte(bound)) = test else { return Ok(None) };
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
    let (from, to) = match test {
        Test::Gt(_) => (Edge::After(bound), Edge::After(class)),
        Test::Gte(_) => (Edge::Before(bound), Edge::After(class)),
        Test::Lt(_) => (Edge::Before(lowest), Edge::Before(bound)),
        _ => (Edge::Before(lowest), Edge::After(bound)),
    };
    Ok(Some(if descending {
        Range { from: to.inverted().position(), to: from.inverted().position() }
    } else {
        Range { from: from.position(), to: to.position() }
    }))
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
