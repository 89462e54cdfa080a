use serde_json::{Value, json};

use super::document;
use crate::query::mongo_syntax::parse_trusted;

fn refusal(filter: Value) -> String {
    parse_trusted(&document(filter.clone())).map(|parsed| format!("{filter} is {parsed:?}")).unwrap_err().to_string()
}

/// FILT-10, FILT-14: what MongoDB refuses is refused with the operator's name.
#[test]
fn misused_operators_are_named() {
    let lists = ["$and", "$or", "$nor"];
    for operator in lists {
        for wrong in [json!(1), json!([]), json!([1]), json!({ "a": 1 })] {
            assert_eq!(
                refusal(json!({ operator: wrong })),
                format!("operator '{operator}' expects a list of sub-queries")
            );
        }
    }
    for (filter, expected) in [
        (json!({ "a": { "$in": 1 } }), "operator '$in' expects a list"),
        (json!({ "a": { "$nin": [{ "$gt": 1 }] } }), "operator '$nin' expects plain values"),
        (json!({ "a": { "$not": 1 } }), "operator '$not' expects an expression"),
        (json!({ "a": { "$not": {} } }), "operator '$not' expects an expression"),
        (json!({ "a": { "$size": -1 } }), "operator '$size' expects a whole number from 0"),
        (json!({ "a": { "$size": 1.5 } }), "operator '$size' expects a whole number from 0"),
        (json!({ "a": { "$size": 2_147_483_648_u32 } }), "operator '$size' expects a whole number from 0"),
        (json!({ "a": { "$type": "text" } }), "operator '$type' expects names or numbers of types"),
        (json!({ "a": { "$type": 20 } }), "operator '$type' expects names or numbers of types"),
        (json!({ "a": { "$type": [] } }), "operator '$type' expects names or numbers of types"),
        (json!({ "a": { "$mod": [0, 1] } }), "operator '$mod' expects a divisor other than 0 and a remainder"),
        (json!({ "a": { "$mod": [2] } }), "operator '$mod' expects a divisor other than 0 and a remainder"),
        (json!({ "a": { "$all": 1 } }), "operator '$all' expects a list of values, or of $elemMatch alone"),
        (
            json!({ "a": { "$all": [1, { "$elemMatch": {} }] } }),
            "operator '$all' expects a list of values, or of $elemMatch alone",
        ),
        (
            json!({ "a": { "$all": [{ "$gt": 1 }] } }),
            "operator '$all' expects a list of values, or of $elemMatch alone",
        ),
        (json!({ "a": { "$elemMatch": 1 } }), "operator '$elemMatch' expects an object"),
        (json!({ "a": { "$bitsAllSet": -1 } }), "operator '$bitsAllSet' expects a mask or positions from 0 to 63"),
        (json!({ "a": { "$bitsAllSet": [64] } }), "operator '$bitsAllSet' expects a mask or positions from 0 to 63"),
        (json!({ "a": { "$options": "i" } }), "operator '$options' expects a $regex beside it"),
        (json!({ "a": { "$regex": 1 } }), "operator '$regex' expects a string"),
        (
            json!({ "a": { "$gt": { "$regularExpression": { "pattern": "a", "options": "" } } } }),
            "operator '$gt' expects a value, not a regular expression",
        ),
        (json!({ "a": { "$gt": 1, "b": 2 } }), "operator 'b' is unknown or out of place"),
        (json!({ "$gt": 1 }), "operator '$gt' is unknown or out of place"),
        (json!({ "a": { "$and": [] } }), "operator '$and' is unknown or out of place"),
        (json!({ "a": { "$elemMatch": { "$gt": 1, "b": 2 } } }), "operator 'b' is unknown or out of place"),
        (json!({ "$where": "1" }), "operator '$where' is not supported"),
        (json!({ "$expr": {} }), "operator '$expr' is not supported"),
        (json!({ "$text": { "$search": "x" } }), "operator '$text' is not supported"),
        (json!({ "a": { "$near": [1, 2] } }), "operator '$near' is not supported"),
        (json!({ "a": { "$geoWithin": {} } }), "operator '$geoWithin' is not supported"),
        (json!({ "": 1 }), "invalid field name ''"),
    ] {
        assert_eq!(refusal(filter), expected);
    }
}

