//! The `where` parameter → [`Filter`]: both languages, then every check and cast of group FILT.

use bson::{Bson, Document};

use super::cast::cast;
use super::error::QueryError;
use super::filter::{Filter, Test};
use super::operand;
use super::path::is_listed;
use super::visible::{Visibility, Visible};
use super::{extended_json, mongo_syntax, python_syntax};
use crate::domain::{AllowedFilters, Resource, Settings};

/// FILT-03.
const OPERATORS: [&str; 41] = [
    "$gt",
    "$gte",
    "$in",
    "$lt",
    "$lte",
    "$ne",
    "$nin",
    "$eq",
    "$or",
    "$and",
    "$not",
    "$nor",
    "$mod",
    "$regex",
    "$text",
    "$where",
    "$options",
    "$search",
    "$language",
    "$caseSensitive",
    "$diacriticSensitive",
    "$exists",
    "$type",
    "$geoWithin",
    "$geoIntersects",
    "$near",
    "$nearSphere",
    "$centerSphere",
    "$geometry",
    "$maxDistance",
    "$minDistance",
    "$box",
    "$all",
    "$elemMatch",
    "$size",
    "$bitsAllClear",
    "$bitsAllSet",
    "$bitsAnyClear",
    "$bitsAnySet",
    "$center",
    "$expr",
];

/// JSON first, then Python (FILT-01).
pub(super) fn parse(text: &str, resource: &Resource, settings: &Settings) -> Result<Filter, QueryError> {
    let mut document = match extended_json::parse(text) {
        Some(document) => document?,
        None => python_syntax::parse(text).ok_or(QueryError::Where)?,
    };
    check_operators(&document, resource, settings)?;
    if let AllowedFilters::Only(fields) = &resource.allowed_filters {
        check_allowed(&document, fields)?;
    }
    cast(&mut document, resource, &settings.date_format);
    let mut filter = mongo_syntax::parse_trusted(&document)?;
    let visible = Visible::new(resource, settings);
    for path in filter.fields() {
        if visible.path(&path) == Visibility::Hidden {
            return Err(QueryError::FilterNotAllowed(path));
        }
    }
    if settings.validate_filters {
        operand::check(&filter, resource, settings)?;
    }
    forget_unknown(&mut filter, visible);
    Ok(filter)
}

/// FILT-03 and FILT-04, at any depth.
fn check_operators(document: &Document, resource: &Resource, settings: &Settings) -> Result<(), QueryError> {
    let unknown: Vec<String> = document
        .keys()
        .filter(|key| {
            key.starts_with('$') && !OPERATORS.contains(&key.as_str()) && !resource.mongo_query_whitelist.contains(*key)
        })
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Err(QueryError::UnknownOperators(unknown));
    }
    if document.keys().any(|key| settings.mongo_query_blacklist.contains(key)) {
        return Err(QueryError::BannedOperators);
    }
    document.values().try_for_each(|value| check_value(value, resource, settings))
}

fn check_value(value: &Bson, resource: &Resource, settings: &Settings) -> Result<(), QueryError> {
    match value {
        Bson::Document(inner) => check_operators(inner, resource, settings),
        Bson::Array(items) => items.iter().try_for_each(|item| check_value(item, resource, settings)),
        // Extended JSON's other way to write it.
        Bson::RegularExpression(_) if settings.mongo_query_blacklist.contains("$regex") => {
            Err(QueryError::BannedOperators)
        }
        _ => Ok(()),
    }
}

/// FILT-10.
fn check_allowed(document: &Document, fields: &[String]) -> Result<(), QueryError> {
    for (key, value) in document {
        if !OPERATORS.contains(&key.as_str()) && !is_listed(key, fields) {
            return Err(QueryError::FilterNotAllowed(key.clone()));
        }
        if matches!(key.as_str(), "$or" | "$and" | "$nor") {
            let queries = value.as_array().into_iter().flatten().filter_map(Bson::as_document);
            queries.into_iter().try_for_each(|query| check_allowed(query, fields))?;
        }
    }
    Ok(())
}

/// A client sees no value at an unknown path, so the filter sees none either.
fn forget_unknown(filter: &mut Filter, visible: Visible<'_>) {
    match filter {
        Filter::All => {}
        Filter::And(filters) | Filter::Or(filters) | Filter::Nor(filters) => {
            filters.iter_mut().for_each(|filter| forget_unknown(filter, visible));
        }
        Filter::Field { path, test } => {
            if visible.path(path) == Visibility::Unknown {
                *filter = constant(test);
            }
        }
    }
}

/// What the test says of a missing value, for every document.
fn constant(test: &Test) -> Filter {
    if test.holds_for(None) { Filter::All } else { Filter::Or(Vec::new()) }
}
