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
    assert_eq!(shops["mongo_prefix"], "ARCHIVE");
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
    for absent in ["HOUSE_CURRENCY", "EPOCH", "MONGO_URI", "ARCHIVE_URI", "secret@"] {
        assert!(!place.read("shop.json").contains(absent), "{absent}");
    }
    for listed in [
        "MONGO_URI: the store is named in the service's own configuration\n",
        "ARCHIVE_URI: the store is named in the service's own configuration, under stores.ARCHIVE",
        "DOMAIN.goods.authentication: the class TokenAuth",
        "DOMAIN.goods.schema.name.coerce: the function slug",
        "DOMAIN.goods.schema.price.coerce: a lambda (line ",
        "DOMAIN.goods.schema.price.check_with: the function is_even",
        "run.py:7: the class ShopAuth(BasicAuth)",
        "run.py:12: the class ShopValidator(Validator): _validate_in_stock",
        "run.py:21: Eve(auth=…)",
        "run.py:21: Eve(validator=…)",
        "run.py:22: the hook on_insert_goods: announce; HOOKS can call a service in its place",
        "run.py:23: the hook on_post_GET: lambda",
        "run.py:26: route(…)",
        "No settings of Eve, left out: HOUSE_CURRENCY, EPOCH, MAIN_SHOP",
    ] {
        assert!(done.error.contains(listed), "{listed} is missing in\n{}", done.error);
    }
    place.run(&["check", &output]).is(1).says("mongo_prefix ARCHIVE: nothing says where it leads");
    let stores = format!("{}[stores]\nARCHIVE = \"sqlite:archive.db\"\n", place.read("config.toml"));
    place.write("config.toml", &stores);
    place.run(&["check", &output]).is(0).says("2 resources, no faults");
    convert("store", &["--output", &output]).is(1).says("exists already; --overwrite");
}

#[test]
fn settings_that_can_not_be_executed_say_so() {
    convert("broken", &[]).is(1).says("no_such_module_anywhere").says("install what it imports");
}

/// Contract 2.4: what a validator class of the application knows is left out and named, so that the rest can be served;
/// converters of URLs that are patterns become these.
#[test]
fn rules_types_and_converters_of_the_application_are_told() {
    let place = Place::new(json!({ "DOMAIN": {} }));
    let output = place.path("factory.json");
    let done = convert("factory", &["--output", &output]).is(3).says("The settings are those of SETTINGS.");
    let domain: Value = serde_json::from_str(&place.read("factory.json")).unwrap();
    let machines = &domain["DOMAIN"]["machines"];
    assert_eq!(machines["item_url"], "regex(\"[a-z-]+\")");
    assert_eq!(
        domain["DOMAIN"]["runs"]["url"],
        "machines/<regex(\"[a-z-]+\"):machine>/<regex(\"[0-9]{4}\"):year>/<month:month>/runs"
    );
    assert_eq!(
        machines["schema"],
        json!({
            "name": { "type": "string", "unique": true, "coerce": ["strip"] },
            "power": { "type": ["integer"] },
            "serial": {},
            "parts": { "type": "list", "schema": { "type": "dict", "schema": { "no": { "type": "integer" } } } },
            "size": { "anyof": [{ "type": "integer" }, { "type": "string" }] },
            "code": { "oneof_type": ["integer", "string"] },
            "labels": { "type": "dict", "propertyschema": { "regex": "[a-z]+" }, "valueschema": {} },
            "schema": { "type": "dict", "schema": { "type": { "type": "string" } } },
        })
    );
    let schema = "  DOMAIN.machines.schema.";
    for listed in [
        format!("{schema}name.coerce: squeeze: a method of a validator class"),
        format!("{schema}power.type: watt: a type of the application's own: TYPES may express it"),
        format!("{schema}power.isodd: the rule isodd of a validator class"),
        format!("{schema}power.check_with: even: a method of a validator class"),
        format!("{schema}serial.type: serial: a type"),
        format!("{schema}serial.default_setter: next_serial: a method"),
        format!("{schema}parts.schema.schema.no.isodd: the rule isodd"),
        format!("{schema}size.anyof.0.isodd: the rule isodd"),
        format!("{schema}code.anyof_isodd: the rule isodd"),
        format!("{schema}labels.valueschema.type: watt: a type"),
        "  DOMAIN.runs.url: the converter month: write it as regex(\"…\")".to_owned(),
        "  run.py:7: Eve(validator=…)".to_owned(),
        // What run.py imports from beside it is looked through, too.
        "  validation.py:4: the class FactoryValidator(Validator): _validate_isodd, _check_with_even, ".to_owned(),
    ] {
        assert!(done.error.contains(&listed), "{listed} is missing in\n{}", done.error);
    }
    // The one thing that stands in the file as it was, as no guess would do.
    let told = place.run(&["check", &output]).is(1);
    assert!(told.error.contains("1 fault") && told.error.contains("runs: url: "), "{told:?}");
    place.write("factory.json", &place.read("factory.json").replace("<month:month>", "<int:month>"));
    place.run(&["check", &output]).is(0).says("2 resources, no faults");
}
