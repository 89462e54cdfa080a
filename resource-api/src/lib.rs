//! resource-api: a REST CRUD API over documents, in the manner of Python's Eve, behind OAuth 2 bearer tokens.

pub mod domain;
pub mod etag;
pub mod query;
pub mod representation;
pub mod store;
