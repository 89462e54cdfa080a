//! Bodies of POST, PUT and PATCH.

use serde_json::{Map, Value, json};

use super::value::{self, any, bad, good, pick};
use super::{Generator, Made};
use crate::step::{Birth, Body, Marker};
use crate::world::{Resource, members};

impl<'w> Generator<'w> {
    /// A document of a resource; `faults` of its fields break their rules.
    pub(super) fn document(&mut self, resource: &'w Resource, faults: usize, whole: bool) -> Map<String, Value> {
        let mut made = Map::new();
        let share = if resource.schema.len() > 8 { 0.05 + self.rng.f64() * 0.25 } else { 0.2 + self.rng.f64() * 0.8 };
        for (name, rules) in &resource.schema {
            if *name == resource.id_field && rules["type"] == "objectid" {
                continue;
            }
            let wanted = if whole && rules["required"] == true && rules["excludes"].is_null() { 0.97 } else { share };
            let readonly = rules["readonly"] == true && !self.chance(0.1);
            if readonly || !self.chance(wanted) {
                continue;
            }
            let seen = if rules["unique"] == true { 0.05 } else { 0.1 };
            let again = if self.chance(seen) { self.known.seen(&mut self.rng, &resource.source, name) } else { None };
            let value = again.unwrap_or_else(|| match rules["unique"] == true && rules["type"] == "string" {
                true => self.unlike(resource, rules),
                false => good(&mut self.rng, rules, &self.known),
            });
            made.insert(name.clone(), value);
        }
        if whole {
            // One of two that exclude each other.
            for (name, rules) in &resource.schema {
                let other = rules["excludes"].as_str().unwrap_or_default();
                if rules["required"] == true && !other.is_empty() && !made.contains_key(other) && self.chance(0.95) {
                    made.insert(name.clone(), good(&mut self.rng, rules, &self.known));
                }
            }
        }
        if resource.allow_unknown {
            for name in ["a", "b", "c"] {
                if self.chance(0.5) {
                    made.insert(name.to_owned(), any(&mut self.rng, 2));
                }
            }
        }
        for _ in 0..faults {
            self.spoil(resource, &mut made);
        }
        made
    }

    /// A text that is likely to be new.
    fn unlike(&mut self, resource: &Resource, rules: &Value) -> Value {
        if rules["meta"]["examples"].is_array() || rules["regex"].is_string() {
            return good(&mut self.rng, rules, &self.known);
        }
        let taken = self.known.living(&resource.source).len();
        json!(format!("n{}{}", taken, pick(&mut self.rng, &["", "a", "b", "ü"])))
    }

    fn spoil(&mut self, resource: &'w Resource, made: &mut Map<String, Value>) {
        let names: Vec<&String> = resource.schema.keys().collect();
        match self.rng.u32(..10) {
            0 => {
                let name =
                    *pick(&mut self.rng, &["unknown", "", "a.b", "_links", "_version", "_deleted", "$set", "dict.x"]);
                made.insert(name.to_owned(), any(&mut self.rng, 1));
            }
            1 => {
                let words = &self.world.words;
                let name = (*pick(&mut self.rng, &[&words.updated, &words.created, &words.etag])).clone();
                let value = json!(pick(&mut self.rng, &["x", "Tue, 06 Nov 2012 10:33:31 GMT"]));
                made.insert(name, value);
            }
            2 if !made.is_empty() => {
                let present: Vec<String> = made.keys().cloned().collect();
                made.remove(pick(&mut self.rng, &present));
            }
            _ => {
                let name = *pick(&mut self.rng, &names);
                let value = bad(&mut self.rng, &resource.schema[name], &self.known);
                made.insert(name.clone(), value);
            }
        }
    }

    /// Gives a document an id of its own, in the order of making or not.
    fn identify(&mut self, resource: &Resource, birth: Birth, made: &mut Map<String, Value>) {
        let generated = resource.schema.get(&resource.id_field).is_some_and(|rules| rules["type"] == "objectid");
        if !generated || !self.chance(0.8) {
            return;
        }
        let known = self.known.living(&resource.source);
        let id = if !known.is_empty() && self.rng.u32(..40) == 0 {
            let other = *pick(&mut self.rng, &known);
            self.known.id(other)
        } else {
            let lead = if self.rng.u32(..8) == 0 { "4e" } else { "5f" };
            json!(format!("{lead}{:014x}{:08x}", birth.step, birth.element))
        };
        made.insert(resource.id_field.clone(), id);
    }

