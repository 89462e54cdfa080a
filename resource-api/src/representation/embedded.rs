//! References replaced by what they refer to: one query for each field of a whole page (EMB-01 to EMB-09).

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document};

use super::document::Embedded;
use crate::auth::{Caller, Owner};
use crate::domain::{DataRelation, Domain, Method, Resource};
use crate::error::ApiError;
use crate::query::{Embedding, Fields, Filter, Find, Sort, compare};
use crate::store::DocumentStore;

/// Where references are looked up, and for whom.
pub struct Resolver<'a> {
    pub domain: &'a Domain,
    pub documents: &'a dyn DocumentStore,
    pub caller: &'a Caller,
    /// The request is a POST, which sees everybody's documents (EMB-05).
    pub posting: bool,
}

impl Resolver<'_> {
    /// For each document the top-level fields in which something was embedded. `embeddings` are resolved in their order:
    /// each may lead through what those before it have brought (EMB-03).
    pub async fn resolve(
        &self,
        embeddings: &[Embedding],
        documents: &[RawDocumentBuf],
    ) -> Result<Vec<Embedded>, ApiError> {
        let mut pages: Vec<Embedded> = vec![Vec::new(); documents.len()];
        for embedding in embeddings {
            let relation = &embedding.relation;
            let (field, below) = match embedding.path.split_once('.') {
                Some((field, below)) => (field, Some(below)),
                None => (embedding.path.as_str(), None),
            };
            let mut wanted = Wanted::default();
            for (document, page) in documents.iter().zip(&mut pages) {
                if let Some(value) = top_level(document, field, page)? {
                    visit(value, below, &mut |leaf| wanted.note(leaf, relation));
                }
            }
            let mut found = Vec::with_capacity(wanted.0.len());
            for (resource, field, values) in wanted.0 {
                let targets = self.targets(&resource, &field, values).await?;
                found.push((resource, targets));
            }
            for (_, value) in pages.iter_mut().flatten().filter(|(name, _)| name == field) {
                visit(value, below, &mut |leaf| {
                    let reference = std::mem::replace(leaf, Bson::Null);
                    *leaf = embed(reference, relation, &found).unwrap_or(Bson::Null);
                });
            }
        }
        Ok(pages)
    }

    /// EMB-05: as read through the target resource.
    async fn targets(&self, resource: &str, field: &str, values: Vec<Bson>) -> Result<Targets, ApiError> {
        let Some(resource) = self.domain.resource(resource) else { return Ok(Targets(Vec::new())) };
        let mut filter = Filter::one_of(field, values).and(resource.datasource.filter.clone());
        if let Some(owner) = self.owner(resource) {
            filter = filter.and(owner.filter());
        }
        let find = Find { filter, sort: Sort::new(), skip: 0, limit: None, count: false };
        let found = self.documents.find(&resource.datasource.source, &find).await?;
        let fields = Fields::of(resource, &self.domain.settings);
        let mut targets = Vec::with_capacity(found.items.len());
        for item in &found.items {
            let mut document = Document::try_from(item)?;
            let Some(value) = document.get(field).cloned() else { continue };
            fields.apply(&mut document);
            if let Some(field) = resource.auth_field.as_ref().filter(|field| !resource.schema.contains_key(*field)) {
                document.remove(field);
            }
            targets.push((value, document));
        }
        // Stable: of several documents with one value the first stays the first.
        targets.sort_by(|(one, _), (two, _)| compare(one, two));
        Ok(Targets(targets))
    }

    fn owner(&self, resource: &Resource) -> Option<Owner> {
        let public = resource.public_item_methods.contains(&Method::Get);
        let field = resource.auth_field.as_ref().filter(|_| !self.posting && !public)?;
        let value = self.caller.token.as_ref()?.owner.clone()?;
        Some(Owner { field: field.clone(), value })
    }
}

/// What references lead to: resource, field and values.
#[derive(Default)]
struct Wanted(Vec<(String, String, Vec<Bson>)>);

impl Wanted {
    fn note(&mut self, leaf: &Bson, relation: &DataRelation) {
        if let Bson::Array(items) = leaf {
            return items.iter().for_each(|item| self.note(item, relation));
        }
        let Some((resource, field, value)) = meaning(leaf, relation) else { return };
        match self.0.iter_mut().find(|(known, _, _)| known == resource) {
            Some((_, _, values)) => values.push(value.clone()),
            None => self.0.push((resource.to_owned(), field.to_owned(), vec![value.clone()])),
        }
    }
}

