use bson::{Bson, Document, doc};
use resource_api::store::{Outcome, Write};
use serde_json::{Value, json};

use crate::place::Place;

/// The domain under which documents were stored: it asks for nothing.
fn loose() -> Value {
    json!({ "DOMAIN": { "people": { "allow_unknown": true }, "works": { "allow_unknown": true } } })
}

async fn store(place: &Place, source: &str, documents: Vec<Document>) {
    let writes = documents.into_iter().map(|document| Write::insert(source, &document).unwrap());
    let done = place.app().await.documents.commit(writes.collect()).await.unwrap();
    assert!(matches!(done, Outcome::Done(_)));
}

/// Runs the check of another domain against the place's data.
fn check(place: &Place, domain: &Value, code: i32) -> Value {
    let file = place.write("new.json", &domain.to_string());
    let done = place.run(&["check", &file, "--against-data", "--json"]).is(code);
    serde_json::from_str(&done.out).unwrap()
}

/// Field, rule and number of each problem of a resource.
fn problems(report: &Value, resource: &str) -> Vec<(String, String, u64)> {
    let found = report["resources"].as_array().unwrap().iter().find(|found| found["resource"] == resource).unwrap();
    let mut problems: Vec<_> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            let text = |member: &str| problem[member].as_str().unwrap().to_owned();
            (text("field"), text("rule"), problem["documents"].as_u64().unwrap())
        })
        .collect();
    problems.sort();
    problems
}

fn problem(field: &str, rule: &str, documents: u64) -> (String, String, u64) {
    (field.to_owned(), rule.to_owned(), documents)
}

fn id(n: u8) -> bson::oid::ObjectId {
    bson::oid::ObjectId::from_bytes([n; 12])
}

/// CFG-18's other half: every kind of change that stored documents could break.
#[actix_rt::test]
async fn what_stored_documents_would_break_is_told_by_resource_field_and_rule() {
    let place = Place::new(loose());
    let dates =
        doc! { "_created": bson::DateTime::from_millis(0), "_updated": bson::DateTime::from_millis(0), "_etag": "e" };
    let with_dates = |mut document: Document| {
        document.extend(dates.clone());
        document
    };
    store(&place, "people", vec![
        with_dates(doc! { "_id": id(1), "name": "ada", "age": 36, "tags": ["a", 5, 6], "code": 1_i64, "home": { "zip": "x" } }),
        with_dates(doc! { "_id": id(2), "name": "ada", "age": "old", "code": 1.0, "born": "1815" }),
        with_dates(doc! { "_id": id(3), "name": Bson::Null, "extra": true, "friend": id(1) }),
        with_dates(doc! { "_id": id(4), "age": 200, "friend": id(9), "mail": "nobody" }),
        with_dates(doc! { "_id": "text", "name": "bob", "choice": [1] }),
    ]).await;
    store(
        &place,
        "works",
        vec![doc! { "_id": id(1), "title": "a", "year": 1 }, doc! { "_id": id(2), "title": "a", "year": 2 }],
    )
    .await;

    assert_eq!(check(&place, &loose(), 3)["broken"], 1, "only the id that fits no URL");
    let strict = json!({ "DOMAIN": {
        "people": { "schema": {
            "name": { "type": "string", "required": true, "unique": true, "maxlength": 2 },
            "age": { "type": "integer", "max": 150 },
            "tags": { "type": "list", "schema": { "type": "string" } },
            "code": { "type": "integer", "unique": true },
            "home": { "type": "dict", "schema": { "zip": { "type": "string", "minlength": 4 }, "city": { "type": "string", "required": true } } },
            "born": { "type": "datetime" },
            "friend": { "type": "objectid", "data_relation": { "resource": "people" } },
            "mail": { "type": "string", "check_with": "email" },
            "choice": { "anyof": [{ "type": "string" }, { "type": "integer" }] },
            "level": { "type": "integer", "required": true, "default": 1 },
        } },
        "works": {
            "mongo_indexes": { "title": [[["title", 1]], { "unique": true }], "both": [[["title", 1], ["year", 1]], { "unique": true }] },
            "schema": { "title": { "type": "string" }, "year": { "type": "integer" } },
        },
    } });
    let report = check(&place, &strict, 3);
    assert_eq!((report["documents"].as_u64(), report["broken"].as_u64()), (Some(7), Some(7)));
    assert_eq!(
        problems(&report, "people"),
        [
            problem("_id", "item_url", 1),
            problem("_id", "type", 1),
            problem("age", "max", 1),
            problem("age", "type", 1),
            problem("born", "type", 1),
            problem("choice", "anyof", 1),
            problem("code", "type", 1),
            problem("code", "unique", 1),
            problem("extra", "allow_unknown", 1),
            problem("friend", "data_relation", 1),
            problem("home.city", "required", 1),
            problem("home.zip", "minlength", 1),
            problem("mail", "check_with", 1),
            problem("name", "maxlength", 3),
            problem("name", "nullable", 1),
            problem("name", "required", 1),
            problem("name", "unique", 3),
            problem("tags[]", "type", 1),
        ]
    );
    assert_eq!(problems(&report, "works"), [problem("title", "mongo_indexes", 2)]);
    let text = place.run(&["check", &place.path("new.json"), "--against-data", "--examples", "1"]).is(3).out;
    assert!(text.contains("people: of 5 documents 5 would break the file's rules"), "{text}");
    assert!(text.contains("  age, max: 1\n    040404040404040404040404: max value is 150"), "{text}");
    assert!(text.contains("  name, unique: 3\n    "), "{text}");
}

