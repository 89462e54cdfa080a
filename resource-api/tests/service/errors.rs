//! Eve's error bodies, status by status, and the order in which refusals come (sections 20 and 23).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::store::StoreUrl;

use crate::support::{Api, Ask, encoded, with};
use crate::tokens::people;

const MISSING: &str = "/people/5f0000000000000000000abc";

/// D400 to D428 of section 20, ERR-03: the general texts, without DEBUG.
#[actix_rt::test]
async fn every_status_has_eves_text() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let item = format!("/people/{}", created.id());
    let bad_request = "The browser (or proxy) sent a request that this server could not understand.";
    assert_eq!(api.get("/people?where=%7B").await.refused(400), bad_request);
    assert_eq!(api.get("/people?sort=%5B(").await.refused(400), bad_request);
    assert_eq!(api.post("/people", json!([])).await.refused(400), bad_request);
    assert!(api.get("/nowhere").await.refused(404).starts_with("The requested URL was not found on the server. If"));
    assert!(api.get(MISSING).await.refused(404).starts_with("The requested URL was not found on the server. If"));
    let method = api.request("PATCH", "/people").answer().await;
    assert!(!method.has("allow"));
    assert_eq!(method.refused(405), "The method is not allowed for the requested URL.");
    let id = json!({ "_id": created.id() });
    assert!(
        api.post("/people", id).await.refused(409).starts_with("A conflict happened while processing the request.")
    );
    let stale = api.edit("PATCH", &item, "old", json!({})).await;
    assert_eq!(stale.refused(412), "Client and server etags don't match");
    let blind = api.request("PATCH", &item).json(&json!({})).answer().await;
    assert_eq!(blind.refused(428), "To edit a document its etag must be provided using the If-Match header");
}

/// STANDARD_ERRORS, section 20: what it leaves out has a page; validation and what Eve never lists have their body.
#[actix_rt::test]
async fn errors_that_are_not_standard_have_a_page() {
    let api = Api::open(with(people(), json!({ "STANDARD_ERRORS": [400, 405] }))).await;
    let missing = api.get("/nowhere").await.is(404);
    assert_eq!(missing.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(
        missing.text,
        "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>\n"
    );
    assert!(api.get(MISSING).await.is(404).text.starts_with("<!doctype html>"));
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let stale = api.edit("PATCH", &format!("/people/{}", created.id()), "old", json!({})).await.is(412);
    assert!(stale.text.contains("<p>Client and server etags don&#39;t match</p>"), "{}", stale.text);
    api.get("/people?where=%7B").await.refused(400);
    api.request("PATCH", "/people").answer().await.refused(405);
    let invalid = api.post("/people", json!({ "name": 1 })).await.is(422);
    assert_eq!(invalid.json()["_error"]["code"], 422);
}

/// ERR-06, RESP-01: nothing answers with 406, whatever is accepted.
#[actix_rt::test]
async fn no_answer_is_refused_for_what_the_client_accepts() {
    let api = Api::open(people()).await;
    for accept in ["text/html", "application/json;q=0", "image/*", "", "nonsense"] {
        for (path, status) in [("/people", 200), (MISSING, 404)] {
            let answer = api.request("GET", path).header("Accept", accept).answer().await.is(status);
            assert_eq!(answer.header("content-type"), "application/json", "{accept} {path}");
        }
    }
}

/// ERR-03: with DEBUG the real reason.
#[actix_rt::test]
async fn debug_tells_the_real_reason() {
    let api = Api::open(with(people(), json!({ "DEBUG": true }))).await;
    assert_eq!(api.get("/people?where=%7B").await.refused(400), "Unable to parse `where` clause");
    assert_eq!(api.post("/people", json!([])).await.refused(400), "Empty bulk insert");
    assert_eq!(api.get("/people?projection=x").await.refused(400), "Unable to parse `projection` clause");
    let broken = api.request("POST", "/people").header("Content-Type", "application/json").body("{").answer().await;
    assert!(broken.refused(400).starts_with("Failed to decode JSON object: "));
    let banned = encoded(&json!({ "name": { "$regex": "x" } }));
    let banned = api.get(&format!("/people?where={banned}")).await.refused(400);
    assert_eq!(banned, "Query contains operators banned in MONGO_QUERY_BLACKLIST");
}

/// ERR-01: texts that are told in any case.
#[actix_rt::test]
async fn some_reasons_are_told_without_debug() {
    let api = Api::open(people()).await;
    let plain = api.request("POST", "/people").header("Content-Type", "text/plain").body("x").answer().await;
    assert_eq!(plain.refused(400), "Unknown or no Content-Type header supplied");
    assert_eq!(api.get("/people?embedded=x").await.refused(400), "Unable to parse `embedded` clause");
}

/// ERR-03: of other reasons only those who look for faults of their own are told.
#[actix_rt::test]
async fn other_reasons_are_not_told_without_debug() {
    let api = Api::open(people()).await;
    let json =
        |body: &'static str| api.request("POST", "/people").header("Content-Type", "application/json").body(body);
    for body in ["{", "[]", "5"] {
        let told = json(body).answer().await.refused(400);
        assert!(told.starts_with("The browser (or proxy) sent a request"), "{body}: {told}");
    }
}

/// ERR-02, GOLD-06, GOLD-07, PATCH-02, PUT-03: the three shapes of a validation failure.
#[actix_rt::test]
async fn validation_failures_have_their_three_shapes() {
    let domain = json!({
        "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PATCH", "PUT"],
        "DOMAIN": { "people": { "schema": { "a": { "type": "string", "required": true }, "age": { "type": "integer" } } } }
    });
    let api = Api::open(domain).await;
    let failure = json!({ "code": 422, "message": "Insertion failure: 1 document(s) contain(s) error(s)" });
    let one = api.post("/people", json!({ "b": 1 })).await.is(422);
    let issues = json!({ "a": "required field", "b": "unknown field" });
    assert_eq!(one.json(), json!({ "_status": "ERR", "_issues": issues, "_error": failure }));
    assert!(!one.has("location"));
    let many = api.post("/people", json!([{ "a": "x" }, { "b": 1 }])).await.is(422);
    assert_eq!(
        many.json(),
        json!({ "_status": "ERR", "_items": [{ "_status": "OK" }, { "_status": "ERR", "_issues": issues }], "_error": failure })
    );
    let created = api.post("/people", json!({ "a": "x" })).await.is(201);
    let item = format!("/people/{}", created.id());
    let edit = api.edit("PATCH", &item, &created.etag(), json!({ "age": "x", "zz": 1 })).await.is(422);
    assert_eq!(
        edit.json(),
        json!({ "_issues": { "age": "must be of integer type", "zz": "unknown field" }, "_status": "ERR" })
    );
    assert!(!edit.has("etag"));
    let put = api.edit("PUT", &item, &created.etag(), json!({})).await.is(422);
    assert_eq!(put.json(), json!({ "_issues": { "a": "required field" }, "_status": "ERR" }));
}

