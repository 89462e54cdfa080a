//! How often each value of a unique rule or index is stored: a digest for each, so that a million of them fit into memory.

use std::collections::{HashMap, HashSet};

use bson::Bson;
use bson::raw::RawDocument;
use sha2::{Digest, Sha256};
use shared::store::StoreError;

use super::{Pieces, SurveyError};
use crate::domain::validate::{Finding, UniqueWithin};
use crate::domain::{Field, Resource, Rule, Schema};
use crate::endpoints::values_at;
use crate::store::DocumentStore;
use crate::store::keys::{IndexKeys, equality_key};

type Key = [u8; 16];

/// The rules that make values unique, and the values that several documents have.
pub struct Counted {
    rules: Vec<(String, UniqueWithin)>,
    /// Name, first path and keys of the unique indexes of `mongo_indexes`.
    indexes: Vec<(String, String, IndexKeys)>,
    repeated: HashSet<Key>,
}

impl Counted {
    pub async fn count(resource: &Resource, documents: &dyn DocumentStore) -> Result<Self, SurveyError> {
        let mut rules = Vec::new();
        unique_rules(&resource.schema, "", &mut rules);
        let mut indexes = Vec::new();
        for index in resource.indexes.iter().filter(|index| index.unique && index.options.contains_key("unique")) {
            if let Some(keys) = IndexKeys::new(index) {
                let path = index.keys.first().map_or_else(String::new, |(path, _)| path.clone());
                indexes.push((index.name.clone(), path, keys));
            }
        }
        let mut counted = Self { rules, indexes, repeated: HashSet::new() };
        if counted.rules.is_empty() && counted.indexes.is_empty() {
            return Ok(counted);
        }
        let mut seen: HashMap<Key, bool> = HashMap::new();
        let mut pieces = Pieces::new(documents, resource);
        while let Some(piece) = pieces.next().await? {
            for document in piece {
                for key in counted.keys(resource, &document)? {
                    seen.entry(key).and_modify(|repeated| *repeated = true).or_insert(false);
                }
            }
        }
        counted.repeated = seen.into_iter().filter(|(_, repeated)| *repeated).map(|(key, _)| key).collect();
        Ok(counted)
    }

    /// Each once.
    fn keys(&self, resource: &Resource, document: &RawDocument) -> Result<HashSet<Key>, SurveyError> {
        let mut keys = HashSet::new();
        let owner = match &resource.auth_field {
            Some(field) => document.get(field)?.map(Bson::try_from).transpose()?,
            None => None,
        };
        let within_resource = resource.datasource.filter.for_operator();
        for (path, within) in &self.rules {
            if *within == UniqueWithin::Resource && !within_resource.matches_raw(document) {
                continue;
            }
            let mut values = Vec::new();
            values_at(document, path, &mut values)?;
            if values.is_empty() {
                // VAL-43: to a query, null is also the value of what is missing.
                values.push(Bson::Null);
            }
            for value in values {
                keys.insert(rule_key(path, *within, owner.as_ref(), &value)?);
            }
        }
        for (name, _, index) in &self.indexes {
            keys.extend(index.of(document)?.iter().map(|key| digest(&[b"index", name.as_bytes(), key])));
        }
        Ok(keys)
    }

    /// Whether several documents have this value.
    pub fn is_repeated(
        &self,
        path: &str,
        within: UniqueWithin,
        owner: Option<&Bson>,
        value: &Bson,
    ) -> Result<bool, StoreError> {
        Ok(self.repeated.contains(&rule_key(path, within, owner, value)?))
    }

    /// The indexes of `mongo_indexes` in which another document has the same key.
    pub fn index_findings(&self, document: &RawDocument) -> Result<Vec<Finding>, SurveyError> {
        let mut findings = Vec::new();
        for (name, path, index) in &self.indexes {
            let repeated = |key: &Vec<u8>| self.repeated.contains(&digest(&[b"index", name.as_bytes(), key]));
            if index.of(document)?.iter().any(repeated) {
                let message = format!("another document has the same key in the unique index '{name}'");
                findings.push(Finding { field: path.clone(), rule: "mongo_indexes", message });
            }
        }
        Ok(findings)
    }
}

fn rule_key(path: &str, within: UniqueWithin, owner: Option<&Bson>, value: &Bson) -> Result<Key, StoreError> {
    let scope: &[u8] = match within {
        UniqueWithin::Source => b"source",
        UniqueWithin::Owner => b"owner",
        UniqueWithin::Resource => b"resource",
    };
    let owner = match owner.filter(|_| within == UniqueWithin::Owner) {
        Some(owner) => equality_key(owner)?,
        None => Vec::new(),
    };
    Ok(digest(&[scope, path.as_bytes(), &owner, &equality_key(value)?]))
}

fn digest(parts: &[&[u8]]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// Where a schema has unique rules, as a query names the place.
fn unique_rules(schema: &Schema, above: &str, out: &mut Vec<(String, UniqueWithin)>) {
    for (name, field) in schema {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        field_rules(field, &path, out);
    }
}

fn field_rules(field: &Field, path: &str, out: &mut Vec<(String, UniqueWithin)>) {
    let mut add = |within| {
        let rule = (path.to_owned(), within);
        if !out.contains(&rule) {
            out.push(rule);
        }
    };
    for rule in &field.rules {
        match rule {
            Rule::Unique => add(UniqueWithin::Source),
            Rule::UniqueToUser => add(UniqueWithin::Owner),
            Rule::UniqueWithinResource => add(UniqueWithin::Resource),
            _ => {}
        }
    }
    for rule in &field.rules {
        match rule {
            Rule::Fields(fields) => unique_rules(fields, path, out),
            Rule::Elements(inner) => field_rules(inner, path, out),
            Rule::Items(inner) | Rule::AnyOf(inner) | Rule::AllOf(inner) | Rule::OneOf(inner) | Rule::NoneOf(inner) => {
                inner.iter().for_each(|inner| field_rules(inner, path, out));
            }
            _ => {}
        }
    }
}
