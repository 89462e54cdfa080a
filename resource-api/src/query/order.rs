//! Which document comes first: MongoDB's sort, whose keys may lead into arrays.

use std::cmp::Ordering;

use bson::{Bson, Document, RawDocument};

use super::compare::compare_values;
use super::matching::split;
use super::value::{Container, Value, position};
use super::{Direction, Sort};

/// Orders two documents by the sort alone; equal ones are left to the caller.
pub fn compare_by(sort: &Sort, one: &Document, two: &Document) -> Ordering {
    let (one, two) = (Container::Document(one), Container::Document(two));
    for (path, direction) in sort {
        let order = compare_values(sort_value(one, path, *direction), sort_value(two, path, *direction));
        let order = match direction {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The sort without repetitions, ending in `_id` in the direction of the key before it: no two documents are equal in it.
pub fn total_order(sort: &Sort) -> Sort {
    let mut total = Sort::with_capacity(sort.len() + 1);
    for (path, direction) in sort {
        if total.iter().all(|(known, _)| known != path) {
            total.push((path.clone(), *direction));
        }
        if path == "_id" {
            return total;
        }
    }
    total.push(("_id".to_owned(), sort.last().map_or(Direction::Ascending, |(_, direction)| *direction)));
    total
}

/// Where a document stands in a [`total_order`]: its value for each key. `None` if one of them can't be written down.
pub fn place(order: &Sort, document: &RawDocument) -> Option<Vec<Bson>> {
    let document = Container::Raw(document.as_bytes());
    order.iter().map(|(path, direction)| sort_value(document, path, *direction).to_bson()).collect()
}

/// The value a document is sorted by: of an array's the least or the greatest, as the direction has it. What is missing
/// counts as null, an empty array as less than that.
fn sort_value<'a>(document: Container<'a>, path: &str, direction: Direction) -> Value<'a> {
    let (name, rest) = split(path);
    match (document.get(name), rest) {
        (Some(Value::Array(items)), None) => best(items.values(), direction).unwrap_or(Value::Undefined),
        (Some(Value::Array(items)), Some(rest)) => sort_value_in_array(items, rest, direction),
        (Some(value), None) => value,
        (Some(Value::Document(inner)), Some(rest)) => sort_value(inner, rest, direction),
        (Some(_) | None, _) => Value::Null,
    }
}

/// A number that is a position of the array leads to that element alone, anything else into all of them.
fn sort_value_in_array<'a>(items: Container<'a>, path: &str, direction: Direction) -> Value<'a> {
    let (name, rest) = split(path);
    if let Some(item) = position(name).and_then(|place| items.values().nth(place)) {
        return match (item, rest) {
            (Value::Array(inner), None) => best(inner.values(), direction).unwrap_or(Value::Undefined),
            (Value::Array(inner), Some(rest)) => sort_value_in_array(inner, rest, direction),
            (Value::Document(inner), Some(rest)) => sort_value(inner, rest, direction),
            (item, None) => item,
            (_, Some(_)) => Value::Null,
        };
    }
    let values = items.values().map(|item| match item {
        Value::Document(inner) => sort_value(inner, path, direction),
        _ => Value::Null,
    });
    best(values, direction).unwrap_or(Value::Null)
}

fn best<'a>(values: impl Iterator<Item = Value<'a>>, direction: Direction) -> Option<Value<'a>> {
    values.reduce(|best, value| {
        let wanted = match direction {
            Direction::Ascending => Ordering::Less,
            Direction::Descending => Ordering::Greater,
        };
        if compare_values(value, best) == wanted { value } else { best }
    })
}
