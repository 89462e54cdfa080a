//! One request of a history, before it is known which ids and ETags the servers have given.
//!
//! Where a text depends on earlier answers it holds a marker, filled in for each server when the request is sent:
//! `id` and `etag` of a document by the step that made it, or a moment relative to now.

use std::fmt;

use serde_json::Value;

/// A document by the step that makes it and its place in that step's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Birth {
    pub step: usize,
    pub element: usize,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the history it was made for; stays when others are left out.
    pub number: usize,
    pub method: String,
    /// Percent-encoded, without the query.
    pub path: String,
    /// Neither encoded nor in any order but this.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// The resource it is meant for.
    pub resource: Option<String>,
    /// The document it is meant for, if one was made.
    pub target: Option<Birth>,
    /// Two right answers may differ in the order of their items.
    pub unordered: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    None,
    Json(Value),
    Text(String),
    Form(Vec<(String, String)>),
}

const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// What a marker stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Marker {
    Id(Birth),
    Etag(Birth),
    /// The ETag before the last change.
    Stale(Birth),
    /// Seconds from now, as header and as the domain writes dates.
    Http(i64),
    Date(i64),
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let birth = |f: &mut fmt::Formatter<'_>, kind: &str, birth: &Birth| {
            write!(f, "{OPEN}{kind} {} {}{CLOSE}", birth.step, birth.element)
        };
        match self {
            Marker::Id(of) => birth(f, "id", of),
            Marker::Etag(of) => birth(f, "etag", of),
            Marker::Stale(of) => birth(f, "stale", of),
            Marker::Http(seconds) => write!(f, "{OPEN}http {seconds} 0{CLOSE}"),
            Marker::Date(seconds) => write!(f, "{OPEN}date {seconds} 0{CLOSE}"),
        }
    }
}

impl Marker {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (kind, first, second) = (words.next()?, words.next()?, words.next()?);
        let birth = || Some(Birth { step: first.parse().ok()?, element: second.parse().ok()? });
        Some(match kind {
            "id" => Marker::Id(birth()?),
            "etag" => Marker::Etag(birth()?),
            "stale" => Marker::Stale(birth()?),
            "http" => Marker::Http(first.parse().ok()?),
            "date" => Marker::Date(first.parse().ok()?),
            _ => return None,
        })
    }
}

/// Fills in every marker of a text.
pub fn fill(text: &str, with: &mut dyn FnMut(Marker) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, open)) = rest.split_once(OPEN) {
        filled.push_str(before);
        let (inside, after) = open.split_once(CLOSE).unwrap_or((open, ""));
        if let Some(marker) = Marker::parse(inside) {
            filled.push_str(&with(marker));
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The same in every text of a JSON value, names of members too.
pub fn fill_json(value: &Value, with: &mut dyn FnMut(Marker) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, with)),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill_json(item, with)).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (fill(name, with), fill_json(value, with))).collect())
        }
        other => other.clone(),
    }
}

/// A step with every marker filled in: what one server is sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query, percent-encoded.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
}

impl Step {
    pub fn request(&self, with: &mut dyn FnMut(Marker) -> String) -> Request {
        let mut target = fill(&self.path, with);
        if !self.query.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in &self.query {
                query.append_pair(&fill(name, with), &fill(value, with));
            }
            target = format!("{target}?{}", query.finish());
        }
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), fill(value, with))).collect();
        let body = match &self.body {
            Body::None => None,
            Body::Json(value) => Some(fill_json(value, with).to_string()),
            Body::Text(text) => Some(fill(text, with)),
            Body::Form(pairs) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in pairs {
                    form.append_pair(&fill(name, with), &fill(value, with));
                }
                Some(form.finish())
            }
        };
        Request { method: self.method.clone(), target, headers, body }
    }

    pub fn has_body(&self) -> bool {
        self.body != Body::None
    }

    /// The method that counts.
    pub fn action(&self) -> String {
        self.header("X-HTTP-Method-Override").unwrap_or(&self.method).to_ascii_uppercase()
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// As a line of curl, for whoever wants to try it.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        match self.method.as_str() {
            "HEAD" => write!(f, "curl -I")?,
            method => write!(f, "curl -X {method}")?,
        }
        write!(f, " {}", quoted(&format!("$URL{}", self.target)).replace("'$URL", "$URL'"))?;
        for (name, value) in &self.headers {
            write!(f, " -H {}", quoted(&format!("{name}: {value}")))?;
        }
        match &self.body {
            Some(body) => write!(f, " -d {}", quoted(body)),
            None => Ok(()),
        }
    }
}