/// ERR-05, POST-02, PATCH-03: what is no document at all.
#[actix_rt::test]
async fn what_is_no_document_is_told_apart() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({})).await.is(201);
    let list = api.post("/people", json!([{}, 5])).await.is(422).json();
    let issue = json!({ "validation exception": "'5' is not a document, must be a dict" });
    assert_eq!(list["_items"][1]["_issues"], issue);
    let item = format!("/people/{}", created.id());
    for method in ["PATCH", "PUT"] {
        let answer = api.edit(method, &item, &created.etag(), json!([1, "a"])).await.is(422).json();
        let issue = json!({ "validator exception": "'[1, 'a']' is not a document, must be a dict" });
        assert_eq!(answer["_issues"], issue);
    }
    for scalar in [json!("text"), json!(5), json!(true)] {
        api.post("/people", scalar).await.refused(400);
    }
    api.post("/people", json!(null)).await.refused(400);
    // PUT-04: nothing to replace, nothing to create.
    api.request("PUT", MISSING).json(&json!([{}])).answer().await.refused(400);
}

/// VALIDATION_ERROR_STATUS, VALIDATION_ERROR_AS_LIST and the configurable names.
#[actix_rt::test]
async fn names_and_status_of_failures_are_settings() {
    let api = Api::open(with(
        people(),
        json!({
            "VALIDATION_ERROR_STATUS": 400, "VALIDATION_ERROR_AS_LIST": true, "STATUS": "state", "STATUS_ERR": "bad",
            "ISSUES": "why", "ERROR": "error",
        }),
    ))
    .await;
    let body = api.post("/people", json!({ "x": 1 })).await.is(400).json();
    assert_eq!(body["state"], "bad");
    assert_eq!(body["why"], json!({ "x": ["unknown field"] }));
    assert_eq!(body["error"]["code"], 400);
}

/// Section 23, REQ-02, REQ-03: of several faults the first in the matrix is told.
#[actix_rt::test]
async fn the_first_fault_in_order_is_told() {
    let api = Api::start(people(), |_| ()).await;
    api.auth.token("alice", "people:read people:write", json!({}));
    let ask = async |method: &str, path: &str, token: &str, etag: &str, body: &str| {
        let mut request = api.request(method, path).header("Content-Type", "application/json").body(body.to_owned());
        if !token.is_empty() {
            request = request.token(token);
        }
        if !etag.is_empty() {
            request = request.header("If-Match", etag);
        }
        request.answer().await
    };
    let created = ask("POST", "/people", "alice", "", "{}").await.is(201);
    let item = format!("/people/{}", created.id());
    let (item, etag) = (item.as_str(), created.etag());
    // Route before token.
    ask("PATCH", "/people", "", "", "{").await.refused(405);
    ask("GET", "/nowhere", "", "", "").await.refused(404);
    // Token before payload and query.
    ask("POST", "/people", "", "", "{").await.refused(401);
    ask("GET", "/people?where=%7B", "", "", "").await.refused(401);
    for method in ["PATCH", "PUT"] {
        ask(method, MISSING, "", "", "{").await.refused(401);
        // Payload before document.
        ask(method, MISSING, "alice", "", "{").await.refused(400);
        ask(method, item, "alice", "", "{").await.refused(400);
        // 428 before 412 before 422.
        ask(method, item, "alice", "", "{\"x\": 1}").await.refused(428);
        ask(method, item, "alice", "old", "{\"x\": 1}").await.refused(412);
        ask(method, item, "alice", &etag, "{\"x\": 1}").await.is(422);
        // Validation before the id's own check.
        ask(method, item, "alice", &etag, "{\"x\": 1, \"_id\": \"5f0000000000000000000abc\"}").await.is(422);
        ask(method, item, "alice", &etag, "{\"_id\": \"5f0000000000000000000abc\"}").await.refused(400);
    }
    ask("PATCH", MISSING, "alice", "", "{}").await.refused(404);
    ask("DELETE", item, "alice", "", "").await.refused(428);
    ask("DELETE", item, "alice", "old", "").await.refused(412);
    ask("DELETE", MISSING, "alice", "", "").await.is(204);
}

