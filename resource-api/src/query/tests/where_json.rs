use bson::oid::ObjectId;
use bson::{Bson, DateTime, doc};
use serde_json::json;

use super::{document, domain, filter, plain, query};
use crate::query::QueryError;

const HEX: &str = "50656e4538345b39dd0414f0";

fn id() -> Bson {
    Bson::ObjectId(ObjectId::parse_str(HEX).unwrap())
}

/// FILT-01, FILT-02: JSON, else Python, else 400.
#[test]
fn json_first_then_python() {
    let domain = plain();
    assert_eq!(filter(&domain, r#"{"age": 1}"#).unwrap(), doc! { "age": { "$eq": 1 } });
    assert_eq!(filter(&domain, "age == 1").unwrap(), doc! { "age": { "$eq": 1 } });
    assert_eq!(filter(&domain, "{}").unwrap(), doc! {});
    for text in ["[1]", "5", "\"s\"", "null", "true", r#"{"": 1}"#, r#"{"age": {"": 1}}"#, "{", r#"{"age": NaN}"#, "x"]
    {
        let error = filter(&domain, text).unwrap_err();
        assert_eq!(error, QueryError::Where, "{text}");
        assert!(!error.is_told());
    }
}

/// FILT-03: the allowed operators and the resource's own list; others are named where DEBUG is on.
#[test]
fn unknown_operators() {
    let plain = plain();
    let error = filter(&plain, r#"{"age": {"$foo": 1, "$gt": 2, "$bar": 3}}"#).unwrap_err();
    assert_eq!(error.to_string(), "Query contains unknown or unsupported operators: $foo, $bar");
    assert!(!error.is_told());
    for text in [r#"{"$or": [{"a": {"b": [{"$foo": 1}]}}]}"#, r#"{"a": {"$comment": "x"}}"#, r#"{"$jsonSchema": {}}"#] {
        assert!(matches!(filter(&plain, text), Err(QueryError::UnknownOperators(_))), "{text}");
    }
    // Listed, but no store answers it.
    let listing = domain(json!({ "MONGO_QUERY_WHITELIST": ["$jsonSchema"] }), json!({}));
    let error = filter(&listing, r#"{"$jsonSchema": {}}"#).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_told()), ("operator '$jsonSchema' is not supported", true));
}

/// FILT-04: `$where` and `$regex` by default, in every spelling; the blacklist beats the whitelist.
#[test]
fn banned_operators() {
    let domain = domain(json!({ "MONGO_QUERY_WHITELIST": ["$where"] }), json!({}));
    for text in [
        r#"{"$where": "1"}"#,
        r#"{"name": {"$regex": "a"}}"#,
        r#"{"$or": [{"age": 1}, {"name": {"$not": {"$regex": "a"}}}]}"#,
        r#"{"name": {"$regularExpression": {"pattern": "a", "options": ""}}}"#,
        r#"{"name": {"$in": ["b", {"$regularExpression": {"pattern": "a", "options": ""}}]}}"#,
    ] {
        let error = filter(&domain, text).unwrap_err();
        assert_eq!(error.to_string(), "Query contains operators banned in MONGO_QUERY_BLACKLIST", "{text}");
        assert!(!error.is_told());
    }
    let open = super::domain(json!({ "MONGO_QUERY_BLACKLIST": [] }), json!({}));
    assert!(filter(&open, r#"{"name": {"$regex": "^a", "$options": "i"}}"#).is_ok());
    let narrow = super::domain(json!({ "MONGO_QUERY_BLACKLIST": ["$or"] }), json!({}));
    assert_eq!(filter(&narrow, "age == 1 or age == 2").unwrap_err(), QueryError::BannedOperators);
}

/// FILT-14: what is allowed by name but answered by no store is said so.
#[test]
fn unsupported_operators() {
    let domain = domain(json!({ "MONGO_QUERY_BLACKLIST": [] }), json!({}));
    for (text, operator) in [
        (r#"{"$where": "1"}"#, "$where"),
        (r#"{"$expr": {"$gt": ["$age", 1]}}"#, "$expr"),
        (r#"{"$text": {"$search": "a"}}"#, "$text"),
        (r#"{"location": {"$near": {"$geometry": {"type": "Point", "coordinates": [1, 2]}}}}"#, "$near"),
        (r#"{"location": {"$geoWithin": {"$box": [[0, 0], [1, 1]]}}}"#, "$geoWithin"),
    ] {
        let error = filter(&domain, text).unwrap_err();
        assert_eq!((error.to_string(), error.is_told()), (format!("operator '{operator}' is not supported"), true));
    }
}

/// FILT-10: listed fields and what is below them.
#[test]
fn allowed_filters() {
    let domain = domain(json!({}), json!({ "allowed_filters": ["rows", "location.city"] }));
    for text in [
        r#"{"rows": 1}"#,
        r#"{"rows.price": 1}"#,
        r#"{"location.city": "x"}"#,
        r#"{"$or": [{"rows": 1}, {"$and": [{"location.city": "x"}]}]}"#,
        "rows.price > 1",
    ] {
        assert!(filter(&domain, text).is_ok(), "{text}");
    }
    for (text, key) in [
        (r#"{"location": {}}"#, "location"),
        (r#"{"location.zip": 1}"#, "location.zip"),
        (r#"{"rowsx": 1}"#, "rowsx"),
        (r#"{"$or": [{"rows": 1}, {"name": "x"}]}"#, "name"),
        (r#"{"$nor": [{"$and": [{"name": "x"}]}]}"#, "name"),
        ("name == 'x'", "name"),
    ] {
        let error = filter(&domain, text).unwrap_err();
        assert_eq!((error.to_string(), error.is_told()), (format!("filter on '{key}' not allowed"), true));
    }
    let error = filter(&plain(), r#"{"$or": {"a": 1}}"#).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.is_told()), ("operator '$or' expects a list of sub-queries", true));
}

/// FILT-11: dates and ids, within operators and lists.
#[test]
fn strings_become_dates_and_ids() {
    let domain = plain();
    let date =
        Bson::DateTime(DateTime::builder().year(2012).month(11).day(6).hour(10).minute(33).second(31).build().unwrap());
    let text = "Tue, 06 Nov 2012 10:33:31 GMT";
    for (value, expected) in [
        (json!({ "born": text }), doc! { "born": { "$eq": date.clone() } }),
        (json!({ "born": { "$gte": text } }), doc! { "born": { "$gte": date.clone() } }),
        (json!({ "name": { "$in": ["x", text] } }), doc! { "name": { "$in": ["x", date.clone()] } }),
        (json!({ "_id": HEX }), doc! { "_id": { "$eq": id() } }),
        (json!({ "friend": { "$ne": HEX.to_uppercase() } }), doc! { "friend": { "$ne": id() } }),
        // FILT-11 (Q).
        (json!({ "name": HEX }), doc! { "name": { "$eq": id() } }),
        (
            json!({ "$or": [{ "rows": { "$elemMatch": { "work": HEX } } }] }),
            doc! { "$or": [{ "rows": { "$elemMatch": { "work": { "$eq": id() } } } }] },
        ),
        (json!({ "name": "50656e4538345b39dd0414f" }), doc! { "name": { "$eq": "50656e4538345b39dd0414f" } }),
        (json!({ "name": "12characters" }), doc! { "name": { "$eq": "12characters" } }),
    ] {
        assert_eq!(filter(&domain, &value.to_string()).unwrap(), expected, "{value}");
    }
    assert_eq!(filter(&domain, &format!("friend == '{HEX}'")).unwrap(), doc! { "friend": { "$eq": id() } });
}

/// FILT-11: with `query_objectid_as_string` the schema decides, the id field aside.
#[test]
fn the_schema_decides_what_is_an_id() {
    let schema = json!({
        "query_objectid_as_string": true,
        "schema": { "friends": { "type": "list", "schema": { "type": "objectid" } } },
    });
    let domain = domain(json!({}), schema);
    for field in ["_id", "friend", "friends", "rows.work", "rows.0.work"] {
        for value in [
            json!({ field: HEX }),
            json!({ field: { "$in": [HEX] } }),
            json!({ "$and": [{ field: { "$not": { "$gt": HEX } } }] }),
        ] {
            let text = filter(&domain, &value.to_string()).unwrap().to_string();
            assert!(text.contains("ObjectId"), "{value} {text}");
        }
    }
    let element = json!({ "rows": { "$elemMatch": { "work": HEX } } });
    assert!(filter(&domain, &element.to_string()).unwrap().to_string().contains("ObjectId"));
    for field in ["name", "location.city", "tags", "rows.price"] {
        let value = json!({ field: HEX });
        assert!(!filter(&domain, &value.to_string()).unwrap().to_string().contains("ObjectId"), "{value}");
    }
}

/// Section 2.4: Extended JSON stands for values that JSON has no form for.
#[test]
fn extended_json() {
    let domain = plain();
    assert_eq!(
        filter(&domain, &json!({ "friend": { "$oid": HEX } }).to_string()).unwrap(),
        doc! { "friend": { "$eq": id() } }
    );
    let parsed = filter(
        &domain,
        r#"{"born": {"$gt": {"$date": "2020-01-01T00:00:00Z"}}, "age": {"$in": [{"$numberLong": "5"}]}}"#,
    );
    assert_eq!(
        parsed.unwrap(),
        doc! { "$and": [
            { "born": { "$gt": DateTime::builder().year(2020).month(1).day(1).build().unwrap() } },
            { "age": { "$in": [5_i64] } },
        ] }
    );
    for text in [
        r#"{"a": {"$oid": "x"}}"#,
        r#"{"a": {"$oid": "50656e4538345b39dd0414f0", "b": 1}}"#,
        r#"{"a": {"$date": "x"}}"#,
    ] {
        let error = filter(&domain, text).unwrap_err();
        assert!(error.to_string().starts_with("invalid value of '$"), "{error}");
        assert!(error.is_told());
    }
}

/// FILT-12: fields of the schema, and operands the field could have.
#[test]
fn validated_filters() {
    let schema = json!({ "schema": {
        "code": { "type": "string", "maxlength": 30 },
        "kind": { "type": "string", "allowed": ["a", "b"] },
        "note": { "type": "string", "nullable": true },
        "pair": { "type": "list", "items": [{ "type": "integer" }, { "type": "dict", "schema": { "x": { "type": "integer" } } }] },
    } });
    let domain = domain(json!({ "VALIDATE_FILTERS": true, "MONGO_QUERY_BLACKLIST": [] }), schema);
    for value in [
        json!({ "name": "x" }),
        json!({ "age": { "$gt": 1, "$lt": 5 } }),
        json!({ "age": { "$gt": -1 } }),
        json!({ "age": { "$in": [1, 2], "$exists": true } }),
        json!({ "born": "Tue, 06 Nov 2012 10:33:31 GMT" }),
        json!({ "_created": { "$gt": "Tue, 06 Nov 2012 10:33:31 GMT" } }),
        json!({ "_etag": "x" }),
        json!({ "_id": HEX }),
        json!({ "friend": HEX }),
        json!({ "code": HEX }),
        json!({ "tags": "x" }),
        json!({ "tags": ["x"] }),
        json!({ "tags": { "$size": 1 } }),
        json!({ "location.city": { "$regex": "x" } }),
        json!({ "rows.price": 1.5 }),
        json!({ "rows.0.price": 1.5 }),
        json!({ "rows": { "$elemMatch": { "price": { "$gt": 1 } } } }),
        json!({ "pair": 1 }),
        json!({ "pair.1.x": 1 }),
        json!({ "pair.x": 1 }),
        json!({ "kind": { "$nin": ["a"] } }),
        json!({ "note": null }),
        json!({ "$or": [{ "name": "x" }, { "age": 1 }] }),
    ] {
        assert_eq!(filter(&domain, &value.to_string()).err(), None, "{value}");
    }
    for (value, key) in [
        (json!({ "nothing": 1 }), "nothing"),
        (json!({ "name": 1 }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "age": "x" }), "age"),
        (json!({ "age": -1 }), "age"),
        (json!({ "age": { "$gt": "x" } }), "age"),
        (json!({ "age": { "$in": [1, "x"] } }), "age"),
        (json!({ "age": { "$not": { "$lt": "x" } } }), "age"),
        (json!({ "age": { "$regex": "x" } }), "age"),
        (json!({ "name": { "$mod": [2, 1] } }), "name"),
        (json!({ "name": { "$size": 1 } }), "name"),
        (json!({ "born": "x" }), "born"),
        (json!({ "tags": 1 }), "tags"),
        (json!({ "location.street": "x" }), "location.street"),
        (json!({ "rows": { "$elemMatch": { "price": "x" } } }), "rows.price"),
        (json!({ "kind": "c" }), "kind"),
        (json!({ "code": "x".repeat(31) }), "code"),
        (json!({ "$or": [{ "name": "x" }, { "nothing": 1 }] }), "nothing"),
    ] {
        let error = filter(&domain, &value.to_string()).unwrap_err();
        assert_eq!((error.to_string(), error.is_told()), (format!("filter on '{key}' is invalid"), true), "{value}");
    }
}

/// Hostile input: nesting and sizes are bounded.
#[test]
fn bounds() {
    let domain = plain();
    let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert!(filter(&domain, &nested(40)).is_ok());
    for levels in [70, 120, 5000, 100_000] {
        assert!(filter(&domain, &nested(levels)).is_err(), "{levels}");
    }
    assert!(filter(&domain, &format!("{}1{}", r#"{"a":["#.repeat(100), "]}".repeat(100))).is_err());
    let long = ["a"; 200].join(".");
    assert!(filter(&domain, &json!({ long: 1 }).to_string()).unwrap_err().is_told());
    assert!(filter(&domain, &json!({ "a\0b": 1 }).to_string()).is_err());
}

/// GET with a filter: the endpoint adds its own to the client's.
#[test]
fn filters_combine() {
    use crate::query::Filter;
    let domain = plain();
    let client = query(&domain, &[("where", "age == 1")]).unwrap().filter;
    let both = client.and(Filter::equal("owner", "me")).and(Filter::All).and(Filter::equal("name", "x"));
    assert!(both.matches(&document(json!({ "age": 1, "owner": "me", "name": "x" }))));
    assert!(!both.matches(&document(json!({ "age": 1, "owner": "you", "name": "x" }))));
    let parts = match both {
        Filter::And(filters) => filters.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(parts, 3);
}
