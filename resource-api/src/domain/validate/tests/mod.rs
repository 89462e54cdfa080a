#![allow(clippy::unwrap_used)]
//! Documents against schemas as a domain file writes them; expectations are what Cerberus 1.3 and Eve answer.

use bson::{Bson, DateTime, Document};
use serde_json::{Value, json};

mod containers;
mod methods;
mod rules;

use super::{Circumstances, Mode, Validation, validate};
use crate::domain::{Domain, Format, convert, parse};

enum Request {
    Post,
    Put(Value),
    Patch(Value),
}

/// One resource `r` with these settings, and resources it may refer to.
fn domain(resource: Value, globals: Value) -> Domain {
    let mut file = json!({"DOMAIN": {"r": resource, "people": {"schema": {"name": {"type": "string"}}}}});
    file.as_object_mut().unwrap().extend(globals.as_object().unwrap().clone());
    parse(Format::Json, &file.to_string()).unwrap()
}

fn start(domain: &Domain, document: Value, request: &Request) -> Validation {
    let resource = domain.resource("r").unwrap();
    let convert = |value: &Value| {
        let read = convert::parse_json(value.to_string().as_bytes()).unwrap();
        convert::document(read, resource, &domain.settings).unwrap()
    };
    let original = match request {
        Request::Post => Document::new(),
        Request::Put(original) | Request::Patch(original) => convert(original),
    };
    let mode = match request {
        Request::Post => Mode::Insert,
        Request::Put(_) => Mode::Replace { original: &original },
        Request::Patch(_) => Mode::Update { original: &original },
    };
    let now = DateTime::from_millis(1_000_000);
    let settings = &domain.settings;
    validate(convert(&document), &Circumstances { resource, settings, mode, subject: Some("alice"), now })
}

fn outcome(domain: &Domain, validation: Validation, failed: &[bool]) -> Result<Value, Value> {
    let relaxed = |document: Document| Bson::Document(document).into_relaxed_extjson();
    validation
        .finish(failed)
        .map(relaxed)
        .map_err(|issues| relaxed(issues.to_document(domain.settings.validation_error_as_list)))
}

/// The outcome when every look-up is fine.
fn check(schema: Value, document: Value, request: &Request) -> Result<Value, Value> {
    let domain = domain(json!({"schema": schema}), json!({}));
    let validation = start(&domain, document, request);
    outcome(&domain, validation, &[])
}

fn post(schema: Value, document: Value) -> Result<Value, Value> {
    check(schema, document, &Request::Post)
}
