//! A client's JSON → typed values, by the schema, before validation (contract section 15). What can't be converted is
//! left for the validator to report.

use bson::oid::ObjectId;
use bson::{Bson, Decimal128, Document, doc};

use super::{AllowUnknown, DateFormat, Field, FieldType, Resource, Rule, Schema, Settings, python_text};

mod dotted;
mod json_text;
mod json_value;

pub use json_text::{JsonTextError, MOST_VALUES, parse as parse_json, parse_counted};
pub use json_value::{JsonValue, Objects};

/// Documents are nested no deeper: MongoDB's limit, and what every later step can walk through on its stack.
const DEEPEST: usize = 100;

/// Why a payload can't become a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// It is no object; holds its Python text for the message of POST-02 and PATCH-03.
    #[error("'{0}' is not a document, must be a dict")]
    NotADocument(String),
    /// It is null.
    #[error("document is missing")]
    Missing,
    /// BSON ends names with that character.
    #[error("the name '{0}' has a null character")]
    NullInName(String),
    #[error("documents can't be nested deeper than {DEEPEST} levels")]
    TooDeep,
}

/// Converts one document of a request.
pub fn document(value: Bson, resource: &Resource, settings: &Settings) -> Result<Document, ConversionError> {
    match value {
        Bson::Document(document) => typed(document, resource, settings),
        Bson::Null => Err(ConversionError::Missing),
        other => Err(ConversionError::NotADocument(python_text::str(&other))),
    }
}

/// The same with a document whose values may have types already.
pub fn typed(mut document: Document, resource: &Resource, settings: &Settings) -> Result<Document, ConversionError> {
    if resource.normalize_dotted_fields {
        dotted::expand(&mut document);
    }
    let conversion = Conversion { dates: &settings.date_format, create_lists: settings.auto_create_lists };
    conversion.mapping(&mut document, &resource.schema, None);
    // Last, as a conversion may bring in objects out of texts.
    storable_members(&document, 1)?;
    Ok(document)
}

/// Whether the store can keep the value.
pub fn storable(value: &Bson) -> Result<(), ConversionError> {
    storable_at(value, 1)
}

fn storable_at(value: &Bson, depth: usize) -> Result<(), ConversionError> {
    match value {
        Bson::Document(document) => storable_members(document, depth),
        Bson::Array(_) if depth > DEEPEST => Err(ConversionError::TooDeep),
        Bson::Array(items) => items.iter().try_for_each(|item| storable_at(item, depth + 1)),
        _ => Ok(()),
    }
}

fn storable_members(document: &Document, depth: usize) -> Result<(), ConversionError> {
    if depth > DEEPEST {
        return Err(ConversionError::TooDeep);
    }
    document.iter().try_for_each(|(name, value)| {
        if name.contains('\0') {
            return Err(ConversionError::NullInName(name.replace('\0', "\\x00")));
        }
        storable_at(value, depth + 1)
    })
}

/// One value by its field's rules, for values that arrive in URLs (SER-07).
pub fn value(value: Bson, field: &Field, settings: &Settings) -> Bson {
    let mut value = value;
    let conversion = Conversion { dates: &settings.date_format, create_lists: settings.auto_create_lists };
    conversion.value(&mut value, field, settings.auto_create_lists);
    value
}

/// The narrowest integer type (DB-03).
pub fn integer(number: i64) -> Bson {
    i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32)
}

/// Python's `int(value)`.
pub fn to_integer(value: &Bson) -> Option<Bson> {
    match value {
        Bson::Int32(_) | Bson::Int64(_) => Some(value.clone()),
        Bson::Boolean(flag) => Some(Bson::Int32(i32::from(*flag))),
        // 2^63 is exact as a double; everything below it in magnitude fits.
        Bson::Double(number) if number.trunc().abs() < 9_223_372_036_854_775_808.0 => Some(integer(*number as i64)),
        Bson::String(text) => digits(text)?.parse().ok().map(integer),
        _ => None,
    }
}

/// Python's `float(value)`.
pub fn to_float(value: &Bson) -> Option<Bson> {
    match value {
        Bson::Double(_) => Some(value.clone()),
        Bson::Int32(number) => Some(Bson::Double(f64::from(*number))),
        Bson::Int64(number) => Some(Bson::Double(*number as f64)),
        Bson::Boolean(flag) => Some(Bson::Double(f64::from(u8::from(*flag)))),
        Bson::String(text) => digits(text)?.parse().ok().map(Bson::Double),
        _ => None,
    }
}

/// A number's text without the blanks around it and the underscores between digits, both of which Python takes.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let digit = |index: Option<usize>| index.and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_digit);
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'_' && !(digit(index.checked_sub(1)) && digit(Some(index + 1))) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

struct Conversion<'a> {
    dates: &'a DateFormat,
    /// AUTO_CREATE_LISTS.
    create_lists: bool,
}

