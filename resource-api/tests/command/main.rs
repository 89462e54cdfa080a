//! The command line as its user meets it: the real program, files, kills.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod place;

mod backup;
mod check;
mod connections;
mod eve_settings;
mod export;
mod guide;
mod import;
mod settings_file;
