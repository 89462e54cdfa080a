//! A document as form fields, and what was entered as a document. The name of each input tells how its text is read, so
//! that a post needs nothing but itself: `text.name`, `number.population`, `json.location` …

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use shared::form::Parameters;

use super::shown::{is_meta, is_scalar, pretty};
use crate::account::digest;

/// A value longer than this stays out of the form: a post takes 8 KiB a field, percent-encoded.
const LONGEST: usize = 6 * 1024;
/// All values of a form together; a post takes 64 KiB.
const ALL: usize = 40 * 1024;
/// A text longer than this gets several lines, in characters.
const LINE: usize = 80;
/// The fields for what no input is named for.
const MORE: &str = "more";

/// How a field's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Emptied, it is the empty text.
    Text,
    /// Text of a form, such as dates and references: emptied, it is null.
    Word,
    Number,
    Truth,
    Json,
}

impl Kind {
    const ALL: [(Kind, &str); 5] = [
        (Kind::Text, "text"),
        (Kind::Word, "word"),
        (Kind::Number, "number"),
        (Kind::Truth, "truth"),
        (Kind::Json, "json"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("json", |(_, name)| name)
    }

    fn of_value(value: &Value) -> Option<Kind> {
        match value {
            Value::Null => None,
            Value::String(_) => Some(Kind::Text),
            Value::Number(_) => Some(Kind::Number),
            Value::Bool(_) => Some(Kind::Truth),
            Value::Array(_) | Value::Object(_) => Some(Kind::Json),
        }
    }

    /// The kind that suits a field's rules (Cerberus and Eve types).
    fn of_rules(rules: &Value) -> Option<Kind> {
        let nullable = rules["nullable"] == true;
        Some(match rules["type"].as_str()? {
            "string" if nullable => Kind::Word,
            "string" => Kind::Text,
            "integer" | "float" | "number" => Kind::Number,
            "boolean" => Kind::Truth,
            "objectid" | "datetime" | "date" | "time" | "uuid" | "media" | "decimal" | "binary" => Kind::Word,
            _ => Kind::Json,
        })
    }

    /// What is wrong with a text, or its value; `None`: nothing was entered.
    fn read(self, text: &str) -> Result<Option<Value>, &'static str> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        match self {
            Kind::Text => Ok(Some(text.into())),
            Kind::Word => Ok(Some(trimmed.into())),
            Kind::Number => match serde_json::from_str::<Value>(trimmed) {
                Ok(number @ Value::Number(_)) => Ok(Some(number)),
                _ => Err("This is not a number. Write it like 42 or -0.5."),
            },
            Kind::Truth => match trimmed {
                "true" => Ok(Some(true.into())),
                "false" => Ok(Some(false.into())),
                _ => Err("This is neither yes nor no."),
            },
            Kind::Json => {
                serde_json::from_str(trimmed).map(Some).map_err(|_| "This is not JSON. Texts in it need double quotes.")
            }
        }
    }

    /// What an emptied field becomes.
    fn emptied(self) -> Value {
        if self == Kind::Text { Value::from("") } else { Value::Null }
    }
}

/// A value as it stands in an input.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => pretty(value),
        scalar => scalar.to_string(),
    }
}

