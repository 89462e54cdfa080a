//! Dotted paths: their limits, and what of the schema they lead to.

use crate::domain::{Field, FieldType, Rule, Schema};

use super::matching::split;
use super::value::position;

/// MongoDB nests documents no deeper.
const SEGMENT_LIMIT: usize = 100;
/// A number may be a position or a name, so each one doubles the places a path can lead to.
const POSITION_LIMIT: usize = 12;

/// Whether a path can be searched for at bounded cost.
pub(super) fn is_allowed(path: &str) -> bool {
    let mut segments = 0;
    let mut positions = 0;
    for segment in path.split('.') {
        segments += 1;
        positions += usize::from(position(segment).is_some());
    }
    segments <= SEGMENT_LIMIT && positions <= POSITION_LIMIT && !path.is_empty() && !path.contains('\0')
}

/// The path, or the part above one of its dots, is in the list.
pub(super) fn is_listed(path: &str, list: &[String]) -> bool {
    list.iter().any(|listed| is_within(path, listed))
}

/// Whether the path is `above` or below it.
pub(super) fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The path without positions in arrays.
pub(super) fn without_positions(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for (index, segment) in path.split('.').enumerate() {
        if index == 0 || position(segment).is_none() {
            if index > 0 {
                plain.push('.');
            }
            plain.push_str(segment);
        }
    }
    plain
}

/// The rules that can apply to a path: through dicts, through lists with or without a position, through alternatives.
pub(super) fn fields_at<'s>(schema: &'s Schema, path: &str) -> Vec<&'s Field> {
    let mut fields = Vec::new();
    descend(schema, path, &mut fields);
    fields
}

fn descend<'s>(schema: &'s Schema, path: &str, fields: &mut Vec<&'s Field>) {
    let (name, rest) = split(path);
    match (schema.get(name), rest) {
        (Some(field), None) => fields.push(field),
        (Some(field), Some(rest)) => inside(field, rest, fields),
        (None, _) => {}
    }
}

fn inside<'s>(field: &'s Field, path: &str, fields: &mut Vec<&'s Field>) {
    let (name, rest) = split(path);
    let mut element = |element: &'s Field| {
        inside(element, path, fields);
        match rest {
            _ if position(name).is_none() => {}
            None => fields.push(element),
            Some(rest) => inside(element, rest, fields),
        }
    };
    for rule in &field.rules {
        match rule {
            Rule::Elements(inner) => element(inner),
            Rule::Items(items) => items.iter().for_each(&mut element),
            _ => {}
        }
    }
    for rule in &field.rules {
        match rule {
            Rule::Fields(schema) => descend(schema, path, fields),
            Rule::ValuesRules(value) => match rest {
                None => fields.push(value),
                Some(rest) => inside(value, rest, fields),
            },
            Rule::AnyOf(alternatives) | Rule::AllOf(alternatives) | Rule::OneOf(alternatives) => {
                alternatives.iter().for_each(|alternative| inside(alternative, path, fields));
            }
            _ => {}
        }
    }
}

/// Whether the field, or each element of the list it is, is an ObjectId.
pub(super) fn is_object_id(field: &Field) -> bool {
    field.types == [FieldType::ObjectId]
        || field.rules.iter().any(|rule| match rule {
            Rule::Elements(element) => is_object_id(element),
            Rule::Items(items) => items.iter().any(is_object_id),
            _ => false,
        })
}
