//! The samples captured from Eve (section 24), to the byte: ids, dates and digests have their shortened names.

use serde_json::{Value, json};

use crate::support::{Answer, Api, encoded};

/// `people` and `ro` of section 24.
fn people() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": {
            "people": { "schema": { "name": { "type": "string" }, "age": { "type": "integer" } } },
            "ro": { "resource_methods": ["GET"], "item_methods": ["GET"], "schema": { "a": { "type": "string" } } },
        }
    })
}

fn of(schema: Value) -> Value {
    let mut domain = people();
    domain["DOMAIN"] = json!({ "people": { "schema": schema } });
    domain
}

/// The body with every date as T, every digest as E, and the ids as they are called.
fn shortened(answer: &Answer, ids: &[(&str, &str)]) -> String {
    let date = regex::Regex::new(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT").unwrap();
    let digest = regex::Regex::new(r"\b[0-9a-f]{40}\b").unwrap();
    let text = date.replace_all(&answer.text, "T");
    let text = digest.replace_all(&text, "E").into_owned();
    ids.iter().fold(text, |text, (id, name)| text.replace(id, name))
}

/// GOLD-01.
#[actix_rt::test]
async fn home_is_eves_to_the_byte() {
    let api = Api::open(people()).await;
    assert_eq!(
        api.get("/").await.is(200).text,
        r#"{"_links": {"child": [{"href": "people", "title": "people"}, {"href": "ro", "title": "ro"}]}}"#
    );
}

/// GOLD-02, GOLD-04.
#[actix_rt::test]
async fn a_new_document_is_eves_to_the_byte() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "john", "age": 3 })).await.is(201);
    let id = created.id();
    assert_eq!(created.header("location"), format!("{}/people/{id}", api.url));
    assert_eq!(
        shortened(&created, &[(&id, "ID")]),
        r#"{"_updated": "T", "_created": "T", "_etag": "E", "_id": "ID", "_links": {"self": {"title": "People", "href": "people/ID"}}, "_status": "OK"}"#
    );
    let item = api.get(&format!("/people/{id}")).await.is(200);
    assert_eq!(
        shortened(&item, &[(&id, "ID")]),
        r#"{"_id": "ID", "name": "john", "age": 3, "_updated": "T", "_created": "T", "_etag": "E", "_links": {"self": {"title": "People", "href": "people/ID"}, "parent": {"title": "home", "href": "/"}, "collection": {"title": "people", "href": "people"}}}"#
    );
    assert_eq!(item.etag(), created.etag());
}

