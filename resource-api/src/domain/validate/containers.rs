//! What is inside a value: dicts, lists, and the alternatives of `anyof` and its like (VAL-12 to VAL-17, VAL-21 to VAL-24).

use bson::{Bson, Document};

use super::Run;
use super::field::Next;
use super::issues::{Operator, Violation};
use super::mapping::{Level, Unknown};
use super::place::Place;
use crate::domain::{Field, Rule};

impl Run<'_> {
    pub(super) fn schema(
        &mut self,
        rule: &Rule,
        field: &Field,
        place: &Place<'_>,
        value: &Bson,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) -> Next {
        let mut inner = Vec::new();
        match (rule, value) {
            (Rule::Fields(fields), Bson::Document(document)) => {
                let mut below = level.inside(place, document);
                below.schema = Some(fields);
                below.unknown = Unknown::of(field).or(level.dict_unknown).unwrap_or(level.unknown);
                below.require_all = field.require_all().unwrap_or(level.require_all);
                self.mapping(document, &below, &mut inner);
            }
            (Rule::Elements(rules), Bson::Array(items)) => self.elements(rules, items, place, level, &mut inner),
            (_, Bson::Document(_) | Bson::Array(_)) => {
                // VAL-15: the schema is meant for the other kind of container.
                out.push(Violation::message(place, "schema", "must be of dict type".to_owned()));
                return Next::Stop;
            }
            _ => {}
        }
        group(place, "schema", inner, out);
        Next::Go
    }

    fn elements(
        &mut self,
        rules: &Field,
        items: &[Bson],
        place: &Place<'_>,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let none = Document::new();
        let below = level.inside(place, &none);
        for (index, item) in items.iter().enumerate() {
            self.field(rules, &place.index(index), item, &below, out);
        }
    }

    pub(super) fn items(
        &mut self,
        rules: &[Field],
        place: &Place<'_>,
        value: &Bson,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let Bson::Array(items) = value else { return };
        if items.len() != rules.len() {
            let message = format!("length of list should be {}, it is {}", rules.len(), items.len());
            out.push(Violation::message(place, "items", message));
            return;
        }
        let none = Document::new();
        let below = level.inside(place, &none);
        let mut inner = Vec::new();
        for (index, (rules, item)) in rules.iter().zip(items).enumerate() {
            self.field(rules, &place.index(index), item, &below, &mut inner);
        }
        group(place, "items", inner, out);
    }

    /// The keys or the values of a dict.
    pub(super) fn members(
        &mut self,
        rule: &Rule,
        rules: &Field,
        place: &Place<'_>,
        value: &Bson,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let Bson::Document(document) = value else { return };
        let below = level.inside(place, document);
        let mut inner = Vec::new();
        let keys = matches!(rule, Rule::KeysRules(_));
        for (name, value) in document {
            let place = place.name(name);
            if keys {
                self.field(rules, &place, &Bson::String(name.clone()), &below, &mut inner);
            } else {
                self.field(rules, &place, value, &below, &mut inner);
            }
        }
        group(place, if keys { "keysrules" } else { "valuesrules" }, inner, out);
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn logic(
        &mut self,
        operator: Operator,
        alternatives: &[Field],
        field: &Field,
        place: &Place<'_>,
        value: &Bson,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let mut below = level.inside(level.place, level.siblings);
        // Cerberus opens the alternatives' mapping for the other fields, so dicts in their lists stay open, too.
        below.dict_unknown = Some(Unknown::of(field).or(level.dict_unknown).unwrap_or(level.unknown));
        below.unknown = Unknown::Any(true);
        let mut results = Vec::with_capacity(alternatives.len());
        for alternative in alternatives {
            let mut inner = Vec::new();
            self.field(alternative, place, value, &below, &mut inner);
            results.push(inner);
        }
        out.push(Violation::logic(place, operator, results));
    }
}

fn group(place: &Place<'_>, rule: &'static str, inner: Vec<Violation>, out: &mut Vec<Violation>) {
    if !inner.is_empty() {
        out.push(Violation::group(place, rule, inner));
    }
}
