//! Types (VAL-04, VAL-37).

use std::cmp::Ordering;

use bson::oid::ObjectId;
use bson::{Bson, Document};

use super::compare::order;
use super::geojson;
use crate::domain::{CustomType, Field, FieldType, Rule};

/// Whether a value has one of the field's types. `custom_geojson` is ALLOW_CUSTOM_FIELDS_IN_GEOJSON.
pub fn has_type(field: &Field, value: &Bson, custom_geojson: bool) -> bool {
    let mut types = field.narrowed_types();
    field.types.is_empty()
        || types
            .any(|(kind, custom)| is(kind, value, custom_geojson) && custom.is_none_or(|custom| admits(custom, value)))
}

fn admits(custom: &CustomType, value: &Bson) -> bool {
    custom.rules.iter().all(|rule| match rule {
        Rule::Min(least) => order(value, least) != Some(Ordering::Less),
        Rule::Max(most) => order(value, most) != Some(Ordering::Greater),
        Rule::Regex { compiled, .. } => value.as_str().is_none_or(|text| compiled.is_match(text)),
        _ => true,
    })
}

fn is(kind: FieldType, value: &Bson, custom: bool) -> bool {
    match kind {
        FieldType::String => matches!(value, Bson::String(_)),
        FieldType::Boolean => matches!(value, Bson::Boolean(_)),
        FieldType::Integer => matches!(value, Bson::Int32(_) | Bson::Int64(_) | Bson::Boolean(_)),
        FieldType::Float => {
            matches!(value, Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Boolean(_))
        }
        FieldType::Number => matches!(value, Bson::Double(_) | Bson::Int32(_) | Bson::Int64(_)),
        // Python's datetime is a date as well.
        FieldType::Datetime | FieldType::Date => matches!(value, Bson::DateTime(_)),
        FieldType::Dict => matches!(value, Bson::Document(_)),
        FieldType::List => matches!(value, Bson::Array(_)),
        FieldType::Binary => matches!(value, Bson::Binary(_)),
        FieldType::Container => matches!(value, Bson::Document(_) | Bson::Array(_) | Bson::Binary(_)),
        FieldType::ObjectId => match value {
            Bson::ObjectId(_) => true,
            Bson::String(text) => ObjectId::parse_str(text).is_ok(),
            _ => false,
        },
        FieldType::Decimal => matches!(value, Bson::Decimal128(_)),
        FieldType::DbRef => value.as_document().is_some_and(is_dbref),
        // Neither ever comes from a body.
        FieldType::Set | FieldType::Media => false,
        FieldType::Point => geojson::is("Point", value, custom),
        FieldType::LineString => geojson::is("LineString", value, custom),
        FieldType::Polygon => geojson::is("Polygon", value, custom),
        FieldType::MultiPoint => geojson::is("MultiPoint", value, custom),
        FieldType::MultiLineString => geojson::is("MultiLineString", value, custom),
        FieldType::MultiPolygon => geojson::is("MultiPolygon", value, custom),
        FieldType::GeometryCollection => geojson::is("GeometryCollection", value, custom),
        FieldType::Feature => geojson::is("Feature", value, custom),
        FieldType::FeatureCollection => geojson::is("FeatureCollection", value, custom),
    }
}

/// A DBRef is a document that starts with these two members.
pub fn is_dbref(document: &Document) -> bool {
    let mut keys = document.keys().map(String::as_str);
    keys.next() == Some("$ref") && keys.next() == Some("$id")
}
