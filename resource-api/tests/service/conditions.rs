//! ETags and conditional requests (ETAG, GET-04 to GET-06, REQ-12, REQ-13).

use resource_api::domain::DateFormat;
use serde_json::json;

use crate::support::{Answer, Api, Ask, with};
use crate::tokens::people;

async fn person(api: &Api) -> (Answer, String) {
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let path = format!("/people/{}", created.id());
    (created, path)
}

async fn get(api: &Api, path: &str, name: &str, value: &str) -> Answer {
    api.request("GET", path).header(name, value).answer().await
}

/// GET-01, RESP-06: the item's headers.
#[actix_rt::test]
async fn an_item_carries_its_etag_and_last_change() {
    let api = Api::open(people()).await;
    let (created, path) = person(&api).await;
    let item = api.get(&path).await.is(200);
    assert_eq!(item.header("etag"), format!("\"{}\"", created.etag()));
    assert_eq!(item.header("last-modified"), item.json()["_updated"]);
    // POST-06.
    assert!(!created.has("etag") && !created.has("last-modified"));
    assert_eq!(created.header("location"), format!("{}{path}", api.url));
}

/// GET-05, RESP-09: 304 has the ETag and neither a body nor what describes one.
#[actix_rt::test]
async fn an_unchanged_item_is_not_sent_again() {
    let api = Api::open(with(people(), json!({ "CACHE_EXPIRES": 20 }))).await;
    let (created, path) = person(&api).await;
    let tag = created.etag();
    let known = get(&api, &path, "If-None-Match", &format!("W/\"{tag}\"")).await.is(304);
    assert_eq!((known.text.as_str(), known.header("etag")), ("", format!("\"{tag}\"").as_str()));
    for gone in ["content-type", "content-length", "last-modified"] {
        assert!(!known.has(gone), "{gone}");
    }
    // How long what the client has is fresh is said anew.
    assert!(known.has("expires"));
    get(&api, &path, "If-None-Match", "\"other\"").await.is(200);
    get(&api, &path, "If-None-Match", "*").await.is(200);
    // REQ-12: weak only before a quoted tag.
    get(&api, &path, "If-None-Match", &format!("W/{tag}")).await.is(200);
    let now = api.get(&path).await.header("last-modified").to_owned();
    get(&api, &path, "If-Modified-Since", &now).await.is(304);
    get(&api, &path, "If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT").await.is(200);
    // REQ-13: what can't be read is ignored.
    get(&api, &path, "If-Modified-Since", "yesterday").await.is(200);
    let both = api
        .request("GET", &path)
        .header("If-None-Match", &tag)
        .header("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT");
    both.answer().await.is(200);
    // URL-15: HEAD alike.
    api.request("HEAD", &path).header("If-None-Match", &tag).answer().await.is(304);
}

/// REQ-12: a tag that is no text was sent all the same, and matches nothing.
#[actix_rt::test]
async fn an_unreadable_tag_matches_no_document() {
    for settings in [json!({}), json!({ "ENFORCE_IF_MATCH": false }), json!({ "IF_MATCH": false })] {
        let api = Api::open(with(people(), settings)).await;
        let path = format!("/people/{}", api.post("/people", json!({ "name": "x" })).await.is(201).id());
        for method in ["PATCH", "PUT", "DELETE"] {
            let edit = api.request(method, &path).header("If-Match", &b"\"\xff\""[..]).json(&json!({ "name": "y" }));
            edit.answer().await.refused(412);
        }
        let read = api.request("GET", &path).header("If-None-Match", &b"\xff"[..]);
        let since = "Tue, 19 Jan 2038 00:00:00 GMT";
        let item = read.header("If-Modified-Since", since).answer().await.is(200).json();
        assert_eq!(item["name"], "x");
    }
}

/// LIST-02, LIST-03: a page knows its latest change but takes no conditions.
#[actix_rt::test]
async fn conditions_have_no_effect_on_collections() {
    let api = Api::open(people()).await;
    assert!(!api.get("/people").await.has("last-modified"));
    person(&api).await;
    let page = api.get("/people").await.is(200);
    assert!(page.has("last-modified") && !page.has("etag"));
    get(&api, "/people", "If-Modified-Since", page.header("last-modified")).await.is(200);
    get(&api, "/people", "If-None-Match", "*").await.is(200);
}

