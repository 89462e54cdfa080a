//! The upper-case settings: those that stay global, and the defaults of resources (contract section 2.1).

use std::collections::BTreeSet;

use bson::{Bson, Document};

use super::hooks::{self, AppHooks};
use super::names;
use super::network;
use super::section::{Section, natural};
use crate::domain::{AllowedFilters, DateFormat, Method, Settings};

/// What resources fall back to (CFG-11).
pub struct Defaults {
    pub resource_methods: BTreeSet<Method>,
    pub item_methods: BTreeSet<Method>,
    pub public_methods: BTreeSet<Method>,
    pub public_item_methods: BTreeSet<Method>,
    pub allowed_roles: Vec<String>,
    pub allowed_read_roles: Vec<String>,
    pub allowed_write_roles: Vec<String>,
    pub allowed_item_roles: Vec<String>,
    pub allowed_item_read_roles: Vec<String>,
    pub allowed_item_write_roles: Vec<String>,
    pub id_field: String,
    pub item_lookup: bool,
    pub item_lookup_field: String,
    pub item_url: String,
    pub auth_field: Option<String>,
    pub cache_control: String,
    pub cache_expires: u32,
    pub allow_unknown: bool,
    pub allowed_filters: AllowedFilters,
    pub sorting: bool,
    pub projection: bool,
    pub embedding: bool,
    pub pagination: bool,
    pub pagination_limit: u64,
    pub optimize_pagination_for_speed: bool,
    pub hateoas: bool,
    pub bulk_enabled: bool,
    pub internal: bool,
    pub extra_response_fields: Vec<String>,
    pub merge_nested_documents: bool,
    pub normalize_dotted_fields: bool,
    pub normalize_on_patch: bool,
    pub mongo_query_whitelist: BTreeSet<String>,
    pub hooks: AppHooks,
}

pub const RESOURCE_METHODS: [Method; 3] = [Method::Get, Method::Post, Method::Delete];
pub const ITEM_METHODS: [Method; 4] = [Method::Get, Method::Patch, Method::Delete, Method::Put];
pub const ALL_METHODS: [Method; 5] = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];

