//! What a caller sees by what his token says: `${claim}` in a datasource's filter (contract 2.4).

use serde_json::{Value, json};

use crate::support::{Answer, Api, Ask, with};

fn domain() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "BANDWIDTH_SAVER": false,
        "DOMAIN": {
            "notes": {
                "datasource": { "filter": { "team": { "$in": "${teams}" } } },
                "schema": {
                    "team": { "type": "string" },
                    "slug": { "type": "string", "unique_within_resource": true },
                    "about": { "type": "objectid", "data_relation": { "resource": "notes", "embeddable": true } },
                }
            },
            "board": {
                "public_methods": ["GET", "POST"], "public_item_methods": ["GET"],
                "schema": { "note": { "type": "objectid", "data_relation": { "resource": "notes", "embeddable": true } } }
            },
        }
    })
}

async fn api() -> Api {
    let api = Api::start(domain(), |_| ()).await;
    let scopes = "notes:read notes:write board:read board:write";
    api.auth.token("red", scopes, json!({ "teams": ["red"] }));
    api.auth.token("both", scopes, json!({ "teams": ["red", "blue"] }));
    api.auth.token("single", scopes, json!({ "teams": "blue" }));
    api.auth.token("none", scopes, json!({}));
    api.auth.token("sly", scopes, json!({ "teams": { "$exists": true } }));
    api
}

async fn ask(api: &Api, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = api.request(method, path);
    if token.is_empty() { request } else { request.token(token) }.json(&body).answer().await
}

/// Lists, items, edits and deletions; a claim that is missing or no value is told, and lets nobody in.
#[actix_rt::test]
async fn a_filter_by_claims_decides_what_a_caller_sees() {
    let api = api().await;
    let red = ask(&api, "red", "POST", "/notes", json!({ "team": "red" })).await.is(201);
    let blue = ask(&api, "both", "POST", "/notes", json!({ "team": "blue" })).await.is(201);
    let total = async |token: &str| {
        ask(&api, token, "GET", "/notes", json!(null)).await.is(200).json()["_meta"]["total"].clone()
    };
    assert_eq!((total("red").await, total("both").await, total("single").await), (json!(1), json!(2), json!(1)));
    let item = format!("/notes/{}", blue.id());
    ask(&api, "red", "GET", &item, json!(null)).await.refused(404);
    ask(&api, "single", "GET", &item, json!(null)).await.is(200);
    let edit = async |token: &str, method: &str| {
        let request = api.request(method, &item).token(token).header("If-Match", blue.etag());
        request.json(&json!({ "team": "blue" })).answer().await
    };
    edit("red", "PATCH").await.refused(404);
    edit("red", "DELETE").await.is(204);
    ask(&api, "single", "GET", &item, json!(null)).await.is(200);
    for token in ["none", "sly"] {
        for (method, path) in
            [("GET", "/notes"), ("GET", &item), ("PATCH", &item), ("DELETE", &item), ("DELETE", "/notes")]
        {
            ask(&api, token, method, path, json!({})).await.refused(403);
        }
    }
    ask(&api, "red", "DELETE", "/notes", json!(null)).await.is(204);
    assert_eq!(total("both").await, 1);
    ask(&api, "red", "GET", &format!("/notes/{}", red.id()), json!(null)).await.refused(404);
    edit("single", "PATCH").await.is(200);
}

/// EMB-05, VAL-44, VAL-45: the same holds where another document is looked for.
#[actix_rt::test]
async fn references_and_unique_values_know_only_what_the_caller_sees() {
    let api = api().await;
    let blue = ask(&api, "both", "POST", "/notes", json!({ "team": "blue", "slug": "one" })).await.is(201).id();
    // A value is taken only where it is seen.
    ask(&api, "both", "POST", "/notes", json!({ "team": "red", "slug": "one" })).await.is(422);
    ask(&api, "red", "POST", "/notes", json!({ "team": "red", "slug": "one" })).await.is(201);
    let refused = ask(&api, "red", "POST", "/notes", json!({ "team": "red", "about": blue })).await.is(422);
    assert!(refused.text.contains("must exist in resource 'notes'"), "{}", refused.text);
    let pinned = ask(&api, "both", "POST", "/board?embedded={\"note\":1}", json!({ "note": blue })).await;
    assert_eq!(pinned.status, 422, "a public POST shows no token: {}", pinned.text);
    let mine = ask(&api, "both", "POST", "/notes", json!({ "team": "red", "about": blue })).await.is(201).id();
    let shown = async |token: &str| {
        let path = format!("/notes/{mine}?embedded=%7B%22about%22:1%7D");
        ask(&api, token, "GET", &path, json!(null)).await.is(200).json()["about"].clone()
    };
    assert_eq!(shown("both").await["team"], "blue");
    assert_eq!(shown("red").await, Value::Null);
}

/// Where no tokens are taken, nobody could ever see anything: the start says so.
#[actix_rt::test]
async fn a_filter_by_claims_needs_a_service_that_takes_tokens() {
    let domain = json!({ "DOMAIN": { "notes": { "datasource": { "filter": { "team": "${team}" } } } } });
    let text = with(domain, json!({})).to_string();
    let domain = resource_api::domain::parse(resource_api::domain::Format::Json, &text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = resource_api::Config::default();
    config.auth.mode = resource_api::config::AuthMode::None;
    config.store = crate::support::store_in(folder.path());
    let refused = resource_api::App::open(&config, domain, "127.0.0.1:1".parse().unwrap()).await.map(drop).unwrap_err();
    assert!(refused.to_string().starts_with("notes: datasource.filter asks for claims"), "{refused}");
}
