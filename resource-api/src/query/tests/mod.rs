#![allow(clippy::unwrap_used)]
//! Tables of cases by the contract's rules, and properties of what every input must satisfy.

mod compare;
mod embedded;
mod links;
mod matching;
mod matching_numbers;
mod matching_patterns;
mod mongo_syntax;
mod order;
mod page;
mod projection;
mod properties;
mod sort;
mod visible;
mod where_json;
mod where_python;

use bson::Document;
use serde_json::{Value, json};

use super::{Query, QueryError};
use crate::domain::{Domain, Format, parse};

/// A domain of one resource, `people`, and what it refers to; both arguments add to it or change it.
fn domain(settings: Value, people: Value) -> Domain {
    let mut resource = json!({
        "schema": {
            "name": { "type": "string" },
            "age": { "type": "integer", "min": 0 },
            "born": { "type": "datetime" },
            "friend": { "type": "objectid", "data_relation": { "resource": "people", "embeddable": true } },
            "tags": { "type": "list", "schema": { "type": "string" } },
            "location": { "type": "dict", "schema": { "city": { "type": "string" }, "zip": { "type": "string" } } },
            "rows": { "type": "list", "schema": { "type": "dict", "schema": {
                "price": { "type": "float" },
                "work": { "type": "objectid", "data_relation": { "resource": "works", "embeddable": true } },
            } } },
        },
    });
    merge(&mut resource, people);
    let mut file = json!({
        "DOMAIN": {
            "people": resource,
            "works": {
                "schema": {
                    "title": { "type": "string" },
                    "maker": { "type": "objectid", "data_relation": { "resource": "people", "embeddable": true } },
                    "owner": { "type": "objectid", "data_relation": { "resource": "people" } },
                },
            },
        },
    });
    merge(&mut file, settings);
    parse(Format::Json, &file.to_string()).unwrap()
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

fn plain() -> Domain {
    domain(json!({}), json!({}))
}

/// The query string of some parameters.
fn encode(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn query(domain: &Domain, parameters: &[(&str, &str)]) -> Result<Query, QueryError> {
    Query::parse(domain, &domain.resources["people"], &encode(parameters))
}

/// The filter of a `where`, in MongoDB's own form.
fn filter(domain: &Domain, text: &str) -> Result<Document, QueryError> {
    query(domain, &[("where", text)]).map(|query| query.filter.to_document())
}

/// A document from Extended JSON.
fn document(value: Value) -> Document {
    match bson::Bson::try_from(value).unwrap() {
        bson::Bson::Document(document) => document,
        other => panic!("{other} is no document"),
    }
}
