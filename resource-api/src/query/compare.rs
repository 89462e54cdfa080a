//! The order of all BSON values, which `$gt` and `sort` share (FILT-14).

use std::cmp::Ordering;

use bson::Bson;

use super::value::{Container, Value};

/// MongoDB's order: by type (null, numbers, strings, documents, arrays, binary, ids, booleans, dates, …), then by value;
/// numbers of all types by their exact value, documents field by field in their order.
pub fn compare(one: &Bson, two: &Bson) -> Ordering {
    compare_values(one.into(), two.into())
}

pub(super) fn compare_values(one: Value<'_>, two: Value<'_>) -> Ordering {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one.compare(two),
        (Value::String(one) | Value::Symbol(one), Value::String(two) | Value::Symbol(two)) => one.cmp(two),
        (Value::ObjectId(one), Value::ObjectId(two)) => one.cmp(&two),
        (Value::Boolean(one), Value::Boolean(two)) => one.cmp(&two),
        (Value::DateTime(one), Value::DateTime(two)) => one.cmp(&two),
        (Value::Document(one), Value::Document(two)) => compare_containers(one, two, true),
        (Value::Array(one), Value::Array(two)) => compare_containers(one, two, false),
        (Value::Timestamp { time, increment }, Value::Timestamp { time: other_time, increment: other_increment }) => {
            (time, increment).cmp(&(other_time, other_increment))
        }
        (Value::Binary { subtype, bytes }, Value::Binary { subtype: other_subtype, bytes: others }) => {
            (bytes.len(), subtype, bytes).cmp(&(others.len(), other_subtype, others))
        }
        (Value::Regex { pattern, options }, Value::Regex { pattern: other_pattern, options: other_options }) => {
            (pattern, options).cmp(&(other_pattern, other_options))
        }
        (Value::DbPointer(one), Value::DbPointer(two)) => one.text().cmp(&two.text()),
        (Value::Code(one), Value::Code(two)) => one.cmp(two),
        (Value::CodeWithScope { code, scope }, Value::CodeWithScope { code: other_code, scope: other_scope }) => {
            code.cmp(other_code).then_with(|| compare_containers(scope, other_scope, true))
        }
        (one, two) => one.rank().cmp(&two.rank()),
    }
}

/// Entry by entry: type, then name if there are names, then value; what ends first is less.
fn compare_containers(one: Container<'_>, two: Container<'_>, named: bool) -> Ordering {
    let (mut ones, mut twos) = (one.entries(), two.entries());
    loop {
        let ((key, value), (other_key, other)) = match (ones.next(), twos.next()) {
            (Some(one), Some(two)) => (one, two),
            (one, two) => return one.is_some().cmp(&two.is_some()),
        };
        let order = value
            .rank()
            .cmp(&other.rank())
            .then_with(|| if named { key.cmp(other_key) } else { Ordering::Equal })
            .then_with(|| compare_values(value, other));
        if order.is_ne() {
            return order;
        }
    }
}
