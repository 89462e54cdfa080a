//! Rules one by one.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Request, domain, outcome, post, start};

/// VAL-01, VAL-02, VAL-03, VAL-04, VAL-05, VAL-06, VAL-07, VAL-08, VAL-09, VAL-10, VAL-11, VAL-12, VAL-15, VAL-26: each
/// rule's message, and a value it lets pass.
#[test]
fn each_rule_speaks_cerberus() {
    for (rules, bad, message, good) in [
        (json!({"nullable": false}), json!(null), "null value not allowed", json!(1)),
        (json!({"type": "integer"}), json!("x"), "must be of integer type", json!(7)),
        (json!({"type": ["string", "dict"]}), json!(1), "must be of ['string', 'dict'] type", json!("x")),
        (json!({"type": ["string"]}), json!(1), "must be of ['string'] type", json!("x")),
        (json!({"empty": false}), json!([]), "empty values not allowed", json!([1])),
        (json!({"minlength": 2}), json!("ü"), "min length is 2", json!("üü")),
        (json!({"maxlength": 1}), json!({"a": 1, "b": 2}), "max length is 1", json!(100)),
        (json!({"min": 2}), json!(1.5), "min value is 2", json!("text has no order")),
        (json!({"max": 2.0}), json!(3), "max value is 2.0", json!(2)),
        (json!({"allowed": ["a", 1]}), json!("c"), "unallowed value c", json!(true)),
        (json!({"allowed": ["a"]}), json!(["a", "c"]), "unallowed values ('c',)", json!(["a"])),
        (json!({"allowed": ["a"]}), json!(["d", "c"]), "unallowed values ('d', 'c')", json!([])),
        (json!({"forbidden": ["a"]}), json!("a"), "unallowed value a", json!("b")),
        (json!({"forbidden": ["a"]}), json!(["a", "b"]), "unallowed values ['a']", json!(["b"])),
        (json!({"contains": "x"}), json!(["y"]), "missing members {'x'}", json!(["x", "y"])),
        (json!({"contains": ["x", 1]}), json!(["y"]), "missing members {'x', 1}", json!(5)),
        (json!({"regex": "[a-z]+"}), json!("ab1"), "value does not match regex '[a-z]+'", json!(1)),
        (json!({"regex": "^a(?!c)[a-z]$"}), json!("ac"), "value does not match regex '^a(?!c)[a-z]$'", json!("ab")),
        (json!({"items": [{}, {}]}), json!([1]), "length of list should be 2, it is 1", json!([1, 2])),
        (json!({"schema": {"a": {"type": "integer"}}}), json!([1]), "must be of dict type", json!({"a": 1})),
        (json!({"readonly": true}), json!(1), "field is read-only", json!(null)),
        (json!({"check_with": "email"}), json!("x"), "must be an email address", json!("a@b.org")),
    ] {
        let schema = json!({"f": rules});
        assert_eq!(post(schema.clone(), json!({"f": bad})), Err(json!({"f": message})), "{rules}");
        if rules.get("readonly").is_none() {
            assert_eq!(post(schema, json!({"f": good})), Ok(json!({"f": good})), "{rules}");
        }
    }
    assert_eq!(post(json!({}), json!({"zz": 1})), Err(json!({"zz": "unknown field"})));
    assert_eq!(post(json!({"a": {"required": true}}), json!({})), Err(json!({"a": "required field"})));
}

