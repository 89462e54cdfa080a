//! What is unique stays so, whoever else writes at the same moment (VAL-27, VAL-28, VAL-43, VAL-44).

use serde_json::{Value, json};

use crate::support::{Answer, Api, Ask};

fn domain(schema: &Value, more: Value) -> Value {
    let mut things = json!({ "schema": schema });
    things.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PATCH", "PUT"],
        "DOMAIN": { "things": things, "all": { "datasource": { "source": "things" }, "allow_unknown": true } }
    })
}

/// One is done, the others get the issues.
fn one_of(answers: &[Answer], status: u16, issues: &Value) {
    assert_eq!(answers.iter().filter(|answer| answer.status == status).count(), 1, "{issues}");
    for refused in answers.iter().filter(|answer| answer.status != status) {
        assert_eq!(refused.clone().is(422).json()["_issues"], *issues);
    }
}

async fn creations(api: &Api, body: &Value) -> Vec<Answer> {
    futures_util::future::join_all((0..64).map(|_| api.request("POST", "/things").json(body).answer())).await
}

/// Half PATCH, half PUT, each of a document of its own.
async fn edits(api: &Api, body: &Value) -> Vec<Answer> {
    let mut edits = Vec::new();
    for number in 0..32 {
        let thing = api.post("/things", json!({})).await.is(201);
        let method = ["PATCH", "PUT"][number % 2];
        let edit = api.request(method, &format!("/things/{}", thing.id())).header("If-Match", thing.etag());
        edits.push(edit.json(body).answer());
    }
    futures_util::future::join_all(edits).await
}

/// VAL-27, VAL-43: lists as a whole, values of any type, what is within alternatives: no index says what is unique there,
/// and of parallel writes one is done all the same.
#[actix_rt::test]
async fn of_parallel_writes_of_what_no_index_keeps_unique_one_is_done() {
    for (schema, body, issues) in [
        (
            json!({ "tags": { "type": "list", "unique": true } }),
            json!({ "tags": ["a", "b"] }),
            json!({ "tags": "value '['a', 'b']' is not unique" }),
        ),
        (json!({ "any": { "unique": true } }), json!({ "any": [1] }), json!({ "any": "value '[1]' is not unique" })),
        (
            json!({ "code": { "anyof": [{ "type": "string", "unique": true }, { "type": "integer" }] } }),
            json!({ "code": "x" }),
            json!({ "code": ["no definitions validate", {
                "anyof definition 0": "value 'x' is not unique", "anyof definition 1": "must be of integer type",
            }] }),
        ),
        (
            json!({ "rows": { "type": "list", "schema": { "type": "dict", "schema": {
                "no": { "oneof": [{ "type": "integer", "unique": true }, { "type": "boolean" }] },
            } } } }),
            json!({ "rows": [{ "no": 7 }] }),
            json!({ "rows": { "0": { "no": ["none or more than one rule validate", {
                "oneof definition 0": "value '7' is not unique", "oneof definition 1": "must be of boolean type",
            }] } } }),
        ),
        (
            json!({ "map": { "type": "dict", "valuesrules": { "type": "string", "unique": true } } }),
            json!({ "map": { "k": "v" } }),
            json!({ "map": { "k": "value 'v' is not unique" } }),
        ),
    ] {
        let api = Api::open(domain(&schema, json!({}))).await;
        one_of(&creations(&api, &body).await, 201, &issues);
        let api = Api::open(domain(&schema, json!({}))).await;
        one_of(&edits(&api, &body).await, 200, &issues);
        assert_eq!(api.get("/all?max_results=50").await.json()["_meta"]["total"], 32);
    }
}

/// VAL-43: null is also the value of a document without the field, so it is unique only where all have one.
#[actix_rt::test]
async fn of_parallel_nulls_one_is_stored() {
    let schema = json!({ "n": { "type": "integer", "unique": true, "nullable": true } });
    let api = Api::open(domain(&schema, json!({}))).await;
    let issues = json!({ "n": "value 'None' is not unique" });
    one_of(&creations(&api, &json!({ "n": null })).await, 201, &issues);
    assert_eq!(api.post("/things", json!({})).await.status, 201);
    assert_eq!(api.post("/things", json!({ "n": null })).await.is(422).json()["_issues"], issues);
}

