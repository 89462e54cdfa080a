//! Settings about who calls from where, and how often: CORS and rate limits.

use std::collections::BTreeMap;

use bson::Bson;

use super::section::{Section, natural, texts};
use crate::domain::{CallLimit, Cors, origin_pattern};

/// X_DOMAINS and its like; `None`: no other origin is answered (CORS-01).
pub fn cors(section: &Section<'_>) -> Option<Cors> {
    let domains = one_or_more(section, "X_DOMAINS");
    let written = one_or_more(section, "X_DOMAINS_RE");
    let cors = Cors {
        patterns: written.iter().filter_map(|pattern| compiled(section, pattern)).collect(),
        allow_headers: header_list(section, "X_HEADERS"),
        expose_headers: header_list(section, "X_EXPOSE_HEADERS"),
        allow_credentials: match section.get("X_ALLOW_CREDENTIALS") {
            Some(Bson::Null) => false,
            _ => section.flag("X_ALLOW_CREDENTIALS", false),
        },
        max_age: match section.get("X_MAX_AGE") {
            Some(Bson::Null) => MAX_AGE,
            _ => super::global::seconds(section, "X_MAX_AGE", MAX_AGE),
        },
        domains,
    };
    (!cors.domains.is_empty() || !written.is_empty()).then_some(cors)
}

const MAX_AGE: u32 = 21600;

/// CORS-02: what is no pattern is ignored.
fn compiled(section: &Section<'_>, written: &str) -> Option<regex::Regex> {
    let pattern = origin_pattern(written);
    if pattern.is_err() {
        section.warn("X_DOMAINS_RE", &format!("'{written}' can't be compiled and matches no origin"));
    }
    pattern.ok()
}

/// A string counts as a list of one (CORS-02), null as none.
fn one_or_more(section: &Section<'_>, key: &'static str) -> Vec<String> {
    match section.get(key) {
        None | Some(Bson::Null) => Vec::new(),
        Some(Bson::String(one)) => vec![one.clone()],
        Some(value) => texts(value).unwrap_or_else(|| {
            section.fault(key, "must be a string, a list of strings or null");
            Vec::new()
        }),
    }
}

fn header_list(section: &Section<'_>, key: &'static str) -> String {
    let list = one_or_more(section, key).join(", ");
    if list.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return list;
    }
    section.fault(key, "must hold names of headers");
    String::new()
}

/// RATE_LIMIT_GET and its like, by the method (RATE-01).
pub fn rate_limits(section: &Section<'_>) -> BTreeMap<&'static str, CallLimit> {
    let keys = [
        ("GET", "RATE_LIMIT_GET"),
        ("HEAD", "RATE_LIMIT_HEAD"),
        ("POST", "RATE_LIMIT_POST"),
        ("PATCH", "RATE_LIMIT_PATCH"),
        ("PUT", "RATE_LIMIT_PUT"),
        ("DELETE", "RATE_LIMIT_DELETE"),
    ];
    let mut limits = BTreeMap::new();
    for (method, key) in keys {
        let Some(value) = section.get(key).filter(|value| **value != Bson::Null) else { continue };
        match call_limit(value) {
            Some(limit) => _ = limits.insert(method, limit),
            None => section.fault(key, "must be [calls, seconds], both at least 1, or null"),
        }
    }
    limits
}

fn call_limit(value: &Bson) -> Option<CallLimit> {
    let [calls, seconds] = value.as_array()?.as_slice() else { return None };
    let limit = CallLimit { calls: natural(calls)?, seconds: natural(seconds)?.try_into().ok()? };
    (limit.calls > 0 && limit.seconds > 0).then_some(limit)
}
