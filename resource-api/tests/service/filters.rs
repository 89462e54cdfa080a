//! Filters in the service: what else narrows an answer, and what `where` may hold.

use serde_json::{Value, json};

use crate::support::{Api, encoded, with};

fn domain() -> Value {
    json!({
        "RESOURCE_METHODS": ["GET", "POST"], "DEBUG": true,
        "DOMAIN": {
            "people": { "schema": { "name": { "type": "string" } } },
            "notes": {
                "url": "people/<regex(\"[a-f0-9]{24}\"):person>/notes", "allowed_filters": ["text"],
                "datasource": { "filter": { "open": true } },
                "schema": { "person": { "type": "objectid" }, "text": { "type": "string" }, "open": { "type": "boolean" } },
            },
        }
    })
}

/// FILT-13: what the url and the datasource say needs no leave of `allowed_filters`.
#[actix_rt::test]
async fn allowed_filters_bind_only_what_a_client_sends() {
    for allowed in [json!(["text"]), json!([])] {
        let mut domain = domain();
        domain["DOMAIN"]["notes"]["allowed_filters"] = allowed.clone();
        let api = Api::open(domain).await;
        let ada = api.post("/people", json!({ "name": "ada" })).await.is(201).id();
        let bob = api.post("/people", json!({ "name": "bob" })).await.is(201).id();
        let (hers, his) = (format!("/people/{ada}/notes"), format!("/people/{bob}/notes"));
        for open in [true, false] {
            api.post(&hers, json!({ "text": "hers", "open": open })).await.is(201);
            api.post(&his, json!({ "text": "his", "open": open })).await.is(201);
        }
        let list = api.get(&hers).await.is(200).json();
        assert_eq!((&list["_meta"]["total"], &list["_items"][0]["text"]), (&json!(1), &json!("hers")));
        if allowed == json!([]) {
            continue;
        }
        let text = encoded(&json!({ "text": "his" }));
        assert_eq!(api.get(&format!("{hers}?where={text}")).await.is(200).json()["_meta"]["total"], 0);
        let open = encoded(&json!({ "open": false }));
        assert_eq!(api.get(&format!("{hers}?where={open}")).await.refused(400), "filter on 'open' not allowed");
    }
}

/// FILT-05: operators of aggregation need leave; `$expr` itself is one that no store of this version answers.
#[actix_rt::test]
async fn expressions_are_refused_by_name() {
    let ask = async |settings: Value, filter: Value| {
        let api = Api::open(with(domain(), settings)).await;
        api.get(&format!("/people?where={}", encoded(&filter))).await.refused(400)
    };
    let year = json!({ "$expr": { "$eq": [{ "$year": "$_created" }, 2026] } });
    assert_eq!(ask(json!({}), year.clone()).await, "Query contains unknown or unsupported operators: $year");
    let unserved = "operator '$expr' is not supported";
    assert_eq!(ask(json!({ "MONGO_QUERY_WHITELIST": ["$year"] }), year).await, unserved);
    assert_eq!(ask(json!({}), json!({ "$expr": { "$gt": ["$name", "$_etag"] } })).await, unserved);
    let silent = ask(json!({ "DEBUG": false }), json!({ "$expr": { "$gt": ["$name", "$_etag"] } })).await;
    assert_eq!(silent, unserved);
}

/// FILT-10 (F): a query that the store itself refuses is a bad request. MongoDB never sorts by two lists of one document, and its
/// patterns depend on its version; the embedded store takes both.
#[actix_rt::test]
async fn what_the_store_refuses_of_a_query_is_a_bad_request() {
    let schema = json!({ "a": { "type": "list" }, "b": { "type": "list" }, "name": { "type": "string" } });
    let settings = json!({ "DEBUG": false, "MONGO_QUERY_BLACKLIST": [], "RESOURCE_METHODS": ["GET", "POST"] });
    let api = Api::open(with(settings, json!({ "DOMAIN": { "lists": { "schema": schema } } }))).await;
    api.post("/lists", json!([{ "a": [2], "b": [1], "name": "é" }, { "a": [1], "b": [2] }])).await.is(201);
    let pattern = encoded(&json!({ "name": { "$regex": "(*UCP)^\\w$" } }));
    for query in ["sort=a,b".to_owned(), format!("where={pattern}")] {
        let answer = api.get(&format!("/lists?{query}")).await;
        if shared::store::servers::chosen().is_none() || answer.status != 400 {
            answer.is(200);
            continue;
        }
        let told = answer.refused(400);
        assert!(
            told.starts_with("The browser (or proxy) sent a request that this server could not understand"),
            "{told}"
        );
    }
}

/// LIST-07, VER-09: without versions `version` means nothing, and no link repeats it.
#[actix_rt::test]
async fn a_version_of_what_has_none_is_ignored() {
    let api = Api::open(domain()).await;
    let ada = api.post("/people", json!({ "name": "ada" })).await.is(201).id();
    let plain = api.get("/people").await.is(200).text;
    for version in ["1", "all", "diffs", "x"] {
        assert_eq!(api.get(&format!("/people?version={version}")).await.is(200).text, plain);
        let item = api.get(&format!("/people/{ada}?version={version}")).await.is(200).text;
        assert_eq!(item, api.get(&format!("/people/{ada}")).await.text);
    }
}