/// VAL-43, DS-01, URRA-01: what counts as a duplicate depends on whose documents are compared.
#[actix_rt::test]
async fn duplicates_are_counted_within_the_owner_or_the_resource_where_the_rule_says_so() {
    let place = Place::new(loose());
    store(
        &place,
        "people",
        vec![
            doc! { "_id": id(1), "kind": "a", "mine": 1, "ours": "x", "all": "y", "owner": "u1" },
            doc! { "_id": id(2), "kind": "b", "mine": 1, "ours": "x", "all": "y", "owner": "u2" },
            doc! { "_id": id(3), "kind": "a", "mine": 1, "ours": "z", "all": "z", "owner": "u1" },
            doc! { "_id": id(4), "kind": "a", "mine": 2, "ours": "w", "all": "w" },
        ],
    )
    .await;
    let domain = json!({ "DOMAIN": { "people": {
        "datasource": { "filter": { "kind": "a" } },
        "auth_field": "owner",
        "schema": {
            "kind": { "type": "string" },
            "mine": { "type": "integer", "unique_to_user": true },
            "ours": { "type": "string", "unique_within_resource": true },
            "all": { "type": "string", "unique": true },
        },
    } } });
    let report = check(&place, &domain, 3);
    assert_eq!(report["documents"], 3, "one is none of the resource's");
    assert_eq!(
        problems(&report, "people"),
        [problem("all", "unique", 1), problem("mine", "unique_to_user", 2), problem("owner", "auth_field", 1),]
    );
}

#[actix_rt::test]
async fn data_that_fit_are_told_so_and_nothing_is_made_or_changed() {
    let place = Place::new(loose());
    let file = place.write("new.json", &loose().to_string());
    place.run(&["check", &file, "--against-data"]).is(1).says("there is no store");
    assert!(!place.at("api.db").exists());
    store(&place, "works", (0..2500).map(|n| doc! { "_id": bson::oid::ObjectId::new(), "n": n }).collect()).await;
    let unique = json!({ "DOMAIN": { "works": { "schema": { "n": { "type": "integer", "unique": true } } } } });
    assert_eq!(check(&place, &unique, 0)["documents"], 2500);
    // The index that the file asks for was not made: duplicates still go in.
    let lines = place.write("more.ndjson", "{\"n\": 5}\n{\"n\": 5}");
    place.run(&["import", "works", &lines]).is(0);
    let report = check(&place, &unique, 3);
    assert_eq!(problems(&report, "works"), [problem("n", "unique", 3)]);
    place.run(&["check", &place.write("bad.json", "{}"), "--against-data"]).is(1).says("DOMAIN: is missing");
}

/// CFG-18 (F): faults of the settings, of schemas and of urls at once, each by resource, field and rule, with the warnings;
/// and one bad file keeps nothing about the others back.
#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let place = Place::new(loose());
    let bad = place.write(
        "bad.json",
        &json!({
            "SORTING": "yes", "SCHEMA_ENDPOINT": "a/<nothing:b>", "PAGE_SIZE": 5,
            "DOMAIN": {
                "people": {
                    "url": "people/<wrong:a>", "item_url": "regex(\"[\")",
                    "additional_lookup": { "field": "name", "url": "no" },
                    "schema": { "name": { "type": "string", "minlength": -1 }, "age": "integer" }
                },
                "works": { "item_url": "int(5", "schema": { "a": { "type": "dict", "schema": { "b": { "typ": "x" } } } } },
            }
        })
        .to_string(),
    );
    let told = place.run(&["check", &bad]).is(1);
    for line in [
        "warning: PAGE_SIZE: unknown setting, ignored",
        "bad.json: the domain file has 9 fault(s):",
        "\n  SORTING: must be true or false\n",
        "\n  people: field 'name': minlength: must be a whole number of at least 0\n",
        "\n  people: field 'age': 'integer' is not in RULES_SET_REGISTRY; a type is written {\"type\": \"integer\"}\n",
        "\n  works: field 'a.b': typ: there is no such rule\n",
        "\n  people: url: ",
        "\n  people: item_url: ",
        "\n  people: additional_lookup.url: ",
        "\n  works: item_url: ",
        "\n  SCHEMA_ENDPOINT: ",
    ] {
        assert!(told.error.contains(line), "{line} is missing in\n{}", told.error);
    }
    // The configured domain file is looked at all the same.
    assert!(told.out.contains("domain.json: 2 resources, no faults"), "{told:?}");
    // A configuration that is wrong is told beside the domain file.
    place.write("config.toml", "stroe = 1");
    let told = place.run(&["check", &bad]).is(1);
    assert!(told.error.contains("config.toml: ") && told.error.contains("stroe"), "{told:?}");
    assert!(told.error.contains("SORTING: must be"), "{told:?}");
    // The service says the same.
    let told = Place::new(serde_json::from_str(&place.read("bad.json")).unwrap()).run(&["serve"]).is(1);
    assert!(told.error.contains("9 fault(s)") && told.error.contains("works: item_url: "), "{told:?}");
}
