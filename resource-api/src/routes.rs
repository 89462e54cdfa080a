//! All URLs of the API, built from the domain at start (URL-01 to URL-12).
//!
//! A path is compared with routes whose fixed segments come before their converters, so `users/overseas` beats
//! `users/<id>` (URL-08), and the item's route is tried before the additional look-up (URL-05).

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::domain::{self, Domain, DomainError, Fault, Method, Resource};

pub mod converter;

use converter::Converter;

/// What a URL stands for.
#[derive(Debug, Clone)]
pub enum Target {
    Home,
    /// All schemas (HOME-05).
    Schemas,
    /// One resource's schema; the segment is its key.
    Schema,
    Collection(Arc<Resource>),
    /// One document, found by `field`; the last segment is its value.
    Item {
        resource: Arc<Resource>,
        field: String,
    },
    /// The same by `additional_lookup`: to be read only (URL-04).
    Lookup {
        resource: Arc<Resource>,
        field: String,
    },
}

#[derive(Debug)]
pub struct Route {
    pub target: Target,
    segments: Vec<Segment>,
    methods: BTreeSet<Method>,
    /// `Allow` of OPTIONS (URL-14).
    pub allow: String,
    /// What metrics call it: `/people/{_id}`.
    pub pattern: Arc<str>,
}

#[derive(Debug)]
enum Segment {
    Text(String),
    Value { field: String, converter: Converter },
}

/// A route that fits a path.
#[derive(Debug)]
pub struct Matched<'r> {
    pub route: &'r Route,
    /// Field and decoded segment of each converter, in order.
    pub values: Vec<Captured<'r>>,
    /// The path without prefix and without slashes at its ends, decoded: what links are made of (LINK-01).
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured<'r> {
    pub field: &'r str,
    pub text: String,
    pub kind: Kind,
}

/// What a converter makes of a segment (URL-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Float,
}

/// Why no route takes a request (URL-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    #[error("no such path")]
    NotFound,
    #[error("the path does not take this method")]
    MethodNotAllowed,
}

/// What a client asks to do. HEAD is a GET without body (URL-15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Options,
    Do(Method),
}

#[derive(Debug)]
pub struct Router {
    /// `/api/v1`, or nothing.
    prefix: String,
    home: Route,
    /// By their first segment.
    fixed: HashMap<String, Vec<Route>>,
    /// Those that begin with a converter.
    open: Vec<Route>,
}

impl Router {
    /// The error names each url that can't be understood.
    pub fn new(domain: &Domain) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut routes = Vec::new();
        for resource in domain.resources.values().filter(|resource| !resource.internal) {
            routes.extend(resource_routes(resource, &mut faults));
        }
        if let Some(path) = &domain.settings.schema_endpoint {
            let read = BTreeSet::from([Method::Get]);
            match parse(path) {
                Ok(segments) => {
                    let mut one = parse(path).unwrap_or_default();
                    one.push(Segment::Value { field: "resource".to_owned(), converter: Converter::Text });
                    routes.push(Route::new(Target::Schemas, segments, read.clone()));
                    routes.push(Route::new(Target::Schema, one, read));
                }
                Err(message) => faults.push(fault(None, "SCHEMA_ENDPOINT", message)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // Stable: routes of the same shape keep their order, the item's before the look-up's.
        routes.sort_by_cached_key(|route| route.segments.iter().map(Segment::weight).collect::<Vec<_>>());
        let mut router = Self {
            prefix: domain.prefix(),
            home: Route::new(Target::Home, Vec::new(), BTreeSet::from([Method::Get])),
            fixed: HashMap::new(),
            open: Vec::new(),
        };
        for route in routes {
            match route.segments.first() {
                Some(Segment::Text(text)) => router.fixed.entry(text.clone()).or_default().push(route),
                _ => router.open.push(route),
            }
        }
        Ok(router)
    }

    /// The route for a request's path as sent. `method` is what REQ-01 left of it; `None` if nobody knows it.
    pub fn find(&self, action: Option<Action>, path: &str) -> Result<Matched<'_>, RouteError> {
        let path = decode(path).ok_or(RouteError::NotFound)?;
        let rest = path.strip_prefix(self.prefix.as_str()).ok_or(RouteError::NotFound)?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(RouteError::NotFound);
        }
        // URL-09: one slash at the end is no matter.
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let mut known = false;
        for route in self.candidates(rest) {
            let Some(values) = route.fits(rest) else { continue };
            known = true;
            let taken = match action {
                Some(Action::Options) => true,
                Some(Action::Do(method)) => route.methods.contains(&method),
                None => false,
            };
            if taken {
                return Ok(Matched { route, values, path: rest.to_owned() });
            }
        }
        Err(if known { RouteError::MethodNotAllowed } else { RouteError::NotFound })
    }

