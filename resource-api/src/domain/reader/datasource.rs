//! Where a resource's documents lie: source, filter, projection, order and indexes (CFG-13, CFG-14, CFG-19).

use bson::{Bson, Document, doc};
use indexmap::IndexMap;

use super::resource::Context;
use super::section::Section;
use crate::domain::{Datasource, DatasourceFilter, DateFormat, Index, IndexDirection, OWN, Rule, Schema};
use crate::query::{Direction, Filter, Sort};

/// The `datasource` of a resource.
pub fn read(
    key: &str,
    section: &Section<'_>,
    schema: &Schema,
    id_field: &str,
    allow_unknown: bool,
    context: &Context<'_>,
) -> Datasource {
    let empty = Document::new();
    let written = section.document("datasource").unwrap_or(&empty);
    let inner = Section::new(section.resource, "datasource.", written, section.report);
    if !matches!(inner.get("aggregation"), None | Some(Bson::Null)) {
        inner.fault("aggregation", "not supported by this version");
    }
    let mut projection = written_projection(&inner);
    if !allow_unknown {
        if !projection.values().any(|shown| *shown) {
            for field in schema.keys() {
                projection.entry(field.clone()).or_insert(true);
            }
        }
        let names = &context.settings.names;
        for automatic in [id_field, &names.last_updated, &names.date_created, &names.etag] {
            projection.insert(automatic.to_owned(), true);
        }
    }
    let source = inner.text("source", key);
    if source.is_empty() || source.contains(['$', '\0']) {
        inner.fault("source", "is no name for a collection");
    }
    if source.starts_with(OWN) {
        inner.fault("source", "is a name for collections of the service itself");
    }
    let filter = filter(&inner, schema, &context.settings.date_format);
    let datasource = Datasource { source, filter, projection, default_sort: default_sort(&inner) };
    inner.finish();
    datasource
}

fn filter(section: &Section<'_>, schema: &Schema, dates: &DateFormat) -> DatasourceFilter {
    let all = DatasourceFilter::Fixed(Filter::All);
    let Some(written) = section.document("filter") else { return all };
    DatasourceFilter::read(written, schema, dates).unwrap_or_else(|error| {
        section.fault("filter", error.to_string());
        all
    })
}

fn written_projection(section: &Section<'_>) -> IndexMap<String, bool> {
    let Some(written) = section.document("projection") else { return IndexMap::new() };
    let mut projection = IndexMap::new();
    for (field, value) in written {
        match value {
            Bson::Boolean(shown) => _ = projection.insert(field.clone(), *shown),
            Bson::Int32(0) | Bson::Int64(0) => _ = projection.insert(field.clone(), false),
            Bson::Int32(1) | Bson::Int64(1) => _ = projection.insert(field.clone(), true),
            _ => section.fault("projection", format!("'{field}' must be 0 or 1")),
        }
    }
    projection
}

/// `[["name", 1], ["age", -1]]`, or the same as a mapping.
fn default_sort(section: &Section<'_>) -> Sort {
    let direction = |value: &Bson| match value {
        Bson::Int32(1) | Bson::Int64(1) => Some(Direction::Ascending),
        Bson::Int32(-1) | Bson::Int64(-1) => Some(Direction::Descending),
        _ => None,
    };
    let pair = |value: &Bson| match value.as_array()?.as_slice() {
        [Bson::String(field), value] => Some((field.clone(), direction(value)?)),
        _ => None,
    };
    let sort: Option<Sort> = match section.get("default_sort") {
        None | Some(Bson::Null) => Some(Sort::new()),
        Some(Bson::Array(pairs)) => pairs.iter().map(pair).collect(),
        Some(Bson::Document(members)) => {
            members.iter().map(|(field, value)| Some((field.clone(), direction(value)?))).collect()
        }
        Some(_) => None,
    };
    sort.unwrap_or_else(|| {
        section.fault("default_sort", "must be a list of [field, 1 or -1]");
        Sort::new()
    })
}

