//! What POST, PUT and PATCH make of a document.

use serde_json::json;

use super::super::{Circumstances, Mode, validate};
use super::{Request, check, domain, outcome, post, start};

/// VAL-42: what is stored counts as present; its own faults are reported once.
#[test]
fn dependencies_may_be_met_by_the_stored_document() {
    let schema = json!({"a": {"dependencies": ["b"], "type": "integer"}, "b": {"type": "integer", "min": 5}});
    for request in [Request::Patch, Request::Put] {
        assert!(check(schema.clone(), json!({"a": 1}), &request(json!({"b": 7}))).is_ok());
        assert_eq!(
            check(schema.clone(), json!({"a": "x"}), &request(json!({"b": 1}))),
            Err(json!({"a": "must be of integer type", "b": "min value is 5"}))
        );
    }
    assert_eq!(check(schema, json!({"a": 1}), &Request::Patch(json!({}))), Err(json!({"a": "field 'b' is required"})));
    let nested = json!({"d": {"type": "dict", "schema": {"a": {"dependencies": "b"}, "b": {}}}, "b": {}});
    assert_eq!(
        check(nested, json!({"d": {"a": 1}}), &Request::Patch(json!({"b": 1, "d": {"b": 1}}))),
        Err(json!({"d": {"a": "field 'b' is required"}}))
    );
}

/// VAL-42: in an alternative, too, each name counts for itself.
#[test]
fn dependencies_of_alternatives_may_be_met_by_the_stored_document() {
    let schema = json!({
        "a": {"anyof": [{"dependencies": ["b", "c"]}, {"dependencies": {"b": [7], "c": [1]}}]}, "b": {}, "c": {},
    });
    for request in [Request::Patch, Request::Put] {
        let send = |document, stored| check(schema.clone(), document, &request(stored));
        assert!(send(json!({"a": 1}), json!({"b": 7, "c": 1})).is_ok());
        assert!(send(json!({"a": 1, "c": 2}), json!({"b": 7, "c": 1})).is_ok());
        assert_eq!(
            send(json!({"a": 1}), json!({"b": 7})),
            Err(json!({"a": ["no definitions validate", {
                "anyof definition 0": "field 'c' is required",
                "anyof definition 1": "depends on these values: {'b': [7], 'c': [1]}",
            }]}))
        );
    }
}

/// Work grows with the size of a document, not with its square.
#[test]
fn large_documents_are_validated_in_time() {
    let number = 25_000;
    let reference = json!({"type": "integer", "data_relation": {"resource": "people", "field": "name"}});
    let schema = json!({
        "refs": {"type": "list", "schema": reference},
        "all": {"type": "list", "data_relation": {"resource": "people", "field": "name"}, "dependencies": ["b"]},
        "b": {},
        "purged": {"type": "dict", "purge_unknown": true, "schema": {"kept": {}}},
        "keys": {"type": "dict", "keysrules": {"coerce": "upper"}},
    });
    let numbers: Vec<i32> = (0..number).collect();
    let mapping: serde_json::Map<_, _> = numbers.iter().map(|number| (format!("k{number}"), json!(1))).collect();
    let document = json!({
        "refs": numbers, "all": numbers, "purged": mapping.clone(), "keys": mapping,
    });
    let domain = domain(json!({"schema": schema}), json!({}));
    let started = std::time::Instant::now();
    let validation = start(&domain, document, &Request::Patch(json!({"b": 1})));
    assert_eq!(validation.lookups().len(), numbers.len());
    let normal = outcome(&domain, validation, &[]).unwrap();
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(normal["purged"], json!({}));
    assert_eq!(normal["keys"].as_object().unwrap().len(), numbers.len());
    assert_eq!(normal["keys"]["K7"], 1);
}

/// What the store can't keep as an id is refused before it.
#[test]
fn an_id_that_is_a_list_is_refused() {
    for schema in [json!({"_id": {"type": "list"}}), json!({"_id": {}})] {
        assert_eq!(post(schema.clone(), json!({"_id": [1]})), Err(json!({"_id": "can't be a list"})));
        assert!(post(schema, json!({"_id": []})).is_err());
    }
    let typed = json!({"_id": {"type": "objectid"}});
    assert_eq!(post(typed, json!({"_id": [1]})), Err(json!({"_id": "must be of objectid type"})));
}

