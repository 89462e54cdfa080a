//! docs/resource-api.md names what a domain file may say, and nothing else.

use std::collections::BTreeSet;

use crate::domain::reader::section::ASKED;
use crate::domain::{Check, Coercion, DefaultSetter, Format, RenameHandler, parse};

const GUIDE: &str = include_str!("../../../../../docs/resource-api.md");

/// What the text has in backticks.
fn named(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn part<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// Every setting that is looked for.
fn known() -> BTreeSet<String> {
    let domain = r#"{ "DOMAIN": { "things": {
        "schema": { "name": { "type": "string" } },
        "datasource": {}, "additional_lookup": { "field": "name" }
    } } }"#;
    ASKED.with_borrow_mut(BTreeSet::clear);
    parse(Format::Json, domain).unwrap();
    let asked = ASKED.with_borrow(BTreeSet::clone);
    asked.into_iter().map(|name| name.rsplit('.').next().unwrap_or_default().to_owned()).collect()
}

/// CFG-01, CFG-11: the tables of settings are complete, and what they name there is.
#[test]
fn the_guide_names_every_setting_and_no_other() {
    let (known, settings) = (known(), part(GUIDE, "\n## 6. ", "\n## 7. "));
    assert!(known.len() > 150, "only {known:?}");
    let told = named(settings);
    let missing: Vec<_> = known.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not in docs/resource-api.md: {missing:?}");
    // What is refused or passed over is told below the tables.
    let rows = settings.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let tables: BTreeSet<&str> = rows.flat_map(named).collect();
    let small = named(part(settings, "### Of a resource\n", "And:\n"));
    let unknown: Vec<_> = tables.union(&small).filter(|name| !known.contains(**name)).collect();
    assert!(unknown.is_empty(), "docs/resource-api.md has settings that there are not: {unknown:?}");
    // A name in small letters has the default that the one in capitals says.
    let alone: Vec<_> = small.iter().filter(|name| !known.contains(&name.to_uppercase())).collect();
    assert!(alone.is_empty(), "there is no global setting for {alone:?}");
}

/// Every rule, and every name that takes the place of a function.
#[test]
fn the_guide_names_every_rule() {
    let rules = part(include_str!("../rule.rs"), "let rule = match name {", "_ => return");
    let rules = rules.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next());
    let mut names: BTreeSet<&str> = rules.collect();
    assert!(names.len() > 30, "only {names:?}");
    names.extend(Coercion::NAMES.iter().map(|(name, _)| *name));
    names.extend(DefaultSetter::NAMES.iter().map(|(name, _)| *name));
    names.extend(RenameHandler::NAMES.iter().map(|(name, _)| *name));
    names.extend(Check::NAMES.iter().map(|(name, _)| *name));
    let told = named(part(GUIDE, "\n## 5. ", "\n## 6. "));
    let missing: Vec<_> = names.difference(&told).collect();
    assert!(missing.is_empty(), "not in docs/resource-api.md: {missing:?}");
}
