//! Questions that only the store can answer.

use bson::Bson;

/// A question about stored documents; a validation that depends on it stays open until it is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// Fails if another document of the resource's collection has this value at this path (VAL-43, VAL-44). The
    /// document itself, by its id, does not count.
    Unique { path: String, value: Bson, within: UniqueWithin },
    /// Fails if no document of this resource, within its datasource filter, has this value in this field (VAL-45).
    Relation { resource: String, field: String, value: Bson },
}

/// Among which documents a value must be the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UniqueWithin {
    /// The whole collection: no datasource filter, no owner.
    Source,
    /// The caller's documents, where the resource has an `auth_field`.
    Owner,
    /// The resource's datasource filter.
    Resource,
}
