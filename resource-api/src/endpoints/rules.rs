//! Validation's questions to the store, asked for all documents of a request at once (VAL-43 to VAL-45).

use std::borrow::Cow;
use std::collections::HashMap;

use bson::raw::{RawArray, RawBsonRef, RawDocument};
use bson::{Bson, Document};

use crate::app::App;
use crate::auth::{AuthError, Caller, Owner};
use crate::domain::validate::{Issues, Lookup, UniqueWithin, Validation};
use crate::domain::{AllowUnknown, Field, Index, Resource, Rule, Schema, python_text};
use crate::error::ApiError;
use crate::query::{Filter, Find, Test, compare};
use crate::store::Write;

/// Values in one query at most.
const VALUES: usize = 1000;

/// A kind of question, whose values are asked about together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Unique { path: String, within: UniqueWithin },
    Relation { resource: String, field: String },
}

/// Who asks about what.
pub struct Questions<'a> {
    pub app: &'a App,
    pub resource: &'a Resource,
    pub caller: &'a Caller,
    /// The stored document that is being changed; it is no duplicate of itself.
    pub original: Option<&'a Document>,
    /// VAL-45: references lead only to what the caller sees. So it is for all writes but POST.
    pub seen_only: bool,
    /// Values that an index keeps apart are not looked for: the commit tells.
    pub trusting: bool,
}

/// A document as it is to be stored, and what must still be so when it is.
#[derive(Debug, Default)]
pub struct Settled {
    pub document: Document,
    /// Its values that have to be the only ones, though no index sees to it.
    pub vacancies: Vec<Vacancy>,
}

#[derive(Debug, Clone)]
pub struct Vacancy {
    path: String,
    value: Bson,
    within: UniqueWithin,
}