impl Conversion<'_> {
    fn mapping(&self, document: &mut Document, schema: &Schema, unknown: Option<&Field>) {
        for (name, value) in document.iter_mut() {
            if let Some(field) = schema.get(name).or(unknown) {
                self.value(value, field, self.create_lists);
            }
        }
    }

    /// `wrap`: a value that should be a list becomes one; elements of lists do not (SER-06).
    fn value(&self, value: &mut Bson, field: &Field, wrap: bool) {
        if *value == Bson::Null {
            return;
        }
        // SER-04: every alternative's conversion is tried, the field's own last.
        for rule in &field.rules {
            if let Rule::AnyOf(fields) | Rule::AllOf(fields) | Rule::OneOf(fields) | Rule::NoneOf(fields) = rule {
                fields.iter().for_each(|alternative| self.value(value, alternative, wrap));
            }
        }
        for kind in &field.types {
            if *kind == FieldType::List && wrap && !matches!(value, Bson::Array(_) | Bson::Null) {
                *value = Bson::Array(vec![std::mem::take(value)]);
            }
            if let Some(converted) = self.to_type(*kind, value) {
                *value = converted;
            }
        }
        match value {
            Bson::Document(document) => self.members(document, field),
            Bson::Array(items) => {
                for rule in &field.rules {
                    match rule {
                        Rule::Elements(rules) => items.iter_mut().for_each(|item| self.value(item, rules, false)),
                        Rule::Items(rules) => {
                            items.iter_mut().zip(rules).for_each(|(item, rules)| self.value(item, rules, false));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn members(&self, document: &mut Document, field: &Field) {
        let unknown = match field.allow_unknown() {
            Some(AllowUnknown::Rules(rules)) => Some(rules.as_ref()),
            _ => None,
        };
        match (field.fields(), unknown) {
            (Some(fields), unknown) => self.mapping(document, fields, unknown),
            (None, Some(_)) => self.mapping(document, &Schema::default(), unknown),
            (None, None) => {}
        }
        for rule in &field.rules {
            if let Rule::ValuesRules(rules) = rule {
                document.iter_mut().for_each(|(_, value)| self.value(value, rules, false));
            }
        }
    }

    /// SER-02; `None` leaves the value as it is.
    fn to_type(&self, kind: FieldType, value: &Bson) -> Option<Bson> {
        match (kind, value) {
            (FieldType::ObjectId, Bson::String(text)) if text.len() == 24 => {
                ObjectId::parse_str(text).ok().map(Bson::ObjectId)
            }
            (FieldType::Datetime, Bson::String(text)) if !text.is_empty() => self.dates.parse(text).map(Bson::DateTime),
            (FieldType::ObjectId | FieldType::Datetime, value) if super::validate::is_falsy(value) => Some(Bson::Null),
            (FieldType::Integer, Bson::Double(_) | Bson::String(_) | Bson::Boolean(_)) => to_integer(value),
            (FieldType::Float, _) => to_float(value),
            (FieldType::Number, Bson::String(text)) => parse_json(text.as_bytes()).ok(),
            (FieldType::Boolean, Bson::String(text)) => match text.to_lowercase().as_str() {
                "1" | "true" => Some(Bson::Boolean(true)),
                "0" | "false" => Some(Bson::Boolean(false)),
                _ => None,
            },
            (FieldType::Boolean, Bson::Int32(number @ (0 | 1))) => Some(Bson::Boolean(*number == 1)),
            // Of an integer beyond 64 bits the last digits are gone by now; a text keeps them.
            (FieldType::Decimal, Bson::Double(number)) if number.abs() >= 9_223_372_036_854_775_808.0 => None,
            (FieldType::Decimal, Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_)) => {
                decimal(&python_text::str(value))
            }
            (FieldType::Decimal, Bson::String(text)) => decimal(&digits(text)?),
            (FieldType::DbRef, Bson::Document(written)) => dbref(written),
            _ => None,
        }
    }
}

fn decimal(text: &str) -> Option<Bson> {
    // The parser reads a text without digits as zero.
    let number = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let named = ["inf", "infinity", "nan"].contains(&number.as_str());
    let digits = number.split('e').next().is_some_and(|digits| digits.contains(|letter: char| letter.is_ascii_digit()));
    if named || digits { text.parse::<Decimal128>().ok().map(Bson::Decimal128) } else { None }
}

/// The `_id` that a DBRef leads to: text that spells an id is one (FILT-11).
pub fn referenced_id(reference: &Document) -> Option<Bson> {
    let id = reference.get("$id")?;
    let read = id.as_str().filter(|text| text.len() == 24).and_then(|text| ObjectId::parse_str(text).ok());
    Some(read.map_or_else(|| id.clone(), Bson::ObjectId))
}

/// The members in BSON's order; the id is kept as given.
fn dbref(written: &Document) -> Option<Bson> {
    let collection = written.get("$col").or_else(|| written.get("$ref"))?.as_str()?;
    let mut reference = doc! { "$ref": collection, "$id": written.get("$id")?.clone() };
    if let Some(database) = written.get("$db") {
        reference.insert("$db", database.clone());
    }
    Some(Bson::Document(reference))
}

#[cfg(test)]
mod tests;
