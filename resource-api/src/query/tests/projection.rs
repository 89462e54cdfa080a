use serde_json::{Value, json};

use super::{document, domain, query};
use crate::domain::Domain;
use crate::query::QueryError;

/// What is seen of a document under a client's projection; automatic fields left out.
fn seen(domain: &Domain, projection: &str, stored: Value) -> Value {
    let parameters = [("projection", projection)];
    let query = query(domain, if projection.is_empty() { &[] } else { &parameters }).unwrap();
    let mut stored = document(stored);
    for automatic in ["_id", "_created", "_updated", "_etag"] {
        stored.insert(automatic, 1);
    }
    query.fields.apply(&mut stored);
    for automatic in ["_id", "_created", "_updated", "_etag"] {
        assert!(stored.remove(automatic).is_some(), "{automatic} is never taken away (PROJ-02)");
    }
    Value::from(bson::Bson::from(stored))
}

fn person() -> Value {
    json!({
        "name": "a", "age": 1, "secret": "s", "legacy": 1,
        "location": { "city": "c", "zip": "z" },
        "rows": [{ "price": 1.5, "work": 2 }, 7, [{ "price": 3.5, "work": 4 }]],
    })
}

fn hiding() -> Domain {
    domain(
        json!({}),
        json!({ "schema": { "secret": { "type": "string" } }, "datasource": { "projection": { "secret": 0 } } }),
    )
}

