use serde_json::json;

use super::{domain, encode, plain, query};
use crate::query::Query;

/// LINK-02, GOLD-03: raw, in Eve's order; `embedded` and `projection` are never repeated.
#[test]
fn parameters_come_back_in_eves_order() {
    let domain = plain();
    let query_string = "foo=1&max_results=2&page=2&where=%7B%22age%22%3A%7B%22%24gt%22%3A1%7D%7D&bar=&foo=a+b&sort=-age\
                        &projection={%22age%22:1}&embedded={}&version=2&pretty";
    let query = Query::parse(&domain, &domain.resources["people"], query_string).unwrap();
    let expected = r#"?max_results=2&where={"age":{"$gt":1}}&sort=-age&page=3&foo=1&foo=a b&bar=&pretty="#;
    assert_eq!(query.link_suffix(3), expected);
    assert_eq!(query.link_suffix(1), expected.replace("&page=3", ""));
    assert!(query.pretty);
}

/// LINK-02: nothing to say, nothing said; the effective page size counts, not the one asked for.
#[test]
fn defaults_are_left_out() {
    let plain = plain();
    let suffix = |parameters: &[(&str, &str)], page| query(&plain, parameters).unwrap().link_suffix(page);
    assert_eq!(suffix(&[], 1), "");
    assert_eq!(suffix(&[], 2), "?page=2");
    assert_eq!(suffix(&[("max_results", "25")], 1), "");
    assert_eq!(suffix(&[("max_results", "1000")], 1), "?max_results=50");
    assert_eq!(suffix(&[("where", ""), ("sort", "")], 1), "");
    assert_eq!(suffix(&[("a", "1")], 2), "?page=2&a=1");
    // LINK-03.
    let off = domain(json!({ "PAGINATION": false }), json!({}));
    assert_eq!(query(&off, &[]).unwrap().link_suffix(1), "?max_results=0");
}

/// REQ-10, LINK-02: what is switched off is ignored and dropped; of repeated parameters the first counts.
#[test]
fn switched_off_and_repeated_parameters() {
    let off =
        domain(json!({ "ALLOWED_FILTERS": [], "SORTING": false, "PROJECTION": false, "EMBEDDING": false }), json!({}));
    let broken = [("where", "("), ("sort", "("), ("projection", "("), ("embedded", "(")];
    assert_eq!(query(&off, &broken).unwrap().link_suffix(1), "");
    let twice = query(&plain(), &[("where", "age==1"), ("where", "("), ("page", "2"), ("page", "7")]).unwrap();
    assert_eq!((twice.page.number, twice.link_suffix(1).as_str()), (2, "?where=age==1"));
}

/// Section 2.1: parameters have the names that the domain file gives them.
#[test]
fn names_are_configurable() {
    let domain = domain(
        json!({ "QUERY_WHERE": "q", "QUERY_SORT": "o", "QUERY_PAGE": "p", "QUERY_MAX_RESULTS": "n" }),
        json!({}),
    );
    let query = query(&domain, &[("q", "age==1"), ("o", "-age"), ("p", "2"), ("n", "3"), ("where", "(")]).unwrap();
    assert_eq!((query.page.number, query.page.max_results), (2, 3));
    assert_eq!(query.link_suffix(2), "?n=3&q=age==1&o=-age&p=2&where=(");
}

/// GET-02, LINK-06: an item ignores `where`, `sort` and paging, but its links repeat them.
#[test]
fn an_items_query() {
    let domain = plain();
    let resource = &domain.resources["people"];
    let query = Query::parse_item(&domain, resource, &encode(&[("where", "("), ("sort", "["), ("page", "2")])).unwrap();
    assert_eq!(query.filter, crate::query::Filter::All);
    assert_eq!(query.link_suffix(2), "?where=(&sort=[&page=2");
    assert!(Query::parse_item(&domain, resource, &encode(&[("projection", "(")])).is_err());
    assert!(Query::parse_item(&domain, resource, &encode(&[("embedded", "(")])).is_err());
}
