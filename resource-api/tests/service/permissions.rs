//! Scopes, roles, public methods and the open mode.

use serde_json::json;

use crate::support::{Api, Ask, with};
use crate::tokens::people;

/// D-011, D-012, D-015: one scope for reading, one for writing; exact tokens.
#[actix_rt::test]
async fn each_method_needs_its_scope() {
    let api = Api::start(people(), |_| ()).await;
    api.auth.token("reader", "people:read", json!({}));
    api.auth.token("writer", "people:write", json!({}));
    api.auth.token("almost", "people:readx people people:writes", json!({}));
    let body = json!({ "name": "x" });
    let id = api.request("POST", "/people").token("writer").json(&body).answer().await.is(201).id();
    let item = format!("/people/{id}");
    for (method, path, reads) in [
        ("GET", "/people", true),
        ("GET", item.as_str(), true),
        ("HEAD", "/people", true),
        ("POST", "/people", false),
        ("PATCH", &item, false),
        ("PUT", &item, false),
        ("DELETE", &item, false),
        ("DELETE", "/people", false),
    ] {
        let (right, wrong) = if reads { ("reader", "writer") } else { ("writer", "reader") };
        for token in [wrong, "almost"] {
            let answer = api.request(method, path).token(token).json(&body).answer().await.is(403);
            let challenge = answer.header("www-authenticate");
            let scope = if reads { "scope=\"people:read\"" } else { "scope=\"people:write\"" };
            assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains(scope), "{challenge}");
        }
        let allowed = api.request(method, path).token(right).json(&body).answer().await.status;
        assert!(![401, 403].contains(&allowed), "{method} {path}: {allowed}");
    }
}

/// Decisions 5: a resource names its own scopes; all are needed.
#[actix_rt::test]
async fn a_resource_may_name_its_scopes() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["required_scopes"] = json!({ "read": ["staff", "people"], "write": ["admin"] });
    let api = Api::start(domain, |_| ()).await;
    api.auth.token("half", "staff", json!({})).token("whole", "people staff", json!({}));
    let answer = api.request("GET", "/people").token("half").answer().await.is(403);
    assert!(answer.header("www-authenticate").contains("scope=\"staff people\""));
    api.request("GET", "/people").token("whole").answer().await.is(200);
    let metadata = api.get("/.well-known/oauth-protected-resource").await.json();
    assert_eq!(metadata["scopes_supported"], json!(["staff", "people", "admin"]));
}

/// AUTH-01, AUTH-07: public methods need no token, HEAD goes with GET, and a token sent is not looked at.
#[actix_rt::test]
async fn public_methods_need_no_token() {
    let mut domain = people();
    domain["DOMAIN"]["people"]["public_methods"] = json!(["GET"]);
    domain["DOMAIN"]["people"]["public_item_methods"] = json!([]);
    domain["PUBLIC_METHODS"] = json!(["GET"]);
    let api = Api::start(domain, |_| ()).await;
    api.get("/people").await.is(200);
    api.get("/").await.is(200);
    api.request("HEAD", "/people").answer().await.is(200);
    let answer = api.request("GET", "/people").token("nonsense").answer().await.is(200);
    assert!(!answer.has("cache-control"));
    assert_eq!(api.auth.asked(), 0);
    api.post("/people", json!({})).await.refused(401);
    api.get("/people/5f0000000000000000000abc").await.refused(401);
}

/// AUTH-04, decisions 17: after the scope a role; one of either list suffices.
#[actix_rt::test]
async fn a_wrong_role_is_forbidden() {
    let mut domain = people();
    let people = &mut domain["DOMAIN"]["people"];
    people["allowed_roles"] = json!(["admin"]);
    people["allowed_read_roles"] = json!(["reader"]);
    let api = Api::start(domain, |_| ()).await;
    let scopes = "people:read people:write";
    api.auth.token("admin", scopes, json!({ "roles": ["x", "admin"] }));
    api.auth.token("reader", scopes, json!({ "roles": ["reader"] }));
    api.auth.token("nobody", scopes, json!({}));
    let status = async |token: &str, method: &str| {
        api.request(method, "/people").token(token).json(&json!({ "name": "x" })).answer().await.status
    };
    assert_eq!((status("admin", "GET").await, status("admin", "POST").await), (200, 201));
    assert_eq!((status("reader", "GET").await, status("reader", "POST").await), (200, 403));
    assert_eq!((status("nobody", "GET").await, status("nobody", "POST").await), (403, 403));
    // The item's roles are others (none here).
    let missing = api.request("GET", "/people/5f0000000000000000000abc").token("nobody").answer().await;
    assert_eq!(missing.refused(404).split('.').next().unwrap(), "The requested URL was not found on the server");
}

/// AUTH-06: home asks for any token, and for the roles of the whole API.
#[actix_rt::test]
async fn home_takes_any_token_with_the_roles_of_the_api() {
    let api = Api::start(with(people(), json!({ "ALLOWED_READ_ROLES": ["staff"] })), |_| ()).await;
    api.auth.token("staff", "", json!({ "roles": ["staff"] })).token("other", "people:read", json!({}));
    api.request("GET", "/").token("staff").answer().await.is(200);
    api.request("GET", "/").token("other").answer().await.refused(403);
}

/// HOME-05, HOME-06, URL-16: the schemas of what the caller may read.
#[actix_rt::test]
async fn schemas_are_shown_to_those_who_may_read() {
    let mut domain = with(people(), json!({ "SCHEMA_ENDPOINT": "schema" }));
    let relation = json!({ "type": "objectid", "data_relation": { "resource": "people" } });
    domain["DOMAIN"]["works"] = json!({ "schema": {
        "title": { "type": "string", "required": true },
        "by": { "type": "list", "schema": relation }, "in": { "type": "dict", "schema": { "schema": relation } }
    } });
    domain["DOMAIN"]["hidden"] = json!({ "internal_resource": true });
    let api = Api::start(domain, |_| ()).await;
    api.auth.token("alice", "people:read works:read", json!({})).token("bob", "works:read", json!({}));
    let get = async |token: &str, path: &str| api.request("GET", path).token(token).answer().await;
    let all = get("alice", "/schema").await.is(200).json();
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["people", "works"]);
    assert_eq!(all["works"]["title"], json!({ "type": "string", "required": true }));
    assert_eq!(all["works"]["_id"], json!({ "type": "objectid" }));
    // CFG-09: where a reference leads, at any depth.
    assert_eq!(all["works"]["by"]["schema"]["data_relation"]["field"], "_id");
    assert_eq!(all["works"]["in"]["schema"]["schema"]["data_relation"]["field"], "_id");
    let some = get("bob", "/schema").await.json();
    assert_eq!(some.as_object().unwrap().keys().collect::<Vec<_>>(), ["works"]);
    assert_eq!(get("bob", "/schema/works").await.json(), all["works"]);
    get("bob", "/schema/people").await.refused(403);
    get("bob", "/schema/hidden").await.refused(404);
    get("bob", "/schema/nothing").await.refused(404);
}

/// Decisions 5: without authentication everything is public, and nothing says otherwise.
#[actix_rt::test]
async fn the_open_mode_asks_nobody() {
    let api = Api::open(people()).await;
    api.post("/people", json!({ "name": "x" })).await.is(201);
    let answer = api.request("GET", "/people").header("Authorization", "Basic dTpw").answer().await.is(200);
    assert!(!answer.has("cache-control") && !answer.has("vary"));
    assert_eq!(api.get("/.well-known/oauth-protected-resource").await.json()["authorization_servers"], json!([]));
}
