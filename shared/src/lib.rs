//! What at least two services use and that names no service: configuration, secrets, logging, serving, sessions, pages, stores.

mod access_log;
mod allocator;
pub mod clock;
pub mod config;
pub mod core_dumps;
pub mod drain;
pub mod expiring;
pub mod form;
pub mod http_client;
pub mod logging;
pub mod metrics;
pub mod migration;
pub mod oauth;
pub mod page;
pub mod random;
pub mod rate_limit;
pub mod request_id;
pub mod revocation_feed;
pub mod seal;
mod secret;
pub mod serve;
pub mod session;
pub mod store;

pub use secret::Secret;
