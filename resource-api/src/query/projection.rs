//! The `projection` parameter, within what the resource shows (PROJ-01 to PROJ-07).

use serde_json::{Map, Value};

use super::error::QueryError;
use super::fields::Fields;
use super::matching::split;
use super::path;
use crate::domain::{Resource, Settings};

/// More fields than any document is asked for.
const FIELD_LIMIT: usize = 500;

/// 0, 1, false and true, the only values a projection knows (PROJ-06).
pub(super) fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        _ => None,
    }
}

pub(super) fn parse(text: &str, resource: &Resource, settings: &Settings) -> Result<Fields, QueryError> {
    let written: Map<String, Value> = serde_json::from_str(text).map_err(|_| QueryError::Projection)?;
    if written.len() > FIELD_LIMIT {
        return Err(QueryError::Projection);
    }
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for (field, value) in &written {
        let plain = field.split('.').all(|name| !name.is_empty() && !name.starts_with('$'));
        if !plain || !path::is_allowed(field) {
            return Err(QueryError::Projection);
        }
        match switch(value).ok_or(QueryError::Projection)? {
            true => wanted.push(field.as_str()),
            false => refused.push(field.as_str()),
        }
    }
    let projection = &resource.datasource.projection;
    let automatic = automatic(resource, settings);
    if wanted.is_empty() {
        refused.retain(|field| !automatic.contains(&split(field).0));
        return Ok(of_resource(resource, settings).without(refused));
    }
    // With a projection of its own the resource decides which fields there are to ask for, hidden ones included (PROJ-03).
    // Of a field that it shows in parts there are these parts.
    // Without the bandwidth saver Eve hides them once more, and for good.
    let askable = |field: &str| match projection.get(split(field).0) {
        Some(shown) => *shown || settings.bandwidth_saver,
        None => projection.is_empty(),
    };
    let shown = || projection.iter().filter(|(_, shown)| **shown).map(|(known, _)| known.as_str());
    let mut seen = Vec::with_capacity(wanted.len());
    for field in wanted {
        if askable(field) || shown().any(|known| path::is_within(field, known)) {
            seen.push(field);
        } else {
            seen.extend(shown().filter(|known| path::is_within(known, field)));
        }
    }
    Ok(Fields::only(automatic.into_iter().chain(seen)))
}

/// The datasource projection: its inclusions, or else its exclusions.
pub(super) fn of_resource(resource: &Resource, settings: &Settings) -> Fields {
    let projection = &resource.datasource.projection;
    let marked =
        |mark: bool| projection.iter().filter(move |(_, shown)| **shown == mark).map(|(path, _)| path.as_str());
    match marked(true).next() {
        None => Fields::except(marked(false)),
        Some(_) => Fields::only(automatic(resource, settings).into_iter().chain(marked(true))).without(marked(false)),
    }
}

/// Fields that no projection takes away. MongoDB's own `_id` is among them even where another field is the id (LIST-06).
fn automatic<'a>(resource: &'a Resource, settings: &'a Settings) -> [&'a str; 5] {
    let names = &settings.names;
    ["_id", &resource.id_field, &names.last_updated, &names.date_created, &names.etag]
}
