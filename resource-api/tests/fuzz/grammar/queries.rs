use serde_json::{Value, json};

use super::{FIELDS, Kind};
use crate::Target;
use crate::random::Random;

pub const WHERE_MONGO: Target = Target {
    name: "where_mongo",
    generate: |random| filter(random, 0).to_string(),
    words: &[
        "\"$and\"",
        "\"$or\"",
        "\"$nor\"",
        "\"$not\"",
        "\"$in\"",
        "\"$nin\"",
        "\"$all\"",
        "\"$elemMatch\"",
        "\"$regex\"",
        "\"$options\"",
        "\"$where\"",
        "\"$expr\"",
        "\"$near\"",
        "\"$type\"",
        "\"$mod\"",
        "\"$size\"",
        "\"$exists\"",
        "\"$bitsAllSet\"",
        "\"$oid\"",
        "\"$date\"",
        "\"$numberLong\"",
        "\"$regularExpression\"",
        "\"$ref\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "(a+)+$",
        "(?=a)",
        "\\\\1",
    ],
};

pub const WHERE_PYTHON: Target = Target {
    name: "where_python",
    generate: |random| python(random, 0),
    words: &[
        " and ",
        " or ",
        " not ",
        "==",
        "!=",
        ">=",
        "<=",
        "<",
        ">",
        "=",
        "(",
        ")",
        "ObjectId(",
        "datetime(",
        "\"$where\"",
        "None",
        "True",
        "'",
        "\"",
        "lambda: ",
        "__import__",
        "[1]",
        "{}",
        "//",
        "**",
        "\\x41",
        "'''",
        "b''",
        "f''",
        "1j",
    ],
};

pub const SORT: Target = Target {
    name: "sort",
    generate: sort,
    words: &[
        "(", ")", "[", "]", ",", "'", "\"", "-", "1", "-1", "{", "}", ":", "$meta", "text", "number", "a.b", "_id",
        "+", "--",
    ],
};

pub const PROJECTION: Target = Target {
    name: "projection",
    generate: projection,
    words: &[
        "{",
        "}",
        ":",
        ",",
        "\"",
        "0",
        "1",
        "true",
        "-1",
        "\"$slice\"",
        "\"$elemMatch\"",
        "\"a.b\"",
        "\"_id\"",
        "[]",
        "null",
    ],
};

fn field(random: &mut Random) -> (&'static str, Kind) {
    FIELDS[random.below(FIELDS.len())]
}

pub fn text(random: &mut Random) -> String {
    const WORDS: [&str; 10] =
        ["a", "abc", "Zürich", "", "x y", "1", "\u{1F3D4}", "quote's", "back\\slash", "two\nlines"];
    random.pick(&WORDS).to_owned()
}

fn hex(random: &mut Random) -> String {
    format!("{:024x}", u128::from(random.next()))
}

fn value(random: &mut Random, kind: Kind) -> Value {
    match kind {
        _ if random.chance(12) => Value::Null,
        Kind::Text => json!(text(random)),
        Kind::Number => match random.below(5) {
            0 => json!(random.next() as i64),
            1 => json!({ "$numberLong": (random.next() as i64).to_string() }),
            2 => json!({ "$numberDecimal": "1.50" }),
            3 => json!((random.next() % 1000) as f64 / 8.0 - 50.0),
            _ => json!(random.below(100)),
        },
        Kind::Flag => json!(random.chance(2)),
        Kind::Date => match random.below(3) {
            0 => json!({ "$date": { "$numberLong": (random.next() as i64 >> 20).to_string() } }),
            1 => json!({ "$date": "2012-11-06T10:33:31Z" }),
            _ => json!("Tue, 06 Nov 2012 10:33:31 GMT"),
        },
        Kind::Id => match random.below(2) {
            0 => json!({ "$oid": hex(random) }),
            _ => json!(hex(random)),
        },
    }
}

