//! What of a resource's documents a client may ask about: no field that it can't see may be guessed by filters or order.

use crate::domain::{AllowedFilters, Resource, Settings};

use super::path::{is_within, without_positions};
use super::{Query, QueryError};

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
        if projection.is_empty() {
            return Visibility::Shown;
        }
        let path = without_positions(path);
        let overlaps = |field: &str| is_within(&path, field) || is_within(field, &path);
        let mut hidden = projection.iter().filter(|(field, shown)| !**shown && overlaps(field));
        if hidden.any(|(field, _)| !self.opens(field, &path)) {
            return Visibility::Hidden;
        }
        let inclusive = projection.values().any(|shown| *shown);
        if !inclusive || self.is_automatic(&path) {
            return Visibility::Shown;
        }
        if projection.keys().any(|field| is_within(&path, field)) {
            return Visibility::Shown;
        }
        let shown_in_part = |listed: &str| projection.keys().any(|field| is_within(field, listed));
        if self.listed().iter().any(|listed| is_within(&path, listed) && !shown_in_part(listed)) {
            return Visibility::Shown;
        }
        let top = path.split('.').next().unwrap_or_default();
        let known = self.resource.allow_unknown || self.resource.schema.contains_key(top) || shown_in_part(top);
        if known { Visibility::Hidden } else { Visibility::Unknown }
    }

    /// Whether `allowed_filters` opens what is asked about of a hidden field: it has to name the field itself, or a part
    /// of it, as the name of something above it may stand there for what is shown beside.
    fn opens(&self, hidden: &str, path: &str) -> bool {
        self.listed().iter().any(|listed| listed == hidden || (is_within(listed, hidden) && is_within(path, listed)))
    }

    fn listed(&self) -> &'r [String] {
        match &self.resource.allowed_filters {
            AllowedFilters::All => &[],
            AllowedFilters::Only(fields) => fields,
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

impl Query {
    /// Refuses to tell whose documents are whose by filters or order: for those who see everybody's documents, and not
    /// whose they are (URRA-04, URRA-05).
    pub fn forbid_owner(&self, resource: &Resource) -> Result<(), QueryError> {
        let Some(owner) = resource.auth_field.as_deref().filter(|field| !resource.schema.contains_key(*field)) else {
            return Ok(());
        };
        let listed = matches!(&resource.allowed_filters, AllowedFilters::Only(fields) if fields.iter().any(|field| field == owner));
        if listed {
            return Ok(());
        }
        let asks = |path: &str| is_within(path, owner) || is_within(owner, path);
        if let Some(path) = self.filter.fields().into_iter().find(|path| asks(path)) {
            return Err(QueryError::FilterNotAllowed(path));
        }
        match self.sort.iter().find(|(path, _)| asks(path)) {
            Some((path, _)) if self.sort != resource.datasource.default_sort => {
                Err(QueryError::SortNotAllowed(path.clone()))
            }
            _ => Ok(()),
        }
    }
}
