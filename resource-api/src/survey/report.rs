//! What a survey found: counts and examples by resource, field and rule.

use std::fmt;

use bson::Bson;
use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::domain::validate::Finding;

#[derive(Debug, Default)]
pub struct Report {
    /// In the domain file's order.
    pub resources: Vec<Surveyed>,
}

/// The documents of one resource.
#[derive(Debug)]
pub struct Surveyed {
    pub resource: String,
    pub documents: u64,
    /// Those that break some rule.
    pub broken: u64,
    pub problems: Vec<Problem>,
    examples: usize,
    /// Places of the problems by field and rule.
    places: IndexMap<(String, &'static str), usize>,
}

/// A rule that documents break.
#[derive(Debug)]
pub struct Problem {
    pub field: String,
    pub rule: &'static str,
    pub documents: u64,
    pub examples: Vec<Example>,
}

#[derive(Debug, PartialEq)]
pub struct Example {
    pub id: Bson,
    pub message: String,
}

impl Report {
    pub fn documents(&self) -> u64 {
        self.resources.iter().map(|surveyed| surveyed.documents).sum()
    }

    pub fn broken(&self) -> u64 {
        self.resources.iter().map(|surveyed| surveyed.broken).sum()
    }

    /// Ids are Extended JSON.
    pub fn to_json(&self) -> Value {
        let example =
            |example: &Example| json!({ "_id": example.id.clone().into_relaxed_extjson(), "message": example.message });
        let problem = |problem: &Problem| {
            json!({
                "field": problem.field,
                "rule": problem.rule,
                "documents": problem.documents,
                "examples": problem.examples.iter().map(example).collect::<Vec<_>>(),
            })
        };
        let surveyed = |surveyed: &Surveyed| {
            json!({
                "resource": surveyed.resource,
                "documents": surveyed.documents,
                "broken": surveyed.broken,
                "problems": surveyed.problems.iter().map(problem).collect::<Vec<_>>(),
            })
        };
        json!({
            "documents": self.documents(),
            "broken": self.broken(),
            "resources": self.resources.iter().map(surveyed).collect::<Vec<_>>(),
        })
    }
}

impl Surveyed {
    pub(super) fn new(resource: &str, examples: usize) -> Self {
        let (problems, places) = (Vec::new(), IndexMap::new());
        Self { resource: resource.to_owned(), documents: 0, broken: 0, problems, examples, places }
    }

    /// A document and what is wrong with it.
    pub(super) fn add(&mut self, id: &Bson, findings: &[Finding]) {
        self.documents += 1;
        self.broken += u64::from(!findings.is_empty());
        let mut told = Vec::new();
        for Finding { field, rule, message } in findings {
            let next = self.problems.len();
            let place = *self.places.entry((field.clone(), rule)).or_insert(next);
            if place == next {
                let (field, rule) = (field.clone(), *rule);
                self.problems.push(Problem { field, rule, documents: 0, examples: Vec::new() });
            }
            // Several elements of a list may break one rule.
            if told.contains(&place) {
                continue;
            }
            told.push(place);
            let problem = &mut self.problems[place];
            problem.documents += 1;
            if problem.examples.len() < self.examples {
                problem.examples.push(Example { id: id.clone(), message: message.clone() });
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Surveyed { resource, documents, broken, problems, .. } in &self.resources {
            let would = if *broken == 0 { "none".to_owned() } else { broken.to_string() };
            writeln!(formatter, "{resource}: of {documents} documents {would} would break the file's rules")?;
            for Problem { field, rule, documents, examples } in problems {
                writeln!(formatter, "  {field}, {rule}: {documents}")?;
                for Example { id, message } in examples {
                    writeln!(formatter, "    {}: {message}", id_text(id))?;
                }
            }
        }
        Ok(())
    }
}

fn id_text(id: &Bson) -> String {
    match id {
        Bson::ObjectId(id) => id.to_hex(),
        Bson::String(text) => text.clone(),
        other => other.clone().into_relaxed_extjson().to_string(),
    }
}
