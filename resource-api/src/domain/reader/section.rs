//! A mapping of the domain file, read setting by setting: wrong values become faults, keys never read become warnings.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use bson::{Bson, Document};

use crate::domain::{Fault, Method};

/// What was found wrong or odd so far.
#[derive(Debug, Default)]
pub struct Report {
    pub faults: RefCell<Vec<Fault>>,
    pub warnings: RefCell<Vec<String>>,
}

impl Report {
    pub fn fault(&self, resource: Option<&str>, field: Option<&str>, rule: Option<&str>, message: impl Into<String>) {
        let owned = |part: Option<&str>| part.map(str::to_owned);
        let fault =
            Fault { resource: owned(resource), field: owned(field), rule: owned(rule), message: message.into() };
        let mut faults = self.faults.borrow_mut();
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    pub fn warn(&self, warning: impl Into<String>) {
        let warning = warning.into();
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

#[cfg(test)]
thread_local! {
    /// Every setting that was looked for, with the words before it.
    pub static ASKED: RefCell<BTreeSet<String>> = RefCell::default();
}

/// Settings of one level; readers take the default to use when the key is absent or wrong.
pub struct Section<'a> {
    pub resource: Option<&'a str>,
    /// Words before the key in messages, such as `datasource.`.
    prefix: &'static str,
    document: &'a Document,
    pub report: &'a Report,
    seen: RefCell<HashSet<Cow<'static, str>>>,
}

impl<'a> Section<'a> {
    pub fn new(resource: Option<&'a str>, prefix: &'static str, document: &'a Document, report: &'a Report) -> Self {
        Self { resource, prefix, document, report, seen: RefCell::default() }
    }

    /// The raw value; null is a value here.
    pub fn get(&self, key: &'static str) -> Option<&'a Bson> {
        self.seen.borrow_mut().insert(Cow::Borrowed(key));
        #[cfg(test)]
        ASKED.with_borrow_mut(|asked| asked.insert(format!("{}{key}", self.prefix)));
        self.document.get(key)
    }

    /// The same of a key that another setting makes.
    pub fn named(&self, key: &str) -> Option<&'a Bson> {
        self.seen.borrow_mut().insert(Cow::Owned(key.to_owned()));
        self.document.get(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &'a String> {
        self.document.keys()
    }

    pub fn fault(&self, key: &str, message: impl Into<String>) {
        let rule = format!("{}{key}", self.prefix);
        self.report.fault(self.resource, None, Some(&rule), message);
    }

    pub fn warn(&self, key: &str, message: &str) {
        let place = self.resource.map(|resource| format!("{resource}: ")).unwrap_or_default();
        self.report.warn(format!("{place}{}{key}: {message}", self.prefix));
    }

    pub fn flag(&self, key: &'static str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some(Bson::Boolean(flag)) => *flag,
            Some(_) => {
                self.fault(key, "must be true or false");
                default
            }
        }
    }

    pub fn text(&self, key: &'static str, default: &str) -> String {
        match self.get(key) {
            None => default.to_owned(),
            Some(Bson::String(text)) => text.clone(),
            Some(_) => {
                self.fault(key, "must be a string");
                default.to_owned()
            }
        }
    }

    /// A string that becomes the value of a header.
    pub fn header_value(&self, key: &'static str, default: &str) -> String {
        let text = self.text(key, default);
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return text;
        }
        self.fault(key, "can't be said in a header");
        default.to_owned()
    }

    /// A string that may be null, which is no string.
    pub fn optional_text(&self, key: &'static str, default: Option<&str>) -> Option<String> {
        match self.get(key) {
            None => default.map(str::to_owned),
            Some(Bson::Null) => None,
            Some(Bson::String(text)) => Some(text.clone()),
            Some(_) => {
                self.fault(key, "must be a string or null");
                None
            }
        }
    }

    /// A whole number of at least zero and at most `most`.
    pub fn natural(&self, key: &'static str, default: u64, most: u64) -> u64 {
        match self.get(key) {
            None => default,
            Some(value) => match natural(value).filter(|number| *number <= most) {
                Some(number) => number,
                None => {
                    self.fault(key, format!("must be a whole number from 0 to {most}"));
                    default
                }
            },
        }
    }

    pub fn texts(&self, key: &'static str, default: &[String]) -> Vec<String> {
        match self.get(key) {
            None => default.to_vec(),
            Some(value) => texts(value).unwrap_or_else(|| {
                self.fault(key, "must be a list of strings");
                default.to_vec()
            }),
        }
    }

    /// Method names, each among `supported` (CFG-03).
    pub fn methods(&self, key: &'static str, default: &BTreeSet<Method>, supported: &[Method]) -> BTreeSet<Method> {
        let Some(value) = self.get(key) else { return default.clone() };
        let Some(names) = texts(value) else {
            self.fault(key, "must be a list of methods");
            return default.clone();
        };
        let mut methods = BTreeSet::new();
        for name in names {
            match Method::from_name(&name).filter(|method| supported.contains(method)) {
                Some(method) => _ = methods.insert(method),
                None if matches!(name.as_str(), "HEAD" | "OPTIONS") && key.to_lowercase().starts_with("public") => {}
                None => {
                    let known: Vec<&str> = supported.iter().map(|method| method.name()).collect();
                    self.fault(key, format!("unallowed method {name}. Supported: {}", known.join(", ")));
                }
            }
        }
        methods
    }

    pub fn document(&self, key: &'static str) -> Option<&'a Document> {
        match self.get(key)? {
            Bson::Document(document) => Some(document),
            Bson::Null => None,
            _ => {
                self.fault(key, "must be a mapping");
                None
            }
        }
    }

    /// Warns once about each key that no reader asked for.
    pub fn finish(self) {
        let seen = self.seen.borrow();
        for key in self.document.keys().filter(|key| !seen.contains(key.as_str())) {
            self.warn(key, "unknown setting, ignored");
        }
    }
}

pub fn natural(value: &Bson) -> Option<u64> {
    match value {
        Bson::Int32(number) => u64::try_from(*number).ok(),
        Bson::Int64(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

pub fn texts(value: &Bson) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
