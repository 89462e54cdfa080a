#![allow(clippy::unwrap_used)]

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, bson, doc};
use serde_json::{Value, json};

use super::{ConversionError, document, parse_json, value};
use crate::domain::{Domain, Format, parse};

/// As a body.
fn read(value: &Value) -> Bson {
    parse_json(value.to_string().as_bytes()).unwrap()
}

fn domain(schema: Value, globals: Value) -> Domain {
    let mut file = json!({"DOMAIN": {"r": {"schema": schema}}});
    file.as_object_mut().unwrap().extend(globals.as_object().unwrap().clone());
    parse(Format::Json, &file.to_string()).unwrap()
}

fn convert_with(schema: Value, globals: Value, payload: Value) -> Document {
    let domain = domain(schema, globals);
    document(read(&payload), domain.resource("r").unwrap(), &domain.settings).unwrap()
}

fn convert(schema: Value, payload: Value) -> Document {
    convert_with(schema, json!({}), payload)
}

const HEX: &str = "5f0000000000000000000abc";
const DATE: &str = "Tue, 06 Nov 2012 10:33:31 GMT";

fn id() -> Bson {
    Bson::ObjectId(ObjectId::parse_str(HEX).unwrap())
}

fn date() -> Bson {
    Bson::DateTime(DateTime::from_millis(1_352_198_011_000))
}

/// SER-02 and SER-03: each type's conversion; what it cannot convert stays.
#[test]
fn values_take_their_fields_type() {
    let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
    for (kind, input, expected) in [
        (json!("objectid"), json!(HEX), id()),
        (json!("objectid"), json!(""), Bson::Null),
        (json!("objectid"), json!(false), Bson::Null),
        (json!("objectid"), json!("short"), bson!("short")),
        (json!("datetime"), json!(DATE), date()),
        (json!("datetime"), json!(""), Bson::Null),
        (json!("datetime"), json!("soon"), bson!("soon")),
        (json!("integer"), json!("4"), bson!(4)),
        (json!("integer"), json!(" +1_000 "), bson!(1000)),
        (json!("integer"), json!("1__0"), bson!("1__0")),
        (json!("integer"), json!(4.9), bson!(4)),
        (json!("integer"), json!(-4.9), bson!(-4)),
        (json!("integer"), json!(true), bson!(1)),
        (json!("integer"), json!("4.5"), bson!("4.5")),
        (json!("integer"), json!(1e20), bson!(1e20)),
        (json!("float"), json!("1.5"), bson!(1.5)),
        (json!("float"), json!(3), bson!(3.0)),
        (json!("float"), json!(true), bson!(1.0)),
        (json!("float"), json!("x"), bson!("x")),
        (json!("number"), json!("35"), bson!(35)),
        (json!("number"), json!("3.5"), bson!(3.5)),
        (json!("number"), json!("abc"), bson!("abc")),
        (json!("number"), json!(7), bson!(7)),
        (json!("boolean"), json!("TRUE"), bson!(true)),
        (json!("boolean"), json!("0"), bson!(false)),
        (json!("boolean"), json!(1), bson!(true)),
        (json!("boolean"), json!(2), bson!(2)),
        (json!("boolean"), json!(1.0), bson!(1.0)),
        (json!("decimal"), json!("1.50"), decimal("1.50")),
        (json!("decimal"), json!(2), decimal("2")),
        (json!("decimal"), json!(1.5), decimal("1.5")),
        (json!("decimal"), json!("12345678901234567890123"), decimal("12345678901234567890123")),
        (json!("decimal"), json!(12_345_678_901_234_567_890_123.0), bson!(12_345_678_901_234_567_890_123.0)),
        (json!("decimal"), json!(i64::MAX), decimal("9223372036854775807")),
        (json!("decimal"), json!(u64::MAX), bson!(u64::MAX as f64)),
        (json!("decimal"), json!("x"), bson!("x")),
        (json!("decimal"), json!("1E+3"), decimal("1E+3")),
        (json!("decimal"), json!("-.5"), decimal("-0.5")),
        (json!("decimal"), json!("NaN"), decimal("NaN")),
        (json!("decimal"), json!(""), bson!("")),
        (json!("decimal"), json!("."), bson!(".")),
        (
            json!("dbref"),
            json!({"$id": 7, "$col": "people", "$db": "d"}),
            bson!({ "$ref": "people", "$id": 7, "$db": "d" }),
        ),
        (json!("dbref"), json!({"$id": 7}), bson!({ "$id": 7 })),
        (json!("string"), json!(7), bson!(7)),
        (json!("dict"), json!({"a": HEX}), bson!({ "a": HEX })),
        (json!("integer"), json!(null), Bson::Null),
        (json!(["string", "integer"]), json!("1"), bson!(1)),
    ] {
        let converted = convert(json!({"f": {"type": kind}}), json!({"f": input}));
        assert_eq!(converted, doc! { "f": expected }, "{kind} {input}");
    }
}

