//! Values by a field's rules: good ones, and ones that break some rule.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::world::members;

use super::Known;

/// Texts that have gone wrong somewhere before, or may.
const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "ab",
    "abc",
    "x",
    "y",
    "z",
    "ABC",
    "Ab",
    "é",
    "日本",
    "😀",
    "a b",
    " a",
    "5",
    "4.5",
    "-3",
    "1e3",
    "true",
    "null",
    "0",
    "1",
    "it's",
    "\"quoted\"",
    "a\\b",
    "line\nbreak",
    "tab\t",
    "\u{7f}",
    "a.b",
    "$a",
    "<b>&amp;",
    "{}",
    "[1]",
    "5f0000000000000000000001",
    "5F0000000000000000000001",
    "Tue, 06 Nov 2012 10:33:31 GMT",
    "2012-11-06T10:33:31Z",
    "root",
    "red",
    "top",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "é̂",
    "İ",
    "ß",
];

const INTEGERS: &[i64] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    9,
    10,
    11,
    13,
    17,
    50,
    99,
    100,
    101,
    150,
    1990,
    2000,
    2024,
    -1,
    -5,
    2_147_483_648,
    9_007_199_254_740_993,
];

const FLOATS: &[f64] = &[0.0, -0.0, 0.5, 1.0, 1.5, 2.25, 4.9, 9.5, 9.75, -2.5, 1e20, 1e-7, 0.1, 1e16, 123_456_789.125];

pub fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(..from.len())]
}

pub fn chance(rng: &mut Rng, of: f64) -> bool {
    rng.f64() < of
}

/// A value that no rule asked for.
pub fn any(rng: &mut Rng, depth: usize) -> Value {
    match rng.u32(..if depth == 0 { 7 } else { 11 }) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 | 3 => json!(pick(rng, INTEGERS)),
        4 => json!(pick(rng, FLOATS)),
        5 | 6 => json!(pick(rng, TEXTS)),
        7 | 8 => Value::Array((0..rng.usize(..4)).map(|_| any(rng, depth - 1)).collect()),
        _ => {
            let names = ["a", "b", "c", "x", "k", "type", "id", "é"];
            Value::Object((0..rng.usize(..4)).map(|_| ((*pick(rng, &names)).to_owned(), any(rng, depth - 1))).collect())
        }
    }
}

pub fn text(rng: &mut Rng) -> String {
    (*pick(rng, TEXTS)).to_owned()
}

pub fn integer(rng: &mut Rng) -> i64 {
    *pick(rng, INTEGERS)
}

/// Moments that make sorting and comparing worthwhile, in epoch seconds.
pub fn moment(rng: &mut Rng) -> i64 {
    *pick(
        rng,
        &[
            0,
            1,
            951_868_800,
            1_352_198_011,
            1_600_000_000,
            1_735_689_599,
            2_524_607_999,
            2_524_608_000,
            -1,
            -86_400,
            253_402_300_799,
        ],
    )
}

/// What follows the rules, as far as they can be followed one by one.
pub fn good(rng: &mut Rng, rules: &Value, known: &Known<'_>) -> Value {
    if rules["nullable"] == true && chance(rng, 0.12) {
        return Value::Null;
    }
    if let Some(relation) = rules["data_relation"].as_object() {
        let value = known.reference(rng, relation);
        return if rules["type"] == "dbref" { dbref(rng, relation, value) } else { value };
    }
    if let Some(examples) = rules["meta"]["examples"].as_array() {
        return pick(rng, examples).clone();
    }
    for operator in ["anyof", "oneof", "allof", "noneof"] {
        if let Some(alternatives) = rules[operator].as_array().filter(|_| operator != "noneof") {
            let rules = both(rules, pick(rng, alternatives), operator);
            return good(rng, &rules, known);
        }
        let prefix = format!("{operator}_");
        if let Some((name, list)) = members(rules).find(|(name, _)| name.starts_with(&prefix)) {
            if operator == "noneof" {
                return json!(text(rng));
            }
            let alternatives = list.as_array().cloned().unwrap_or_default();
            let one = json!({ &name[prefix.len()..]: pick(rng, &alternatives) });
            return good(rng, &both(rules, &one, name), known);
        }
    }
    if let Some(allowed) = rules["allowed"].as_array() {
        if rules["type"] == "list" {
            return Value::Array(allowed.iter().filter(|_| rng.bool()).cloned().collect());
        }
        return pick(rng, allowed).clone();
    }
    let kind = match &rules["type"] {
        Value::Array(kinds) => pick(rng, kinds).as_str().unwrap_or("string").to_owned(),
        Value::String(kind) => kind.clone(),
        _ if rules["min"].is_number() => "integer".to_owned(),
        _ => return any(rng, 2),
    };
    by_type(rng, &kind, rules, known)
}

