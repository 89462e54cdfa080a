//! One entry of `DOMAIN` with every default resolved (contract section 2.2, CFG-03 to CFG-15).

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};

use super::datasource;
use super::global::{ALL_METHODS, Defaults, ITEM_METHODS, RESOURCE_METHODS, allowed_filters, seconds};
use super::hooks;
use super::names::{NO_FIELD_NAME, is_field_name};
use super::schema::{self, SchemaReader};
use super::section::{Report, Section, texts};
use super::types::Types;
use crate::domain::{
    AdditionalLookup, FieldType, Method, RequiredScopes, Resource, Roles, Rule, Settings, connections,
};

/// What a resource is read with.
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub defaults: &'a Defaults,
    pub registries: schema::Registries<'a>,
    pub types: Types,
    pub report: &'a Report,
}

/// Reads one resource, and the prefix of its connection; its faults are in the report.
pub fn read(key: &str, document: &Document, context: &Context<'_>) -> (Resource, String) {
    let defaults = context.defaults;
    let section = Section::new(Some(key), "", document, context.report);
    unserved(&section);

    let url = section.text("url", key);
    if url.trim_matches('/').is_empty() {
        section.fault("url", "must not be empty");
    }
    let item_lookup = section.flag("item_lookup", defaults.item_lookup);
    let item_default = if item_lookup { defaults.item_methods.clone() } else { BTreeSet::from([Method::Get]) };
    let id_field = section.text("id_field", &defaults.id_field);
    let kept = &context.settings.names;
    if !is_field_name(&id_field) {
        section.fault("id_field", NO_FIELD_NAME);
    } else if [&kept.last_updated, &kept.date_created, &kept.etag].contains(&&id_field) {
        section.fault("id_field", format!("'{id_field}' is handled automatically"));
    }
    let auth_field = section.optional_text("auth_field", defaults.auth_field.as_deref());
    if auth_field.as_deref() == Some(&id_field) {
        section.fault("auth_field", "must not be the id field");
    }
    let allow_unknown = section.flag("allow_unknown", defaults.allow_unknown);
    let (written_schema, schema) = read_schema(key, &section, &id_field, context);

    let (mut public_methods, mut public_item_methods) = (
        section.methods("public_methods", &defaults.public_methods, &ALL_METHODS),
        section.methods("public_item_methods", &defaults.public_item_methods, &ALL_METHODS),
    );
    if is_open(&section) {
        public_methods = ALL_METHODS.into();
        public_item_methods = ALL_METHODS.into();
    }
    let pagination_limit = section.natural("pagination_limit", 0, u64::from(u32::MAX));
    let indexes = datasource::indexes(&section, &schema, &id_field, auth_field.as_deref());
    let mut datasource = datasource::read(key, &section, &schema, &id_field, allow_unknown, context);
    let prefix = prefix(&section);
    datasource.source = connections::at(&prefix.to_ascii_uppercase(), &datasource.source);

    let public: Vec<&str> =
        public_methods.union(&public_item_methods).filter(|it| **it != Method::Post).map(|it| it.name()).collect();
    if datasource.filter.claims().next().is_some() && !public.is_empty() {
        let message = format!("claims need a token, and {} is public", public.join(", "));
        section.fault("datasource.filter", message);
    }

    let resource = Resource {
        key: key.to_owned(),
        title: section.text("resource_title", &url),
        item_title: section.text("item_title", &item_title(key)),
        url,
        resource_methods: section.methods("resource_methods", &defaults.resource_methods, &RESOURCE_METHODS),
        item_methods: section.methods("item_methods", &item_default, &ITEM_METHODS),
        public_methods,
        public_item_methods,
        roles: roles(&section, defaults),
        required_scopes: required_scopes(key, &section),
        auth_field,
        item_lookup,
        item_lookup_field: section.text("item_lookup_field", &defaults.item_lookup_field),
        item_url: section.text("item_url", &defaults.item_url),
        additional_lookup: additional_lookup(&section, &schema),
        datasource,
        written_schema,
        allow_unknown,
        allowed_filters: allowed_filters(&section, "allowed_filters", &defaults.allowed_filters),
        sorting: section.flag("sorting", defaults.sorting),
        projection: section.flag("projection", defaults.projection),
        embedding: section.flag("embedding", defaults.embedding),
        embedded_fields: section.texts("embedded_fields", &[]),
        pagination: section.flag("pagination", defaults.pagination),
        pagination_limit: if pagination_limit == 0 { defaults.pagination_limit } else { pagination_limit },
        optimize_pagination_for_speed: section
            .flag("optimize_pagination_for_speed", defaults.optimize_pagination_for_speed),
        hateoas: section.flag("hateoas", defaults.hateoas),
        bulk_enabled: section.flag("bulk_enabled", defaults.bulk_enabled),
        internal: section.flag("internal_resource", defaults.internal),
        cache_control: section.header_value("cache_control", &defaults.cache_control),
        cache_expires: seconds(&section, "cache_expires", defaults.cache_expires),
        extra_response_fields: section.texts("extra_response_fields", &defaults.extra_response_fields),
        merge_nested_documents: section.flag("merge_nested_documents", defaults.merge_nested_documents),
        normalize_dotted_fields: section.flag("normalize_dotted_fields", defaults.normalize_dotted_fields),
        normalize_on_patch: section.flag("normalize_on_patch", defaults.normalize_on_patch),
        query_objectid_as_string: section.flag("query_objectid_as_string", false),
        etag_ignore_fields: match section.get("etag_ignore_fields") {
            Some(Bson::Null) => Vec::new(),
            _ => section.texts("etag_ignore_fields", &[]),
        },
        mongo_query_whitelist: match section.get("mongo_query_whitelist") {
            None => defaults.mongo_query_whitelist.clone(),
            Some(_) => section.texts("mongo_query_whitelist", &[]).into_iter().collect(),
        },
        indexes,
        hooks: hooks::read_own(key, &section, &defaults.hooks),
        schema,
        id_field,
    };
    section.finish();
    (resource, prefix)
}

