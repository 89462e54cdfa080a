//! The `embedded` parameter → the references to resolve (EMB-01, EMB-02).

use serde_json::{Map, Value};

use super::error::QueryError;
use super::projection::switch;
use crate::domain::{DataRelation, Domain, Field, Resource};

/// Longest chain of references in references.
const SEGMENT_LIMIT: usize = 16;

/// One reference field whose target takes its place.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// Dotted; may lead through documents embedded before it (EMB-03).
    pub path: String,
    pub relation: DataRelation,
}

/// The resource's own embedded fields and those asked for, less those refused; shallow ones first.
pub(super) fn parse(text: Option<&str>, domain: &Domain, resource: &Resource) -> Result<Vec<Embedding>, QueryError> {
    let wanted: Map<String, Value> = match text {
        Some(text) if !text.is_empty() => serde_json::from_str(text).map_err(|_| QueryError::Embedded)?,
        _ => Map::new(),
    };
    let refused = |field: &String| wanted.get(field).and_then(switch) == Some(false);
    let own = resource.embedded_fields.iter().filter(|field| !refused(field));
    let asked = wanted
        .iter()
        .filter(|(field, value)| switch(value) == Some(true) && !resource.embedded_fields.contains(field))
        .map(|(field, _)| field);
    let embedding = |path: &String| {
        let relation = relation(domain, resource, path).filter(|relation| relation.embeddable)?;
        Some(Embedding { path: path.clone(), relation: relation.clone() })
    };
    let mut embeddings: Vec<Embedding> = own.chain(asked).filter_map(embedding).collect();
    embeddings.sort_by_key(|embedding| embedding.path.split('.').count());
    Ok(embeddings)
}

/// The reference at a path: through dicts and lists, and where those end through the resource a reference names.
fn relation<'d>(domain: &'d Domain, resource: &'d Resource, path: &str) -> Option<&'d DataRelation> {
    if path.split('.').count() > SEGMENT_LIMIT {
        return None;
    }
    let mut schema = Some(&resource.schema);
    let mut reached: Option<&Field> = None;
    for name in path.split('.') {
        let field = match schema.and_then(|schema| schema.get(name)) {
            Some(field) => field,
            None => domain.resource(&reached?.data_relation()?.resource)?.schema.get(name)?,
        };
        let element = innermost(field);
        schema = element.fields();
        reached = Some(element);
    }
    reached?.data_relation()
}

fn innermost(field: &Field) -> &Field {
    field.elements().map_or(field, innermost)
}
