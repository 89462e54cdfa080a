//! What at least two services use and that names no service: configuration, secrets, logging, serving, sessions, pages, stores.

pub mod expiring;
pub mod form;
pub mod oauth;
pub mod random;
pub mod seal;
mod secret;
pub mod store;

pub use secret::Secret;
