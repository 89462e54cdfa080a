//! A document as form fields: from the resource's schema, the document itself, or items like it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::entered::{Entered, Issues, Kind, MORE, mark, text_of};
use super::shown::{is_meta, is_scalar};

/// A value longer than this stays out of the form: a post takes 8 KiB a field, percent-encoded.
const LONGEST: usize = 6 * 1024;
/// All values of a form together; a post takes 64 KiB.
const ALL: usize = 40 * 1024;
/// A text longer than this gets several lines, in characters.
const LINE: usize = 80;

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
    match (rules["minlength"].as_u64().filter(|least| *least > 1), rules["maxlength"].as_u64()) {
        (Some(least), Some(most)) => hints.push(format!("{least} to {most} characters")),
        (Some(least), None) => hints.push(format!("at least {least} characters")),
        (None, Some(most)) => hints.push(format!("at most {most} characters")),
        (None, None) => {}
    }
    for (rule, words) in [("min", "at least"), ("max", "at most")] {
        if is_scalar(&rules[rule]) {
            hints.push(format!("{words} {}", text_of(&rules[rule])));
        }
    }
    // A list's entries are chosen among these, too; a text's choices are offered as such.
    if kind == Kind::Json
        && let Some(allowed) = rules["allowed"].as_array()
    {
        hints.push(format!("any of {}", allowed.iter().map(text_of).collect::<Vec<_>>().join(", ")));
    }
    if rules["unique"] == true {
        hints.push("must be unique".to_owned());
    }
    (!hints.is_empty()).then(|| hints.join("; "))
}

#[cfg(test)]
mod tests;
