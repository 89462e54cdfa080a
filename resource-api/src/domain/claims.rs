//! A datasource's filter, which may depend on who asks: `${claim}` in it stands for what his token says (contract 2.4).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bson::{Bson, Document};

use super::{DateFormat, Resource, Schema};
use crate::query::{Filter, FilterError, cast_by_schema, parse_trusted};

/// What a token says beside what every token says, by name: single values and lists of them.
pub type Claims = BTreeMap<String, Bson>;

#[derive(Debug, Clone)]
pub enum DatasourceFilter {
    /// The same for everybody.
    Fixed(Filter),
    ByClaims {
        written: Document,
        /// Those that a token needs.
        names: BTreeSet<String>,
    },
}

impl DatasourceFilter {
    /// From what a domain file says.
    pub fn read(written: &Document, schema: &Schema, dates: &DateFormat) -> Result<Self, FilterError> {
        let mut names = BTreeSet::new();
        let mut sample = written.clone();
        for (key, value) in sample.iter_mut() {
            replace(key, value, &mut |name| {
                names.insert(name.to_owned());
                Some(Cow::Owned(Bson::String(String::new())))
            });
        }
        let filter = understood(sample, schema, dates)?;
        Ok(if names.is_empty() { Self::Fixed(filter) } else { Self::ByClaims { written: written.clone(), names } })
    }

    /// For commands of whoever runs the service, who sees what anybody may see.
    pub fn for_operator(&self) -> Filter {
        match self {
            Self::Fixed(filter) => filter.clone(),
            Self::ByClaims { .. } => Filter::All,
        }
    }

    /// The claims that a token needs.
    pub fn claims(&self) -> impl Iterator<Item = &String> {
        let names = match self {
            Self::Fixed(_) => None,
            Self::ByClaims { names, .. } => Some(names),
        };
        names.into_iter().flatten()
    }
}

impl Resource {
    /// The datasource's filter for a caller. `None`: his token lacks a claim, or there is none.
    pub fn filter_for(&self, claims: Option<&Claims>, dates: &DateFormat) -> Option<Filter> {
        let (written, names) = match &self.datasource.filter {
            DatasourceFilter::Fixed(filter) => return Some(filter.clone()),
            DatasourceFilter::ByClaims { written, names } => (written, names),
        };
        let claims = claims?;
        if !names.iter().all(|name| claims.contains_key(name)) {
            return None;
        }
        let mut filled = written.clone();
        for (key, value) in filled.iter_mut() {
            replace(key, value, &mut |name| claims.get(name).map(Cow::Borrowed));
        }
        understood(filled, &self.schema, dates).ok()
    }
}

fn understood(mut document: Document, schema: &Schema, dates: &DateFormat) -> Result<Filter, FilterError> {
    cast_by_schema(&mut document, schema, dates);
    parse_trusted(&document)
}

/// Puts values in the place of `${name}` at every depth. A text that is nothing else becomes the value itself, and a list
/// of one where the operator above it wants a list.
fn replace<'c>(key: &str, value: &mut Bson, claim: &mut dyn FnMut(&str) -> Option<Cow<'c, Bson>>) {
    match value {
        Bson::Document(members) => members.iter_mut().for_each(|(key, value)| replace(key, value, claim)),
        Bson::Array(items) => items.iter_mut().for_each(|item| replace("", item, claim)),
        Bson::String(text) => {
            let Some(filled) = fill(text, claim) else { return };
            let wants_list = matches!(key, "$in" | "$nin" | "$all") && !matches!(filled, Bson::Array(_));
            *value = if wants_list { Bson::Array(vec![filled]) } else { filled };
        }
        _ => {}
    }
}

/// `None`: nothing stands in for anything here.
fn fill<'c>(text: &str, claim: &mut dyn FnMut(&str) -> Option<Cow<'c, Bson>>) -> Option<Bson> {
    let mut filled = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some((before, open)) = rest.split_once("${") {
        let Some((name, after)) = open.split_once('}') else { break };
        let value = claim(name)?;
        if before.is_empty() && after.is_empty() && !found {
            return Some(value.into_owned());
        }
        filled.push_str(before);
        filled.push_str(&super::python_text::str(&value));
        rest = after;
        found = true;
    }
    found.then(|| Bson::String(filled + rest))
}

