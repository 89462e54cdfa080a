//! What receivers may answer. Anything that can't be understood is a fault: nothing is guessed, and nothing is written.

use bson::{Bson, Document};
use serde_json::{Map, Value};

use crate::domain::Names;
use crate::transfer::extended_json;

/// Why an answer is not taken; for the operator.
type Fault = String;

/// The one member that an answer may have, with the types of its values; `None`: it changes nothing.
fn member(body: &[u8], name: &str) -> Result<Option<Bson>, Fault> {
    if body.trim_ascii() == b"null" {
        return Ok(None);
    }
    let mut answer = extended_json::parse(body).map_err(|error| format!("its answer can't be read: {error}"))?;
    let value = answer.remove(name).filter(|value| *value != Bson::Null);
    match answer.keys().next() {
        Some(other) => Err(format!("its answer has a member {other:?}: only {name:?} is taken here")),
        None => Ok(value),
    }
}

/// The documents in the place of `count` others.
pub fn documents(body: &[u8], count: usize, names: &Names) -> Result<Option<Vec<Document>>, Fault> {
    let Some(value) = member(body, "documents")? else { return Ok(None) };
    let Bson::Array(items) = value else { return Err("\"documents\" in its answer must be a list".to_owned()) };
    if items.len() != count {
        return Err(format!("its answer has {} documents in the place of {count}", items.len()));
    }
    let read = |item| match item {
        Bson::Document(document) => storable(document, names),
        _ => Err("\"documents\" in its answer holds something that is no document".to_owned()),
    };
    items.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// The document in the place of another. `original`: the stored one whose id it keeps, in the field `id_field` too.
pub fn document(
    body: &[u8],
    name: &str,
    names: &Names,
    original: &Document,
    id_field: &str,
) -> Result<Option<Document>, Fault> {
    let document = match member(body, name)? {
        None => return Ok(None),
        Some(Bson::Document(document)) => storable(document, names)?,
        Some(_) => return Err(format!("{name:?} in its answer must be a document")),
    };
    for field in ["_id", id_field] {
        if document.get(field).is_some_and(|id| original.get(field) != Some(id)) {
            return Err(format!("its answer changes {field}"));
        }
    }
    Ok(Some(document))
}

/// A condition in the language of `where`.
pub fn lookup(body: &[u8]) -> Result<Option<Document>, Fault> {
    match member(body, "lookup")? {
        None => Ok(None),
        Some(Bson::Document(lookup)) => Ok(Some(lookup)),
        Some(_) => Err("\"lookup\" in its answer must be a filter".to_owned()),
    }
}

/// What the client sees in the place of something else.
pub fn shown(body: &[u8], name: &str) -> Result<Option<Map<String, Value>>, Fault> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| format!("its answer can't be read: {error}"))?;
    let mut answer = match answer {
        Value::Null => return Ok(None),
        Value::Object(answer) => answer,
        _ => return Err("its answer is no object".to_owned()),
    };
    let value = answer.remove(name);
    if let Some(other) = answer.keys().next() {
        return Err(format!("its answer has a member {other:?}: only {name:?} is taken here"));
    }
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(shown)) => Ok(Some(shown)),
        Some(_) => Err(format!("{name:?} in its answer must be an object")),
    }
}

/// HOOK-03: why a receiver refuses, if it says so.
pub fn refusal(kind: &str, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    if text.is_empty() || !matches!(kind, "text/plain" | "application/json" | "application/problem+json") {
        return None;
    }
    if kind == "text/plain" {
        return Some(text.to_owned());
    }
    let answer: Value = serde_json::from_str(text).ok()?;
    let told = [answer.get("message"), answer.pointer("/_error/message"), answer.get("detail"), Some(&answer)];
    told.into_iter().flatten().find_map(Value::as_str).map(str::to_owned)
}

