//! Values against lists of values.

use bson::Bson;

use super::compare::{contains, equal};
use crate::domain::python_text;

/// What iterating over a value yields: a dict's keys, a list's elements.
fn members_of(value: &Bson) -> Option<Vec<Bson>> {
    match value {
        Bson::Array(items) => Some(items.clone()),
        Bson::Document(document) => Some(document.keys().cloned().map(Bson::String).collect()),
        _ => None,
    }
}

/// `allowed` (VAL-08): the message, if something is not.
pub fn unallowed(allowed: &[Bson], value: &Bson) -> Option<String> {
    let Some(members) = members_of(value) else {
        return (!contains(allowed, value)).then(|| format!("unallowed value {}", python_text::str(value)));
    };
    let bad: Vec<&Bson> = members.iter().filter(|member| !contains(allowed, member)).collect();
    (!bad.is_empty()).then(|| format!("unallowed values {}", python_text::tuple(bad)))
}

/// `forbidden` (VAL-09): the message, if something is.
pub fn banned(forbidden: &[Bson], value: &Bson) -> Option<String> {
    let Bson::Array(items) = value else {
        return contains(forbidden, value).then(|| format!("unallowed value {}", python_text::str(value)));
    };
    let mut bad: Vec<&Bson> = Vec::new();
    for item in items {
        if contains(forbidden, item) && !bad.iter().any(|known| equal(known, item)) {
            bad.push(item);
        }
    }
    (!bad.is_empty()).then(|| format!("unallowed values {}", python_text::list(bad)))
}

/// `contains` (VAL-10): the message, if something is missing.
pub fn absent(expected: &[Bson], value: &Bson) -> Option<String> {
    let members = match value {
        Bson::String(text) => text.chars().map(|character| Bson::String(character.to_string())).collect(),
        _ => members_of(value)?,
    };
    let missing: Vec<&Bson> = expected.iter().filter(|wanted| !contains(&members, wanted)).collect();
    (!missing.is_empty()).then(|| format!("missing members {}", python_text::set(missing)))
}