    /// One document or several, for POST.
    pub(super) fn new_documents(&mut self, resource: &'w Resource) -> Body {
        let count = match self.rng.u32(..100) {
            0 => 0,
            1..75 => 1,
            _ => self.rng.usize(2..=4),
        };
        let step = self.number();
        let mut bodies = Vec::new();
        let mut all_good = true;
        for element in 0..count {
            let faults = if self.chance(0.3) { self.rng.usize(1..=2) } else { 0 };
            all_good &= faults == 0;
            let mut made = self.document(resource, faults, true);
            let birth = Birth { step, element };
            self.identify(resource, birth, &mut made);
            bodies.push(made);
        }
        for (element, body) in bodies.iter().enumerate() {
            self.known.remember(&resource.source, "", &Value::Object(body.clone()));
            if all_good {
                let birth = Birth { step, element };
                self.known.documents.push(Made { birth, resource, body: body.clone(), gone: false });
            }
        }
        let mut bodies: Vec<Value> = bodies.into_iter().map(|body| self.dotted(body)).collect();
        if self.rng.u32(..60) == 0 {
            let at = self.rng.usize(..=bodies.len());
            bodies.insert(at, any(&mut self.rng, 1));
        }
        match bodies.len() {
            1 if !self.chance(0.06) => Body::Json(bodies.remove(0)),
            _ => Body::Json(Value::Array(bodies)),
        }
    }

    /// The same document, sometimes with dots in the names of members.
    fn dotted(&mut self, body: Map<String, Value>) -> Value {
        if !self.chance(0.06) {
            return Value::Object(body);
        }
        let mut flat = Map::new();
        for (name, value) in body {
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    flat.extend(inner.into_iter().map(|(member, value)| (format!("{name}.{member}"), value)));
                }
                value => _ = flat.insert(name, value),
            }
        }
        Value::Object(flat)
    }

    /// What PUT or PATCH sends for a document.
    pub(super) fn changes(&mut self, resource: &'w Resource, of: Option<&Made<'w>>, whole: bool) -> Body {
        let faults = usize::from(self.chance(0.25));
        let mut body = self.document(resource, faults, whole);
        if !whole && self.chance(0.5) {
            // A small change.
            let keep = pick(&mut self.rng, &[1, 2, 3]).to_owned();
            while body.len() > keep {
                let names: Vec<String> = body.keys().cloned().collect();
                body.remove(pick(&mut self.rng, &names));
            }
        }
        if let Some(of) = of {
            let plain = resource.schema[&resource.id_field]["type"] == "objectid";
            if self.chance(if plain { 0.12 } else { 0.8 }) {
                body.insert(resource.id_field.clone(), self.known.id(of));
            } else if self.chance(0.05) {
                let id = json!(self.known.some_id(&mut self.rng));
                body.insert(resource.id_field.clone(), id);
            } else if !plain {
                body.remove(&resource.id_field);
            }
            if self.chance(0.8) && !plain && resource.lookup_field != resource.id_field {
                body.extend(
                    of.body.get(&resource.lookup_field).map(|value| (resource.lookup_field.clone(), value.clone())),
                );
            }
            if self.chance(0.06) {
                // What an eager client sends back.
                body.insert(self.world.words.etag.clone(), json!(Marker::Etag(of.birth).to_string()));
            }
            // Read-only fields may be sent as they are.
            if self.chance(0.3) {
                body.extend(of.body.iter().take(2).map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        if faults == 0 {
            self.known.remember(&resource.source, "", &Value::Object(body.clone()));
        }
        match self.rng.u32(..60) {
            0 => Body::Json(any(&mut self.rng, 1)),
            1 => Body::Json(json!([body])),
            2 => Body::Json(json!(Value::Object(body).to_string())),
            _ => Body::Json(self.dotted(body)),
        }
    }

    /// The same as a form, where every value is text.
    /// With its content type.
    pub(super) fn form(&mut self, resource: &'w Resource) -> (Body, &'static str) {
        let document = self.document(resource, 0, true);
        let mut pairs = Vec::new();
        for (name, value) in &document {
            match value {
                Value::Array(items) => {
                    pairs.extend(items.iter().map(|item| (name.clone(), plain_text(item))));
                }
                value => pairs.push((name.clone(), plain_text(value))),
            }
        }
        if self.chance(0.2) {
            pairs.push(("unknown".to_owned(), value::text(&mut self.rng)));
        }
        if self.chance(0.5) {
            return (Body::Form(pairs), "application/x-www-form-urlencoded");
        }
        let part = |(name, text): &(String, String)| {
            format!("--oracle\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let parts: String = pairs.iter().map(part).collect();
        (Body::Text(format!("{parts}--oracle--\r\n")), "multipart/form-data; boundary=oracle")
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Every path of a schema, with its rules.
pub fn paths(schema: &Map<String, Value>) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, rules) in schema {
        descend(name, rules, &mut found);
    }
    found
}

fn descend(path: &str, rules: &Value, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), rules.clone()));
    let inner = &rules["schema"];
    if rules["type"] == "dict" {
        for (name, rules) in members(inner) {
            descend(&format!("{path}.{name}"), rules, found);
        }
    } else if rules["type"] == "list" && inner["type"] == "dict" {
        for (name, rules) in members(&inner["schema"]) {
            descend(&format!("{path}.{name}"), rules, found);
        }
    }
}
