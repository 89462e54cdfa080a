//! `where`, in both languages.

use serde_json::{Map, Value, json};

use super::Generator;
use super::documents::paths;
use super::value::{any, good, integer, moment, pick, text};
use crate::step::Marker;
use crate::world::Resource;

const COMPARISONS: &[&str] = &["$gt", "$gte", "$lt", "$lte", "$ne", "$eq"];

impl<'w> Generator<'w> {
    /// A `where` for a resource.
    pub(super) fn filter(&mut self, resource: &'w Resource) -> String {
        match self.rng.u32(..100) {
            0..62 => self.mongo(resource, 2).to_string(),
            62..90 => self.python(resource, 2),
            _ => self.broken(resource),
        }
    }

    fn path(&mut self, resource: &'w Resource) -> (String, Value) {
        let words = &self.world.words;
        let known = paths(&resource.schema);
        match self.rng.u32(..14) {
            0 => {
                let name = *pick(&mut self.rng, &[&words.updated, &words.created]);
                (name.clone(), json!({ "type": "datetime" }))
            }
            1 => (
                (*pick(&mut self.rng, &["unknown", "a", "a.b", "tags.0", "rows.0.v", "rows.1", "deep.c.1", "x"]))
                    .to_owned(),
                json!({}),
            ),
            2 => (resource.id_field.clone(), resource.schema[&resource.id_field].clone()),
            _ => pick(&mut self.rng, &known).clone(),
        }
    }

    fn operand(&mut self, resource: &'w Resource, path: &str, rules: &Value) -> Value {
        if path == self.world.words.updated || path == self.world.words.created {
            return json!(Marker::Date(i64::from(self.rng.i32(-3..3))).to_string());
        }
        match self.rng.u32(..10) {
            0 => any(&mut self.rng, 1),
            1..7 => match self.known.seen(&mut self.rng, &resource.source, path) {
                Some(value) => value,
                None => good(&mut self.rng, rules, &self.known),
            },
            _ => good(&mut self.rng, rules, &self.known),
        }
    }

    fn mongo(&mut self, resource: &'w Resource, depth: usize) -> Value {
        let mut made = Map::new();
        for _ in 0..*pick(&mut self.rng, &[1, 1, 1, 2]) {
            if depth > 0 && self.chance(0.25) {
                let operator = *pick(&mut self.rng, &["$and", "$or", "$nor"]);
                let parts: Vec<Value> = (0..self.rng.usize(1..=3)).map(|_| self.mongo(resource, depth - 1)).collect();
                made.insert(operator.to_owned(), Value::Array(parts));
            } else {
                let (path, rules) = self.path(resource);
                let condition = self.condition(resource, &path, &rules);
                made.insert(path, condition);
            }
        }
        Value::Object(made)
    }

    fn condition(&mut self, resource: &'w Resource, path: &str, rules: &Value) -> Value {
        match self.rng.u32(..20) {
            0..7 => self.operand(resource, path, rules),
            7..12 => {
                let mut made = Map::new();
                for _ in 0..*pick(&mut self.rng, &[1, 1, 2]) {
                    let operator = *pick(&mut self.rng, COMPARISONS);
                    let operand = self.operand(resource, path, rules);
                    made.insert(operator.to_owned(), operand);
                }
                Value::Object(made)
            }
            12 | 13 => {
                let operator = *pick(&mut self.rng, &["$in", "$nin", "$all"]);
                let operands: Vec<Value> =
                    (0..self.rng.usize(..4)).map(|_| self.operand(resource, path, rules)).collect();
                json!({ operator: operands })
            }
            14 => json!({ "$exists": pick(&mut self.rng, &[json!(true), json!(false), json!(1), json!(0)]) }),
            15 => {
                let kinds = [
                    "string", "int", "long", "double", "bool", "object", "array", "objectId", "date", "null", "number",
                    "decimal",
                ];
                let numbers = [1, 2, 3, 4, 7, 8, 9, 10, 16, 18, 19];
                match self.rng.u32(..3) {
                    0 => json!({ "$type": pick(&mut self.rng, &numbers) }),
                    1 => json!({ "$type": [pick(&mut self.rng, &kinds), pick(&mut self.rng, &kinds)] }),
                    _ => json!({ "$type": pick(&mut self.rng, &kinds) }),
                }
            }
            16 => json!({ "$size": pick(&mut self.rng, &[json!(0), json!(1), json!(2), json!(2.0)]) }),
            17 => {
                let inner = match self.rng.bool() {
                    true => self.condition(resource, path, rules),
                    false => json!({ pick(&mut self.rng, COMPARISONS).to_owned(): integer(&mut self.rng) }),
                };
                match inner {
                    inner @ Value::Object(_) => json!({ "$not": inner }),
                    inner => json!({ "$not": { "$eq": inner } }),
                }
            }
            18 => match self.rng.u32(..4) {
                0 => json!({ "$mod": [pick(&mut self.rng, &[2, 3, 5]), pick(&mut self.rng, &[0, 1, 2])] }),
                1 => {
                    json!({ *pick(&mut self.rng, &["$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"]): pick(&mut self.rng, &[json!(1), json!(5), json!([0, 2])]) })
                }
                _ => {
                    let patterns = ["^a", "b$", "a.c", "[0-9]+", "(?i)AB", "", "é", "^(?!a)", "x|y"];
                    let mut made = json!({ "$regex": pick(&mut self.rng, &patterns) });
                    if self.chance(0.3) {
                        made["$options"] = json!(pick(&mut self.rng, &["i", "m", "s", "x", "im"]));
                    }
                    made
                }
            },
            _ => {
                let inner = match rules["schema"]["schema"].is_object() {
                    true => {
                        let fields = rules["schema"]["schema"].as_object().cloned().unwrap_or_default();
                        let names: Vec<&String> = fields.keys().collect();
                        let name = *pick(&mut self.rng, &names);
                        let inner = format!("{path}.{name}");
                        json!({ name: self.condition(resource, &inner, &fields[name]) })
                    }
                    false => {
                        json!({ pick(&mut self.rng, COMPARISONS).to_owned(): self.operand(resource, path, &rules["schema"]) })
                    }
                };
                json!({ "$elemMatch": inner })
            }
        }
    }

