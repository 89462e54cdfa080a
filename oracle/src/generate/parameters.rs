//! The other query parameters: order, fields, pages, embedding.

use serde_json::{Map, Value, json};

use super::Generator;
use super::documents::paths;
use super::value::pick;
use crate::world::Resource;

impl<'w> Generator<'w> {
    fn name(&mut self, resource: &'w Resource) -> String {
        let words = &self.world.words;
        let known = paths(&resource.schema);
        match self.rng.u32(..10) {
            0 => (*pick(&mut self.rng, &[&words.updated, &words.created])).clone(),
            1 => (*pick(&mut self.rng, &["unknown", "a.b", "deep.a"])).to_owned(),
            _ => pick(&mut self.rng, &known).0.clone(),
        }
    }

    /// A `sort`, and whether it leaves ties.
    pub(super) fn sort(&mut self, resource: &'w Resource) -> (String, bool) {
        if self.chance(0.12) {
            let name = self.name(resource);
            let odd = [
                format!("[(\"{name}\":1)]"),
                "a b".to_owned(),
                "age:1".to_owned(),
                "-".to_owned(),
                format!("\"{name}\""),
                format!("(\"{name}\", 1)"),
                "1".to_owned(),
                "True".to_owned(),
                "None".to_owned(),
                String::new(),
                "[]".to_owned(),
                format!("{name},"),
                format!("[(\"{name}\",2)]"),
                format!("[(\"{name}\",\"1\")]"),
                format!("[(\"{name}\")]"),
                format!("[[\"{name}\"]]"),
                format!("[\"{name}\"]"),
                "class".to_owned(),
                "-from".to_owned(),
                "a.is".to_owned(),
                "1a".to_owned(),
                format!("--{name}"),
                format!("+{name}"),
                format!("{{\"{name}\": 0}}"),
                "[(1, 1)]".to_owned(),
                "$a".to_owned(),
                "ä".to_owned(),
            ];
            return (pick(&mut self.rng, &odd).clone(), true);
        }
        let mut keys: Vec<(String, i32)> =
            (0..self.rng.usize(1..=2)).map(|_| (self.name(resource), if self.rng.bool() { 1 } else { -1 })).collect();
        let tied = !self.chance(0.8);
        if !tied {
            keys.push(("_id".to_owned(), if self.rng.bool() { 1 } else { -1 }));
        }
        keys.dedup_by(|a, b| a.0 == b.0);
        let written = match self.rng.u32(..5) {
            0 | 1 => {
                let comma = *pick(&mut self.rng, &[",", ", "]);
                let parts: Vec<String> =
                    keys.iter().map(|(name, way)| format!("{}{name}", if *way < 0 { "-" } else { "" })).collect();
                parts.join(comma)
            }
            2 => {
                let parts: Vec<String> = keys.iter().map(|(name, way)| format!("(\"{name}\", {way})")).collect();
                format!("[{}]", parts.join(", "))
            }
            3 => json!(keys.iter().map(|(name, way)| json!([name, way])).collect::<Vec<_>>()).to_string(),
            _ => {
                let members: Map<String, Value> = keys.iter().map(|(name, way)| (name.clone(), json!(way))).collect();
                Value::Object(members).to_string()
            }
        };
        (written, tied)
    }

    pub(super) fn projection(&mut self, resource: &'w Resource) -> String {
        if self.chance(0.15) {
            let name = self.name(resource);
            let odd = [
                "{".to_owned(),
                "[]".to_owned(),
                "5".to_owned(),
                "\"a\"".to_owned(),
                "null".to_owned(),
                "{}".to_owned(),
                String::new(),
                name.clone(),
                json!([name]).to_string(),
                json!({ &name: "x" }).to_string(),
                json!({ &name: 2 }).to_string(),
                json!({ &name: -1 }).to_string(),
                json!({ &name: null }).to_string(),
                json!({ &name: 1.0 }).to_string(),
                json!({ &name: { "$slice": 1 } }).to_string(),
                json!({ &name: [1] }).to_string(),
                json!({ "": 1 }).to_string(),
                json!({ "$a": 1 }).to_string(),
            ];
            return pick(&mut self.rng, &odd).clone();
        }
        let shown = self.rng.bool();
        let mixed = self.chance(0.15);
        let mut made = Map::new();
        for _ in 0..self.rng.usize(1..=3) {
            let shown = if mixed { self.rng.bool() } else { shown };
            let value = match (shown, self.rng.u32(..6)) {
                (true, 0) => json!(true),
                (false, 0) => json!(false),
                (shown, _) => json!(i32::from(shown)),
            };
            let name = if self.chance(0.1) {
                (*pick(&mut self.rng, &["_id", "_etag", "_updated"])).to_owned()
            } else {
                self.name(resource)
            };
            made.insert(name, value);
        }
        Value::Object(made).to_string()
    }

    pub(super) fn embedded(&mut self, resource: &'w Resource) -> String {
        if self.chance(0.1) {
            return (*pick(
                &mut self.rng,
                &["{", "[]", "5", "\"author\"", "null", "{}", "", "author", "{\"author\": \"1\"}", "[\"author\"]"],
            ))
            .to_owned();
        }
        let mut names: Vec<String> = paths(&resource.schema)
            .into_iter()
            .filter(|(_, rules)| rules["data_relation"].is_object() || rules["schema"]["data_relation"].is_object())
            .map(|(path, _)| path)
            .collect();
        let deeper: Vec<String> = names
            .iter()
            .flat_map(|name| ["boss", "holding", "author", "friend"].map(|inner| format!("{name}.{inner}")))
            .collect();
        names.extend(deeper);
        names.extend(["unknown", "_id", "a.b"].map(str::to_owned));
        let mut made = Map::new();
        for _ in 0..self.rng.usize(1..=3) {
            let value = match self.rng.u32(..10) {
                0 => json!(0),
                1 => json!(true),
                2 => json!(false),
                3 => json!("x"),
                _ => json!(1),
            };
            made.insert(pick(&mut self.rng, &names).clone(), value);
        }
        Value::Object(made).to_string()
    }

    /// Page and size of page, with their edges.
    pub(super) fn paging(&mut self, query: &mut Vec<(String, String)>) {
        let words = &self.world.words;
        if self.chance(0.5) {
            let sizes = [
                "1", "2", "2", "3", "3", "5", "25", "50", "51", "1000", "0", "-1", "x", "", "2.9", "1e1", "nan", "1_0",
                " 2", "+3",
            ];
            let size = if self.chance(0.6) { pick(&mut self.rng, &sizes[..6]) } else { pick(&mut self.rng, &sizes) };
            query.push((words.max_results.clone(), (*size).to_owned()));
        }
        if self.chance(0.4) {
            let pages = ["1", "2", "2", "3", "9", "0", "-2", "x", "", "1.5", " 2", "1_0", "+2", "99999999999999999999"];
            let page = if self.chance(0.6) { pick(&mut self.rng, &pages[..5]) } else { pick(&mut self.rng, &pages) };
            query.push((words.page.clone(), (*page).to_owned()));
        }
    }
}
