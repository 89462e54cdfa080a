//! The machine endpoints over real sockets, by the rules of the OAuth contract.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod authorization_code;
mod client_authentication;
mod client_credentials;
mod common;
mod descriptions;
mod faults;
mod introspection;
mod killed;
mod libraries;
mod metadata;
mod metrics;
mod password;
mod process;
mod races;
mod refresh;
mod revocation;
mod revocation_feed;
mod storage;
