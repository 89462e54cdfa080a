//! What stops the start, rule by rule, and what does not.

use super::*;

/// Faults of the one resource `r`, without its name.
fn refused(resource: Value) -> Vec<String> {
    let told = faults(&json!({"DOMAIN": {"r": resource}}));
    told.into_iter().map(|fault| fault.strip_prefix("r: ").unwrap().to_owned()).collect()
}

/// CFG-04: the id field makes any schema one that can be written to.
#[test]
fn methods_that_write_need_no_more_of_a_schema_than_the_id() {
    for schema in [json!({}), json!({"_id": {"type": "string"}})] {
        let resource =
            people(json!({"resource_methods": ["GET", "POST"], "item_methods": ["PATCH"], "schema": schema}));
        assert_eq!(resource.schema.keys().collect::<Vec<_>>(), ["_id"]);
    }
    let resource = people(json!({"resource_methods": ["POST"]}));
    assert!(resource.resource_methods.contains(&Method::Post));
}

/// CFG-05: all six, of a resource and of all of them.
#[test]
fn roles_must_be_lists() {
    for role in ["roles", "read_roles", "write_roles", "item_roles", "item_read_roles", "item_write_roles"] {
        let key = format!("allowed_{role}");
        assert_eq!(refused(json!({key.clone(): "admin"})), [format!("{key}: must be a list of strings")]);
        assert_eq!(refused(json!({key.clone(): [1]})), [format!("{key}: must be a list of strings")]);
        people(json!({key.clone(): ["admin"]}));
        let global = key.to_uppercase();
        let file = json!({global.clone(): "admin", "DOMAIN": {}});
        assert_eq!(faults(&file), [format!("{global}: must be a list of strings")]);
    }
}

/// CFG-06: also where either comes from the globals.
#[test]
fn an_owner_can_not_be_an_id() {
    let told = ["auth_field: must not be the id field"];
    assert_eq!(refused(json!({"auth_field": "_id"})), told);
    assert_eq!(refused(json!({"auth_field": "isbn", "id_field": "isbn"})), told);
    assert_eq!(faults(&json!({"AUTH_FIELD": "_id", "DOMAIN": {"r": {}}})), [format!("r: {}", told[0])]);
    people(json!({"auth_field": "_id", "id_field": "isbn", "schema": {"isbn": {"type": "string"}}}));
}

/// CFG-07 (F): the names that are configured.
#[test]
fn automatic_fields_can_not_be_in_a_schema() {
    let told = |name: &str| format!("field '{name}': not allowed: it is handled automatically");
    let schema = json!({"_created": {}, "_updated": {}, "_etag": {}, "name": {}});
    let mut all = refused(json!({"schema": schema.clone()}));
    all.sort();
    assert_eq!(all, [told("_created"), told("_etag"), told("_updated")]);
    let file = json!({
        "DATE_CREATED": "made", "LAST_UPDATED": "changed", "ETAG": "tag",
        "DOMAIN": {"fine": {"schema": schema}, "r": {"schema": {"made": {}, "tag": {}}}},
    });
    assert_eq!(faults(&file), [format!("r: {}", told("made")), format!("r: {}", told("tag"))]);
}

/// CFG-08: at the root, and wherever else fields have names.
#[test]
fn names_of_fields_have_neither_dots_nor_dollars() {
    let told = |path: &str| format!("field '{path}': a name cannot be empty or contain any of '$', '.'");
    assert_eq!(refused(json!({"schema": {"a.b": {}, "$c": {}}})), [told("a.b"), told("$c")]);
    let dict = json!({"type": "dict", "schema": {"x.y": {}, "fine": {}}});
    assert_eq!(refused(json!({"schema": {"a": dict.clone()}})), [told("a.x.y")]);
    assert_eq!(refused(json!({"schema": {"a": {"type": "list", "schema": dict}}})), [told("a[].x.y")]);
}

