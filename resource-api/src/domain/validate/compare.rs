//! Equality and order as Python sees them: `1 == 1.0 == True`, and different kinds have no order.

use std::cmp::Ordering;

use bson::Bson;

/// `one == two`.
pub fn equal(one: &Bson, two: &Bson) -> bool {
    match (one, two) {
        (Bson::Document(one), Bson::Document(two)) => {
            one.len() == two.len()
                && one.iter().all(|(key, value)| two.get(key).is_some_and(|other| equal(value, other)))
        }
        (Bson::Array(one), Bson::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| equal(one, two))
        }
        _ => match numbers(one, two) {
            Some(order) => order == Ordering::Equal,
            None => one == two,
        },
    }
}

/// `one in many`.
pub fn contains<'a>(many: impl IntoIterator<Item = &'a Bson>, one: &Bson) -> bool {
    many.into_iter().any(|other| equal(other, one))
}

/// How two values of a kind are ordered; `None` where Python raises an error.
pub fn order(one: &Bson, two: &Bson) -> Option<Ordering> {
    match (one, two) {
        (Bson::String(one), Bson::String(two)) => Some(one.cmp(two)),
        (Bson::DateTime(one), Bson::DateTime(two)) => Some(one.cmp(two)),
        (Bson::ObjectId(one), Bson::ObjectId(two)) => Some(one.cmp(two)),
        (Bson::Array(one), Bson::Array(two)) => match one.iter().zip(two).find(|(one, two)| !equal(one, two)) {
            Some((one, two)) => order(one, two),
            None => Some(one.len().cmp(&two.len())),
        },
        _ => numbers(one, two),
    }
}

/// `not value`.
pub fn is_falsy(value: &Bson) -> bool {
    match value {
        Bson::Null | Bson::Boolean(false) | Bson::Int32(0) | Bson::Int64(0) => true,
        Bson::Double(number) => *number == 0.0,
        Bson::String(text) => text.is_empty(),
        Bson::Array(items) => items.is_empty(),
        Bson::Document(document) => document.is_empty(),
        _ => false,
    }
}

/// `len(value)`, where it has one.
pub fn length(value: &Bson) -> Option<u64> {
    match value {
        Bson::String(text) => Some(text.chars().count() as u64),
        Bson::Array(items) => Some(items.len() as u64),
        Bson::Document(document) => Some(document.len() as u64),
        Bson::Binary(binary) => Some(binary.bytes.len() as u64),
        _ => None,
    }
}

fn numbers(one: &Bson, two: &Bson) -> Option<Ordering> {
    let number = |value: &Bson| match value {
        Bson::Boolean(flag) => Some(Bson::Int32(i32::from(*flag))),
        Bson::Int32(_) | Bson::Int64(_) => Some(value.clone()),
        Bson::Double(number) if !number.is_nan() => Some(value.clone()),
        _ => None,
    };
    Some(crate::query::compare(&number(one)?, &number(two)?))
}
