use serde_json::json;

use super::{domain, plain, query};

/// PAGE-01: a float, its fraction cut, or else the default.
#[test]
fn max_results_is_read_as_python_reads_it() {
    let domain = plain();
    for (text, expected) in [
        ("10", 10),
        ("2.9", 2),
        ("1e1", 10),
        (" 7 ", 7),
        ("+3", 3),
        ("1_0", 10),
        ("0.5", 25),
        ("0", 25),
        ("-4", 25),
        ("nan", 25),
        ("inf", 25),
        ("-inf", 25),
        ("_1", 25),
        ("1__0", 25),
        ("ten", 25),
        ("", 25),
        // PAGE-02.
        ("51", 50),
        ("1e300", 50),
    ] {
        let query = query(&domain, &[("max_results", text)]).unwrap();
        assert_eq!(query.page.max_results, expected, "{text}");
        assert_eq!(query.find().limit, Some(expected));
    }
}

/// PAGE-02: the resource's own limit counts; without pagination there is none, and no pages.
#[test]
fn limits_are_the_resources_own() {
    let limited = domain(json!({}), json!({ "pagination_limit": 5 }));
    assert_eq!(query(&limited, &[]).unwrap().page.max_results, 5);
    let off = domain(json!({ "PAGINATION": false }), json!({}));
    let all = query(&off, &[("page", "3")]).unwrap();
    assert_eq!((all.page.max_results, all.page.number, all.find().limit, all.find().skip), (0, 1, None, 0));
    assert_eq!(query(&off, &[("max_results", "1000")]).unwrap().find().limit, Some(1000));
    assert_eq!(query(&off, &[("max_results", "1e300")]).unwrap().find().limit, Some(i64::MAX as u64));
}

/// PAGE-03, PAGE-04: the absolute value of an integer, at least 1.
#[test]
fn pages_count_from_one() {
    let domain = plain();
    for (text, number) in [
        ("3", 3),
        ("-2", 2),
        ("+2", 2),
        (" 2 ", 2),
        ("1_1", 11),
        ("0", 1),
        ("1.5", 1),
        ("two", 1),
        ("", 1),
        ("--2", 1),
        ("99999999999999999999999", i64::MAX as u64),
    ] {
        let query = query(&domain, &[("page", text)]).unwrap();
        assert_eq!(query.page.number, number, "{text}");
        assert_eq!(query.find().skip, (number - 1).saturating_mul(25).min(i64::MAX as u64));
    }
}

/// LIST-02: the total is wanted unless the resource saves the count.
#[test]
fn counting_is_the_resources_choice() {
    assert!(query(&plain(), &[]).unwrap().find().count);
    let fast = domain(json!({}), json!({ "optimize_pagination_for_speed": true }));
    assert!(!query(&fast, &[]).unwrap().find().count);
}