/// FILT-14: patterns are bounded before they run, and only those of linear time run at all.
#[test]
fn bad_patterns_are_refused() {
    let long = "a".repeat(5000);
    for (pattern, reason) in [
        ("(", "unclosed group"),
        ("(?=a)b", "look-around, including look-ahead and look-behind, is not supported"),
        ("(a)\\1", "backreferences are not supported"),
        ("(?:(?:a{1000}){1000}){1000}", "too large when compiled"),
        (long.as_str(), "longer than 4096 bytes"),
        ("a\0b", "has an embedded null byte"),
    ] {
        assert_eq!(refusal(json!({ "a": { "$regex": pattern } })), format!("invalid regular expression: {reason}"));
    }
    assert!(refusal(json!({ "a": { "$regex": "a", "$options": "q" } })).contains('q'));
}

/// FILT-14: what one of the two engines refuses, or reads otherwise, is refused for documents in either store.
#[test]
fn only_what_both_engines_read_alike_is_a_pattern() {
    for pattern in [
        "[a&&b]",
        "[a-z--b]",
        "[x[ab]]",
        "[^[a]]",
        "\\u0061",
        "[\\U00000061]",
        "\\<a",
        "a\\b{end}",
        "(?u)a",
        "(?R:a)",
        "a(?i-u)b",
        "\\p{Letter}",
        "[\\p{Decimal_Number}]",
        "\\p{Script=Greek}",
        "(*UTF8)a",
        "a(*UCP)",
    ] {
        let told = refusal(json!({ "a": { "$regex": pattern } }));
        assert!(told.starts_with("invalid regular expression: "), "{told}");
        let written = json!({ "$regularExpression": { "pattern": pattern, "options": "i" } });
        assert_eq!(refusal(json!({ "a": { "$in": [written] } })), told);
    }
    for pattern in
        ["[a\\[&]", "[[:alpha:]-]", "\\x{61}", "\\p{Greek}\\pL\\p{Lu}", "(?i)(?P<n>a)(?<m>b)(?s-x:c)", "(*UCP)\\w"]
    {
        parse_trusted(&document(json!({ "a": { "$regex": pattern } }))).unwrap();
    }
}

/// FILT-14: nesting is bounded.
#[test]
fn a_deep_filter_is_refused() {
    let mut deep = json!({ "a": 1 });
    let mut negated = json!({ "$gt": 1 });
    for _ in 0..70 {
        deep = json!({ "$or": [deep] });
        negated = json!({ "$not": negated });
    }
    assert_eq!(refusal(deep), "the filter is nested too deeply");
    assert_eq!(refusal(json!({ "a": negated })), "the filter is nested too deeply");
}

/// The native form reads back as the same filter.
#[test]
fn a_filter_survives_its_native_form() {
    for filter in [
        json!({}),
        json!({ "a": 1, "b": { "$gt": 1, "$lt": 5 } }),
        json!({ "a": { "$in": [1, "x"] } }),
        json!({ "a": { "$nin": [1, { "$regularExpression": { "pattern": "x", "options": "i" } }] } }),
        json!({ "a": { "$not": { "$regex": "x", "$options": "i" } } }),
        json!({ "a": { "$all": [1, { "$regularExpression": { "pattern": "x", "options": "" } }] } }),
        json!({ "a": { "$all": [{ "$elemMatch": { "b": 1 } }] } }),
        json!({ "a": { "$elemMatch": { "$gt": 1, "$not": { "$in": [2] } } } }),
        json!({ "$or": [{ "a": { "$exists": false } }, { "$nor": [{ "a": { "$type": ["int", 2] } }] }] }),
        json!({ "a": { "$mod": [2, 1] }, "b": { "$size": 2 }, "c": { "$bitsAllSet": [1, 63] } }),
    ] {
        let parsed = parse_trusted(&document(filter)).unwrap();
        assert_eq!(parse_trusted(&parsed.to_document()).unwrap(), parsed);
    }
}

/// The paths of a filter are complete, those of elements included.
#[test]
fn fields_are_whole_paths() {
    let filter = json!({ "a": 1, "$or": [{ "b.c": { "$elemMatch": { "d": 1, "$or": [{ "e": 1 }] } } }], "f": { "$not": { "$gt": 1 } } });
    let fields = parse_trusted(&document(filter)).unwrap().fields();
    assert_eq!(fields.into_iter().collect::<Vec<_>>(), ["a", "b.c", "b.c.d", "b.c.e", "f"]);
}
