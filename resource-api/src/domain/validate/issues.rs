//! What is wrong with a document: collected flat, shown as Eve's tree (VAL-39, VAL-40).

use std::collections::HashSet;

use bson::{Bson, Document};
use indexmap::IndexMap;

use super::lookups::Lookup;
use super::place::{Crumb, Place};

/// One failed rule, or one that fails if the store says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    path: Vec<Crumb>,
    /// Orders the messages of one field; Eve's own rules have none and come first (VAL-40).
    pub rule: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Message(String),
    /// Holds only if this look-up fails.
    Pending {
        lookup: usize,
        message: String,
    },
    /// The faults of what is inside the value.
    Group(Vec<Violation>),
    /// The faults of each alternative; whether they matter depends on how many there are.
    Logic {
        operator: Operator,
        alternatives: Vec<Vec<Violation>>,
    },
}

/// How many alternatives must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    Any,
    All,
    One,
    None,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Operator::Any => "anyof",
            Operator::All => "allof",
            Operator::One => "oneof",
            Operator::None => "noneof",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Operator::Any => "no definitions validate",
            Operator::All => "one or more definitions don't validate",
            Operator::One => "none or more than one rule validate",
            Operator::None => "one or more definitions validate",
        }
    }

    fn holds(self, passed: usize, all: usize) -> bool {
        match self {
            Operator::Any => passed > 0,
            Operator::All => passed == all,
            Operator::One => passed == 1,
            Operator::None => passed == 0,
        }
    }
}

impl Violation {
    pub fn message(place: &Place<'_>, rule: &'static str, message: String) -> Self {
        Self { path: place.crumbs(), rule, kind: Kind::Message(message) }
    }

    pub fn pending(place: &Place<'_>, lookup: usize, message: String) -> Self {
        Self { path: place.crumbs(), rule: "", kind: Kind::Pending { lookup, message } }
    }

    pub fn group(place: &Place<'_>, rule: &'static str, mut inner: Vec<Violation>) -> Self {
        sort(&mut inner);
        Self { path: place.crumbs(), rule, kind: Kind::Group(inner) }
    }

    pub fn logic(place: &Place<'_>, operator: Operator, mut alternatives: Vec<Vec<Violation>>) -> Self {
        alternatives.iter_mut().for_each(|alternative| sort(alternative));
        Self { path: place.crumbs(), rule: operator.name(), kind: Kind::Logic { operator, alternatives } }
    }

    /// Whether it is about this top-level field.
    pub fn names(&self, field: &str) -> bool {
        matches!(self.path.as_slice(), [Crumb::Name(name)] if name == field)
    }

    /// Whether it is about the value at this place.
    pub fn is_at(&self, place: &Place<'_>) -> bool {
        self.path == place.crumbs()
    }
}

/// By place, then by rule.
pub fn sort(violations: &mut [Violation]) {
    violations.sort_by(|one, two| one.path.cmp(&two.path).then(one.rule.cmp(two.rule)));
}

/// The same message twice on one field says nothing more (VAL-42).
pub fn remove_repeated(violations: &mut Vec<Violation>) {
    let mut seen = HashSet::with_capacity(violations.len());
    let first: Vec<bool> = violations.iter().map(|violation| seen.insert(violation)).collect();
    let mut first = first.into_iter();
    violations.retain(|_| first.next().unwrap_or(true));
}

/// Keeps what really failed, now that the look-ups are answered.
pub fn resolve(violations: Vec<Violation>, failed: &[bool]) -> Vec<Violation> {
    let mut kept = Vec::new();
    for Violation { path, rule, kind } in violations {
        let kind = match kind {
            Kind::Pending { lookup, message } if failed.get(lookup).copied().unwrap_or(false) => Kind::Message(message),
            Kind::Pending { .. } => continue,
            Kind::Group(inner) => match resolve(inner, failed) {
                inner if inner.is_empty() => continue,
                inner => Kind::Group(inner),
            },
            Kind::Logic { operator, alternatives } => {
                let all = alternatives.len();
                let alternatives: Vec<_> = alternatives.into_iter().map(|inner| resolve(inner, failed)).collect();
                let passed = alternatives.iter().filter(|inner| inner.is_empty()).count();
                if operator.holds(passed, all) {
                    continue;
                }
                Kind::Logic { operator, alternatives }
            }
            message => message,
        };
        kept.push(Violation { path, rule, kind });
    }
    kept
}

