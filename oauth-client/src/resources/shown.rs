//! How values of any data look on a page. Templates escape every text.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::catalog::{href, relative};

/// Nested deeper than this, data is shown as JSON.
const DEEPEST: usize = 6;
/// Longest text in a cell of a table, in characters.
const CELL: usize = 80;
/// Entries of a list in a cell.
const CELL_ENTRIES: usize = 3;

/// A value on an item's page.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Shown {
    /// Null, an empty text, list or object.
    Empty,
    Text {
        text: String,
        href: Option<String>,
    },
    Number {
        text: String,
        href: Option<String>,
    },
    Truth {
        yes: bool,
    },
    /// A GeoJSON point: degrees.
    Point {
        latitude: String,
        longitude: String,
    },
    List {
        entries: Vec<Shown>,
    },
    Fields {
        fields: Vec<Field>,
    },
    Json {
        text: String,
    },
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Field {
    pub name: String,
    pub value: Shown,
}

/// Where the values of a document's references lead: `_links.related` (LINK-09), by field.
pub struct Related(HashMap<String, Vec<String>>);

impl Related {
    pub fn of(api: &Url, document: &Value) -> Self {
        let target = |link: &Value| relative(api, link["href"].as_str()?).map(|path| href("data", &path));
        let related = document["_links"]["related"].as_object();
        let fields = related.into_iter().flatten().filter_map(|(field, links)| {
            let targets: Option<Vec<String>> = match links {
                Value::Array(links) => links.iter().map(target).collect(),
                link => target(link).map(|target| vec![target]),
            };
            Some((field.clone(), targets?))
        });
        Self(fields.collect())
    }

    fn links(&self, field: &str) -> &[String] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }
}

/// Whether a field belongs to the API's own bookkeeping (`_id`, `_etag`, `_links` …).
pub fn is_meta(name: &str) -> bool {
    name.starts_with('_')
}

/// A document's own fields in their order.
pub fn fields(document: &Map<String, Value>, related: &Related) -> Vec<Field> {
    document
        .iter()
        .filter(|(name, _)| !is_meta(name))
        .map(|(name, value)| Field { name: name.clone(), value: linked(value, related.links(name)) })
        .collect()
}

/// A value whose parts may be references.
fn linked(value: &Value, links: &[String]) -> Shown {
    match (value, links) {
        (Value::Array(values), links) if values.len() == links.len() && !links.is_empty() => Shown::List {
            entries: values.iter().zip(links).map(|(value, link)| with_link(show(value, 1), Some(link))).collect(),
        },
        (value, links) => with_link(show(value, 0), links.first()),
    }
}

fn with_link(shown: Shown, link: Option<&String>) -> Shown {
    match shown {
        Shown::Text { text, .. } => Shown::Text { text, href: link.cloned() },
        Shown::Number { text, .. } => Shown::Number { text, href: link.cloned() },
        other => other,
    }
}

fn show(value: &Value, depth: usize) -> Shown {
    match value {
        Value::Null => Shown::Empty,
        Value::Bool(yes) => Shown::Truth { yes: *yes },
        Value::Number(number) => Shown::Number { text: number.to_string(), href: None },
        Value::String(text) if text.trim().is_empty() => Shown::Empty,
        Value::String(text) => Shown::Text { text: text.clone(), href: None },
        Value::Array(values) if values.is_empty() => Shown::Empty,
        Value::Object(map) if map.is_empty() => Shown::Empty,
        _ if depth >= DEEPEST => Shown::Json { text: pretty(value) },
        Value::Array(values) => Shown::List { entries: values.iter().map(|value| show(value, depth + 1)).collect() },
        Value::Object(map) => match point(value) {
            Some((longitude, latitude)) => Shown::Point { latitude, longitude },
            None => Shown::Fields {
                fields: map
                    .iter()
                    .map(|(name, value)| Field { name: name.clone(), value: show(value, depth + 1) })
                    .collect(),
            },
        },
    }
}

/// Longitude and latitude of a GeoJSON point (RFC 7946 3.1.2).
fn point(value: &Value) -> Option<(String, String)> {
    let coordinates = value["coordinates"].as_array().filter(|_| value["type"] == "Point")?;
    match coordinates.as_slice() {
        [Value::Number(longitude), Value::Number(latitude), ..] => Some((longitude.to_string(), latitude.to_string())),
        _ => None,
    }
}

/// JSON for people.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// A value in a table: one short line.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Cell {
    pub text: String,
    pub number: bool,
    pub href: Option<String>,
}

/// A cell of `field`.
pub fn cell(field: &str, value: &Value, related: &Related) -> Cell {
    let href = related.links(field).first().filter(|_| is_scalar(value)).cloned();
    Cell { text: shorten(&line(value), CELL), number: value.is_number(), href }
}

