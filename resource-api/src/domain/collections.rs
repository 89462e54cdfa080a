//! The collections a domain needs, and their indexes: those it asks for, those without which a look-up of every request
//! would be a scan, and the service's own.

use std::borrow::Cow;

use bson::{Bson, doc};
use indexmap::IndexMap;

use super::schema::{Field, Rule, Schema};
use super::{Domain, Index, IndexDirection, Resource, connections};

/// What the names of the service's own collections begin with.
pub const OWN: &str = "evergate_";
/// Where the answers to writes with an `Idempotency-Key` are kept until their `expires`.
pub const IDEMPOTENCY: &str = "evergate_idempotency";

/// The indexes of each, by name.
pub type Collections<'d> = IndexMap<Cow<'d, str>, Vec<Index>>;

impl Domain {
    /// Each collection once, though several resources may share it (DS-01), with every index that it should have.
    pub fn collections(&self) -> Collections<'_> {
        let mut collections = Collections::new();
        for resource in self.resources.values() {
            let indexes = collections.entry(Cow::Borrowed(&resource.datasource.source)).or_default();
            for index in &resource.indexes {
                if !indexes.contains(index) {
                    indexes.push(index.clone());
                }
            }
        }
        let mut looked_up: Vec<(&Resource, String)> = Vec::new();
        for resource in self.resources.values() {
            let lookup = resource.additional_lookup.as_ref().map(|lookup| &lookup.field);
            for field in [Some(&resource.id_field), Some(&resource.item_lookup_field), lookup].into_iter().flatten() {
                looked_up.push((resource, field.clone()));
            }
            self.in_schema(resource, &resource.schema, "", &mut looked_up);
        }
        for (resource, field) in looked_up {
            let indexes = collections.entry(Cow::Borrowed(&resource.datasource.source)).or_default();
            if field != "_id" && !indexes.iter().any(|index| index.finds(&field)) {
                indexes.push(Index::of_field(&field));
            }
        }
        let expires = Index {
            options: doc! { "expireAfterSeconds": 0 },
            name: "expires".to_owned(),
            ..Index::of_field("expires")
        };
        let others = self.connections.named.keys().map(|prefix| Cow::Owned(connections::at(prefix, IDEMPOTENCY)));
        for source in [Cow::Borrowed(IDEMPOTENCY)].into_iter().chain(others) {
            collections.entry(source).or_default().push(expires.clone());
        }
        collections
    }

    /// The same whatever the connection, for who has one store before him and not the others.
    pub fn collections_anywhere(&self) -> Collections<'static> {
        let mut anywhere = Collections::new();
        for (source, indexes) in self.collections() {
            let known = anywhere.entry(Cow::Owned(connections::parts(&source).1.to_owned())).or_default();
            known.extend(indexes.into_iter().filter(|index| !known.contains(index)).collect::<Vec<_>>());
        }
        anywhere
    }

    /// What validation asks the store: the paths of all unique rules, also within alternatives, and what references lead
    /// to. Paths below keys that only the document knows are none.
    fn in_schema<'d>(
        &'d self,
        resource: &'d Resource,
        schema: &Schema,
        above: &str,
        out: &mut Vec<(&'d Resource, String)>,
    ) {
        for (name, field) in schema {
            self.in_field(resource, field, &format!("{above}{name}"), out);
        }
    }

    fn in_field<'d>(
        &'d self,
        resource: &'d Resource,
        field: &Field,
        path: &str,
        out: &mut Vec<(&'d Resource, String)>,
    ) {
        for rule in &field.rules {
            match rule {
                Rule::Unique | Rule::UniqueToUser | Rule::UniqueWithinResource => out.push((resource, path.to_owned())),
                Rule::DataRelation(relation) => {
                    if let Some(target) = self.resource(&relation.resource) {
                        out.push((target, relation.field.clone()));
                    }
                }
                Rule::Fields(fields) => self.in_schema(resource, fields, &format!("{path}."), out),
                Rule::Elements(element) => self.in_field(resource, element, path, out),
                Rule::Items(fields) | Rule::AnyOf(fields) | Rule::AllOf(fields) | Rule::OneOf(fields) => {
                    fields.iter().for_each(|field| self.in_field(resource, field, path, out));
                }
                _ => {}
            }
        }
    }
}

impl Index {
    /// Not asked for by the domain file.
    fn of_field(field: &str) -> Self {
        Self {
            name: format!("look_up_{field}"),
            keys: vec![(field.to_owned(), IndexDirection::Ascending)],
            unique: false,
            sparse: false,
            options: bson::Document::new(),
        }
    }

    /// Whether it allows a value at `path`, other than null and lists, only once, or once for each `owner`.
    pub fn keeps_apart(&self, path: &str, owner: Option<&str>) -> bool {
        let paths = self.keys.iter().map(|(key, _)| key.as_str());
        let partial = match self.options.get("partialFilterExpression") {
            Some(Bson::Document(filter)) => *filter != doc! { path: { "$exists": true } },
            _ => false,
        };
        self.unique && !partial && !self.options.contains_key("collation") && paths.eq([path].into_iter().chain(owner))
    }

    /// Whether every document with a value of `field` can be found by it.
    fn finds(&self, field: &str) -> bool {
        let whole = match self.options.get("partialFilterExpression") {
            Some(Bson::Document(filter)) => *filter == doc! { field: { "$exists": true } },
            _ => true,
        };
        let first = self.keys.first();
        whole
            && first.is_some_and(|(path, direction)| {
                path == field && !matches!(direction, IndexDirection::Special(kind) if kind != "hashed")
            })
    }
}