/// Browsers send line ends as CR LF, whatever they were.
fn normal(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A short digest of what an input held when its page was made: tells what was touched, at little length.
fn mark(text: &str) -> String {
    digest(&normal(text)).chars().take(11).collect()
}

/// A field on the page.
#[derive(Debug, Clone, Serialize)]
pub struct Input {
    pub field: String,
    pub name: String,
    kind: Kind,
    value: String,
    /// [`mark`] of the text at first; empty on a page for a new item.
    was: String,
    lines: bool,
    required: bool,
    choices: Vec<String>,
    hint: Option<String>,
    errors: Vec<String>,
}

/// The data of `form.html`.
#[derive(Debug, Serialize)]
pub struct Form {
    pub title: String,
    pub action: String,
    pub cancel: String,
    pub new: bool,
    /// The version that the changes are meant for.
    pub etag: String,
    inputs: Vec<Input>,
    /// JSON with further fields.
    more: String,
    more_errors: Vec<String>,
    /// Fields that are too long for a form.
    left_out: Vec<String>,
    /// What is wrong with the whole.
    pub errors: Vec<String>,
    /// Whether the form was kept over a sign-in (E-046).
    pub resumed: bool,
}

/// What a post says.
#[derive(Debug, Default)]
pub struct Entered {
    pub etag: String,
    fields: Vec<EnteredField>,
    more: String,
}

#[derive(Debug)]
struct EnteredField {
    field: String,
    kind: Kind,
    text: String,
    was: String,
}

/// Messages by field.
pub type Issues = HashMap<String, Vec<String>>;

impl Form {
    /// `document`: the item to be changed, or `None` for a new one. `rules`: the resource's schema where the API tells it.
    /// `samples`: items to guess a new one's fields from.
    pub fn new(title: String, document: Option<&Value>, rules: Option<&Value>, samples: &[Value]) -> Self {
        let mut inputs: Vec<Input> = Vec::new();
        let mut left_out = Vec::new();
        let mut room = ALL;
        for (field, rules) in plan(document, rules, samples) {
            let value = document.map_or(&Value::Null, |document| &document[field.as_str()]);
            let guessed = || samples.iter().find_map(|sample| Kind::of_value(&sample[field.as_str()]));
            let kind = Kind::of_rules(rules).or_else(|| Kind::of_value(value)).or_else(guessed).unwrap_or(Kind::Json);
            // A value that is not what the rules say must survive the form.
            let kind = match (kind, Kind::of_value(value)) {
                (Kind::Text | Kind::Word, Some(Kind::Text)) | (_, None) => kind,
                (_, Some(actual)) => actual,
            };
            let text = text_of(value);
            if text.len() > LONGEST || text.len() > room {
                left_out.push(field);
                continue;
            }
            room -= text.len();
            let was = if document.is_some() { mark(&text) } else { String::new() };
            inputs.push(Input::new(field, kind, text, was, rules, document.is_none()));
        }
        let etag = document.and_then(|document| document["_etag"].as_str()).unwrap_or_default().to_owned();
        Self {
            title,
            action: String::new(),
            cancel: String::new(),
            new: document.is_none(),
            etag,
            inputs,
            more: String::new(),
            more_errors: Vec::new(),
            left_out,
            errors: Vec::new(),
            resumed: false,
        }
    }

    /// Puts what was entered before into the fields.
    pub fn fill(&mut self, entered: &Entered) {
        for field in &entered.fields {
            let name = format!("{}.{}", field.kind.name(), field.field);
            if let Some(input) = self.inputs.iter_mut().find(|input| input.field == field.field) {
                input.value.clone_from(&field.text);
                input.was.clone_from(&field.was);
                (input.kind, input.name) = (field.kind, name);
            } else {
                let was = field.was.clone();
                self.inputs.push(Input::new(
                    field.field.clone(),
                    field.kind,
                    field.text.clone(),
                    was,
                    &Value::Null,
                    self.new,
                ));
            }
        }
        self.more.clone_from(&entered.more);
        self.etag.clone_from(&entered.etag);
    }

    /// Shows each message at its field, or above the form where there is none.
    pub fn blame(&mut self, issues: &Issues) {
        let mut issues: Vec<_> = issues.iter().collect();
        issues.sort();
        for (field, messages) in issues {
            match self.inputs.iter_mut().find(|input| input.field == *field) {
                Some(input) => input.errors.extend(messages.iter().cloned()),
                None if field == MORE => self.more_errors.extend(messages.iter().cloned()),
                None => self.errors.extend(messages.iter().map(|message| format!("{field}: {message}"))),
            }
        }
    }
}

impl Input {
    fn new(field: String, kind: Kind, value: String, was: String, rules: &Value, new: bool) -> Self {
        let texts = |value: &Value| match value.as_array() {
            Some(values) if values.iter().all(Value::is_string) => values.iter().map(text_of).collect(),
            _ => Vec::new(),
        };
        let mut choices: Vec<String> =
            if matches!(kind, Kind::Text | Kind::Word) { texts(&rules["allowed"]) } else { Vec::new() };
        if !choices.is_empty() && !value.is_empty() && !choices.contains(&value) {
            choices.push(value.clone());
        }
        let long = value.chars().count() > LINE || value.contains('\n');
        let roomy = rules["maxlength"].as_u64().is_some_and(|most| most > 200);
        Self {
            name: format!("{}.{field}", kind.name()),
            lines: kind == Kind::Json || (choices.is_empty() && (long || (roomy && kind == Kind::Text))),
            required: new && rules["required"] == true && rules["default"].is_null(),
            hint: hint(kind, rules),
            errors: Vec::new(),
            field,
            kind,
            value,
            was,
            choices,
        }
    }
}

/// The fields of a form in their order, with their rules (null where none are known).
fn plan<'a>(document: Option<&Value>, rules: Option<&'a Value>, samples: &[Value]) -> Vec<(String, &'a Value)> {
    let mut plan: Vec<(String, &Value)> = Vec::new();
    let rules = rules.and_then(Value::as_object);
    for (field, rules) in rules.into_iter().flatten() {
        if !is_meta(field) && rules["readonly"] != true {
            plan.push((field.clone(), rules));
        }
    }
    let known = document.map_or(samples, std::slice::from_ref);
    for field in known.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        let read_only = rules.is_some_and(|rules| rules.contains_key(field));
        if !is_meta(field) && !read_only && !plan.iter().any(|(planned, _)| planned == field) {
            plan.push((field.clone(), &Value::Null));
        }
    }
    plan
}

