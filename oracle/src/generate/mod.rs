//! Histories of requests, made from a seed and a domain alone: no answer is needed to make the next request, so that a
//! history can be sent again with requests left out.

mod documents;
mod filter;
mod oddities;
mod parameters;
mod requests;
mod value;

use std::collections::HashMap;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::step::{Birth, Body, Marker, Step};
use crate::world::{Resource, World};
use value::{chance, pick};

/// A document that a step is meant to make.
#[derive(Debug, Clone)]
struct Made<'w> {
    birth: Birth,
    resource: &'w Resource,
    body: Map<String, Value>,
    /// Whether a request to delete it is on its way.
    gone: bool,
}

/// What the history so far has made, as far as can be told without answers.
struct Known<'w> {
    world: &'w World,
    documents: Vec<Made<'w>>,
    /// Values by source and path, to ask for again.
    values: HashMap<(String, String), Vec<Value>>,
}

/// Makes one history.
struct Generator<'w> {
    rng: Rng,
    world: &'w World,
    known: Known<'w>,
    /// What this history is about.
    focus: Vec<&'w Resource>,
    steps: Vec<Step>,
}

/// `length` requests to a world, the same for the same seed.
pub fn history(world: &World, seed: u64, length: usize) -> Vec<Step> {
    let mut generator = Generator::new(world, seed);
    while generator.steps.len() < length {
        generator.step();
    }
    generator.steps
}

impl<'w> Generator<'w> {
    fn new(world: &'w World, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut focus = Vec::new();
        for _ in 0..rng.usize(1..=3) {
            let resource = pick(&mut rng, &world.resources);
            focus.push(resource);
            for target in resource.targets() {
                focus.extend(world.resource(&target));
            }
        }
        focus.sort_by_key(|resource| &resource.key);
        focus.dedup_by_key(|resource| &resource.key);
        let known = Known { world, documents: Vec::new(), values: HashMap::new() };
        Self { rng, world, known, focus, steps: Vec::new() }
    }

    fn step(&mut self) {
        let resource = *pick(&mut self.rng, &self.focus);
        // First something to work on.
        let early = self.steps.len() < 4 + 2 * self.focus.len();
        let step = match self.rng.u32(..100) {
            _ if early => self.post(resource),
            0..22 => self.post(resource),
            22..47 => self.list(resource),
            47..59 => self.item(resource),
            59..73 => self.patch(resource),
            73..83 => self.put(resource),
            83..90 => self.delete(resource),
            90 => self.delete_all(resource),
            _ => self.oddity(resource),
        };
        let step = self.across(step);
        let step = if self.world.tokens { self.by_somebody(step) } else { step };
        self.steps.push(step);
    }

    /// As a page of another origin asks, in worlds that answer one.
    fn across(&mut self, mut step: Step) -> Step {
        let domain = &self.world.domain;
        if (domain["X_DOMAINS"].is_array() || domain["X_DOMAINS"].is_string()) && self.chance(0.3) {
            let origins =
                ["https://shop.test", "https://news.test", "https://shop.test.evil", "http://shop.test", "null"];
            step.headers.push(("Origin".into(), (*pick(&mut self.rng, &origins)).to_owned()));
        }
        if let Some(argument) = domain["JSONP_ARGUMENT"].as_str()
            && matches!(step.method.as_str(), "GET" | "HEAD")
            && self.chance(0.15)
        {
            let name = *pick(&mut self.rng, &["cb", "a.b", "$x1", "_", "1a", "a(b"]);
            step.query.push((argument.to_owned(), name.to_owned()));
        }
        step
    }

    /// With the token of one of three, of nobody, or with none.
    fn by_somebody(&mut self, mut step: Step) -> Step {
        let resource = step.resource.as_deref().and_then(|key| self.world.resource(key));
        // Where GET is public, Eve asks for tokens with HEAD.
        if step.method == "HEAD" && resource.is_some_and(|resource| resource.settings.contains_key("public_methods")) {
            step.method = "GET".to_owned();
        }
        let caller = match self.rng.u32(..100) {
            0..60 => "ada",
            60..80 => "bob",
            80..92 => "editor",
            92..96 => "nobody",
            _ => return step,
        };
        step.headers.push(("Authorization".into(), format!("Bearer {caller}")));
        step
    }

    fn number(&self) -> usize {
        self.steps.len()
    }

    /// A request without anything special.
    fn plain(&self, method: &str, path: String, resource: &Resource) -> Step {
        Step {
            number: self.number(),
            method: method.to_owned(),
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::None,
            resource: Some(resource.key.clone()),
            target: None,
            unordered: false,
        }
    }

    fn chance(&mut self, of: f64) -> bool {
        chance(&mut self.rng, of)
    }
}

impl<'w> Known<'w> {
    fn date(&self, seconds: i64) -> String {
        self.world.date(seconds)
    }

    /// Documents of a source that should be there.
    fn living(&self, source: &str) -> Vec<&Made<'w>> {
        self.documents.iter().filter(|made| made.resource.source == source && !made.gone).collect()
    }

    /// The id of a document as its resource's bodies and links show it.
    fn id(&self, made: &Made<'w>) -> Value {
        made.body.get(&made.resource.id_field).cloned().unwrap_or_else(|| json!(Marker::Id(made.birth).to_string()))
    }

    /// Twenty-four hex digits, of a document or of none.
    fn some_id(&self, rng: &mut Rng) -> String {
        let ids: Vec<String> = self
            .documents
            .iter()
            .rev()
            .take(12)
            .filter(|made| made.resource.id_field == "_id")
            .filter_map(|made| self.id(made).as_str().map(str::to_owned))
            .filter(|id| id.len() >= 20 || id.starts_with('\u{e000}'))
            .collect();
        if ids.is_empty() || chance(rng, 0.2) {
            format!("5f00000000000000000{:05x}", rng.u32(..4))
        } else {
            pick(rng, &ids).clone()
        }
    }

    /// What a data_relation may hold: mostly of documents that are there.
    fn reference(&self, rng: &mut Rng, relation: &Map<String, Value>) -> Value {
        let target = relation.get("resource").and_then(Value::as_str).and_then(|key| self.world.resource(key));
        let field = relation.get("field").and_then(Value::as_str);
        let there = target.map(|target| self.living(&target.source)).unwrap_or_default();
        if there.is_empty() || chance(rng, 0.07) {
            return match field {
                None | Some("_id") => json!(self.some_id(rng)),
                Some(_) => json!("none"),
            };
        }
        let made = pick(rng, &there);
        match field.filter(|field| *field != made.resource.id_field) {
            Some(field) => made.body.get(field).cloned().unwrap_or_else(|| json!("acme")),
            None => self.id(made),
        }
    }

    /// A value some document had at a path, if there was one.
    fn seen(&self, rng: &mut Rng, source: &str, path: &str) -> Option<Value> {
        let values = self.values.get(&(source.to_owned(), path.to_owned()))?;
        Some(pick(rng, values).clone())
    }

    /// Remembers every value of a document, by dotted path.
    fn remember(&mut self, source: &str, above: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                    self.remember(source, &path, inner);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.remember(source, above, item)),
            _ => {}
        }
        if !above.is_empty() {
            self.values.entry((source.to_owned(), above.to_owned())).or_default().push(value.clone());
        }
    }
}
