//! Documents in files: one line of Extended JSON each, plain or gzipped.
//!
//! `lines` reads a file, `extended_json` turns lines into documents and back, `import` and `export` do the work; `record` is
//! what an import keeps in the store, so that after a kill it goes on where it stopped.

mod error_file;
mod export;
pub mod extended_json;
mod import;
mod importer;
mod lines;
mod record;

pub use export::{Export, ExportError, export};
pub use import::{Import, ImportError, ImportOptions, Refused, import, import_file};

/// Told how far the work is: bytes or documents done, and documents so far.
pub trait Progress {
    /// `all`: the whole length in the unit of `done`, known from the start.
    fn begin(&self, all: u64);
    fn advance(&self, done: u64, documents: u64);
}

/// Nobody watches.
impl Progress for () {
    fn begin(&self, _: u64) {}
    fn advance(&self, _: u64, _: u64) {}
}