/// GOLD-03.
#[actix_rt::test]
async fn a_page_is_eves_to_the_byte() {
    let api = Api::open(people()).await;
    let all: Vec<Value> = (1..=7).map(|age| json!({ "name": format!("n{age}"), "age": age })).collect();
    let created = api.post("/people", json!(all)).await.is(201).json();
    let id = |age: usize| created["_items"][age - 1]["_id"].as_str().unwrap().to_owned();
    let filter = encoded(&json!("{\"age\":{\"$gt\":1}}"));
    let page = api.get(&format!("/people?max_results=2&page=2&where={filter}&sort=-age&foo=x")).await.is(200);
    assert_eq!(page.header("x-total-count"), "6");
    let item = |id: &str, age: usize| {
        format!(
            r#"{{"_id": "{id}", "name": "n{age}", "age": {age}, "_updated": "T", "_created": "T", "_etag": "E", "_links": {{"self": {{"title": "People", "href": "people/{id}"}}}}}}"#
        )
    };
    let href = |page: &str| format!(r#"people?max_results=2&where={{\"age\":{{\"$gt\":1}}}}&sort=-age{page}&foo=x"#);
    let expected = format!(
        r#"{{"_items": [{}, {}], "_links": {{"parent": {{"title": "home", "href": "/"}}, "self": {{"title": "people", "href": "{}"}}, "next": {{"title": "next page", "href": "{}"}}, "last": {{"title": "last page", "href": "{}"}}, "prev": {{"title": "previous page", "href": "{}"}}}}, "_meta": {{"page": 2, "max_results": 2, "total": 6}}}}"#,
        item("ID", 5),
        item("ID2", 4),
        href("&page=2"),
        href("&page=3"),
        href("&page=3"),
        href("")
    );
    assert_eq!(shortened(&page, &[(&id(5), "ID"), (&id(4), "ID2")]), expected);
}

/// GOLD-05.
#[actix_rt::test]
async fn related_links_are_eves_to_the_byte() {
    let to = |field: &str| json!({ "resource": "people", "field": field });
    let api = Api::open(of(json!({
        "name": { "type": "string" },
        "person": { "type": "objectid", "data_relation": to("_id") },
        "many": { "type": "list", "schema": { "type": "objectid", "data_relation": to("_id") } },
        "byname": { "type": "string", "data_relation": to("name") },
    })))
    .await;
    let one = api.post("/people", json!({ "name": "p1" })).await.is(201).id();
    let two = api.post("/people", json!({ "name": "p2" })).await.is(201).id();
    let body = json!({ "person": one, "many": [one, two], "byname": "p1" });
    let id = api.post("/people", body).await.is(201).id();
    let item = api.get(&format!("/people/{id}")).await.is(200);
    let related = r#""related": {"person": {"title": "People", "href": "people/ID"}, "many": [{"title": "People", "href": "people/ID"}, {"title": "People", "href": "people/ID2"}], "byname": {"title": "People", "href": "people/p1"}}"#;
    let text = shortened(&item, &[(&one, "ID"), (&two, "ID2")]);
    assert!(text.contains(related), "{text}");
}

/// GOLD-06, GOLD-07.
#[actix_rt::test]
async fn failures_of_validation_are_eves_to_the_byte() {
    let api = Api::open(of(json!({ "a": { "type": "string", "required": true }, "age": { "type": "integer" } }))).await;
    let bulk = api.post("/people", json!([{ "a": "x" }, { "b": 1 }])).await.is(422);
    assert_eq!(
        bulk.text,
        r#"{"_status": "ERR", "_items": [{"_status": "OK"}, {"_status": "ERR", "_issues": {"a": "required field", "b": "unknown field"}}], "_error": {"code": 422, "message": "Insertion failure: 1 document(s) contain(s) error(s)"}}"#
    );
    let created = api.post("/people", json!({ "a": "x" })).await.is(201);
    let item = format!("/people/{}", created.id());
    let patch = api.edit("PATCH", &item, &created.etag(), json!({ "age": "x", "zz": 1 })).await.is(422);
    assert_eq!(
        patch.text,
        r#"{"_issues": {"age": "must be of integer type", "zz": "unknown field"}, "_status": "ERR"}"#
    );
}

/// What stands behind `"_issues": ` in a refused POST.
async fn issues(api: &Api, body: Value) -> String {
    let refused = api.post("/people", body).await.is(422).text;
    let issues = refused.split_once("\"_issues\": ").unwrap().1;
    issues.split_once(", \"_error\": ").unwrap().0.to_owned()
}

/// GOLD-08.
#[actix_rt::test]
async fn several_kinds_of_issues_are_eves_to_the_byte() {
    let mut domain = of(json!({
        "l": { "type": "list", "minlength": 3, "schema": { "type": "integer" } },
        "r": { "dependencies": ["x", "y"] }, "x": {}, "y": {},
        "u": { "type": "string", "unique": true, "allowed": ["abc"], "minlength": 3, "regex": "[a-z]+" },
    }));
    domain["DOMAIN"]["loose"] =
        json!({ "datasource": { "source": "people" }, "schema": { "u": { "type": "string" } } });
    let api = Api::open(domain).await;
    api.post("/loose", json!({ "u": "A" })).await.is(201);
    assert_eq!(
        issues(&api, json!({ "l": ["x"], "r": 1, "u": "A" })).await,
        r#"{"l": ["min length is 3", {"0": "must be of integer type"}], "r": ["field 'x' is required", "field 'y' is required"], "u": ["value 'A' is not unique", "unallowed value A", "min length is 3", "value does not match regex '[a-z]+'"]}"#
    );
}

/// GOLD-09.
#[actix_rt::test]
async fn issues_of_alternatives_are_eves_to_the_byte() {
    let api = Api::open(of(json!({
        "ofs": { "type": "list", "schema": { "anyof": [
            { "type": "dict", "schema": { "k": { "type": "integer" } } },
            { "type": "string", "minlength": 3 },
        ] } },
    })))
    .await;
    assert_eq!(
        issues(&api, json!({ "ofs": [{ "k": "x" }, "ab"] })).await,
        r#"{"ofs": {"0": ["no definitions validate", {"anyof definition 0": {"k": "must be of integer type"}, "anyof definition 1": "must be of string type"}], "1": ["no definitions validate", {"anyof definition 0": "must be of dict type", "anyof definition 1": "min length is 3"}]}}"#
    );
}

/// GOLD-10; fields in the order in which Eve tells them.
#[actix_rt::test]
async fn issues_as_lists_are_eves_to_the_byte() {
    let mut domain = of(json!({
        "ld": { "type": "list", "schema": { "type": "dict", "schema": { "k": { "type": "string", "required": true } } } },
        "any": { "anyof": [{ "type": "integer", "min": 5 }, { "type": "string" }] },
    }));
    domain["VALIDATION_ERROR_AS_LIST"] = json!(true);
    let api = Api::open(domain).await;
    assert_eq!(
        issues(&api, json!({ "ld": [{}, { "k": 1 }], "any": 3 })).await,
        r#"{"any": ["no definitions validate", {"anyof definition 0": ["min value is 5"], "anyof definition 1": ["must be of string type"]}], "ld": [{"0": [{"k": ["required field"]}], "1": [{"k": ["must be of string type"]}]}]}"#
    );
}
