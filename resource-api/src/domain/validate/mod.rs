//! Document + schema → document | issues, in Cerberus's order and words (contract section 16). Pure: what only the
//! store can answer comes out as [`Lookup`]s, and [`Validation::finish`] takes the answers in.
//!
//! A new rule is a variant of [`Rule`](super::Rule), an arm in the reader and an arm in `field.rs`.

mod checks;
mod coercion;
mod compare;
mod containers;
mod field;
mod geojson;
mod issues;
mod kind;
mod lookups;
mod mapping;
mod membership;
mod normalize;
mod place;
#[cfg(test)]
mod tests;

use bson::{Bson, DateTime, Document};

pub(super) use compare::is_falsy;
pub use issues::{Finding, Issues};
pub use kind::has_type;
pub use lookups::{Lookup, UniqueWithin};

use super::{Resource, Settings};
use issues::Violation;
use lookups::Lookups;
use mapping::{Level, Unknown};
use place::Place;

/// What is being done with the document, and what is stored already.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// POST.
    Insert,
    /// PUT of an existing document.
    Replace { original: &'a Document },
    /// PATCH: the document holds only what was sent.
    Update { original: &'a Document },
}

impl<'a> Mode<'a> {
    fn original(self) -> Option<&'a Document> {
        match self {
            Mode::Insert => None,
            Mode::Replace { original } | Mode::Update { original } => Some(original),
        }
    }

    fn is_update(self) -> bool {
        matches!(self, Mode::Update { .. })
    }
}

/// All that decides besides the document.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    pub resource: &'a Resource,
    pub settings: &'a Settings,
    pub mode: Mode<'a>,
    /// Who asks, for `default_setter: subject`.
    pub subject: Option<&'a str>,
    pub now: DateTime,
}

/// A validated document that may still fail on what the store knows.
#[derive(Debug)]
pub struct Validation {
    document: Document,
    violations: Vec<Violation>,
    lookups: Vec<Lookup>,
}

/// Normalises and checks a converted document. In `Update` mode normalisation is up to `normalize_on_patch`.
pub fn validate(mut document: Document, circumstances: &Circumstances<'_>) -> Validation {
    let resource = circumstances.resource;
    let mut run = Run {
        circumstances,
        lookups: Lookups::default(),
        normalized: !circumstances.mode.is_update() || resource.normalize_on_patch,
        update: circumstances.mode.is_update(),
        stored: false,
    };
    let mut violations = Vec::new();
    if run.normalized {
        run.normalize(&mut document, &mut violations);
    }
    run.root(&document, &mut violations);
    if let Some(completed) = run.with_stored_dependencies(&document) {
        // VAL-42: the document is checked again together with the stored fields it depends on.
        run.root(&completed, &mut violations);
        issues::remove_repeated(&mut violations);
    }
    Validation { document, violations, lookups: run.lookups.into_vec() }
}

/// Checks a document as it is stored, fields that the service keeps itself left out: nothing is brought into a normal form, and
/// what a default would fill in is not missing.
pub fn inspect(document: &Document, resource: &Resource, settings: &Settings, now: DateTime) -> Validation {
    let mode = Mode::Replace { original: document };
    let circumstances = Circumstances { resource, settings, mode, subject: None, now };
    let mut run = Run {
        circumstances: &circumstances,
        lookups: Lookups::default(),
        normalized: false,
        update: false,
        stored: true,
    };
    let mut violations = Vec::new();
    run.root(document, &mut violations);
    Validation { document: Document::new(), violations, lookups: run.lookups.into_vec() }
}

impl Validation {
    /// What is wrong, rule by rule; `failed` as in [`Validation::finish`].
    pub fn findings(&self, failed: &[bool]) -> Vec<Finding> {
        let mut findings = Vec::new();
        issues::findings(&self.violations, &self.lookups, failed, &mut findings);
        findings
    }

    /// What the store must answer, in the order [`Validation::finish`] takes the answers.
    pub fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// The normalised document, or what is wrong with it. `failed[i]` says that look-up `i` found a duplicate or no
    /// target; a missing answer counts as fine.
    pub fn finish(self, failed: &[bool]) -> Result<Document, Issues> {
        let violations = issues::resolve(self.violations, failed);
        if violations.is_empty() { Ok(self.document) } else { Err(Issues::from_violations(&violations)) }
    }
}

/// One validation on its way.
struct Run<'a> {
    circumstances: &'a Circumstances<'a>,
    lookups: Lookups,
    /// Normalisation ran, so read-only fields are checked already.
    normalized: bool,
    /// Absent fields are not required.
    update: bool,
    /// The document is stored already: absent fields with a default are not required.
    stored: bool,
}

impl<'a> Run<'a> {
    fn root(&mut self, document: &Document, violations: &mut Vec<Violation>) {
        let resource = self.circumstances.resource;
        let level = Level {
            siblings: document,
            root: document,
            schema: Some(&resource.schema),
            place: &Place::Root,
            unknown: Unknown::from(resource.allow_unknown),
            dict_unknown: None,
            require_all: false,
            unrequired: Default::default(),
        };
        self.mapping(document, &level, violations);
        let refused = |field: &str| violations.iter().any(|known| known.rule == "type" && known.names(field));
        if let Some(Bson::Array(_)) = document.get("_id")
            && !refused("_id")
        {
            // As in MongoDB: a list's values are looked for, never the list itself.
            violations.push(Violation::message(&level.place.name("_id"), "type", "can't be a list".to_owned()));
        }
        let id_field = &resource.id_field;
        let generated = id_field == "_id" || !matches!(self.circumstances.mode, Mode::Insert);
        let noted = violations.iter().any(|known| known.rule == "required" && known.names(id_field));
        if !generated && !noted && !document.contains_key(id_field) {
            // POST-09: only `_id` is ever made up.
            violations.push(Violation::message(&level.place.name(id_field), "required", "required field".to_owned()));
        }
        issues::sort(violations);
    }
}
