//! References replaced by documents (EMB-01 to EMB-09, GET-04).

use serde_json::{Value, json};

use crate::support::{Api, encoded, with};

fn domain() -> Value {
    let person = || json!({ "type": "objectid", "data_relation": { "resource": "people", "embeddable": true } });
    json!({
        "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PATCH", "DELETE"],
        "DOMAIN": {
            "people": {
                "datasource": { "projection": { "secret": 0 } },
                "schema": {
                    "name": { "type": "string" }, "secret": { "type": "string" }, "firm": {
                        "type": "string", "data_relation": { "resource": "firms", "field": "code", "embeddable": true }
                    }
                }
            },
            "firms": { "schema": { "code": { "type": "string", "unique": true }, "open": { "type": "boolean" } }, "datasource": { "filter": { "open": true } } },
            "works": { "schema": {
                "author": person(), "hidden": { "type": "objectid", "data_relation": { "resource": "people" } },
                "cast": { "type": "list", "schema": person() },
                "acts": { "type": "list", "schema": { "type": "dict", "schema": { "hero": person() } } },
            } },
        }
    })
}

struct Scene {
    api: Api,
    ada: String,
    bob: String,
    work: String,
}

async fn scene(domain: Value) -> Scene {
    let api = Api::open(domain).await;
    api.post("/firms", json!([{ "code": "F1", "open": true }, { "code": "F2", "open": true }])).await.is(201);
    let ada = api.post("/people", json!({ "name": "ada", "secret": "s", "firm": "F1" })).await.is(201).id();
    let bob = api.post("/people", json!({ "name": "bob", "firm": "F2" })).await.is(201).id();
    let work = json!({ "author": ada, "hidden": ada, "cast": [bob, ada], "acts": [{ "hero": bob }, {}] });
    let work = api.post("/works", work).await.is(201).id();
    Scene { api, ada, bob, work }
}

impl Scene {
    async fn item(&self, embedded: Value) -> Value {
        self.api.get(&format!("/works/{}?embedded={}", self.work, encoded(&embedded))).await.is(200).json()
    }
}

/// EMB-02, EMB-04, EMB-05: what is embeddable is embedded as its resource shows it; links stay.
#[actix_rt::test]
async fn references_become_documents_as_their_resource_shows_them() {
    let scene = scene(domain()).await;
    let item = scene.item(json!({ "author": 1, "hidden": 1, "cast": true, "nothing": 1 })).await;
    assert_eq!((&item["author"]["name"], &item["author"]["_id"]), (&json!("ada"), &json!(scene.ada)));
    assert!(item["author"].get("secret").is_none() && item["author"].get("_links").is_none());
    assert_eq!(item["hidden"], json!(scene.ada));
    assert_eq!((&item["cast"][0]["name"], &item["cast"][1]["name"]), (&json!("bob"), &json!("ada")));
    assert_eq!(item["_links"]["related"]["author"]["href"], format!("people/{}", scene.ada));
    let list = scene.api.get(&format!("/works?embedded={}", encoded(&json!({ "author": 1 })))).await.is(200).json();
    assert_eq!(list["_items"][0]["author"]["name"], "ada");
    assert_eq!(scene.item(json!({ "author": 0 })).await["author"], json!(scene.ada));
    for bad in ["x", "[]", "5"] {
        scene.api.get(&format!("/works?embedded={bad}")).await.refused(400);
    }
}

/// EMB-03: through lists of documents, and through what was embedded before.
#[actix_rt::test]
async fn paths_lead_through_lists_and_embedded_documents() {
    let scene = scene(domain()).await;
    let item = scene.item(json!({ "acts.hero": 1, "author": 1, "author.firm": 1 })).await;
    assert_eq!(item["acts"][0]["hero"]["_id"], json!(scene.bob));
    assert_eq!(item["acts"][1], json!({}));
    assert_eq!(item["author"]["firm"]["code"], "F1");
    // Each level must be asked for.
    assert_eq!(scene.item(json!({ "author.firm": 1 })).await["author"], json!(scene.ada));
}

/// EMB-04, EMB-05: what is gone, or outside the target's filter, is null or left out.
#[actix_rt::test]
async fn missing_targets_are_null_or_left_out() {
    let scene = scene(domain()).await;
    let ada = scene.api.get(&format!("/people/{}", scene.ada)).await;
    scene.api.edit("DELETE", &format!("/people/{}", scene.ada), &ada.etag(), json!(null)).await.is(204);
    let firms = scene.api.get("/firms").await.json();
    let firm = &firms["_items"][1];
    let path = format!("/firms/{}", firm["_id"].as_str().unwrap());
    scene.api.edit("PATCH", &path, firm["_etag"].as_str().unwrap(), json!({ "open": false })).await.is(200);
    let item = scene.item(json!({ "author": 1, "cast": 1, "cast.firm": 1 })).await;
    assert_eq!(item["author"], json!(null));
    assert_eq!(item["cast"].as_array().unwrap().len(), 1);
    assert_eq!((&item["cast"][0]["name"], &item["cast"][0]["firm"]), (&json!("bob"), &json!(null)));
}

/// EMB-02, EMB-07: the resource's own embedded fields, also in answers to writes without the bandwidth saver.
#[actix_rt::test]
async fn a_resource_embeds_by_default() {
    let mut domain = with(domain(), json!({ "BANDWIDTH_SAVER": false }));
    domain["DOMAIN"]["works"]["embedded_fields"] = json!(["author"]);
    let scene = scene(domain.clone()).await;
    let item = scene.api.get(&format!("/works/{}", scene.work)).await.json();
    assert_eq!(item["author"]["name"], "ada");
    assert_eq!(scene.item(json!({ "author": 0 })).await["author"], json!(scene.ada));
    let created = scene.api.post("/works", json!({ "author": scene.bob })).await.is(201).json();
    assert_eq!((&created["author"]["name"], &created["_status"]), (&json!("bob"), &json!("OK")));
    let path = format!("/works/{}", scene.work);
    let patched = scene.api.edit("PATCH", &path, item["_etag"].as_str().unwrap(), json!({})).await;
    assert_eq!(patched.is(200).json()["author"]["name"], "ada");
    // `embedding: false` turns off the parameter only.
    domain["DOMAIN"]["works"]["embedding"] = json!(false);
    let scene = self::scene(domain).await;
    let item = scene.item(json!({ "author": 0, "cast": 1 })).await;
    assert_eq!((&item["author"]["name"], &item["cast"][0]), (&json!("ada"), &json!(scene.bob)));
}

/// EMB-05: on reads the target's owner counts.
#[actix_rt::test]
async fn foreign_documents_are_not_embedded() {
    use crate::support::Ask;
    let mut domain = domain();
    domain["DOMAIN"]["people"]["auth_field"] = json!("owner");
    let api = Api::start(domain, |_| ()).await;
    let scopes = "people:read people:write works:read works:write";
    api.auth.token("alice", scopes, json!({})).token("bob", scopes, json!({}));
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        api.request(method, path).token(token).json(&body).answer().await
    };
    let person = ask("alice", "POST", "/people", json!({ "name": "hers" })).await.is(201).id();
    let work = ask("bob", "POST", "/works", json!({ "author": person })).await.is(201).id();
    let path = format!("/works/{work}?embedded={}", encoded(&json!({ "author": 1 })));
    assert_eq!(ask("alice", "GET", &path, json!(null)).await.json()["author"]["name"], "hers");
    assert!(ask("alice", "GET", &path, json!(null)).await.json()["author"].get("owner").is_none());
    assert_eq!(ask("bob", "GET", &path, json!(null)).await.json()["author"], json!(null));
}
