//! Home, lists and items (HOME, LIST, GET, RESP, PAGE).

use serde_json::{Value, json};

use crate::support::{Api, Ask, encoded, with};

fn domain() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST"], "ITEM_METHODS": ["GET", "PATCH", "PUT", "DELETE"],
        "DOMAIN": {
            "people": { "schema": {
                "name": { "type": "string" }, "age": { "type": "integer" }, "born": { "type": "datetime" },
                "place": { "type": "dict", "schema": { "city": { "type": "string" }, "zip": { "type": "string" } } }
            } },
            "ro": {}, "hidden": { "internal_resource": true },
        }
    })
}

async fn six() -> Api {
    let api = Api::open(domain()).await;
    let people: Vec<Value> = (1..=6).map(|age| json!({ "name": format!("n{age}"), "age": age })).collect();
    api.post("/people", json!(people)).await.is(201);
    api
}

/// HOME-01, GOLD-01, URL-12.
#[actix_rt::test]
async fn home_links_to_every_resource_that_is_not_internal() {
    let api = Api::open(domain()).await;
    let home = api.get("/").await.is(200);
    let child = json!([{ "href": "people", "title": "people" }, { "href": "ro", "title": "ro" }]);
    assert_eq!(home.json(), json!({ "_links": { "child": child } }));
    api.get("/hidden").await.refused(404);
}

/// HOME-02, HOME-03, HOME-04, LINK-11.
#[actix_rt::test]
async fn home_shows_what_the_settings_say() {
    let mut sub = with(domain(), json!({ "INFO": "_info", "API_VERSION": "v1", "SCHEMA_ENDPOINT": "schema" }));
    sub["DOMAIN"] =
        json!({ "invoices": { "url": "people/<regex(\"[a-f0-9]{24}\"):person>/invoices", "resource_title": "Bills" } });
    let api = Api::open(sub.clone()).await;
    let info = json!({ "server": "Eve", "version": "2.3.1", "api_version": "v1" });
    let child = json!([
        { "href": "people/<person>/invoices", "title": "Bills" }, { "href": "schema", "title": "schema" }
    ]);
    assert_eq!(api.get("/v1").await.is(200).json(), json!({ "_info": info, "_links": { "child": child } }));
    sub["HATEOAS"] = json!(false);
    assert_eq!(Api::open(sub).await.get("/v1/").await.json(), json!({ "_info": info }));
}

/// GOLD-03, LINK-05, LIST-01, LIST-02: a filtered, sorted page, with every link.
#[actix_rt::test]
async fn a_page_of_a_filtered_list_is_eves() {
    let api = six().await;
    let filter = json!({ "age": { "$gt": 0 } });
    let answer =
        api.get(&format!("/people?max_results=2&page=2&where={}&sort=-age&foo=x", encoded(&filter))).await.is(200);
    assert_eq!(answer.header("x-total-count"), "6");
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    let query = "max_results=2&where={\"age\":{\"$gt\":0}}&sort=-age";
    assert_eq!(
        body["_links"],
        json!({
            "parent": { "title": "home", "href": "/" },
            "self": { "title": "people", "href": format!("people?{query}&page=2&foo=x") },
            "next": { "title": "next page", "href": format!("people?{query}&page=3&foo=x") },
            "last": { "title": "last page", "href": format!("people?{query}&page=3&foo=x") },
            "prev": { "title": "previous page", "href": format!("people?{query}&foo=x") },
        })
    );
    assert_eq!(body["_meta"], json!({ "page": 2, "max_results": 2, "total": 6 }));
    let ages: Vec<i64> = body["_items"].as_array().unwrap().iter().map(|item| item["age"].as_i64().unwrap()).collect();
    assert_eq!(ages, [4, 3]);
    let id = body["_items"][0]["_id"].as_str().unwrap();
    assert_eq!(body["_items"][0]["_links"], json!({ "self": { "title": "People", "href": format!("people/{id}") } }));
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["_items", "_links", "_meta"]);
}

/// GOLD-04, LINK-06: an item.
#[actix_rt::test]
async fn an_item_is_eves() {
    let api = Api::open(domain()).await;
    let created = api.post("/people", json!({ "name": "john", "age": 3 })).await.is(201);
    let id = created.id();
    let body = api.get(&format!("/people/{id}")).await.is(200).json();
    assert_eq!(
        body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["_id", "name", "age", "_updated", "_created", "_etag", "_links"]
    );
    assert_eq!(
        body["_links"],
        json!({
            "self": { "title": "People", "href": format!("people/{id}") },
            "parent": { "title": "home", "href": "/" }, "collection": { "title": "people", "href": "people" },
        })
    );
    let paged = api.get(&format!("/people/{id}?page=2&sort=name")).await.json();
    assert_eq!(paged["_links"]["collection"]["href"], "people?sort=name&page=2");
    assert_eq!(paged["_links"]["prev"]["href"], "people?sort=name");
}

