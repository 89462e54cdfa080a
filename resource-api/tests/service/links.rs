//! Links to related documents and from nested urls (LINK-01, LINK-09, LINK-12, URL-09, RESP-08).

use serde_json::{Value, json};

use crate::support::{Api, encoded};

fn domain() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"], "URL_PREFIX": "api",
        "DOMAIN": {
            "people": {
                "additional_lookup": { "url": "regex(\"[\\w]+\")", "field": "name" },
                "schema": { "name": { "type": "string", "unique": true }, "boss": { "type": "objectid", "data_relation": { "resource": "people" } } }
            },
            "invoices": {
                "url": "people/<regex(\"[a-f0-9]{24}\"):person>/invoices",
                "schema": {
                    "number": { "type": "integer" },
                    "person": { "type": "objectid", "data_relation": { "resource": "people" } },
                    "many": { "type": "list", "schema": { "type": "objectid", "data_relation": { "resource": "people" } } },
                    "byname": { "type": "string", "nullable": true, "data_relation": { "resource": "people", "field": "name" } },
                }
            }
        }
    })
}

/// GOLD-05, LINK-09, LINK-12, URL-10, POST-08: references are linked; the url's values are the document's.
#[actix_rt::test]
async fn references_are_linked_wherever_a_document_is_shown() {
    let api = Api::open(domain()).await;
    let ada = api.post("/api/people", json!({ "name": "ada" })).await.is(201).id();
    let bob = api.post("/api/people/", json!({ "name": "bob", "boss": ada })).await.is(201);
    assert_eq!(bob.header("location"), format!("{}/api/people/{}", api.url, bob.id()));
    assert_eq!(
        bob.json()["_links"]["related"],
        json!({ "boss": { "title": "People", "href": format!("people/{ada}") } })
    );
    let path = format!("people/{ada}/invoices");
    // The body's `person` is overwritten by the url's.
    let body = json!({ "number": 1, "person": bob.id(), "many": [ada, bob.id()], "byname": "bob" });
    let created = api.post(&format!("/api/{path}"), body).await.is(201);
    assert_eq!(created.header("location"), format!("{}/api/{path}/{}", api.url, created.id()));
    let link = |id: &str| json!({ "title": "People", "href": format!("people/{id}") });
    let related = json!({ "person": link(&ada), "many": [link(&ada), link(&bob.id())], "byname": link("bob") });
    let own = json!({ "title": "Invoice", "href": format!("{path}/{}", created.id()) });
    assert_eq!(created.json()["_links"], json!({ "self": own, "related": related }));
    let list = api.get(&format!("/api/{path}")).await.is(200).json();
    assert_eq!(
        list["_links"]["self"],
        json!({ "title": "people/<regex(\"[a-f0-9]{24}\"):person>/invoices", "href": path })
    );
    assert_eq!(list["_items"][0]["_links"], json!({ "self": own, "related": related }));
    let item = api.get(&format!("/api/{path}/{}", created.id())).await.is(200).json();
    assert_eq!(item["_links"]["related"], related);
    assert_eq!(item["_links"]["collection"]["href"], path);
    // What a projection does not show relates to nothing.
    for projection in [json!({ "number": 1 }), json!({ "person.x": 1 }), json!({ "many.x": 1, "byname.x": 1 })] {
        let cut = api.get(&format!("/api/{path}?projection={}", encoded(&projection))).await.is(200).json();
        assert_eq!(cut["_items"][0]["_links"], json!({ "self": own }), "{projection}");
    }
    // LINK-09: null and [] relate to nothing.
    let bare = api.post(&format!("/api/{path}"), json!({ "many": [], "byname": null })).await.is(201).json();
    assert_eq!(bare["_links"]["related"], json!({ "person": link(&ada) }));
}