    fn candidates(&self, path: &str) -> impl Iterator<Item = &Route> {
        let first = path.split('/').next().unwrap_or_default();
        let home = path.is_empty().then_some(&self.home);
        home.into_iter().chain(self.fixed.get(first).into_iter().flatten()).chain(&self.open)
    }
}

impl Action {
    /// By its name as sent, or as X-HTTP-Method-Override names it (REQ-01).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "OPTIONS" => Some(Action::Options),
            "HEAD" => Some(Action::Do(Method::Get)),
            _ => Method::from_name(name).map(Action::Do),
        }
    }
}

impl Route {
    fn new(target: Target, segments: Vec<Segment>, methods: BTreeSet<Method>) -> Self {
        let mut names = vec!["OPTIONS"];
        names.extend(methods.iter().map(|method| method.name()));
        if methods.contains(&Method::Get) {
            names.push("HEAD");
        }
        // URL-03: a POST with a method override reaches the item.
        if matches!(target, Target::Item { .. }) && methods.contains(&Method::Patch) {
            names.push("POST");
        }
        let pattern = segments.iter().map(|segment| match segment {
            Segment::Text(text) => format!("/{text}"),
            Segment::Value { field, .. } => format!("/{{{field}}}"),
        });
        let pattern = Some(pattern.collect::<String>()).filter(|pattern| !pattern.is_empty());
        Self { target, methods, allow: names.join(", "), pattern: pattern.as_deref().unwrap_or("/").into(), segments }
    }

    fn fits(&self, path: &str) -> Option<Vec<Captured<'_>>> {
        let mut values = Vec::new();
        let mut rest = (!path.is_empty()).then_some(path);
        for (index, segment) in self.segments.iter().enumerate() {
            let left = rest?;
            let (part, after) = match segment {
                Segment::Value { converter: Converter::Path, .. } => span(left, self.segments.len() - index - 1)?,
                _ => left.split_once('/').map_or((left, None), |(part, after)| (part, Some(after))),
            };
            match segment {
                Segment::Text(text) if text == part => {}
                Segment::Text(_) => return None,
                Segment::Value { field, converter } => {
                    let text = converter.take(part)?;
                    let kind = match converter {
                        Converter::Integer => Kind::Integer,
                        Converter::Float => Kind::Float,
                        _ => Kind::Text,
                    };
                    values.push(Captured { field, text, kind });
                }
            }
            rest = after;
        }
        rest.is_none().then_some(values)
    }
}

impl Segment {
    /// Fixed text first, then the more exact converters.
    fn weight(&self) -> u8 {
        match self {
            Segment::Text(_) => 0,
            Segment::Value { converter, .. } => converter.weight(),
        }
    }
}

/// What a `path` converter takes: everything but the last `after` segments.
fn span(path: &str, after: usize) -> Option<(&str, Option<&str>)> {
    if after == 0 {
        return Some((path, None));
    }
    let (place, _) = path.rmatch_indices('/').nth(after - 1)?;
    Some((&path[..place], Some(&path[place + 1..])))
}

fn decode(path: &str) -> Option<Cow<'_, str>> {
    if path.contains('%') { percent_decode_str(path).decode_utf8().ok() } else { Some(Cow::Borrowed(path)) }
}

