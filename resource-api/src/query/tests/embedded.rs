use serde_json::json;

use super::{domain, plain, query};
use crate::domain::Domain;
use crate::query::QueryError;

fn paths(domain: &Domain, text: &str) -> Result<Vec<String>, QueryError> {
    let query = query(domain, &[("embedded", text)])?;
    Ok(query
        .embedded
        .into_iter()
        .map(|embedding| format!("{} {}", embedding.path, embedding.relation.resource))
        .collect())
}

/// EMB-01, EMB-02, EMB-03: embeddable references alone, shallow ones first, through dicts, lists and references.
#[test]
fn what_can_be_embedded() {
    let domain = plain();
    for (text, expected) in [
        (r#"{"friend": 1}"#, vec!["friend people"]),
        (r#"{"friend": true, "name": 1, "nothing": 1, "location.city": 1}"#, vec!["friend people"]),
        (r#"{"friend": 0}"#, vec![]),
        (r#"{"friend": 2}"#, vec![]),
        (r#"{"friend": "1"}"#, vec![]),
        (
            r#"{"rows.work.maker": 1, "rows.work": 1, "friend": 1}"#,
            vec!["friend people", "rows.work works", "rows.work.maker people"],
        ),
        (r#"{"friend.friend": 1}"#, vec!["friend.friend people"]),
        // Not embeddable.
        (r#"{"rows.work.owner": 1}"#, vec![]),
        (r#"{"": 1, ".": 1, "friend.": 1}"#, vec![]),
        ("{}", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(paths(&domain, text).unwrap(), expected, "{text}");
    }
    let deep = ["friend"; 60].join(".");
    assert!(paths(&domain, &json!({ deep: 1 }).to_string()).unwrap().is_empty());
}

/// EMB-01: told whether DEBUG is on or not.
#[test]
fn what_is_no_embedding() {
    for text in ["x", "[]", "1", "null", "\"friend\"", "{"] {
        let error = paths(&plain(), text).unwrap_err();
        assert_eq!(error.to_string(), "Unable to parse `embedded` clause");
        assert!(error.is_told());
    }
}

/// EMB-02: the resource's own fields are embedded unless refused, also with the parameter off.
#[test]
fn fields_embedded_by_default() {
    let resource = json!({ "embedded_fields": ["rows.work", "friend"] });
    let on = domain(json!({}), resource.clone());
    assert_eq!(paths(&on, "").unwrap(), ["friend people", "rows.work works"]);
    assert_eq!(paths(&on, r#"{"friend": 0}"#).unwrap(), ["rows.work works"]);
    assert_eq!(paths(&on, r#"{"friend": 1}"#).unwrap(), ["friend people", "rows.work works"]);
    let off = domain(json!({ "EMBEDDING": false }), resource);
    assert_eq!(paths(&off, r#"{"friend": 0}"#).unwrap(), ["friend people", "rows.work works"]);
}