/// VAL-37 and VAL-38: what each type takes.
#[test]
fn types_take_what_eve_lets_pass() {
    let point = json!({"type": "Point", "coordinates": [1.5, 2]});
    let line = json!({"type": "anything", "coordinates": [[1, 2], [3, 4]]});
    for (kind, good, bad) in [
        ("integer", json!([1, true]), json!(["1.5", "x"])),
        ("float", json!([1, 1.5, true]), json!(["x"])),
        ("number", json!([1, 1.5]), json!([true, "x"])),
        ("boolean", json!([false, "true", 1]), json!(["yes", 2])),
        ("list", json!([[1]]), json!(["x", {}])),
        ("container", json!([[1], {}]), json!(["x"])),
        ("objectid", json!(["5f0000000000000000000abc"]), json!(["5f", 1])),
        ("datetime", json!(["Tue, 06 Nov 2012 10:33:31 GMT"]), json!(["2012-11-06", 7])),
        ("decimal", json!(["1.50", 2]), json!(["x", true])),
        ("dbref", json!([{"$col": "people", "$id": 1}]), json!([{"$id": 1}])),
        ("binary", json!([]), json!(["x"])),
        ("set", json!([]), json!([[1]])),
        ("point", json!([point]), json!([line, {"type": "Point"}, {"type": "Point", "coordinates": [1]}])),
        ("linestring", json!([line]), json!([{"type": "LineString"}, {"type": "x", "coordinates": [1, 2]}])),
        ("polygon", json!([{"type": "P", "coordinates": [[[1, 2]]]}]), json!([line])),
        ("multipolygon", json!([{"type": "P", "coordinates": [[[[1, 2]]]]}]), json!([line])),
        (
            "geometrycollection",
            json!([{"type": "G", "geometries": [point]}]),
            json!([{"type": "G", "geometries": [{}]}]),
        ),
        (
            "feature",
            json!([{"type": "F", "geometry": point}]),
            json!([{"type": "F", "geometry": point, "properties": {}}]),
        ),
        (
            "featurecollection",
            json!([{"type": "C", "features": [{"type": "F", "geometry": point}]}]),
            json!([{"type": "C", "features": [point]}]),
        ),
    ] {
        let schema = json!({"f": {"type": kind}});
        for value in good.as_array().unwrap() {
            assert!(post(schema.clone(), json!({"f": value})).is_ok(), "{kind} {value}");
        }
        for value in bad.as_array().unwrap() {
            let message = format!("must be of {kind} type");
            assert_eq!(post(schema.clone(), json!({"f": value})), Err(json!({"f": message})), "{kind} {value}");
        }
    }
    let custom = domain(json!({"schema": {"f": {"type": "feature"}}}), json!({"ALLOW_CUSTOM_FIELDS_IN_GEOJSON": true}));
    let feature = json!({"f": {"type": "F", "geometry": point, "properties": {}}});
    assert!(start(&custom, feature, &Request::Post).finish(&[]).is_ok());
}

/// VAL-05, VAL-03, VAL-04: these rules switch others off.
#[test]
fn null_blank_and_mistyped_values_skip_other_rules() {
    let rules = json!({"f": {"type": "string", "nullable": true, "minlength": 3, "allowed": ["x"]}});
    assert!(post(rules.clone(), json!({"f": null})).is_ok());
    assert_eq!(post(rules.clone(), json!({"f": 1})), Err(json!({"f": "must be of string type"})));
    assert_eq!(post(rules, json!({"f": ""})), Err(json!({"f": ["unallowed value ", "min length is 3"]})));
    let blank = json!({"f": {"empty": false, "minlength": 3, "allowed": ["x"]}});
    assert_eq!(post(blank, json!({"f": ""})), Err(json!({"f": "empty values not allowed"})));
}

/// VAL-18: excludes; two required fields that exclude each other need exactly one.
#[test]
fn excluded_fields_shut_each_other_out() {
    let schema = json!({
        "ex1": {"excludes": ["ex2", "s"], "required": true}, "ex2": {"excludes": "ex1", "required": true}, "s": {},
    });
    assert!(post(schema.clone(), json!({"ex1": 1})).is_ok());
    assert!(post(schema.clone(), json!({"ex2": 1})).is_ok());
    assert_eq!(post(schema.clone(), json!({})), Err(json!({"ex1": "required field", "ex2": "required field"})));
    assert_eq!(
        post(schema, json!({"ex1": 1, "ex2": 1})),
        Err(json!({
            "ex1": "'ex2', 's' must not be present with 'ex1'", "ex2": "'ex1' must not be present with 'ex2'",
        }))
    );
}

