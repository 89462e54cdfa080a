//! What two servers have told of the same documents: ids and ETags that stand for each other.

use std::collections::HashMap;

use serde_json::Value;

use crate::server::Answer;
use crate::step::{Birth, Marker, Request, Step};
use crate::world::{Resource, World, format_date};

/// How HTTP writes dates.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Which of two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is right.
    Reference,
    Tested,
}

impl Side {
    pub const BOTH: [Side; 2] = [Side::Reference, Side::Tested];
}

/// One value from each server.
#[derive(Debug, Clone, Default)]
pub struct Pair<T> {
    pub reference: T,
    pub tested: T,
}

impl<T> Pair<T> {
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::Reference => &self.reference,
            Side::Tested => &self.tested,
        }
    }
}

impl<T: PartialEq> Pair<T> {
    fn is_even(&self) -> bool {
        self.reference == self.tested
    }
}

#[derive(Debug)]
struct Document {
    id: Pair<String>,
    etag: Pair<String>,
    stale: Pair<String>,
    /// What the two servers hash is not the same: an id that each made for itself is in it.
    uneven: bool,
}

/// Grows with each step of one history.
#[derive(Debug, Default)]
pub struct State {
    documents: HashMap<Birth, Document>,
    /// By source and the tested server's id.
    births: HashMap<(String, String), Birth>,
    /// Ids and ETags of the reference that differ from the tested server's.
    others: HashMap<String, String>,
}

/// What a pair of answers tells beside itself.
#[derive(Debug, Default)]
pub struct Learned {
    /// The two servers worked in different seconds: nothing that follows can be compared.
    pub straddled: bool,
    /// ETags of the same document that should be the same.
    pub etags: Option<Pair<String>>,
    /// How many ETags were the same.
    pub even: usize,
}

impl State {
    /// The request of a step to one server. `now`: seconds.
    pub fn request(&self, world: &World, step: &Step, side: Side, now: i64) -> Request {
        step.request(&mut |marker| self.text(world, marker, side, now))
    }

    fn text(&self, world: &World, marker: Marker, side: Side, now: i64) -> String {
        let known = |birth: Birth| self.documents.get(&birth);
        let unknown = || "0123456789abcdef0123456789abcdef01234567".to_owned();
        match marker {
            Marker::Id(birth) => known(birth).map_or_else(
                || format!("dead{:012x}{:08x}", birth.step, birth.element),
                |document| document.id.of(side).clone(),
            ),
            Marker::Etag(birth) => known(birth).map_or_else(unknown, |document| document.etag.of(side).clone()),
            Marker::Stale(birth) => known(birth).map_or_else(unknown, |document| document.stale.of(side).clone()),
            Marker::Http(seconds) => format_date(HTTP_DATE, now + seconds),
            Marker::Date(seconds) => world.date(now + seconds),
        }
    }

    /// Takes in what both servers answered to a step.
    pub fn learn(&mut self, world: &World, step: &Step, requests: &Pair<Request>, answers: &Pair<Answer>) -> Learned {
        let mut learned = Learned::default();
        let writes = matches!(answers.tested.status, 200 | 201) && answers.reference.status == answers.tested.status;
        let resource = step.resource.as_deref().and_then(|key| world.resource(key));
        let (Some(resource), true) = (resource, writes && matches!(step.action().as_str(), "POST" | "PUT" | "PATCH"))
        else {
            return learned;
        };
        let (Some(reference), Some(tested)) = (results(world, &answers.reference), results(world, &answers.tested))
        else {
            return learned;
        };
        let uneven =
            requests.reference.body != requests.tested.body || requests.reference.target != requests.tested.target;
        for (element, (reference, tested)) in reference.iter().zip(&tested).enumerate() {
            let birth = Birth { step: step.number, element };
            // The store's own id beside another one is hashed, too.
            let uneven = uneven || (step.action() == "PATCH" && resource.id_field != "_id");
            self.result(world, resource, birth, &Pair { reference, tested }, uneven, &mut learned);
        }
        learned
    }

    fn result(
        &mut self,
        world: &World,
        resource: &Resource,
        birth: Birth,
        result: &Pair<&Value>,
        uneven: bool,
        learned: &mut Learned,
    ) {
        let words = &world.words;
        let both = |name: &str| {
            let text = |value: &Value| match &value[name] {
                Value::String(text) => Some(text.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            };
            Some(Pair { reference: text(result.reference)?, tested: text(result.tested)? })
        };
        let Some(id) = both(&resource.id_field) else { return };
        if both(&words.updated).is_some_and(|dates| !dates.is_even()) {
            learned.straddled = true;
            return;
        }
        let known = self.births.get(&(resource.source.clone(), id.tested.clone())).copied();
        let birth = known.unwrap_or(birth);
        let before = self.documents.remove(&birth);
        let uneven = uneven || before.as_ref().is_some_and(|before| before.uneven || !before.id.is_even());
        let etag = both(&words.etag).unwrap_or_default();
        if etag.is_even() {
            learned.even += 1;
        } else if uneven {
            self.others.insert(etag.reference.clone(), etag.tested.clone());
        } else {
            learned.etags = Some(etag.clone());
        }
        if !id.is_even() {
            self.others.insert(id.reference.clone(), id.tested.clone());
        }
        self.births.insert((resource.source.clone(), id.tested.clone()), birth);
        let stale = before.map_or_else(|| etag.clone(), |before| before.etag);
        self.documents.insert(birth, Document { id, etag, stale, uneven });
    }

    /// Remembers that two ids stand for each other.
    pub fn pair_ids(&mut self, reference: &str, tested: &str) {
        self.others.insert(reference.to_owned(), tested.to_owned());
    }

    /// Whether an id or ETag of the reference is known to have another name on the tested server.
    pub fn has_other(&self, reference: &str) -> bool {
        self.others.contains_key(reference)
    }

    /// A text of the reference with the tested server's ids and ETags in place of its own.
    pub fn aligned(&self, text: &str) -> String {
        if self.others.is_empty() {
            return text.to_owned();
        }
        let mut aligned = String::with_capacity(text.len());
        let mut word = String::new();
        for letter in text.chars().chain(['\0']) {
            if letter.is_ascii_hexdigit() {
                word.push(letter);
                continue;
            }
            aligned.push_str(self.others.get(&word).map_or(word.as_str(), String::as_str));
            word.clear();
            aligned.push(letter);
        }
        aligned.pop();
        aligned
    }
}

/// The documents that an answer to a write is about.
fn results(world: &World, answer: &Answer) -> Option<Vec<Value>> {
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    match &body[&world.words.items] {
        Value::Array(items) => Some(items.clone()),
        _ => Some(vec![body]),
    }
}
