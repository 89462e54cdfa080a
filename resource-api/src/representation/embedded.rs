//! References replaced by what they refer to: one query for each field of a whole page (EMB-01 to EMB-09).

use std::borrow::{Borrow, Cow};

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document};

use super::document::Embedded;
use crate::auth::{Caller, Gate, Place};
use crate::domain::{DataRelation, Domain, Method, Resource};
use crate::error::ApiError;
use crate::query::{Embedding, Fields, Filter, Find, QueryError, compare};
use crate::store::DocumentStore;

/// Documents embedded in one response at most. Lists of references in lists of references multiply.
const DOCUMENT_LIMIT: usize = 10_000;
/// Their bytes, as stored.
const BYTE_LIMIT: usize = 4 << 20;
/// Values in one query at most.
const VALUES: usize = 500;

/// Where references are looked up, and for whom.
pub struct Resolver<'a> {
    pub domain: &'a Domain,
    pub documents: &'a dyn DocumentStore,
    pub gate: &'a Gate,
    pub caller: &'a Caller,
    /// What of the referring documents is shown.
    pub fields: &'a Fields,
}

impl Resolver<'_> {
    /// For each document the top-level fields in which something was embedded, as far as they are shown. `embeddings` are
    /// resolved in their order: each may lead through what those before it have brought (EMB-03).
    pub async fn resolve(
        &self,
        embeddings: &[Embedding],
        documents: &[impl Borrow<RawDocumentBuf>],
    ) -> Result<Vec<Embedded>, ApiError> {
        let mut pages: Vec<Embedded> = vec![Vec::new(); documents.len()];
        let mut budget = Budget { documents: DOCUMENT_LIMIT, bytes: BYTE_LIMIT };
        for embedding in embeddings {
            let relation = &embedding.relation;
            let Some((target, seen)) = self.readable(relation) else { continue };
            let (field, below) = match embedding.path.split_once('.') {
                Some((field, below)) => (field, Some(below)),
                None => (embedding.path.as_str(), None),
            };
            let mut wanted = Wanted::default();
            for (document, page) in documents.iter().zip(&mut pages) {
                if let Some(value) = self.top_level(document.borrow(), field, page)? {
                    visit(value, below, &mut |leaf| {
                        wanted.note(leaf, relation, target);
                        Ok(())
                    })?;
                }
            }
            let mut found = Vec::with_capacity(wanted.0.len());
            for (field, values) in wanted.0 {
                let targets = self.targets(target, &seen, field, values, budget).await?;
                found.push((field, targets));
            }
            for (_, value) in pages.iter_mut().flatten().filter(|(name, _)| name == field) {
                visit(value, below, &mut |leaf| {
                    let reference = std::mem::replace(leaf, Bson::Null);
                    *leaf = embed(reference, relation, target, &found, &mut budget)?.unwrap_or(Bson::Null);
                    Ok(())
                })?;
            }
        }
        Ok(pages)
    }

    /// The resource that references lead to, and whose documents of it the caller sees. `None`: a GET would be refused
    /// there, so that references to it stay what they are.
    fn readable(&self, relation: &DataRelation) -> Option<(&Resource, Filter)> {
        let target = self.domain.resource(&relation.resource)?;
        if !self.gate.permits(self.caller, Method::Get, Place::Item(target)) {
            return None;
        }
        let datasource = target.filter_for(self.caller.claims(), &self.domain.settings.date_format)?;
        let owner = self.gate.owner_seen(self.caller, target).ok()?;
        Some((target, owner.iter().fold(datasource, |filter, owner| filter.and(owner.filter()))))
    }

    /// EMB-05: as read through the target resource.
    async fn targets(
        &self,
        resource: &Resource,
        seen: &Filter,
        field: &str,
        mut values: Vec<Bson>,
        budget: Budget,
    ) -> Result<Targets, ApiError> {
        values.sort_by(compare);
        values.dedup_by(|one, other| compare(one, other).is_eq());
        let fields = Fields::of(resource, &self.domain.settings);
        let mut targets = Vec::with_capacity(values.len());
        let mut left = budget;
        for values in values.chunks(VALUES) {
            let filter = Filter::one_of(field, values.iter().cloned()).and(seen.clone());
            let limit = u64::try_from(left.documents).unwrap_or(u64::MAX).saturating_add(1);
            let find = Find { filter, limit: Some(limit), ..Find::default() };
            for item in &self.documents.find(&resource.datasource.source, &find).await?.items {
                let bytes = item.as_bytes().len();
                left.spend(bytes)?;
                let mut document = Document::try_from(item)?;
                let Some(value) = document.get(field).cloned() else { continue };
                fields.apply(&mut document);
                if let Some(field) = resource.auth_field.as_ref().filter(|field| !resource.schema.contains_key(*field))
                {
                    document.remove(field);
                }
                targets.push(Embeddable { value, document, bytes });
            }
        }
        // Stable: of several documents with one value the first stays the first.
        targets.sort_by(|one, two| compare(&one.value, &two.value));
        Ok(Targets(targets))
    }

    /// The shown part of a top-level value, decoded into the page's list when it is first needed.
    fn top_level<'p>(
        &self,
        document: &RawDocument,
        field: &str,
        page: &'p mut Embedded,
    ) -> Result<Option<&'p mut Bson>, bson::error::Error> {
        let place = match page.iter().position(|(name, _)| name == field) {
            Some(place) => place,
            None => {
                let Some(shown) = self.fields.cut().field(field) else { return Ok(None) };
                let Some(value) = document.get(field)? else { return Ok(None) };
                let Some(value) = shown.value(Bson::try_from(value)?) else { return Ok(None) };
                page.push((field.to_owned(), value));
                page.len() - 1
            }
        };
        Ok(page.get_mut(place).map(|(_, value)| value))
    }
}

