//! Before the rules: rename, purge, read-only fields, defaults, coercion, then the same inside containers (VAL-33 to
//! VAL-35, VAL-41).

use bson::{Bson, Document};

use super::coercion;
use super::field::READONLY;
use super::issues::Violation;
use super::mapping::Unknown;
use super::place::Place;
use super::{Mode, Run};
use crate::domain::{DefaultSetter, Field, Rule, Schema};

/// What a mapping hands down to those inside it.
#[derive(Clone, Copy)]
struct Inherited<'l> {
    unknown: Unknown<'l>,
    purge: bool,
}

impl Run<'_> {
    /// Brings a whole document into its normal form; faults are added to `out`.
    pub fn normalize(&mut self, document: &mut Document, out: &mut Vec<Violation>) {
        let resource = self.circumstances.resource;
        let inherited = Inherited { unknown: Unknown::from(resource.allow_unknown), purge: false };
        self.normalize_mapping(document, &resource.schema, &Place::Root, inherited, out);
    }

    fn normalize_mapping(
        &mut self,
        document: &mut Document,
        schema: &Schema,
        place: &Place<'_>,
        inherited: Inherited<'_>,
        out: &mut Vec<Violation>,
    ) {
        rename_fields(document, schema, inherited);
        if inherited.purge && !inherited.unknown.allows() && document.keys().any(|name| !schema.contains_key(name)) {
            let members = std::mem::take(document).into_iter();
            document.extend(members.filter(|(name, _)| schema.contains_key(name)));
        }
        // Before defaults: a field may be both read-only and filled in.
        for (name, field) in schema {
            if let Some(value) = document.get(name) {
                self.keep_readonly(value, field, &place.name(name), out);
            }
        }
        for (name, field) in schema {
            self.fill_in(document, name, field, place, out);
        }
        for (name, value) in document.iter_mut() {
            let field = match (schema.get(name), inherited.unknown) {
                (Some(field), _) => field,
                (None, Unknown::Rules(field)) => field,
                (None, _) => continue,
            };
            self.normalize_value(value, field, &place.name(name), inherited, out);
        }
    }

    /// VAL-41.
    fn keep_readonly(&self, value: &Bson, field: &Field, place: &Place<'_>, out: &mut Vec<Violation>) {
        if field.readonly() && !self.matches_stored(place, value) {
            out.push(Violation::message(place, "readonly", READONLY.to_owned()));
        }
    }

    /// One element of a list, or one value of a dict whose values have rules.
    fn normalize_element(
        &mut self,
        value: &mut Bson,
        field: &Field,
        place: &Place<'_>,
        inherited: Inherited<'_>,
        out: &mut Vec<Violation>,
    ) {
        self.keep_readonly(value, field, place, out);
        self.normalize_value(value, field, place, inherited, out);
    }

    fn normalize_value(
        &mut self,
        value: &mut Bson,
        field: &Field,
        place: &Place<'_>,
        inherited: Inherited<'_>,
        out: &mut Vec<Violation>,
    ) {
        self.coerce(value, field, place, out);
        match value {
            Bson::Document(document) => {
                self.normalize_keys(document, field, place, out);
                for rule in &field.rules {
                    if let Rule::ValuesRules(rules) = rule {
                        for (name, value) in document.iter_mut() {
                            self.normalize_element(value, rules, &place.name(name), inherited, out);
                        }
                    }
                }
                self.normalize_dict(document, field, place, inherited, out);
            }
            Bson::Array(items) => {
                if let Some(rules) = field.elements() {
                    for (index, item) in items.iter_mut().enumerate() {
                        self.normalize_element(item, rules, &place.index(index), inherited, out);
                    }
                } else if let Some(rules) = field.rules.iter().find_map(|rule| match rule {
                    Rule::Items(rules) if rules.len() == items.len() => Some(rules),
                    _ => None,
                }) {
                    for (index, (rules, item)) in rules.iter().zip(items).enumerate() {
                        self.normalize_element(item, rules, &place.index(index), inherited, out);
                    }
                }
            }
            _ => {}
        }
    }

    fn normalize_dict(
        &mut self,
        document: &mut Document,
        field: &Field,
        place: &Place<'_>,
        inherited: Inherited<'_>,
        out: &mut Vec<Violation>,
    ) {
        let own = Unknown::of(field);
        if field.elements().is_some() {
            return;
        }
        let asks = field.fields().is_some() || own.is_some() || field.purge_unknown().is_some();
        if !asks && !matches!(inherited.unknown, Unknown::Rules(_)) {
            return;
        }
        let below = Inherited {
            unknown: own.unwrap_or(inherited.unknown),
            purge: field.purge_unknown().unwrap_or(inherited.purge),
        };
        let empty = Schema::default();
        self.normalize_mapping(document, field.fields().unwrap_or(&empty), place, below, out);
    }

    fn normalize_keys(&mut self, document: &mut Document, field: &Field, place: &Place<'_>, out: &mut Vec<Violation>) {
        let rules = field.rules.iter().find_map(|rule| match rule {
            Rule::KeysRules(rules) => Some(rules),
            _ => None,
        });
        let Some(rules) = rules else { return };
        rename(document, |name| {
            let mut key = Bson::String(name.to_owned());
            self.coerce(&mut key, rules, &place.name(name), out);
            match key {
                Bson::String(key) => Some(key),
                _ => None,
            }
        });
    }

    fn coerce(&mut self, value: &mut Bson, field: &Field, place: &Place<'_>, out: &mut Vec<Violation>) {
        let steps = field.rules.iter().find_map(|rule| match rule {
            Rule::Coerce(steps) => Some(steps),
            _ => None,
        });
        for step in steps.into_iter().flatten() {
            match coercion::coerce(*step, value, &self.circumstances.settings.date_format) {
                Ok(coerced) => *value = coerced,
                Err(_) if *value == Bson::Null && field.nullable() => {}
                Err(reason) => {
                    let message = format!("field '{}' cannot be coerced: {reason}", place.field());
                    out.push(Violation::message(place, "coerce", message));
                    return;
                }
            }
        }
    }

    /// `default` for what is absent (VAL-33); a setter also replaces a null that is not allowed.
    fn fill_in(
        &mut self,
        document: &mut Document,
        name: &str,
        field: &Field,
        place: &Place<'_>,
        out: &mut Vec<Violation>,
    ) {
        let present = document.get(name);
        let void = present.is_none() || (present == Some(&Bson::Null) && !field.nullable());
        if !void {
            return;
        }
        let stored = |original: &Document| place.is_root() && original.contains_key(name);
        for rule in &field.rules {
            match (rule, self.circumstances.mode) {
                // PATCH-05: what is stored stays; PUT-02: it does not.
                (Rule::Default(_), Mode::Update { original }) if stored(original) => {}
                (Rule::Default(default), _) if !document.contains_key(name) => {
                    document.insert(name, default.clone());
                }
                (Rule::DefaultSetter(_), Mode::Update { original } | Mode::Replace { original })
                    if stored(original) => {}
                (Rule::DefaultSetter(setter), _) => match self.set(*setter) {
                    Ok(value) => _ = document.insert(name, value),
                    Err(reason) => {
                        let message = format!("default value for '{name}' cannot be set: {reason}");
                        out.push(Violation::message(&place.name(name), "default_setter", message));
                    }
                },
                _ => {}
            }
        }
    }

    fn set(&self, setter: DefaultSetter) -> Result<Bson, &'static str> {
        match setter {
            DefaultSetter::UtcNow => Ok(Bson::DateTime(self.circumstances.now)),
            DefaultSetter::Uuid4 => Ok(Bson::String(bson::Uuid::new().to_string())),
            DefaultSetter::ObjectId => Ok(Bson::ObjectId(bson::oid::ObjectId::new())),
            DefaultSetter::Subject => match self.circumstances.subject {
                Some(subject) => Ok(Bson::String(subject.to_owned())),
                None => Err("the request has no subject"),
            },
        }
    }
}

