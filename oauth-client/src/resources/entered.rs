//! What was entered into a form, as a document. The name of each input tells how its text is read, so that a post needs
//! nothing but itself: `text.name`, `number.population`, `json.location` …

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use shared::form::Parameters;

use super::shown::pretty;
use crate::account::digest;

/// The input for fields that have none of their own.
pub const MORE: &str = "more";

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

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("json", |(_, name)| name)
    }

    pub fn of_value(value: &Value) -> Option<Kind> {
        match value {
            Value::Null => None,
            Value::String(_) => Some(Kind::Text),
            Value::Number(_) => Some(Kind::Number),
            Value::Bool(_) => Some(Kind::Truth),
            Value::Array(_) | Value::Object(_) => Some(Kind::Json),
        }
    }

    /// The kind that suits a field's rules (Cerberus and Eve types).
    pub fn of_rules(rules: &Value) -> Option<Kind> {
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
pub fn text_of(value: &Value) -> String {
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
pub fn mark(text: &str) -> String {
    digest(&normal(text)).chars().take(11).collect()
}

/// What a post says.
#[derive(Debug, Default)]
pub struct Entered {
    pub etag: String,
    pub fields: Vec<EnteredField>,
    pub more: String,
}

/// One input.
#[derive(Debug)]
pub struct EnteredField {
    pub field: String,
    pub kind: Kind,
    pub text: String,
    /// [`mark`] of what the input held at first; empty on a new item's form.
    pub was: String,
}

/// Messages by field.
pub type Issues = HashMap<String, Vec<String>>;

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
    pub name: String,
    pub field: String,
    pub yours: String,
    pub current: String,
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
