#![allow(clippy::unwrap_used)]
use bson::oid::ObjectId;
use bson::raw::RawDocumentBuf;
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, JavaScriptCodeWithScope, Regex, Timestamp, doc};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn line(document: &Document) -> (String, bool) {
    let mut out = Vec::new();
    let same = write(&RawDocumentBuf::try_from(document).unwrap(), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), same)
}

/// Each type, with the line that stands for it.
fn samples() -> Vec<(Bson, &'static str)> {
    let id = ObjectId::parse_str("5f0000000000000000000abc").unwrap();
    let date = |millis| Bson::DateTime(DateTime::from_millis(millis));
    let regex = Regex { pattern: "a\"b".try_into().unwrap(), options: "im".try_into().unwrap() };
    vec![
        (Bson::Null, "null"),
        (Bson::Boolean(true), "true"),
        (Bson::Int32(-5), "-5"),
        (Bson::Int64(5), r#"{"$numberLong":"5"}"#),
        (Bson::Int64(1 << 40), "1099511627776"),
        (Bson::Int64(i64::MIN), "-9223372036854775808"),
        (Bson::Double(5.0), "5.0"),
        (Bson::Double(-0.0), "-0.0"),
        (Bson::Double(1e300), "1e+300"),
        (Bson::Double(f64::INFINITY), r#"{"$numberDouble":"Infinity"}"#),
        (Bson::String("Zürich \"\u{1}\\".into()), r#""Zürich \"\u0001\\""#),
        (Bson::ObjectId(id), r#"{"$oid":"5f0000000000000000000abc"}"#),
        (date(1_352_198_011_120), r#"{"$date":"2012-11-06T10:33:31.120Z"}"#),
        (date(-1), r#"{"$date":{"$numberLong": "-1"}}"#),
        (date(i64::MAX), r#"{"$date":{"$numberLong": "9223372036854775807"}}"#),
        (Bson::Decimal128("1.50".parse().unwrap()), r#"{"$numberDecimal":"1.50"}"#),
        (
            Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: vec![7; 16] }),
            r#"{"$binary":{"base64":"BwcHBwcHBwcHBwcHBwcHBw==","subType":"04"}}"#,
        ),
        (Bson::Timestamp(Timestamp { time: 1, increment: 2 }), r#"{"$timestamp":{"t":1,"i":2}}"#),
        (Bson::RegularExpression(regex), r#"{"$regularExpression":{"pattern":"a\"b","options":"im"}}"#),
        (Bson::JavaScriptCode("f()".into()), r#"{"$code":"f()"}"#),
        (
            Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: "f()".into(), scope: doc! { "a": 1 } }),
            r#"{"$code":"f()","$scope":{"a":{"$numberInt":"1"}}}"#,
        ),
        (Bson::Symbol("s".into()), r#"{"$symbol":"s"}"#),
        (Bson::Undefined, r#"{"$undefined":true}"#),
        (Bson::MinKey, r#"{"$minKey":1}"#),
        (Bson::MaxKey, r#"{"$maxKey":1}"#),
        (
            Bson::Document(doc! { "$ref": "people", "$id": id, "$db": "x" }),
            r#"{"$ref":"people","$id":{"$oid":"5f0000000000000000000abc"},"$db":"x"}"#,
        ),
        (Bson::Array(vec![Bson::Int64(1), Bson::Array(vec![])]), r#"[{"$numberLong":"1"},[]]"#),
    ]
}

#[test]
fn every_type_is_written_and_reads_back_as_it_was() {
    for (value, expected) in samples() {
        let document = doc! { "v": value };
        assert_eq!(line(&document), (format!("{{\"v\":{expected}}}"), true));
        assert_eq!(parse(format!("{{\"v\":{expected}}}").as_bytes()).unwrap(), document);
    }
}

#[test]
fn what_other_programs_write_is_read() {
    let date = Bson::DateTime(DateTime::from_millis(1_352_198_011_000));
    let binary = Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 255] });
    let regex = Regex { pattern: "^a".try_into().unwrap(), options: "i".try_into().unwrap() };
    for (text, expected) in [
        (r#"{"$date":1352198011000}"#, date.clone()),
        (r#"{"$date":"2012-11-06T10:33:31.000+0000"}"#, date.clone()),
        (r#"{"$date":"2012-11-06T12:33:31+0200"}"#, date.clone()),
        (r#"{"$date":"2012-11-06T10:33:31Z"}"#, date.clone()),
        (r#"{"$date":{"$numberLong":"1352198011000"}}"#, date),
        (r#"{"$binary":"AP8=","$type":"00"}"#, binary.clone()),
        (r#"{"$binary":{"subType":"00","base64":"AP8="}}"#, binary),
        (r#"{"$regex":"^a","$options":"i"}"#, Bson::RegularExpression(regex)),
        (r#"{"$numberInt":"7"}"#, Bson::Int32(7)),
        (r#"{"$numberDouble":"7.0"}"#, Bson::Double(7.0)),
        ("18446744073709551615", Bson::Double(18_446_744_073_709_551_615.0)),
        (r#"{"$comment":{"$oid":"5f0000000000000000000abc"}}"#, {
            let id = ObjectId::parse_str("5f0000000000000000000abc").unwrap();
            Bson::Document(doc! { "$comment": id })
        }),
    ] {
        assert_eq!(parse(format!("{{\"v\":{text}}}").as_bytes()).unwrap(), doc! { "v": expected }, "{text}");
    }
}

#[test]
fn what_is_no_document_says_what_it_is() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(110), "]".repeat(110));
    for (text, told) in [
        (&b"[{\"a\":1}]"[..], "list"),
        (b"5", "no document"),
        (b"{\"a\":", "not JSON: EOF"),
        (b"{\"a\":1} {", "not JSON: trailing"),
        (b"\xff", "UTF-8"),
        (b"{\"a\":{\"$oid\":\"5f\"}}", "malformed $oid"),
        (b"{\"a\":{\"$date\":\"soon\"}}", "malformed $date"),
        (b"{\"a\":{\"$date\":\"+0000\"}}", "malformed $date"),
        (b"{\"$oid\":\"5f0000000000000000000abc\"}", "no document"),
        (b"{\"a\\u0000b\":1}", "null character"),
        (deep.as_bytes(), "deeper"),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
}

/// Stored as it came from a client's JSON, such an object would come back as an id.
#[test]
fn an_object_that_reads_back_as_something_else_is_noticed() {
    let odd = doc! { "a": [{ "b": { "$oid": "5f0000000000000000000abc" } }] };
    assert!(!line(&odd).1);
    assert!(!line(&doc! { "a": { "$date": "soon" } }).1);
    for fine in [doc! { "a": { "$comment": 1 } }, doc! { "a": { "x": 1, "$oid": 2 } }, doc! { "$ref": "a", "$id": 1 }] {
        assert!(line(&fine).1, "{fine}");
    }
}

fn value() -> BoxedStrategy<Bson> {
    let scalar = prop_oneof![
        proptest::sample::select(samples().into_iter().map(|(value, _)| value).collect::<Vec<_>>()),
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<f64>().prop_filter("its sign and bits are lost", |number| !number.is_nan()).prop_map(Bson::Double),
        any::<String>().prop_map(Bson::String),
        any::<i64>().prop_map(|millis| Bson::DateTime(DateTime::from_millis(millis))),
        any::<[u8; 12]>().prop_map(|bytes| Bson::ObjectId(ObjectId::from_bytes(bytes))),
    ];
    scalar
        .prop_recursive(3, 24, 4, |inner| {
            prop_oneof![vec(inner.clone(), 0..4).prop_map(Bson::Array), members(inner.boxed()).prop_map(Bson::Document)]
        })
        .boxed()
}

fn members(value: BoxedStrategy<Bson>) -> BoxedStrategy<Document> {
    let name = any::<String>().prop_map(|name| name.replace('\0', ""));
    vec((name, value), 0..5).prop_map(|members| members.into_iter().collect()).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_document_comes_back_byte_for_byte_or_is_noticed(document in members(value())) {
        let (text, same) = line(&document);
        let stored = RawDocumentBuf::try_from(&document).unwrap();
        let read = parse(text.as_bytes()).map(|read| RawDocumentBuf::try_from(&read).unwrap());
        prop_assert_eq!(read.is_ok_and(|read| read == stored), same, "{}", text);
    }
}