impl Questions<'_> {
    /// Each document as it is to be stored, or what is wrong with it.
    pub async fn settle(&self, validations: Vec<Validation>) -> Result<Vec<Result<Settled, Issues>>, ApiError> {
        let mut asked: HashMap<Kind, Vec<Bson>> = HashMap::new();
        let asks = |lookup: &&Lookup| !(self.trusting && self.is_kept_apart(lookup));
        for lookup in validations.iter().flat_map(Validation::lookups).filter(asks) {
            let (kind, value) = self.question(lookup);
            asked.entry(kind).or_default().push(value.into_owned());
        }
        let mut known: HashMap<Kind, Vec<Bson>> = HashMap::with_capacity(asked.len());
        for (kind, mut values) in asked {
            values.sort_by(compare);
            values.dedup_by(|one, other| compare(one, other).is_eq());
            let mut stored = Vec::new();
            // Null by itself: what a document has that lacks the field can't be told from what it was found by.
            let alone = values.chunk_by(|one, other| *one != Bson::Null && *other != Bson::Null);
            for values in alone.flat_map(|values| values.chunks(VALUES)) {
                self.ask(&kind, values, &mut stored).await?;
            }
            stored.sort_by(compare);
            known.insert(kind, stored);
        }
        let settle = |validation: Validation| {
            let failed: Vec<bool> = validation
                .lookups()
                .iter()
                .map(|lookup| {
                    let (kind, value) = self.question(lookup);
                    let stored = known
                        .get(&kind)
                        .is_some_and(|stored| stored.binary_search_by(|known| compare(known, &value)).is_ok());
                    // A duplicate fails where it is stored, a reference where it is not.
                    stored == matches!(lookup, Lookup::Unique { .. })
                })
                .collect();
            let vacant = validation.lookups().iter().zip(&failed).filter(|(_, failed)| !**failed);
            let vacancies = vacant.filter_map(|(lookup, _)| self.vacancy(lookup)).collect();
            validation.finish(&failed).map(|document| Settled { document, vacancies })
        };
        Ok(validations.into_iter().map(settle).collect())
    }

    /// Adds those of `values` that are stored.
    async fn ask(&self, kind: &Kind, values: &[Bson], stored: &mut Vec<Bson>) -> Result<(), ApiError> {
        let domain = &self.app.domain;
        let (source, path, filter) = match kind {
            Kind::Unique { path, within } => {
                (self.resource.datasource.source.as_str(), path, self.unique(path, *within, values))
            }
            Kind::Relation { resource, field } => {
                let Some(target) = domain.resource(resource) else { return Ok(()) };
                let datasource = target.filter_for(self.caller.claims(), &domain.settings.date_format);
                let (Some(datasource), Ok(owner)) = (datasource, self.owner_in(target)) else {
                    // Whoever owns nothing sees nothing.
                    return Ok(());
                };
                let filter = Filter::one_of(field, values.iter().cloned()).and(datasource);
                let filter = owner.iter().fold(filter, |filter, owner| filter.and(owner.filter()));
                (target.datasource.source.as_str(), field, filter)
            }
        };
        if let (Kind::Relation { .. }, "_id", [value]) = (kind, path.as_str(), values) {
            // The hot path of a POST with one reference.
            let found = self.app.documents_of(self.caller).get(source, value, &filter).await?;
            stored.extend(found.map(|_| value.clone()));
            return Ok(());
        }
        // Of one value the first document says all.
        let limit = (values.len() == 1).then_some(1);
        let find = Find { filter, limit, ..Find::default() };
        let found = self.app.documents_of(self.caller).find(source, &find).await?.items;
        if let (Kind::Unique { .. }, [Bson::Null]) = (kind, values) {
            // VAL-43: to a query, null is also the value of a document that lacks the field.
            stored.extend(found.first().map(|_| Bson::Null));
            return Ok(());
        }
        for item in found {
            values_at(&item, path, stored)?;
        }
        Ok(())
    }

    fn unique(&self, path: &str, within: UniqueWithin, values: &[Bson]) -> Filter {
        Filter::one_of(path, values.iter().cloned()).and(self.among(within))
    }

    /// The other documents among which a value must be the only one.
    fn among(&self, within: UniqueWithin) -> Filter {
        let (resource, caller) = (self.resource, self.caller);
        let filter = match (within, &caller.owner) {
            (UniqueWithin::Owner, Some(owner)) => owner.filter(),
            // To whom nothing is shown, everything may be a duplicate.
            (UniqueWithin::Resource, _) => {
                let dates = &self.app.domain.settings.date_format;
                resource.filter_for(caller.claims(), dates).unwrap_or_default()
            }
            _ => Filter::All,
        };
        match self.original.and_then(|original| original.get(&resource.id_field)) {
            Some(id) => filter.and(Filter::field(&resource.id_field, Test::Ne(id.clone()))),
            None => filter,
        }
    }

    /// What to ask about, and the value to find.
    fn question<'l>(&self, lookup: &'l Lookup) -> (Kind, Cow<'l, Bson>) {
        match lookup {
            Lookup::Unique { path, value, within } => {
                (Kind::Unique { path: path.clone(), within: *within }, Cow::Borrowed(value))
            }
            Lookup::Relation { resource, field, value } => {
                let target = self.app.domain.resource(resource);
                let value = target.map_or(Cow::Borrowed(value), |target| target.sought(field, value));
                (Kind::Relation { resource: resource.clone(), field: field.clone() }, value)
            }
        }
    }

    /// What the commit has to look at again, as nothing else would.
    fn vacancy(&self, lookup: &Lookup) -> Option<Vacancy> {
        let Lookup::Unique { path, value, within } = lookup else { return None };
        let vacancy = || Vacancy { path: path.clone(), value: value.clone(), within: *within };
        (!self.is_kept_apart(lookup)).then(vacancy)
    }

    /// Whether a value is unique by an index, which says nothing about lists as a whole, about null, which is also the value
    /// of what is missing, and about parts of a collection.
    fn is_kept_apart(&self, lookup: &Lookup) -> bool {
        let Lookup::Unique { path, value, within } = lookup else { return false };
        let owner = match within {
            UniqueWithin::Owner => self.caller.owner.as_ref().map(|owner| owner.field.as_str()),
            _ => None,
        };
        !matches!(value, Bson::Null | Bson::Array(_))
            && *within != UniqueWithin::Resource
            && self.resource.indexes.iter().any(|index| index.keeps_apart(path, owner))
    }

    /// The write that fails unless the value is still free.
    pub fn still_vacant(&self, vacancy: &Vacancy) -> Write {
        let Vacancy { path, value, within } = vacancy.clone();
        let source = self.resource.datasource.source.clone();
        Write::Vacant { source, path, value, filter: self.among(within) }
    }

    fn owner_in(&self, target: &Resource) -> Result<Option<Owner>, AuthError> {
        if self.seen_only { self.app.gate.owner_seen(self.caller, target) } else { Ok(None) }
    }
}

