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

/// What is listed for the sake of its shown parts does not open the hidden one beside them.
#[test]
fn listing_what_is_above_a_hidden_field_does_not_open_it() {
    for projection in [json!({ "a.secret": 0 }), json!({ "a.open": 1 })] {
        let resource = |allowed| json!({ "allow_unknown": true, "allowed_filters": allowed, "datasource": { "projection": projection } });
        let above = domain(json!({}), resource(json!(["a"])));
        assert!(filter(&above, r#"{"a.open": 1}"#).is_ok(), "{projection}");
        for text in [r#"{"a.secret": 1}"#, r#"{"a.secret.x": 1}"#, r#"{"a": {"secret": 1}}"#] {
            assert!(matches!(filter(&above, text), Err(QueryError::FilterNotAllowed(_))), "{projection} {text}");
        }
        let named = domain(json!({}), resource(json!(["a.secret"])));
        assert!(filter(&named, r#"{"a.secret": 1}"#).is_ok(), "{projection}");
        assert!(filter(&named, r#"{"a.secret.x": 1}"#).is_ok(), "{projection}");
    }
}

/// URRA-04, URRA-05: who reads everybody's documents can't find out whose they are.
#[test]
fn the_owner_is_not_asked_about_where_it_is_not_shown() {
    let refusal = |more: serde_json::Value, parameter| {
        let mut resource = json!({ "auth_field": "owner" });
        super::merge(&mut resource, more);
        let domain = domain(json!({}), resource);
        let resource = domain.resources.values().next().unwrap();
        query(&domain, &[parameter]).unwrap().forbid_owner(resource).err().map(|error| error.to_string())
    };
    let filter_refused = Some("filter on 'owner' not allowed".to_owned());
    for text in
        ["owner == 'a'", r#"{"$or": [{"name": "x"}, {"owner": {"$gt": "a"}}]}"#, r#"{"owner": {"$exists": true}}"#]
    {
        assert_eq!(refusal(json!({}), ("where", text)), filter_refused, "{text}");
    }
    let sort_refused = Some("sort on 'owner' not allowed".to_owned());
    assert_eq!(refusal(json!({}), ("sort", "owner")), sort_refused);
    assert_eq!(refusal(json!({}), ("where", "name == 'owner'")), None);
    assert_eq!(refusal(json!({ "datasource": { "default_sort": [["owner", 1]] } }), ("where", "name == 'a'")), None);
    assert_eq!(refusal(json!({ "schema": { "owner": { "type": "string" } } }), ("where", "owner == 'a'")), None);
    assert_eq!(refusal(json!({ "allowed_filters": ["owner"] }), ("where", "owner == 'a'")), None);
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
