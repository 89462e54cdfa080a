//! POST, PATCH, PUT and DELETE (POST, PATCH, PUT, DEL).

use serde_json::{Value, json};

use crate::support::{Answer, Api, Ask, with};

fn domain() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": { "people": { "schema": {
            "name": { "type": "string", "required": true }, "email": { "type": "string", "unique": true },
            "role": { "type": "string", "default": "guest" }, "age": { "type": "integer", "nullable": true },
            "place": { "type": "dict", "schema": { "city": { "type": "string" }, "geo": { "type": "dict", "schema": { "lat": { "type": "number" }, "lon": { "type": "number" } } } } },
        } } }
    })
}

fn date(shown: &Value) -> bson::DateTime {
    resource_api::domain::DateFormat::default().parse(shown.as_str().unwrap()).unwrap()
}

async fn create(api: &Api, body: Value) -> (Answer, String) {
    let created = api.post("/people", body).await.is(201);
    let path = format!("/people/{}", created.id());
    (created, path)
}

/// POST-05, POST-06, POST-07: a bulk in one answer, one date, the first one's location.
#[actix_rt::test]
async fn a_bulk_answers_for_each_document() {
    let api = Api::open(domain()).await;
    let answer = api.post("/people", json!([{ "name": "a" }, { "name": "b" }])).await.is(201);
    let body = answer.json();
    assert_eq!(body["_status"], "OK");
    let items = body["_items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["_status"] == "OK" && item["_created"] == items[0]["_created"]));
    assert_eq!(answer.header("location"), format!("{}/people/{}", api.url, items[0]["_id"].as_str().unwrap()));
    // One in a list is one.
    let one = api.post("/people", json!([{ "name": "c" }])).await.is(201).json();
    assert!(one.get("_items").is_none() && one["_id"].is_string());
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 3);
}

/// POST-01: bulks can be switched off.
#[actix_rt::test]
async fn bulks_can_be_forbidden() {
    let api = Api::open(with(domain(), json!({ "BULK_ENABLED": false }))).await;
    api.post("/people", json!([{ "name": "a" }, { "name": "b" }])).await.refused(400);
    api.post("/people", json!([{ "name": "a" }])).await.is(201);
}

/// POST-03, decisions 18: one bad document, or one duplicate, and nothing is stored.
#[actix_rt::test]
async fn a_bulk_is_stored_whole_or_not_at_all() {
    let api = Api::open(domain()).await;
    api.post("/people", json!([{ "name": "a" }, {}])).await.is(422);
    let twins = json!([{ "name": "a", "email": "x@y.z" }, { "name": "b" }, { "name": "c", "email": "x@y.z" }]);
    let refused = api.post("/people", twins).await.is(422).json();
    assert_eq!(refused["_items"][2]["_issues"]["email"], "value 'x@y.z' is not unique");
    let id = json!("5f0000000000000000000abc");
    api.post("/people", json!([{ "name": "a", "_id": id }, { "name": "b", "_id": id }])).await.refused(409);
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 0);
}

