//! Lists in pages, and the search in them (H-003).

use actix_web::HttpRequest;
use shared::form::{ParameterError, encode};

use crate::app::App;
use crate::browser_form;
use crate::directory::Page;

/// Entries on a page of a list.
pub const PAGE: usize = 25;

/// Which part of a list is asked for.
pub struct Listing {
    pub search: String,
    pub after: Option<String>,
    path: String,
    /// What else the links keep, by name.
    kept: Vec<(&'static str, String)>,
}

impl Listing {
    /// `list`: its path below /management. `kept`: parameters, beside the search, that its links carry on.
    pub fn of(app: &App, request: &HttpRequest, list: &str, kept: &[&'static str]) -> Result<Self, ParameterError> {
        let parameters = browser_form::query(request)?;
        let mut carried = Vec::new();
        for name in kept {
            if let Some(value) = parameters.one(name)? {
                carried.push((*name, value.to_owned()));
            }
        }
        Ok(Self {
            search: parameters.one("q")?.unwrap_or_default().trim().to_owned(),
            after: parameters.one("after")?.map(str::to_owned),
            path: format!("{}/management/{list}", app.config.root()),
            kept: carried,
        })
    }

    /// The value of a parameter that the links carry on.
    pub fn kept(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(kept, _)| *kept == name).map(|(_, value)| value.as_str())
    }

    /// One more than is shown, to know whether there is a next page.
    pub fn page(&self) -> Page {
        let search = (!self.search.is_empty()).then(|| self.search.clone());
        Page { after: self.after.clone(), search, limit: PAGE + 1 }
    }

    /// Links to the first page (when this is another) and to the page after `last`.
    pub fn links(&self, last: Option<&str>) -> Links {
        let first = self.after.as_ref().map_or_else(String::new, |_| self.link(None));
        let next = last.map_or_else(String::new, |last| self.link(Some(last)));
        Links { first, next }
    }

    fn link(&self, after: Option<&str>) -> String {
        let search = (!self.search.is_empty()).then_some(("q", self.search.as_str()));
        let kept = self.kept.iter().map(|(name, value)| (*name, value.as_str()));
        let pairs = search.into_iter().chain(kept).chain(after.map(|after| ("after", after)));
        let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }
}

/// Empty where there is no such page.
#[derive(serde::Serialize)]
pub struct Links {
    pub first: String,
    pub next: String,
}

/// Cuts the entry that only told that there are more; the answer is the id of the last one shown then.
pub fn cut<T>(entries: &mut Vec<T>, id: impl Fn(&T) -> String) -> Option<String> {
    if entries.len() <= PAGE {
        return None;
    }
    entries.truncate(PAGE);
    entries.last().map(id)
}
