//! Many at once: the store decides, and exactly one wins (ETAG-10).

use serde_json::json;

use crate::support::{Api, Ask};
use crate::tokens::people;

/// ETAG-10, PATCH-11: of parallel edits with one ETag one is done.
#[actix_rt::test]
async fn of_fifty_patches_with_one_etag_one_wins() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "start" })).await.is(201);
    let path = format!("/people/{}", created.id());
    for round in 0..3 {
        let etag = api.get(&path).await.etag();
        let edits = (0..50).map(|number| {
            let name = format!("{round}-{number}");
            let (api, path, etag) = (&api, &path, &etag);
            async move { (api.edit("PATCH", path, etag, json!({ "name": name })).await, name) }
        });
        let done = futures_util::future::join_all(edits).await;
        let winners: Vec<_> = done.iter().filter(|(answer, _)| answer.status == 200).collect();
        assert_eq!(winners.len(), 1);
        assert!(done.iter().all(|(answer, _)| matches!(answer.status, 200 | 412)));
        let item = api.get(&path).await;
        assert_eq!(item.json()["name"], json!(winners[0].1));
        assert_eq!(item.etag(), winners[0].0.etag());
    }
}

/// ETAG-10, PATCH-11: each of 64 clients reads a number and its ETag, writes the next number, and begins anew when somebody was
/// faster. Every 200 is a version nobody else got, and none is lost.
#[actix_rt::test]
async fn sixty_four_clients_count_together_without_losing_a_step() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["count"] = json!({ "type": "integer" });
    let api = Api::open(domain).await;
    let created = api.post("/people", json!({ "name": "counter", "count": 0 })).await.is(201);
    let url = format!("{}/people/{}", api.url, created.id());
    let clients = (0..64).map(|_| {
        let (client, url) = (reqwest::Client::new(), url.clone());
        actix_rt::spawn(async move {
            let mut won = Vec::new();
            while won.len() < 2 {
                let seen = client.get(&url).answer().await.is(200);
                let next = seen.json()["count"].as_u64().unwrap() + 1;
                let edit = client.patch(&url).header("If-Match", seen.etag()).json(&json!({ "count": next }));
                let answer = edit.answer().await;
                match answer.status {
                    200 => won.push((next, answer.etag())),
                    412 => {}
                    status => panic!("{status}: {}", answer.text),
                }
            }
            won
        })
    });
    let won = futures_util::future::join_all(clients).await;
    let won: Vec<(u64, String)> = won.into_iter().flat_map(|won| won.unwrap()).collect();
    let numbers: std::collections::BTreeSet<u64> = won.iter().map(|(number, _)| *number).collect();
    let etags: std::collections::HashSet<&String> = won.iter().map(|(_, etag)| etag).collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), (1..=128).collect::<Vec<_>>());
    assert_eq!(etags.len(), 128);
    let last = api.get(&format!("/people/{}", created.id())).await.is(200);
    assert_eq!(last.json()["count"], 128);
    assert!(won.contains(&(128, last.etag())));
}

/// ETAG-10: edits, replacements and deletions of one state: one of them.
#[actix_rt::test]
async fn of_mixed_writes_with_one_etag_one_wins() {
    let api = Api::open(people()).await;
    let created = api.post("/people", json!({ "name": "start" })).await.is(201);
    let path = format!("/people/{}", created.id());
    let etag = created.etag();
    let writes = (0..30).map(|number| {
        let method = ["PATCH", "PUT", "DELETE"][number % 3];
        let (api, path, etag) = (&api, &path, &etag);
        async move { (method, api.edit(method, path, etag, json!({ "name": method })).await.status) }
    });
    let done = futures_util::future::join_all(writes).await;
    let won: Vec<_> = done.iter().filter(|(_, status)| *status == 200).collect();
    let gone = api.get(&path).await.status == 404;
    if gone {
        // Whoever came late to a deletion finds nothing: 404, a creation by PUT, or the same 204.
        assert!(won.is_empty(), "{done:?}");
    } else {
        assert!(won.len() <= 1, "{done:?}");
    }
}

/// VAL-43, POST-11, decisions 18: one unique value is stored once; the others get the issue of the rule.
#[actix_rt::test]
async fn of_sixty_four_posts_of_one_unique_value_one_is_stored() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["schema"]["name"]["unique"] = json!(true);
    let api = Api::open(domain).await;
    let posts = (0..64).map(|_| api.request("POST", "/people").json(&json!({ "name": "one" })).answer());
    let done = futures_util::future::join_all(posts).await;
    assert_eq!(done.iter().filter(|answer| answer.status == 201).count(), 1);
    for refused in done.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.clone().is(422).json()["_issues"], json!({ "name": "value 'one' is not unique" }));
    }
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 1);
}

/// PUT-04: of parallel creations under one id one is a 201.
#[actix_rt::test]
async fn of_parallel_puts_to_a_missing_id_one_creates() {
    let api = Api::open(people()).await;
    let puts = (0..32).map(|number| {
        let request = api.request("PUT", "/people/5f0000000000000000000abc");
        request.json(&json!({ "name": number.to_string() })).answer()
    });
    let done = futures_util::future::join_all(puts).await;
    assert_eq!(done.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(done.iter().all(|answer| matches!(answer.status, 201 | 409 | 428)));
}

/// VAL-44, PATCH-09, decisions 18: a value that is unique to its owner is stored once for each, by creations and by edits;
/// the others get the issue of the rule.
#[actix_rt::test]
async fn of_parallel_writes_of_a_value_unique_to_its_owner_one_is_stored() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["auth_field"] = json!("owner");
    domain["DOMAIN"]["people"]["schema"]["name"]["unique_to_user"] = json!(true);
    let api = Api::start(domain, |_| ()).await;
    let scopes = "people:read people:write";
    api.auth.token("alice", scopes, json!({})).token("bob", scopes, json!({}));
    let issues = json!({ "name": "value 'one' is not unique" });
    for token in ["alice", "bob"] {
        let posts =
            (0..32).map(|_| api.request("POST", "/people").token(token).json(&json!({ "name": "one" })).answer());
        let done = futures_util::future::join_all(posts).await;
        assert_eq!(done.iter().filter(|answer| answer.status == 201).count(), 1, "{token}");
        for refused in done.iter().filter(|answer| answer.status != 201) {
            assert_eq!(refused.clone().is(422).json()["_issues"], issues);
        }
    }
    for method in ["PATCH", "PUT"] {
        let value = json!({ "name": format!("by {method}") });
        let mut edits = Vec::new();
        for _ in 0..32 {
            let person = api.request("POST", "/people").token("alice").json(&json!({})).answer().await.is(201);
            let edit = api.request(method, &format!("/people/{}", person.id())).token("alice");
            edits.push(edit.header("If-Match", person.etag()).json(&value).answer());
        }
        let done = futures_util::future::join_all(edits).await;
        assert_eq!(done.iter().filter(|answer| answer.status == 200).count(), 1, "{method}");
        for refused in done.iter().filter(|answer| answer.status != 200) {
            let body = refused.clone().is(422).json();
            assert_eq!((body["_issues"]["name"].is_string(), body.get("_error")), (true, None), "{body}");
        }
    }
}
