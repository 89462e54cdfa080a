//! Questions that only the store can answer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bson::Bson;

use crate::query::compare;

/// A question about stored documents; a validation that depends on it stays open until it is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// Fails if another document of the resource's collection has this value at this path (VAL-43, VAL-44). The
    /// document itself, by its id, does not count.
    Unique { path: String, value: Bson, within: UniqueWithin },
    /// Fails if no document of this resource, within its datasource filter, has this value in this field (VAL-45).
    Relation { resource: String, field: String, value: Bson },
}

impl Lookup {
    /// The rule that asks.
    pub fn rule(&self) -> &'static str {
        match self {
            Lookup::Unique { within: UniqueWithin::Source, .. } => "unique",
            Lookup::Unique { within: UniqueWithin::Owner, .. } => "unique_to_user",
            Lookup::Unique { within: UniqueWithin::Resource, .. } => "unique_within_resource",
            Lookup::Relation { .. } => "data_relation",
        }
    }
}

/// Among which documents a value must be the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UniqueWithin {
    /// The whole collection: no datasource filter, no owner.
    Source,
    /// The caller's documents, where the resource has an `auth_field`.
    Owner,
    /// The resource's datasource filter.
    Resource,
}

/// The questions of one validation, each once.
#[derive(Debug, Default)]
pub(super) struct Lookups(BTreeMap<Asked, usize>);

impl Lookups {
    /// The number of a question.
    pub(super) fn ask(&mut self, lookup: Lookup) -> usize {
        let number = self.0.len();
        *self.0.entry(Asked(lookup)).or_insert(number)
    }

    /// By their numbers.
    pub(super) fn into_vec(self) -> Vec<Lookup> {
        let mut numbered: Vec<(usize, Lookup)> =
            self.0.into_iter().map(|(Asked(lookup), number)| (number, lookup)).collect();
        numbered.sort_unstable_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, lookup)| lookup).collect()
    }
}

/// A question in an order, with the values compared as the store does that answers it.
#[derive(Debug)]
struct Asked(Lookup);

impl Ord for Asked {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((kind, value), (other_kind, other_value)) = (self.parts(), other.parts());
        kind.cmp(&other_kind).then_with(|| compare(value, other_value))
    }
}

impl PartialOrd for Asked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Asked {}

impl Asked {
    fn parts(&self) -> ((Option<UniqueWithin>, &str, &str), &Bson) {
        match &self.0 {
            Lookup::Unique { path, value, within } => ((Some(*within), path, ""), value),
            Lookup::Relation { resource, field, value } => ((None, resource, field), value),
        }
    }
}
