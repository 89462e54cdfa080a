//! The argument of each rule, checked at start so that no request finds it wrong (CFG-18).

use bson::oid::ObjectId;
use bson::{Bson, Document};

use super::schema::{Place, SchemaReader};
use super::section::{natural, texts};
use crate::domain::{
    AllowUnknown, Check, Coercion, DataRelation, DefaultSetter, Dependencies, Field, FieldType, RenameHandler, Rule,
    TextPattern,
};

const NORMALIZING: [&str; 6] = ["coerce", "default", "default_setter", "purge_unknown", "rename", "rename_handler"];

/// What a rule's argument becomes, nothing when it has no effect, or what is wrong with it.
type Parsed = Result<Option<Rule>, String>;

/// Reads a rule other than `type`, noting what is wrong. `field` holds what is read so far, its types first.
pub fn read(
    reader: &SchemaReader<'_>,
    name: &str,
    argument: &Bson,
    field: &Field,
    path: &str,
    place: Place<'_>,
) -> Option<Rule> {
    let misplaced = match place {
        Place::Alternative(_) if NORMALIZING.contains(&name) => Some("not allowed in anyof, allof, oneof and noneof"),
        Place::Unnamed | Place::Element if matches!(name, "rename" | "rename_handler") => {
            Some("only a field of a mapping can be renamed")
        }
        Place::Unknown if name == "rename" => Some("unknown fields can't all have one name: use rename_handler"),
        _ => None,
    };
    let parsed = match misplaced {
        Some(message) => Err(message.to_owned()),
        None => parse(reader, name, argument, field, path),
    };
    parsed.unwrap_or_else(|message| {
        reader.fault(path, name, message);
        None
    })
}

/// `anyof_type: [a, b]` and its like (VAL-25).
pub fn shortcut(
    reader: &SchemaReader<'_>,
    operator: &str,
    inner: &str,
    argument: &Bson,
    field: &Field,
    path: &str,
) -> Option<Rule> {
    let Bson::Array(values) = argument else {
        reader.fault(path, &format!("{operator}_{inner}"), "must be a list");
        return None;
    };
    let alternatives =
        values.iter().map(|value| Bson::Document(Document::from_iter([(inner.to_owned(), value.clone())])));
    let alternatives = Bson::Array(alternatives.collect());
    read(reader, operator, &alternatives, field, path, Place::Field)
}

fn parse(reader: &SchemaReader<'_>, name: &str, argument: &Bson, field: &Field, path: &str) -> Parsed {
    let element = |place| reader.field(argument, &format!("{path}[]"), place);
    let constants = || -> Result<Vec<Bson>, String> {
        let values = argument.as_array().ok_or("must be a list")?;
        values.iter().map(|value| constant(reader, value, field)).collect()
    };
    let rule = match name {
        "required" => Rule::Required(flag(argument)?),
        "nullable" => Rule::Nullable(flag(argument)?),
        "empty" => Rule::Empty(flag(argument)?),
        "readonly" => Rule::ReadOnly(flag(argument)?),
        "versioned" => Rule::Versioned(flag(argument)?),
        "purge_unknown" => Rule::PurgeUnknown(flag(argument)?),
        "require_all" => Rule::RequireAll(flag(argument)?),
        "unique" => return Ok(flag(argument)?.then_some(Rule::Unique)),
        "unique_to_user" => return Ok(flag(argument)?.then_some(Rule::UniqueToUser)),
        "unique_within_resource" => return Ok(flag(argument)?.then_some(Rule::UniqueWithinResource)),
        "meta" => return Ok(None),
        "minlength" => Rule::MinLength(natural(argument).ok_or("must be a whole number of at least 0")?),
        "maxlength" => Rule::MaxLength(natural(argument).ok_or("must be a whole number of at least 0")?),
        "min" => Rule::Min(bound(reader, argument, field)?),
        "max" => Rule::Max(bound(reader, argument, field)?),
        "allowed" => Rule::Allowed(constants()?),
        "forbidden" => Rule::Forbidden(constants()?),
        "contains" => match argument {
            Bson::Array(values) if values.is_empty() => return Err("must not be empty".to_owned()),
            Bson::Array(values) => Rule::Contains(values.clone()),
            value => Rule::Contains(vec![value.clone()]),
        },
        "regex" => regex(text(argument)?)?,
        "items" => Rule::Items(rule_sets(reader, argument, path, |_| Place::Element)?),
        "schema" => schema(reader, argument, field, path),
        "keysrules" => Rule::KeysRules(Box::new(element(Place::Unnamed))),
        "valuesrules" => Rule::ValuesRules(Box::new(element(Place::Unnamed))),
        "allow_unknown" => match argument {
            Bson::Boolean(any) => Rule::AllowUnknown(AllowUnknown::Any(*any)),
            _ => Rule::AllowUnknown(AllowUnknown::Rules(Box::new(element(Place::Unknown)))),
        },
        "excludes" => Rule::Excludes(names(argument)?),
        "dependencies" => match argument {
            Bson::Document(values) => Rule::Dependencies(Dependencies::Values(values.clone().into_iter().collect())),
            _ => Rule::Dependencies(Dependencies::Names(names(argument)?)),
        },
        "anyof" => Rule::AnyOf(rule_sets(reader, argument, path, |_| Place::Alternative(field))?),
        "allof" => Rule::AllOf(rule_sets(reader, argument, path, |_| Place::Alternative(field))?),
        "oneof" => Rule::OneOf(rule_sets(reader, argument, path, |_| Place::Alternative(field))?),
        "noneof" => Rule::NoneOf(rule_sets(reader, argument, path, |_| Place::Alternative(field))?),
        "data_relation" => Rule::DataRelation(data_relation(reader, argument)?),
        "default" => Rule::Default(constant(reader, argument, field)?),
        "default_setter" => Rule::DefaultSetter(known(text(argument)?, &DefaultSetter::NAMES)?),
        "coerce" => Rule::Coerce(all_known(argument, &Coercion::NAMES)?),
        "rename" => Rule::Rename(text(argument)?.to_owned()),
        "rename_handler" => Rule::RenameHandler(all_known(argument, &RenameHandler::NAMES)?),
        "check_with" => Rule::CheckWith(all_known(argument, &Check::NAMES)?),
        _ => return Err("there is no such rule".to_owned()),
    };
    Ok(Some(rule))
}

