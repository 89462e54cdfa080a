#![allow(clippy::unwrap_used)]
use super::super::entered::{Difference, issues};
use super::*;
use serde_json::json;
use shared::form::{Parameters, encode};

fn document() -> Value {
    json!({
        "_id": "1", "_etag": "e1", "name": "Ada", "age": 36, "active": true, "born": null,
        "note": "two\nlines", "address": {"city": "London"}, "_links": {},
    })
}

fn form() -> Form {
    Form::new("Ada".into(), Some(&document()), None, &[])
}

/// What a browser posts after somebody changed some inputs.
fn posted(form: &Form, changes: &[(&str, &str)]) -> Entered {
    let mut pairs = vec![("etag".to_owned(), form.etag.clone())];
    for input in &form.inputs {
        let change = changes.iter().find(|(name, _)| *name == input.name);
        let value = change.map_or(input.value.as_str(), |(_, value)| value).replace('\n', "\r\n");
        pairs.push((input.name.clone(), value));
        pairs.push((format!("was.{}", input.field), input.was.clone()));
    }
    pairs.extend(changes.iter().filter(|(name, _)| *name == "more").map(|(n, v)| ((*n).into(), (*v).into())));
    let body: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    Entered::read(&Parameters::parse(body.join("&").as_bytes()).unwrap())
}

#[test]
fn an_untouched_form_changes_nothing() {
    let entered = posted(&form(), &[]);
    assert_eq!(entered.etag, "e1");
    assert_eq!(entered.document().unwrap(), Map::new());
}

#[test]
fn touched_fields_keep_their_types() {
    let names: Vec<_> = form().inputs.iter().map(|input| input.name.clone()).collect();
    assert_eq!(names, ["text.name", "number.age", "truth.active", "json.born", "text.note", "json.address"]);
    let entered = posted(
        &form(),
        &[
            ("text.name", "007"),
            ("number.age", "1e2"),
            ("truth.active", "false"),
            ("json.born", "[1, null]"),
            ("text.note", ""),
            ("json.address", ""),
            ("more", "{\"extra\": {\"a\": 1}}"),
        ],
    );
    assert_eq!(
        Value::Object(entered.document().unwrap()),
        json!({"name": "007", "age": 1e2, "active": false, "born": [1, null], "note": "", "address": null,
               "extra": {"a": 1}})
    );
}

#[test]
fn what_cant_be_read_is_told_by_field_and_kept() {
    let entered =
        posted(&form(), &[("number.age", "old"), ("json.address", "{city}"), ("truth.active", "2"), ("more", "[1]")]);
    let issues = entered.document().unwrap_err();
    let mut fields: Vec<&str> = issues.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["active", "address", "age", "more"]);
    let mut again = form();
    again.fill(&entered);
    again.blame(&issues);
    let age = again.inputs.iter().find(|input| input.field == "age").unwrap();
    assert_eq!((age.value.as_str(), age.errors.len()), ("old", 1));
    assert_eq!((again.more.as_str(), again.more_errors.len()), ("[1]", 1));
    // It still counts as touched when it is posted again as it is.
    assert!(posted(&again, &[]).document().is_err());
}

#[test]
fn a_schema_says_which_fields_there_are() {
    let rules = json!({
        "_id": {"type": "objectid"},
        "name": {"type": "string", "required": true, "minlength": 1, "maxlength": 40},
        "role": {"type": "string", "allowed": ["author", "editor"]},
        "born": {"type": "datetime"},
        "computed": {"type": "string", "readonly": true},
        "tags": {"type": "list", "allowed": ["x", "y"]},
        "author": {"type": "objectid", "data_relation": {"resource": "people"}},
    });
    let form = Form::new("Person".into(), None, Some(&rules), &[json!({"computed": "x", "other": 1})]);
    let names: Vec<_> = form.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["text.name", "text.role", "word.born", "json.tags", "word.author", "number.other"]);
    assert!(form.inputs[0].required && !form.inputs[1].required);
    assert_eq!(form.inputs[0].hint.as_deref(), Some("at most 40 characters"));
    assert_eq!(form.inputs[3].hint.as_deref(), Some("JSON (list); any of x, y"));
    assert_eq!(form.inputs[1].choices, ["author", "editor"]);
    assert!(form.inputs[4].hint.as_deref().unwrap().contains("refers to people"));
    // Empty fields of a new item are not sent at all.
    let entered = posted(&form, &[("text.name", "Ada"), ("json.tags", "[\"x\"]")]);
    assert_eq!(Value::Object(entered.document().unwrap()), json!({"name": "Ada", "tags": ["x"]}));
}

#[test]
fn values_that_break_the_schema_or_the_limits_survive() {
    let rules = json!({"age": {"type": "integer"}, "name": {"type": "string"}});
    let odd = json!({"_etag": "e", "age": "unknown", "name": {"first": "Ada"}, "long": "x".repeat(LONGEST + 1)});
    let form = Form::new("odd".into(), Some(&odd), Some(&rules), &[]);
    let names: Vec<_> = form.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["text.age", "json.name"]);
    assert_eq!(form.left_out, ["long"]);
    assert_eq!(posted(&form, &[]).document().unwrap(), Map::new());
}

#[test]
fn only_touched_fields_are_in_conflict() {
    let entered = posted(&form(), &[("number.age", "37"), ("more", "{\"x\": true}")]);
    let now = json!({"_etag": "e2", "name": "Augusta", "age": 40});
    let difference = |name: &str, field: &str, yours: &str, current: &str| Difference {
        name: name.into(),
        field: field.into(),
        yours: yours.into(),
        current: current.into(),
    };
    assert_eq!(
        entered.differences(&now),
        [difference("number.age", "age", "37", "40"), difference("json.x", "x", "true", "")]
    );
}

#[test]
fn nested_messages_carry_their_path() {
    let told = issues(&json!({"_issues": {
        "name": "required field",
        "age": ["must be of integer type", "min value is 0"],
        "address": {"city": ["unknown field"], "0": {"zip": "empty values not allowed"}},
    }}));
    assert_eq!(told["name"], ["required field"]);
    assert_eq!(told["age"].len(), 2);
    assert_eq!(told["address"], ["city: unknown field", "0.zip: empty values not allowed"]);
    assert!(issues(&json!(null)).is_empty());
}
