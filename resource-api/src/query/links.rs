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
        Self { before, page_name: names.page.clone(), after }
    }

    pub(super) fn suffix(&self, page: u64) -> String {
        let page = if page > 1 { format!("{}={page}", self.page_name) } else { String::new() };
        let mut suffix = String::new();
        for part in [&self.before, &page, &self.after] {
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
