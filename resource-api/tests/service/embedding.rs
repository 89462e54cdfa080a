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

/// VAL-45, EMB-01, FILT-11: a text that spells an id refers to it, where nothing has made it one.
#[actix_rt::test]
async fn the_text_of_an_id_is_a_reference() {
    let relation = json!({ "resource": "people", "field": "_id", "embeddable": true });
    let mut domain = domain();
    domain["DOMAIN"]["notes"] = json!({ "schema": {
        "by": { "type": "string", "data_relation": relation }, "all": { "type": "list", "data_relation": relation },
    } });
    let scene = scene(domain).await;
    let (ada, bob) = (&scene.ada, &scene.bob);
    let note = json!({ "by": ada, "all": [bob, ada]});
    let note = scene.api.post("/notes", note).await.is(201).id();
    let path = format!("/notes/{note}?embedded={}", encoded(&json!({ "by": 1, "all": 1 })));
    let item = scene.api.get(&path).await.is(200).json();
    let named = |person: &Value| person["name"].clone();
    assert_eq!([named(&item["by"]), named(&item["all"][0]), named(&item["all"][1])], ["ada", "bob", "ada"]);
    assert_eq!(scene.api.get(&format!("/notes/{note}")).await.is(200).json()["all"], json!([bob, ada]));
    let nowhere = "5f0000000000000000000fff";
    let told = scene.api.post("/notes", json!({ "by": nowhere })).await.is(422).json();
    assert_eq!(
        told["_issues"]["by"],
        json!(format!("value '{nowhere}' must exist in resource 'people', field '_id'."))
    );
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

/// EMB-05, D-012, AUTH-04, AUTH-07: only who may GET the target sees it in place of the reference.
#[actix_rt::test]
async fn embedding_asks_for_the_scopes_and_roles_of_the_target() {
    use crate::support::Ask;
    let mut domain = domain();
    domain["DOMAIN"]["people"]["allowed_item_read_roles"] = json!(["staff"]);
    domain["DOMAIN"]["firms"]["public_item_methods"] = json!(["GET"]);
    domain["DOMAIN"]["works"]["public_item_methods"] = json!(["GET"]);
    domain["DOMAIN"]["works"]["schema"]["firm"] = domain["DOMAIN"]["people"]["schema"]["firm"].clone();
    let api = Api::start(with(domain, json!({ "BANDWIDTH_SAVER": false })), |_| ()).await;
    let (all, staff) = ("firms:write people:read people:write works:read works:write", json!({ "roles": ["staff"] }));
    api.auth.token("staff", all, staff.clone()).token("visitor", all, json!({}));
    api.auth.token("reader", "works:read works:write", staff);
    let post = async |token: &str, path: &str, body: Value| {
        api.request("POST", path).token(token).json(&body).answer().await.is(201)
    };
    post("staff", "/firms", json!({ "code": "F1", "open": true })).await;
    let person = post("staff", "/people", json!({ "name": "ada", "firm": "F1" })).await.id();
    let embedded = encoded(&json!({ "author": 1, "author.firm": 1, "firm": 1 }));
    let mut path = String::new();
    for (token, seen) in [("staff", true), ("visitor", false), ("reader", false)] {
        let work = json!({ "author": person, "firm": "F1" });
        let created = post(token, &format!("/works?embedded={embedded}"), work).await.json();
        let listed = api.request("GET", &format!("/works?embedded={embedded}")).token(token).answer().await.is(200);
        for work in [&created, &listed.json()["_items"][0]] {
            let author = if seen { &work["author"]["_id"] } else { &work["author"] };
            assert_eq!(author, &json!(person), "{token}");
            assert_eq!(work["firm"]["code"], "F1", "{token}");
        }
        path = format!("/works/{}?embedded={embedded}", created["_id"].as_str().unwrap());
    }
    // A token that was not needed was not looked at.
    for request in [api.request("GET", &path), api.request("GET", &path).token("staff")] {
        let work = request.answer().await.is(200).json();
        assert_eq!((&work["author"], &work["firm"]["code"]), (&json!(person), &json!("F1")));
    }
}

/// EMB-05, URRA-06: nobody in particular owns nothing, and a creation shows no foreign document either.
#[actix_rt::test]
async fn a_caller_without_documents_of_his_own_embeds_none() {
    use crate::support::Ask;
    let mut domain = with(domain(), json!({ "AUTH_VALUE_CLAIM": "team", "BANDWIDTH_SAVER": false }));
    domain["DOMAIN"]["people"]["auth_field"] = json!("owner");
    let api = Api::start(domain, |_| ()).await;
    let scopes = "people:read people:write works:read works:write";
    api.auth.token("alice", scopes, json!({ "team": "a" })).token("bob", scopes, json!({ "team": "b" }));
    api.auth.token("nobody", scopes, json!({}));
    let ask = async |token: &str, method: &str, path: &str, body: Value| {
        api.request(method, path).token(token).json(&body).answer().await
    };
    let person = ask("alice", "POST", "/people", json!({ "name": "hers" })).await.is(201).id();
    let embedded = encoded(&json!({ "author": 1 }));
    for (token, shown) in [("alice", None), ("bob", Some(json!(null))), ("nobody", Some(json!(person)))] {
        let path = format!("/works?embedded={embedded}");
        let created = ask(token, "POST", &path, json!({ "author": person })).await.is(201).json();
        let path = format!("/works/{}?embedded={embedded}", created["_id"].as_str().unwrap());
        let read = ask(token, "GET", &path, json!(null)).await.is(200).json();
        for work in [created, read] {
            match &shown {
                None => assert_eq!(work["author"]["name"], "hers", "{token}"),
                Some(shown) => assert_eq!(&work["author"], shown, "{token}"),
            }
        }
    }
    // VAL-45: an edit refers only to what its caller sees.
    for (token, status) in [("alice", 200), ("bob", 422), ("nobody", 422)] {
        let work = ask(token, "POST", "/works", json!({})).await.is(201);
        let path = format!("/works/{}", work.id());
        let edit = api.request("PATCH", &path).token(token).header("If-Match", work.etag());
        edit.json(&json!({ "author": person })).answer().await.is(status);
    }
}

/// EMB-08: a reference leads only where the domain says, whatever resource a client's value names.
#[actix_rt::test]
async fn a_stored_value_opens_no_other_resource() {
    let mut domain = domain();
    domain["DOMAIN"]["vault"] = json!({
        "internal_resource": true, "datasource": { "source": "people" }, "schema": { "secret": { "type": "string" } }
    });
    domain["DOMAIN"]["people"]["schema"]["_id"] = json!({ "type": "string" });
    domain["DOMAIN"]["works"]["schema"]["author"]["type"] = json!("dbref");
    let api = Api::open(domain).await;
    api.post("/people", json!({ "_id": "ada", "name": "ada", "secret": "s" })).await.is(201);
    for (resource, embedded) in [("people", true), ("vault", false)] {
        let author = json!({ "$ref": resource, "$id": "ada" });
        let work = api.post("/works", json!({ "author": author })).await.is(201).id();
        let path = format!("/works/{work}?embedded={}", encoded(&json!({ "author": 1 })));
        let answer = api.get(&path).await.is(200);
        assert_eq!(answer.json()["author"]["name"] == "ada", embedded, "{}", answer.text);
        assert!(answer.json()["author"].get("secret").is_none(), "{}", answer.text);
    }
}

/// EMB-05, PROJ-04, CFG-14: what is hidden beside a reference stays hidden when the reference is embedded.
#[actix_rt::test]
async fn embedding_below_a_field_shows_no_more_of_it() {
    let mut domain = domain();
    let works = &mut domain["DOMAIN"]["works"];
    works["schema"]["acts"]["schema"]["schema"]["note"] = json!({ "type": "string" });
    works["datasource"] = json!({ "projection": { "acts.note": 0 } });
    let api = Api::open(domain).await;
    let ada = api.post("/people", json!({ "name": "ada" })).await.is(201).id();
    let work = json!({ "acts": [{ "hero": ada, "note": "hidden" }], "author": ada });
    let work = api.post("/works", work).await.is(201).id();
    let get = async |more: &str| {
        let embedded = encoded(&json!({ "acts.hero": 1, "author": 1 }));
        api.get(&format!("/works/{work}?embedded={embedded}{more}")).await.is(200).json()
    };
    let item = get("").await;
    assert_eq!((&item["acts"][0]["hero"]["name"], item["acts"][0].get("note")), (&json!("ada"), None));
    assert_eq!(item["author"]["name"], "ada");
    let part = get(&format!("&projection={}", encoded(&json!({ "acts.note": 1 })))).await;
    assert!(part["acts"][0].get("hero").is_none() && part.get("author").is_none(), "{part}");
}

/// EMB-03: references in references multiply; one response bears only so many.
#[actix_rt::test]
async fn embedding_without_bounds_is_refused() {
    let mut domain = with(domain(), json!({ "BANDWIDTH_SAVER": false }));
    domain["DOMAIN"]["people"]["schema"]["friends"] = domain["DOMAIN"]["works"]["schema"]["cast"].clone();
    let api = Api::open(domain).await;
    let ada = api.post("/people", json!({ "name": "ada" })).await.is(201);
    let path = format!("/people/{}", ada.id());
    let friends = json!({ "friends": vec![ada.id(); 60] });
    let embedded = encoded(&json!({ "friends": 1, "friends.friends": 1 }));
    let edited = api.edit("PATCH", &format!("{path}?embedded={embedded}"), &ada.etag(), friends).await.is(200);
    assert_eq!(edited.json()["friends"][59]["friends"][59]["name"], "ada");
    let more = encoded(&json!({ "friends": 1, "friends.friends": 1, "friends.friends.friends": 1 }));
    let message = api.get(&format!("{path}?embedded={more}")).await.refused(400);
    assert!(message.contains("`embedded`") && message.contains("10000 documents"), "{message}");
    api.get(&format!("/people?embedded={more}")).await.refused(400);
    // What is written is written: the answer goes without.
    let edit = api.edit("PATCH", &format!("{path}?embedded={more}"), &edited.etag(), json!({ "name": "eve" })).await;
    assert_eq!(edit.is(200).json()["friends"][0], json!(ada.id()));
}
