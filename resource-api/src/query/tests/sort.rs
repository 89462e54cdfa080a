use serde_json::json;

use super::{domain, plain, query};
use crate::domain::Domain;
use crate::query::{Direction, QueryError, Sort};

fn parse(domain: &Domain, text: &str) -> Result<String, QueryError> {
    query(domain, &[("sort", text)]).map(|query| written(&query.sort))
}

fn written(sort: &Sort) -> String {
    let key = |(path, direction): &(String, Direction)| match direction {
        Direction::Ascending => path.clone(),
        Direction::Descending => format!("-{path}"),
    };
    sort.iter().map(key).collect::<Vec<_>>().join(" ")
}

/// SORT-01, SORT-02, SORT-03, as Eve with its marked defects mended.
#[test]
fn every_form_of_a_sort() {
    let domain = domain(json!({}), json!({ "allow_unknown": true }));
    for (text, expected) in [
        (r#"[("name",-1),("age",1)]"#, "-name age"),
        (r#"[["name",-1]]"#, "-name"),
        ("[('name', -1), ]", "-name"),
        (r#"{"age":-1, 'name': +1}"#, "-age name"),
        (r#"(("name",-1),)"#, "-name"),
        (r#"["age", ("name", -1)]"#, "age -name"),
        (r#""age","name""#, "age name"),
        (r#"[("a",1),("b",1),("a",-1)]"#, "-a b"),
        ("-age, name", "-age name"),
        (" name ", "name"),
        ("location.city,-rows.price", "location.city -rows.price"),
        ("rows.0.price", "rows.0.price"),
        ("-_created", "-_created"),
        ("first-name", "first-name"),
        ("größe", "größe"),
        ("age,1", "age 1"),
        // Eve 400.
        ("class, a.is, 1abc", "class a.is 1abc"),
        ("None", ""),
        ("[]", ""),
        ("{}", ""),
        ("()", ""),
    ] {
        assert_eq!(parse(&domain, text).unwrap(), expected, "{text}");
    }
}

/// SORT-03: 400 with the general text.
#[test]
fn what_is_no_sort() {
    let domain = plain();
    let many = (0..40).map(|number| format!("tags.{number}")).collect::<Vec<_>>().join(",");
    let deep = "[".repeat(10_000);
    for text in [
        r#"[("a":1)]"#,
        "a b",
        "age:1",
        "-",
        "age,",
        "a,,b",
        r#""age""#,
        r#"("name",-1)"#,
        "5",
        "-5",
        "1,2",
        "True",
        r#"[("age",2)]"#,
        r#"[("age",1.0)]"#,
        r#"[("age",True)]"#,
        r#"[("age","text")]"#,
        r#"[("age",)]"#,
        r#"[("age",1,1)]"#,
        r#"[(1,1)]"#,
        r#"{"age"}"#,
        r#"{"age":1"#,
        r#"[("age",1)] x"#,
        r#"[("age" 1)]"#,
        "a=1",
        "a..b",
        ".a",
        "$a",
        r#"[("$a",1)]"#,
        r#"[("",1)]"#,
        "[[[[[[1]]]]]]",
        many.as_str(),
        deep.as_str(),
    ] {
        let error = parse(&domain, text).unwrap_err();
        assert!(matches!(error, QueryError::Sort(_)), "{text}: {error}");
        assert!(!error.is_told());
    }
}

/// SORT-04: the resource's own order applies where the client has none, unless sorting is off.
#[test]
fn the_default_order() {
    let datasource = json!({ "datasource": { "default_sort": [["age", -1]] } });
    let on = domain(json!({}), datasource.clone());
    assert_eq!(written(&query(&on, &[]).unwrap().sort), "-age");
    assert_eq!(parse(&on, "None").unwrap(), "-age");
    assert_eq!(parse(&on, "name").unwrap(), "name");
    let off = domain(json!({ "SORTING": false }), datasource);
    assert_eq!(written(&query(&off, &[]).unwrap().sort), "");
    assert_eq!(parse(&off, "[broken").unwrap(), "");
}

/// SORT-04: an unknown field is accepted; as no client sees its values, it gives no order either.
#[test]
fn an_unknown_field_gives_no_order() {
    assert_eq!(parse(&plain(), "nothing,name").unwrap(), "name");
}
