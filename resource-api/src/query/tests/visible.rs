//! Hidden fields can't be guessed by filters or order.

use serde_json::json;

use super::{domain, filter, query};
use crate::domain::Domain;
use crate::query::{Filter, QueryError};

fn secretive(more: serde_json::Value) -> Domain {
    let mut resource = json!({
        "schema": { "secret": { "type": "string" }, "vault": { "type": "dict", "schema": { "key": { "type": "string" } } } },
        "datasource": { "projection": { "secret": 0, "vault": 0 } },
    });
    super::merge(&mut resource, more);
    domain(json!({}), resource)
}

/// A hidden field is refused by name, wherever in a filter it stands.
#[test]
fn a_hidden_field_is_not_filtered() {
    let domain = secretive(json!({}));
    for (text, field) in [
        (r#"{"secret": "x"}"#, "secret"),
        (r#"{"secret": {"$gt": "x"}}"#, "secret"),
        (r#"{"$or": [{"name": "a"}, {"$nor": [{"secret": "x"}]}]}"#, "secret"),
        (r#"{"vault.key": {"$exists": true}}"#, "vault.key"),
        (r#"{"vault.0.key": 1}"#, "vault.0.key"),
        (r#"{"vault": {"$elemMatch": {"key": 1}}}"#, "vault"),
        ("name == 'a' and secret > 'x'", "secret"),
    ] {
        let error = filter(&domain, text).unwrap_err();
        assert_eq!(error, QueryError::FilterNotAllowed(field.to_owned()), "{text}");
        assert_eq!(error.to_string(), format!("filter on '{field}' not allowed"));
        assert!(error.is_told());
    }
    for field in ["secret", "vault.key", "vault"] {
        let error = query(&domain, &[("sort", field)]).unwrap_err();
        assert_eq!(error.to_string(), format!("sort on '{field}' not allowed"));
        assert!(error.is_told());
    }
}

/// Listing a hidden field in `allowed_filters` opens it.
#[test]
fn a_listed_field_is_open() {
    let domain = secretive(json!({ "allowed_filters": ["secret", "name"] }));
    assert!(filter(&domain, r#"{"secret": "x"}"#).is_ok());
    assert!(query(&domain, &[("sort", "secret")]).is_ok());
    assert!(query(&domain, &[("sort", "vault")]).is_err());
}

/// A part of a document that is shown in part.
#[test]
fn parts_of_documents() {
    let domain = domain(json!({}), json!({ "datasource": { "projection": { "location.city": 1 } } }));
    assert!(filter(&domain, r#"{"location.city": "x"}"#).is_ok());
    for text in [r#"{"location": {"city": "x", "zip": "y"}}"#, r#"{"location.zip": "x"}"#, r#"{"name": "x"}"#] {
        assert!(matches!(filter(&domain, text), Err(QueryError::FilterNotAllowed(_))), "{text}");
    }
}

/// Exclusions of a resource that takes unknown fields.
#[test]
fn exclusions_without_a_schema() {
    let domain = domain(json!({}), json!({ "allow_unknown": true, "datasource": { "projection": { "a.secret": 0 } } }));
    assert!(filter(&domain, r#"{"a.open": 1, "b": 1}"#).is_ok());
    for text in [r#"{"a.secret": 1}"#, r#"{"a.3.secret.x": 1}"#, r#"{"a": {"secret": 1}}"#] {
        assert!(matches!(filter(&domain, text), Err(QueryError::FilterNotAllowed(_))), "{text}");
    }
}

/// Where unknown fields are stored, those that an inclusion list leaves out are hidden.
#[test]
fn unknown_fields_beside_an_inclusion_list() {
    let domain = domain(json!({}), json!({ "allow_unknown": true, "datasource": { "projection": { "name": 1 } } }));
    assert!(filter(&domain, r#"{"name": "x"}"#).is_ok());
    assert!(matches!(filter(&domain, r#"{"password": "x"}"#), Err(QueryError::FilterNotAllowed(_))));
    assert!(query(&domain, &[("sort", "password")]).is_err());
}

/// A field nobody declared may still be stored, in a database taken over: to a client it is missing.
#[test]
fn an_unknown_field_is_missing() {
    let domain = secretive(json!({}));
    let parsed = |text| query(&domain, &[("where", text)]).unwrap().filter;
    assert_eq!(parsed(r#"{"password": null}"#), Filter::All);
    assert_eq!(parsed(r#"{"password": {"$exists": false}}"#), Filter::All);
    for text in [r#"{"password": {"$gt": "a"}}"#, r#"{"password": {"$exists": true}}"#, "password == 'x'"] {
        assert!(!parsed(text).matches(&bson::doc! { "password": "x" }), "{text}");
    }
    // The owner's field is the endpoint's business (URRA-03).
    let owned = super::domain(json!({}), json!({ "auth_field": "owner" }));
    assert!(query(&owned, &[("where", "owner == 'me'")]).unwrap().filter.matches(&bson::doc! { "owner": "me" }));
}

/// What the service writes itself is always open.
#[test]
fn automatic_fields_are_open() {
    let domain = secretive(json!({}));
    for field in ["_id", "_created", "_updated", "_etag"] {
        assert!(filter(&domain, &json!({ field: 1 }).to_string()).is_ok(), "{field}");
        assert!(query(&domain, &[("sort", field)]).is_ok(), "{field}");
    }
}