/// POST-07, POST-09, POST-10: own ids are taken; meta fields are not.
#[actix_rt::test]
async fn an_id_may_be_given_and_meta_fields_may_not() {
    let api = Api::open(domain()).await;
    let id = "5f0000000000000000000abc";
    assert_eq!(create(&api, json!({ "name": "a", "_id": id })).await.0.id(), id);
    api.post("/people", json!({ "name": "b", "_id": id })).await.refused(409);
    api.post("/people", json!({ "name": "b", "_id": "short" })).await.is(422);
    for meta in ["_created", "_updated", "_etag", "_links"] {
        let mut body = json!({ "name": "x" });
        body[meta] = json!("Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(api.post("/people", body).await.is(422).json()["_issues"][meta], "unknown field");
    }
}

/// VAL-43: a rule for elements has nothing to say of lists without any.
#[actix_rt::test]
async fn empty_lists_are_not_in_each_others_way() {
    let mut domain = domain();
    domain["DOMAIN"]["people"]["schema"]["tags"] =
        json!({ "type": "list", "schema": { "type": "string", "unique": true } });
    let api = Api::open(domain).await;
    for _ in 0..2 {
        api.post("/people", json!({ "name": "a", "tags": [] })).await.is(201);
    }
    api.post("/people", json!({ "name": "a", "tags": ["x"] })).await.is(201);
    let taken = api.post("/people", json!({ "name": "b", "tags": ["y", "x"] })).await.is(422).json();
    assert_eq!(taken["_issues"]["tags"], json!({ "1": "value 'x' is not unique" }));
}

/// PUT-04: the id of a new document is what its field's type makes of the URL, also where it looks like another's.
#[actix_rt::test]
async fn a_text_of_hex_digits_stays_a_text_as_a_new_id() {
    let mut domain = domain();
    domain["DOMAIN"] = json!({ "books": {
        "id_field": "isbn", "item_lookup_field": "isbn", "item_url": "string",
        "schema": { "isbn": { "type": "string" }, "title": { "type": "string" } }
    } });
    let api = Api::open(domain).await;
    let put = api.request("PUT", "/books/5f0000000000000000000abc").json(&json!({ "title": "x" }));
    assert_eq!(put.answer().await.is(201).json()["isbn"], "5f0000000000000000000abc");
}

/// POST-09: a custom id is never made up.
#[actix_rt::test]
async fn a_custom_id_field_is_required() {
    let mut domain = domain();
    domain["DOMAIN"] = json!({ "books": {
        "id_field": "isbn", "item_lookup_field": "isbn", "item_url": "regex(\"[0-9]+\")",
        "schema": { "isbn": { "type": "string" }, "title": { "type": "string" } }
    } });
    let api = Api::open(domain).await;
    assert_eq!(api.post("/books", json!({ "title": "x" })).await.is(422).json()["_issues"]["isbn"], "required field");
    let created = api.post("/books", json!({ "isbn": "123", "title": "x" })).await.is(201);
    assert_eq!(created.header("location"), format!("{}/books/123", api.url));
    let item = api.get("/books/123").await.is(200);
    // LIST-06: the store's own id shows as well.
    assert!(item.json()["_id"].is_string());
    assert_eq!(item.json()["_links"]["self"]["href"], "books/123");
    let patched = api.edit("PATCH", "/books/123", &item.etag(), json!({ "title": "y" })).await.is(200);
    let moved = api.edit("PATCH", "/books/123", &patched.etag(), json!({ "isbn": "124" })).await;
    assert!(moved.refused(400).contains("'isbn'"));
    let put = api.edit("PUT", "/books/123", &patched.etag(), json!({ "title": "z" })).await.is(200);
    // ETAG-03: of what was sent and the id field; the store's own id is not in it.
    let book = api.get("/books/123").await.json();
    let hashed = bson::doc! {
        "isbn": "123", "title": "z", "_created": date(&book["_created"]), "_updated": date(&book["_updated"]),
    };
    assert_eq!(put.etag(), resource_api::etag::etag(&hashed, &[]));
    assert_eq!(api.get("/books/123").await.json()["title"], "z");
    api.request("PUT", "/books/77").json(&json!({ "title": "new" })).answer().await.is(201);
    assert_eq!(api.get("/books/77").await.is(200).json()["isbn"], "77");
    api.edit("DELETE", "/books/123", &put.etag(), json!(null)).await.is(204);
    api.get("/books/123").await.refused(404);
}

/// POST-05: more fields on request, or all.
#[actix_rt::test]
async fn answers_to_writes_can_say_more() {
    let mut some = domain();
    some["DOMAIN"]["people"]["extra_response_fields"] = json!(["name", "gone"]);
    let api = Api::open(some).await;
    let (created, _) = create(&api, json!({ "name": "a", "age": 1 })).await;
    assert_eq!((&created.json()["name"], created.json().get("age")), (&json!("a"), None));
    // What is not shown is not understood either.
    api.post("/people?embedded=%5B%5D&projection=%5B%5D", json!({ "name": "b" })).await.is(201);
    let api = Api::open(with(domain(), json!({ "BANDWIDTH_SAVER": false }))).await;
    let (created, path) = create(&api, json!({ "name": "a", "age": 1 })).await;
    assert_eq!(
        (&created.json()["name"], &created.json()["age"], &created.json()["role"]),
        (&json!("a"), &json!(1), &json!("guest"))
    );
    let patched = api.edit("PATCH", &path, &created.etag(), json!({ "age": 2 })).await.is(200).json();
    assert_eq!((&patched["name"], &patched["age"]), (&json!("a"), &json!(2)));
    api.post("/people?embedded=%5B%5D", json!({})).await.refused(400);

    // Without `projection`, what an edit sends is shown, and what the datasource hides is not.
    let mut hiding = with(domain(), json!({ "BANDWIDTH_SAVER": false, "PROJECTION": false, "ALLOW_UNKNOWN": true }));
    hiding["DOMAIN"]["people"]["datasource"] = json!({ "projection": { "name": 1 } });
    let api = Api::open(hiding).await;
    let (created, path) = create(&api, json!({ "name": "a", "age": 1, "_links": 1, "_status": 1 })).await;
    assert_eq!(created.json()["age"], 1);
    let patched = api.edit("PATCH", &path, &created.etag(), json!({ "role": "x" })).await.is(200);
    assert_eq!((patched.json().get("age"), &patched.json()["role"]), (None, &json!("x")));
    // POST-07: what answers have of their own is there once.
    for name in ["\"_links\": ", "\"_status\": "] {
        assert_eq!(created.text.matches(name).count(), 1, "{}", created.text);
    }
}

/// PATCH-04, PATCH-06, PATCH-07: only what was sent changes; documents are merged at every depth.
#[actix_rt::test]
async fn a_patch_merges_what_was_sent() {
    let api = Api::open(domain()).await;
    let (created, path) =
        create(&api, json!({ "name": "a", "age": 1, "place": { "city": "Graz", "geo": { "lat": 1, "lon": 2 } } }))
            .await;
    let patched = api
        .edit("PATCH", &path, &created.etag(), json!({ "age": null, "place": { "geo": { "lon": 3 } } }))
        .await
        .is(200);
    let item = api.get(&path).await.json();
    assert_eq!((&item["name"], &item["age"]), (&json!("a"), &json!(null)));
    assert_eq!(item["place"], json!({ "city": "Graz", "geo": { "lat": 1, "lon": 3 } }));
    // PATCH-04: nothing sent is an edit too.
    let empty = api.edit("PATCH", &path, &patched.etag(), json!({})).await.is(200);
    assert_ne!(empty.etag(), patched.etag());
    // SER-01: a dotted name is a path.
    api.edit("PATCH", &path, &empty.etag(), json!({ "place.city": "Linz" })).await.is(200);
    assert_eq!(api.get(&path).await.json()["place"]["city"], "Linz");

    let mut plain = domain();
    plain["DOMAIN"]["people"]["merge_nested_documents"] = json!(false);
    let api = Api::open(plain).await;
    let (created, path) = create(&api, json!({ "name": "a", "place": { "city": "Graz", "geo": { "lat": 1 } } })).await;
    api.edit("PATCH", &path, &created.etag(), json!({ "place": { "city": "Linz" } })).await.is(200);
    assert_eq!(api.get(&path).await.json()["place"], json!({ "city": "Linz" }));
}

/// PUT-01, PUT-02: everything is replaced but the date of creation; defaults come back.
#[actix_rt::test]
async fn a_put_replaces_the_document() {
    let api = Api::open(domain()).await;
    let (created, path) = create(&api, json!({ "name": "a", "age": 1, "role": "boss" })).await;
    let put = api.edit("PUT", &path, &created.etag(), json!({ "name": "b" })).await.is(200);
    let item = api.get(&path).await.json();
    assert_eq!((&item["name"], item.get("age"), &item["role"]), (&json!("b"), None, &json!("guest")));
    assert_eq!((&item["_created"], &item["_id"]), (&created.json()["_created"], &json!(created.id())));
    assert_eq!(put.json()["_status"], "OK");
    api.edit("PUT", &path, &put.etag(), json!({ "age": 2 })).await.is(422);
}

/// PUT-04, PUT-05: a missing document is created under the url's id, or is a 404.
#[actix_rt::test]
async fn a_put_to_a_missing_id_creates() {
    let api = Api::open(domain()).await;
    let path = "/people/5f0000000000000000000abc";
    let put = async |api: &Api, body: Value| api.request("PUT", path).json(&body).answer().await;
    let issues = put(&api, json!({})).await.is(422).json();
    assert_eq!(issues["_error"]["code"], 422);
    // The id of the body does not matter, nor does If-Match.
    let created = api.edit("PUT", path, "any", json!({ "name": "a", "_id": "5f0000000000000000000fff" })).await.is(201);
    assert_eq!(created.header("location"), format!("{}{path}", api.url));
    assert_eq!(created.id(), "5f0000000000000000000abc");
    put(&api, json!({ "name": "b" })).await.refused(428);
    let api = Api::open(with(domain(), json!({ "UPSERT_ON_PUT": false }))).await;
    put(&api, json!({ "name": "a" })).await.refused(404);
}

/// VAL-43: unique among all, but not against itself.
#[actix_rt::test]
async fn a_unique_value_is_nobody_elses() {
    let api = Api::open(domain()).await;
    let (first, path) = create(&api, json!({ "name": "a", "email": "a@b.c" })).await;
    let (other, other_path) = create(&api, json!({ "name": "b", "email": "b@b.c" })).await;
    let issue = json!({ "email": "value 'a@b.c' is not unique" });
    assert_eq!(api.post("/people", json!({ "name": "c", "email": "a@b.c" })).await.is(422).json()["_issues"], issue);
    for method in ["PATCH", "PUT"] {
        let taken =
            api.edit(method, &other_path, &other.etag(), json!({ "name": "b", "email": "a@b.c" })).await.is(422);
        assert_eq!(taken.json()["_issues"], issue);
    }
    let same = api.edit("PATCH", &path, &first.etag(), json!({ "email": "a@b.c" })).await.is(200);
    api.edit("PUT", &path, &same.etag(), json!({ "name": "a", "email": "a@b.c" })).await.is(200);
    // Documents without the field do not count.
    create(&api, json!({ "name": "x" })).await;
    create(&api, json!({ "name": "y" })).await;
}

/// POST-10, PATCH-09: a unique index of the domain that no rule speaks of.
#[actix_rt::test]
async fn a_unique_index_without_a_rule_is_a_conflict() {
    let mut domain = domain();
    domain["DOMAIN"]["people"]["mongo_indexes"] = json!({ "one_name": [[["name", 1]], { "unique": true }] });
    let api = Api::open(domain).await;
    create(&api, json!({ "name": "a" })).await;
    let (other, path) = create(&api, json!({ "name": "b" })).await;
    api.post("/people", json!({ "name": "a" })).await.refused(409);
    api.edit("PATCH", &path, &other.etag(), json!({ "name": "a" })).await.refused(400);
}

/// DEL-01, DEL-02, RESP-09.
#[actix_rt::test]
async fn a_deleted_document_is_gone_and_stays_gone() {
    let api = Api::open(domain()).await;
    let (created, path) = create(&api, json!({ "name": "a" })).await;
    let deleted = api.request("DELETE", &path).header("If-Match", created.etag()).answer().await.is(204);
    assert_eq!((deleted.text.as_str(), deleted.header("content-type")), ("", "application/json"));
    api.get(&path).await.refused(404);
    api.request("DELETE", &path).answer().await.is(204);
}

/// DEL-04, DEL-06: a collection goes whole, whatever `where` says; an empty one too.
#[actix_rt::test]
async fn a_deleted_collection_is_empty() {
    let api = Api::open(domain()).await;
    api.post("/people", json!([{ "name": "a" }, { "name": "b" }])).await.is(201);
    api.request("DELETE", "/people?where=%7B%22name%22%3A%22a%22%7D").answer().await.is(204);
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 0);
    api.request("DELETE", "/people").answer().await.is(204);
}

