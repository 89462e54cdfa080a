//! Whether the targets of references exist; each value is asked about once.

use std::borrow::Cow;
use std::collections::HashMap;

use bson::Bson;
use shared::store::StoreError;

use super::SurveyError;
use crate::domain::Domain;
use crate::domain::validate::Lookup;
use crate::endpoints::values_at;
use crate::query::{Filter, Find};
use crate::store::DocumentStore;
use crate::store::keys::equality_key;

/// Answers kept: then it begins anew, so that they don't fill the memory.
const MOST: usize = 1_000_000;

#[derive(Default)]
pub struct Relations {
    /// By resource, field and key of the value.
    known: HashMap<(String, String), HashMap<Vec<u8>, bool>>,
}

impl Relations {
    /// Learns the answers to all of `lookups` that are about relations.
    pub async fn ask<'l>(
        &mut self,
        lookups: impl Iterator<Item = &'l Lookup>,
        domain: &Domain,
        documents: &dyn DocumentStore,
    ) -> Result<(), SurveyError> {
        if self.known.values().map(HashMap::len).sum::<usize>() > MOST {
            self.known.clear();
        }
        let mut asked: HashMap<(String, String), HashMap<Vec<u8>, Bson>> = HashMap::new();
        for lookup in lookups {
            let Lookup::Relation { resource, field, value } = lookup else { continue };
            let kind = (resource.clone(), field.clone());
            let value = sought(domain, resource, field, value);
            let key = equality_key(&value)?;
            if !self.known.get(&kind).is_some_and(|known| known.contains_key(&key)) {
                asked.entry(kind).or_default().insert(key, value.into_owned());
            }
        }
        for (kind, values) in asked {
            let (resource, field) = &kind;
            let known = self.known.entry(kind.clone()).or_default();
            known.extend(values.keys().map(|key| (key.clone(), false)));
            let Some(target) = domain.resource(resource) else { continue };
            let filter = Filter::one_of(field, values.into_values()).and(target.datasource.filter.for_operator());
            let find = Find { filter, ..Find::default() };
            for item in documents.find(&target.datasource.source, &find).await?.items {
                let mut found = Vec::new();
                values_at(&item, field, &mut found)?;
                for value in found {
                    if let Some(exists) = known.get_mut(&equality_key(&value)?) {
                        *exists = true;
                    }
                }
            }
        }
        Ok(())
    }

    /// As the store said.
    pub fn exists(&self, domain: &Domain, resource: &str, field: &str, value: &Bson) -> Result<bool, StoreError> {
        let value = &sought(domain, resource, field, value);
        let known = self.known.get(&(resource.to_owned(), field.to_owned()));
        Ok(known.and_then(|known| known.get(&equality_key(value).ok()?)).copied().unwrap_or(false))
    }
}

fn sought<'v>(domain: &Domain, resource: &str, field: &str, value: &'v Bson) -> Cow<'v, Bson> {
    domain.resource(resource).map_or(Cow::Borrowed(value), |target| target.sought(field, value))
}