/// GOLD-02, LINK-10, POST-05: what a created document's answer holds.
#[actix_rt::test]
async fn a_created_document_answers_with_its_automatic_fields() {
    let api = Api::open(domain()).await;
    let created = api.post("/people", json!({ "name": "john" })).await.is(201).json();
    let id = created["_id"].as_str().unwrap();
    assert_eq!(created["_status"], "OK");
    assert_eq!(created["_links"], json!({ "self": { "title": "People", "href": format!("people/{id}") } }));
    let mut keys: Vec<&String> = created.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["_created", "_etag", "_id", "_links", "_status", "_updated"]);
    assert_eq!(created["_created"], created["_updated"]);
}

/// LIST-01, PAGE-03: nothing found is a page too.
#[actix_rt::test]
async fn an_empty_page_is_a_page() {
    let api = six().await;
    let empty = api.get(&format!("/people?where={}", encoded(&json!({ "age": 99 })))).await.is(200);
    assert_eq!(empty.header("x-total-count"), "0");
    assert_eq!(empty.json()["_items"], json!([]));
    assert_eq!(empty.json()["_links"]["self"]["href"], "people");
    let past = api.get("/people?page=9").await.is(200).json();
    assert_eq!((&past["_items"], &past["_links"]["prev"]["href"]), (&json!([]), &json!("people?page=8")));
}

/// PAGE-01, PAGE-02: sizes are bounded, and without pagination everything comes.
#[actix_rt::test]
async fn pages_have_their_limits() {
    let mut domain = domain();
    domain["DOMAIN"]["people"]["pagination_limit"] = json!(3);
    domain["DOMAIN"]["people"]["datasource"] = json!({ "source": "people" });
    domain["DOMAIN"]["all"] = json!({ "pagination": false, "datasource": { "source": "people" } });
    domain["DOMAIN"]["fast"] = json!({ "optimize_pagination_for_speed": true, "datasource": { "source": "people" } });
    let api = Api::open(domain).await;
    api.post("/people", json!([{}, {}, {}, {}, {}])).await.is(201);
    let page = api.get("/people?max_results=100").await.json();
    assert_eq!((page["_items"].as_array().unwrap().len(), &page["_meta"]["max_results"]), (3, &json!(3)));
    let all = api.get("/all").await;
    assert_eq!(all.json()["_items"].as_array().unwrap().len(), 5);
    assert!(all.json().get("_meta").is_none());
    assert_eq!(all.json()["_links"]["self"]["href"], "all?max_results=0");
    // LIST-02, LINK-04: no count.
    let fast = api.get("/fast?max_results=2").await;
    assert!(!fast.has("x-total-count"));
    assert_eq!(fast.json()["_meta"], json!({ "page": 1, "max_results": 2 }));
    assert!(fast.json()["_links"].get("next").is_some() && fast.json()["_links"].get("last").is_none());
}

/// PROJ-02 to PROJ-04 over HTTP.
#[actix_rt::test]
async fn a_projection_chooses_fields_but_never_the_automatic_ones() {
    let api = Api::open(domain()).await;
    let id = api
        .post("/people", json!({ "name": "x", "age": 1, "place": { "city": "Graz", "zip": "8010" } }))
        .await
        .is(201)
        .id();
    let get = async |projection: Value| {
        api.get(&format!("/people/{id}?projection={}", encoded(&projection))).await.is(200).json()
    };
    let keys = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let only = get(json!({ "name": 1, "_etag": 0 })).await;
    assert_eq!(keys(&only), "_id name _updated _created _etag _links");
    let except = get(json!({ "name": 0, "_id": 0 })).await;
    assert_eq!(keys(&except), "_id age place _updated _created _etag _links");
    assert_eq!(get(json!({ "place.city": 1 })).await["place"], json!({ "city": "Graz" }));
    assert_eq!(get(json!({ "place.city": 0 })).await["place"], json!({ "zip": "8010" }));
    api.get("/people?projection=%5B%5D").await.refused(400);
}

