//! What of a resource's documents a client may ask about: no field that it can't see may be guessed by filters or order.

use crate::domain::{AllowedFilters, Resource, Settings};

use super::path::{is_listed, is_within, without_positions};

/// The fields of one resource as its datasource projection shows them (CFG-14), for those who have to keep the rest secret.
#[derive(Clone, Copy)]
pub(super) struct Visible<'r> {
    resource: &'r Resource,
    settings: &'r Settings,
}

/// How a path stands to what a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    Shown,
    /// In the schema, but left out of documents.
    Hidden,
    /// Nothing the resource knows. Stored values of such a name are not shown, so they count as missing.
    Unknown,
}

impl<'r> Visible<'r> {
    pub(super) fn new(resource: &'r Resource, settings: &'r Settings) -> Self {
        Self { resource, settings }
    }

    /// `path` may hold positions in arrays.
    pub(super) fn path(&self, path: &str) -> Visibility {
        let projection = &self.resource.datasource.projection;
        let path = without_positions(path);
        if projection.is_empty() || self.is_listed(&path) {
            return Visibility::Shown;
        }
        let overlaps = |field: &str| is_within(&path, field) || is_within(field, &path);
        if projection.iter().any(|(field, shown)| !shown && overlaps(field)) {
            return Visibility::Hidden;
        }
        let inclusive = projection.values().any(|shown| *shown);
        if !inclusive || self.is_automatic(&path) {
            return Visibility::Shown;
        }
        if projection.keys().any(|field| is_within(&path, field)) {
            return Visibility::Shown;
        }
        let top = path.split('.').next().unwrap_or_default();
        let known = self.resource.allow_unknown
            || self.resource.schema.contains_key(top)
            || projection.keys().any(|field| is_within(field, top));
        if known { Visibility::Hidden } else { Visibility::Unknown }
    }

    /// Listed by name in `allowed_filters`, which opens even a hidden field.
    fn is_listed(&self, path: &str) -> bool {
        match &self.resource.allowed_filters {
            AllowedFilters::All => false,
            AllowedFilters::Only(fields) => is_listed(path, fields),
        }
    }

    /// The fields the service itself writes; the owner's field is judged by the endpoint (URRA-03).
    fn is_automatic(&self, path: &str) -> bool {
        let names = &self.settings.names;
        path == "_id"
            || path == self.resource.id_field
            || self.resource.auth_field.as_deref() == Some(path)
            || [&names.last_updated, &names.date_created, &names.etag].into_iter().any(|name| name == path)
    }
}