/// One rule that a document breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Dotted, `[]` for the elements of a list.
    pub field: String,
    pub rule: &'static str,
    pub message: String,
}

/// What really failed, rule by rule; `lookups` and `failed` as in [`resolve`].
pub(super) fn findings(violations: &[Violation], lookups: &[Lookup], failed: &[bool], out: &mut Vec<Finding>) {
    for violation in violations {
        let find =
            |rule, message: &str| Finding { field: path_text(&violation.path), rule, message: message.to_owned() };
        match &violation.kind {
            Kind::Message(message) => {
                let rule = match (violation.rule, message.as_str()) {
                    ("", "unknown field") => "allow_unknown",
                    ("", _) => "check_with",
                    (rule, _) => rule,
                };
                out.push(find(rule, message));
            }
            Kind::Pending { lookup, message } if failed.get(*lookup).copied().unwrap_or(false) => {
                out.push(find(lookups.get(*lookup).map_or("", Lookup::rule), message));
            }
            Kind::Pending { .. } => {}
            Kind::Group(inner) => findings(inner, lookups, failed, out),
            Kind::Logic { operator, .. } => {
                if !resolve(vec![violation.clone()], failed).is_empty() {
                    out.push(find(operator.name(), operator.message()));
                }
            }
        }
    }
}

fn path_text(path: &[Crumb]) -> String {
    let mut text = String::new();
    for crumb in path {
        match crumb {
            Crumb::Index(_) => text.push_str("[]"),
            Crumb::Name(name) if text.is_empty() => text.push_str(name),
            Crumb::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
        }
    }
    text
}

/// What is wrong, field by field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Issues {
    fields: IndexMap<String, Node>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Node {
    messages: Vec<String>,
    inner: IndexMap<String, Node>,
}

impl Issues {
    /// One issue that is not about a field of the schema, such as `validation exception` (ERR-05).
    pub fn single(name: &str, message: &str) -> Self {
        let mut issues = Self::default();
        issues.say(&[name.to_owned()], message);
        issues
    }

    /// One issue of the field at a dotted path, as a unique index reports it.
    pub fn at(path: &str, message: &str) -> Self {
        let mut issues = Self::default();
        issues.say(&path.split('.').map(str::to_owned).collect::<Vec<_>>(), message);
        issues
    }

    /// The object under `_issues`; `as_list` is VALIDATION_ERROR_AS_LIST (VAL-39).
    pub fn to_document(&self, as_list: bool) -> Document {
        document(&self.fields, as_list)
    }

    pub(super) fn from_violations(violations: &[Violation]) -> Self {
        let mut issues = Self::default();
        for violation in violations {
            issues.insert(violation, &[], 0);
        }
        issues
    }

    /// `base` replaces the first `known` steps of the violation's path: alternatives have nodes of their own.
    fn insert(&mut self, violation: &Violation, base: &[String], known: usize) {
        let mut path = base.to_vec();
        path.extend(violation.path[known..].iter().map(Crumb::to_string));
        match &violation.kind {
            Kind::Message(message) | Kind::Pending { message, .. } => self.say(&path, message),
            Kind::Group(inner) => inner.iter().for_each(|inner| self.insert(inner, base, known)),
            Kind::Logic { operator, alternatives } => {
                self.say(&path, operator.message());
                for (index, alternative) in alternatives.iter().enumerate() {
                    let mut base = path.clone();
                    base.push(format!("{} definition {index}", operator.name()));
                    alternative.iter().for_each(|inner| self.insert(inner, &base, violation.path.len()));
                }
            }
        }
    }

    fn say(&mut self, path: &[String], message: &str) {
        let Some((last, above)) = path.split_last() else { return };
        let fields =
            above.iter().fold(&mut self.fields, |fields, step| &mut fields.entry(step.clone()).or_default().inner);
        fields.entry(last.clone()).or_default().messages.push(message.to_owned());
    }
}

fn document(fields: &IndexMap<String, Node>, as_list: bool) -> Document {
    let entry = |(name, node): (&String, &Node)| {
        let mut list: Vec<Bson> = node.messages.iter().cloned().map(Bson::String).collect();
        if !node.inner.is_empty() {
            list.push(Bson::Document(document(&node.inner, as_list)));
        }
        let value = match list.pop() {
            Some(only) if list.is_empty() && !as_list => only,
            last => Bson::Array(list.into_iter().chain(last).collect()),
        };
        (name.clone(), value)
    };
    fields.iter().map(entry).collect()
}