fn flag(argument: &Bson) -> Result<bool, String> {
    argument.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

fn text(argument: &Bson) -> Result<&str, String> {
    argument.as_str().ok_or_else(|| "must be a string".to_owned())
}

/// One name or a list of names.
fn names(argument: &Bson) -> Result<Vec<String>, String> {
    match argument {
        Bson::String(name) => Ok(vec![name.clone()]),
        _ => texts(argument).ok_or_else(|| "must be a name or a list of names".to_owned()),
    }
}

fn all_known<T: Copy>(argument: &Bson, choices: &[(&str, T)]) -> Result<Vec<T>, String> {
    names(argument)?.iter().map(|name| known(name, choices)).collect()
}

fn known<T: Copy>(name: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices.iter().find(|(known, _)| *known == name).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
        format!("'{name}' is none of {}", names.join(", "))
    })
}

/// A value of the file; where only dates fit, text in DATE_FORMAT is one (contract 2.4), and likewise ids.
fn constant(reader: &SchemaReader<'_>, value: &Bson, field: &Field) -> Result<Bson, String> {
    match value {
        Bson::String(text) if field.is(FieldType::Datetime) && !field.is(FieldType::String) => {
            let format = &reader.context.settings.date_format;
            let date = format.parse(text);
            date.map(Bson::DateTime).ok_or_else(|| format!("'{text}' is no date in the format {}", format.as_str()))
        }
        Bson::String(text) if field.is(FieldType::ObjectId) && !field.is(FieldType::String) => {
            Ok(ObjectId::parse_str(text).map_or_else(|_| value.clone(), Bson::ObjectId))
        }
        _ => Ok(value.clone()),
    }
}

fn bound(reader: &SchemaReader<'_>, argument: &Bson, field: &Field) -> Result<Bson, String> {
    match argument {
        Bson::Null => Err("must not be null".to_owned()),
        _ => constant(reader, argument, field),
    }
}

fn regex(written: &str) -> Result<Rule, String> {
    Ok(Rule::Regex { written: written.to_owned(), compiled: TextPattern::new(written)? })
}

fn rule_sets<'a>(
    reader: &SchemaReader<'_>,
    argument: &Bson,
    path: &str,
    place: impl Fn(usize) -> Place<'a>,
) -> Result<Vec<Field>, String> {
    let sets = argument.as_array().ok_or("must be a list of rule sets")?;
    Ok(sets.iter().enumerate().map(|(i, rules)| reader.field(rules, &format!("{path}[{i}]"), place(i))).collect())
}

/// Fields of a dict or rules of a list's elements: the type tells, otherwise the shape, as Cerberus guesses.
fn schema(reader: &SchemaReader<'_>, argument: &Bson, field: &Field, path: &str) -> Rule {
    let fields = match (field.is(FieldType::Dict), field.is(FieldType::List)) {
        (true, false) => true,
        (false, true) => false,
        _ => reader
            .resolve_schema(argument)
            .is_some_and(|written| written.values().all(|value| matches!(value, Bson::Document(_)))),
    };
    if fields {
        Rule::Fields(reader.schema(argument, path))
    } else {
        Rule::Elements(Box::new(reader.field(argument, &format!("{path}[]"), Place::Element)))
    }
}

fn data_relation(reader: &SchemaReader<'_>, argument: &Bson) -> Result<DataRelation, String> {
    let Bson::Document(written) = argument else { return Err("must be a mapping".to_owned()) };
    let mut relation =
        DataRelation { resource: String::new(), field: reader.id_field.to_owned(), embeddable: false, version: false };
    for (key, value) in written {
        match key.as_str() {
            "resource" => text(value)?.clone_into(&mut relation.resource),
            "field" => text(value)?.clone_into(&mut relation.field),
            "embeddable" => relation.embeddable = flag(value)?,
            "version" if flag(value)? => return Err("version: not supported by this version".to_owned()),
            "version" => {}
            _ => return Err(format!("has no part '{key}'")),
        }
    }
    if relation.resource.is_empty() {
        return Err("'resource' key is mandatory".to_owned());
    }
    Ok(relation)
}
