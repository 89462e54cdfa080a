//! What a domain file becomes once it is parsed and checked: plain, complete values; no setting is looked up later.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Bson, Document};
use indexmap::IndexMap;

use super::claims::DatasourceFilter;
use super::connections::Connections;
use super::cors::Cors;
use super::date_format::DateFormat;
use super::hooks::Hooks;
use super::schema::{FieldType, Schema};
use crate::query::Sort;

/// The whole API: the global settings and every resource in the file's order (CFG-22).
#[derive(Debug)]
pub struct Domain {
    pub settings: Settings,
    /// By resource key.
    pub resources: IndexMap<String, Arc<Resource>>,
    pub connections: Connections,
    /// What the file holds that has no effect, one line each (decisions 3).
    pub warnings: Vec<String>,
}

/// A scope that guards something, and what it allows in plain words (decisions 20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeText {
    pub scope: String,
    pub text: String,
}

impl Domain {
    pub fn resource(&self, key: &str) -> Option<&Arc<Resource>> {
        self.resources.get(key)
    }

    /// The path above every endpoint: `/api/v1`, or nothing.
    pub fn prefix(&self) -> String {
        [&self.settings.url_prefix, &self.settings.api_version]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| format!("/{part}"))
            .collect()
    }

    /// Every scope that some resource asks for, each once, in the file's order.
    pub fn scopes(&self) -> Vec<ScopeText> {
        let mut scopes: Vec<ScopeText> = Vec::new();
        for resource in self.resources.values().filter(|resource| !resource.internal) {
            let required = &resource.required_scopes;
            for (names, verb) in [(&required.read, "Read"), (&required.write, "Change")] {
                for scope in names {
                    match scopes.iter_mut().find(|known| known.scope == *scope) {
                        Some(known) => known.text.push_str(&format!("; {} {}", verb.to_lowercase(), resource.title)),
                        None => {
                            scopes.push(ScopeText { scope: scope.clone(), text: format!("{verb} {}", resource.title) })
                        }
                    }
                }
            }
        }
        scopes
    }
}

/// Eve's global settings that stay global (contract section 2.1), with their defaults applied.
#[derive(Debug, Clone)]
pub struct Settings {
    pub url_prefix: String,
    pub api_version: String,
    pub date_format: DateFormat,
    pub debug: bool,
    pub names: Names,
    pub info: Option<String>,
    pub validation_error_status: u16,
    pub validation_error_as_list: bool,
    pub allow_override_http_method: bool,
    pub upsert_on_put: bool,
    pub bandwidth_saver: bool,
    pub if_match: bool,
    pub enforce_if_match: bool,
    /// Home uses this one, resources their own.
    pub hateoas: bool,
    pub cache_control: String,
    pub cache_expires: u32,
    pub validate_filters: bool,
    pub pagination_default: u64,
    pub query_names: QueryNames,
    pub header_total_count: String,
    pub json_sort_keys: bool,
    pub json_request_content_types: Vec<String>,
    pub auto_collapse_multi_keys: bool,
    pub auto_create_lists: bool,
    pub allow_custom_fields_in_geojson: bool,
    pub schema_endpoint: Option<String>,
    pub mongo_query_blacklist: BTreeSet<String>,
    pub public_methods: BTreeSet<Method>,
    pub allowed_roles: Vec<String>,
    pub allowed_read_roles: Vec<String>,
    pub allowed_write_roles: Vec<String>,
    /// The claim compared with `auth_field`; `None` is the token's `sub` (contract 2.4).
    pub auth_value_claim: Option<String>,
    pub compat_basic_challenge: bool,
    /// The query's parameter that names a function to wrap JSON in (RESP-05).
    pub jsonp_argument: Option<String>,
    pub multipart_form_fields_as_json: bool,
    /// Those of Eve's standard errors that STANDARD_ERRORS leaves out: they have a page instead of a JSON body.
    pub html_errors: BTreeSet<u16>,
    pub cors: Option<Cors>,
    /// Of what belongs to no resource (HOOK-01).
    pub hooks: Hooks,
    /// By the method, HEAD being one of its own.
    pub rate_limits: BTreeMap<&'static str, CallLimit>,
}

/// So many calls in so many seconds (RATE-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    pub calls: u64,
    pub seconds: u32,
}

/// Configurable names of envelope members and stored meta fields.
#[derive(Debug, Clone)]
pub struct Names {
    pub status: String,
    pub status_ok: String,
    pub status_err: String,
    pub issues: String,
    pub error: String,
    pub items: String,
    pub links: String,
    pub meta: String,
    pub last_updated: String,
    pub date_created: String,
    pub etag: String,
    pub deleted: String,
    pub version: String,
    pub latest_version: String,
}