fn both(outer: &Value, inner: &Value, without: &str) -> Value {
    let mut rules = outer.as_object().cloned().unwrap_or_default();
    rules.remove(without);
    rules.extend(inner.as_object().cloned().unwrap_or_default());
    Value::Object(rules)
}

fn by_type(rng: &mut Rng, kind: &str, rules: &Value, known: &Known<'_>) -> Value {
    let bound = |name: &str| rules[name].as_i64();
    match kind {
        "string" => {
            let (low, high) = (bound("minlength").unwrap_or(0), bound("maxlength").unwrap_or(12));
            let fitting: Vec<&str> = TEXTS
                .iter()
                .copied()
                .filter(|text| (low..=high).contains(&i64::try_from(text.chars().count()).unwrap_or(0)))
                .filter(|text| rules["empty"] != false || !text.is_empty())
                .filter(|text| !rules["forbidden"].as_array().is_some_and(|list| list.contains(&json!(text))))
                .collect();
            json!(pick(rng, &fitting))
        }
        "integer" => {
            let (low, high) = (bound("min").unwrap_or(-5), bound("max").unwrap_or(2100));
            let fitting: Vec<i64> = INTEGERS.iter().copied().filter(|number| (low..=high).contains(number)).collect();
            let number = if fitting.is_empty() { low } else { *pick(rng, &fitting) };
            match rng.u32(..24) {
                0 => json!(number.to_string()),
                1 => json!(f64::from(i32::try_from(number).unwrap_or(7))),
                _ => json!(number),
            }
        }
        "float" | "number" | "decimal" => {
            let low = rules["min"].as_f64().unwrap_or(-10.0);
            let high = rules["max"].as_f64().unwrap_or(1e30);
            let fitting: Vec<f64> = FLOATS.iter().copied().filter(|number| (low..=high).contains(number)).collect();
            let number = *pick(rng, &fitting);
            match rng.u32(..8) {
                0 => json!(number.to_string()),
                1 | 2 if (low..=high).contains(&number.trunc()) => json!(integer_of(number)),
                _ if kind == "decimal" && rng.bool() => {
                    json!(pick(rng, &["1.50", "0.1", "12345678901234567890", "1E+3", "NaN"]))
                }
                _ => json!(number),
            }
        }
        "boolean" => match rng.u32(..10) {
            0 => json!("true"),
            1 => json!(1),
            2 => json!("0"),
            _ => json!(rng.bool()),
        },
        "datetime" => {
            let moments: Vec<i64> = (0..8).map(|_| moment(rng)).filter(|at| *at > 946_684_800).collect();
            json!(known.date(moments.first().copied().unwrap_or(1_352_198_011)))
        }
        "objectid" => json!(known.some_id(rng)),
        "list" => list(rng, rules, known),
        "dict" => dict(rng, rules, known),
        "dbref" => json!({ "$col": "people", "$id": known.some_id(rng) }),
        _ => shape(rng, kind),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a test value among others")]
fn integer_of(number: f64) -> i64 {
    number as i64
}

fn list(rng: &mut Rng, rules: &Value, known: &Known<'_>) -> Value {
    if let Some(items) = rules["items"].as_array() {
        return Value::Array(items.iter().map(|item| good(rng, item, known)).collect());
    }
    let usize_of = |name: &str, default: u64| usize::try_from(rules[name].as_u64().unwrap_or(default)).unwrap_or(0);
    let low = usize_of("minlength", u64::from(rules["empty"] == false));
    let length = rng.usize(low..=usize_of("maxlength", 3).max(low));
    let mut items: Vec<Value> = (0..length)
        .map(|_| if rules["schema"].is_object() { good(rng, &rules["schema"], known) } else { any(rng, 1) })
        .filter(|value| !rules["forbidden"].as_array().is_some_and(|list| list.contains(value)))
        .collect();
    match &rules["contains"] {
        Value::Array(needed) => items.extend(needed.iter().cloned()),
        Value::Null => {}
        one => items.push(one.clone()),
    }
    Value::Array(items)
}

fn dict(rng: &mut Rng, rules: &Value, known: &Known<'_>) -> Value {
    let mut made = Map::new();
    for (name, inner) in members(&rules["schema"]) {
        if inner["required"] == true || rules["require_all"] == true || chance(rng, 0.6) {
            made.insert(name.clone(), good(rng, inner, known));
        }
    }
    let keys = rules.get("keysrules").or(rules.get("keyschema"));
    let values = rules.get("valuesrules").or(rules.get("valueschema")).or(rules.get("allow_unknown"));
    if keys.is_some() || values.is_some() {
        for name in ["a", "bb", "cab", "Key"] {
            if chance(rng, 0.4) && (keys.is_none() || name != "Key") {
                let value = match values {
                    Some(rules) if rules.is_object() => good(rng, rules, known),
                    _ => any(rng, 1),
                };
                made.insert(name.to_owned(), value);
            }
        }
    } else if !rules["schema"].is_object() {
        return match any(rng, 2) {
            value @ Value::Object(_) => value,
            value => json!({ "a": value }),
        };
    }
    Value::Object(made)
}

fn dbref(rng: &mut Rng, relation: &Map<String, Value>, id: Value) -> Value {
    let collection = relation.get("resource").cloned().unwrap_or_default();
    match rng.u32(..6) {
        0 => json!({ "$ref": collection, "$id": id }),
        1 => json!({ "$col": collection, "$id": id, "$db": "other" }),
        _ => json!({ "$col": collection, "$id": id }),
    }
}

/// GeoJSON (VAL-38).
fn shape(rng: &mut Rng, kind: &str) -> Value {
    let place = |rng: &mut Rng| json!([pick(rng, FLOATS), pick(rng, INTEGERS)]);
    let line = |rng: &mut Rng| json!([[0, 1], [2.5, 3], place(rng)]);
    match kind {
        "point" => json!({ "type": "Point", "coordinates": place(rng) }),
        "multipoint" => json!({ "type": "MultiPoint", "coordinates": line(rng) }),
        "linestring" => json!({ "type": "LineString", "coordinates": line(rng) }),
        "polygon" => json!({ "type": "Polygon", "coordinates": [line(rng)] }),
        "multilinestring" => json!({ "type": "MultiLineString", "coordinates": [line(rng), line(rng)] }),
        "multipolygon" => json!({ "type": "MultiPolygon", "coordinates": [[line(rng)]] }),
        "geometrycollection" => {
            json!({ "type": "GeometryCollection", "geometries": [shape(rng, "point"), shape(rng, "linestring")] })
        }
        "feature" => json!({ "type": "Feature", "geometry": shape(rng, "point"), "properties": {} }),
        "featurecollection" => json!({ "type": "FeatureCollection", "features": [shape(rng, "feature")] }),
        _ => json!(text(rng)),
    }
}

/// Near what the rules want, and wrong more often than not.
pub fn bad(rng: &mut Rng, rules: &Value, known: &Known<'_>) -> Value {
    let number = |name: &str| rules[name].as_f64();
    match rng.u32(..12) {
        0 => Value::Null,
        1 if number("max").is_some() => json!(number("max").unwrap_or(0.0) + 1.0),
        1 | 2 if number("min").is_some() => json!(integer_of(number("min").unwrap_or(0.0)) - 1),
        3 if rules["maxlength"].is_u64() => match rules["type"].as_str() {
            Some("list") => json!(["a", 5, 1, 2, 3, 4, 5, 6]),
            _ => json!("much too long for this field, whatever it is"),
        },
        3 | 4 if rules["data_relation"].is_object() => json!("5f00000000000000000dead0"),
        4 | 5 if rules["type"] == "list" => {
            let mut value = good(rng, rules, known);
            if let Value::Array(items) = &mut value {
                let wrong = if rules["schema"].is_object() { bad(rng, &rules["schema"], known) } else { any(rng, 1) };
                items.insert(rng.usize(..=items.len()), wrong);
            }
            value
        }
        4..=7 if rules["schema"].is_object() => {
            let mut value = good(rng, rules, known);
            if let Value::Object(made) = &mut value {
                let names: Vec<&String> = members(&rules["schema"]).map(|(name, _)| name).collect();
                match rng.u32(..4) {
                    0 => _ = made.insert("stranger".to_owned(), any(rng, 1)),
                    1 if !names.is_empty() => _ = made.remove(*pick(rng, &names)),
                    _ if !names.is_empty() => {
                        let name = (*pick(rng, &names)).clone();
                        let wrong = bad(rng, &rules["schema"][&name], known);
                        made.insert(name, wrong);
                    }
                    _ => {}
                }
            }
            value
        }
        5..=7
            if ["keysrules", "valuesrules", "keyschema", "valueschema"].iter().any(|rule| !rules[*rule].is_null()) =>
        {
            json!({ "": any(rng, 1), "zz": any(rng, 1), "a": -1 })
        }
        6..=8
            if rules["type"].as_str().is_some_and(|kind| {
                kind.contains("point")
                    || kind.contains("line")
                    || kind.contains("poly")
                    || kind.contains("feature")
                    || kind.contains("geometry")
            }) =>
        {
            let other = *pick(rng, &["point", "polygon", "linestring", "feature", "geometrycollection", "multipoint"]);
            let mut value = shape(rng, other);
            match rng.u32(..5) {
                0 => value["more"] = json!(1),
                1 => _ = value.as_object_mut().map(|members| members.remove("coordinates")),
                2 => value["coordinates"] = any(rng, 2),
                _ => {}
            }
            value
        }
        8 => json!(""),
        9 => json!({ "a": 1, "b": [any(rng, 1)] }),
        10 => json!([any(rng, 1), "b"]),
        _ => any(rng, 2),
    }
}
