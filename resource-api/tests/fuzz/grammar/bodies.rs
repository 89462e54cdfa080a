use serde_json::{Map, Value, json};

use super::queries::text;
use crate::Target;
use crate::random::Random;

pub const BODY: Target = Target {
    name: "body",
    generate: |random| {
        let document = document(random);
        if random.chance(4) {
            let mut bulk = random.many(5, document_of);
            bulk.push(document);
            return Value::Array(bulk).to_string();
        }
        if random.chance(5) { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() }
    },
    words: &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"text\"",
        "\"number\"",
        "\"parts\"",
        "\"inner.b.c\"",
        "\"inner\"",
        "\"a.b.c.d\"",
        "\"_id\"",
        "\"_etag\"",
        "\"_created\"",
        "\"$set\"",
        "\"$oid\"",
        "\"coordinates\"",
        "true",
        "1e400",
        "[[[]]]",
        "\"\\u0000\"",
        "\"5f0000000000000000000abc\"",
    ],
};

fn document_of(random: &mut Random) -> Value {
    document(random)
}

/// Accepted by the schema.
fn document(random: &mut Random) -> Value {
    let mut document = Map::new();
    for name in [
        "text",
        "number",
        "ratio",
        "price",
        "any",
        "flag",
        "when",
        "other",
        "tags",
        "parts",
        "inner",
        "open",
        "place",
        "choice",
        "map",
        "code",
        "mail",
        "inner.b.c",
    ] {
        if random.chance(3) {
            document.insert(name.to_owned(), value(random, name));
        }
    }
    if document.contains_key("inner") {
        // Of a name and its dotted twin the order decides, and may not be what it seems.
        document.shift_remove("inner.b.c");
    }
    Value::Object(document)
}

fn value(random: &mut Random, name: &str) -> Value {
    match name {
        "text" | "code" | "inner.b.c" => json!(text(random)),
        "number" => json!(random.below(2_000_000) as i64 - 1_000_000),
        "ratio" => json!((random.next() % 100_000) as f64 / 7.0),
        "price" => json!(random.pick(&["1.50", "-3", "0E+5", "9999999999999999999999"])),
        "any" => random.pick(&[&json!(1), &json!(-2.5), &Value::Null]).clone(),
        "flag" => json!(random.chance(2)),
        "when" => json!("Tue, 06 Nov 2012 10:33:31 GMT"),
        "other" => json!(format!("{:024x}", u128::from(random.next()))),
        "tags" => Value::Array(random.many(6, |random| json!(text(random)))),
        "parts" => Value::Array(random.many(4, |random| json!({ "name": text(random), "size": random.below(50) }))),
        "inner" => json!({ "a": random.below(9), "b": { "c": text(random) } }),
        "open" => nested(random, 0),
        "place" => json!({ "type": "Point", "coordinates": [random.below(180), -(random.below(90) as i64)] }),
        "choice" => {
            if random.chance(2) {
                json!("abc")
            } else {
                json!(random.below(100))
            }
        }
        "map" => Value::Object(
            random
                .many(4, |random| (random.pick(&["a", "bc", "def"]).to_owned(), json!(random.below(9))))
                .into_iter()
                .collect(),
        ),
        _ => json!("ada@example.org"),
    }
}

fn nested(random: &mut Random, depth: usize) -> Value {
    let members = random.many(3, |random| {
        let inner = match random.below(4) {
            0 if depth < 8 => nested(random, depth + 1),
            1 => json!([random.below(5), [text(random)], null]),
            2 => json!(random.next() as i64),
            _ => json!(text(random)),
        };
        (random.pick(&["x", "y", "ü", " "]).to_owned(), inner)
    });
    Value::Object(members.into_iter().collect())
}