impl Vacancy {
    pub fn issues(&self) -> Issues {
        Issues::at(&self.path, &format!("value '{}' is not unique", python_text::str(&self.value)))
    }
}

/// Whether a document of the resource may need a vacancy: then a lost race is decided by a second look.
pub fn may_need_vacancies(resource: &Resource) -> bool {
    needs_vacancies(&resource.schema, true)
}

/// `plain`: an index reaches these fields.
fn needs_vacancies(schema: &Schema, plain: bool) -> bool {
    schema.values().any(|field| field_needs_vacancies(field, plain))
}

fn field_needs_vacancies(field: &Field, plain: bool) -> bool {
    field.rules.iter().any(|rule| match rule {
        Rule::Unique => !plain || field.nullable() || field.may_be_list(),
        Rule::UniqueToUser | Rule::UniqueWithinResource => true,
        Rule::Fields(fields) => needs_vacancies(fields, plain),
        Rule::Elements(element) => field_needs_vacancies(element, plain),
        Rule::Items(fields)
        | Rule::AnyOf(fields)
        | Rule::AllOf(fields)
        | Rule::OneOf(fields)
        | Rule::NoneOf(fields) => fields.iter().any(|field| field_needs_vacancies(field, false)),
        Rule::KeysRules(field) | Rule::ValuesRules(field) | Rule::AllowUnknown(AllowUnknown::Rules(field)) => {
            field_needs_vacancies(field, false)
        }
        _ => false,
    })
}

/// The issue of a value that somebody else stored after it was looked for, where a rule of the schema makes it unique.
/// `field` is the first path of the violated index.
pub fn late_duplicate(resource: &Resource, field: &str, document: &Document) -> Option<Issues> {
    let made_by_rule = |index: &&Index| index.unique && !index.options.contains_key("unique");
    let first = |index: &&Index| index.keys.first().is_some_and(|(path, _)| path == field);
    let (path, _) = resource.indexes.iter().filter(made_by_rule).find(first)?.keys.first()?;
    let value = path.split('.').try_fold(Bson::Document(document.clone()), |value, name| match value {
        Bson::Document(mut inner) => inner.remove(name),
        _ => None,
    });
    let text = value.map_or_else(|| "?".to_owned(), |value| python_text::str(&value));
    Some(Issues::at(path, &format!("value '{text}' is not unique")))
}

/// The values a query at this path would meet: through documents and lists, a list itself and what is in it.
pub fn values_at(document: &RawDocument, path: &str, out: &mut Vec<Bson>) -> Result<(), bson::error::Error> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    match (document.get(name)?, rest) {
        (None, _) => Ok(()),
        (Some(RawBsonRef::Document(inner)), Some(rest)) => values_at(inner, rest, out),
        (Some(RawBsonRef::Array(items)), Some(rest)) => values_in(items, rest, out),
        (Some(_), Some(_)) => Ok(()),
        (Some(value), None) => {
            if let RawBsonRef::Array(items) = value {
                for item in items {
                    out.push(Bson::try_from(item?)?);
                }
            }
            out.push(Bson::try_from(value)?);
            Ok(())
        }
    }
}

fn values_in(items: &RawArray, path: &str, out: &mut Vec<Bson>) -> Result<(), bson::error::Error> {
    for item in items {
        if let RawBsonRef::Document(inner) = item? {
            values_at(inner, path, out)?;
        }
    }
    Ok(())
}
