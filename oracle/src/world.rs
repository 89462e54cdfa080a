//! The APIs that are compared: one domain with many resources, served under different settings.

use jiff::Timestamp;
use jiff::civil::date;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

const BASE: &str = include_str!("../domains/base.json");
const WORLDS: &str = include_str!("../domains/worlds.json");

/// One domain file, and what a generator of requests has to know of it.
#[derive(Debug)]
pub struct World {
    pub name: String,
    pub domain: Value,
    pub resources: Vec<Resource>,
    pub words: Words,
    /// Whether callers show who they are.
    pub tokens: bool,
}

/// Names and formats that settings can change.
#[derive(Debug)]
pub struct Words {
    /// `/` and the segments of URL_PREFIX and API_VERSION, or nothing.
    pub prefix: String,
    pub filter: String,
    pub sort: String,
    pub projection: String,
    pub page: String,
    pub max_results: String,
    pub embedded: String,
    pub updated: String,
    pub created: String,
    pub etag: String,
    pub items: String,
    pub links: String,
    pub meta: String,
    pub status: String,
    pub issues: String,
    pub schema_endpoint: Option<String>,
    pub date_format: String,
}

/// One entry of DOMAIN.
#[derive(Debug)]
pub struct Resource {
    pub key: String,
    pub url: Vec<Segment>,
    pub source: String,
    /// With every field's rules resolved, also the id's.
    pub schema: Map<String, Value>,
    pub id_field: String,
    pub lookup_field: String,
    pub item_url: String,
    pub item_lookup: bool,
    /// Field and converter of the second item URL.
    pub additional: Option<(String, String)>,
    pub resource_methods: Vec<String>,
    pub item_methods: Vec<String>,
    pub internal: bool,
    pub allow_unknown: bool,
    pub settings: Map<String, Value>,
}

/// Between two slashes of a resource's url.
#[derive(Debug, Clone)]
pub enum Segment {
    Text(String),
    Field { name: String, converter: String },
}

impl World {
    /// All of them.
    pub fn all() -> Result<Vec<World>, serde_json::Error> {
        let worlds: Vec<Value> = serde_json::from_str(WORLDS)?;
        worlds.iter().map(World::new).collect()
    }

    fn new(written: &Value) -> Result<World, serde_json::Error> {
        let mut domain: Value = serde_json::from_str(BASE)?;
        for (key, value) in members(&written["settings"]) {
            domain[key] = value.clone();
        }
        for (resource, settings) in members(&written["resources"]) {
            for (key, value) in members(settings) {
                domain["DOMAIN"][resource][key] = value.clone();
            }
        }
        let resources = members(&domain["DOMAIN"]).map(|(key, value)| Resource::new(key, value, &domain)).collect();
        let tokens = domain["TOKENS"] == true;
        Ok(World { name: text(written, "name", "").to_owned(), words: Words::new(&domain), resources, tokens, domain })
    }

    pub fn resource(&self, key: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.key == key)
    }

    /// All scopes of resource-api for this domain.
    pub fn scopes(&self) -> String {
        let keys = self.resources.iter().map(|resource| &resource.key);
        keys.map(|key| format!("{key}:read {key}:write")).collect::<Vec<_>>().join(" ")
    }

    /// VALIDATION_ERROR_STATUS.
    pub fn status_of_invalid(&self) -> u16 {
        self.domain["VALIDATION_ERROR_STATUS"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(422)
    }

    /// An instant as the API writes it.
    pub fn date(&self, seconds: i64) -> String {
        format_date(&self.words.date_format, seconds)
    }
}

/// An instant in a format of strftime, in UTC.
pub fn format_date(format: &str, seconds: i64) -> String {
    match Timestamp::from_second(seconds) {
        Ok(moment) => strtime::format(format, &moment.to_zoned(TimeZone::UTC)),
        // The library's moments end a day earlier.
        Err(_) => strtime::format(format, date(9999, 12, 31).at(23, 59, 59, 0)),
    }
    .unwrap_or_default()
}

impl Words {
    fn new(domain: &Value) -> Self {
        let word = |key, default| text(domain, key, default).to_owned();
        let part = |key| match text(domain, key, "") {
            "" => String::new(),
            text => format!("/{text}"),
        };
        Words {
            prefix: part("URL_PREFIX") + &part("API_VERSION"),
            filter: word("QUERY_WHERE", "where"),
            sort: word("QUERY_SORT", "sort"),
            projection: word("QUERY_PROJECTION", "projection"),
            page: word("QUERY_PAGE", "page"),
            max_results: word("QUERY_MAX_RESULTS", "max_results"),
            embedded: word("QUERY_EMBEDDED", "embedded"),
            updated: word("LAST_UPDATED", "_updated"),
            created: word("DATE_CREATED", "_created"),
            etag: word("ETAG", "_etag"),
            items: word("ITEMS", "_items"),
            links: word("LINKS", "_links"),
            meta: word("META", "_meta"),
            status: word("STATUS", "_status"),
            issues: word("ISSUES", "_issues"),
            schema_endpoint: domain["SCHEMA_ENDPOINT"].as_str().map(str::to_owned),
            date_format: word("DATE_FORMAT", "%a, %d %b %Y %H:%M:%S GMT"),
        }
    }
}

