//! A POST that is sent again is done once (draft-ietf-httpapi-idempotency-key-header).

use std::time::Duration;

use serde_json::{Value, json};
use shared::store::{StoreUrl, servers};

use crate::support::{Answer, Api, Ask};
use crate::tokens::people;

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Answer {
    api.request("POST", path).header("Idempotency-Key", key).json(body).answer().await
}

/// Same key, same request: the same answer, and one document.
#[actix_rt::test]
async fn the_same_request_is_answered_the_same_and_done_once() {
    let api = Api::open(people()).await;
    let body = json!({ "name": "ada" });
    let first = post(&api, "/people", "\"k-1\"", &body).await.is(201);
    for key in ["\"k-1\"", "k-1"] {
        let again = post(&api, "/people", key, &body).await.is(201);
        assert_eq!(
            (again.text, again.headers["location"].clone()),
            (first.text.clone(), first.headers["location"].clone())
        );
        assert_eq!(again.headers["content-type"], "application/json");
    }
    let bulk = json!([{ "name": "a" }, { "name": "b" }]);
    let first = post(&api, "/people", "k-2", &bulk).await.is(201);
    assert_eq!(post(&api, "/people", "k-2", &bulk).await.is(201).text, first.text);
    // Without a key, and with another one, it is another request.
    api.post("/people", body.clone()).await.is(201);
    post(&api, "/people", "k-3", &body).await.is(201);
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 5);
}

/// Same key, another body or another query: 422, and nothing is done.
#[actix_rt::test]
async fn a_key_is_good_for_one_request() {
    let api = Api::open(people()).await;
    post(&api, "/people", "k", &json!({ "name": "ada" })).await.is(201);
    let mismatch = "the Idempotency-Key was used before with another request";
    assert_eq!(post(&api, "/people", "k", &json!({ "name": "bob" })).await.refused(422), mismatch);
    assert_eq!(post(&api, "/people?pretty", "k", &json!({ "name": "ada" })).await.refused(422), mismatch);
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 1);
}

/// What was refused was not done: the same key is good for the next try.
#[actix_rt::test]
async fn a_refused_request_can_be_sent_again() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["name"]["unique"] = json!(true);
    let api = Api::open(domain).await;
    post(&api, "/people", "k", &json!({ "name": 5 })).await.is(422);
    let created = post(&api, "/people", "k", &json!({ "name": "ada" })).await.is(201);
    // Its own document is not in its way.
    assert_eq!(post(&api, "/people", "k", &json!({ "name": "ada" })).await.is(201).text, created.text);
    post(&api, "/people", "other", &json!({ "name": "ada" })).await.is(422);
}

/// One key sent 64 times at once: one document; the others get its answer, or 409 while it is being stored.
#[actix_rt::test]
async fn of_sixty_four_parallel_requests_with_one_key_one_is_done() {
    let api = Api::open(people()).await;
    let body = json!({ "name": "one" });
    let done = futures_util::future::join_all((0..64).map(|_| post(&api, "/people", "k", &body))).await;
    let answers: Vec<&str> =
        done.iter().filter(|answer| answer.status == 201).map(|answer| answer.text.as_str()).collect();
    assert!(!answers.is_empty() && answers.iter().all(|answer| answer == &answers[0]));
    for refused in done.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.header("retry-after"), "1");
        let message = refused.clone().refused(409);
        assert_eq!(message, "a request with this Idempotency-Key is being processed");
    }
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 1);
    assert_eq!(post(&api, "/people", "k", &body).await.is(201).text, answers[0]);
}

