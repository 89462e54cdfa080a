//! Requests that a client of the API would send, right or slightly wrong.

use super::value::pick;
use super::{Generator, Made};
use crate::step::{Marker, Step};
use crate::world::{Resource, Segment};

use serde_json::Value;

const BYTES: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl<'w> Generator<'w> {
    /// The path of a resource, its fields filled in.
    pub(super) fn collection_path(&mut self, resource: &'w Resource) -> String {
        let mut path = self.world.words.prefix.clone();
        for segment in &resource.url {
            let part = match segment {
                Segment::Text(text) => text.clone(),
                Segment::Field { converter, .. } if converter == "int" => self.rng.u32(..3).to_string(),
                Segment::Field { .. } => self.known.some_id(&mut self.rng),
            };
            path.push('/');
            path.push_str(&part);
        }
        path
    }

    /// The path of a document by one of its fields.
    fn path_to(&mut self, resource: &'w Resource, value: &Value) -> String {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let marked = text.starts_with('\u{e000}');
        let segment = if marked { text } else { percent_encoding::utf8_percent_encode(&text, BYTES).to_string() };
        let segment = if resource.item_url == "path" { segment.replace("%2F", "/") } else { segment };
        format!("{}/{segment}", self.collection_path(resource))
    }

    /// A document of the resource's source to read or change, mostly one that is there.
    pub(super) fn choose(&mut self, resource: &'w Resource) -> Option<Made<'w>> {
        let living = self.known.living(&resource.source);
        let gone: Vec<&Made<'w>> =
            self.known.documents.iter().filter(|made| made.resource.source == resource.source).collect();
        if living.is_empty() || super::chance(&mut self.rng, 0.06) {
            return if gone.is_empty() { None } else { Some((*pick(&mut self.rng, &gone)).clone()) };
        }
        Some((*pick(&mut self.rng, &living)).clone())
    }

    /// The path of a document, or of none.
    pub(super) fn item_path(&mut self, resource: &'w Resource, made: Option<&Made<'w>>) -> String {
        let field = &resource.lookup_field;
        let value = made.and_then(|made| {
            if *field == resource.id_field { Some(self.known.id(made)) } else { made.body.get(field).cloned() }
        });
        let value = value.unwrap_or_else(|| match resource.item_url.as_str() {
            "int" => Value::from(self.rng.u32(..20)),
            "float" => Value::from(0.5),
            _ if resource.schema.get(field).is_some_and(|rules| rules["type"] == "string") => Value::from("none"),
            _ => Value::from(self.known.some_id(&mut self.rng)),
        });
        self.path_to(resource, &value)
    }

    pub(super) fn post(&mut self, resource: &'w Resource) -> Step {
        let path = self.collection_path(resource);
        let mut step = self.plain("POST", path, resource);
        if self.chance(0.07) {
            let (body, kind) = self.form(resource);
            step.body = body;
            step.headers.push(("Content-Type".into(), kind.into()));
            // Eve's server may take a long body that nobody has read for the next request.
            step.headers.push(("Connection".into(), "close".into()));
        } else {
            step.body = self.new_documents(resource);
            step.headers.push(json_type());
        }
        if self.chance(0.03) {
            step.query.push((self.world.words.embedded.clone(), self.embedded(resource)));
        }
        step
    }

    pub(super) fn list(&mut self, resource: &'w Resource) -> Step {
        let path = self.collection_path(resource);
        let method = if self.rng.u32(..12) == 0 { "HEAD" } else { "GET" };
        let mut step = self.plain(method, path, resource);
        let words = &self.world.words;
        if self.chance(0.55) {
            step.query.push((words.filter.clone(), self.filter(resource)));
        }
        if self.chance(0.35) {
            let (sort, tied) = self.sort(resource);
            step.query.push((words.sort.clone(), sort));
            step.unordered = tied || resource.settings.get("sorting").is_some_and(|on| *on == false);
        } else {
            step.unordered = true;
        }
        if self.chance(0.25) {
            step.query.push((words.projection.clone(), self.projection(resource)));
        }
        let embeds = !resource.targets().is_empty();
        if self.chance(if embeds { 0.4 } else { 0.03 }) {
            step.query.push((words.embedded.clone(), self.embedded(resource)));
        }
        if self.chance(0.35) {
            self.paging(&mut step.query);
        }
        self.other_parameters(&mut step);
        self.conditions(&mut step, None);
        step
    }

    /// Parameters that no resource asks for, and repeated ones.
    fn other_parameters(&mut self, step: &mut Step) {
        if self.chance(0.08) {
            let other = *pick(
                &mut self.rng,
                &[
                    ("foo", "a"),
                    ("pretty", ""),
                    ("version", "1"),
                    ("version", "all"),
                    ("show_deleted", "1"),
                    ("aggregate", "{}"),
                    ("foo", "ü &="),
                ],
            );
            let at = self.rng.usize(..=step.query.len());
            step.query.insert(at, (other.0.to_owned(), other.1.to_owned()));
        }
        if !step.query.is_empty() && self.chance(0.04) {
            let again = pick(&mut self.rng, &step.query).clone();
            // The first counts, and `x` may stand in front.
            step.unordered |= again.0 == self.world.words.sort;
            step.query.push((again.0, "x".to_owned()));
        }
        if self.chance(0.15) {
            self.rng.shuffle(&mut step.query);
        }
    }

    pub(super) fn item(&mut self, resource: &'w Resource) -> Step {
        let made = self.choose(resource);
        let path = match &resource.additional {
            Some((field, _)) if self.chance(0.3) => {
                let value =
                    made.as_ref().and_then(|made| made.body.get(field).cloned()).unwrap_or_else(|| Value::from("7"));
                self.path_to(resource, &value)
            }
            _ => self.item_path(resource, made.as_ref()),
        };
        let method = if self.rng.u32(..10) == 0 { "HEAD" } else { "GET" };
        let mut step = self.plain(method, path, resource);
        step.target = made.as_ref().map(|made| made.birth);
        let words = &self.world.words;
        if self.chance(0.3) {
            step.query.push((words.projection.clone(), self.projection(resource)));
        }
        if self.chance(if resource.targets().is_empty() { 0.03 } else { 0.5 }) {
            step.query.push((words.embedded.clone(), self.embedded(resource)));
        }
        if self.chance(0.06) {
            step.query.push((words.filter.clone(), self.filter(resource)));
        }
        if self.chance(0.06) {
            self.paging(&mut step.query);
        }
        self.other_parameters(&mut step);
        self.conditions(&mut step, made.as_ref());
        step
    }

    /// If-None-Match and If-Modified-Since.
    fn conditions(&mut self, step: &mut Step, made: Option<&Made<'w>>) {
        if self.chance(0.2) {
            let tag = match made {
                Some(made) => self.etag_of(made),
                None => "\"0123456789012345678901234567890123456789\"".to_owned(),
            };
            step.headers.push(("If-None-Match".into(), tag));
        }
        if self.chance(0.15) {
            let when = match self.rng.u32(..40) {
                0..5 => "Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
                5 => "yesterday".to_owned(),
                6 => "2012-11-06T10:33:31Z".to_owned(),
                7 => "Tuesday, 06-Nov-12 10:33:31 GMT".to_owned(),
                _ => Marker::Http(*pick(&mut self.rng, &[-100, 100, 1000])).to_string(),
            };
            step.headers.push(("If-Modified-Since".into(), when));
        }
    }

    /// An ETag for a header: right, late or odd.
    fn etag_of(&mut self, made: &Made<'w>) -> String {
        let right = Marker::Etag(made.birth);
        match self.rng.u32(..20) {
            0 => Marker::Stale(made.birth).to_string(),
            1 => format!("W/\"{right}\""),
            2 => "*".to_owned(),
            3 => format!("\"{right}\", \"x\""),
            4 => String::new(),
            5 => format!("\"{right}"),
            6 => format!("w/\"{right}\""),
            7 => format!("W/{right}"),
            8..13 => right.to_string(),
            _ => format!("\"{right}\""),
        }
    }

    fn if_match(&mut self, step: &mut Step, made: Option<&Made<'w>>) {
        match (made, self.rng.u32(..100)) {
            (_, 0..6) => {}
            (_, 6..10) => step.headers.push(("If-Match".into(), "\"0123456789012345678901234567890123456789\"".into())),
            (Some(made), 10..20) => {
                let tag = self.etag_of(made);
                step.headers.push(("If-Match".into(), tag));
            }
            (Some(made), _) => step.headers.push(("If-Match".into(), Marker::Etag(made.birth).to_string())),
            (None, _) => {}
        }
    }

    fn edit(&mut self, method: &str, resource: &'w Resource) -> (Step, Option<Made<'w>>) {
        let made = self.choose(resource);
        let path = self.item_path(resource, made.as_ref());
        let mut step = self.plain(method, path, resource);
        step.target = made.as_ref().map(|made| made.birth);
        self.if_match(&mut step, made.as_ref());
        (step, made)
    }

    pub(super) fn patch(&mut self, resource: &'w Resource) -> Step {
        let (mut step, made) = self.edit("PATCH", resource);
        step.body = self.changes(resource, made.as_ref(), false);
        step.headers.push(json_type());
        if self.chance(0.04) {
            step.method = "POST".to_owned();
            step.headers.push(("X-HTTP-Method-Override".into(), "PATCH".into()));
        }
        step
    }

    pub(super) fn put(&mut self, resource: &'w Resource) -> Step {
        let (mut step, made) = self.edit("PUT", resource);
        step.body = self.changes(resource, made.as_ref(), true);
        step.headers.push(json_type());
        step
    }

    pub(super) fn delete(&mut self, resource: &'w Resource) -> Step {
        let (step, made) = self.edit("DELETE", resource);
        if let Some(made) = made
            && step.headers.iter().any(|(_, value)| *value == Marker::Etag(made.birth).to_string())
        {
            self.known
                .documents
                .iter_mut()
                .filter(|known| known.birth == made.birth)
                .for_each(|known| known.gone = true);
        }
        step
    }

    pub(super) fn delete_all(&mut self, resource: &'w Resource) -> Step {
        let path = self.collection_path(resource);
        let mut step = self.plain("DELETE", path, resource);
        if self.chance(0.2) {
            step.query.push((self.world.words.filter.clone(), self.filter(resource)));
        }
        if resource.resource_methods.iter().any(|method| method == "DELETE") {
            self.known
                .documents
                .iter_mut()
                .filter(|known| known.resource.source == resource.source)
                .for_each(|known| known.gone = true);
        }
        step
    }
}

pub(super) fn json_type() -> (String, String) {
    ("Content-Type".to_owned(), "application/json".to_owned())
}