fn hint(kind: Kind, rules: &Value) -> Option<String> {
    let mut hints: Vec<String> = Vec::new();
    match rules["type"].as_str() {
        Some("datetime") => hints.push("A date such as Tue, 02 Apr 2013 10:29:13 GMT".to_owned()),
        Some("objectid") => hints.push("An id of 24 characters".to_owned()),
        Some(other) if kind == Kind::Json => hints.push(format!("JSON ({other})")),
        None if kind == Kind::Json => hints.push("JSON".to_owned()),
        _ => {}
    }
    if let Some(target) = rules["data_relation"]["resource"].as_str() {
        hints.push(format!("refers to {target}"));
    }
    for (rule, words) in [
        ("minlength", "length at least {}"),
        ("maxlength", "length at most {}"),
        ("min", "at least {}"),
        ("max", "at most {}"),
    ] {
        if is_scalar(&rules[rule]) {
            hints.push(words.replace("{}", &text_of(&rules[rule])));
        }
    }
    if rules["unique"] == true {
        hints.push("must be unique".to_owned());
    }
    (!hints.is_empty()).then(|| hints.join("; "))
}

impl Entered {
    pub fn read(form: &Parameters) -> Self {
        let mut entered = Self::default();
        let marks: HashMap<&str, &str> =
            form.iter().filter_map(|(name, value)| Some((name.strip_prefix("was.")?, value))).collect();
        for (name, value) in form.iter() {
            match name {
                "etag" => entered.etag = value.to_owned(),
                MORE => entered.more = normal(value),
                _ => {
                    let Some((kind, field)) = name.split_once('.') else { continue };
                    let Some((kind, _)) = Kind::ALL.iter().find(|(_, known)| *known == kind) else { continue };
                    entered.fields.push(EnteredField {
                        field: field.to_owned(),
                        kind: *kind,
                        text: normal(value),
                        was: marks.get(field).copied().unwrap_or_default().to_owned(),
                    });
                }
            }
        }
        entered
    }

    /// The fields that were touched, as values: all that hold something on a new item's form.
    pub fn document(&self) -> Result<Map<String, Value>, Issues> {
        let mut document = Map::new();
        let mut issues = Issues::new();
        for field in self.touched() {
            match field.kind.read(&field.text) {
                Ok(Some(value)) => drop(document.insert(field.field.clone(), value)),
                Ok(None) if field.was.is_empty() => {}
                Ok(None) => drop(document.insert(field.field.clone(), field.kind.emptied())),
                Err(message) => drop(issues.insert(field.field.clone(), vec![message.to_owned()])),
            }
        }
        match serde_json::from_str(self.more.trim()) {
            Ok(Value::Object(more)) => document.extend(more),
            Err(_) if self.more.trim().is_empty() => {}
            _ => {
                drop(issues.insert(MORE.to_owned(), vec!["This is not a JSON object, as in {\"age\": 7}.".to_owned()]))
            }
        }
        if issues.is_empty() { Ok(document) } else { Err(issues) }
    }

    fn touched(&self) -> impl Iterator<Item = &EnteredField> {
        self.fields.iter().filter(|field| field.was.is_empty() || field.was != mark(&field.text))
    }

    /// What was touched, beside what the item holds by now (412).
    pub fn differences(&self, current: &Value) -> Vec<Difference> {
        let more: Map<String, Value> = serde_json::from_str(self.more.trim()).unwrap_or_default();
        let touched = self.touched().map(|field| Difference {
            name: format!("{}.{}", field.kind.name(), field.field),
            current: text_of(&current[field.field.as_str()]),
            field: field.field.clone(),
            yours: field.text.clone(),
        });
        let added = more.iter().map(|(field, value)| Difference {
            name: format!("json.{field}"),
            current: text_of(&current[field.as_str()]),
            field: field.clone(),
            yours: value.to_string(),
        });
        touched.chain(added).collect()
    }
}

/// A field that two people changed.
#[derive(Debug, Serialize, PartialEq)]
pub struct Difference {
    /// Of the input that carries `yours` to the next post, without a mark: it counts as touched.
    name: String,
    field: String,
    yours: String,
    current: String,
}

/// The messages of a refusal (POST-04, PATCH-02), by field.
pub fn issues(body: &Value) -> Issues {
    let mut issues = Issues::new();
    for (field, told) in body["_issues"].as_object().into_iter().flatten() {
        let mut messages = Vec::new();
        collect(told, "", &mut messages);
        issues.insert(field.clone(), messages);
    }
    issues
}

/// Messages of nested fields carry their path.
fn collect(told: &Value, path: &str, messages: &mut Vec<String>) {
    match told {
        Value::String(message) if path.is_empty() => messages.push(message.clone()),
        Value::String(message) => messages.push(format!("{path}: {message}")),
        Value::Array(several) => several.iter().for_each(|one| collect(one, path, messages)),
        Value::Object(fields) => {
            for (field, told) in fields {
                let path = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
                collect(told, &path, messages);
            }
        }
        other => messages.push(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
