//! Two answers side by side. Nothing here knows which servers they are from.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::server::Answer;
use crate::state::{Pair, State};
use crate::step::Step;
use crate::world::World;

/// Headers that clients see; others belong to the connection or to the server program.
const HEADERS: &[&str] = &[
    "content-type",
    "content-length",
    "etag",
    "last-modified",
    "location",
    "cache-control",
    "expires",
    "allow",
    "www-authenticate",
    "vary",
    "retry-after",
    "link",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-allow-methods",
    "access-control-max-age",
    "access-control-allow-credentials",
];

/// Seconds by which two servers may differ in a moment that each counts from its own now.
const SLACK: i64 = 2;

/// Where two answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Status,
    Header(String),
    /// Members and indexes from the root of the body.
    Body(Vec<String>),
    Etag,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Status => f.write_str("status"),
            Place::Header(name) => write!(f, "header {name}"),
            Place::Body(path) => write!(f, "body {}", path.join(".")),
            Place::Etag => f.write_str("etag"),
        }
    }
}

/// One place where two answers differ, and what stands there.
#[derive(Debug, Clone)]
pub struct Mismatch {
    pub place: Place,
    pub values: Pair<String>,
}

/// Everything that differs between two answers to one step.
pub fn compare(
    world: &World,
    step: &Step,
    state: &mut State,
    answers: &Pair<Answer>,
    urls: &Pair<&str>,
) -> Vec<Mismatch> {
    let (reference, tested) = (&answers.reference, &answers.tested);
    let mut found = Vec::new();
    if reference.status != tested.status {
        let values = Pair { reference: reference.status.to_string(), tested: tested.status.to_string() };
        found.push(Mismatch { place: Place::Status, values });
        return found;
    }
    let same_body = compare_bodies(world, step, state, reference, tested, &mut found) && found.is_empty();
    let total = total_header(world);
    for name in HEADERS.iter().copied().chain([total.as_str()]) {
        if matches!(name, "content-length" | "last-modified") && !same_body {
            continue;
        }
        // What tokens are asked for with, and who may keep the answers: differences `challenge` and `private-answers`.
        if world.tokens && matches!(name, "www-authenticate" | "cache-control" | "vary") {
            continue;
        }
        // CORS-02 (F): it is said wherever the origin is looked at.
        if name == "vary" && step.header("Origin").is_some() {
            continue;
        }
        let of_reference =
            reference.header(name).map(|value| state.aligned(value).replace(urls.reference, urls.tested));
        let of_tested = tested.header(name).map(str::to_owned);
        if !same_header(name, of_reference.as_deref(), of_tested.as_deref()) {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "(none)".to_owned());
            let values = Pair { reference: shown(of_reference), tested: shown(of_tested) };
            found.push(Mismatch { place: Place::Header(name.to_owned()), values });
        }
    }
    found
}

fn total_header(world: &World) -> String {
    world.domain["HEADER_TOTAL_COUNT"].as_str().unwrap_or("X-Total-Count").to_ascii_lowercase()
}

fn same_header(name: &str, reference: Option<&str>, tested: Option<&str>) -> bool {
    match (name, reference, tested) {
        ("allow" | "access-control-allow-methods", Some(reference), Some(tested)) => {
            methods(reference) == methods(tested)
        }
        ("expires", Some(reference), Some(tested)) => match (seconds(reference), seconds(tested)) {
            (Some(reference), Some(tested)) => (reference - tested).abs() <= SLACK,
            _ => false,
        },
        _ => reference == tested,
    }
}

fn methods(allow: &str) -> BTreeSet<&str> {
    allow.split(',').map(str::trim).collect()
}

fn seconds(date: &str) -> Option<i64> {
    let moment = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(moment.timestamp().as_second())
}

/// Notes what differs, and says whether the two should be of one length.
fn compare_bodies(
    world: &World,
    step: &Step,
    state: &mut State,
    reference: &Answer,
    tested: &Answer,
    found: &mut Vec<Mismatch>,
) -> bool {
    let (inside, inside_tested) = match (unwrapped(&reference.body), unwrapped(&tested.body)) {
        (Some((function, inside)), Some((other, inside_tested))) if function == other => (inside, inside_tested),
        _ => (reference.body.as_str(), tested.body.as_str()),
    };
    let parsed = (serde_json::from_str::<Value>(inside), serde_json::from_str::<Value>(inside_tested));
    if let (Ok(of_reference), Ok(of_tested)) = parsed {
        let id_field = step.resource.as_deref().and_then(|key| world.resource(key)).map_or("_id", |it| &it.id_field);
        if step.unordered {
            let told = |value: &Value| by_own_id(&world.words.items, id_field, value);
            learn_ids(&told(&of_reference), &told(&of_tested), state);
        } else {
            learn_ids(&of_reference, &of_tested, state);
        }
        let aligned = state.aligned(inside);
        let of_reference: Value = serde_json::from_str(&aligned).unwrap_or(of_reference);
        let total = || reference.header(&total_header(world))?.parse().ok();
        if step.unordered && reorder(world, id_field, &of_reference, &of_tested, total(), found) {
            return false;
        }
        differ(&world.words.issues, &of_reference, &of_tested, &mut Vec::new(), found);
    } else if reference.body != tested.body {
        let values = Pair { reference: reference.body.clone(), tested: tested.body.clone() };
        found.push(Mismatch { place: Place::Body(Vec::new()), values });
    }
    true
}

