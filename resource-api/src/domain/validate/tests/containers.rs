//! Trees of issues, alternatives and look-ups.

use bson::Bson;
use serde_json::json;

use super::{Request, domain, outcome, post, start};
use crate::domain::validate::{Issues, Lookup, UniqueWithin};

/// VAL-12, VAL-13, VAL-14, VAL-16, VAL-17, VAL-39, VAL-47 and GOLD-08: faults inside containers come last, under keys and positions.
#[test]
fn faults_inside_containers_form_a_tree() {
    for (rules, value, issues) in [
        (json!({"type": "list", "schema": {"min": 2}}), json!([1]), json!({"0": "min value is 2"})),
        (
            json!({"type": "list", "minlength": 3, "schema": {"type": "integer"}}),
            json!(["x"]),
            json!(["min length is 3", {"0": "must be of integer type"}]),
        ),
        (
            json!({"type": "dict", "schema": {"a": {"type": "integer"}, "b": {"required": true}}}),
            json!({"a": "x", "z": 1}),
            json!({"a": "must be of integer type", "b": "required field", "z": "unknown field"}),
        ),
        (json!({"items": [{}, {"type": "string"}]}), json!([1, 1]), json!({"1": "must be of string type"})),
        (json!({"items": [{}]}), json!([1, 1]), json!("length of list should be 1, it is 2")),
        (
            json!({"keysrules": {"regex": "[a-z]+"}}),
            json!({"A": 1}),
            json!({"A": "value does not match regex '[a-z]+'"}),
        ),
        (json!({"keyschema": {"minlength": 2}}), json!({"A": 1}), json!({"A": "min length is 2"})),
        (json!({"valueschema": {"type": "integer"}}), json!({"a": "x"}), json!({"a": "must be of integer type"})),
        (
            json!({"type": "list", "schema": {"type": "list", "schema": {"type": "integer"}}}),
            json!([[1], ["x"]]),
            json!({"1": {"0": "must be of integer type"}}),
        ),
        (
            json!({"type": "dict", "require_all": true, "schema": {"a": {}, "b": {"required": false}}}),
            json!({}),
            json!({"a": "required field"}),
        ),
        (
            json!({"type": "dict", "allow_unknown": {"type": "integer"}, "schema": {}}),
            json!({"q": "x"}),
            json!({"q": "must be of integer type"}),
        ),
    ] {
        assert_eq!(post(json!({"f": rules}), json!({"f": value})), Err(json!({"f": issues})), "{rules}");
    }
}

/// VAL-21, VAL-22, VAL-23, VAL-24, VAL-25, VAL-40, GOLD-09: alternatives with their own nodes.
#[test]
fn alternatives_are_explained_one_by_one() {
    for (rules, value, issues) in [
        (
            json!({"anyof": [{"min": 5}, {"type": "string"}]}),
            json!(1),
            json!(["no definitions validate", {
                "anyof definition 0": "min value is 5", "anyof definition 1": "must be of string type",
            }]),
        ),
        (
            json!({"allof": [{"min": 5}, {"max": 9}]}),
            json!(1),
            json!(["one or more definitions don't validate", {"allof definition 0": "min value is 5"}]),
        ),
        (json!({"oneof": [{"min": 5}, {"min": 6}]}), json!(7), json!("none or more than one rule validate")),
        (
            json!({"oneof_type": ["string", "integer"]}),
            json!([]),
            json!(["none or more than one rule validate", {
                "oneof definition 0": "must be of string type", "oneof definition 1": "must be of integer type",
            }]),
        ),
        (json!({"noneof": [{"min": 5}]}), json!(7), json!("one or more definitions validate")),
        (json!({"type": "integer", "anyof": [{"min": 5}]}), json!("x"), json!("must be of integer type")),
    ] {
        assert_eq!(post(json!({"any": rules}), json!({"any": value})), Err(json!({"any": issues})), "{rules}");
    }
    let element = json!({"anyof": [
        {"type": "dict", "schema": {"k": {"type": "integer"}}}, {"type": "string", "minlength": 3},
    ]});
    assert_eq!(
        post(json!({"ofs": {"type": "list", "schema": element}}), json!({"ofs": [{"k": "x"}, "ab"]})),
        Err(json!({"ofs": {
            "0": ["no definitions validate", {
                "anyof definition 0": {"k": "must be of integer type"}, "anyof definition 1": "must be of string type",
            }],
            "1": ["no definitions validate", {
                "anyof definition 0": "must be of dict type", "anyof definition 1": "min length is 3",
            }],
        }}))
    );
}