fn rename_fields(document: &mut Document, schema: &Schema, inherited: Inherited<'_>) {
    let renames =
        |field: &Field| field.rules.iter().any(|rule| matches!(rule, Rule::Rename(_) | Rule::RenameHandler(_)));
    let any_field = matches!(inherited.unknown, Unknown::Rules(rules) if renames(rules));
    if !any_field && !schema.values().any(renames) {
        return;
    }
    rename(document, |name| {
        let field = match (schema.get(name), inherited.unknown) {
            (Some(field), _) => field,
            (None, Unknown::Rules(field)) => field,
            (None, _) => return None,
        };
        field.rules.iter().find_map(|rule| match rule {
            Rule::Rename(new_name) => Some(new_name.clone()),
            Rule::RenameHandler(steps) => {
                Some(steps.iter().fold(name.to_owned(), |name, step| coercion::rename(*step, &name)))
            }
            _ => None,
        })
    });
}

/// Gives members other names. Those move behind the rest, and replace what has such a name already.
fn rename(document: &mut Document, mut new_name: impl FnMut(&str) -> Option<String>) {
    let mut renamed = Vec::new();
    for (name, value) in std::mem::take(document) {
        match new_name(&name) {
            Some(new_name) if new_name != name => renamed.push((new_name, value)),
            _ => _ = document.insert(name, value),
        }
    }
    document.extend(renamed);
}