/// URL-10, LIST-04, GET-02, DEL-05, PUT-09: another parent's documents are not there.
#[actix_rt::test]
async fn a_nested_url_reaches_only_what_belongs_to_it() {
    let api = Api::open(domain()).await;
    let ada = api.post("/api/people", json!({ "name": "ada" })).await.is(201).id();
    let bob = api.post("/api/people", json!({ "name": "bob" })).await.is(201).id();
    let (hers, his) = (format!("/api/people/{ada}/invoices"), format!("/api/people/{bob}/invoices"));
    let invoice = api.post(&hers, json!({ "number": 1 })).await.is(201);
    api.post(&his, json!({ "number": 2 })).await.is(201);
    assert_eq!(api.get(&hers).await.json()["_meta"]["total"], 1);
    api.get(&format!("{his}/{}", invoice.id())).await.refused(404);
    let item = format!("{hers}/{}", invoice.id());
    let put = api.edit("PUT", &item, &invoice.etag(), json!({ "number": 3, "person": bob })).await.is(200);
    assert_eq!(api.get(&item).await.json()["person"], ada);
    assert_eq!(put.json()["_status"], "OK");
    api.request("DELETE", &hers).send().await.unwrap();
    assert_eq!(api.get(&hers).await.json()["_meta"]["total"], 0);
    assert_eq!(api.get(&his).await.json()["_meta"]["total"], 1);
    // VAL-45: the url's value is validated as any other.
    let nobody = api.post("/api/people/5f0000000000000000000abc/invoices", json!({})).await.is(422).json();
    let issue = "value '5f0000000000000000000abc' must exist in resource 'people', field '_id'.";
    assert_eq!(nobody["_issues"], json!({ "person": issue }));
}

/// PUT-09: the field that the item's url names is the document's, like those above it.
#[actix_rt::test]
async fn the_field_of_an_items_own_url_is_forced_too() {
    let api = Api::open(json!({
        "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PUT"],
        "DOMAIN": { "companies": {
            "item_lookup_field": "code", "item_url": "regex(\"[a-z]+\")",
            "schema": { "code": { "type": "string", "required": true }, "name": { "type": "string" } }
        } }
    }))
    .await;
    let created = api.post("/companies", json!({ "code": "acme" })).await.is(201);
    api.edit("PUT", "/companies/acme", &created.etag(), json!({ "name": "x", "code": "other" })).await.is(200);
    let company = api.get("/companies/acme").await.is(200).json();
    assert_eq!((&company["code"], &company["name"]), (&json!("acme"), &json!("x")));
}

/// LINK-03: the link to a page of unknown size has no query, as that of an empty one.
#[actix_rt::test]
async fn the_link_to_a_page_that_is_not_counted_has_no_query() {
    let mut domain = domain();
    domain["OPTIMIZE_PAGINATION_FOR_SPEED"] = json!(true);
    let api = Api::open(domain.clone()).await;
    let id = api.post("/api/people", json!({ "name": "ada" })).await.is(201).id();
    let links = api.get("/api/people?max_results=1").await.is(200).json()["_links"].clone();
    assert_eq!(links["self"]["href"], "people");
    assert_eq!(links["next"]["href"], "people?max_results=1&page=2");
    // LINK-06: an item leads on as well, where there are pages.
    assert_eq!(api.get(&format!("/api/people/{id}")).await.json()["_links"]["next"]["href"], "people?page=2");
    domain["PAGINATION"] = json!(false);
    let api = Api::open(domain).await;
    let id = api.post("/api/people", json!({ "name": "ada" })).await.is(201).id();
    assert_eq!(api.get(&format!("/api/people/{id}")).await.json()["_links"].get("next"), None);
}

/// GET-03, URL-04: the second url of a document.
#[actix_rt::test]
async fn an_additional_lookup_shows_the_same_document() {
    let api = Api::open(domain()).await;
    let id = api.post("/api/people", json!({ "name": "ada" })).await.is(201).id();
    let (by_name, by_id) =
        (api.get("/api/people/ada").await.is(200), api.get(&format!("/api/people/{id}")).await.is(200));
    assert_eq!(by_name.json(), by_id.json());
    assert_eq!(by_name.header("etag"), by_id.header("etag"));
    api.get("/api/people/nobody").await.refused(404);
    api.edit("PATCH", "/api/people/ada", "x", json!({})).await.refused(405);
}

/// RESP-08: the location is the public one, whatever the Host header says.
#[actix_rt::test]
async fn the_location_begins_with_the_public_url() {
    let api = Api::start(domain(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        config.public_url = Some("https://api.example/base".to_owned());
    })
    .await;
    let request = api.request("POST", "/api/people").header("Host", "evil.example").json(&json!({ "name": "x" }));
    let response = request.send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("https://api.example/base/api/people/"), "{location}");
}
