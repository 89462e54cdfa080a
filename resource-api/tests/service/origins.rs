//! Pages of other origins (CORS-01 to CORS-04, RESP-05).

use serde_json::{Value, json};

use crate::support::{Answer, Api, Ask, with};
use crate::tokens::people;

async fn from(api: &Api, origin: &str, method: &str, path: &str) -> Answer {
    api.request(method, path).header("Origin", origin).answer().await
}

fn methods(answer: &Answer, name: &str) -> Vec<String> {
    let mut methods: Vec<String> =
        answer.header(name).split(", ").filter(|method| !method.is_empty()).map(str::to_owned).collect();
    methods.sort();
    methods
}

/// CORS-01: without Origin, or where no setting names any, nothing is added.
#[actix_rt::test]
async fn nothing_is_told_to_those_who_do_not_ask() {
    let api = Api::open(with(people(), json!({ "X_DOMAINS": "*" }))).await;
    let silent = |answer: Answer| {
        let told = answer.headers.keys().find(|name| name.as_str().starts_with("access-control"));
        assert!(told.is_none() && !answer.has("vary"), "{:?}", answer.headers);
    };
    silent(api.get("/people").await.is(200));
    let api = Api::open(with(people(), json!({ "X_DOMAINS": null, "X_HEADERS": ["A"] }))).await;
    silent(from(&api, "https://shop.test", "GET", "/people").await.is(200));
}

/// CORS-01 to CORS-03: all answers, whatever their status, with the route's methods.
#[actix_rt::test]
async fn an_allowed_origin_is_told_so_by_every_answer() {
    let settings = json!({
        "X_DOMAINS": ["https://shop.test", "https://news.test"], "X_HEADERS": ["Authorization", "If-Match"],
        "X_EXPOSE_HEADERS": "X-Total-Count", "X_ALLOW_CREDENTIALS": true, "X_MAX_AGE": 60
    });
    let api = Api::start(with(people(), settings), |_| ()).await;
    api.auth.token("ada", "people:read people:write", json!({}));
    let bearer = ["GET", "DELETE"];
    for (method, path, status) in [
        ("OPTIONS", "/people", 200),
        ("GET", "/people", 200),
        ("DELETE", "/people", 204),
        ("PATCH", "/people", 405),
        ("GET", "/people/5f0000000000000000000abc", 404),
        ("POST", "/people", 401),
    ] {
        let request = api.request(method, path).header("Origin", "https://news.test");
        let request = if bearer.contains(&method) { request.token("ada") } else { request };
        let answer = request.answer().await.is(status);
        assert_eq!(answer.header("access-control-allow-origin"), "https://news.test", "{method} {path}");
        assert_eq!(answer.header("access-control-allow-headers"), "Authorization, If-Match");
        assert_eq!(answer.header("access-control-expose-headers"), "X-Total-Count");
        assert_eq!(answer.header("access-control-max-age"), "60");
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(vary.contains(&"Origin"), "{vary:?}");
    }
    let preflight = from(&api, "https://shop.test", "OPTIONS", "/people").await.is(200);
    assert_eq!(methods(&preflight, "access-control-allow-methods"), methods(&preflight, "allow"));
    assert!(methods(&preflight, "allow").contains(&"POST".to_owned()));
    let nowhere = from(&api, "https://shop.test", "GET", "/nowhere").await.is(404);
    assert_eq!(nowhere.header("access-control-allow-methods"), "");
    assert!(nowhere.has("access-control-allow-methods"));
}

/// CORS-02, CORS-03: `*`, exact names, patterns from the start; others get an empty origin and the rest.
#[actix_rt::test]
async fn origins_are_allowed_by_name_or_pattern() {
    let told = async |settings: Value, origin: &str| {
        let api = Api::open(with(people(), settings)).await;
        let answer = from(&api, origin, "GET", "/people").await.is(200);
        assert_eq!(answer.header("vary"), "Origin");
        assert_eq!(answer.header("access-control-max-age"), "21600");
        assert!(!answer.has("access-control-allow-credentials"));
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(told(json!({ "X_DOMAINS": "*" }), "https://any.test").await, "https://any.test");
    assert_eq!(told(json!({ "X_DOMAINS": "https://a.test" }), "https://a.test").await, "https://a.test");
    assert_eq!(told(json!({ "X_DOMAINS": "https://a.test" }), "https://a.test.evil").await, "");
    let patterns = json!({ "X_DOMAINS_RE": ["*", "https://[a-z]+\\.test$"] });
    assert_eq!(told(patterns.clone(), "https://abc.test").await, "https://abc.test");
    assert_eq!(told(patterns.clone(), "https://abc.test.evil").await, "");
    assert_eq!(told(patterns, "http://x/https://abc.test").await, "");
    assert_eq!(told(json!({ "X_DOMAINS_RE": "https://abc" }), "https://abcdef").await, "https://abcdef");
}

/// RESP-05: JSON as a script's call, errors too; other answers as they are.
#[actix_rt::test]
async fn json_is_wrapped_in_a_call_of_the_function_named() {
    let api = Api::open(with(people(), json!({ "JSONP_ARGUMENT": "callback" }))).await;
    let id = api.post("/people?callback=made", json!({ "name": "x" })).await.is(201);
    let created: Value = inside(&id, "made");
    let item = format!("/people/{}", created["_id"].as_str().unwrap());
    let plain = api.get(&item).await.is(200);
    let wrapped = api.get(&format!("{item}?callback=jQuery1.done")).await.is(200);
    assert_eq!(inside(&wrapped, "jQuery1.done")["_id"], plain.json()["_id"]);
    assert_eq!(wrapped.header("content-type"), "application/json");
    // Otherwise no browser would run it.
    assert!(plain.has("x-content-type-options") && !wrapped.has("x-content-type-options"));
    let length = wrapped.header("content-length");
    let head = api.request("HEAD", &format!("{item}?callback=jQuery1.done")).answer().await.is(200);
    assert_eq!(head.header("content-length"), length);
    let missing = api.get("/nowhere?callback=f").await.is(404);
    assert_eq!(inside(&missing, "f")["_error"]["code"], 404);
    assert_eq!(api.request("OPTIONS", "/people?callback=f").answer().await.is(200).text, "");
    let delete = api.request("DELETE", &format!("{item}?callback=f")).header("If-Match", plain.etag());
    assert_eq!(delete.answer().await.is(204).text, "");

    let unset = Api::open(people()).await;
    assert!(unset.get("/people?callback=f").await.is(200).text.starts_with('{'));
}

fn inside(answer: &Answer, function: &str) -> Value {
    let json = answer.text.strip_prefix(&format!("{function}(")).and_then(|rest| rest.strip_suffix(')'));
    serde_json::from_str(json.unwrap_or_else(|| panic!("{}", answer.text))).unwrap()
}

/// RESP-05 (F): what is no name is refused, unwrapped, before anything is done.
#[actix_rt::test]
async fn a_callback_that_is_no_name_is_refused_before_anything_is_done() {
    let api = Api::open(with(people(), json!({ "JSONP_ARGUMENT": "callback" }))).await;
    for bad in ["alert(1)", "", "%3Cscript%3E", "1a"] {
        let refused = api.post(&format!("/people?callback={bad}"), json!({ "name": "x" })).await.refused(400);
        assert_eq!(refused, "Invalid JSONP callback name", "{bad}");
    }
    assert_eq!(api.get("/people").await.json()["_meta"]["total"], 0);
}