    fn python(&mut self, resource: &'w Resource, depth: usize) -> String {
        if depth > 0 && self.chance(0.35) {
            let word = *pick(&mut self.rng, &[" and ", " or "]);
            let parts: Vec<String> = (0..2)
                .map(|_| {
                    let part = self.python(resource, depth - 1);
                    if self.chance(0.4) { format!("({part})") } else { part }
                })
                .collect();
            return parts.join(word);
        }
        let (path, rules) = self.path(resource);
        let operator = *pick(&mut self.rng, &["==", "==", "!=", ">", ">=", "<", "<="]);
        let left = if self.chance(0.1) { format!("\"{path}\"") } else { path.clone() };
        let operand = self.operand(resource, &path, &rules);
        let right = self.literal(&operand);
        let space = if self.chance(0.5) { " " } else { "" };
        format!("{left}{space}{operator}{space}{right}")
    }

    fn literal(&mut self, value: &Value) -> String {
        match value {
            Value::String(text) if text.len() == 24 && self.rng.bool() => format!("ObjectId('{text}')"),
            Value::String(text) => match self.rng.u32(..8) {
                0 if !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphabetic()) => text.clone(),
                1 => "datetime(2012, 11, 6, 10, 33, 31)".to_owned(),
                2..5 if !text.contains(['\'', '\\', '\n']) => format!("'{text}'"),
                _ => value.to_string(),
            },
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Null => "None".to_owned(),
            number @ Value::Number(_) => number.to_string(),
            _ => integer(&mut self.rng).to_string(),
        }
    }

    /// What should be refused, or is close to it.
    fn broken(&mut self, resource: &'w Resource) -> String {
        let (path, _) = self.path(resource);
        let odd = [
            json!({ "$where": "this.a == 1" }).to_string(),
            json!({ &path: { "$regex": "^a" } }).to_string(),
            json!({ &path: { "$foo": 1 } }).to_string(),
            json!({ "$or": { &path: 1 } }).to_string(),
            json!({ "$and": [] }).to_string(),
            json!({ "$or": [1] }).to_string(),
            json!({ &path: { "$in": 5 } }).to_string(),
            json!({ &path: { "$gt": 1, "x": 2 } }).to_string(),
            json!({ &path: { "$size": "a" } }).to_string(),
            json!({ &path: { "$mod": [0, 1] } }).to_string(),
            json!({ &path: { "$type": "nonsense" } }).to_string(),
            json!({ &path: { "$not": 5 } }).to_string(),
            json!({ &path: { "$elemMatch": 5 } }).to_string(),
            json!({ "": 1 }).to_string(),
            json!({ "$expr": { "$gt": ["$n", 3] } }).to_string(),
            json!({ "$expr": { "$eq": [{ "$year": "$when" }, 2012] } }).to_string(),
            json!({ "$comment": "x" }).to_string(),
            json!({ &path: null }).to_string(),
            json!({ &path: {} }).to_string(),
            json!({ &path: [] }).to_string(),
            format!("{{{path}: 1}}"),
            "[1]".to_owned(),
            "5".to_owned(),
            "null".to_owned(),
            "\"s\"".to_owned(),
            "true".to_owned(),
            "{}".to_owned(),
            String::new(),
            " ".to_owned(),
            "{".to_owned(),
            path.clone(),
            format!("{path}=3"),
            format!("not {path}==3"),
            format!("{path} in [1, 2]"),
            format!("{path} is None"),
            format!("1 < {path}"),
            format!("1 < {path} < 4"),
            format!("{path} < 4 < 9"),
            format!("{path}==3+1"),
            format!("{path}==[1,2]"),
            format!("{path}==-3"),
            format!("{path}==1 and"),
            format!("{path}==1 and not b==2"),
            format!("{path}==1;{path}==2"),
            format!("{path}==ObjectId('x')"),
            format!("{path}==datetime(1)"),
            format!("{path}==foo(1)"),
            "class==1".to_owned(),
            format!("{path} == \"{}\"", text(&mut self.rng).replace(['"', '\\', '\n'], "")),
            format!("{path}>={}", moment(&mut self.rng)),
            format!("(({path}==1)"),
            format!("{path}==1e400"),
            format!("{path}==0x10"),
            format!("{path}==1_000"),
            format!("{path}==u'a'"),
            format!("{path}==b'a'"),
            format!("{path}==f'a'"),
            format!("{path}=='a' 'b'"),
        ];
        pick(&mut self.rng, &odd).clone()
    }
}
