//! Why a domain file can't be used: everything that is wrong with it, at once.

use std::fmt;
use std::path::PathBuf;

/// A domain file that stops the start.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    #[error("can't read the domain file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the domain file {} must end in .toml, .json, .yaml or .yml", path.display())]
    UnknownFormat { path: PathBuf },
    /// Not TOML, JSON or YAML, or a bad Extended JSON value.
    #[error("the domain file can't be parsed: {0}")]
    Syntax(String),
    #[error("the domain file has {} fault(s):{}", .0.len(), lines(.0))]
    Faults(Vec<Fault>),
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// One thing that is wrong, and where (CFG-18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The resource's key; `None` for global settings.
    pub resource: Option<String>,
    /// The field's dotted path in the schema.
    pub field: Option<String>,
    /// The setting or rule, as written.
    pub rule: Option<String>,
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(resource) = &self.resource {
            write!(formatter, "{resource}: ")?;
        }
        if let Some(field) = &self.field {
            write!(formatter, "field '{field}': ")?;
        }
        if let Some(rule) = &self.rule {
            write!(formatter, "{rule}: ")?;
        }
        formatter.write_str(&self.message)
    }
}