/// PROJ-02, PROJ-03: within what the resource shows; what it hides can be asked for by name.
#[test]
fn a_schema_is_a_hard_limit() {
    let domain = hiding();
    let all = json!({ "name": "a", "age": 1, "location": { "city": "c", "zip": "z" }, "rows": person()["rows"] });
    for (projection, expected) in [
        ("", all.clone()),
        ("{}", all.clone()),
        (r#"{"name": 1}"#, json!({ "name": "a" })),
        (r#"{"name": true, "age": 0}"#, json!({ "name": "a" })),
        (r#"{"name": 1.0}"#, json!({ "name": "a" })),
        (r#"{"secret": 1}"#, json!({ "secret": "s" })),
        (r#"{"legacy": 1}"#, json!({})),
        (r#"{"rows": 0, "location": false, "_id": 0, "_etag": 0, "legacy": 0}"#, json!({ "name": "a", "age": 1 })),
        (r#"{"_id": 1}"#, json!({})),
    ] {
        assert_eq!(seen(&domain, projection, person()), expected, "{projection}");
    }
}

/// PROJ-03: an inclusion list shows nothing else, whatever is asked.
#[test]
fn an_inclusion_list_is_a_hard_limit() {
    let domain = domain(json!({}), json!({ "datasource": { "projection": { "name": 1 } } }));
    assert_eq!(seen(&domain, "", person()), json!({ "name": "a" }));
    assert_eq!(seen(&domain, r#"{"age": 1}"#, person()), json!({}));
    assert_eq!(seen(&domain, r#"{"name": 0}"#, person()), json!({}));
}

/// PROJ-03, PROJ-04: of a field that the resource shows in parts, these can be asked for, and no others.
#[test]
fn a_dotted_inclusion_can_be_asked_for() {
    let domain = domain(json!({}), json!({ "datasource": { "projection": { "location.city": 1, "rows.price": 1 } } }));
    let city = json!({ "location": { "city": "c" } });
    for (projection, expected) in [
        (r#"{"location.city": 1}"#, city.clone()),
        (r#"{"location": 1}"#, city),
        (r#"{"location.zip": 1}"#, json!({})),
        (r#"{"locations": 1, "loc": 1, "location.city_name": 1}"#, json!({})),
        (r#"{"rows.price": 1}"#, json!({ "rows": [{ "price": 1.5 }, [{ "price": 3.5 }]] })),
        (r#"{"location": 0}"#, json!({ "rows": [{ "price": 1.5 }, [{ "price": 3.5 }]] })),
    ] {
        assert_eq!(seen(&domain, projection, person()), expected, "{projection}");
    }
}

/// PROJ-04: dotted paths include and exclude, through arrays.
#[test]
fn dotted_paths() {
    let domain = hiding();
    for (projection, expected) in [
        (r#"{"location.city": 1}"#, json!({ "location": { "city": "c" } })),
        (r#"{"rows.price": 1}"#, json!({ "rows": [{ "price": 1.5 }, [{ "price": 3.5 }]] })),
        (r#"{"name.first": 1}"#, json!({})),
        (r#"{"location.city": 1, "location": 1}"#, json!({ "location": { "city": "c", "zip": "z" } })),
        (r#"{"location": 1, "location.city": 1}"#, json!({ "location": { "city": "c", "zip": "z" } })),
        (
            r#"{"location.city": 0, "rows.price": 0, "name.first": 0}"#,
            json!({ "name": "a", "age": 1, "location": { "zip": "z" }, "rows": [{ "work": 2 }, 7, [{ "work": 4 }]] }),
        ),
    ] {
        assert_eq!(seen(&domain, projection, person()), expected, "{projection}");
    }
}

/// PROJ-05: without a datasource projection inclusions and exclusions are the client's; with one, naming other fields
/// shows none of them.
#[test]
fn documents_of_unknown_fields() {
    let open = domain(json!({}), json!({ "allow_unknown": true }));
    assert_eq!(seen(&open, "", person()), person());
    assert_eq!(
        seen(&open, r#"{"legacy": 1, "location.zip": 1}"#, person()),
        json!({ "legacy": 1, "location": { "zip": "z" } })
    );
    let rest = json!({ "name": "a", "age": 1, "secret": "s", "location": { "city": "c", "zip": "z" } });
    assert_eq!(seen(&open, r#"{"rows": 0, "legacy": 0}"#, person()), rest);
    let closed = domain(json!({}), json!({ "allow_unknown": true, "datasource": { "projection": { "secret": 0 } } }));
    assert_eq!(seen(&closed, "", person()).get("secret"), None);
    assert_eq!(seen(&closed, r#"{"name": 1}"#, person()), json!({}));
    assert_eq!(seen(&closed, r#"{"secret": 1}"#, person()), json!({ "secret": "s" }));
    assert_eq!(seen(&closed, r#"{"rows": 0, "location": 0}"#, person()), json!({ "name": "a", "age": 1, "legacy": 1 }));
}

/// PROJ-01, PROJ-06: 400 with the general text.
#[test]
fn what_is_no_projection() {
    let domain = hiding();
    for text in [
        "x",
        "[]",
        "1",
        "null",
        "\"name\"",
        r#"{"name": "x"}"#,
        r#"{"name": 2}"#,
        r#"{"name": null}"#,
        r#"{"name": {"$slice": 1}}"#,
        r#"{"": 1}"#,
        r#"{"a..b": 1}"#,
        r#"{"$a": 1}"#,
    ] {
        let error = query(&domain, &[("projection", text)]).unwrap_err();
        assert_eq!(error, QueryError::Projection, "{text}");
        assert!(!error.is_told());
    }
}

/// Hostile input: the number of fields is bounded.
#[test]
fn too_many_fields() {
    let fields: serde_json::Map<String, Value> = (0..501).map(|number| (format!("f{number}"), json!(1))).collect();
    let error = query(&hiding(), &[("projection", &Value::Object(fields).to_string())]).unwrap_err();
    assert_eq!(error, QueryError::Projection);
}

/// PROJ-07: the switch turns the parameter off, not the datasource's projection.
#[test]
fn the_switch() {
    let domain = domain(
        json!({ "PROJECTION": false }),
        json!({ "schema": { "secret": { "type": "string" } }, "datasource": { "projection": { "secret": 0 } } }),
    );
    let expected = json!({ "name": "a", "age": 1, "location": person()["location"], "rows": person()["rows"] });
    assert_eq!(seen(&domain, "broken", person()), expected);
}

/// LIST-06: MongoDB's own `_id` is shown beside another id field.
#[test]
fn another_id_field() {
    let domain = domain(json!({}), json!({ "schema": { "code": { "type": "string" } }, "id_field": "code" }));
    let shown = seen(&domain, r#"{"name": 1}"#, json!({ "name": "a", "code": "x", "age": 1 }));
    assert_eq!(shown, json!({ "name": "a", "code": "x" }));
}
