//! The parameters of a query string by their configured names; of repeated ones the first counts (REQ-10).

use std::borrow::Cow;

use super::pairs::pairs;
use crate::domain::{AllowedFilters, QueryNames, Resource};

/// Decoded, in the order of the request.
pub(super) struct Parameters<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    names: &'q QueryNames,
}

impl<'q> Parameters<'q> {
    pub(super) fn read(query_string: &'q str, names: &'q QueryNames) -> Self {
        Self { pairs: pairs(query_string.as_bytes()).collect(), names }
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// A parameter that is there but empty is none.
    fn text(&self, name: &str, switched_on: bool) -> Option<&str> {
        self.first(name).filter(|text| switched_on && !text.is_empty())
    }

    /// Present, whatever its value (REQ-11).
    pub(super) fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    pub(super) fn condition(&self, resource: &Resource) -> Option<&str> {
        let off = matches!(&resource.allowed_filters, AllowedFilters::Only(fields) if fields.is_empty());
        self.text(&self.names.filter, !off)
    }

    pub(super) fn order(&self, resource: &Resource) -> Option<&str> {
        self.text(&self.names.sort, resource.sorting)
    }

    pub(super) fn projection(&self, resource: &Resource) -> Option<&str> {
        self.text(&self.names.projection, resource.projection)
    }

    pub(super) fn embedded(&self, resource: &Resource) -> Option<&str> {
        self.text(&self.names.embedded, resource.embedding)
    }

    /// Where to go on.
    pub(super) fn after(&self) -> Option<&str> {
        self.text(&self.names.after, true)
    }

    /// Of other values nobody knows what an Eve client may mean by them.
    pub(super) fn wants_cursors(&self) -> bool {
        self.first(&self.names.paginate) == Some("cursor")
    }

    pub(super) fn wants_no_total(&self) -> bool {
        self.first(&self.names.total) == Some("none")
    }

    pub(super) fn page(&self) -> Option<&str> {
        self.first(&self.names.page)
    }

    pub(super) fn max_results(&self) -> Option<&str> {
        self.first(&self.names.max_results)
    }

    /// Those that Eve itself does not use, grouped by name in the order of their first appearance.
    pub(super) fn others(&self) -> Vec<(&str, &str)> {
        let names = self.names;
        let used = [
            &names.filter,
            &names.sort,
            &names.page,
            &names.max_results,
            &names.embedded,
            &names.projection,
            &names.version,
        ];
        let mut places: indexmap::IndexMap<&str, usize> = indexmap::IndexMap::new();
        let mut others: Vec<(usize, &str, &str)> = Vec::new();
        for (key, value) in self.pairs.iter().filter(|(key, _)| !used.iter().any(|name| key == name.as_str())) {
            let next = places.len();
            others.push((*places.entry(key).or_insert(next), key, value));
        }
        others.sort_by_key(|(place, _, _)| *place);
        others.into_iter().map(|(_, key, value)| (key, value)).collect()
    }
}
