use serde_json::{Map, Value, json};

use crate::Target;
use crate::random::Random;

/// In any of the three formats; the first line says which.
pub const DOMAIN: Target = Target {
    name: "domain",
    generate: |random| {
        let domain = domain(random);
        match random.below(3) {
            0 => format!("json\n{domain}"),
            1 => format!("yaml\n{}", serde_yaml_ng::to_string(&domain).unwrap()),
            _ => format!("toml\n{}", toml::to_string(&domain).unwrap()),
        }
    },
    words: &[
        "DOMAIN",
        "schema",
        "type",
        "string",
        "dict",
        "list",
        "required",
        "unique",
        "regex",
        "(",
        "[",
        "{",
        "}",
        "]",
        ":",
        "=",
        "\"",
        "'",
        "data_relation",
        "resource",
        "anyof",
        "coerce",
        "default",
        "datasource",
        "filter",
        "projection",
        "mongo_indexes",
        "$where",
        "&a",
        "*a",
        "<<",
        "!!binary",
        "1979-05-27",
        "\n",
        "null",
        "SCHEMA_REGISTRY",
        "additional_lookup",
        "item_url",
        "regex(\"",
        "auth_field",
        "id_field",
    ],
};

fn domain(random: &mut Random) -> Value {
    let mut domain = Map::new();
    let flags = [
        "HATEOAS",
        "IF_MATCH",
        "ENFORCE_IF_MATCH",
        "BANDWIDTH_SAVER",
        "BULK_ENABLED",
        "UPSERT_ON_PUT",
        "SORTING",
        "PROJECTION",
        "EMBEDDING",
        "PAGINATION",
        "ALLOW_UNKNOWN",
        "JSON_SORT_KEYS",
        "AUTO_CREATE_LISTS",
        "DEBUG",
        "VALIDATE_FILTERS",
        "NORMALIZE_ON_PATCH",
    ];
    for flag in flags {
        if random.chance(5) {
            domain.insert(flag.to_owned(), json!(random.chance(2)));
        }
    }
    if random.chance(2) {
        domain.insert("RESOURCE_METHODS".to_owned(), json!(["GET", "POST"]));
    }
    for (name, value) in [
        ("URL_PREFIX", json!("api")),
        ("API_VERSION", json!("v1")),
        ("DATE_FORMAT", json!("%Y-%m-%dT%H:%M:%SZ")),
        ("PAGINATION_LIMIT", json!(random.below(1000) + 1)),
        ("CACHE_CONTROL", json!("max-age=20")),
        ("INFO", json!("_info")),
        ("ALLOWED_FILTERS", json!(["*"])),
        ("QUERY_WHERE", json!("filter")),
        ("an_unknown_setting", json!(5)),
    ] {
        if random.chance(4) {
            domain.insert(name.to_owned(), value);
        }
    }
    let names = ["people", "works", "places"];
    let count = random.below(names.len()) + 1;
    let resources = names[..count].iter().map(|name| ((*name).to_owned(), resource(random, &names[..count])));
    let resources = resources.collect();
    domain.insert("DOMAIN".to_owned(), Value::Object(resources));
    Value::Object(domain)
}

fn resource(random: &mut Random, names: &[&str]) -> Value {
    let mut resource = Map::new();
    let fields = ["name", "age", "tags", "inner", "owner"];
    let schema: Map<String, Value> = fields[..random.below(fields.len()) + 1]
        .iter()
        .map(|name| ((*name).to_owned(), field(random, name, names)))
        .collect();
    for (name, value) in [
        ("item_title", json!("thing")),
        ("resource_methods", json!(["GET", "POST", "DELETE"])),
        ("item_methods", json!(["GET", "PATCH", "PUT", "DELETE"])),
        ("public_methods", json!(["GET"])),
        ("pagination_limit", json!(10)),
        ("additional_lookup", json!({ "field": "name", "url": "regex(\"[\\\\w]+\")" })),
        (
            "datasource",
            json!({ "source": "things", "filter": { "name": { "$ne": "x" } }, "default_sort": [["name", -1]] }),
        ),
        (
            "mongo_indexes",
            json!({ "by_name": [["name", 1]], "unique": [[["name", 1], ["age", -1]], { "unique": true }] }),
        ),
        ("required_scopes", json!({ "read": ["a:read"], "write": ["a:write", "admin"] })),
        ("internal_resource", json!(random.chance(2))),
        ("etag_ignore_fields", json!(["name"])),
        ("allowed_filters", json!(["name", "inner.a"])),
    ] {
        if random.chance(4) {
            resource.insert(name.to_owned(), value);
        }
    }
    resource.insert("schema".to_owned(), Value::Object(schema));
    Value::Object(resource)
}

fn field(random: &mut Random, name: &str, resources: &[&str]) -> Value {
    let mut rules = match name {
        "name" => json!({ "type": "string" }),
        "age" => json!({ "type": "integer" }),
        "tags" => json!({ "type": "list", "schema": { "type": "string", "minlength": 1 } }),
        "inner" => {
            json!({ "type": "dict", "schema": { "a": { "type": "integer", "default": 1 }, "b": { "type": ["string", "float"] } } })
        }
        _ => json!({ "type": "objectid", "data_relation": { "resource": random.pick(resources), "embeddable": true } }),
    };
    let more: &[(&str, Value)] = &match name {
        "name" => [
            ("required", json!(true)),
            ("unique", json!(true)),
            ("maxlength", json!(20)),
            ("regex", json!("^[a-z]+$")),
            ("coerce", json!(["strip", "lower"])),
            ("allowed", json!(["a", "b"])),
            ("check_with", json!("slug")),
            ("excludes", json!("age")),
            ("default", json!("a")),
        ],
        "age" => [
            ("min", json!(0)),
            ("max", json!(150)),
            ("nullable", json!(true)),
            ("forbidden", json!([13])),
            ("readonly", json!(false)),
            ("dependencies", json!(["name"])),
            ("anyof", json!([{ "min": 10 }, { "max": 5 }])),
            ("coerce", json!("int")),
            ("oneof_min", json!([1, 2])),
        ],
        _ => [
            ("required", json!(false)),
            ("nullable", json!(true)),
            ("empty", json!(true)),
            ("dependencies", json!({ "name": ["a"] })),
            ("excludes", json!(["age"])),
            ("noneof", json!([{ "allowed": [] }])),
            ("meta", json!({ "note": 1 })),
            ("readonly", json!(true)),
            ("required", json!(true)),
        ],
    };
    for (rule, argument) in more {
        if random.chance(5) {
            rules[*rule] = argument.clone();
        }
    }
    rules
}
