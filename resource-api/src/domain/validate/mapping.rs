//! One mapping against its schema: known fields, unknown fields, missing fields.

use std::cell::RefCell;

use bson::{Bson, Document};

use super::Run;
use super::issues::{self, Violation};
use super::place::Place;
use crate::domain::{AllowUnknown, Dependencies, Field, Rule, Schema};

/// What becomes of fields that the schema does not know (VAL-35).
#[derive(Clone, Copy)]
pub enum Unknown<'l> {
    Any(bool),
    /// Their values must satisfy this.
    Rules(&'l Field),
}

impl From<bool> for Unknown<'_> {
    fn from(any: bool) -> Self {
        Unknown::Any(any)
    }
}

impl<'l> Unknown<'l> {
    /// The field's own setting, if it has one.
    pub fn of(field: &'l Field) -> Option<Self> {
        field.allow_unknown().map(|allowed| match allowed {
            AllowUnknown::Any(any) => Unknown::Any(*any),
            AllowUnknown::Rules(rules) => Unknown::Rules(rules),
        })
    }

    pub fn allows(self) -> bool {
        !matches!(self, Unknown::Any(false))
    }
}

/// The mapping (or list) that a value sits in, and what it hands down.
pub struct Level<'l> {
    /// The fields beside the value; none in a list.
    pub siblings: &'l Document,
    /// The whole document, for dependencies with `^`.
    pub root: &'l Document,
    pub schema: Option<&'l Schema>,
    pub place: &'l Place<'l>,
    pub unknown: Unknown<'l>,
    /// Under `anyof` and its like, where `unknown` is open for the sake of the other fields: what dicts inherit.
    pub dict_unknown: Option<Unknown<'l>>,
    pub require_all: bool,
    /// Required fields that exclude each other: one of them is enough (VAL-18).
    pub unrequired: RefCell<Vec<String>>,
}

impl<'l> Level<'l> {
    /// Whether what is checked is one of a field's alternatives, beside the field itself.
    pub fn is_alternative(&self) -> bool {
        self.dict_unknown.is_some()
    }

    /// The level of what is inside a value: not a mapping with names of its own.
    pub fn inside<'m>(&self, place: &'m Place<'m>, siblings: &'m Document) -> Level<'m>
    where
        'l: 'm,
    {
        Level {
            siblings,
            root: self.root,
            schema: None,
            place,
            unknown: self.unknown,
            dict_unknown: None,
            require_all: self.require_all,
            unrequired: RefCell::default(),
        }
    }
}

impl Run<'_> {
    /// Checks every field of a mapping; `level.siblings` is the mapping itself.
    pub fn mapping(&mut self, document: &Document, level: &Level<'_>, out: &mut Vec<Violation>) {
        for (name, value) in document {
            let place = level.place.name(name);
            match level.schema.and_then(|schema| schema.get(name)) {
                Some(field) => self.field(field, &place, value, level, out),
                None => self.unknown(&place, value, level, out),
            }
        }
        if !self.update {
            missing(document, level, self.stored, out);
        }
        issues::sort(out);
    }

    fn unknown(&mut self, place: &Place<'_>, value: &Bson, level: &Level<'_>, out: &mut Vec<Violation>) {
        match level.unknown {
            Unknown::Any(true) => {}
            Unknown::Any(false) => out.push(Violation::message(place, "", "unknown field".to_owned())),
            Unknown::Rules(rules) => {
                // Checked by itself and, like Cerberus does, as a whole even in an update.
                let update = std::mem::replace(&mut self.update, false);
                let alone = Document::new();
                let inner = level.inside(level.place, &alone);
                self.field(rules, place, value, &inner, out);
                self.update = update;
            }
        }
    }

    /// The document with the stored fields that its dependencies, and theirs in turn, name; `None` when there are none
    /// (VAL-42). Only top-level fields see the stored document.
    pub fn with_stored_dependencies(&self, document: &Document) -> Option<Document> {
        let original = self.circumstances.mode.original()?;
        let schema = &self.circumstances.resource.schema;
        let mut completed: Option<Document> = None;
        loop {
            let current = completed.as_ref().unwrap_or(document);
            let stored = current
                .keys()
                .filter_map(|name| schema.get(name))
                .flat_map(dependency_names)
                .find_map(|name| Some((name, original.get(name).filter(|_| !current.contains_key(name))?)));
            let Some((name, value)) = stored else { return completed };
            completed.get_or_insert_with(|| document.clone()).insert(name, value.clone());
        }
    }
}

/// The names a field depends on, as written.
pub fn dependency_names(field: &Field) -> Vec<&str> {
    let names = field.rules.iter().filter_map(|rule| match rule {
        Rule::Dependencies(Dependencies::Names(names)) => Some(names.iter().map(String::as_str).collect::<Vec<_>>()),
        Rule::Dependencies(Dependencies::Values(values)) => Some(values.keys().map(String::as_str).collect()),
        _ => None,
    });
    names.flatten().collect()
}

fn missing(document: &Document, level: &Level<'_>, stored: bool, out: &mut Vec<Violation>) {
    let message = |name: &str| Violation::message(&level.place.name(name), "required", "required field".to_owned());
    let unrequired = level.unrequired.borrow();
    for (name, field) in level.schema.into_iter().flatten() {
        let filled = stored && field.rules.iter().any(|rule| matches!(rule, Rule::Default(_) | Rule::DefaultSetter(_)));
        let required = field.required().unwrap_or(level.require_all) && !filled;
        if required && !document.contains_key(name) && !unrequired.contains(name) {
            out.push(message(name));
        }
    }
    let present = |name: &String| document.get(name).is_some_and(|value| *value != Bson::Null);
    if !unrequired.is_empty() && !unrequired.iter().any(present) {
        out.extend(unrequired.iter().map(|name| message(name)));
    }
}