/// `mongo_indexes`, then one index for each unique rule that one can enforce, then the id's.
pub fn indexes(section: &Section<'_>, schema: &Schema, id_field: &str, auth_field: Option<&str>) -> Vec<Index> {
    let mut indexes = Vec::new();
    for (name, value) in section.document("mongo_indexes").into_iter().flatten() {
        match index(name, value) {
            Some(index) => indexes.push(index),
            None => section.fault("mongo_indexes", format!("'{name}' must be a list of [field, direction]")),
        }
    }
    unique_rules(schema, "", auth_field, &mut indexes);
    let keeps_ids_apart = |index: &Index| {
        let only_key = matches!(index.keys.as_slice(), [(path, _)] if path == id_field);
        index.unique && only_key && !index.options.contains_key("partialFilterExpression")
    };
    if id_field != "_id" && !indexes.iter().any(keeps_ids_apart) {
        // Otherwise two PUTs of one new document could both create it.
        indexes.push(Index {
            name: format!("id_{id_field}"),
            keys: vec![(id_field.to_owned(), IndexDirection::Ascending)],
            unique: true,
            sparse: true,
            options: doc! { "unique": true, "sparse": true },
        });
    }
    indexes
}

fn index(name: &str, value: &Bson) -> Option<Index> {
    let (keys, options) = match value.as_array()?.as_slice() {
        [Bson::Array(keys), Bson::Document(options)] => (keys.as_slice(), options.clone()),
        keys => (keys, Document::new()),
    };
    if keys.is_empty() {
        return None;
    }
    let on = |option: &str| options.get_bool(option).unwrap_or(false);
    Some(Index {
        name: name.to_owned(),
        keys: keys.iter().map(index_key).collect::<Option<_>>()?,
        unique: on("unique"),
        sparse: on("sparse"),
        options,
    })
}

fn index_key(value: &Bson) -> Option<(String, IndexDirection)> {
    let [Bson::String(field), direction] = value.as_array()?.as_slice() else { return None };
    let direction = match direction {
        Bson::Int32(1) | Bson::Int64(1) => IndexDirection::Ascending,
        Bson::Int32(-1) | Bson::Int64(-1) => IndexDirection::Descending,
        Bson::String(kind) if ["2d", "2dsphere", "text", "hashed"].contains(&kind.as_str()) => {
            IndexDirection::Special(kind.clone())
        }
        _ => return None,
    };
    Some((field.clone(), direction))
}

/// Only what an index means exactly as VAL-43 does: not a whole list, and not a datasource's part of a collection.
fn unique_rules(schema: &Schema, above: &str, auth_field: Option<&str>, indexes: &mut Vec<Index>) {
    for (name, field) in schema {
        let path = format!("{above}{name}");
        unique_rule(field, &path, auth_field, true, indexes);
        let mut field = field;
        while let Some(element) = field.elements() {
            // Lists without elements would be in each other's way.
            unique_rule(element, &path, auth_field, false, indexes);
            field = element;
        }
        if let Some(fields) = field.fields() {
            unique_rules(fields, &format!("{path}."), auth_field, indexes);
        }
    }
}

/// `unique`: whether the index enforces the rule, or only finds what the rule asks about.
fn unique_rule(
    field: &crate::domain::Field,
    path: &str,
    auth_field: Option<&str>,
    unique: bool,
    indexes: &mut Vec<Index>,
) {
    if field.may_be_list() || path == "_id" {
        return;
    }
    let mut add = |owner: Option<&str>| {
        let name = format!("unique_{}", owner.into_iter().chain([path]).collect::<Vec<_>>().join("_"));
        if !indexes.iter().any(|known| known.name == name) {
            // A conflict is told at the first path.
            let paths = [path].into_iter().chain(owner);
            let keys = paths.map(|path| (path.to_owned(), IndexDirection::Ascending)).collect();
            // Every document has an owner, so that none would be left out as sparse.
            let options = match owner {
                Some(_) => doc! { "partialFilterExpression": { path: { "$exists": true } } },
                None => Document::new(),
            };
            indexes.push(Index { name, keys, unique, sparse: owner.is_none(), options });
        }
    };
    for rule in &field.rules {
        match rule {
            Rule::Unique => add(None),
            Rule::UniqueToUser => add(auth_field),
            _ => {}
        }
    }
}