/// VAL-19, VAL-20: dependencies by name, dotted path, root path and value.
#[test]
fn dependencies_look_beside_below_and_above() {
    let schema = json!({
        "r": {"dependencies": ["x", "y"]}, "deep": {"dependencies": "d.e"}, "x": {}, "y": {},
        "d": {"type": "dict", "schema": {"e": {}, "up": {"dependencies": "^x"}}},
        "v": {"dependencies": {"x": ["one", "two"], "d.e": 1}},
    });
    assert_eq!(
        post(schema.clone(), json!({"r": 1})),
        Err(json!({"r": ["field 'x' is required", "field 'y' is required"]}))
    );
    assert_eq!(post(schema.clone(), json!({"deep": 1, "d": {}})), Err(json!({"deep": "field 'd.e' is required"})));
    assert_eq!(post(schema.clone(), json!({"d": {"up": 1}})), Err(json!({"d": {"up": "field '^x' is required"}})));
    let message = "depends on these values: {'x': ['one', 'two'], 'd.e': 1}";
    assert_eq!(post(schema.clone(), json!({"v": 1, "x": "one"})), Err(json!({"v": message})));
    assert!(post(schema, json!({"v": 1, "x": "one", "y": 1, "r": 1, "deep": 1, "d": {"e": 1, "up": 2}})).is_ok());
}

/// VAL-30: a failed coercion is reported, and the other rules see the value as it came.
#[test]
fn a_failed_coercion_is_an_issue() {
    let message = "field 'a' cannot be coerced: invalid literal for int() with base 10: 'x'";
    assert_eq!(
        post(json!({"a": {"coerce": "int", "type": "integer"}}), json!({"a": "x"})),
        Err(json!({"a": [message, "must be of integer type"]}))
    );
    assert!(post(json!({"a": {"coerce": "int", "nullable": true}}), json!({"a": null})).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("5f0000000000000000000abc".to_owned()),
        Just("Tue, 06 Nov 2012 10:33:31 GMT".to_owned()),
        "[a-z.$^0-9 -]{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let name = prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("a.b".to_owned()), r"[^\x00]{0,2}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is sent: an answer, and one that JSON can say.
    #[test]
    fn no_input_breaks_validation(one in any_json(), two in any_json(), stored in any_json()) {
        let kinds = ["string", "integer", "float", "number", "boolean", "datetime", "objectid", "decimal", "dbref", "point",
            "polygon", "feature", "dict", "list"];
        let mut schema = json!({
            "a": {"min": 2, "max": [3], "allowed": [1, {"a": []}], "forbidden": ["x"], "contains": [1], "minlength": 1,
                "dependencies": {"b.a": [1]}, "unique": true, "readonly": true,
                "anyof": [{"type": "dict", "schema": {"a": {}}}, {"items": [{}, {"regex": "a"}]}]},
            "b": {"excludes": "a", "coerce": ["str", "int"], "empty": false, "dependencies": ["a", "^b.a"]},
            "c": {"type": "list", "schema": {"type": ["dict", "list"], "allow_unknown": {"type": "integer"},
                "valuesrules": {"coerce": "lower"}, "keysrules": {"regex": "^[a-z]"}}},
            "d": {"type": "dict", "purge_unknown": true, "require_all": true, "schema": {
                "a": {"rename": "b"}, "b": {"default": 1, "readonly": true}}},
        });
        for kind in kinds {
            schema[kind] = json!({"type": kind, "data_relation": {"resource": "people"}});
        }
        let domain = domain(json!({"schema": schema}), json!({}));
        let mut document = json!({"a": one, "b": two, "c": [one, two], "d": one, "x.y": two});
        for (index, kind) in kinds.iter().enumerate() {
            document[*kind] = if index % 2 == 0 { one.clone() } else { two.clone() };
        }
        for request in [Request::Post, Request::Put(json!({"a": stored})), Request::Patch(json!({"a": stored}))] {
            let validation = start(&domain, document.clone(), &request);
            let failed = vec![true; validation.lookups().len()];
            prop_assert!(outcome(&domain, validation, &failed).is_err());
        }
    }
}