/// LIST-01: `_meta` calls page and size what the parameters are called.
#[actix_rt::test]
async fn the_page_is_described_in_the_domains_own_words() {
    let api = Api::open(with(domain(), json!({ "QUERY_PAGE": "leaf", "QUERY_MAX_RESULTS": "size" }))).await;
    let meta = api.get("/people?leaf=2&size=3").await.is(200).json()["_meta"].clone();
    assert_eq!(meta, json!({ "leaf": 2, "size": 3, "total": 0 }));
}

/// RESP-02, RESP-03: layouts.
#[actix_rt::test]
async fn bodies_can_be_pretty_and_sorted() {
    let api = Api::open(domain()).await;
    let empty = api.get("/ro?pretty").await.is(200);
    assert!(
        empty.text.starts_with("{\n    \"_items\": [],\n    \"_links\": {\n        \"parent\": {"),
        "{}",
        empty.text
    );
    assert!(empty.text.ends_with('}') && empty.json()["_items"] == json!([]));
    let missing = api.get("/nowhere?pretty").await.is(404);
    assert!(missing.text.starts_with("{\n    \"_status\": \"ERR\",\n"), "{}", missing.text);
    let sorted = Api::open(with(domain(), json!({ "JSON_SORT_KEYS": true }))).await;
    sorted.post("/people", json!({ "name": "x", "age": 1 })).await.is(201);
    let body = sorted.get("/people").await.json();
    let keys: Vec<&String> = body["_items"][0].as_object().unwrap().keys().collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let refused = sorted.get("/nowhere").await.json();
    assert_eq!(refused.as_object().unwrap().keys().collect::<Vec<_>>(), ["_error", "_status"]);
}

/// LINK-11: without HATEOAS no link is left.
#[actix_rt::test]
async fn without_hateoas_there_are_no_links() {
    let api = Api::open(with(domain(), json!({ "HATEOAS": false }))).await;
    let created = api.post("/people", json!({ "name": "x" })).await.is(201);
    assert!(created.json().get("_links").is_none());
    let list = api.get("/people").await.json();
    assert_eq!(list.as_object().unwrap().keys().collect::<Vec<_>>(), ["_items", "_meta"]);
    assert!(list["_items"][0].get("_links").is_none());
    assert!(api.get(&format!("/people/{}", created.id())).await.json().get("_links").is_none());
    assert_eq!(api.get("/").await.json(), json!({}));
}

/// URL-14, URL-15: OPTIONS and HEAD.
#[actix_rt::test]
async fn options_and_head_answer_without_a_body() {
    let api = six().await;
    let options = api.request("OPTIONS", "/people").answer().await.is(200);
    assert_eq!((options.text.as_str(), options.header("content-length")), ("", "0"));
    assert_eq!(options.header("content-type"), "text/html; charset=utf-8");
    let mut allowed: Vec<&str> = options.header("allow").split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "OPTIONS", "POST"]);
    api.request("OPTIONS", "/nowhere").answer().await.refused(404);
    let (head, get) = (api.request("HEAD", "/people").answer().await.is(200), api.get("/people").await);
    assert_eq!(head.text, "");
    for name in ["content-length", "x-total-count", "last-modified", "content-type"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert!(head.header("content-length").len() > 2);
    api.request("HEAD", "/nowhere").answer().await.is(404);
}

