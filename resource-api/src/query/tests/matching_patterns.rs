//! Regular expressions.

use serde_json::json;

use super::matching::check;

/// FILT-14: regular expressions find strings, symbols and themselves.
#[test]
fn regular_expressions() {
    check(
        json!({ "a": { "$regex": "b+c" } }),
        &[json!({ "a": "abbc" }), json!({ "a": ["x", "bc"] })],
        &[json!({ "a": "BC" }), json!({ "a": 1 }), json!({})],
    );
    check(json!({ "a": { "$regex": "^b.c$", "$options": "ims" } }), &[json!({ "a": "x\nB\nC" })], &[]);
    check(json!({ "a": { "$regex": "b c # d", "$options": "x" } }), &[json!({ "a": "bc" })], &[json!({ "a": "b c" })]);
    check(json!({ "a": { "$not": { "$regex": "b" } } }), &[json!({ "a": "c" }), json!({})], &[json!({ "a": "b" })]);
    let stored = json!({ "$regularExpression": { "pattern": "b", "options": "" } });
    check(json!({ "a": stored }), &[json!({ "a": stored }), json!({ "a": "abc" })], &[json!({ "a": "x" })]);
    check(json!({ "a": { "$eq": stored } }), &[json!({ "a": stored })], &[json!({ "a": "abc" })]);
}

/// FILT-14, MongoDB's manual on `$regex`: classes know the letters of ASCII, unless (*UCP) says otherwise; `$` is also before
/// a line feed at the end.
#[test]
fn patterns_mean_what_they_mean_to_mongodb() {
    let finds = |pattern: &str, options: &str, found: &[&str], not: &[&str]| {
        let texts = |list: &[&str]| list.iter().map(|text| json!({ "a": text })).collect::<Vec<_>>();
        check(json!({ "a": { "$regex": pattern, "$options": options } }), &texts(found), &texts(not));
    };
    finds("^\\w$", "", &["a", "_", "7", "a\n"], &["é", "٣", "-", "a\n\n", "a\nb"]);
    finds("^[\\w-]+$", "x", &["a-b"], &["é"]);
    finds("^\\W$", "", &["é", "-"], &["a"]);
    finds("^[^\\D5]$", "", &["4"], &["5", "٣", "x"]);
    finds("^\\s\\S$", "x", &[" a", "\u{b}\u{a0}"], &["\u{a0}a"]);
    finds("\\bt", "", &["t", "ét"], &["at"]);
    finds("(*UCP)^\\w\\d$", "", &["é٣"], &["-3"]);
    finds("a$", "m", &["a\nb"], &["ab"]);
    finds("(?m)a$", "", &["a\nb"], &["ab"]);
    finds("a$|^$", "", &["a", "a\n", "", "\n"], &["a\nb"]);
    finds("a\\z", "", &["a"], &["a\n"]);
    finds("[[:alpha:]]", "", &["a"], &["é"]);
}

/// FILT-14: a pattern that makes other engines backtrack without end takes no longer than any other.
#[test]
fn no_pattern_backtracks() {
    let text = "a".repeat(20_000);
    let started = std::time::Instant::now();
    for pattern in ["(a+)+b", "(a|a)*b", "(a|aa)+$b", "(.*)*b", "a*a*a*a*a*a*b"] {
        check(json!({ "a": { "$regex": pattern } }), &[], &[json!({ "a": text })]);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}