/// Configurable names of query parameters.
#[derive(Debug, Clone)]
pub struct QueryNames {
    pub filter: String,
    pub sort: String,
    pub projection: String,
    pub page: String,
    pub max_results: String,
    pub embedded: String,
    pub aggregation: String,
    pub version: String,
    pub show_deleted: String,
    /// Beyond Eve: cursors, and doing without a total.
    pub after: String,
    pub paginate: String,
    pub total: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Resource {
    /// What a value that refers to a document of this resource is looked for as: where ids are kept, a text that spells one
    /// means it (FILT-11).
    pub fn sought<'v>(&self, field: &str, value: &'v Bson) -> Cow<'v, Bson> {
        match value {
            Bson::String(text) if self.schema.get(field).is_some_and(|field| field.is(FieldType::ObjectId)) => {
                ObjectId::parse_str(text).map_or(Cow::Borrowed(value), |id| Cow::Owned(Bson::ObjectId(id)))
            }
            _ => Cow::Borrowed(value),
        }
    }
}

impl Method {
    pub const NAMES: [(&'static str, Method); 5] = [
        ("GET", Method::Get),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("PATCH", Method::Patch),
        ("DELETE", Method::Delete),
    ];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, method)| *method)
    }

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, method)| *method == self).map_or("", |(name, _)| name)
    }
}

/// One resource with every default resolved (contract section 2.2, CFG-11 to CFG-14).
#[derive(Debug)]
pub struct Resource {
    pub key: String,
    /// As written, for links and home; may hold `/` and `<converter:field>` parts.
    pub url: String,
    pub title: String,
    pub item_title: String,
    pub resource_methods: BTreeSet<Method>,
    pub item_methods: BTreeSet<Method>,
    pub public_methods: BTreeSet<Method>,
    pub public_item_methods: BTreeSet<Method>,
    pub roles: Roles,
    /// Overrides `<resource>:read` and `<resource>:write` (decisions 5).
    pub required_scopes: RequiredScopes,
    pub auth_field: Option<String>,
    pub id_field: String,
    pub item_lookup: bool,
    pub item_lookup_field: String,
    /// The converter of the item segment, as written (`regex("[a-f0-9]{24}")`).
    pub item_url: String,
    pub additional_lookup: Option<AdditionalLookup>,
    pub datasource: Datasource,
    pub schema: Schema,
    /// The schema as the file writes it, with the id field, for the schema endpoint (HOME-05).
    pub written_schema: Document,
    pub allow_unknown: bool,
    pub allowed_filters: AllowedFilters,
    pub sorting: bool,
    pub projection: bool,
    pub embedding: bool,
    pub embedded_fields: Vec<String>,
    pub pagination: bool,
    pub pagination_limit: u64,
    pub optimize_pagination_for_speed: bool,
    pub hateoas: bool,
    pub bulk_enabled: bool,
    pub internal: bool,
    pub cache_control: String,
    pub cache_expires: u32,
    pub extra_response_fields: Vec<String>,
    pub merge_nested_documents: bool,
    pub normalize_dotted_fields: bool,
    pub normalize_on_patch: bool,
    pub query_objectid_as_string: bool,
    pub etag_ignore_fields: Vec<String>,
    pub mongo_query_whitelist: BTreeSet<String>,
    /// From `mongo_indexes` and from unique rules; the latter are partial: documents without the field do not count.
    pub indexes: Vec<Index>,
    pub hooks: Hooks,
}

#[derive(Debug, Clone, Default)]
pub struct Roles {
    pub resource_read: Vec<String>,
    pub resource_write: Vec<String>,
    pub item_read: Vec<String>,
    pub item_write: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct RequiredScopes {
    pub read: Vec<String>,
    pub write: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct AdditionalLookup {
    pub field: String,
    /// The converter of the segment (`int` when the field is an integer).
    pub url: String,
}

#[derive(Debug, Clone)]
pub struct Datasource {
    /// The collection's name, with its connection (see [`connections`](super::connections)).
    pub source: String,
    pub filter: DatasourceFilter,
    /// Field (dotted paths allowed) to shown or hidden, after CFG-14; empty shows everything.
    pub projection: IndexMap<String, bool>,
    pub default_sort: Sort,
}

#[derive(Debug, Clone)]
pub enum AllowedFilters {
    All,
    /// An empty list turns `where` off.
    Only(Vec<String>),
}

/// An index of the store, as `mongo_indexes` describes it (CFG-19).
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    pub name: String,
    /// Dotted path and direction, in order.
    pub keys: Vec<(String, IndexDirection)>,
    pub unique: bool,
    /// Documents lacking any of the keys are left out (unique rules).
    pub sparse: bool,
    /// `mongo_indexes` options as written, for MongoDB.
    pub options: Document,
}

#[derive(Debug, Clone, PartialEq)]
pub enum IndexDirection {
    Ascending,
    Descending,
    /// "2d", "2dsphere", "text", "hashed": MongoDB only.
    Special(String),
}

/// A value as a domain file writes it: Extended JSON resolved.
pub type Value = Bson;