/// The claims among `said` that are values a document can have, of those that are `wanted`. Mappings are none: in a filter
/// they would be operators.
pub fn usable<'n>(said: &serde_json::Value, wanted: impl IntoIterator<Item = &'n String>) -> Claims {
    let single = |value: &serde_json::Value| !value.is_null() && !value.is_object() && !value.is_array();
    let of = |name: &'n String| {
        let value = said.get(name).filter(|value| match value.as_array() {
            Some(items) => items.iter().all(single),
            None => single(value),
        })?;
        Some((name.clone(), Bson::try_from(value.clone()).ok()?))
    };
    wanted.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::{bson, doc};
    use serde_json::json;

    use super::*;
    use crate::domain::{Format, parse};

    fn seen(filter: serde_json::Value, claims: &serde_json::Value) -> Option<Filter> {
        let schema =
            json!({ "org": { "type": "objectid" }, "team": { "type": "string" }, "day": { "type": "datetime" } });
        let file = json!({ "DOMAIN": { "notes": { "schema": schema, "datasource": { "filter": filter } } } });
        let domain = parse(Format::Json, &file.to_string()).unwrap();
        let resource = domain.resource("notes").unwrap();
        let claims = usable(claims, resource.datasource.filter.claims());
        resource.filter_for(Some(&claims), &domain.settings.date_format)
    }

    /// Contract 2.4: values, lists, parts of texts; ids and dates as the schema says.
    #[test]
    fn claims_stand_for_values_of_a_filter() {
        let claims = json!({ "team": "red", "teams": ["red", "blue"], "level": 3, "org": "5f0000000000000000000abc" });
        for (filter, matching, other) in [
            (json!({ "team": "${team}" }), doc! { "team": "red" }, doc! { "team": "${team}" }),
            (json!({ "team": { "$in": "${teams}" } }), doc! { "team": "blue" }, doc! { "team": "green" }),
            (json!({ "team": { "$in": "${team}" } }), doc! { "team": "red" }, doc! { "team": "blue" }),
            (json!({ "team": { "$in": ["x", "${team}"] } }), doc! { "team": "red" }, doc! { "team": "blue" }),
            (json!({ "team": "t-${team}-${level}" }), doc! { "team": "t-red-3" }, doc! { "team": "red" }),
            (json!({ "n": { "$lte": "${level}" } }), doc! { "n": 3 }, doc! { "n": 4 }),
            (
                json!({ "org": "${org}" }),
                doc! { "org": bson::oid::ObjectId::parse_str("5f0000000000000000000abc").unwrap() },
                doc! { "org": "5f0000000000000000000abc" },
            ),
            (json!({ "team": "${open" }), doc! { "team": "${open" }, doc! { "team": "x" }),
        ] {
            let filter = seen(filter.clone(), &claims).unwrap_or_else(|| panic!("{filter}"));
            assert!(filter.matches(&matching) && !filter.matches(&other), "{filter:?}");
        }
        let day = json!({ "day": { "$lt": "Tue, 06 Nov 2012 10:33:31 GMT" } });
        let early = doc! { "day": bson!(bson::DateTime::from_millis(0)) };
        assert!(seen(day, &json!({})).unwrap().matches(&early));
    }

    /// Nobody sees anything for want of a claim, and no claim is an operator.
    #[test]
    fn a_claim_that_is_missing_or_no_value_lets_nobody_in() {
        for claims in [json!({}), json!({ "team": null }), json!({ "team": { "$ne": 1 } }), json!({ "team": [{}] })] {
            assert_eq!(seen(json!({ "$or": [{ "team": "${team}" }, { "open": true }] }), &claims), None, "{claims}");
        }
    }
}
