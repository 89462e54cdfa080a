//! The oracle: sends the same requests to two servers and compares what they answer.
//!
//! Real Eve on a MongoDB server is the reference for resource-api on SQLite, and that for resource-api on MongoDB. `world` says what the API is, `generate` makes
//! histories of requests from a seed, `contest` plays them, `compare` tells what differs, `differences` which of that is
//! meant, `shrink` what is left of a history that shows a difference. A new deliberate difference is one entry there and one
//! row in docs/from-eve.md, or in docs/stores.md; a new feature to compare is a resource or setting in `domains/`.

mod auth_server;
pub mod compare;
pub mod contest;
pub mod differences;
pub mod generate;
pub mod run;
pub mod server;
pub mod shrink;
pub mod state;
pub mod step;
pub mod world;

pub use run::{Options, Reference, Report, run};
