//! What the client sees.

pub mod json;
