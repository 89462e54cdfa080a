#![allow(clippy::unwrap_used)]
//! Whole domain files, good and bad.

use bson::{Bson, DateTime, doc};
use serde_json::{Value, json};

use super::{Format, parse};
use crate::domain::{
    AllowedFilters, Domain, DomainError, FieldType, Index, IndexDirection, Method, Resource, Rule, ScopeText,
};
use crate::query::{Direction, Filter};

mod checks;
mod connections;
mod datasource;
mod guide;
mod hooks;

fn read(file: &Value) -> Domain {
    parse(Format::Json, &file.to_string()).unwrap()
}

/// A domain of the one resource `people`.
fn people(resource: Value) -> std::sync::Arc<Resource> {
    read(&json!({"DOMAIN": {"people": resource}})).resource("people").unwrap().clone()
}

fn faults(file: &Value) -> Vec<String> {
    match parse(Format::Json, &file.to_string()) {
        Err(DomainError::Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
        other => panic!("no faults: {other:?}"),
    }
}

/// CFG-02: home alone is an API.
#[test]
fn an_empty_domain_is_legal() {
    let domain = read(&json!({"DOMAIN": {}}));
    assert!(domain.resources.is_empty());
    assert_eq!(domain.prefix(), "");
    assert_eq!(faults(&json!({})), ["DOMAIN: is missing"]);
    assert_eq!(faults(&json!({"DOMAIN": []})), ["DOMAIN: must be a mapping"]);
    assert_eq!(faults(&json!({"DOMAIN": {"a": 1}})), ["a: must be a mapping"]);
}

/// Contract 2.1 and 2.2, CFG-10 to CFG-14: what nobody set.
#[test]
fn defaults_are_eves() {
    let resource = people(json!({"schema": {"name": {"type": "string"}}}));
    assert_eq!(
        (resource.url.as_str(), resource.title.as_str(), resource.item_title.as_str()),
        ("people", "people", "People")
    );
    assert_eq!(resource.resource_methods, [Method::Get].into());
    assert_eq!(resource.item_methods, [Method::Get].into());
    assert_eq!(resource.datasource.source, "people");
    assert_eq!(resource.datasource.filter.for_operator(), Filter::All);
    let shown: Vec<&str> = resource.datasource.projection.keys().map(String::as_str).collect();
    assert_eq!(shown, ["name", "_id", "_updated", "_created", "_etag"]);
    assert!(resource.datasource.projection.values().all(|shown| *shown));
    assert_eq!(resource.schema["_id"].types, [FieldType::ObjectId]);
    assert_eq!(resource.item_url, "regex(\"[a-f0-9]{24}\")");
    assert_eq!(resource.pagination_limit, 50);
    assert!(matches!(resource.allowed_filters, AllowedFilters::All));
    assert_eq!(resource.required_scopes.read, ["people:read"]);
    assert_eq!(resource.required_scopes.write, ["people:write"]);
    let settings = read(&json!({"DOMAIN": {}})).settings;
    assert_eq!(settings.validation_error_status, 422);
    assert_eq!(settings.pagination_default, 25);
    assert!(settings.if_match && settings.enforce_if_match && settings.upsert_on_put && settings.bandwidth_saver);
    assert_eq!(settings.names.etag, "_etag");
    assert_eq!(settings.mongo_query_blacklist, ["$where".to_owned(), "$regex".to_owned()].into());
}

/// CFG-11, CFG-12: what a resource leaves out comes from the globals.
#[test]
fn resources_inherit_globals() {
    let domain = read(&json!({
        "URL_PREFIX": "/api/", "API_VERSION": "v1", "SORTING": false, "RESOURCE_METHODS": ["GET", "POST"],
        "ITEM_METHODS": ["GET", "PATCH"], "PAGINATION_LIMIT": 7, "ALLOWED_ROLES": ["a"], "ALLOWED_FILTERS": [],
        "DOMAIN": {
            "boss": {"allowed_read_roles": ["b"], "sorting": true},
            "e/f": {"item_lookup": false, "resource_methods": ["GET"], "url": "x", "pagination_limit": 9},
        },
    }));
    assert_eq!(domain.prefix(), "/api/v1");
    let (one, two) = (domain.resource("boss").unwrap(), domain.resource("e/f").unwrap());
    assert!(one.sorting && !two.sorting);
    assert_eq!(one.item_title, "Bo");
    assert_eq!(two.item_title, "E/f");
    assert_eq!(two.title, "x");
    assert_eq!(one.resource_methods, [Method::Get, Method::Post].into());
    assert_eq!(one.item_methods, [Method::Get, Method::Patch].into());
    assert_eq!(two.item_methods, [Method::Get].into());
    assert_eq!((one.pagination_limit, two.pagination_limit), (7, 9));
    assert_eq!(one.roles.resource_read, ["a", "b"]);
    assert_eq!(one.roles.resource_write, ["a"]);
    assert!(one.roles.item_read.is_empty());
    assert!(matches!(&one.allowed_filters, AllowedFilters::Only(names) if names.is_empty()));
}

/// CFG-14, PROJ-03: inclusions narrow, exclusions hide, allow_unknown leaves the projection alone.
#[test]
fn projections_are_completed() {
    let schema = json!({"a": {}, "b": {}});
    let shown = |extra: Value| {
        let mut resource = json!({"schema": schema});
        resource.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let projection = people(resource).datasource.projection.clone();
        projection.into_iter().map(|(name, shown)| format!("{name}={}", u8::from(shown))).collect::<Vec<_>>().join(" ")
    };
    let automatic = "_id=1 _updated=1 _created=1 _etag=1";
    assert_eq!(shown(json!({"datasource": {"projection": {"a": 1}}})), format!("a=1 {automatic}"));
    assert_eq!(shown(json!({"datasource": {"projection": {"a": 0}}})), format!("a=0 b=1 {automatic}"));
    assert_eq!(shown(json!({"allow_unknown": true})), "");
    assert_eq!(shown(json!({"allow_unknown": true, "datasource": {"projection": {"a": 0}}})), "a=0");
}

/// Contract 2.4, VAL-25: registries, shortcuts, old names, dates and ids as text.
#[test]
fn schemas_are_resolved_and_expanded() {
    let domain = read(&json!({
        "SCHEMA_REGISTRY": {"address": {"city": {"type": "string"}, "zip": "code"}},
        "RULES_SET_REGISTRY": {"code": {"type": "string", "maxlength": 5}},
        "DOMAIN": {"people": {"schema": {
            "home": {"type": "dict", "schema": "address"},
            "zips": {"type": "list", "schema": "code"},
            "any": {"nullable": true, "anyof_type": ["string", "integer"]},
            "old": {"keyschema": {"type": "string"}, "valueschema": "code", "validator": "email"},
            "date": {"type": "datetime", "min": "Tue, 06 Nov 2012 10:33:31 GMT", "default": {"$date": "2020-01-01T00:00:00Z"}},
            "ref": {"type": "objectid", "default": "5f0000000000000000000abc", "data_relation": {"resource": "people"}},
            "spaced": {"check with": "uuid"},
        }}},
    }));
    let resource = domain.resource("people").unwrap();
    let schema = &resource.schema;
    let home = schema["home"].fields().unwrap();
    assert_eq!(home.keys().collect::<Vec<_>>(), ["city", "zip"]);
    assert!(matches!(home["zip"].rules[..], [Rule::MaxLength(5)]));
    assert!(matches!(schema["zips"].elements().unwrap().rules[..], [Rule::MaxLength(5)]));
    let Rule::AnyOf(alternatives) = &schema["any"].rules[1] else { panic!("no anyof") };
    assert_eq!(alternatives[0].types, [FieldType::String]);
    assert!(schema["any"].nullable());
    assert!(matches!(schema["old"].rules[..], [Rule::KeysRules(_), Rule::ValuesRules(_), Rule::CheckWith(_)]));
    let date = Bson::DateTime(DateTime::from_millis(1_352_198_011_000));
    assert!(matches!(&schema["date"].rules[0], Rule::Min(value) if *value == date));
    assert!(matches!(&schema["ref"].rules[0], Rule::Default(Bson::ObjectId(_))));
    let relation = schema["ref"].data_relation().unwrap();
    assert_eq!((relation.resource.as_str(), relation.field.as_str(), relation.embeddable), ("people", "_id", false));
    assert_eq!(resource.written_schema.get_document("home").unwrap(), &doc! { "type": "dict", "schema": "address" });
    assert_eq!(resource.written_schema.get_document("_id").unwrap(), &doc! { "type": "objectid" });
}

/// CFG-03 to CFG-10, CFG-18 (F): everything that is wrong, at once, with resource, field and rule.
#[test]
fn every_fault_is_listed_with_its_place() {
    let file = json!({
        "SORTING": "yes",
        "DATE_FORMAT": "%!",
        "VALIDATION_ERROR_STATUS": 200,
        "RESOURCE_METHODS": ["GET", "PUT"],
        "RULES_SET_REGISTRY": {"loop": {"type": "list", "schema": "loop"}},
        "DOMAIN": {"r": {
            "item_methods": ["POST"],
            "allowed_roles": "admin",
            "auth_field": "_id",
            "additional_lookup": {"field": "gone"},
            "required_scopes": {"read": ["two words"], "admin": []},
            "datasource": {"projection": {"a": 2}, "default_sort": [["a", 2]], "filter": {"$bad": 1}},
            "mongo_indexes": {"i": [["a", 3]]},
            "schema": {
                "_etag": {},
                "a.b": {},
                "typo": {"tpye": "string"},
                "kind": {"type": "strng"},
                "re": {"regex": "("},
                "least": {"minlength": -1},
                "flag": {"required": "yes"},
                "def": {"type": "integer", "default": "x"},
                "when": {"type": "datetime", "min": "soon"},
                "ref": {"data_relation": {"field": "x"}},
                "to": {"type": "list", "schema": {"data_relation": {"resource": "nowhere"}}},
                "in": {"type": "dict", "schema": {"x": {"anyof": [{"default": 1}]}}},
                "set": {"default_setter": "now"},
                "again": {"anyof_type": ["string"], "anyof": [{}]},
                "loop": "loop",
                "lost": "missing",
                "el": {"type": "list", "schema": {"rename": "x"}},
                "open": {"type": "dict", "allow_unknown": {"rename": "x"}},
            },
        }},
    });
    // The rest of these lines is worded by libraries and by the filter's parser.
    let own_words = |line: String| {
        let foreign = ["DATE_FORMAT:", "r: field 're': regex: can't be compiled:", "r: datasource.filter:"];
        foreign.iter().find(|start| line.starts_with(**start)).map_or(line.clone(), |start| (*start).to_owned())
    };
    assert_eq!(
        faults(&file).into_iter().map(own_words).collect::<Vec<_>>(),
        [
            "DATE_FORMAT:",
            "VALIDATION_ERROR_STATUS: must be a status from 400 to 599",
            "RESOURCE_METHODS: unallowed method PUT. Supported: GET, POST, DELETE",
            "SORTING: must be true or false",
            "r: auth_field: must not be the id field",
            "r: field 'a.b': a name cannot be empty or contain any of '$', '.'",
            "r: field 'typo': tpye: there is no such rule",
            "r: field 'kind': type: there is no type 'strng'",
            "r: field 're': regex: can't be compiled:",
            "r: field 'least': minlength: must be a whole number of at least 0",
            "r: field 'flag': required: must be true or false",
            "r: field 'def': default: does not have the field's type",
            "r: field 'when': min: 'soon' is no date in the format %a, %d %b %Y %H:%M:%S GMT",
            "r: field 'ref': data_relation: 'resource' key is mandatory",
            "r: field 'in.x[0]': default: not allowed in anyof, allof, oneof and noneof",
            "r: field 'set': default_setter: 'now' is none of utcnow, uuid4, objectid, subject",
            "r: field 'again': anyof: the same rule is given twice",
            "r: field 'loop[]': 'loop' of RULES_SET_REGISTRY refers to itself",
            "r: field 'lost': 'missing' is not in RULES_SET_REGISTRY",
            "r: field 'el[]': rename: only a field of a mapping can be renamed",
            "r: field 'open[]': rename: unknown fields can't all have one name: use rename_handler",
            "r: field '_etag': not allowed: it is handled automatically",
            "r: mongo_indexes: 'i' must be a list of [field, direction]",
            "r: datasource.projection: 'a' must be 0 or 1",
            "r: datasource.filter:",
            "r: datasource.default_sort: must be a list of [field, 1 or -1]",
            "r: item_methods: unallowed method POST. Supported: GET, PATCH, DELETE, PUT",
            "r: allowed_roles: must be a list of strings",
            "r: required_scopes: has no part admin: use read and write",
            "r: required_scopes: 'two words' is not a scope: name others",
            "r: additional_lookup: field 'gone' is not in the schema",
            "r: field 'to': data_relation: there is no resource 'nowhere'",
        ]
    );
}

/// What this version does not serve stops the start where ignoring it would change answers, and warns elsewhere.
#[test]
fn unserved_features_are_named() {
    let file = json!({
        "VERSIONING": true, "OPLOG": true, "SOFT_DELETE": false, "OPLOG_AUDIT": true,
        "RENDERERS": ["eve.render.JSONRenderer", "eve.render.XMLRenderer"],
        "DOMAIN": {"r": {
            "soft_delete": true, "versioning": false, "datasource": {"aggregation": {"pipeline": []}},
            "schema": {"m": {"type": "media"}, "v": {"data_relation": {"resource": "r", "version": true}}},
        }},
    });
    assert_eq!(
        faults(&file),
        [
            "VERSIONING: not supported by this version",
            "OPLOG: not supported by this version",
            "RENDERERS: XML is not supported by this version",
            "r: soft_delete: not supported by this version",
            "r: field 'm': type: media is not supported by this version",
            "r: field 'v': data_relation: version: not supported by this version",
            "r: datasource.aggregation: not supported by this version",
        ]
    );
}

/// Decisions 3: unknown and ineffective keys are ignored, with one line each.
#[test]
fn unknown_keys_are_warned_about_once() {
    let domain = read(&json!({
        "MY_OWN": 1, "X_DOMAINS_RE": ["*"], "MONGO_URI": "mongodb://u:secret@h/d", "ITEM_CACHE_CONTROL": "",
        "X_MAX_AGE": null,
        "DOMAIN": {"r": {"my_own": 1, "datasource": {"sources": "x"}}},
    }));
    assert_eq!(
        domain.warnings,
        [
            "MONGO_URI: ignored: the store is named in the service's own configuration",
            "X_DOMAINS_RE: '*' can't be compiled and matches no origin",
            "r: datasource.sources: unknown setting, ignored",
            "r: my_own: unknown setting, ignored",
            "MY_OWN: unknown setting, ignored",
        ]
    );
}

/// AUTH-05 in the words of contract 2.4.
#[test]
fn authentication_can_be_switched_off() {
    for value in [json!("none"), json!(null)] {
        let resource = people(json!({"authentication": value}));
        assert_eq!(resource.public_methods.len(), 5);
        assert_eq!(resource.public_item_methods.len(), 5);
    }
    assert!(people(json!({"authentication": "oauth2"})).public_methods.is_empty());
    let file = json!({"DOMAIN": {"r": {"authentication": "basic"}}});
    assert_eq!(faults(&file), ["r: authentication: must be \"oauth2\" or \"none\""]);
}

/// Decisions 20: every scope once, in plain words; URL-04: integer look-ups.
#[test]
fn scopes_and_lookups_are_listed() {
    let domain = read(&json!({"DOMAIN": {
        "people": {"schema": {"n": {"type": "integer"}}, "additional_lookup": {"field": "n", "url": "ignored"}},
        "works": {"required_scopes": {"read": ["people:read"]}, "resource_title": "all works"},
        "hidden": {"internal_resource": true},
    }}));
    let scope = |scope: &str, text: &str| ScopeText { scope: scope.to_owned(), text: text.to_owned() };
    assert_eq!(
        domain.scopes(),
        [
            scope("people:read", "Read people; read all works"),
            scope("people:write", "Change people"),
            scope("works:write", "Change all works"),
        ]
    );
    assert_eq!(domain.resource("people").unwrap().additional_lookup.as_ref().unwrap().url, "int");
}
