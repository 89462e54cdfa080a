//! The query string of links to other pages (LINK-02).

use super::page::Page;
use super::parameters::Parameters;
use crate::domain::{Resource, Settings};

/// All of a link's query but the page, whose place is between the two parts.
#[derive(Debug, Clone)]
pub(super) struct Links {
    before: String,
    page_name: String,
    after: String,
    /// Of the parameter that takes the page's place; `None` where pages are numbered.
    cursor_name: Option<String>,
}

impl Links {
    pub(super) fn new(parameters: &Parameters<'_>, page: Page, resource: &Resource, settings: &Settings) -> Self {
        let names = &settings.query_names;
        let mut before = String::new();
        if page.max_results != settings.pagination_default {
            push(&mut before, &names.max_results, &page.max_results.to_string());
        }
        if let Some(text) = parameters.condition(resource) {
            push(&mut before, &names.filter, text);
        }
        if let Some(text) = parameters.order(resource) {
            push(&mut before, &names.sort, text);
        }
        let mut after = String::new();
        for (name, value) in parameters.others() {
            push(&mut after, name, value);
        }
        Self { before, page_name: names.page.clone(), after, cursor_name: None }
    }

    /// The cursor of this request is not repeated beside the one that a link has.
    pub(super) fn by_cursor(&mut self, parameters: &Parameters<'_>, settings: &Settings) {
        let name = &settings.query_names.after;
        self.after.clear();
        for (other, value) in parameters.others().into_iter().filter(|(other, _)| other != name) {
            push(&mut self.after, other, value);
        }
        self.cursor_name = Some(name.clone());
    }

    pub(super) fn behind(&self, cursor: &str) -> String {
        self.with(&self.cursor_name.as_ref().map_or_else(String::new, |name| format!("{name}={cursor}")))
    }

    pub(super) fn suffix(&self, page: u64) -> String {
        self.with(&if page > 1 { format!("{}={page}", self.page_name) } else { String::new() })
    }

    fn with(&self, place: &str) -> String {
        let mut suffix = String::new();
        for part in [&self.before, place, &self.after] {
            if !part.is_empty() {
                suffix.push(if suffix.is_empty() { '?' } else { '&' });
                suffix.push_str(part);
            }
        }
        suffix
    }
}

fn push(parts: &mut String, name: &str, value: &str) {
    if !parts.is_empty() {
        parts.push('&');
    }
    parts.extend([name, "=", value]);
}
