//! Eve's `DOMAIN`: read from a file, checked whole at start, plain values afterwards.
//!
//! A new setting is a field in `resource.rs`, a reader in the parser and a line in the docs.

mod date_format;
mod resource;
mod schema;

pub use date_format::*;
pub use resource::*;
pub use schema::*;
