//! Eve's `DOMAIN`: read from a file, checked whole at start, plain values afterwards.
//!
//! A new setting is a field in `resource.rs`, a reader in the parser and a line in the docs.

pub(crate) mod calendar;
mod claims;
mod collections;
pub mod connections;
pub mod convert;
mod cors;
mod date_format;
mod error;
mod hooks;
pub(crate) mod python_text;
mod reader;
mod resource;
mod schema;
mod text_pattern;
pub mod validate;

pub use claims::{Claims, DatasourceFilter, usable as usable_claims};
pub use collections::{Collections, IDEMPOTENCY, OWN};
pub use connections::Connections;
pub use cors::{Cors, origin_pattern};
pub use date_format::*;
pub use error::*;
pub use hooks::{Event, Hooks, Webhook, signing_key};
pub use reader::{Format, examine, load, parse};
pub use resource::*;
pub use schema::*;
pub use text_pattern::TextPattern;