/// GOLD-10: VALIDATION_ERROR_AS_LIST keeps lists at every level.
#[test]
fn issues_may_stay_lists() {
    let schema = json!({
        "ld": {"type": "list", "schema": {"type": "dict", "schema": {"k": {"type": "string", "required": true}}}},
        "any": {"anyof": [{"type": "integer", "min": 5}, {"type": "string"}]},
    });
    let domain = domain(json!({"schema": schema}), json!({"VALIDATION_ERROR_AS_LIST": true}));
    let validation = start(&domain, json!({"ld": [{}, {"k": 1}], "any": 1}), &Request::Post);
    let expected = json!({
        "ld": [{"0": [{"k": ["required field"]}], "1": [{"k": ["must be of string type"]}]}],
        "any": ["no definitions validate", {
            "anyof definition 0": ["min value is 5"], "anyof definition 1": ["must be of string type"],
        }],
    });
    assert_eq!(outcome(&domain, validation, &[]), Err(expected));
}

/// VAL-27, VAL-28, VAL-29, VAL-43, VAL-44, VAL-45, VAL-47: questions for the store, and where their answers go.
#[test]
fn what_only_the_store_knows_is_asked_and_merged() {
    let schema = json!({
        "u": {"type": "string", "unique": true, "minlength": 3, "allowed": ["b"], "regex": "[a-z]+"},
        "l": {"type": "list", "schema": {"type": "dict", "schema": {"k": {"unique_to_user": true}}}},
        "w": {"unique_within_resource": true},
        "p": {"type": "objectid", "data_relation": {"resource": "people"}},
        "ps": {"type": "list", "schema": {"type": "objectid", "data_relation": {"resource": "people"}}},
        "names": {"type": "list", "data_relation": {"resource": "people", "field": "name"}},
        "none": {"nullable": true, "data_relation": {"resource": "people"}},
    });
    let domain = domain(json!({"schema": schema}), json!({}));
    let id = "5f0000000000000000000abc";
    let document = json!({
        "u": "A", "l": [{"k": 1}], "w": 2, "p": id, "ps": [id, "x"], "names": ["n1", "n2"], "none": null,
    });
    let validation = start(&domain, document, &Request::Post);
    let unique = |path: &str, value: Bson, within| Lookup::Unique { path: path.to_owned(), value, within };
    let relation =
        |field: &str, value: Bson| Lookup::Relation { resource: "people".to_owned(), field: field.to_owned(), value };
    let object_id = Bson::ObjectId(bson::oid::ObjectId::parse_str(id).unwrap());
    assert_eq!(
        validation.lookups(),
        [
            unique("u", "A".into(), UniqueWithin::Source),
            unique("l.k", 1.into(), UniqueWithin::Owner),
            unique("w", 2.into(), UniqueWithin::Resource),
            relation("_id", object_id),
            relation("name", "n1".into()),
            relation("name", "n2".into()),
        ]
    );
    let missing = format!("value '{id}' must exist in resource 'people', field '_id'.");
    assert_eq!(
        outcome(&domain, validation, &[true, true, true, true, false, true]),
        Err(json!({
            "l": {"0": {"k": "value '1' is not unique"}},
            "names": "value 'n2' must exist in resource 'people', field 'name'.",
            "p": missing,
            "ps": {"0": missing, "1": "must be of objectid type"},
            "u": ["value 'A' is not unique", "unallowed value A", "min length is 3", "value does not match regex '[a-z]+'"],
            "w": "value '2' is not unique",
        }))
    );
}

/// VAL-21 with VAL-45: whether an alternative holds may be the store's to say.
#[test]
fn alternatives_wait_for_the_store() {
    let schema = json!({"p": {"anyof": [
        {"data_relation": {"resource": "people", "field": "name"}}, {"type": "integer"},
    ]}});
    let domain = domain(json!({"schema": schema}), json!({}));
    let answer = |failed| outcome(&domain, start(&domain, json!({"p": "x"}), &Request::Post), &[failed]);
    assert_eq!(answer(false), Ok(json!({"p": "x"})));
    assert_eq!(
        answer(true),
        Err(json!({"p": ["no definitions validate", {
            "anyof definition 0": "value 'x' must exist in resource 'people', field 'name'.",
            "anyof definition 1": "must be of integer type",
        }]}))
    );
}

/// VAL-36: unknown fields pass unvalidated where the resource allows them; nested dicts inherit that.
#[test]
fn unknown_fields_pass_where_they_are_allowed() {
    let schema = json!({
        "d": {"type": "dict", "schema": {"a": {}}},
        "shut": {"type": "dict", "allow_unknown": false, "schema": {"a": {}}},
    });
    let domain = domain(json!({"schema": schema, "allow_unknown": true}), json!({}));
    let document = json!({"$odd": 1, "d": {"b": 1}, "shut": {"b": 1}});
    let validation = start(&domain, document, &Request::Post);
    assert_eq!(outcome(&domain, validation, &[]), Err(json!({"shut": {"b": "unknown field"}})));
}

/// ERR-05 and VAL-39: issues made outside validation have the same shape.
#[test]
fn single_issues_are_shaped_like_the_others() {
    let shape = |issues: Issues| Bson::Document(issues.to_document(false)).into_relaxed_extjson();
    assert_eq!(shape(Issues::single("validation exception", "bad")), json!({"validation exception": "bad"}));
    assert_eq!(shape(Issues::at("a.b", "bad")), json!({"a": {"b": "bad"}}));
}