/// ETAG-01, ETAG-03: what is hashed is told by the digest itself.
#[actix_rt::test]
async fn a_created_documents_etag_is_eves_digest() {
    let api = Api::open(people()).await;
    let (created, path) = person(&api).await;
    let dates = DateFormat::default();
    let date = dates.parse(created.json()["_updated"].as_str().unwrap()).unwrap();
    let mut document = bson::doc! { "name": "x", "_updated": date, "_created": date };
    assert_eq!(resource_api::etag::etag(&document, &[]), created.etag());
    // PATCH: the merged document with the previous ETag and the id.
    let changed = api.edit("PATCH", &path, &created.etag(), json!({ "name": "y" })).await.is(200);
    let updated = dates.parse(changed.json()["_updated"].as_str().unwrap()).unwrap();
    document.insert("name", "y");
    document.insert("_updated", updated);
    document.insert("_etag", created.etag());
    document.insert("_id", bson::oid::ObjectId::parse_str(created.id()).unwrap());
    assert_eq!(resource_api::etag::etag(&document, &[]), changed.etag());
    assert_eq!(changed.header("etag"), format!("\"{}\"", changed.etag()));
    // PATCH-01: no Last-Modified.
    assert!(!changed.has("last-modified"));
    // PUT: the replacement with id and kept _created.
    let put = api.edit("PUT", &path, &changed.etag(), json!({ "name": "z" })).await.is(200);
    document.remove("_etag");
    document.insert("name", "z");
    document.insert("_updated", dates.parse(put.json()["_updated"].as_str().unwrap()).unwrap());
    assert_eq!(resource_api::etag::etag(&document, &[]), put.etag());
    assert_eq!(put.header("last-modified"), put.json()["_updated"]);
    assert_eq!(api.get(&path).await.etag(), put.etag());
}

/// ETAG-05: ignored fields change without the ETag.
#[actix_rt::test]
async fn ignored_fields_do_not_change_the_etag() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["etag_ignore_fields"] = json!(["name", "_updated", "_etag"]);
    let api = Api::open(domain).await;
    let (created, path) = person(&api).await;
    let one = api.edit("PATCH", &path, &created.etag(), json!({ "name": "y" })).await.is(200).etag();
    let two = api.edit("PATCH", &path, &one, json!({ "name": "z" })).await.is(200).etag();
    assert_eq!(one, two);
}

/// ETAG-06 to ETAG-08: the two switches.
#[actix_rt::test]
async fn if_match_can_be_optional_or_off() {
    let api = Api::open(with(people(), json!({ "ENFORCE_IF_MATCH": false }))).await;
    let (created, path) = person(&api).await;
    api.request("PATCH", &path).json(&json!({ "name": "y" })).answer().await.is(200);
    api.edit("PATCH", &path, &created.etag(), json!({})).await.refused(412);

    let api = Api::open(with(people(), json!({ "IF_MATCH": false }))).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    let path = format!("/people/{}", created.id());
    assert!(created.json().get("_etag").is_none());
    let item = api.get(&path).await.is(200);
    assert!(!item.has("etag") && item.json().get("_etag").is_none());
    // GET-06.
    get(&api, &path, "If-None-Match", "anything").await.is(200);
    let patched = api.request("PATCH", &path).json(&json!({ "name": "y" })).answer().await.is(200);
    assert!(!patched.has("etag"));
    // ETAG-07: compared all the same.
    api.edit("PATCH", &path, "wrong", json!({})).await.refused(412);
    api.request("DELETE", &path).answer().await.is(204);
}

/// PUT-08: a PUT of the same content within the same second is no conflict.
#[actix_rt::test]
async fn the_same_content_can_be_put_again_at_once() {
    let api = Api::open(people()).await;
    let (created, path) = person(&api).await;
    let mut etag = created.etag();
    for _ in 0..5 {
        etag = api.edit("PUT", &path, &etag, json!({ "name": "same" })).await.is(200).etag();
    }
}
