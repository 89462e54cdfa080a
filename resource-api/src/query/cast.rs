//! Strings of a query that mean dates and ids (FILT-11).

use bson::oid::ObjectId;
use bson::{Bson, Document};

use super::path::{fields_at, is_object_id};
use crate::domain::{DateFormat, FieldType, Resource, Schema};

/// Operators whose strings are never values.
const PLAIN: [&str; 3] = ["$regex", "$options", "$type"];

/// Turns strings in DATE_FORMAT into dates, and those of 24 hex digits into ObjectIds where FILT-11 says so.
pub(super) fn cast(document: &mut Document, resource: &Resource, dates: &DateFormat) {
    let caster = Caster { resource, dates };
    caster.document(document, "", !resource.query_objectid_as_string);
}

/// The same in a filter of the domain file: only where the schema says so, as its author writes what he means otherwise
/// (contract 2.4).
pub fn cast_by_schema(document: &mut Document, schema: &Schema, dates: &DateFormat) {
    document.iter_mut().for_each(|(key, value)| by_schema(key, value, "", schema, dates));
}

fn by_schema(key: &str, value: &mut Bson, above: &str, schema: &Schema, dates: &DateFormat) {
    if PLAIN.contains(&key) {
        return;
    }
    let path = match (key.starts_with('$'), above) {
        (true, above) => above.to_owned(),
        (false, "") => key.to_owned(),
        (false, above) => format!("{above}.{key}"),
    };
    match value {
        Bson::Document(inner) => inner.iter_mut().for_each(|(key, value)| by_schema(key, value, &path, schema, dates)),
        // `$and` and its like have conditions, others have values.
        Bson::Array(items) => items.iter_mut().for_each(|item| by_schema("$", item, &path, schema, dates)),
        Bson::String(text) => {
            let fields = fields_at(schema, &path);
            let date = || dates.parse(text).filter(|_| fields.iter().any(|field| field.is(FieldType::Datetime)));
            let id = || ObjectId::parse_str(&*text).ok().filter(|_| fields.iter().any(|field| is_object_id(field)));
            if let Some(cast) = date().map(Bson::DateTime).or_else(|| id().map(Bson::ObjectId)) {
                *value = cast;
            }
        }
        _ => {}
    }
}

struct Caster<'a> {
    resource: &'a Resource,
    dates: &'a DateFormat,
}

impl Caster<'_> {
    /// `ids`: whether hex digits are ids whatever the schema says.
    fn document(&self, document: &mut Document, above: &str, ids: bool) {
        for (key, value) in document.iter_mut() {
            if PLAIN.contains(&key.as_str()) {
                continue;
            }
            // Without need for the schema the path is not built.
            let path = match ids {
                true => String::new(),
                false if key.starts_with('$') => above.to_owned(),
                false if above.is_empty() => key.clone(),
                false => format!("{above}.{key}"),
            };
            let ids = ids || fields_at(&self.resource.schema, &path).into_iter().any(is_object_id);
            match value {
                Bson::Document(inner) => self.document(inner, &path, ids),
                Bson::Array(items) => {
                    for item in items {
                        match item {
                            Bson::Document(inner) => self.document(inner, &path, ids),
                            item => self.value(item, ids || self.is_id(key)),
                        }
                    }
                }
                value => self.value(value, ids || self.is_id(key)),
            }
        }
    }

    fn is_id(&self, key: &str) -> bool {
        key.strip_prefix(&self.resource.id_field).is_some_and(|rest| rest.is_empty() || rest == "_document")
    }

    fn value(&self, value: &mut Bson, ids: bool) {
        let Bson::String(text) = value else { return };
        if let Some(date) = self.dates.parse(text) {
            *value = Bson::DateTime(date);
        } else if ids && let Ok(id) = ObjectId::parse_str(text.as_str()) {
            *value = Bson::ObjectId(id);
        }
    }
}