/// Two servers on one store: the store decides, and both answer the same.
#[actix_rt::test]
async fn two_servers_do_it_once() {
    let open = |config: &mut resource_api::Config| config.auth.mode = resource_api::config::AuthMode::None;
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["name"]["unique"] = json!(true);
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let one = Api::start_in(folder.clone(), domain.clone(), open).await;
    let two = Api::start_in(folder, domain, |config| {
        open(config);
        config.public_url = Some(one.url.clone());
    })
    .await;
    for round in 0..8 {
        let body = json!({ "name": format!("name {round}") });
        let key = format!("k-{round}");
        let (first, second) =
            futures_util::join!(post(&one, "/people", &key, &body), post(&two, "/people", &key, &body));
        assert_eq!(first.is(201).text, second.is(201).text);
    }
    assert_eq!(one.get("/people").await.json()["_meta"]["total"], 8);
}

/// It belongs to its caller and its resource.
#[actix_rt::test]
async fn a_key_belongs_to_its_caller_and_resource() {
    let mut domain = people();
    domain["DOMAIN"]["pets"] = domain["DOMAIN"]["people"].clone();
    let api = Api::start(domain, |_| ()).await;
    for user in ["alice", "bob"] {
        api.auth.token(user, "people:read people:write pets:write", json!({}));
    }
    let body = json!({ "name": "x" });
    let ask = |user: &'static str, path: &'static str| {
        let request = api.request("POST", path).token(user).header("Idempotency-Key", "k");
        request.json(&body).answer()
    };
    let ids = [
        ask("alice", "/people").await.is(201).id(),
        ask("bob", "/people").await.is(201).id(),
        ask("alice", "/pets").await.is(201).id(),
    ];
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert_eq!(ask("bob", "/people").await.is(201).id(), ids[1]);
    // Whoever may not write is not told what others got.
    api.auth.token("carol", "people:read", json!({}));
    ask("carol", "/people").await.refused(403);
}

/// 400 with the reason for what is no key.
#[actix_rt::test]
async fn a_header_that_is_no_key_is_refused() {
    let api = Api::open(people()).await;
    for key in ["", "\"\"", "a b", "\"a", &"x".repeat(256)] {
        let refused = post(&api, "/people", key, &json!({ "name": "x" })).await.refused(400);
        assert_eq!(refused, "Idempotency-Key must be one string of 1 to 255 visible characters", "{key}");
    }
    let twice = api.request("POST", "/people").header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    twice.json(&json!({})).answer().await.refused(400);
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 0);
}

/// While a request is on its way, the same one is told so instead of being done beside it.
#[actix_rt::test]
async fn while_the_first_is_on_its_way_the_second_is_told_to_wait() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let relayed = servers::chosen().map(|cluster| servers::Relayed::before(&cluster));
    let api = Api::start_in(folder.clone(), people(), |config| {
        config.auth.mode = resource_api::config::AuthMode::None;
        if let Some(relayed) = &relayed {
            config.store = StoreUrl::Mongo(relayed.cluster.store.clone());
        }
    })
    .await;
    let body = json!({ "name": "slow" });
    // Nothing is stored for a while.
    let lock = rusqlite::Connection::open(folder.path().join("api.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    if let Some(relayed) = &relayed {
        relayed.mongodb.delay(Duration::from_secs(3));
    }
    let two = [post(&api, "/people", "k", &body), post(&api, "/people", "k", &body)].map(Box::pin);
    let (early, _, rest) = futures_util::future::select_all(two).await;
    assert_eq!(early.refused(409), "a request with this Idempotency-Key is being processed");
    lock.execute_batch("COMMIT").unwrap();
    if let Some(relayed) = &relayed {
        relayed.mongodb.restore();
    }
    let [first] = <[_; 1]>::try_from(rest).ok().unwrap();
    let first = first.await.is(201);
    assert_eq!(post(&api, "/people", "k", &body).await.is(201).text, first.text);
}

/// The collection of kept answers is nobody's resource.
#[test]
fn no_resource_can_be_on_the_collection_of_answers() {
    let domain = json!({ "DOMAIN": { "x": { "datasource": { "source": "evergate_idempotency" } } } });
    let error = resource_api::domain::parse(resource_api::domain::Format::Json, &domain.to_string()).unwrap_err();
    assert!(
        error.to_string().contains("x: datasource.source: is a name for collections of the service itself"),
        "{error}"
    );
}
