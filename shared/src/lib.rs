//! What at least two services use and that names no service: configuration, secrets, logging, serving, sessions, pages, stores.

mod secret;
pub mod store;

pub use secret::Secret;
