//! VALIDATE_FILTERS: a filter may only ask what a document of the resource could answer (FILT-12).

use bson::Bson;

use super::compare::compare;
use super::error::QueryError;
use super::filter::{Filter, Test};
use super::path::fields_at;
use crate::domain::validate::has_type;
use crate::domain::{Field, FieldType, Resource, Rule, Settings};

/// Fields must be in the schema or the service's own, and operands must be values that the field could have.
pub(super) fn check(filter: &Filter, resource: &Resource, settings: &Settings) -> Result<(), QueryError> {
    Checker { resource, settings }.filter(filter, "")
}

struct Checker<'a> {
    resource: &'a Resource,
    settings: &'a Settings,
}

impl Checker<'_> {
    fn filter(&self, filter: &Filter, above: &str) -> Result<(), QueryError> {
        match filter {
            Filter::All => Ok(()),
            Filter::And(filters) | Filter::Or(filters) | Filter::Nor(filters) => {
                filters.iter().try_for_each(|filter| self.filter(filter, above))
            }
            Filter::Field { path, test } => {
                let path = format!("{above}{path}");
                if self.is_own(&path) {
                    return Ok(());
                }
                let fields = fields_at(&self.resource.schema, &path);
                if let Test::ElemMatchDocument(inner) = test
                    && !fields.is_empty()
                {
                    return self.filter(inner, &format!("{path}."));
                }
                if fields.into_iter().any(|field| self.test(test, field)) {
                    return Ok(());
                }
                Err(QueryError::FilterInvalid(path))
            }
        }
    }

    fn is_own(&self, path: &str) -> bool {
        let names = &self.settings.names;
        [&names.last_updated, &names.date_created, &names.etag].into_iter().any(|name| name == path)
    }

    fn test(&self, test: &Test, field: &Field) -> bool {
        match test {
            Test::Eq(value) | Test::Ne(value) => self.is_value(value, field),
            Test::In(values) | Test::Nin(values) => values.iter().all(|value| self.is_value(value, field)),
            Test::Gt(value) | Test::Gte(value) | Test::Lt(value) | Test::Lte(value) => self.is_bound(value, field),
            Test::InPatterns { values, .. } => {
                may_be(field, &TEXT) && values.iter().all(|value| self.is_value(value, field))
            }
            Test::Regex(_) => may_be(field, &TEXT),
            Test::Mod { .. } => may_be(field, &NUMBERS),
            Test::Size(_) => may_be(field, &[FieldType::List]),
            Test::All(tests) | Test::ElemMatchValue(tests) | Test::Not(tests) => {
                tests.iter().all(|test| self.test(test, field))
            }
            Test::ElemMatchDocument(_)
            | Test::Exists(_)
            | Test::Type(_)
            | Test::BitsAllClear(_)
            | Test::BitsAllSet(_)
            | Test::BitsAnyClear(_)
            | Test::BitsAnySet(_) => true,
        }
    }

    /// A value of the field, or of an element of the list it is.
    fn is_value(&self, value: &Bson, field: &Field) -> bool {
        self.spellings(value).any(|value| self.has_type(field, value.as_ref()) && satisfies(field, value.as_ref()))
            || elements(field).any(|element| self.is_value(value, element))
    }

    /// The ends of ranges need the type alone.
    fn is_bound(&self, value: &Bson, field: &Field) -> bool {
        self.spellings(value).any(|value| self.has_type(field, value.as_ref()))
            || elements(field).any(|element| self.is_bound(value, element))
    }

    fn has_type(&self, field: &Field, value: &Bson) -> bool {
        match value {
            Bson::Null => field.nullable(),
            value => has_type(field, value, self.settings.allow_custom_fields_in_geojson),
        }
    }

    /// The value, and the string it was before FILT-11 made a date or an id of it.
    fn spellings<'v>(&self, value: &'v Bson) -> impl Iterator<Item = std::borrow::Cow<'v, Bson>> {
        use std::borrow::Cow;
        let text = match value {
            Bson::ObjectId(id) => Some(id.to_hex()),
            Bson::DateTime(date) => Some(self.settings.date_format.format(*date)),
            _ => None,
        };
        std::iter::once(Cow::Borrowed(value)).chain(text.map(|text| Cow::Owned(Bson::String(text))))
    }
}

const TEXT: [FieldType; 1] = [FieldType::String];
const NUMBERS: [FieldType; 4] = [FieldType::Integer, FieldType::Float, FieldType::Number, FieldType::Decimal];

fn may_be(field: &Field, types: &[FieldType]) -> bool {
    field.types.is_empty()
        || field.types.iter().any(|kind| types.contains(kind))
        || elements(field).any(|element| may_be(element, types))
}

fn elements(field: &Field) -> impl Iterator<Item = &Field> {
    field.rules.iter().flat_map(|rule| match rule {
        Rule::Elements(element) => std::slice::from_ref(element.as_ref()),
        Rule::Items(items) => items.as_slice(),
        _ => &[],
    })
}

/// The rules that one value answers by itself.
fn satisfies(field: &Field, value: &Bson) -> bool {
    let length = match value {
        Bson::String(text) => Some(text.chars().count() as u64),
        Bson::Array(items) => Some(items.len() as u64),
        _ => None,
    };
    *value == Bson::Null
        || field.rules.iter().all(|rule| match rule {
            Rule::Allowed(values) => value.as_array().is_some() || values.iter().any(|one| compare(one, value).is_eq()),
            Rule::Forbidden(values) => !values.iter().any(|one| compare(one, value).is_eq()),
            Rule::Min(least) => compare(value, least).is_ge(),
            Rule::Max(most) => compare(value, most).is_le(),
            Rule::MinLength(least) => length.is_none_or(|length| length >= *least),
            Rule::MaxLength(most) => length.is_none_or(|length| length <= *most),
            Rule::Empty(false) => length != Some(0),
            Rule::Regex { compiled, .. } => value.as_str().is_none_or(|text| compiled.is_match(text)),
            _ => true,
        })
}
