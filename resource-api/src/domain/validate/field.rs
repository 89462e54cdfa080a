//! One value against its rules, in Cerberus's order: nullable, readonly, type, empty, then the rest as written.

use std::cmp::Ordering;

use bson::Bson;

use super::checks;
use super::compare::{contains, equal, is_falsy, length, order};
use super::issues::{Operator, Violation};
use super::kind::{has_type, is_dbref};
use super::lookups::{Lookup, UniqueWithin};
use super::mapping::{Level, dependency_names};
use super::membership::{absent, banned, unallowed};
use super::place::Place;
use super::{Mode, Run};
use crate::domain::{CustomType, DataRelation, Dependencies, Field, FieldType, Rule, Schema, convert, python_text};

/// Whether the rules after this one still count.
pub enum Next {
    Go,
    Stop,
}

impl Run<'_> {
    /// Checks the value at `place`, which lies directly in `level`.
    pub fn field(
        &mut self,
        field: &Field,
        place: &Place<'_>,
        value: &Bson,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let null = *value == Bson::Null;
        if null && !field.nullable() {
            out.push(Violation::message(place, "nullable", "null value not allowed".to_owned()));
        }
        if field.readonly() && !self.matches_stored(place, value) {
            if !self.normalized {
                out.push(Violation::message(place, "readonly", READONLY.to_owned()));
            } else if level.place.is_root() && out.iter().any(|known| known.rule == "readonly" && known.is_at(place)) {
                return;
            }
        }
        if !null && !has_type(field, value, self.circumstances.settings.allow_custom_fields_in_geojson) {
            out.push(Violation::message(place, "type", format!("must be of {} type", type_names(field))));
            return;
        }
        let empty = field.rules.iter().find_map(|rule| match rule {
            Rule::Empty(empty) => Some(*empty),
            _ => None,
        });
        let blank = empty.is_some() && length(value) == Some(0);
        if blank && empty == Some(false) {
            out.push(Violation::message(place, "empty", "empty values not allowed".to_owned()));
        }
        for rule in &field.rules {
            if (null && !counts_for_null(rule)) || (blank && !counts_for_blank(rule)) {
                continue;
            }
            if let Next::Stop = self.rule(rule, field, place, value, level, out) {
                return;
            }
        }
    }

    fn rule(
        &mut self,
        rule: &Rule,
        field: &Field,
        place: &Place<'_>,
        value: &Bson,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) -> Next {
        let mut say = |rule, message: String| out.push(Violation::message(place, rule, message));
        match rule {
            Rule::MinLength(least) if length(value).is_some_and(|length| length < *least) => {
                say("minlength", format!("min length is {least}"));
            }
            Rule::MaxLength(most) if length(value).is_some_and(|length| length > *most) => {
                say("maxlength", format!("max length is {most}"));
            }
            Rule::Min(least) if order(value, least) == Some(Ordering::Less) => {
                say("min", format!("min value is {}", python_text::str(least)));
            }
            Rule::Max(most) if order(value, most) == Some(Ordering::Greater) => {
                say("max", format!("max value is {}", python_text::str(most)));
            }
            Rule::Allowed(allowed) => _ = unallowed(allowed, value).map(|message| say("allowed", message)),
            Rule::Forbidden(forbidden) => _ = banned(forbidden, value).map(|message| say("forbidden", message)),
            Rule::Contains(expected) => _ = absent(expected, value).map(|message| say("contains", message)),
            Rule::Regex { written, compiled } => {
                if let Bson::String(text) = value
                    && !compiled.is_match(text)
                {
                    say("regex", format!("value does not match regex '{written}'"));
                }
            }
            Rule::CheckWith(checks) => {
                checks.iter().filter_map(|check| checks::fault(*check, value)).for_each(|message| {
                    say("", message.to_owned());
                });
            }
            Rule::Excludes(names) => self.excludes(names, field, place, level, out),
            Rule::Dependencies(wanted) => self.dependencies(wanted, field, place, level, out),
            Rule::Unique => self.unique(UniqueWithin::Source, place, value, out),
            Rule::UniqueToUser => self.unique(UniqueWithin::Owner, place, value, out),
            Rule::UniqueWithinResource => self.unique(UniqueWithin::Resource, place, value, out),
            Rule::DataRelation(relation) => self.relation(relation, field, place, value, out),
            Rule::Fields(_) | Rule::Elements(_) => return self.schema(rule, field, place, value, level, out),
            Rule::Items(rules) => self.items(rules, place, value, level, out),
            Rule::KeysRules(rules) | Rule::ValuesRules(rules) => {
                self.members(rule, rules, place, value, level, out);
            }
            Rule::AnyOf(rules) => self.logic(Operator::Any, rules, field, place, value, level, out),
            Rule::AllOf(rules) => self.logic(Operator::All, rules, field, place, value, level, out),
            Rule::OneOf(rules) => self.logic(Operator::One, rules, field, place, value, level, out),
            Rule::NoneOf(rules) => self.logic(Operator::None, rules, field, place, value, level, out),
            // Bounds that hold, what `field` has done already, and what normalisation does.
            _ => {}
        }
        Next::Go
    }

    fn excludes(
        &mut self,
        names: &[String],
        field: &Field,
        place: &Place<'_>,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let own = place.field();
        if field.required().unwrap_or(level.require_all) {
            let known = |name: &&String| level.schema.is_some_and(|schema: &Schema| schema.contains_key(*name));
            let mut unrequired = level.unrequired.borrow_mut();
            for name in names.iter().filter(known).chain([&own]) {
                if !unrequired.contains(name) {
                    unrequired.push(name.clone());
                }
            }
        }
        if names.iter().any(|name| level.siblings.contains_key(name)) {
            let listed: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
            let message = format!("{} must not be present with '{own}'", listed.join(", "));
            out.push(Violation::message(place, "excludes", message));
        }
    }

    fn dependencies(
        &mut self,
        wanted: &Dependencies,
        field: &Field,
        place: &Place<'_>,
        level: &Level<'_>,
        out: &mut Vec<Violation>,
    ) {
        let original = self.circumstances.mode.original().filter(|_| level.place.is_root());
        let stored = |name: &str| original.filter(|_| !level.siblings.contains_key(name))?.get(name);
        // The field's own are checked with the stored fields added (`with_stored_dependencies`), those of alternatives here.
        if !level.is_alternative() && dependency_names(field).iter().any(|name| stored(name).is_some()) {
            return;
        }
        let look_up = |path: &str| stored(path).or_else(|| look_up(path, level));
        match wanted {
            Dependencies::Names(names) => {
                for name in names.iter().filter(|name| look_up(name).is_none()) {
                    let message = format!("field '{name}' is required");
                    out.push(Violation::message(place, "dependencies", message));
                }
            }
            Dependencies::Values(values) => {
                let holds = |(path, wanted): (&String, &Bson)| {
                    let found = look_up(path).unwrap_or(&Bson::Null);
                    match wanted {
                        Bson::Array(choices) => contains(choices, found),
                        one => equal(one, found),
                    }
                };
                if !values.iter().all(holds) {
                    let message = format!("depends on these values: {}", python_text::dict(values));
                    out.push(Violation::message(place, "dependencies", message));
                }
            }
        }
    }

    fn unique(&mut self, within: UniqueWithin, place: &Place<'_>, value: &Bson, out: &mut Vec<Violation>) {
        let message = format!("value '{}' is not unique", python_text::str(value));
        let lookup = self.lookups.ask(Lookup::Unique { path: place.query_path(), value: value.clone(), within });
        out.push(Violation::pending(place, lookup, message));
    }

    fn relation(
        &mut self,
        relation: &DataRelation,
        field: &Field,
        place: &Place<'_>,
        value: &Bson,
        out: &mut Vec<Violation>,
    ) {
        if is_falsy(value) && field.nullable() {
            return;
        }
        let items = match value {
            Bson::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            let target = match item {
                Bson::Document(reference) if is_dbref(reference) => convert::referenced_id(reference),
                _ => None,
            };
            let target = target.unwrap_or_else(|| item.clone());
            let DataRelation { resource, field, .. } = relation;
            let shown = python_text::str(&target);
            let message = format!("value '{shown}' must exist in resource '{resource}', field '{field}'.");
            let lookup =
                self.lookups.ask(Lookup::Relation { resource: resource.clone(), field: field.clone(), value: target });
            out.push(Violation::pending(place, lookup, message));
        }
    }

    /// VAL-41: what is sent unchanged is not written. On POST nothing is stored, so only null passes.
    pub fn matches_stored(&self, place: &Place<'_>, value: &Bson) -> bool {
        let stored = match self.circumstances.mode {
            Mode::Insert => None,
            Mode::Replace { original } | Mode::Update { original } => place.find(original),
        };
        equal(value, stored.unwrap_or(&Bson::Null))
    }
}

