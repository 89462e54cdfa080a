//! Valid inputs of each kind, for the API of [`domain`].

mod bodies;
mod domains;
mod forms;
mod queries;
mod types;

use serde_json::{Value, json};

pub use bodies::BODY;
pub use domains::DOMAIN;
pub use forms::{BOUNDARY, MULTIPART};
pub use queries::{PROJECTION, SORT, WHERE_MONGO, WHERE_PYTHON};
pub use types::TYPES;

/// Every kind of field.
pub fn domain() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST"],
        "ITEM_METHODS": ["GET", "PATCH", "PUT"],
        "MONGO_QUERY_BLACKLIST": ["$where"],
        "ENFORCE_IF_MATCH": false,
        "DOMAIN": {
            "things": {
                "mongo_indexes": { "number": [["number", 1]], "text_number": [["text", -1], ["number", 1]], "tags": [["tags", 1]] },
                "schema": {
                    "text": { "type": "string", "maxlength": 1000 },
                    "number": { "type": "integer", "min": -1_000_000, "max": 1_000_000 },
                    "ratio": { "type": "float" },
                    "price": { "type": "decimal" },
                    "any": { "type": "number", "nullable": true },
                    "flag": { "type": "boolean" },
                    "when": { "type": "datetime" },
                    "other": { "type": "objectid" },
                    "tags": { "type": "list", "schema": { "type": "string" } },
                    "parts": { "type": "list", "schema": { "type": "dict", "schema": {
                        "name": { "type": "string", "required": true }, "size": { "type": "integer" },
                    } } },
                    "inner": { "type": "dict", "schema": { "a": { "type": "integer" }, "b": { "type": "dict", "schema": { "c": { "type": "string" } } } } },
                    "open": { "type": "dict", "allow_unknown": true },
                    "place": { "type": "point" },
                    "choice": { "anyof": [{ "type": "string", "regex": "[a-z]+" }, { "type": "integer", "min": 0 }] },
                    "map": { "type": "dict", "keysrules": { "type": "string", "regex": "[a-z]+" }, "valuesrules": { "type": "integer" } },
                    "code": { "type": "string", "coerce": ["strip", "upper"], "default": "X" },
                    "mail": { "type": "string", "check_with": "email" },
                },
            },
        },
    })
}

/// Paths of it, with the kind of value there.
pub const FIELDS: [(&str, Kind); 18] = [
    ("text", Kind::Text),
    ("number", Kind::Number),
    ("ratio", Kind::Number),
    ("price", Kind::Number),
    ("any", Kind::Number),
    ("flag", Kind::Flag),
    ("when", Kind::Date),
    ("other", Kind::Id),
    ("tags", Kind::Text),
    ("parts.name", Kind::Text),
    ("parts.size", Kind::Number),
    ("parts.0.size", Kind::Number),
    ("inner.a", Kind::Number),
    ("inner.b.c", Kind::Text),
    ("open.x", Kind::Text),
    ("map.a", Kind::Number),
    ("_id", Kind::Id),
    ("_updated", Kind::Date),
];

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    Number,
    Flag,
    Date,
    Id,
}
