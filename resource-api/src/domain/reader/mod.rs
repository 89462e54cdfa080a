//! From a domain file to a [`Domain`]: every fault at once, every default resolved.
//!
//! A new global setting is a line in `global.rs`, a new resource setting one in `resource.rs`, a new rule an arm in `rule.rs`.

mod connections;
mod datasource;
mod file;
mod global;
mod hooks;
mod names;
mod network;
mod resource;
mod rule;
mod schema;
mod section;
#[cfg(test)]
mod tests;
mod types;

use std::path::Path;
use std::sync::Arc;

use bson::{Bson, Document};
use indexmap::IndexMap;

pub use file::Format;

use super::{Domain, DomainError, Fault, Resource};
use section::{Report, Section};

/// Reads and checks a domain file. What has faults is in the domain as if it were not said.
pub fn examine(path: &Path) -> Result<(Domain, Vec<Fault>), DomainError> {
    let format = Format::of(path).ok_or_else(|| DomainError::UnknownFormat { path: path.to_owned() })?;
    let text =
        std::fs::read_to_string(path).map_err(|source| DomainError::Unreadable { path: path.to_owned(), source })?;
    examine_text(format, &text)
}

/// Checks a domain file's text.
pub fn parse(format: Format, text: &str) -> Result<Domain, DomainError> {
    faultless(examine_text(format, text)?)
}

/// The same with a file's.
pub fn load(path: &Path) -> Result<Domain, DomainError> {
    faultless(examine(path)?)
}

fn faultless((domain, faults): (Domain, Vec<Fault>)) -> Result<Domain, DomainError> {
    if faults.is_empty() { Ok(domain) } else { Err(DomainError::Faults(faults)) }
}

fn examine_text(format: Format, text: &str) -> Result<(Domain, Vec<Fault>), DomainError> {
    let document = file::read(format, text)?;
    let report = Report::default();
    let top = Section::new(None, "", &document, &report);
    let (settings, defaults) = global::read(&top);
    let mut context = resource::Context {
        settings: &settings,
        defaults: &defaults,
        registries: schema::Registries {
            schemas: top.document("SCHEMA_REGISTRY"),
            rules_sets: top.document("RULES_SET_REGISTRY"),
        },
        types: types::Types::new(),
        report: &report,
    };
    context.types = types::read(&top, &context);
    let (resources, prefixes) = resources(&top, &context);
    let connections = connections::read(&top, prefixes, top.optional_text("AUTH_MONGO_PREFIX_CLAIM", None));
    top.finish();
    resource::check_relations(&resources, &report);
    Ok((Domain { settings, resources, connections, warnings: report.warnings.take() }, report.faults.take()))
}

/// CFG-02: a mapping, which may be empty. With the prefixes of the resources' connections.
fn resources(top: &Section<'_>, context: &resource::Context<'_>) -> (IndexMap<String, Arc<Resource>>, Vec<String>) {
    let empty = Document::new();
    let written = match top.get("DOMAIN") {
        Some(Bson::Document(written)) => written,
        Some(_) => {
            top.fault("DOMAIN", "must be a mapping");
            &empty
        }
        None => {
            top.fault("DOMAIN", "is missing");
            &empty
        }
    };
    let (mut resources, mut prefixes) = (IndexMap::new(), Vec::new());
    for (key, value) in written {
        match value {
            Bson::Document(document) => {
                let (resource, prefix) = resource::read(key, document, context);
                resources.insert(key.clone(), Arc::new(resource));
                prefixes.push(prefix);
            }
            _ => context.report.fault(Some(key), None, None, "must be a mapping"),
        }
    }
    (resources, prefixes)
}