/// VAL-33, VAL-34, VAL-35: defaults, setters, rename, purge, nested too.
#[test]
fn documents_are_brought_into_their_normal_form() {
    let nested = json!({"d": {"type": "dict", "schema": {"a": {"default": 1}, "b": {"rename": "c"}, "c": {}}}});
    for (schema, document, expected) in [
        (json!({"a": {"default": 0}, "b": {"default": ""}}), json!({}), json!({"a": 0, "b": ""})),
        (json!({"a": {"default": null, "nullable": true}}), json!({}), json!({"a": null})),
        (
            json!({"d": {"type": "dict", "allow_unknown": {"rename_handler": "lower"}}}),
            json!({"d": {"Key": 1}}),
            json!({"d": {"key": 1}}),
        ),
        (nested.clone(), json!({}), json!({})),
        (nested, json!({"d": {"b": 2}}), json!({"d": {"c": 2, "a": 1}})),
        (
            json!({"l": {"type": "list", "schema": {"type": "dict", "schema": {"a": {"default": 1}}}}}),
            json!({"l": [{}]}),
            json!({"l": [{"a": 1}]}),
        ),
        (
            json!({"d": {"type": "dict", "purge_unknown": true, "schema": {"a": {}}}}),
            json!({"d": {"a": 1, "b": 2}}),
            json!({"d": {"a": 1}}),
        ),
        (json!({"Name": {"rename_handler": "lower"}, "name": {}}), json!({"Name": 1}), json!({"name": 1})),
        (json!({"a": {"coerce": ["strip", "int"]}}), json!({"a": " 4 "}), json!({"a": 4})),
        (json!({"a": {"readonly": true, "default": 3}}), json!({}), json!({"a": 3})),
        (json!({"d": {"keysrules": {"coerce": "lower"}}}), json!({"d": {"A": 1}}), json!({"d": {"a": 1}})),
        (json!({"d": {"valuesrules": {"coerce": "int"}}}), json!({"d": {"a": "1"}}), json!({"d": {"a": 1}})),
        (json!({"by": {"default_setter": "subject"}}), json!({}), json!({"by": "alice"})),
    ] {
        assert_eq!(post(schema.clone(), document), Ok(expected), "{schema}");
    }
    assert_eq!(post(json!({"a": {"default": 1}}), json!({"a": null})), Err(json!({"a": "null value not allowed"})));
    let time = post(json!({"at": {"type": "datetime", "default_setter": "utcnow"}}), json!({})).unwrap();
    assert_eq!(time, json!({"at": {"$date": "1970-01-01T00:16:40Z"}}));
    let made = post(json!({"u": {"default_setter": "uuid4"}, "o": {"default_setter": "objectid"}}), json!({})).unwrap();
    assert_eq!(made["u"].as_str().unwrap().len(), 36);
    assert_eq!(made["o"]["$oid"].as_str().unwrap().len(), 24);
}

/// VAL-31: a setter that has nothing to set is told; the rest of the document is judged as ever.
#[test]
fn a_default_that_can_not_be_set_is_an_issue() {
    let schema = json!({"by": {"type": "string", "default_setter": "subject"}, "n": {"type": "integer"}});
    let domain = domain(json!({"schema": schema}), json!({}));
    let (resource, settings) = (domain.resource("r").unwrap(), &domain.settings);
    let outcome = |document: bson::Document| {
        let now = bson::DateTime::from_millis(0);
        let circumstances = Circumstances { resource, settings, mode: Mode::Insert, subject: None, now };
        outcome(&domain, validate(document, &circumstances), &[])
    };
    let told = "default value for 'by' cannot be set: the request has no subject";
    assert_eq!(outcome(bson::doc! {}), Err(json!({"by": told})));
    assert_eq!(outcome(bson::doc! {"n": "x"}), Err(json!({"by": told, "n": "must be of integer type"})));
    assert_eq!(outcome(bson::doc! {"by": "me"}), Ok(json!({"by": "me"})));
}

/// VAL-32: handlers by name have an answer to every name, so that none can fail.
#[test]
fn every_name_can_be_handled() {
    let long = "Ab".repeat(50_000);
    for name in ["", " ", "Ä-Ö", "ǅ", "\u{1F3D4}", "a.b", "$x", "___", "0", "ﬀ", &long] {
        for handler in ["lower", "upper", "snake_case"] {
            let schema = json!({"d": {"type": "dict", "allow_unknown": {"rename_handler": ["lower", handler]}}});
            let told = post(schema, json!({"d": {name: 1}}));
            let told =
                told.map(|fine| fine["d"].as_object().unwrap().len()).unwrap_or_else(|issues| panic!("{issues}"));
            assert_eq!(told, 1, "{name} {handler}");
        }
    }
}

/// Contract 2.4: a type of the domain's own narrows a built-in one, and is called by its name.
#[test]
fn types_of_the_domain_narrow_built_in_ones() {
    let domain = domain(
        json!({"schema": {
            "c": {"type": "colour", "maxlength": 9},
            "l": {"type": "list", "schema": {"type": ["percent", "colour"]}},
            "any": {"anyof_type": ["percent", "string"]},
            "both": {"type": "percent", "anyof": [{"min": 50}, {"max": 10}]},
        }}),
        json!({"TYPES": {
            "colour": {"type": "string", "regex": "#[0-9a-f]{6}"}, "percent": {"type": "integer", "min": 0, "max": 100},
        }}),
    );
    let post = |document: serde_json::Value| outcome(&domain, start(&domain, document, &Request::Post), &[]);
    let fine = json!({"c": "#00ff00", "l": [5, "#000000"], "any": "x", "both": 60});
    assert_eq!(post(fine.clone()), Ok(fine));
    // SER-02: as its base is converted.
    assert_eq!(post(json!({"both": "7"})), Ok(json!({"both": 7})));
    for (document, issues) in [
        (json!({"c": "green"}), json!({"c": "must be of colour type"})),
        (json!({"c": 5}), json!({"c": "must be of colour type"})),
        (
            json!({"l": [101, "x"]}),
            json!({"l": {"0": "must be of ['percent', 'colour'] type", "1": "must be of ['percent', 'colour'] type"}}),
        ),
        (json!({"both": 101}), json!({"both": "must be of percent type"})),
    ] {
        assert_eq!(post(document.clone()), Err(issues), "{document}");
    }
    let told = post(json!({"any": -1})).unwrap_err();
    assert_eq!(told["any"][1]["anyof definition 0"], "must be of percent type");
    assert_eq!(post(json!({"both": 30})).unwrap_err()["both"][0], "no definitions validate");
}

