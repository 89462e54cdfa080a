use bson::oid::ObjectId;
use bson::{DateTime, Document, doc};
use serde_json::json;

use super::domain;
use crate::query::python_syntax::parse;
use crate::query::{QueryError, python_syntax};

fn id() -> ObjectId {
    ObjectId::parse_str("50656e4538345b39dd0414f0").unwrap()
}

/// FILT-06, FILT-07, FILT-09: what each condition becomes.
#[test]
fn conditions() {
    let date = DateTime::builder().year(2013).month(1).day(1).build().unwrap();
    let moment =
        DateTime::builder().year(2013).month(1).day(2).hour(3).minute(4).second(5).millisecond(6).build().unwrap();
    let cases: Vec<(&str, Document)> = vec![
        ("a == 1", doc! { "a": 1 }),
        ("a==1.5", doc! { "a": 1.5 }),
        ("a == 1e3", doc! { "a": 1000.0 }),
        ("a == 1e-3", doc! { "a": 0.001 }),
        ("a == .5", doc! { "a": 0.5 }),
        ("a == 3000000000", doc! { "a": 3_000_000_000_i64 }),
        ("a == -3", doc! { "a": -3 }),
        ("a == -2147483648", doc! { "a": i32::MIN }),
        ("a == -9223372036854775808", doc! { "a": -9_223_372_036_854_775_808.0 }),
        ("a == +3", doc! { "a": 3 }),
        ("a > - 3", doc! { "a": { "$gt": -3 } }),
        ("a != 1", doc! { "a": { "$ne": 1 } }),
        ("a >= 1", doc! { "a": { "$gte": 1 } }),
        ("a < 1", doc! { "a": { "$lt": 1 } }),
        ("a<='x'", doc! { "a": { "$lte": "x" } }),
        ("a.b.c == \"it's\"", doc! { "a.b.c": "it's" }),
        (r#"a == 'x\'\n\x41\u00e9\101\q'"#, doc! { "a": "x'\nAéA\\q" }),
        ("'a.b' == ''", doc! { "a.b": "" }),
        ("a == ABC", doc! { "a": "ABC" }),
        ("a == x.y", doc! { "a": "x.y" }),
        ("a == True", doc! { "a": true }),
        ("a != False", doc! { "a": { "$ne": false } }),
        ("a == None", doc! { "a": null }),
        ("a == ObjectId('50656e4538345b39dd0414f0')", doc! { "a": id() }),
        ("a == ObjectId", doc! { "a": "ObjectId" }),
        ("a >= datetime(2013,1,1)", doc! { "a": { "$gte": date } }),
        ("a < datetime(9999,12,31,23,59,59)", doc! { "a": { "$lt": DateTime::from_millis(253_402_300_799_000) } }),
        ("a == datetime(2013, 1, 2, 3, 4, 5, 6000)", doc! { "a": moment }),
        ("a==1 and b==2", doc! { "$and": [{ "a": 1 }, { "b": 2 }] }),
        ("a==1 and b==2 and c==3", doc! { "$and": [{ "a": 1 }, { "b": 2 }, { "c": 3 }] }),
        ("a==1 or b==2 and c==3", doc! { "$or": [{ "a": 1 }, { "$and": [{ "b": 2 }, { "c": 3 }] }] }),
        ("(a==1 or b==2) and c==3", doc! { "$and": [{ "$or": [{ "a": 1 }, { "b": 2 }] }, { "c": 3 }] }),
        ("((a==1))", doc! { "a": 1 }),
        ("  a == 1  ", doc! { "a": 1 }),
        ("größe == 1", doc! { "größe": 1 }),
        // Eve 400.
        ("class == 1 or a.is == 2", doc! { "$or": [{ "class": 1 }, { "a.is": 2 }] }),
        ("1abc == 1", doc! { "1abc": 1 }),
        ("rows.0.price == 1", doc! { "rows.0.price": 1 }),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Some(expected), "{text}");
    }
}

/// FILT-08, FILT-09: whatever is no comparison of a field with a value.
#[test]
fn what_is_no_condition() {
    let deep = format!("{}a==1{}", "(".repeat(100_000), ")".repeat(100_000));
    for text in [
        "",
        "a",
        "a=3",
        "not a==3",
        "foo(1)",
        "a|2",
        "a==",
        "==1",
        "a==1 and",
        "and a==1",
        "or",
        "(a==1",
        "a==1)",
        "()",
        "a==1 and not b==2",
        "a in [1]",
        "a is None",
        "1<a",
        "1<a<4",
        "a<4<9",
        "a==3+1",
        "a==[1,2]",
        "a-b==1",
        "a[\"x\"]==1",
        "a==ObjectId('x')",
        "a==ObjectId(5)",
        "a==ObjectId()",
        "a==ObjectId('50656e4538345b39dd0414f0'",
        "a==datetime(2013)",
        "a==datetime(2013,1,32)",
        "a==datetime(0,1,1)",
        "a==datetime(2013,1,1,1,1,1,1,1)",
        "a==datetime('x')",
        "a==datetime(2013,1,-1)",
        "a==1;b==2",
        "a==1\nb==2",
        "a==1 b==2",
        "a==1 # x",
        "a=='x",
        "a=='x\n'",
        "a==1abc",
        "a==1.2.3",
        "a==007",
        "a..b==1",
        ".a==1",
        "a.==1",
        "$a==1",
        "'$where'=='x'",
        "''==1",
        "5==a",
        "'a'",
        "True==a",
        "a==b'x'",
        "a==u'x'",
        "a==not",
        "a<>1",
        "a===1",
        "a==--1",
        "a==-b",
        "a==1 if b else 2",
        "lambda: a==1",
        "a==1 and ()",
        "{\"a\": 1",
        "é",
        "a=='\\x4'",
        "a=='\\ud800'",
        deep.as_str(),
    ] {
        assert_eq!(python_syntax::parse(text), None, "{}", text.get(..40).unwrap_or(text));
    }
    let error = super::filter(&domain(json!({}), json!({})), "not a==3").unwrap_err();
    assert_eq!((&error, error.is_told()), (&QueryError::Where, false));
    assert_eq!(error.to_string(), "Unable to parse `where` clause");
}