fn object(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

fn filter(random: &mut Random, depth: usize) -> Value {
    if depth < 4 && random.chance(4) {
        let mut inner = random.many(3, |random| filter(random, depth + 1));
        inner.push(filter(random, depth + 1));
        return object(random.pick(&["$and", "$or", "$nor"]), Value::Array(inner));
    }
    let (path, kind) = field(random);
    if random.chance(3) {
        return object(path, value(random, kind));
    }
    let (path, expression) = expression(random, path, kind, depth);
    object(path, expression)
}

fn expression(random: &mut Random, path: &'static str, kind: Kind, depth: usize) -> (&'static str, Value) {
    let operand = value(random, kind);
    let list = |random: &mut Random| Value::Array(random.many(5, |random| value(random, kind)));
    let expression = match random.below(12) {
        0 => object(random.pick(&["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), operand),
        1 => {
            let mut both = object("$gte", operand);
            both["$lt"] = value(random, kind);
            both
        }
        2 => object(random.pick(&["$in", "$nin", "$all"]), list(random)),
        3 => object("$exists", json!(random.chance(2))),
        4 => object("$type", json!(random.pick(&["string", "number", "array", "objectId", "date", "null", "int"]))),
        5 => object("$mod", json!([random.below(9) + 1, random.below(9)])),
        6 => {
            let pattern = random.pick(&["^a", "b$", "(a|b)+c", "[a-z]{2,5}", "(?i)zür", "^(a+)+$", "\\bx\\b", "."]);
            let mut regex = object("$regex", json!(pattern));
            if random.chance(2) {
                regex["$options"] = json!(random.pick(&["i", "im", "s", "x", ""]));
            }
            regex
        }
        7 => return ("tags", object("$size", json!(random.below(4)))),
        8 => {
            let name = object("name", json!({ "$ne": text(random) }));
            let inner = if random.chance(2) { json!({ "size": { "$gt": random.below(9) } }) } else { name };
            return ("parts", object("$elemMatch", inner));
        }
        9 => object(
            random.pick(&["$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"]),
            json!(random.below(256)),
        ),
        10 if depth < 4 => object("$not", expression_of(random, path, kind, depth)),
        _ => object("$in", list(random)),
    };
    (path, expression)
}

/// Of the same path, for what is around it.
fn expression_of(random: &mut Random, path: &'static str, kind: Kind, depth: usize) -> Value {
    loop {
        let (other, inner) = expression(random, path, kind, depth + 1);
        if other == path {
            return inner;
        }
    }
}

fn python(random: &mut Random, depth: usize) -> String {
    if depth < 5 && random.chance(3) {
        let inner = [python(random, depth + 1), python(random, depth + 1)];
        let joined = inner.join(random.pick(&[" and ", " or "]));
        return if random.chance(2) { format!("({joined})") } else { joined };
    }
    let (path, kind) = field(random);
    let path = if random.chance(4) || path.contains(".0") { format!("\"{path}\"") } else { path.to_owned() };
    let operator = random.pick(&["==", "!=", ">", ">=", "<", "<="]);
    let space = random.pick(&["", " "]);
    let value = match kind {
        Kind::Text => {
            let escaped = text(random).replace('\\', "\\\\").replace('\n', "\\n");
            if random.chance(2) { format!("\"{escaped}\"") } else { format!("'{}'", escaped.replace('\'', "\\'")) }
        }
        Kind::Number => match random.below(4) {
            0 => format!("-{}", random.below(1000)),
            1 => format!("{}.5", random.below(1000)),
            2 => format!("{}e{}", random.below(9) + 1, random.below(20)),
            _ => random.below(1000).to_string(),
        },
        Kind::Flag => random.pick(&["True", "False"]).to_owned(),
        Kind::Date if random.chance(2) => "datetime(2012, 11, 6, 10, 33)".to_owned(),
        Kind::Date => "'Tue, 06 Nov 2012 10:33:31 GMT'".to_owned(),
        Kind::Id if random.chance(2) => format!("ObjectId('{}')", hex(random)),
        Kind::Id => format!("'{}'", hex(random)),
    };
    format!("{path}{space}{operator}{space}{value}")
}

fn sort(random: &mut Random) -> String {
    let mut fields = random.many(4, |random| field(random).0);
    fields.push(field(random).0);
    match random.below(3) {
        0 => {
            let names: Vec<String> =
                fields.iter().map(|field| format!("{}{field}", if random.chance(2) { "-" } else { "" })).collect();
            names.join(",")
        }
        1 => {
            let pairs: Vec<String> = fields
                .iter()
                .map(|field| format!("(\"{field}\", {})", if random.chance(2) { -1 } else { 1 }))
                .collect();
            format!("[{}]", pairs.join(", "))
        }
        _ => {
            let pairs: Vec<Value> =
                fields.iter().map(|field| json!([field, if random.chance(2) { -1 } else { 1 }])).collect();
            Value::Array(pairs).to_string()
        }
    }
}

fn projection(random: &mut Random) -> String {
    let shown = random.chance(2);
    let mut fields = random.many(6, |random| field(random).0);
    fields.push(field(random).0);
    let switch = |random: &mut Random| match (shown, random.chance(2)) {
        (true, true) => json!(1),
        (true, false) => json!(true),
        (false, true) => json!(0),
        (false, false) => json!(false),
    };
    let members = fields.into_iter().map(|field| (field.to_owned(), switch(random))).collect();
    Value::Object(members).to_string()
}