/// CFG-09: a reference says where it leads, by default to the id field of the resource that holds it.
#[test]
fn a_reference_names_its_resource() {
    let to = |relation: Value| json!({"schema": {"a": {"data_relation": relation}}});
    assert_eq!(refused(to(json!({"field": "x"}))), ["field 'a': data_relation: 'resource' key is mandatory"]);
    assert_eq!(refused(to(json!({"resource": "gone"}))), ["field 'a': data_relation: there is no resource 'gone'"]);
    let relation = json!({"data_relation": {"resource": "people"}});
    let resource = people(json!({
        "id_field": "isbn",
        "schema": {
            "isbn": {"type": "string"},
            "a": relation.clone(),
            "d": {"type": "dict", "schema": {"l": {"type": "list", "schema": relation}}},
            "named": {"data_relation": {"resource": "people", "field": "name"}},
        },
    }));
    let field = |field: &crate::domain::Field| field.data_relation().unwrap().field.clone();
    assert_eq!(field(&resource.schema["a"]), "isbn");
    assert_eq!(field(&resource.schema["d"].fields().unwrap()["l"]), "isbn");
    assert_eq!(field(&resource.schema["named"]), "name");
}

/// CFG-13: where documents come from if nobody says.
#[test]
fn a_datasource_is_the_collection_of_the_resources_name() {
    for datasource in [json!({}), json!({"filter": null, "default_sort": null, "aggregation": null})] {
        let found = people(json!({"datasource": datasource})).datasource.clone();
        assert_eq!(found.source, "people");
        assert_eq!(found.filter.for_operator(), Filter::All);
        assert!(found.default_sort.is_empty());
        assert_eq!(found.projection.keys().collect::<Vec<_>>(), ["_id", "_updated", "_created", "_etag"]);
    }
    let url = people(json!({"url": "a/b"}));
    assert_eq!(url.datasource.source, "people");
}

/// CFG-20, RENDERERS: JSON is the one renderer of this version; what asks for less or more is told.
#[test]
fn json_is_the_only_renderer() {
    for fine in
        [json!({"XML": false}), json!({"JSON": true, "XML": false}), json!({"RENDERERS": ["eve.render.JSONRenderer"]})]
    {
        let mut file = fine;
        file["DOMAIN"] = json!({});
        read(&file);
    }
    for (setting, told) in [
        (json!({"JSON": false}), "JSON: is the only renderer and can't be switched off"),
        (json!({"XML": true}), "XML: not supported by this version"),
        (json!({"RENDERERS": []}), "RENDERERS: must name a renderer"),
        (json!({"RENDERERS": ["eve.render.XMLRenderer"]}), "RENDERERS: XML is not supported by this version"),
        (json!({"RENDERERS": ["my.Renderer"]}), "RENDERERS: there is no renderer my.Renderer"),
    ] {
        let mut file = setting;
        file["DOMAIN"] = json!({});
        assert_eq!(faults(&file), [told]);
    }
}

/// POST-12: there is nothing to wait for.
#[test]
fn a_write_concern_is_ignored_and_said_to_be() {
    let file = json!({"MONGO_WRITE_CONCERN": {"w": 5}, "DOMAIN": {"r": {"mongo_write_concern": {"w": 0}}}});
    let ignored = "ignored: every write is durable";
    assert_eq!(
        read(&file).warnings,
        [format!("MONGO_WRITE_CONCERN: {ignored}"), format!("r: mongo_write_concern: {ignored}")]
    );
}

/// AUTH-08: in the place of classes there are two words.
#[test]
fn an_authentication_that_is_not_there_stops_the_start() {
    for unknown in [json!("basic"), json!("TokenAuth"), json!({"class": "Mine"}), json!(true)] {
        assert_eq!(refused(json!({"authentication": unknown})), ["authentication: must be \"oauth2\" or \"none\""]);
    }
}