/// PATCH-08, PUT-06: the text about the id.
#[actix_rt::test]
async fn an_id_can_be_sent_but_not_changed() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let item = format!("/people/{}", created.id());
    for method in ["PATCH", "PUT"] {
        let refused =
            api.edit(method, &item, &created.etag(), json!({ "_id": "5f0000000000000000000abc" })).await.refused(400);
        assert!(refused.starts_with("Attempt to update an immutable field.") && refused.contains("'_id'"), "{refused}");
    }
    let same = api.edit("PATCH", &item, &created.etag(), json!({ "_id": created.id(), "name": "y" })).await.is(200);
    api.edit("PUT", &item, &same.etag(), json!({ "_id": created.id(), "name": "z" })).await.is(200);
}

/// ERR-07, RESP-07: errors of reads carry the global cache headers, whatever the resource says.
#[actix_rt::test]
async fn errors_carry_the_global_cache_headers() {
    let mut domain = with(people(), json!({ "CACHE_CONTROL": "max-age=5", "CACHE_EXPIRES": 5 }));
    domain["DOMAIN"]["people"]["cache_control"] = json!("max-age=99");
    domain["DOMAIN"]["people"]["cache_expires"] = json!(99);
    let api = Api::open(domain).await;
    assert_eq!(api.get("/people").await.header("cache-control"), "max-age=99");
    let missing = api.get(MISSING).await.is(404);
    assert_eq!(missing.header("cache-control"), "max-age=5");
    assert!(missing.has("expires"));
    assert!(!api.post("/people", json!([])).await.is(400).has("cache-control"));
}

/// Decisions 17: a query that takes too long ends with 503, and the next one is answered.
#[actix_rt::test]
async fn a_query_over_its_time_is_unavailable() {
    let api = Api::start(people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.limits.query_time = 0.001;
    })
    .await;
    for bulk in 0..10 {
        let people: Vec<Value> = (0..2000).map(|number| json!({ "name": format!("{bulk}-{number}") })).collect();
        api.post("/people", json!(people)).await.is(201);
    }
    let slow = api.get(&format!("/people?where={}&sort=name", encoded(&json!({ "name": { "$ne": "x" } })))).await;
    assert_eq!(slow.header("retry-after"), "1");
    assert!(slow.refused(503).starts_with("The query took too long or too much memory."));
    // In a millisecond nothing comes over a network; and a busy machine may do something else for so long.
    let end = Instant::now() + Duration::from_secs(60);
    while shared::store::servers::chosen().is_none() && api.get("/people?max_results=1").await.status != 200 {
        assert!(Instant::now() < end, "nothing is answered any more");
    }
}

/// ERR-04, decisions 17: a store that can't be read is no 404 and shows nothing of itself.
#[actix_rt::test]
async fn a_broken_store_is_a_failure_of_the_server() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let path = folder.path().join("api.db");
    let api = Api::start_in(folder, people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.store = StoreUrl::Sqlite(path.clone());
    })
    .await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let folder = api.stop().await;
    let file = shared::store::Sqlite::open(&path).unwrap();
    // Whatever tables there are: their bodies are made unreadable.
    file.write(|connection| {
        let mut tables = connection.prepare("SELECT name FROM pragma_table_list WHERE type = 'table'").unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().flatten().collect();
        let broken: usize = tables
            .iter()
            .map(|table| connection.execute(&format!("UPDATE \"{table}\" SET body = x'00'"), []).unwrap_or(0))
            .sum();
        assert!(broken > 0, "no table has bodies: {tables:?}");
        Ok::<(), shared::store::StoreError>(())
    })
    .await
    .unwrap();
    drop(file);
    let api = Api::start_in(folder, people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.store = StoreUrl::Sqlite(path);
    })
    .await;
    let message = api.get(&format!("/people/{}", created.id())).await.refused(500);
    // PATCH-12: nor is it the fault of who edits.
    let edit = api.edit("PATCH", &format!("/people/{}", created.id()), &created.etag(), json!({ "name": "y" })).await;
    edit.refused(500);
    let told: Value = json!(message);
    assert!(!told.to_string().contains("bson") && !told.to_string().contains("sql"), "{told}");
}
