//! JSON parameters → BSON, with Extended JSON for what JSON has no form for.

use bson::{Bson, Document};
use serde_json::{Map, Value};

use super::error::{FilterError, QueryError};

/// Levels of nesting, as many as MongoDB's queries are likely to need and far fewer than a thread's stack holds.
const DEPTH_LIMIT: usize = 64;

/// First keys of objects that stand for one value.
const WRAPPERS: [&str; 12] = [
    "$oid",
    "$date",
    "$numberInt",
    "$numberLong",
    "$numberDouble",
    "$numberDecimal",
    "$binary",
    "$uuid",
    "$timestamp",
    "$regularExpression",
    "$minKey",
    "$maxKey",
];

/// A JSON object as a document; `None` if the text is not JSON.
pub(super) fn parse(text: &str) -> Option<Result<Document, QueryError>> {
    match serde_json::from_str(text).ok()? {
        Value::Object(map) => Some(document(map, 0)),
        // Valid JSON, but no query (FILT-02).
        _ => Some(Err(QueryError::Where)),
    }
}

fn document(map: Map<String, Value>, depth: usize) -> Result<Document, QueryError> {
    let mut document = Document::new();
    for (key, value) in map {
        if key.is_empty() {
            return Err(QueryError::Where);
        }
        if key.contains('\0') {
            return Err(FilterError::Path(key).into());
        }
        let value = convert(value, depth + 1)?;
        document.insert(key, value);
    }
    Ok(document)
}

fn convert(value: Value, depth: usize) -> Result<Bson, QueryError> {
    if depth > DEPTH_LIMIT {
        return Err(FilterError::TooDeep.into());
    }
    match value {
        Value::Array(items) => {
            items.into_iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>().map(Bson::Array)
        }
        Value::Object(map) => match map.keys().next() {
            Some(first) if WRAPPERS.contains(&first.as_str()) => {
                let wrapper = first.clone();
                let malformed = || QueryError::from(FilterError::Value(wrapper.clone()));
                match Bson::try_from(Value::Object(map)).map_err(|_| malformed())? {
                    Bson::Document(_) => Err(malformed()),
                    value => Ok(value),
                }
            }
            _ => document(map, depth).map(Bson::Document),
        },
        scalar => Bson::try_from(scalar).map_err(|_| QueryError::Where),
    }
}