pub fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn line(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Array(values) if values.iter().all(is_scalar) => {
            let mut text = values.iter().take(CELL_ENTRIES).map(line).collect::<Vec<_>>().join(", ");
            if values.len() > CELL_ENTRIES {
                text.push_str(&format!(" and {} more", values.len() - CELL_ENTRIES));
            }
            text
        }
        Value::Array(values) => match values.len() {
            1 => "1 entry".to_owned(),
            number => format!("{number} entries"),
        },
        Value::Object(map) => match point(value) {
            Some((longitude, latitude)) => format!("{latitude}, {longitude}"),
            None => {
                let parts = map.iter().filter(|(_, value)| is_scalar(value)).take(CELL_ENTRIES);
                parts.map(|(name, value)| format!("{name}: {}", line(value))).collect::<Vec<_>>().join(", ")
            }
        },
    }
}

/// At most `most` characters, the last of them an ellipsis where something was cut.
pub fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// What to call a document: a field that usually names things, otherwise its first text, otherwise its id.
pub fn title(document: &Value) -> String {
    const NAMES: [&str; 8] = ["name", "title", "label", "username", "lastname", "email", "iso", "code"];
    let text = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let person = || Some(format!("{} {}", text(&document["firstname"])?, text(&document["lastname"])?));
    let named = person().or_else(|| NAMES.iter().find_map(|name| text(&document[*name])));
    let first = || document.as_object()?.iter().filter(|(name, _)| !is_meta(name)).find_map(|(_, value)| text(value));
    shorten(&named.or_else(first).unwrap_or_else(|| line(&document["_id"])), CELL)
}

/// The field that [`title`] takes its text from in most of these documents, if any.
pub fn title_field(columns: &[String]) -> Option<&String> {
    ["name", "title", "label", "username"].iter().find_map(|name| columns.iter().find(|column| column == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn api() -> Url {
        Url::parse("https://api.test/").expect("it is a URL")
    }

    #[test]
    fn any_value_has_a_cell_of_one_short_line() {
        let none = Related::of(&api(), &json!({}));
        let text = |value: Value| cell("field", &value, &none).text;
        assert_eq!(text(json!(null)), "");
        assert_eq!(text(json!(true)), "yes");
        assert_eq!(text(json!(1.50)), "1.5");
        assert_eq!(text(json!("a\n  b")), "a b");
        assert_eq!(text(json!(["a", "b", "c", "d", "e"])), "a, b, c and 2 more");
        assert_eq!(text(json!([{"a": 1}])), "1 entry");
        assert_eq!(text(json!({"city": "Wien", "x": [1], "zip": 1010})), "city: Wien, zip: 1010");
        assert_eq!(text(json!({"type": "Point", "coordinates": [16.37, 48.2]})), "48.2, 16.37");
        assert_eq!(text(json!("ä".repeat(200))).chars().count(), 80);
        assert!(cell("field", &json!(3), &none).number);
    }

    #[test]
    fn references_become_links_and_nothing_else_does() {
        let document = json!({
            "_id": "1", "author": "a1", "tags": ["x", "y"], "odd": ["x"], "name": "n",
            "_links": {"related": {
                "author": {"href": "people/a1"},
                "tags": [{"href": "tags/x"}, {"href": "tags/y"}],
                "odd": [{"href": "https://evil.test/x"}],
            }},
        });
        let related = Related::of(&api(), &document);
        let shown = fields(document.as_object().expect("it is an object"), &related);
        let link = |text: &str, href: &str| Shown::Text { text: text.into(), href: Some(href.into()) };
        assert_eq!(shown[0].value, link("a1", "/data/people/a1"));
        assert_eq!(shown[1].value, Shown::List { entries: vec![link("x", "/data/tags/x"), link("y", "/data/tags/y")] });
        assert_eq!(shown[2].value, Shown::List { entries: vec![Shown::Text { text: "x".into(), href: None }] });
        assert_eq!(shown[3].value, Shown::Text { text: "n".into(), href: None });
        assert_eq!(shown.len(), 4);
    }

    #[test]
    fn deep_data_ends_as_json_and_never_overflows() {
        let mut value = json!("end");
        for _ in 0..100 {
            value = json!({ "a": [value] });
        }
        let mut shown = &show(&value, 0);
        loop {
            shown = match shown {
                Shown::Fields { fields } => &fields[0].value,
                Shown::List { entries } => &entries[0],
                other => break assert!(matches!(other, Shown::Json { .. })),
            };
        }
    }

    #[test]
    fn a_document_is_called_by_its_name_its_first_text_or_its_id() {
        assert_eq!(title(&json!({"_id": "1", "country": "AT", "name": "Wien"})), "Wien");
        assert_eq!(title(&json!({"_id": "1", "firstname": "Ada", "lastname": "Lovelace"})), "Ada Lovelace");
        assert_eq!(title(&json!({"_id": "1", "firstname": "Ada", "lastname": null})), "Ada");
        assert_eq!(title(&json!({"_id": "1", "size": 3, "country": "AT"})), "AT");
        assert_eq!(title(&json!({"_id": "1", "size": 3})), "1");
        assert_eq!(title(&json!({"_id": 7})), "7");
        assert_eq!(title(&json!([])), "");
    }
}
