//! Schemas and rule sets: names, registries, shortcuts; what each rule's argument may be is in `rule.rs`.

use std::cell::RefCell;

use bson::{Bson, Document};

use super::names::{NO_FIELD_NAME, is_field_name};
use super::resource::Context;
use super::rule;
use crate::domain::validate::has_type;
use crate::domain::{Field, FieldType, Rule, Schema};

/// The named schemas and rule sets a string may refer to (contract 2.4).
pub struct Registries<'a> {
    pub schemas: Option<&'a Document>,
    pub rules_sets: Option<&'a Document>,
}

/// Where a rule set stands, which decides what it may hold.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// A field of a mapping.
    Field,
    /// An element or value that has no name of its own.
    Element,
    /// Of a mapping's fields that its schema does not know.
    Unknown,
    /// `keysrules`, `valuesrules`: nothing can be renamed.
    Unnamed,
    /// Under `anyof` and its like: only tests, and the outer field's type unless it has its own.
    Alternative(&'a Field),
}

/// Reads the schema of one resource.
pub struct SchemaReader<'a> {
    pub resource: &'a str,
    /// Of the resource that contains the rules: the default target of `data_relation` (CFG-09).
    pub id_field: &'a str,
    pub context: &'a Context<'a>,
    /// References being followed, so that a circle ends.
    following: RefCell<Vec<String>>,
}

/// The rules of an id field that the file leaves out (CFG-10).
pub fn object_id() -> Field {
    Field { types: vec![FieldType::ObjectId], ..Field::default() }
}

impl<'a> SchemaReader<'a> {
    pub fn new(resource: &'a str, id_field: &'a str, context: &'a Context<'a>) -> Self {
        Self { resource, id_field, context, following: RefCell::default() }
    }

    pub fn fault(&self, path: &str, rule: &str, message: impl Into<String>) {
        let field = (!path.is_empty()).then_some(path);
        let rule = (!rule.is_empty()).then_some(rule);
        self.context.report.fault(Some(self.resource), field, rule, message);
    }

    /// A mapping of fields, or the name of one in `SCHEMA_REGISTRY`. `path` is the dict it belongs to.
    pub fn schema(&self, value: &Bson, path: &str) -> Schema {
        self.follow(value, path, "SCHEMA_REGISTRY", |fields| {
            let mut schema = Schema::default();
            for (name, rules) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if !is_field_name(name) {
                    // CFG-08, at every depth: no store could address it.
                    self.fault(&path, "", NO_FIELD_NAME);
                }
                schema.insert(name.clone(), self.field(rules, &path, Place::Field));
            }
            schema
        })
    }

    /// One rule set, or the name of one in `RULES_SET_REGISTRY`.
    pub fn field(&self, value: &Bson, path: &str, place: Place<'_>) -> Field {
        self.follow(value, path, "RULES_SET_REGISTRY", |rules| self.rules(rules, path, place))
    }

    /// The mapping a schema stands for, without reading it.
    pub fn resolve_schema<'b>(&self, value: &'b Bson) -> Option<&'b Document>
    where
        'a: 'b,
    {
        match value {
            Bson::Document(document) => Some(document),
            Bson::String(name) => self.context.registries.schemas?.get_document(name).ok(),
            _ => None,
        }
    }

    fn follow<T: Default>(&self, value: &Bson, path: &str, registry: &str, read: impl FnOnce(&Document) -> T) -> T {
        match value {
            Bson::Document(document) => read(document),
            Bson::String(name) => {
                let registries = &self.context.registries;
                let known = if registry == "SCHEMA_REGISTRY" { registries.schemas } else { registries.rules_sets };
                let Some(document) = known.and_then(|known| known.get_document(name).ok()) else {
                    let hint = match FieldType::from_name(name) {
                        Some(_) => format!("; a type is written {{\"type\": \"{name}\"}}"),
                        None => String::new(),
                    };
                    self.fault(path, "", format!("'{name}' is not in {registry}{hint}"));
                    return T::default();
                };
                let entry = format!("{registry}/{name}");
                if self.following.borrow().contains(&entry) {
                    self.fault(path, "", format!("'{name}' of {registry} refers to itself"));
                    return T::default();
                }
                self.following.borrow_mut().push(entry);
                let result = read(document);
                self.following.borrow_mut().pop();
                result
            }
            _ => {
                self.fault(path, "", "rules must be a mapping, or the name of one in a registry");
                T::default()
            }
        }
    }

    fn rules(&self, rules: &Document, path: &str, place: Place<'_>) -> Field {
        let mut field = Field::default();
        if let Some(written) = rules.get("type") {
            self.types(written, path, &mut field);
        } else if let Place::Alternative(outer) = place {
            field.types.clone_from(&outer.types);
            field.custom.clone_from(&outer.custom);
            field.type_list = outer.type_list;
        }
        let mut known: Vec<String> = Vec::new();
        for (written, argument) in rules {
            let name = current_name(written);
            if name == "type" {
                continue;
            }
            let (operator, shortcut) = shortcut(&name);
            if known.iter().any(|other| other == operator) {
                self.fault(path, written, "the same rule is given twice");
                continue;
            }
            known.push(operator.to_owned());
            let parsed = match shortcut {
                Some(inner) => rule::shortcut(self, operator, inner, argument, &field, path),
                None => rule::read(self, &name, argument, &field, path, place),
            };
            field.rules.extend(parsed);
        }
        self.check_default(&field, path);
        field
    }

    /// A default that its own type refuses would fail every document that needs it.
    fn check_default(&self, field: &Field, path: &str) {
        let coerced = field.rules.iter().any(|rule| matches!(rule, Rule::Coerce(_)));
        let custom = self.context.settings.allow_custom_fields_in_geojson;
        for rule in &field.rules {
            if let Rule::Default(value) = rule
                && !coerced
                && *value != Bson::Null
                && !has_type(field, value, custom)
            {
                self.fault(path, "default", "does not have the field's type");
            }
        }
    }

    fn types(&self, written: &Bson, path: &str, field: &mut Field) {
        let names: Vec<&Bson> = match written {
            Bson::Array(names) => names.iter().collect(),
            one => vec![one],
        };
        field.type_list = matches!(written, Bson::Array(_));
        for name in names {
            let Some(name) = name.as_str() else {
                self.fault(path, "type", "must be a name or a list of names");
                continue;
            };
            match (FieldType::from_name(name), self.context.types.get(name)) {
                (Some(FieldType::Media), _) => self.fault(path, "type", "media is not supported by this version"),
                (Some(kind), _) => {
                    field.types.push(kind);
                    field.custom.push(None);
                }
                (None, Some(custom)) => {
                    field.types.push(custom.base);
                    field.custom.push(Some(custom.clone()));
                }
                (None, None) => self.fault(path, "type", format!("there is no type '{name}'")),
            }
        }
        if field.custom.iter().all(Option::is_none) {
            field.custom = Vec::new();
        }
    }
}

/// Today's name of a rule that Cerberus has renamed; spaces stand for underscores.
fn current_name(written: &str) -> String {
    match written {
        "keyschema" | "propertyschema" => "keysrules".to_owned(),
        "valueschema" => "valuesrules".to_owned(),
        "validator" => "check_with".to_owned(),
        _ => written.replace(' ', "_"),
    }
}

/// `anyof_type` is `anyof` over one-rule alternatives (VAL-25).
fn shortcut(name: &str) -> (&str, Option<&str>) {
    match name.split_once('_') {
        Some((operator @ ("anyof" | "allof" | "oneof" | "noneof"), inner)) => (operator, Some(inner)),
        _ => (name, None),
    }
}
