use serde_json::{Map, Value, json};

use crate::Target;
use crate::random::Random;

/// A domain file in JSON whose resource has a field of each of its own types.
pub const TYPES: Target = Target {
    name: "types",
    generate: |random| {
        let names = ["isbn", "percent", "colour", "since", "Ünit", "a b"];
        let types: Map<String, Value> =
            names[..=random.below(names.len())].iter().map(|name| ((*name).to_owned(), custom(random))).collect();
        let schema: Map<String, Value> =
            types.keys().enumerate().map(|(place, name)| (format!("f{place}"), field(random, name))).collect();
        json!({ "TYPES": types, "DOMAIN": { "things": { "schema": schema } } }).to_string()
    },
    words: &[
        "\"TYPES\"",
        "\"type\"",
        "\"string\"",
        "\"integer\"",
        "\"isbn\"",
        "\"percent\"",
        "\"list\"",
        "\"point\"",
        "\"regex\"",
        "\"min\"",
        "\"max\"",
        "\"schema\"",
        "\"anyof\"",
        "[\"string\", \"isbn\"]",
        "\"(a+)+$\"",
        "\"(((((((((((a{99}){99}){99}\"",
        "\"[\"",
        "{\"$date\": 1}",
        "{\"$numberDecimal\": \"NaN\"}",
        "null",
        "{",
        "}",
        ":",
    ],
};

fn custom(random: &mut Random) -> Value {
    let date = |year: usize| json!({ "$date": format!("{}-01-01T00:00:00Z", 1900 + year) });
    let (base, bounds): (&str, [(&str, Value); 3]) = match random.below(6) {
        0 | 1 => {
            let patterns = ["[0-9]{13}", "^#[0-9a-f]{6}$", "a|b", "(?i)x.*", "\\\\w+", ""];
            ("string", [("regex", json!(random.pick(&patterns))), ("min", json!("a")), ("max", json!("zz"))])
        }
        2 => ("integer", [("min", json!(0)), ("max", json!(random.below(100))), ("min", json!(-5))]),
        3 => ("float", [("min", json!(-0.5)), ("max", json!(1e300)), ("max", json!(7))]),
        4 => ("datetime", [("min", date(random.below(200))), ("max", date(250)), ("max", date(random.below(250)))]),
        _ => {
            let base = random.pick(&["boolean", "objectid", "decimal", "number", "dict", "list", "point"]);
            return json!({ "type": base });
        }
    };
    let mut rules = Map::from_iter([("type".to_owned(), json!(base))]);
    for (rule, value) in bounds {
        if random.chance(2) {
            rules.insert(rule.to_owned(), value);
        }
    }
    Value::Object(rules)
}

fn field(random: &mut Random, name: &str) -> Value {
    match random.below(6) {
        0 => json!({ "type": "list", "schema": { "type": name } }),
        1 => json!({ "type": [name, "string"], "nullable": true }),
        2 => json!({ "anyof": [{ "type": name }, { "type": "boolean" }] }),
        3 => json!({ "oneof_type": [name, "dict"] }),
        4 => json!({ "type": "dict", "valuesrules": { "type": name } }),
        _ => json!({ "type": name }),
    }
}
