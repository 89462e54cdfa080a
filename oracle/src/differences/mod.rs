//! What resource-api does otherwise on purpose. Each has its row in docs/from-eve.md, or, where its two stores differ, in
//! docs/stores.md; a test holds them together.
//!
//! A new one is a function and its entry in one of the files here, and the row.

mod filters;
mod reading;
mod stores;
mod writing;

use crate::compare::Mismatch;
use crate::server::Answer;
use crate::state::Pair;
use crate::step::{Body, Step};
use crate::world::{Resource, World};

use serde_json::Value;

/// Two answers that are not the same, and what they answer.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub world: &'a World,
    pub step: &'a Step,
    pub answers: &'a Pair<Answer>,
    pub mismatches: &'a [Mismatch],
}

/// What the tested server is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    Eve,
    /// resource-api with its documents in the embedded store; those of the tested one are in MongoDB.
    Sqlite,
}

/// One deliberate difference.
pub struct Difference {
    /// Its id in the table.
    pub id: &'static str,
    /// Whether it explains every mismatch of a case.
    explains: fn(&Case<'_>) -> bool,
    /// Whether the two servers hold different documents afterwards.
    pub parts: bool,
}

/// What leaves other documents behind though the answers are the same: the id of the difference.
pub fn parts_silently(world: &World, step: &Step, answers: &Pair<Answer>) -> Option<&'static str> {
    let Body::Json(body) = &step.body else { return None };
    // POST-10: Eve stores what comes before a duplicate.
    if answers.reference.status == 409 && body.as_array().is_some_and(|items| items.len() > 1) {
        return Some("half-bulk");
    }
    let resource = world.resource(step.resource.as_deref()?)?;
    if resource.allow_unknown && answers.tested.status < 300 && has_no_room(body) {
        return Some("lost-fields");
    }
    let written = resource.settings.get("normalize_dotted_fields").unwrap_or(&world.domain["NORMALIZE_DOTTED_FIELDS"]);
    (*written == false && resource.allow_unknown && answers.tested.status < 300 && has_dots(body))
        .then_some("dotted-names")
}

/// Whether a dotted name leads through what is no object, at any depth.
fn has_no_room(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let above = name.split_once('.').and_then(|(above, _)| members.get(above));
            has_no_room(value) || above.is_some_and(|above| !above.is_object())
        }),
        Value::Array(items) => items.iter().any(has_no_room),
        _ => false,
    }
}

/// Whether a member's name has a dot, at any depth.
fn has_dots(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('.') || has_dots(value)),
        Value::Array(items) => items.iter().any(has_dots),
        _ => false,
    }
}

/// The first that explains a case.
pub fn explain(against: Against, case: &Case<'_>) -> Option<&'static Difference> {
    if against == Against::Sqlite {
        return of_stores().chain(STAND_IN).chain(STAND_IN_BEHIND).find(|difference| (difference.explains)(case));
    }
    if let Some(found) = first(case) {
        return Some(found);
    }
    // Links may differ beside anything else.
    let rest: Vec<Mismatch> =
        case.mismatches.iter().filter(|mismatch| !reading::is_of_links(mismatch)).cloned().collect();
    if rest.len() < case.mismatches.len() { first(&Case { mismatches: &rest, ..*case }) } else { None }
}

fn first(case: &Case<'_>) -> Option<&'static Difference> {
    all().chain(STAND_IN).find(|difference| (difference.explains)(case))
}

/// Every one between the two stores.
pub fn of_stores() -> impl Iterator<Item = &'static Difference> {
    stores::DIFFERENCES.iter()
}

/// Every deliberate difference to Eve.
pub fn all() -> impl Iterator<Item = &'static Difference> {
    reading::DIFFERENCES.iter().chain(filters::DIFFERENCES).chain(writing::DIFFERENCES)
}

/// Not in the table: what the MongoDB stand-in that tests run on does otherwise than MongoDB.
const STAND_IN: &[Difference] = &[Difference { id: "stand-in", explains: stand_in, parts: false }];

/// The same where it is behind resource-api.
const STAND_IN_BEHIND: &[Difference] = &[Difference { id: "stand-in", explains: stale_key, parts: true }];

/// The unique index keeps a value that a document gave up, once that document is deleted.
fn stale_key(case: &Case<'_>) -> bool {
    matches!(case.statuses().0, 200 | 201) && case.answers.tested.body.contains("is not unique")
}

/// `$nin` with null among its values leaves out documents that lack the field; the stand-in keeps them.
fn stand_in(case: &Case<'_>) -> bool {
    let filter = case.filter();
    filter.contains("$nin") && filter.contains("null")
}

impl Case<'_> {
    fn statuses(&self) -> (u16, u16) {
        (self.answers.reference.status, self.answers.tested.status)
    }

    fn filter(&self) -> &str {
        self.step.parameter(&self.world.words.filter).unwrap_or_default()
    }

    fn all(&self, holds: impl Fn(&Mismatch) -> bool) -> bool {
        self.mismatches.iter().all(holds)
    }

    fn resource(&self) -> Option<&Resource> {
        self.world.resource(self.step.resource.as_deref()?)
    }
}