/// LIST-05, DB-01: documents that somebody else stored without dates and ETag.
#[actix_rt::test]
async fn documents_without_meta_fields_get_them_on_the_way_out() {
    let api = Api::open(domain()).await;
    let folder = api.stop().await;
    let store = resource_api::store::open(&crate::support::store_in(folder.path()), std::time::Duration::from_secs(2))
        .await
        .unwrap();
    let document =
        bson::doc! { "_id": bson::oid::ObjectId::parse_str("5f0000000000000000000abc").unwrap(), "name": "old" };
    let write = resource_api::store::Write::insert("people", &document).unwrap();
    assert_eq!(store.commit(vec![write]).await.unwrap(), resource_api::store::Outcome::Done(vec![1]));
    drop(store);
    let api = Api::start_in(folder, domain(), |config| config.auth.mode = resource_api::config::AuthMode::None).await;
    let item = api.get("/people/5f0000000000000000000abc").await.is(200);
    let body = item.json();
    assert_eq!(body["_updated"], "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(body["_created"], body["_updated"]);
    assert!(item.text.find("_created") < item.text.find("_updated"), "in Eve's order: {}", item.text);
    assert_eq!(item.header("etag"), format!("\"{}\"", item.etag()));
    let list = api.get("/people").await.is(200);
    assert!(!list.has("last-modified"));
    assert_eq!(list.json()["_items"][0]["_etag"], item.etag());
    // ETAG-04: the computed one is the one to send; PATCH-13: no date of creation is made up.
    api.edit("PATCH", "/people/5f0000000000000000000abc", "other", json!({})).await.refused(412);
    let patched =
        api.edit("PATCH", "/people/5f0000000000000000000abc", &item.etag(), json!({ "age": 1 })).await.is(200);
    assert_eq!(patched.json()["_created"], "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_ne!(patched.etag(), item.etag());
}

/// RESP-01: whatever is accepted, there is an answer.
#[actix_rt::test]
async fn an_accept_header_is_never_answered_with_406() {
    let api = six().await;
    for accept in ["text/html", "application/json;q=0.1, image/png", "nonsense"] {
        let answer = api.request("GET", "/people").header("Accept", accept).answer().await.is(200);
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

/// REQ-10, REQ-11, LINK-02: switched-off parameters are ignored, the first of repeated ones counts, `pretty` by presence.
#[actix_rt::test]
async fn parameters_are_read_as_the_resource_says() {
    let mut domain = domain();
    domain["DOMAIN"]["people"]["allowed_filters"] = json!([]);
    domain["DOMAIN"]["people"]["sorting"] = json!(false);
    let api = Api::open(domain).await;
    api.post("/people", json!([{ "age": 2 }, { "age": 1 }])).await.is(201);
    let page = api.get("/people?where=%7B&sort=%5B(&max_results=1&max_results=9&pretty=0").await.is(200);
    assert!(page.text.contains('\n'));
    assert_eq!(page.json()["_meta"]["max_results"], 1);
    assert_eq!(page.json()["_items"][0]["age"], 2);
    assert_eq!(page.json()["_links"]["next"]["href"], "people?max_results=1&page=2&pretty=0");
}

/// DB-02, URL-06, URL-11: ids of other types, in the url and in the answer.
#[actix_rt::test]
async fn ids_may_be_numbers_and_texts() {
    let mut domain = domain();
    domain["DOMAIN"] = json!({
        "rooms": { "item_url": "int", "schema": { "_id": { "type": "integer" }, "name": { "type": "string" } } },
        "weights": { "item_url": "float", "additional_lookup": { "url": "float", "field": "grams" },
            "schema": { "_id": { "type": "float" }, "grams": { "type": "float" } } },
        "words": { "item_url": "regex(\"[a-z]+\")", "schema": { "_id": { "type": "string" } } },
        "files": { "item_url": "path", "schema": { "_id": { "type": "string" } } },
        "codes": { "item_url": "regex(\".+\")", "query_objectid_as_string": true, "item_lookup_field": "code",
            "schema": { "code": { "type": "string" } } },
    });
    let api = Api::open(domain).await;
    let room = api.post("/rooms", json!({ "_id": 7, "name": "x" })).await.is(201);
    assert_eq!((room.header("location"), &room.json()["_id"]), (format!("{}/rooms/7", api.url).as_str(), &json!(7)));
    let patched = api.edit("PATCH", "/rooms/7", &room.etag(), json!({ "name": "y" })).await.is(200);
    assert_eq!(patched.json()["_links"]["self"]["href"], "rooms/7");
    api.edit("DELETE", "/rooms/7", &patched.etag(), json!(null)).await.is(204);
    for (id, grams) in [(1.5, 0.5), (2.0, 7.0)] {
        api.post("/weights", json!({ "_id": id, "grams": grams })).await.is(201);
    }
    for path in ["/weights/1.5", "/weights/2.0"] {
        api.get(path).await.is(200);
    }
    api.get("/weights/2.5").await.is(404);
    api.post("/words", json!({ "_id": "abc" })).await.is(201);
    assert_eq!(api.get("/words/abc").await.is(200).json()["_id"], "abc");
    let file = api.post("/files", json!({ "_id": "a/b c" })).await.is(201);
    assert_eq!(file.header("location"), format!("{}/files/a/b%20c", api.url));
    let file = api.get("/files/a/b%20c").await.is(200).json();
    assert_eq!(
        (&file["_links"]["self"]["href"], &file["_links"]["collection"]["href"]),
        (&json!("files/a/b c"), &json!("files"))
    );
    // 24 hex digits are an id, except where the schema has text.
    api.post("/codes", json!({ "code": "5f0000000000000000000abc" })).await.is(201);
    api.get("/codes/5f0000000000000000000abc").await.is(200);
    let odd = api.post("/words", json!({ "_id": "5f0000000000000000000abc" })).await.is(201);
    assert!(odd.header("location").ends_with("/words/5f0000000000000000000abc"));
}