/// PATCH-04, PATCH-05, PUT-02: what is absent.
#[test]
fn absent_fields_depend_on_the_method() {
    let schema = json!({"a": {"required": true}, "b": {"default": 1}, "d": {"type": "dict", "schema": {"e": {"default": 5}, "f": {"required": true}}}});
    let stored = json!({"a": 1, "b": 2, "d": {"e": 6, "f": 1}});
    let patch = |document| check(schema.clone(), document, &Request::Patch(stored.clone()));
    assert_eq!(patch(json!({})), Ok(json!({})));
    assert_eq!(patch(json!({"d": {}})), Ok(json!({"d": {"e": 5}})));
    assert_eq!(check(schema.clone(), json!({}), &Request::Patch(json!({"a": 1}))), Ok(json!({"b": 1})));
    assert_eq!(check(schema.clone(), json!({}), &Request::Put(stored)), Err(json!({"a": "required field"})));
    assert_eq!(check(schema.clone(), json!({"a": 3}), &Request::Put(json!({"b": 2}))), Ok(json!({"a": 3, "b": 1})));
    let raw = domain(json!({"schema": schema, "normalize_on_patch": false}), json!({}));
    let validation = start(&raw, json!({"d": {}}), &Request::Patch(json!({})));
    assert_eq!(outcome(&raw, validation, &[]), Ok(json!({"d": {}})));
}

/// VAL-41: read-only values may be sent back as they are stored, at their own path.
#[test]
fn read_only_values_may_be_sent_back_unchanged() {
    let schema = json!({"a": {"readonly": true}, "d": {"type": "dict", "schema": {"a": {"readonly": true}, "b": {}}}});
    let stored = json!({"a": 1, "d": {"a": 2}});
    for request in [Request::Patch, Request::Put] {
        let send = |document| check(schema.clone(), document, &request(stored.clone()));
        assert!(send(json!({"a": 1.0, "d": {"a": 2, "b": 1}})).is_ok());
        assert_eq!(send(json!({"a": 2})), Err(json!({"a": "field is read-only"})));
        assert_eq!(send(json!({"d": {"a": 1}})), Err(json!({"d": {"a": "field is read-only"}})));
    }
}

/// POST-09: only `_id` is generated; an id of one's own is required.
#[test]
fn an_id_field_of_its_own_must_be_sent() {
    let domain = domain(json!({"id_field": "code", "schema": {"code": {"type": "string"}}}), json!({}));
    let answer = |document, request| outcome(&domain, start(&domain, document, &request), &[]);
    assert_eq!(answer(json!({}), Request::Post), Err(json!({"code": "required field"})));
    assert_eq!(answer(json!({"code": "a"}), Request::Post), Ok(json!({"code": "a"})));
    assert_eq!(answer(json!({}), Request::Put(json!({"code": "a"}))), Ok(json!({})));
}

/// VAL-41: in lists and under rules for values, too.
#[test]
fn elements_and_values_may_be_read_only() {
    let schema = json!({
        "list": {"type": "list", "schema": {"type": "string", "readonly": true}},
        "items": {"type": "list", "items": [{"type": "string", "readonly": true}, {"type": "integer"}]},
        "map": {"type": "dict", "valuesrules": {"type": "string", "readonly": true}},
    });
    let full = json!({"list": ["x"], "items": ["x", 1], "map": {"a": "x"}});
    let told = "field is read-only";
    let refused = json!({"list": {"0": told}, "items": {"0": told}, "map": {"a": told}});
    assert_eq!(post(schema.clone(), full.clone()), Err(refused.clone()));
    assert!(post(schema.clone(), json!({"list": [], "map": {}})).is_ok());
    let raw = domain(json!({"schema": schema.clone(), "normalize_on_patch": false}), json!({}));
    assert_eq!(outcome(&raw, start(&raw, full.clone(), &Request::Patch(json!({}))), &[]), Err(refused.clone()));
    for request in [Request::Patch, Request::Put] {
        assert!(check(schema.clone(), full.clone(), &request(full.clone())).is_ok());
        assert!(check(schema.clone(), json!({"items": ["x", 2]}), &request(full.clone())).is_ok());
        assert_eq!(check(schema.clone(), full.clone(), &request(json!({}))), Err(refused.clone()));
    }
}