/// DEL-03: by a look-up value that several share, all go.
#[actix_rt::test]
async fn documents_that_share_the_urls_value_go_together() {
    let mut domain = domain();
    domain["DOMAIN"]["people"]["item_lookup_field"] = json!("name");
    domain["DOMAIN"]["people"]["item_url"] = json!("regex(\"[a-z]+\")");
    let api = Api::open(domain).await;
    let (created, _) = create(&api, json!({ "name": "a" })).await;
    create(&api, json!({ "name": "a" })).await;
    create(&api, json!({ "name": "b" })).await;
    api.edit("DELETE", "/people/a", &created.etag(), json!(null)).await.is(204);
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 1);
    // PUT-04: another field than the id creates nothing.
    api.request("PUT", "/people/c").json(&json!({ "name": "c" })).answer().await.refused(404);
}

/// PATCH-10, VAL-26: a read-only field keeps its stored value; what a field depends on may be stored already.
#[actix_rt::test]
async fn a_patch_is_judged_together_with_what_is_stored() {
    let mut domain = domain();
    domain["DOMAIN"]["people"]["schema"] = json!({
        "name": { "type": "string" }, "kind": { "type": "string", "readonly": true, "default": "plain" },
        "street": { "type": "string", "dependencies": ["name"] },
    });
    let api = Api::open(domain).await;
    api.post("/people", json!({ "kind": "plain" })).await.is(422);
    let (created, path) = create(&api, json!({ "name": "a" })).await;
    let refused = api.edit("PATCH", &path, &created.etag(), json!({ "kind": "other" })).await.is(422);
    assert_eq!(refused.json()["_issues"]["kind"], "field is read-only");
    let patched = api.edit("PATCH", &path, &created.etag(), json!({ "kind": "plain", "street": "x" })).await.is(200);
    assert_eq!(api.get(&path).await.json()["street"], "x");
    let (other, other_path) = create(&api, json!({})).await;
    api.edit("PATCH", &other_path, &other.etag(), json!({ "street": "x" })).await.is(422);
    assert_ne!(patched.etag(), created.etag());
}
