//! What a domain file says about its collections: several views of one, filters, urls (DS, URL-08, URL-12, LIST-04).

use serde_json::{Value, json};

use crate::support::{Api, Ask};

fn domain() -> Value {
    let view = |url: &str, alive: bool| {
        json!({
            "url": url, "datasource": { "source": "people", "filter": { "alive": alive } },
            "schema": { "name": { "type": "string" }, "alive": { "type": "boolean" } }
        })
    };
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": { "living": view("people/living", true), "dead": view("people/dead", false) }
    })
}

/// DS-01: a filter decides what is there.
#[actix_rt::test]
async fn a_filter_isolates_the_views_of_one_collection() {
    let api = Api::open(domain()).await;
    let ada = api.post("/people/dead", json!({ "name": "ada", "alive": false })).await.is(201);
    let path = |view: &str| format!("/people/{view}/{}", ada.id());
    api.get(&path("dead")).await.is(200);
    api.get(&path("living")).await.refused(404);
    api.edit("PATCH", &path("living"), &ada.etag(), json!({ "name": "x" })).await.refused(404);
    api.edit("DELETE", &path("living"), &ada.etag(), json!(null)).await.is(204);
    assert_eq!(api.get("/people/living").await.json()["_meta"]["total"], 0);
    api.request("DELETE", "/people/living").answer().await.is(204);
    assert_eq!(api.get("/people/dead").await.json()["_meta"]["total"], 1);
}

/// DS-02, DS-03: a document can be created outside the filter, and is then hidden but there.
#[actix_rt::test]
async fn a_document_outside_the_filter_is_created_and_hidden() {
    let api = Api::open(domain()).await;
    let ghost = api.post("/people/living", json!({ "name": "ghost", "alive": false })).await.is(201);
    let path = format!("/people/living/{}", ghost.id());
    api.get(&path).await.refused(404);
    api.request("PUT", &path).json(&json!({ "name": "x", "alive": true })).answer().await.refused(409);
}

/// URL-08: the parent of a nested url need not exist.
#[actix_rt::test]
async fn a_nested_url_needs_no_parent() {
    let api = Api::open(domain()).await;
    api.get("/people").await.refused(404);
    api.get("/people/dead/").await.is(200);
}

/// CFG-15 aside, D-012: urls that can't be served stop the start, by name.
#[actix_rt::test]
async fn a_url_that_cannot_be_served_stops_the_start() {
    let text = json!({ "DOMAIN": { "people": { "url": "people/<regex([):x>" } } }).to_string();
    let started = match resource_api::domain::parse(resource_api::domain::Format::Json, &text) {
        Err(error) => error.to_string(),
        Ok(domain) => {
            let folder = tempfile::tempdir().unwrap();
            let mut config = resource_api::Config::default();
            config.auth.mode = resource_api::config::AuthMode::None;
            config.store = crate::support::store_in(folder.path());
            let address = "127.0.0.1:1".parse().unwrap();
            resource_api::App::open(&config, domain, address).await.map(drop).unwrap_err().to_string()
        }
    };
    assert!(started.contains("people"), "{started}");
}