/// `mongo_prefix`: letters, digits and underscores, as it begins the names of settings.
fn prefix(section: &Section<'_>) -> String {
    let prefix = section.optional_text("mongo_prefix", None).unwrap_or_else(|| connections::MAIN.to_owned());
    if !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return prefix;
    }
    section.fault("mongo_prefix", "must be letters, digits and underscores");
    connections::MAIN.to_owned()
}

/// The schema as written and as parsed, both with the id field (CFG-07, CFG-10).
fn read_schema(
    key: &str,
    section: &Section<'_>,
    id_field: &str,
    context: &Context<'_>,
) -> (Document, crate::domain::Schema) {
    let reader = SchemaReader::new(key, id_field, context);
    let empty = Bson::Document(Document::new());
    let written = section.get("schema").unwrap_or(&empty);
    let mut schema = reader.schema(written, "");
    let names = &context.settings.names;
    for name in [&names.date_created, &names.last_updated, &names.etag] {
        if schema.contains_key(name) {
            context.report.fault(Some(key), Some(name), None, "not allowed: it is handled automatically");
        }
    }
    let mut written = reader.resolve_schema(written).cloned().unwrap_or_default();
    written.iter_mut().for_each(|(_, rules)| show_target(rules, id_field));
    if !schema.contains_key(id_field) {
        schema.insert(id_field.to_owned(), schema::object_id());
        written.insert(id_field, doc! { "type": "objectid" });
    }
    (written, schema)
}

/// HOME-05, CFG-09: a `data_relation` shows the field it leads to, at any depth of dicts and lists.
fn show_target(rules: &mut Bson, id_field: &str) {
    let Bson::Document(rules) = rules else { return };
    if let Some(Bson::Document(relation)) = rules.get_mut("data_relation")
        && !relation.contains_key("field")
    {
        relation.insert("field", id_field);
    }
    let Some(schema) = rules.get_mut("schema") else { return };
    match schema {
        // The fields of a dict; the rules of a list's elements hold more than mappings.
        Bson::Document(fields) if fields.values().all(|value| matches!(value, Bson::Document(_))) => {
            fields.iter_mut().for_each(|(_, rules)| show_target(rules, id_field));
        }
        _ => show_target(schema, id_field),
    }
}

