//! `scripts/eve-settings-to-json` with applications of different ages.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::place::{Done, Place};

fn convert(application: &str, more: &[&str]) -> Done {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = root.join("tests/command/eve").join(application).join("settings.py");
    let mut command = Command::new("python3");
    // Nothing of the tests' own folder is left changed.
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(root.join("../scripts/eve-settings-to-json")).arg(settings);
    let output = command.args(more).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), out: text(output.stdout), error: text(output.stderr) }
}

/// CFG-02, CFG-22: the settings as they are, in their order, and `check` has nothing against them.
#[test]
fn people_and_works_become_a_domain_file() {
    let done = convert("people", &[]).is(3);
    assert!(!done.out.contains("password") && !done.error.contains("a password"), "{done:?}");
    for name in ["MONGO_HOST", "MONGO_PORT", "MONGO_PASSWORD", "MONGO_DBNAME"] {
        assert!(done.error.contains(&format!("  {name}: the store is named in")), "{}", done.error);
    }
    assert_eq!(done.error.lines().count(), 6, "nothing else is listed: {}", done.error);
    let domain: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(domain["ITEM_METHODS"], json!(["GET", "PATCH", "DELETE"]));
    assert_eq!(domain["DOMAIN"].as_object().unwrap().keys().collect::<Vec<_>>(), ["people", "works"]);
    assert_eq!(
        domain["DOMAIN"]["people"]["additional_lookup"],
        json!({ "url": "regex(\"[\\w]+\")", "field": "lastname" })
    );
    assert_eq!(
        domain["DOMAIN"]["works"]["schema"]["owner"]["data_relation"],
        json!({ "resource": "people", "embeddable": true })
    );
    let place = Place::new(domain);
    place.run(&["check", &place.path("domain.json")]).is(0).says("2 resources, no faults");
}

/// Contract 2.4: what has a form in the domain file gets it; what has none is named with its place.
#[test]
fn what_python_alone_can_say_is_listed() {
    let place = Place::new(json!({ "DOMAIN": {} }));
    let output = place.path("shop.json");
    let done = convert("store", &["--output", &output]).is(3);
    let domain: Value = serde_json::from_str(&place.read("shop.json")).unwrap();
    let shops = &domain["DOMAIN"]["shops"];
    let epoch = json!({ "$date": { "$numberLong": "1577836800000" } });
    let id = json!({ "$oid": "5f0000000000000000000abc" });
    assert_eq!(shops["authentication"], Value::Null);
    assert_eq!(
        shops["datasource"]["filter"],
        json!({ "kind": "shop", "opened": { "$gte": epoch }, "owner": { "$ne": id } })
    );
    assert_eq!(shops["datasource"]["default_sort"], json!([["name", 1], ["opened", -1]]));
    assert_eq!(
        shops["mongo_indexes"]["by_code"],
        json!([[["code", 1], ["kind", -1]], { "unique": true, "sparse": true }])
    );
    assert_eq!(
        shops["schema"],
        json!({
            "name": { "type": "string", "coerce": "strip", "regex": "(?i)^[a-z]+$" },
            "kind": { "type": "string", "default": "shop", "allowed": ["shop"] },
            "code": { "type": "string", "default_setter": "uuid4" },
            "opened": { "type": "datetime", "min": epoch, "default": { "$date": { "$numberLong": "1620259200000" } } },
            "parent": { "type": "objectid", "default": id, "coerce": "objectid" },
            "rating": { "type": "float", "max": { "$numberDouble": "Infinity" }, "min": 0.5 },
            "rent": { "type": "decimal", "default": { "$numberDecimal": "1.50" } },
        })
    );
    let goods = &domain["DOMAIN"]["goods"]["schema"];
    assert_eq!(goods["price"], json!({ "type": "integer" }));
    assert_eq!(goods["added"]["default_setter"], "utcnow");
    assert_eq!(domain["RATE_LIMIT_GET"], json!([300, 900]));
    for absent in ["HOUSE_CURRENCY", "EPOCH", "MONGO_URI", "secret@"] {
        assert!(!place.read("shop.json").contains(absent), "{absent}");
    }
    for listed in [
        "MONGO_URI: the store is named in",
        "DOMAIN.goods.authentication: the class TokenAuth",
        "DOMAIN.goods.schema.name.coerce: the function slug",
        "DOMAIN.goods.schema.price.coerce: a lambda (line ",
        "DOMAIN.goods.schema.price.check_with: the function is_even",
        "run.py:7: the class ShopAuth(BasicAuth)",
        "run.py:12: the class ShopValidator(Validator): _validate_in_stock",
        "run.py:21: Eve(auth=…)",
        "run.py:21: Eve(validator=…)",
        "run.py:22: the hook on_insert_goods: announce",
        "run.py:23: the hook on_post_GET: lambda",
        "run.py:26: route(…)",
        "No settings of Eve, left out: HOUSE_CURRENCY, EPOCH, MAIN_SHOP",
    ] {
        assert!(done.error.contains(listed), "{listed} is missing in\n{}", done.error);
    }
    place.run(&["check", &output]).is(0).says("2 resources, no faults");
    convert("store", &["--output", &output]).is(1).says("exists already; --overwrite");
}

#[test]
fn settings_that_can_not_be_executed_say_so() {
    convert("broken", &[]).is(1).says("no_such_module_anywhere").says("install what it imports");
}