/// VAL-28, VAL-44: unique within the resource's part of the collection; the other part may have the value, too.
#[actix_rt::test]
async fn of_parallel_writes_of_a_value_unique_within_the_resource_one_is_done() {
    let schema = json!({
        "n": { "type": "integer", "unique_within_resource": true }, "kind": { "type": "string", "default": "a" },
    });
    let part = json!({ "datasource": { "source": "things", "filter": { "kind": "a" } } });
    let api = Api::open(domain(&schema, part)).await;
    api.post("/all", json!({ "n": 1, "kind": "b" })).await.is(201);
    let issues = json!({ "n": "value '1' is not unique" });
    one_of(&creations(&api, &json!({ "n": 1 })).await, 201, &issues);
    let issues = json!({ "n": "value '2' is not unique" });
    one_of(&edits(&api, &json!({ "n": 2 })).await, 200, &issues);
    // DS-02: what is created outside of the part is not in its way.
    api.post("/things", json!({ "n": 3, "kind": "b" })).await.is(201);
    api.post("/things", json!({ "n": 3 })).await.is(201);
}

/// VAL-44, URRA-05: where nobody is asked who he is, a value unique to a user is unique.
#[actix_rt::test]
async fn without_an_owner_a_value_unique_to_a_user_is_unique() {
    let schema = json!({ "nick": { "type": "string", "unique_to_user": true } });
    let more = json!({ "auth_field": "owner", "public_methods": ["GET", "POST"] });
    let api = Api::start(domain(&schema, more), |_| ()).await;
    one_of(&creations(&api, &json!({ "nick": "x" })).await, 201, &json!({ "nick": "value 'x' is not unique" }));
}

/// VAL-43: a document is no duplicate of itself, and an alternative that does not ask for uniqueness needs none.
#[actix_rt::test]
async fn a_document_keeps_its_own_unique_values() {
    let schema = json!({
        "tags": { "type": "list", "unique": true },
        "code": { "anyof": [{ "type": "string", "unique": true }, { "type": "string", "minlength": 4 }] },
    });
    let api = Api::open(domain(&schema, json!({}))).await;
    let body = json!({ "tags": [1], "code": "abc" });
    let thing = api.post("/things", body.clone()).await.is(201);
    let path = format!("/things/{}", thing.id());
    let etag = api.edit("PUT", &path, &thing.etag(), body.clone()).await.is(200).etag();
    api.edit("PATCH", &path, &etag, body).await.is(200);
    for code in ["abcd", "abcd"] {
        api.post("/things", json!({ "code": code })).await.is(201);
    }
    // Another list with the same elements is another value.
    api.post("/things", json!({ "tags": [1, 2] })).await.is(201);
    api.post("/things", json!({ "tags": [2, 1] })).await.is(201);
    api.post("/things", json!({ "tags": [1] })).await.is(422);
}

/// Data taken over may break a new rule: the service starts, keeps it, and lets nothing join it.
#[actix_rt::test]
async fn duplicates_that_are_stored_already_stay() {
    let open = |config: &mut resource_api::Config| config.auth.mode = resource_api::config::AuthMode::None;
    let free = json!({ "code": { "type": "string" }, "tags": { "type": "list" } });
    let api = Api::start(domain(&free, json!({})), open).await;
    let twins = json!([{ "code": "x", "tags": [1] }, { "code": "x", "tags": [1] }]);
    let first = api.post("/things", twins).await.is(201).json()["_items"][0].clone();
    let folder = api.stop().await;
    let strict = json!({ "code": { "type": "string", "unique": true }, "tags": { "type": "list", "unique": true } });
    let api = Api::start_in(folder, domain(&strict, json!({})), open).await;
    assert_eq!(api.get("/things").await.json()["_meta"]["total"], 2);
    let refused = api.post("/things", json!({ "code": "x", "tags": [1] })).await.is(422).json();
    assert_eq!(refused["_issues"].as_object().unwrap().len(), 2);
    let path = format!("/things/{}", first["_id"].as_str().unwrap());
    let etag = first["_etag"].as_str().unwrap();
    api.edit("PATCH", &path, etag, json!({ "code": "y", "tags": [2] })).await.is(200);
}
