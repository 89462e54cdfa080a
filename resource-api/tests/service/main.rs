//! The real server over real sockets, with an auth-server that says what it is told to.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod claims;
mod conditions;
mod domain_rules;
mod embedding;
mod errors;
mod example;
mod filters;
mod gold;
mod idempotency;
mod introspection;
mod limits;
mod links;
mod origins;
mod owners;
mod paging;
mod payloads;
mod permissions;
mod races;
mod reads;
mod robustness;
mod stored;
mod support;
mod tokens;
mod unique;
mod writes;
