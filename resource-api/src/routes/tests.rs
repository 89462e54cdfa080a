#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;
use crate::domain::{Format, parse};

fn router(settings: serde_json::Value) -> Router {
    Router::new(&parse(Format::Json, &settings.to_string()).unwrap()).unwrap()
}

fn sample() -> Router {
    router(json!({ "DOMAIN": {
        "people": {
            "resource_methods": ["GET", "POST", "DELETE"], "item_methods": ["GET", "PATCH", "PUT", "DELETE"],
            "schema": { "lastname": { "type": "string" } },
            "additional_lookup": { "url": "regex(\"[\\w]+\")", "field": "lastname" },
        },
        "overseas": { "url": "people/overseas" },
        "invoices": { "url": "people/<regex(\"[a-f0-9]{24}\"):person>/invoices" },
        "codes": {
            "schema": { "number": { "type": "integer" } },
            "additional_lookup": { "url": "ignored", "field": "number" },
        },
        "files": { "url": "files/<path:folder>/all", "item_lookup": false },
        "hidden": { "internal_resource": true },
    } }))
}

/// Which target and values a GET of `path` leads to.
fn found(router: &Router, path: &str) -> String {
    match router.find(Action::from_name("GET"), path) {
        Err(error) => format!("{error:?}"),
        Ok(matched) => {
            let target = match &matched.route.target {
                Target::Home => "home".to_owned(),
                Target::Schemas => "schemas".to_owned(),
                Target::Schema => "schema".to_owned(),
                Target::Collection(resource) => resource.key.clone(),
                Target::Item { resource, .. } => format!("{} item", resource.key),
                Target::Lookup { resource, .. } => format!("{} lookup", resource.key),
            };
            let values = matched.values.iter().map(|value| format!(" {}={}", value.field, value.text));
            values.fold(target, |text, value| text + &value)
        }
    }
}

const ID: &str = "5f0000000000000000000abc";

/// URL-01 to URL-09 (URL-02, URL-05 among them): what leads where.
#[test]
fn every_url_leads_to_its_endpoint() {
    let router = sample();
    for (path, target) in [
        ("/", "home".to_owned()),
        ("/people", "people".to_owned()),
        ("/people/", "people".to_owned()),
        (&format!("/people/{ID}"), format!("people item _id={ID}")),
        (&format!("/people/{ID}/"), format!("people item _id={ID}")),
        ("/people/obama", "people lookup lastname=obama".to_owned()),
        ("/people/%6fbama", "people lookup lastname=obama".to_owned()),
        // URL-08: fixed text beats converters.
        ("/people/overseas", "overseas".to_owned()),
        // URL-07: upper-case digits are no id, but a name.
        (&format!("/people/{}", ID.to_uppercase()), format!("people lookup lastname={}", ID.to_uppercase())),
        ("/people/two words", "NotFound".to_owned()),
        (&format!("/people/{ID}/invoices"), format!("invoices person={ID}")),
        (&format!("/people/{ID}/invoices/{ID}"), format!("invoices item person={ID} _id={ID}")),
        ("/people/x/invoices", "NotFound".to_owned()),
        ("/codes/007", "codes lookup number=007".to_owned()),
        ("/codes/-7", "NotFound".to_owned()),
        ("/files/a/b/all", "files folder=a/b".to_owned()),
        ("/files/all", "NotFound".to_owned()),
        ("/hidden", "NotFound".to_owned()),
        ("/people//", "NotFound".to_owned()),
        ("//people", "NotFound".to_owned()),
        ("/peopl", "NotFound".to_owned()),
        ("/people/%ff", "NotFound".to_owned()),
    ] {
        assert_eq!(found(&router, path), target, "{path}");
    }
}

/// URL-01: outside the prefix nothing is found.
#[test]
fn the_prefix_and_version_stand_before_every_url() {
    let router = router(json!({
        "URL_PREFIX": "api", "API_VERSION": "v1", "SCHEMA_ENDPOINT": "schema", "DOMAIN": { "people": {} }
    }));
    assert_eq!(found(&router, "/api/v1"), "home");
    assert_eq!(found(&router, "/api/v1/"), "home");
    assert_eq!(found(&router, "/api/v1/people"), "people");
    assert_eq!(found(&router, "/api/v1/schema"), "schemas");
    assert_eq!(found(&router, "/api/v1/schema/people"), "schema resource=people");
    for outside in ["/", "/people", "/api", "/api/v1people", "/api/v2/people"] {
        assert_eq!(found(&router, outside), "NotFound", "{outside}");
    }
    let matched = router.find(Action::from_name("GET"), "/api/v1/people/").unwrap();
    assert_eq!(matched.path, "people");
}

/// URL-03, URL-04, URL-13, URL-14, REQ-01.
#[test]
fn a_known_path_takes_only_its_methods() {
    let router = sample();
    let item = format!("/people/{ID}");
    let find = |name, path: &str| router.find(Action::from_name(name), path).map(|matched| matched.route.allow.clone());
    assert_eq!(find("PATCH", "/people"), Err(RouteError::MethodNotAllowed));
    assert_eq!(find("DELETE", "/people/obama"), Err(RouteError::MethodNotAllowed));
    assert_eq!(find("POST", &item), Err(RouteError::MethodNotAllowed));
    assert_eq!(find("BREW", &item), Err(RouteError::MethodNotAllowed));
    assert_eq!(find("BREW", "/nowhere"), Err(RouteError::NotFound));
    assert_eq!(find("OPTIONS", "/nowhere"), Err(RouteError::NotFound));
    assert!(find("PUT", &item).is_ok());
    assert_eq!(find("HEAD", &item), find("GET", &item));
    assert_eq!(find("OPTIONS", "/people").unwrap(), "OPTIONS, GET, POST, DELETE, HEAD");
    assert_eq!(find("OPTIONS", &item).unwrap(), "OPTIONS, GET, PUT, PATCH, DELETE, HEAD, POST");
    assert_eq!(find("OPTIONS", "/people/obama").unwrap(), "OPTIONS, GET, HEAD");
}

/// URL-06.
#[test]
fn converters_take_what_looks_like_them() {
    let takes = |written: &str, text| Converter::parse(written).unwrap().take(text).is_some();
    for (written, good, bad) in [
        ("int", "007", "-7"),
        ("float", "1.5", "1"),
        ("string", "a b", ""),
        ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810"),
        ("regex(\"[a-f0-9]{24}\")", ID, "5f0000000000000000000abg"),
        ("regex('a|b')", "b", "ab"),
        ("regex(\"[a-z]+\")", "abc", "abc\n"),
    ] {
        assert!(takes(written, good), "{written} {good}");
        assert!(!takes(written, bad), "{written} {bad}");
    }
    for bad in ["regex(a)", "regex(\"(\")", "any(a,b)", "regex(\"a"] {
        assert!(Converter::parse(bad).is_err(), "{bad}");
    }
}

/// HOME-02.
#[test]
fn a_url_is_shown_with_the_names_of_its_converters() {
    assert_eq!(shown("people/<regex(\"[a->]{24}\"):person>/invoices"), "people/<person>/invoices");
    assert_eq!(shown("people/<int:person>"), "people/<person>");
    assert_eq!(shown("people"), "people");
    for bad in ["people/<int:>", "people/<int:a", "people/a<int:a>", "a//b", "people/<int:a>b"] {
        assert!(parse_url_fails(bad), "{bad}");
    }
}

fn parse_url_fails(url: &str) -> bool {
    super::parse(url).is_err()
}
