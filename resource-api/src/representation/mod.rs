//! What the client sees: JSON straight into the response's buffer.
//!
//! A new member of a document is a few lines in `document.rs`, a new kind of member a role in `shape.rs`, a new link one
//! function in `links.rs`.

pub mod document;
pub mod embedded;
pub mod error_page;
pub mod json;
pub mod layout;
pub mod links;
mod raw;
pub mod shape;