/// What to say of a setting whose feature is not served.
enum Unserved {
    /// Its default serves as well: nothing.
    Silent,
    /// Ignoring it harms nobody: a warning.
    Warn(&'static str),
    /// `true`, a text or a filled list would change answers: a fault.
    Fault,
}

const STORE: Unserved = Unserved::Warn("ignored: the store is named in the service's own configuration");

const UNSERVED: &[(&str, Unserved)] = &[
    ("VERSIONING", Unserved::Fault),
    ("SOFT_DELETE", Unserved::Fault),
    ("OPLOG", Unserved::Fault),
    ("RETURN_MEDIA_AS_URL", Unserved::Fault),
    ("EXTENDED_MEDIA_INFO", Unserved::Fault),
    ("VERSIONS", Unserved::Silent),
    ("VERSION_ID_SUFFIX", Unserved::Silent),
    ("VERSION_DIFF_INCLUDE", Unserved::Silent),
    ("OPLOG_NAME", Unserved::Silent),
    ("OPLOG_ENDPOINT", Unserved::Silent),
    ("OPLOG_METHODS", Unserved::Silent),
    ("OPLOG_CHANGE_METHODS", Unserved::Silent),
    ("OPLOG_AUDIT", Unserved::Silent),
    ("OPLOG_RETURN_EXTRA_FIELD", Unserved::Silent),
    ("RETURN_MEDIA_AS_BASE64_STRING", Unserved::Silent),
    ("MEDIA_ENDPOINT", Unserved::Silent),
    ("MEDIA_URL", Unserved::Silent),
    ("MEDIA_BASE_URL", Unserved::Silent),
    ("MEDIA_STORAGE", Unserved::Silent),
    ("ITEM_CACHE_CONTROL", Unserved::Silent),
    ("MONGO_URI", STORE),
    ("MONGO_HOST", STORE),
    ("MONGO_PORT", STORE),
    ("MONGO_DBNAME", STORE),
    ("MONGO_USERNAME", STORE),
    ("MONGO_PASSWORD", STORE),
    ("MONGO_AUTH_SOURCE", STORE),
    ("MONGO_AUTH_MECHANISM", STORE),
    ("MONGO_AUTH_MECHANISM_PROPERTIES", STORE),
    ("MONGO_REPLICA_SET", STORE),
    ("MONGO_CONNECT", STORE),
    ("MONGO_OPTIONS", STORE),
    ("MONGO_WRITE_CONCERN", Unserved::Warn("ignored: every write is durable")),
];

/// The settings and defaults of the file's top level; `DOMAIN` and the registries are read elsewhere.
pub fn read(section: &Section<'_>) -> (Settings, Defaults) {
    unserved(section);
    renderers(section);
    let nothing = Document::new();
    let resources = section.get("DOMAIN").and_then(Bson::as_document).unwrap_or(&nothing);
    let hooks = hooks::read_app(section, resources);
    let settings = settings(section, &hooks);
    let defaults = defaults(section, &settings, hooks);
    (settings, defaults)
}

fn settings(section: &Section<'_>, hooks: &AppHooks) -> Settings {
    let trimmed = |key| section.text(key, "").trim_matches('/').to_owned();
    Settings {
        url_prefix: trimmed("URL_PREFIX"),
        api_version: trimmed("API_VERSION"),
        date_format: DateFormat::new(&section.text("DATE_FORMAT", crate::domain::RFC_1123)).unwrap_or_else(|error| {
            section.fault("DATE_FORMAT", error);
            DateFormat::default()
        }),
        debug: section.flag("DEBUG", false),
        names: names::names(section),
        info: section.optional_text("INFO", None),
        validation_error_status: status(section),
        validation_error_as_list: section.flag("VALIDATION_ERROR_AS_LIST", false),
        allow_override_http_method: section.flag("ALLOW_OVERRIDE_HTTP_METHOD", true),
        upsert_on_put: section.flag("UPSERT_ON_PUT", true),
        bandwidth_saver: section.flag("BANDWIDTH_SAVER", true),
        if_match: section.flag("IF_MATCH", true),
        enforce_if_match: section.flag("ENFORCE_IF_MATCH", true),
        hateoas: section.flag("HATEOAS", true),
        cache_control: section.header_value("CACHE_CONTROL", ""),
        cache_expires: seconds(section, "CACHE_EXPIRES", 0),
        validate_filters: section.flag("VALIDATE_FILTERS", false),
        pagination_default: section.natural("PAGINATION_DEFAULT", 25, u64::from(u32::MAX)),
        query_names: names::query_names(section),
        header_total_count: header_name(section, "HEADER_TOTAL_COUNT", "X-Total-Count"),
        json_sort_keys: section.flag("JSON_SORT_KEYS", false),
        json_request_content_types: section.texts("JSON_REQUEST_CONTENT_TYPES", &["application/json".to_owned()]),
        auto_collapse_multi_keys: section.flag("AUTO_COLLAPSE_MULTI_KEYS", false),
        auto_create_lists: section.flag("AUTO_CREATE_LISTS", false),
        allow_custom_fields_in_geojson: section.flag("ALLOW_CUSTOM_FIELDS_IN_GEOJSON", false),
        schema_endpoint: section.optional_text("SCHEMA_ENDPOINT", None),
        mongo_query_blacklist: section
            .texts("MONGO_QUERY_BLACKLIST", &["$where".to_owned(), "$regex".to_owned()])
            .into_iter()
            .collect(),
        public_methods: section.methods("PUBLIC_METHODS", &BTreeSet::new(), &ALL_METHODS),
        allowed_roles: section.texts("ALLOWED_ROLES", &[]),
        allowed_read_roles: section.texts("ALLOWED_READ_ROLES", &[]),
        allowed_write_roles: section.texts("ALLOWED_WRITE_ROLES", &[]),
        auth_value_claim: section.optional_text("AUTH_VALUE_CLAIM", None),
        compat_basic_challenge: section.flag("COMPAT_BASIC_CHALLENGE", false),
        jsonp_argument: section.optional_text("JSONP_ARGUMENT", None).filter(|name| !name.is_empty()),
        multipart_form_fields_as_json: section.flag("MULTIPART_FORM_FIELDS_AS_JSON", false),
        html_errors: html_errors(section),
        cors: network::cors(section),
        hooks: hooks.of_none(),
        rate_limits: network::rate_limits(section),
    }
}

fn defaults(section: &Section<'_>, settings: &Settings, hooks: AppHooks) -> Defaults {
    let get = BTreeSet::from([Method::Get]);
    let none = BTreeSet::new();
    Defaults {
        resource_methods: section.methods("RESOURCE_METHODS", &get, &RESOURCE_METHODS),
        item_methods: section.methods("ITEM_METHODS", &get, &ITEM_METHODS),
        public_methods: settings.public_methods.clone(),
        public_item_methods: section.methods("PUBLIC_ITEM_METHODS", &none, &ALL_METHODS),
        allowed_roles: settings.allowed_roles.clone(),
        allowed_read_roles: settings.allowed_read_roles.clone(),
        allowed_write_roles: settings.allowed_write_roles.clone(),
        allowed_item_roles: section.texts("ALLOWED_ITEM_ROLES", &[]),
        allowed_item_read_roles: section.texts("ALLOWED_ITEM_READ_ROLES", &[]),
        allowed_item_write_roles: section.texts("ALLOWED_ITEM_WRITE_ROLES", &[]),
        id_field: section.text("ID_FIELD", "_id"),
        item_lookup: section.flag("ITEM_LOOKUP", true),
        item_lookup_field: section.text("ITEM_LOOKUP_FIELD", "_id"),
        item_url: section.text("ITEM_URL", "regex(\"[a-f0-9]{24}\")"),
        auth_field: section.optional_text("AUTH_FIELD", None),
        cache_control: settings.cache_control.clone(),
        cache_expires: settings.cache_expires,
        allow_unknown: section.flag("ALLOW_UNKNOWN", false),
        allowed_filters: allowed_filters(section, "ALLOWED_FILTERS", &AllowedFilters::All),
        sorting: section.flag("SORTING", true),
        projection: section.flag("PROJECTION", true),
        embedding: section.flag("EMBEDDING", true),
        pagination: section.flag("PAGINATION", true),
        pagination_limit: section.natural("PAGINATION_LIMIT", 50, u64::from(u32::MAX)),
        optimize_pagination_for_speed: section.flag("OPTIMIZE_PAGINATION_FOR_SPEED", false),
        hateoas: settings.hateoas,
        bulk_enabled: section.flag("BULK_ENABLED", true),
        internal: section.flag("INTERNAL_RESOURCE", false),
        extra_response_fields: section.texts("EXTRA_RESPONSE_FIELDS", &[]),
        merge_nested_documents: section.flag("MERGE_NESTED_DOCUMENTS", true),
        normalize_dotted_fields: section.flag("NORMALIZE_DOTTED_FIELDS", true),
        normalize_on_patch: section.flag("NORMALIZE_ON_PATCH", true),
        mongo_query_whitelist: section.texts("MONGO_QUERY_WHITELIST", &[]).into_iter().collect(),
        hooks,
    }
}

/// RFC 9110, 5.6.2: a token.
fn header_name(section: &Section<'_>, key: &'static str, default: &str) -> String {
    let name = section.text(key, default);
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.is_empty() && name.bytes().all(token) {
        return name;
    }
    section.fault(key, "is no name of a header");
    default.to_owned()
}

pub fn seconds(section: &Section<'_>, key: &'static str, default: u32) -> u32 {
    let number = section.natural(key, u64::from(default), u64::from(u32::MAX));
    u32::try_from(number).unwrap_or(default)
}

/// `"*"` anywhere in the list allows all (FILT-10).
pub fn allowed_filters(section: &Section<'_>, key: &'static str, default: &AllowedFilters) -> AllowedFilters {
    if section.get(key).is_none() {
        return default.clone();
    }
    let names = section.texts(key, &["*".to_owned()]);
    if names.iter().any(|name| name == "*") { AllowedFilters::All } else { AllowedFilters::Only(names) }
}

fn status(section: &Section<'_>) -> u16 {
    let status = section.natural("VALIDATION_ERROR_STATUS", 422, 599);
    match u16::try_from(status) {
        Ok(status @ 400..=599) => status,
        _ => {
            section.fault("VALIDATION_ERROR_STATUS", "must be a status from 400 to 599");
            422
        }
    }
}

/// Eve's default of STANDARD_ERRORS.
const STANDARD_ERRORS: [u16; 12] = [400, 401, 403, 404, 405, 406, 409, 410, 412, 422, 428, 429];

/// What Eve never gives its error body to by default has ours in any case (contract section 20, F).
fn html_errors(section: &Section<'_>) -> BTreeSet<u16> {
    let Some(value) = section.get("STANDARD_ERRORS") else { return BTreeSet::new() };
    let listed: Option<Vec<u64>> = value.as_array().and_then(|codes| codes.iter().map(natural).collect());
    let Some(listed) = listed else {
        section.fault("STANDARD_ERRORS", "must be a list of statuses");
        return BTreeSet::new();
    };
    STANDARD_ERRORS.into_iter().filter(|code| !listed.contains(&u64::from(*code))).collect()
}

fn unserved(section: &Section<'_>) {
    for (key, unserved) in UNSERVED {
        let Some(value) = section.get(key) else { continue };
        let on = match value {
            Bson::Null | Bson::Boolean(false) => false,
            Bson::Array(items) => !items.is_empty(),
            Bson::Document(members) => !members.is_empty(),
            _ => true,
        };
        match unserved {
            Unserved::Fault if on => section.fault(key, "not supported by this version"),
            Unserved::Warn(message) if on => section.warn(key, message),
            _ => {}
        }
    }
}

/// JSON is the one renderer (CFG-20, RENDERERS).
fn renderers(section: &Section<'_>) {
    let renderers = section.texts("RENDERERS", &["eve.render.JSONRenderer".to_owned()]);
    if renderers.is_empty() {
        section.fault("RENDERERS", "must name a renderer");
    }
    for name in renderers {
        match name.as_str() {
            "eve.render.JSONRenderer" => {}
            "eve.render.XMLRenderer" => section.fault("RENDERERS", "XML is not supported by this version"),
            _ => section.fault("RENDERERS", format!("there is no renderer {name}")),
        }
    }
    if !section.flag("JSON", true) {
        section.fault("JSON", "is the only renderer and can't be switched off");
    }
    if section.flag("XML", false) {
        section.fault("XML", "not supported by this version");
    }
}