pub const READONLY: &str = "field is read-only";

fn type_names(field: &Field) -> String {
    let name = |(kind, custom): (FieldType, Option<&CustomType>)| match custom {
        Some(custom) => custom.name.clone(),
        None => kind.name().to_owned(),
    };
    let names: Vec<String> = field.narrowed_types().map(name).collect();
    match (field.type_list, names.as_slice()) {
        (false, [name]) => name.clone(),
        _ => format!("[{}]", names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")),
    }
}

/// What null still has to pass; nullable has dropped the rest.
fn counts_for_null(rule: &Rule) -> bool {
    matches!(
        rule,
        Rule::Excludes(_)
            | Rule::Dependencies(_)
            | Rule::Unique
            | Rule::UniqueToUser
            | Rule::UniqueWithinResource
            | Rule::DataRelation(_)
    )
}

/// What `empty` drops for a value of no length.
fn counts_for_blank(rule: &Rule) -> bool {
    !matches!(
        rule,
        Rule::Allowed(_)
            | Rule::Forbidden(_)
            | Rule::Items(_)
            | Rule::MinLength(_)
            | Rule::MaxLength(_)
            | Rule::Regex { .. }
            | Rule::CheckWith(_)
    )
}

/// VAL-19: a dotted path from here, or from the root after `^`; `^^` is a name's own circumflex.
fn look_up<'l>(path: &str, level: &Level<'l>) -> Option<&'l Bson> {
    let (start, path) = match path.strip_prefix('^') {
        Some(rest) if rest.starts_with('^') => (level.siblings, rest),
        Some(rest) => (level.root, rest),
        None => (level.siblings, path),
    };
    let mut parts = path.split('.');
    let mut value = start.get(parts.next()?)?;
    for part in parts {
        value = value.as_document()?.get(part)?;
    }
    Some(value)
}