/// What no rule of the domain says, but all that is stored relies on.
fn storable(mut document: Document, names: &Names) -> Result<Document, Fault> {
    if matches!(document.get("_id"), Some(Bson::Array(_) | Bson::RegularExpression(_) | Bson::Undefined)) {
        return Err("its answer has an _id that can't be one".to_owned());
    }
    for name in [&names.last_updated, &names.date_created] {
        if document.get(name).is_some_and(|date| !matches!(date, Bson::DateTime(_))) {
            return Err(format!("its answer has {name} that is no date"));
        }
    }
    // It is computed of all the rest.
    document.remove(&names.etag);
    Ok(document)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::doc;

    use super::*;
    use crate::domain::{Format, parse};

    fn names() -> Names {
        parse(Format::Json, r#"{"DOMAIN": {}}"#).unwrap().settings.names
    }

    /// HOOK-03: documents come back with their types, or nothing is changed.
    #[test]
    fn documents_come_back_as_what_they_were() {
        let read = |body: &str| documents(body.as_bytes(), 1, &names());
        let document = r#"{"at":{"$date":"2020-01-01T00:00:00Z"},"by":{"$oid":"5f0000000000000000000abc"},"n":{"$numberLong":"1"},"_etag":"x"}"#;
        let read_back = read(&format!(r#"{{"documents":[{document}]}}"#)).unwrap().unwrap();
        let expected = doc! {
            "at": bson::DateTime::from_millis(1_577_836_800_000),
            "by": bson::oid::ObjectId::parse_str("5f0000000000000000000abc").unwrap(),
            "n": 1_i64,
        };
        assert_eq!(read_back, [expected]);
        for nothing in ["{}", "null", r#"{"documents":null}"#] {
            assert_eq!(read(nothing).unwrap(), None, "{nothing}");
        }
        for (bad, told) in [
            ("<html>", "can't be read"),
            ("[]", "can't be read"),
            (r#"{"document":{}}"#, "member \"document\""),
            (r#"{"documents":[]}"#, "0 documents in the place of 1"),
            (r#"{"documents":[1]}"#, "no document"),
            (r#"{"documents":{}}"#, "must be a list"),
            (r#"{"documents":[{"_id":[]}]}"#, "_id that can't be one"),
            (r#"{"documents":[{"_updated":"now"}]}"#, "_updated that is no date"),
            (r#"{"documents":[{"a":{"$oid":"short"}}]}"#, "can't be read"),
        ] {
            let fault = read(bad).unwrap_err();
            assert!(fault.contains(told), "{bad}: {fault}");
        }
    }

    #[test]
    fn the_id_of_a_stored_document_stays() {
        let original = doc! { "_id": 1, "sku": "a" };
        let read = |body: &str| document(body.as_bytes(), "updates", &names(), &original, "sku");
        assert_eq!(read(r#"{"updates":{"_id":1,"n":2}}"#).unwrap(), Some(doc! { "_id": 1, "n": 2 }));
        for bad in [r#"{"updates":{"_id":2}}"#, r#"{"updates":{"sku":"b"}}"#] {
            assert!(read(bad).unwrap_err().contains("changes"), "{bad}");
        }
    }

    /// HOOK-03.
    #[test]
    fn a_refusal_says_why_in_one_of_several_ways() {
        for (kind, body, told) in [
            ("application/json", r#"{"message": "no"}"#, Some("no")),
            ("application/json", r#"{"_status": "ERR", "_error": {"code": 400, "message": "no"}}"#, Some("no")),
            ("application/problem+json", r#"{"title": "x", "detail": "no"}"#, Some("no")),
            ("application/json", r#""no""#, Some("no")),
            ("text/plain", "no\n", Some("no")),
            ("text/html", "<p>no", None),
            ("application/json", "{", None),
            ("application/json", "{}", None),
            ("", "", None),
        ] {
            assert_eq!(refusal(kind, body.as_bytes()).as_deref(), told, "{kind} {body}");
        }
    }
}
