//! From a file's text to one ordered document, whichever of the three formats it is written in.

use std::path::Path;

use bson::{Bson, Document};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::domain::DomainError;

/// How a domain file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Toml,
    Json,
    Yaml,
}

impl Format {
    /// By the file's extension.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "toml" => Some(Format::Toml),
            "json" => Some(Format::Json),
            "yaml" | "yml" => Some(Format::Yaml),
            _ => None,
        }
    }
}

/// Order survives (CFG-22) and Extended JSON is resolved (contract 2.4).
pub fn read(format: Format, text: &str) -> Result<Document, DomainError> {
    let syntax = |message: String| DomainError::Syntax(message);
    // Editors on Windows begin with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = match format {
        Format::Toml => table(toml::from_str(text).map_err(|error| syntax(error.to_string()))?),
        Format::Json => serde_json::from_str::<Once>(text).map_err(|error| syntax(error.to_string()))?.0,
        Format::Yaml => {
            let mut value: serde_yaml_ng::Value =
                serde_yaml_ng::from_str(text).map_err(|error| syntax(error.to_string()))?;
            value.apply_merge().map_err(|error| syntax(error.to_string()))?;
            yaml(value).map_err(syntax)?
        }
    };
    match Bson::try_from(value).map_err(|error| syntax(error.to_string()))? {
        Bson::Document(document) => Ok(document),
        _ => Err(syntax("it must hold settings by name".to_owned())),
    }
}

fn table(table: toml::Table) -> Value {
    Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect())
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => match serde_json::Number::from_f64(number) {
            Some(number) => Value::Number(number),
            None => extended("$numberDouble", number_double(number)),
        },
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(date) => {
            let text = match (date.date, date.time, date.offset) {
                (Some(date), None, _) => format!("{date}T00:00:00Z"),
                (Some(_), Some(_), None) => format!("{date}Z"),
                _ => date.to_string(),
            };
            if date.date.is_some() { extended("$date", text) } else { Value::String(text) }
        }
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json).collect()),
        toml::Value::Table(inner) => table(inner),
    }
}

fn yaml(value: serde_yaml_ng::Value) -> Result<Value, String> {
    use serde_yaml_ng::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => match number.as_f64().filter(|number| !number.is_finite()) {
            Some(number) => extended("$numberDouble", number_double(number)),
            None => serde_json::to_value(number).map_err(|error| error.to_string())?,
        },
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(yaml).collect::<Result<_, _>>()?),
        Yaml::Mapping(members) => {
            let member = |(key, value)| match key {
                Yaml::String(key) => Ok((key, yaml(value)?)),
                key => Err(format!("{key:?} is no name: write it in quotes")),
            };
            Value::Object(members.into_iter().map(member).collect::<Result<_, String>>()?)
        }
        Yaml::Tagged(tagged) => return Err(format!("the tag {} means nothing here", tagged.tag)),
    })
}

/// JSON in which no name is there twice, as the other two formats have it by themselves.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Once)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.contains_key(&name) {
                return Err(serde::de::Error::custom(format!("'{name}' is there twice")));
            }
            let Once(value) = members.next_value()?;
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}

fn number_double(number: f64) -> String {
    if number.is_nan() { "NaN".to_owned() } else { format!("{}Infinity", if number < 0.0 { "-" } else { "" }) }
}

fn extended(key: &str, text: String) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), Value::String(text))]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::{DateTime, doc};

    /// CFG-22 and contract 2.4: the three formats say the same, in order, with typed values.
    #[test]
    fn all_formats_read_alike() {
        let date = DateTime::from_millis(1_352_198_011_000);
        let id = bson::oid::ObjectId::parse_str("5f0000000000000000000abc").unwrap();
        let expected = doc! { "z": 1, "a": { "y": [1.5, true], "b": date }, "id": id };
        let toml =
            "z = 1\nid = { '$oid' = \"5f0000000000000000000abc\" }\n[a]\ny = [1.5, true]\nb = 2012-11-06T10:33:31Z";
        let json = r#"{"z": 1, "a": {"y": [1.5, true], "b": {"$date": "2012-11-06T10:33:31Z"}}, "id": {"$oid": "5f0000000000000000000abc"}}"#;
        let yaml =
            "z: 1\na:\n  y: [1.5, true]\n  b: {$date: '2012-11-06T10:33:31Z'}\nid: {$oid: 5f0000000000000000000abc}";
        for (format, text) in [(Format::Toml, toml), (Format::Json, json), (Format::Yaml, yaml)] {
            let mut document = read(format, text).unwrap();
            if format == Format::Toml {
                // TOML's tables come last in the text.
                let id = document.remove("id").unwrap();
                document.insert("id", id);
            }
            assert_eq!(document, expected, "{format:?}");
            assert_eq!(document.keys().collect::<Vec<_>>(), ["z", "a", "id"]);
        }
    }

    #[test]
    fn what_does_not_parse_says_so() {
        for (format, text) in [
            (Format::Toml, "a = "),
            (Format::Json, "{"),
            (Format::Json, "[]"),
            (Format::Yaml, "a: [1"),
            (Format::Json, r#"{"a": {"$oid": "short"}}"#),
        ] {
            assert!(matches!(read(format, text), Err(DomainError::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn the_extension_names_the_format() {
        assert_eq!(Format::of(Path::new("a/domain.TOML")), Some(Format::Toml));
        assert_eq!(Format::of(Path::new("domain.yml")), Some(Format::Yaml));
        assert_eq!(Format::of(Path::new("domain.py")), None);
    }

    #[test]
    fn a_missing_or_strange_file_is_named() {
        let missing = crate::domain::load(std::path::Path::new("/nowhere/domain.toml")).unwrap_err();
        assert!(missing.to_string().starts_with("can't read the domain file /nowhere/domain.toml:"), "{missing}");
        let strange = crate::domain::load(std::path::Path::new("settings.py")).unwrap_err();
        assert_eq!(strange.to_string(), "the domain file settings.py must end in .toml, .json, .yaml or .yml");
    }

    /// What stands twice would else be lost without a word.
    #[test]
    fn no_name_may_be_there_twice() {
        for (format, text) in [
            (Format::Json, "{\"DOMAIN\": {\"a\": {},\n \"a\": {\"url\": \"x\"}}}"),
            (Format::Yaml, "DOMAIN:\n  a: {}\n  a: {url: x}\n"),
            (Format::Toml, "[DOMAIN.a]\n[DOMAIN.a]\n"),
        ] {
            assert!(read(format, text).is_err(), "{text}");
        }
        let told = read(Format::Json, "{\"a\": 1,\n \"a\": 2}").unwrap_err().to_string();
        assert!(told.contains("'a' is there twice at line 2"), "{told}");
    }

    #[test]
    fn a_byte_order_mark_and_numbers_without_end_are_read() {
        assert_eq!(
            read(Format::Json, "\u{feff}{\"a\": [1, -2.5, null, \"x\"]}").unwrap(),
            doc! { "a": [1, -2.5, null, "x"] }
        );
        let endless = doc! { "a": f64::INFINITY, "b": f64::NEG_INFINITY };
        assert_eq!(read(Format::Yaml, "a: .inf\nb: -.inf").unwrap(), endless);
        assert_eq!(read(Format::Toml, "a = inf\nb = -inf").unwrap(), endless);
        assert!(read(Format::Yaml, "a: !other 5").unwrap_err().to_string().contains("!other"));
        assert!(read(Format::Yaml, "1: 5").unwrap_err().to_string().contains("is no name"));
    }
}