/// `"people"` → `"People"` (CFG-12).
fn item_title(key: &str) -> String {
    let stem = key.trim_end_matches('s');
    let mut letters = stem.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

fn roles(section: &Section<'_>, defaults: &Defaults) -> Roles {
    let both = |common: Vec<String>, own: Vec<String>| [common, own].concat();
    let common = section.texts("allowed_roles", &defaults.allowed_roles);
    let item = section.texts("allowed_item_roles", &defaults.allowed_item_roles);
    Roles {
        resource_read: both(common.clone(), section.texts("allowed_read_roles", &defaults.allowed_read_roles)),
        resource_write: both(common, section.texts("allowed_write_roles", &defaults.allowed_write_roles)),
        item_read: both(item.clone(), section.texts("allowed_item_read_roles", &defaults.allowed_item_read_roles)),
        item_write: both(item, section.texts("allowed_item_write_roles", &defaults.allowed_item_write_roles)),
    }
}

/// `<resource>:read` and `<resource>:write` unless the resource names its own (decisions 5).
fn required_scopes(key: &str, section: &Section<'_>) -> RequiredScopes {
    let mut scopes = RequiredScopes { read: vec![format!("{key}:read")], write: vec![format!("{key}:write")] };
    if let Some(written) = section.document("required_scopes") {
        for (kind, value) in written {
            let target = match kind.as_str() {
                "read" => &mut scopes.read,
                "write" => &mut scopes.write,
                _ => {
                    section.fault("required_scopes", format!("has no part {kind}: use read and write"));
                    continue;
                }
            };
            match texts(value) {
                Some(names) => *target = names,
                None => section.fault("required_scopes", format!("{kind} must be a list of strings")),
            }
        }
    }
    for scope in scopes.read.iter().chain(&scopes.write) {
        // RFC 6749, 3.3: scope-token.
        let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.is_empty() || !scope.bytes().all(token) {
            section.fault("required_scopes", format!("'{scope}' is not a scope: name others"));
        }
    }
    scopes
}

/// A second item URL (URL-04): for an integer field the converter is always `int`.
fn additional_lookup(section: &Section<'_>, schema: &crate::domain::Schema) -> Option<AdditionalLookup> {
    let written = section.document("additional_lookup")?;
    let inner = Section::new(section.resource, "additional_lookup.", written, section.report);
    let field = inner.text("field", "");
    let url = inner.text("url", "regex(\"[\\w]+\")");
    inner.finish();
    let Some(rules) = schema.get(&field) else {
        section.fault("additional_lookup", format!("field '{field}' is not in the schema"));
        return None;
    };
    let url = if rules.types == [FieldType::Integer] { "int".to_owned() } else { url };
    Some(AdditionalLookup { field, url })
}

/// `authentication: "none"` (or null) opens every method (contract 2.4).
fn is_open(section: &Section<'_>) -> bool {
    match section.get("authentication") {
        None => false,
        Some(Bson::Null) => true,
        Some(Bson::String(text)) if text == "none" => true,
        Some(Bson::String(text)) if text == "oauth2" => false,
        Some(_) => {
            section.fault("authentication", "must be \"oauth2\" or \"none\"");
            false
        }
    }
}

fn unserved(section: &Section<'_>) {
    for key in ["versioning", "soft_delete"] {
        let off = match section.get(key) {
            None | Some(Bson::Null | Bson::Boolean(false)) => true,
            Some(_) => false,
        };
        if !off {
            section.fault(key, "not supported by this version");
        }
    }
    if section.get("mongo_write_concern").is_some() {
        section.warn("mongo_write_concern", "ignored: every write is durable");
    }
}

/// References must lead somewhere (CFG-09).
pub fn check_relations(resources: &indexmap::IndexMap<String, std::sync::Arc<Resource>>, report: &Report) {
    for resource in resources.values() {
        for (path, relation) in relations(&resource.schema, "") {
            if !resources.contains_key(&relation.resource) {
                let message = format!("there is no resource '{}'", relation.resource);
                report.fault(Some(&resource.key), Some(&path), Some("data_relation"), message);
            }
        }
    }
}

fn relations<'a>(schema: &'a crate::domain::Schema, above: &str) -> Vec<(String, &'a crate::domain::DataRelation)> {
    let mut found = Vec::new();
    for (name, field) in schema {
        field_relations(field, &format!("{above}{name}"), &mut found);
    }
    found
}

fn field_relations<'a>(
    field: &'a crate::domain::Field,
    path: &str,
    found: &mut Vec<(String, &'a crate::domain::DataRelation)>,
) {
    for rule in &field.rules {
        match rule {
            Rule::DataRelation(relation) => found.push((path.to_owned(), relation)),
            Rule::Fields(fields) => found.extend(relations(fields, &format!("{path}."))),
            Rule::Elements(inner) | Rule::ValuesRules(inner) => field_relations(inner, path, found),
            Rule::Items(inner) | Rule::AnyOf(inner) | Rule::AllOf(inner) | Rule::OneOf(inner) | Rule::NoneOf(inner) => {
                inner.iter().for_each(|inner| field_relations(inner, path, found))
            }
            _ => {}
        }
    }
}