impl Resource {
    fn new(key: &str, written: &Value, domain: &Value) -> Self {
        let or_global = |name: &str| match &written[name] {
            Value::Null => domain[name.to_uppercase()].clone(),
            own => own.clone(),
        };
        let global_text = |name: &str, default: &str| or_global(name).as_str().unwrap_or(default).to_owned();
        let methods = |name: &str| -> Vec<String> {
            let list = or_global(name);
            let names = list.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        };
        let id_field = global_text("id_field", "_id");
        let mut schema = Map::new();
        for (field, rules) in members(&written["schema"]) {
            schema.insert(field.clone(), resolve(rules, domain));
        }
        schema.entry(id_field.clone()).or_insert_with(|| serde_json::json!({ "type": "objectid" }));
        let item_lookup = or_global("item_lookup").as_bool().unwrap_or(true);
        let additional = &written["additional_lookup"];
        let additional = additional["field"].as_str().map(|field| {
            let converter = if schema[field]["type"] == "integer" { "int" } else { text(additional, "url", "") };
            (field.to_owned(), converter.to_owned())
        });
        Resource {
            key: key.to_owned(),
            url: segments(text(written, "url", key)),
            source: text(&written["datasource"], "source", key).to_owned(),
            lookup_field: global_text("item_lookup_field", "_id"),
            item_url: global_text("item_url", "regex(\"[a-f0-9]{24}\")"),
            resource_methods: methods("resource_methods"),
            item_methods: if item_lookup { methods("item_methods") } else { Vec::new() },
            internal: written["internal_resource"].as_bool().unwrap_or(false),
            allow_unknown: or_global("allow_unknown").as_bool().unwrap_or(false),
            settings: written.as_object().cloned().unwrap_or_default(),
            id_field,
            schema,
            item_lookup,
            additional,
        }
    }

    /// Whether only some fields are shown.
    pub fn projects(&self) -> bool {
        self.settings.get("datasource").is_some_and(|datasource| datasource["projection"].is_object())
    }

    /// Whether the datasource keeps a field of the schema from being shown.
    pub fn hides(&self, field: &str) -> bool {
        let written = self.settings.get("datasource").map(|datasource| &datasource["projection"]);
        let shown = |value: &Value| *value == 1 || *value == true;
        written.is_some_and(|projection| match projection.get(field) {
            Some(value) => !shown(value),
            None => members(projection).any(|(_, value)| shown(value)),
        })
    }

    /// Sources that references of this resource lead to.
    pub fn targets(&self) -> Vec<String> {
        let mut found = Vec::new();
        relations(&Value::Object(self.schema.clone()), &mut found);
        found
    }
}

fn relations(value: &Value, found: &mut Vec<String>) {
    if let Some(resource) = value["data_relation"]["resource"].as_str() {
        found.push(resource.to_owned());
    }
    match value {
        Value::Object(members) => members.values().for_each(|inner| relations(inner, found)),
        Value::Array(items) => items.iter().for_each(|inner| relations(inner, found)),
        _ => {}
    }
}

/// Names of the registries replaced by what they stand for, at every depth.
fn resolve(rules: &Value, domain: &Value) -> Value {
    let rules = match rules {
        Value::String(name) => &domain["RULES_SET_REGISTRY"][name],
        rules => rules,
    };
    let Value::Object(written) = rules else { return rules.clone() };
    let fields = |fields: &Value| {
        let resolved = members(fields).map(|(name, rules)| (name.clone(), resolve(rules, domain)));
        Value::Object(resolved.collect())
    };
    let resolved = written.iter().map(|(rule, argument)| {
        let argument = match (rule.as_str(), argument) {
            ("schema", Value::String(name)) => fields(&domain["SCHEMA_REGISTRY"][name]),
            ("schema", argument) if written.get("type").is_some_and(|kind| *kind == "dict") => fields(argument),
            ("schema", argument) => resolve(argument, domain),
            _ => argument.clone(),
        };
        (rule.clone(), argument)
    });
    Value::Object(resolved.collect())
}

fn segments(url: &str) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut rest = url;
    while !rest.is_empty() {
        if let Some(open) = rest.strip_prefix('<') {
            let (inside, after) = open.split_once('>').unwrap_or((open, ""));
            let (converter, name) = inside.rsplit_once(':').unwrap_or(("string", inside));
            found.push(Segment::Field { name: name.to_owned(), converter: converter.to_owned() });
            rest = after.trim_start_matches('/');
        } else {
            let (part, after) = rest.split_once('/').unwrap_or((rest, ""));
            found.push(Segment::Text(part.to_owned()));
            rest = after;
        }
    }
    found
}

fn text<'a>(value: &'a Value, key: &str, default: &'a str) -> &'a str {
    value[key].as_str().unwrap_or(default)
}

/// Of an object; nothing of anything else.
pub fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
