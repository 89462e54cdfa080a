//! `TYPES`: types of the domain's own, each a built-in one with bounds or a pattern (contract 2.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use bson::Bson;

use super::resource::Context;
use super::schema::{Place, SchemaReader};
use super::section::Section;
use crate::domain::{CustomType, FieldType};

/// By name.
pub type Types = BTreeMap<String, Arc<CustomType>>;

const PARTS: [&str; 4] = ["type", "regex", "min", "max"];

/// `context` knows no types of the domain's own: one can't stand on another.
pub fn read(top: &Section<'_>, context: &Context<'_>) -> Types {
    let reader = SchemaReader::new("TYPES", "_id", context);
    let mut types = Types::new();
    for (name, written) in top.document("TYPES").into_iter().flatten() {
        if FieldType::from_name(name).is_some() {
            reader.fault(name, "", "is a built-in type");
        }
        let Bson::Document(parts) = written else {
            reader.fault(name, "", "must be a mapping");
            continue;
        };
        for part in parts.keys().filter(|part| !PARTS.contains(&part.as_str())) {
            reader.fault(name, part, format!("a type has only {}", PARTS.join(", ")));
        }
        let field = reader.field(written, name, Place::Element);
        match field.types[..] {
            [base] => {
                let custom = CustomType { name: name.clone(), base, rules: field.rules };
                types.insert(name.clone(), Arc::new(custom));
            }
            _ => reader.fault(name, "type", "must name the one built-in type it stands on"),
        }
    }
    types
}