/// What one response may still bear.
#[derive(Debug, Clone, Copy)]
struct Budget {
    documents: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), QueryError> {
        match (self.documents.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(documents), Some(bytes)) => {
                *self = Self { documents, bytes };
                Ok(())
            }
            _ => Err(QueryError::EmbeddedTooLarge { documents: DOCUMENT_LIMIT, bytes: BYTE_LIMIT }),
        }
    }
}

/// What references lead to: field of the target and values.
#[derive(Default)]
struct Wanted<'r>(Vec<(&'r str, Vec<Bson>)>);

impl<'r> Wanted<'r> {
    fn note(&mut self, leaf: &Bson, relation: &'r DataRelation, target: &Resource) {
        if let Bson::Array(items) = leaf {
            return items.iter().for_each(|item| self.note(item, relation, target));
        }
        let Some((field, value)) = meaning(leaf, relation, target) else { return };
        let value = value.into_owned();
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, values)) => values.push(value),
            None => self.0.push((field, vec![value])),
        }
    }
}

/// Documents in the order of the values that refer to them.
struct Targets(Vec<Embeddable>);

struct Embeddable {
    value: Bson,
    document: Document,
    /// As stored.
    bytes: usize,
}

impl Targets {
    fn get(&self, value: &Bson) -> Option<&Embeddable> {
        let place = self.0.partition_point(|known| compare(&known.value, value).is_lt());
        self.0.get(place).filter(|known| compare(&known.value, value).is_eq())
    }
}

/// The field and value of the target that a reference means. `None`: it is none, leads elsewhere, or is embedded already.
fn meaning<'v, 'r>(value: &'v Bson, relation: &'r DataRelation, target: &Resource) -> Option<(&'r str, Cow<'v, Bson>)> {
    match value {
        Bson::Null | Bson::Array(_) => None,
        // EMB-08, but a client's value opens no resource that the domain does not name.
        Bson::Document(reference) if reference.get_str("$ref").is_ok_and(|name| name == relation.resource) => {
            Some(("_id", Cow::Borrowed(reference.get("$id")?)))
        }
        Bson::Document(_) => None,
        value => Some((&relation.field, target.sought(&relation.field, value))),
    }
}

