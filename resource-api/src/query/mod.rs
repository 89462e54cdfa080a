//! The query string of a GET, parsed once: every refusal and every default that Eve prescribes is decided here.
//!
//! A new parameter is a field of [`Query`], a parser beside the others and a line in `parse`.

mod cast;
mod compare;
mod cursor;
mod embedded;
mod error;
mod extended_json;
mod fields;
mod filter;
mod links;
mod matching;
pub mod mongo_syntax;
mod native;
mod number;
mod operand;
mod order;
mod page;
mod pairs;
mod parameters;
mod path;
mod pattern;
mod perl;
mod projection;
mod python_syntax;
mod python_text;
mod raw;
mod sort;
#[cfg(test)]
mod tests;
mod value;
mod visible;
mod where_clause;

pub use cast::cast_by_schema;
pub use compare::compare;
pub use cursor::{Cursor, Cursors};
pub use embedded::Embedding;
pub use error::{FilterError, QueryError};
pub use fields::{Cut, Fields};
pub use filter::{Choices, Filter, Test};
pub use mongo_syntax::parse_trusted;
pub use order::{compare_by, place, total_order};
pub use page::Page;
pub use pairs::pairs;
pub use pattern::Pattern;

use bson::Bson;

use crate::domain::{Domain, Resource};
use links::Links;
use parameters::Parameters;
use visible::Visible;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// Dotted paths in order; a store appends `_id` in the last direction, so that every order is total.
pub type Sort = Vec<(String, Direction)>;

/// What the store needs to find a page of documents.
#[derive(Debug, Clone, Default)]
pub struct Find {
    pub filter: Filter,
    pub sort: Sort,
    /// Only what comes behind this place: a value for each key of [`total_order`]. The total counts all matches even so.
    pub after: Option<Vec<Bson>>,
    pub skip: u64,
    /// `None`: all.
    pub limit: Option<u64>,
    /// Whether the total of matches is wanted.
    pub count: bool,
}

/// How a client goes through a collection.
#[derive(Debug, Clone)]
pub enum Paging {
    /// By number, as in Eve.
    Pages,
    /// By a place in the order, at the same cost however far (`paginate=cursor`, `after=…`).
    Cursor {
        cursors: Cursors,
        /// `None`: from the beginning.
        after: Option<Cursor>,
    },
}

/// A query string, understood.
#[derive(Debug, Clone)]
pub struct Query {
    /// The client's `where`, nothing else: sub-resource, datasource and owner are for the endpoint to add.
    pub filter: Filter,
    /// The client's, or the resource's own.
    pub sort: Sort,
    pub fields: Fields,
    /// In the order to resolve them.
    pub embedded: Vec<Embedding>,
    pub page: Page,
    pub paging: Paging,
    /// Whether the total is wanted.
    pub count: bool,
    /// `total=none`: the client does without it, though the resource counts.
    pub uncounted: bool,
    /// Indented JSON (RESP-03).
    pub pretty: bool,
    links: Links,
}

impl Query {
    /// For a collection. Parameters that the resource switches off are ignored, repeated ones count once (REQ-10).
    pub fn parse(domain: &Domain, resource: &Resource, query_string: &str) -> Result<Self, QueryError> {
        let parameters = Parameters::read(query_string, &domain.settings.query_names);
        let mut query = Self::without_search(domain, resource, &parameters)?;
        if let Some(text) = parameters.condition(resource) {
            query.filter = where_clause::parse(text, resource, &domain.settings)?;
        }
        if resource.sorting {
            if let Some(text) = parameters.order(resource) {
                query.sort = sort::parse(text, Visible::new(resource, &domain.settings))?;
            }
            if query.sort.is_empty() {
                query.sort.clone_from(&resource.datasource.default_sort);
            }
        }
        if resource.pagination {
            let after = parameters.after();
            if after.is_some() || parameters.wants_cursors() {
                let condition = parameters.condition(resource).unwrap_or_default();
                let cursors = Cursors::new(resource, &domain.settings, condition, &query.sort);
                let after = after.map(|text| cursors.read(text)).transpose()?;
                query.paging = Paging::Cursor { cursors, after };
                query.page.number = 1;
                query.links.by_cursor(&parameters, &domain.settings);
            }
        }
        query.uncounted = query.count && parameters.wants_no_total();
        query.count &= !query.uncounted;
        Ok(query)
    }

    /// For an item, and for the answers to writes: `where` and `sort` only show up in links (GET-02, LINK-06).
    pub fn parse_item(domain: &Domain, resource: &Resource, query_string: &str) -> Result<Self, QueryError> {
        let parameters = Parameters::read(query_string, &domain.settings.query_names);
        Self::without_search(domain, resource, &parameters)
    }

    fn without_search(domain: &Domain, resource: &Resource, parameters: &Parameters<'_>) -> Result<Self, QueryError> {
        let settings = &domain.settings;
        let page = Page::parse(parameters.page(), parameters.max_results(), resource, settings);
        Ok(Self {
            filter: Filter::All,
            sort: Sort::new(),
            fields: match parameters.projection(resource) {
                Some(text) => projection::parse(text, resource, settings)?,
                None => Fields::of(resource, settings),
            },
            embedded: embedded::parse(parameters.embedded(resource), domain, resource)?,
            page,
            paging: Paging::Pages,
            count: !resource.optimize_pagination_for_speed,
            uncounted: false,
            pretty: parameters.has("pretty"),
            links: Links::new(parameters, page, resource, settings),
        })
    }

    /// What the store is asked; the endpoint narrows the filter first.
    pub fn find(&self) -> Find {
        Find {
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            after: None,
            skip: self.page.skip(),
            limit: Some(self.page.max_results).filter(|limit| *limit > 0),
            count: self.count,
        }
    }

    /// The query string that leads to the part of the same request behind a cursor, `?` included.
    pub fn cursor_suffix(&self, cursor: &str) -> String {
        self.links.behind(cursor)
    }

    /// The query string that leads to another page of the same request, `?` included; raw, as Eve's links are (LINK-02).
    pub fn link_suffix(&self, page: u64) -> String {
        self.links.suffix(page)
    }
}