/// Function and JSON of a body that is a script's call (RESP-05).
fn unwrapped(body: &str) -> Option<(&str, &str)> {
    let (function, rest) = body.split_once('(')?;
    Some((function, rest.strip_suffix(')')?)).filter(|_| !function.contains(['{', '<', '"']))
}

/// With its items in the order of ids that clients have given, or, where there are none, without items: in which place an item is
/// says nothing about it.
fn by_own_id(items: &str, id_field: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(listed) = value.get_mut(items).and_then(Value::as_array_mut) {
        listed.retain(|item| id_field != "_id" && !item[id_field].is_null());
        listed.sort_by_cached_key(|item| item[id_field].to_string());
    }
    value
}

/// Ids in the same place that the two servers have each made for themselves stand for each other.
fn learn_ids(reference: &Value, tested: &Value, state: &mut State) {
    match (reference, tested) {
        (Value::Object(reference), Value::Object(tested)) => {
            for (name, of_reference) in reference {
                let Some(of_tested) = tested.get(name) else { continue };
                match (of_reference.as_str(), of_tested.as_str()) {
                    (Some(of_reference), Some(of_tested))
                        if name == "_id" && of_reference != of_tested && is_id(of_reference) && is_id(of_tested) =>
                    {
                        if !state.has_other(of_reference) && made_by_server(of_reference) && made_by_server(of_tested) {
                            state.pair_ids(of_reference, of_tested);
                        }
                    }
                    _ => learn_ids(of_reference, of_tested, state),
                }
            }
        }
        (Value::Array(reference), Value::Array(tested)) => {
            reference.iter().zip(tested).for_each(|(reference, tested)| learn_ids(reference, tested, state));
        }
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The generator's own ids have a long row of zeros.
fn made_by_server(id: &str) -> bool {
    !id.contains("000000")
}

/// Compares lists of documents whose order is free; says whether it did. `total`: how many there are, if counted.
fn reorder(
    world: &World,
    id_field: &str,
    reference: &Value,
    tested: &Value,
    total: Option<usize>,
    found: &mut Vec<Mismatch>,
) -> bool {
    let items = |value: &Value| value[&world.words.items].as_array().cloned();
    let (Some(of_reference), Some(of_tested)) = (items(reference), items(tested)) else { return false };
    let whole = |value: &Value, count: usize| {
        let meta = &value[&world.words.meta];
        let number = |name: &str| meta[name].as_u64().and_then(|number| usize::try_from(number).ok());
        match (total, number(&world.words.max_results)) {
            (Some(total), _) => total == count,
            (None, Some(most)) => count < most && number(&world.words.page) == Some(1),
            (None, None) => false,
        }
    };
    if of_reference == of_tested {
        return false;
    }
    let (mut rest, mut other) = (reference.clone(), tested.clone());
    rest[&world.words.items] = Value::from(of_reference.len());
    other[&world.words.items] = Value::from(of_tested.len());
    differ(&world.words.issues, &rest, &other, &mut Vec::new(), found);
    if whole(reference, of_reference.len()) && whole(tested, of_tested.len()) {
        let sorted = |mut items: Vec<Value>| {
            items.sort_by_cached_key(|item| (item[id_field].to_string(), item["_id"].to_string()));
            Value::Array(items)
        };
        let mut path = vec![world.words.items.clone()];
        differ(&world.words.issues, &sorted(of_reference), &sorted(of_tested), &mut path, found);
    }
    true
}

fn is_texts(items: &[Value]) -> bool {
    items.iter().all(Value::is_string)
}

fn texts(items: &[Value]) -> Vec<&str> {
    let mut texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
    texts.sort_unstable();
    texts
}

/// `issues`: the name of what holds messages.
fn differ(issues: &str, reference: &Value, tested: &Value, path: &mut Vec<String>, found: &mut Vec<Mismatch>) {
    let mut note = |path: &[String], reference: String, tested: String| {
        found.push(Mismatch { place: Place::Body(path.to_vec()), values: Pair { reference, tested } });
    };
    match (reference, tested) {
        (Value::Object(of_reference), Value::Object(of_tested)) => {
            let shown = |value: Option<&Value>| value.map_or_else(|| "(none)".to_owned(), Value::to_string);
            for (name, value) in of_reference {
                path.push(name.clone());
                match of_tested.get(name) {
                    Some(other) => differ(issues, value, other, path, found),
                    None => {
                        let place = Place::Body(path.clone());
                        let values = Pair { reference: shown(Some(value)), tested: shown(None) };
                        found.push(Mismatch { place, values });
                    }
                }
                path.pop();
            }
            for (name, value) in of_tested.iter().filter(|(name, _)| !of_reference.contains_key(*name)) {
                path.push(name.clone());
                let values = Pair { reference: shown(None), tested: shown(Some(value)) };
                found.push(Mismatch { place: Place::Body(path.clone()), values });
                path.pop();
            }
        }
        // Which of several messages comes first is nobody's business (VAL-40).
        (Value::Array(of_reference), Value::Array(of_tested))
            if is_texts(of_reference) && is_texts(of_tested) && path.iter().any(|name| name == issues) =>
        {
            if texts(of_reference) != texts(of_tested) {
                note(path, reference.to_string(), tested.to_string());
            }
        }
        (Value::Array(of_reference), Value::Array(of_tested)) if of_reference.len() == of_tested.len() => {
            for (index, (value, other)) in of_reference.iter().zip(of_tested).enumerate() {
                path.push(index.to_string());
                differ(issues, value, other, path, found);
                path.pop();
            }
        }
        _ if reference == tested => {}
        _ => note(path, reference.to_string(), tested.to_string()),
    }
}