/// DB-03: the narrowest integer; beyond 64 bits a double.
#[test]
fn integers_are_as_small_as_they_fit() {
    assert_eq!(read(&json!(i32::MAX)), Bson::Int32(i32::MAX));
    assert_eq!(read(&json!(i64::from(i32::MAX) + 1)), Bson::Int64(2_147_483_648));
    assert_eq!(read(&json!(u64::MAX)), Bson::Double(18_446_744_073_709_551_615.0));
    let odd = json!({"f": {"type": "integer"}});
    assert_eq!(convert(odd, json!({"f": "9007199254740993"})), doc! { "f": 9_007_199_254_740_993_i64 });
}

/// SER-01: at every depth and inside lists, unless something is in the way.
#[test]
fn dotted_names_become_dicts() {
    for (payload, expected) in [
        (json!({"loc.city": 1, "loc.zip": 2}), doc! { "loc": { "city": 1, "zip": 2 } }),
        (json!({"a": {"b.c": 1}}), doc! { "a": { "b": { "c": 1 } } }),
        (json!({"l": [{"b.c": 1}]}), doc! { "l": [{ "b": { "c": 1 } }] }),
        (json!({"a.b": {"c.d": 1}}), doc! { "a": { "b": { "c": { "d": 1 } } } }),
        (json!({"a": {"x": 1}, "a.y": 2}), doc! { "a": { "x": 1, "y": 2 } }),
        (json!({"a": 5, "a.b": 1}), doc! { "a": 5, "a.b": 1 }),
        (json!({".a": 1, "b.": 2, ".": 3}), doc! { ".a": 1, "b.": 2, ".": 3 }),
    ] {
        assert_eq!(convert(json!({}), payload), expected);
    }
    let file = json!({"NORMALIZE_DOTTED_FIELDS": false});
    assert_eq!(convert_with(json!({}), file, json!({"a.b": 1})), doc! { "a.b": 1 });
}

/// A name of many dots must not make a document that overflows the stack when it is dropped.
#[test]
fn dotted_names_that_lead_too_deep_stay_as_they_are() {
    let deep = vec!["a"; 100_000].join(".");
    assert_eq!(convert(json!({}), json!({deep.as_str(): 1})), doc! { deep.as_str(): 1 });
    let fifty = vec!["a"; 50].join(".");
    let nested = convert(json!({}), json!({fifty.as_str(): {fifty.as_str(): {fifty.as_str(): 1}}}));
    let mut value = &Bson::Document(nested);
    let mut depth = 0;
    while let Some(inner) = value.as_document().and_then(|document| document.values().next()) {
        value = inner;
        depth += 1;
    }
    // Fifty steps, and the two names below that would have led past a hundred.
    assert_eq!(depth, 52);
    let ninety_nine = vec!["a"; 99].join(".");
    assert_eq!(convert(json!({}), json!({ninety_nine.as_str(): 1})).keys().next().unwrap(), "a");
}