/// EMB-04: what is missing is null, or left out of its list; a list keeps its order.
fn embed(
    value: Bson,
    relation: &DataRelation,
    target: &Resource,
    found: &[(&str, Targets)],
    budget: &mut Budget,
) -> Result<Option<Bson>, QueryError> {
    if let Bson::Array(items) = value {
        let items = items.into_iter().filter_map(|item| embed(item, relation, target, found, budget).transpose());
        return items.collect::<Result<_, _>>().map(|items| Some(Bson::Array(items)));
    }
    let Some((field, key)) = meaning(&value, relation, target) else {
        return Ok(Some(value).filter(|value| *value != Bson::Null));
    };
    let Some((_, targets)) = found.iter().find(|(known, _)| *known == field) else { return Ok(None) };
    let Some(found) = targets.get(&key) else { return Ok(None) };
    budget.spend(found.bytes)?;
    Ok(Some(Bson::Document(found.document.clone())))
}

/// Calls `act` for each value at the path below, through documents and lists.
fn visit(
    value: &mut Bson,
    below: Option<&str>,
    act: &mut dyn FnMut(&mut Bson) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let Some(path) = below else { return act(value) };
    match value {
        Bson::Document(document) => {
            let (name, rest) = match path.split_once('.') {
                Some((name, rest)) => (name, Some(rest)),
                None => (path, None),
            };
            document.get_mut(name).map_or(Ok(()), |inner| visit(inner, rest, act))
        }
        Bson::Array(items) => items.iter_mut().try_for_each(|item| visit(item, below, act)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bson::{bson, doc};

    use crate::domain::{Format, parse};

    fn relation() -> DataRelation {
        DataRelation { resource: "people".into(), field: "_id".into(), embeddable: true, version: false }
    }

    fn people() -> Domain {
        let ids = r#"{"DOMAIN": {"people": {"schema": {"_id": {"type": ["integer", "objectid"]}}}}}"#;
        parse(Format::Json, ids).unwrap()
    }

    fn person(id: i32) -> Embeddable {
        Embeddable { value: bson!(id), document: doc! { "_id": id }, bytes: 10 }
    }

    /// EMB-03, EMB-04, EMB-08: through lists of documents, the order kept, what is missing dropped or null.
    #[test]
    fn references_in_lists_keep_their_order_and_lose_the_missing() {
        let (relation, domain) = (relation(), people());
        let target = domain.resource("people").unwrap();
        let found = [("_id", Targets(vec![person(1), person(2)]))];
        let mut budget = Budget { documents: 10, bytes: 100 };
        let mut value = bson!([{ "members": [2, 9, 1, null] }, { "members": 9 }, { "other": 1 }, 5]);
        let mut wanted = Wanted::default();
        visit(&mut value, Some("members"), &mut |leaf| {
            wanted.note(leaf, &relation, target);
            Ok(())
        })
        .unwrap();
        assert_eq!(wanted.0, [("_id", vec![bson!(2), bson!(9), bson!(1), bson!(9)])]);
        visit(&mut value, Some("members"), &mut |leaf| {
            let reference = std::mem::replace(leaf, Bson::Null);
            *leaf = embed(reference, &relation, target, &found, &mut budget)?.unwrap_or(Bson::Null);
            Ok(())
        })
        .unwrap();
        assert_eq!(value, bson!([{ "members": [{ "_id": 2 }, { "_id": 1 }] }, { "members": null }, { "other": 1 }, 5]));
        let reference = bson!({ "$ref": "people", "$id": 2 });
        assert_eq!(embed(reference, &relation, target, &found, &mut budget), Ok(Some(bson!({ "_id": 2 }))));
        let elsewhere = bson!({ "$ref": "secrets", "$id": 2 });
        assert_eq!(embed(elsewhere.clone(), &relation, target, &found, &mut budget), Ok(Some(elsewhere)));
    }

    /// A response bears so many documents and so many bytes.
    #[test]
    fn embedding_ends_with_the_budget_of_the_response() {
        let domain = people();
        let target = domain.resource("people").unwrap();
        let found = [("_id", Targets(vec![person(1)]))];
        for mut budget in [Budget { documents: 2, bytes: 100 }, Budget { documents: 100, bytes: 29 }] {
            assert!(embed(bson!([1, 1]), &relation(), target, &found, &mut budget).is_ok());
            assert!(embed(bson!(1), &relation(), target, &found, &mut budget).is_err());
        }
    }
}