/// Those that can be understood; why others can't goes to `faults`.
fn resource_routes(resource: &Arc<Resource>, faults: &mut Vec<Fault>) -> Vec<Route> {
    let mut noted = |rule: &str, message| faults.push(fault(Some(&resource.key), rule, message));
    let mut routes = Vec::new();
    match parse(&resource.url) {
        Ok(segments) => {
            let target = Target::Collection(resource.clone());
            routes.push(Route::new(target, segments, resource.resource_methods.clone()));
        }
        Err(message) => noted("url", message),
    }
    let item = resource.item_lookup.then(|| {
        let field = resource.item_lookup_field.clone();
        let target = Target::Item { resource: resource.clone(), field: field.clone() };
        ("item_url", &resource.item_url, field, target, resource.item_methods.clone())
    });
    let lookup = resource.additional_lookup.as_ref().map(|lookup| {
        let target = Target::Lookup { resource: resource.clone(), field: lookup.field.clone() };
        ("additional_lookup.url", &lookup.url, lookup.field.clone(), target, BTreeSet::from([Method::Get]))
    });
    for (rule, url, field, target, methods) in item.into_iter().chain(lookup) {
        match (Converter::parse(url), parse(&resource.url)) {
            (Ok(converter), Ok(mut segments)) => {
                segments.push(Segment::Value { field, converter });
                routes.push(Route::new(target, segments, methods));
            }
            (Err(message), _) => noted(rule, message),
            (Ok(_), Err(_)) => {}
        }
    }
    routes
}

fn fault(resource: Option<&str>, rule: &str, message: String) -> Fault {
    Fault { resource: resource.map(str::to_owned), field: None, rule: Some(rule.to_owned()), message }
}

/// Reads a domain file; all that is wrong with it, its urls included, is with the domain.
pub fn examine(file: &Path) -> Result<(Domain, Vec<Fault>), DomainError> {
    let (domain, mut faults) = domain::examine(file)?;
    faults.extend(Router::new(&domain).err().unwrap_or_default());
    Ok((domain, faults))
}

/// `people/<regex("[a-f0-9]{24}"):person>/invoices`: text and converters between slashes (URL-10).
fn parse(url: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let mut rest = url.trim_matches('/');
    while !rest.is_empty() {
        if let Some(open) = rest.strip_prefix('<') {
            let end = converter::end(open).ok_or_else(|| format!("{url:?}: `<` without its `>`"))?;
            let inside = &open[..end];
            // The name stands behind the last colon; a pattern may hold others.
            let (converter, field) = match inside.rsplit_once(':') {
                Some((converter, field)) => (Converter::parse(converter)?, field),
                None => (Converter::Text, inside),
            };
            if field.is_empty() {
                return Err(format!("{url:?}: a converter names no field"));
            }
            segments.push(Segment::Value { field: field.to_owned(), converter });
            rest = &open[end + 1..];
            match rest.strip_prefix('/') {
                Some(after) => rest = after,
                None if rest.is_empty() => {}
                None => return Err(format!("{url:?}: a segment is either text or one converter")),
            }
        } else {
            let (text, after) = rest.split_once('/').unwrap_or((rest, ""));
            if text.contains(['<', '>']) {
                return Err(format!("{url:?}: a segment is either text or one converter"));
            }
            if text.is_empty() {
                return Err(format!("{url:?}: an empty segment"));
            }
            segments.push(Segment::Text(text.to_owned()));
            rest = after;
        }
    }
    Ok(segments)
}

/// A url as home shows it: `people/<person>/invoices` (HOME-02).
pub fn shown(url: &str) -> String {
    let mut shown = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, open)) = rest.split_once('<') {
        shown.push_str(before);
        let Some(end) = converter::end(open) else { break };
        let inside = &open[..end];
        shown.push('<');
        shown.push_str(inside.rsplit_once(':').map_or(inside, |(_, field)| field));
        shown.push('>');
        rest = &open[end + 1..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests;