/// Section 2.1: what headers and limits can't be.
#[test]
fn settings_about_the_network_are_checked() {
    for (setting, told) in [
        (json!({"X_DOMAINS": 5}), "X_DOMAINS: must be a string, a list of strings or null"),
        (json!({"X_DOMAINS": "*", "X_HEADERS": "a\nb"}), "X_HEADERS: must hold names of headers"),
        (json!({"X_DOMAINS": "*", "X_MAX_AGE": -1}), "X_MAX_AGE: must be a whole number from 0 to 4294967295"),
        (json!({"X_ALLOW_CREDENTIALS": "true"}), "X_ALLOW_CREDENTIALS: must be true or false"),
        (json!({"RATE_LIMIT_GET": 5}), "RATE_LIMIT_GET: must be [calls, seconds], both at least 1, or null"),
        (json!({"RATE_LIMIT_PUT": [0, 60]}), "RATE_LIMIT_PUT: must be [calls, seconds], both at least 1, or null"),
        (json!({"STANDARD_ERRORS": 404}), "STANDARD_ERRORS: must be a list of statuses"),
        (json!({"CACHE_CONTROL": "a\nb"}), "CACHE_CONTROL: can't be said in a header"),
        (json!({"HEADER_TOTAL_COUNT": "X Total"}), "HEADER_TOTAL_COUNT: is no name of a header"),
    ] {
        let mut file = setting;
        file["DOMAIN"] = json!({});
        assert_eq!(faults(&file), [told]);
    }
    let quiet = read(&json!({"X_DOMAINS": null, "X_MAX_AGE": null, "RATE_LIMIT_GET": null, "DOMAIN": {}}));
    assert!(quiet.settings.cors.is_none() && quiet.settings.rate_limits.is_empty() && quiet.warnings.is_empty());
}

/// Contract 2.4: a type of the domain's own stands on one built-in type.
#[test]
fn types_are_built_in_ones_with_bounds() {
    let file = json!({
        "TYPES": {
            "string": {"type": "string"}, "none": {}, "odd": {"type": "integer", "maxlength": 5}, "text": 5,
            "two": {"type": ["string", "integer"]}, "on": {"type": "odd"}, "re": {"type": "string", "regex": "("},
        },
        "DOMAIN": {},
    });
    let told = faults(&file);
    for fault in [
        "TYPES: field 'string': is a built-in type",
        "TYPES: field 'none': type: must name the one built-in type it stands on",
        "TYPES: field 'odd': maxlength: a type has only type, regex, min, max",
        "TYPES: field 'text': must be a mapping",
        "TYPES: field 'two': type: must name the one built-in type it stands on",
        "TYPES: field 'on': type: there is no type 'odd'",
    ] {
        assert!(told.iter().any(|line| line == fault), "{fault} is missing in {told:#?}");
    }
    assert!(told.iter().any(|line| line.starts_with("TYPES: field 're': regex: can't be compiled")), "{told:#?}");
}

/// Contract 2.4: a filter by claims is of no use to those who show none.
#[test]
fn a_filter_by_claims_needs_tokens() {
    let filter = json!({"filter": {"team": "${team}"}});
    let told = refused(json!({"datasource": filter.clone(), "public_methods": ["GET", "POST"]}));
    assert_eq!(told, ["datasource.filter: claims need a token, and GET is public"]);
    people(json!({"datasource": filter, "public_methods": ["POST"]}));
}

/// CFG-07, CFG-08: what the service keeps itself has names that stores can address, each its own.
#[test]
fn names_of_the_service_can_not_be_the_same() {
    for (setting, name, message) in [
        ("ETAG", "a.b", "a name cannot be empty or contain any of '$', '.'"),
        ("LAST_UPDATED", "", "a name cannot be empty or contain any of '$', '.'"),
        ("LAST_UPDATED", "_id", "'_id' is the store's own"),
        ("DATE_CREATED", "_updated", "'_updated' is what LAST_UPDATED says, too"),
        ("ETAG", "_links", "'_links' is what LINKS says, too"),
        ("QUERY_SORT", "where", "'where' is what QUERY_WHERE says, too"),
    ] {
        assert_eq!(faults(&json!({setting: name, "DOMAIN": {}})), [format!("{setting}: {message}")]);
    }
    parse(Format::Json, &json!({"LAST_UPDATED": "_created", "DATE_CREATED": "made", "DOMAIN": {}}).to_string())
        .unwrap();
    assert_eq!(refused(json!({"id_field": "a.b"})), ["id_field: a name cannot be empty or contain any of '$', '.'"]);
    assert!(refused(json!({"id_field": "_etag"})).contains(&"id_field: '_etag' is handled automatically".to_owned()));
}