/// Each name costs its own length, not that of the whole document.
#[test]
fn many_dotted_names_are_expanded_in_one_pass() {
    let dotted = Bson::Document((0..200_000).map(|number| (format!("f{number}.x"), bson!(number))).collect());
    let domain = domain(json!({}), json!({}));
    let started = std::time::Instant::now();
    let document = document(dotted, domain.resource("r").unwrap(), &domain.settings).unwrap();
    assert_eq!(document.len(), 200_000);
    assert_eq!(document.get_document("f7").unwrap(), &doc! { "x": 7 });
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

/// What the store can't keep is refused by name, wherever it stands and wherever it came from.
#[test]
fn null_characters_in_names_and_deep_nesting_are_refused() {
    let domain = domain(json!({"n": {"type": "number"}}), json!({}));
    let refuse = |payload| document(read(&payload), domain.resource("r").unwrap(), &domain.settings).unwrap_err();
    for payload in [
        json!({"a\u{0}": 1}),
        json!({"a": {"a\u{0}": 1}}),
        json!({"a": [[{"a\u{0}": 1}]]}),
        json!({"n": r#"{"a\u0000": 1}"#}),
    ] {
        assert_eq!(refuse(payload), ConversionError::NullInName("a\\x00".to_owned()));
    }
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!({"a": inner}));
    assert_eq!(refuse(nested(101)), ConversionError::TooDeep);
    assert!(document(read(&nested(100)), domain.resource("r").unwrap(), &domain.settings).is_ok());
    assert!(document(read(&json!({"a": "\u{0}"})), domain.resource("r").unwrap(), &domain.settings).is_ok());
}

/// SER-04 and SER-05 (F): wherever a rule gives a type.
#[test]
fn conversion_reaches_every_place_with_a_type() {
    let typed = json!({"type": "objectid"});
    for (rules, input, expected) in [
        (json!({"type": "dict", "schema": {"i": typed}}), json!({"i": HEX}), bson!({ "i": id() })),
        (json!({"schema": {"i": typed}}), json!({"i": HEX}), bson!({ "i": id() })),
        (json!({"type": "list", "schema": typed}), json!([HEX, 1]), bson!([id(), 1])),
        (
            json!({"type": "list", "schema": {"type": "dict", "schema": {"i": typed}}}),
            json!([{"i": HEX}]),
            bson!([{ "i": id() }]),
        ),
        (json!({"type": "list", "schema": {"type": "list", "schema": typed}}), json!([[HEX]]), bson!([[id()]])),
        (json!({"items": [typed, {"type": "integer"}]}), json!([HEX, "4"]), bson!([id(), 4])),
        (json!({"items": [{"type": "dict", "schema": {"i": typed}}]}), json!([{"i": HEX}]), bson!([{ "i": id() }])),
        (json!({"valuesrules": typed}), json!({"a": HEX}), bson!({ "a": id() })),
        (json!({"type": "dict", "allow_unknown": typed}), json!({"a": HEX}), bson!({ "a": id() })),
        (json!({"anyof": [typed, {"type": "datetime"}]}), json!(DATE), date()),
        (json!({"oneof_type": ["objectid", "string"]}), json!(HEX), id()),
        (
            json!({"type": "list", "schema": {"anyof_type": ["datetime", "integer"]}}),
            json!([DATE, "4"]),
            bson!([date(), 4]),
        ),
        (json!({"anyof": [{"allof": [{"type": "integer"}]}]}), json!("4"), bson!(4)),
    ] {
        assert_eq!(convert(json!({"f": rules}), json!({"f": input})), doc! { "f": expected }, "{rules}");
    }
}

/// SER-06: before the elements are converted.
#[test]
fn single_values_may_become_lists() {
    let file = json!({"AUTO_CREATE_LISTS": true});
    let schema = json!({"f": {"type": "list", "schema": {"type": "integer"}}});
    assert_eq!(convert_with(schema.clone(), file.clone(), json!({"f": "4"})), doc! { "f": [4] });
    let lists = json!({"f": {"type": "list", "schema": {"type": "list", "schema": {"type": "integer"}}}});
    assert_eq!(convert_with(lists, file, json!({"f": "4"})), doc! { "f": ["4"] });
    assert_eq!(convert(schema, json!({"f": "4"})), doc! { "f": "4" });
}

/// POST-02, PATCH-03: what is no object is shown as Python text.
#[test]
fn what_is_no_object_is_refused() {
    let domain = domain(json!({}), json!({}));
    let refuse =
        |payload| document(read(&payload), domain.resource("r").unwrap(), &domain.settings).unwrap_err().to_string();
    assert_eq!(refuse(json!([1, "a"])), "'[1, 'a']' is not a document, must be a dict");
    assert_eq!(refuse(json!("x")), "'x' is not a document, must be a dict");
    assert_eq!(refuse(json!(null)), "document is missing");
}

/// SER-07: values of URLs.
#[test]
fn a_value_of_a_url_is_converted_by_its_field() {
    let domain = domain(json!({"n": {"type": "integer"}}), json!({}));
    let field = &domain.resource("r").unwrap().schema["n"];
    assert_eq!(value(bson!("7"), field, &domain.settings), bson!(7));
}