/// Documents in the order of the values that refer to them.
struct Targets(Vec<(Bson, Document)>);

impl Targets {
    fn get(&self, value: &Bson) -> Option<&Document> {
        let place = self.0.partition_point(|(known, _)| compare(known, value).is_lt());
        self.0.get(place).filter(|(known, _)| compare(known, value).is_eq()).map(|(_, document)| document)
    }
}

/// The resource, field and value a reference means. `None`: it is none, or embedded already.
fn meaning<'a>(value: &'a Bson, relation: &'a DataRelation) -> Option<(&'a str, &'a str, &'a Bson)> {
    match value {
        Bson::Null | Bson::Array(_) => None,
        // EMB-08.
        Bson::Document(reference) => Some((reference.get_str("$ref").ok()?, "_id", reference.get("$id")?)),
        value => Some((&relation.resource, &relation.field, value)),
    }
}

/// EMB-04: what is missing is null, or left out of its list; a list keeps its order.
fn embed(value: Bson, relation: &DataRelation, found: &[(String, Targets)]) -> Option<Bson> {
    if let Bson::Array(items) = value {
        return Some(Bson::Array(items.into_iter().filter_map(|item| embed(item, relation, found)).collect()));
    }
    match meaning(&value, relation) {
        Some((resource, _, key)) => {
            let (_, targets) = found.iter().find(|(known, _)| known == resource)?;
            targets.get(key).cloned().map(Bson::Document)
        }
        None => Some(value).filter(|value| *value != Bson::Null),
    }
}

/// A top-level value, decoded into the page's list when it is first needed.
fn top_level<'p>(
    document: &RawDocument,
    field: &str,
    page: &'p mut Embedded,
) -> Result<Option<&'p mut Bson>, bson::error::Error> {
    let place = match page.iter().position(|(name, _)| name == field) {
        Some(place) => place,
        None => {
            let Some(value) = document.get(field)? else { return Ok(None) };
            page.push((field.to_owned(), Bson::try_from(value)?));
            page.len() - 1
        }
    };
    Ok(page.get_mut(place).map(|(_, value)| value))
}

/// Calls `act` for each value at the path below, through documents and lists.
fn visit(value: &mut Bson, below: Option<&str>, act: &mut dyn FnMut(&mut Bson)) {
    let Some(path) = below else { return act(value) };
    match value {
        Bson::Document(document) => {
            let (name, rest) = match path.split_once('.') {
                Some((name, rest)) => (name, Some(rest)),
                None => (path, None),
            };
            if let Some(inner) = document.get_mut(name) {
                visit(inner, rest, act);
            }
        }
        Bson::Array(items) => items.iter_mut().for_each(|item| visit(item, below, act)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{bson, doc};

    /// EMB-03, EMB-04, EMB-08: through lists of documents, the order kept, what is missing dropped or null.
    #[test]
    fn references_in_lists_keep_their_order_and_lose_the_missing() {
        let relation =
            DataRelation { resource: "people".into(), field: "_id".into(), embeddable: true, version: false };
        let targets = Targets(vec![(bson!(1), doc! { "_id": 1 }), (bson!(2), doc! { "_id": 2 })]);
        let found = [("people".to_owned(), targets)];
        let mut value = bson!([{ "members": [2, 9, 1, null] }, { "members": 9 }, { "other": 1 }, 5]);
        let mut wanted = Wanted::default();
        visit(&mut value, Some("members"), &mut |leaf| wanted.note(leaf, &relation));
        assert_eq!(wanted.0, [("people".to_owned(), "_id".to_owned(), vec![bson!(2), bson!(9), bson!(1), bson!(9)])]);
        visit(&mut value, Some("members"), &mut |leaf| {
            *leaf = embed(std::mem::replace(leaf, Bson::Null), &relation, &found).unwrap_or(Bson::Null);
        });
        assert_eq!(value, bson!([{ "members": [{ "_id": 2 }, { "_id": 1 }] }, { "members": null }, { "other": 1 }, 5]));
        let reference = bson!({ "$ref": "people", "$id": 2 });
        assert_eq!(embed(reference, &relation, &found), Some(bson!({ "_id": 2 })));
    }
}
