//! Beyond Eve: cursors, and lists without a total.

use serde_json::{Value, json};

use crate::support::{Api, Ask, encoded};

fn domain(more: Value) -> Value {
    let mut domain = json!({
        "RESOURCE_METHODS": ["GET", "POST", "DELETE"], "ITEM_METHODS": ["GET", "DELETE"],
        "DOMAIN": {
            "things": { "schema": {
                "n": { "type": "integer" }, "name": { "type": "string" }, "tags": { "type": "list" }, "pay": { "type": "integer" },
            } },
            "parts": { "url": "things/<regex(\"[a-z]+\"):name>/parts", "schema": { "name": { "type": "string" } } },
        }
    });
    domain["DOMAIN"]["things"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    domain
}

async fn filled(more: Value) -> Api {
    let api = Api::open(domain(more)).await;
    let things: Vec<Value> = (0..40)
        .map(|n| json!({ "n": n % 5, "name": format!("thing {n:02}"), "tags": [n % 3, n], "pay": 40 - n }))
        .collect();
    api.post("/things", json!(things)).await.is(201);
    api
}

fn names(list: &Value) -> Vec<String> {
    list["_items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// What a link's raw query means as a URL.
fn followed(href: &Value) -> String {
    let href = href.as_str().unwrap();
    let (path, query) = href.split_once('?').unwrap_or((href, ""));
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            format!("{name}={}", encoded(&json!(value)))
        })
        .collect();
    format!("/{path}?{}", pairs.join("&"))
}

/// LIST-01, SORT: `_links.next` leads by cursor through the same documents in the same order as numbered pages, each once.
#[actix_rt::test]
async fn cursors_lead_through_everything_in_order() {
    let api = filled(json!({})).await;
    for query in [
        "".to_owned(),
        "&sort=-n".to_owned(),
        "&sort=n,-name".to_owned(),
        "&sort=tags".to_owned(),
        format!("&sort=-name&where={}", encoded(&json!({ "n": { "$gte": 2 } }))),
        format!("&sort=[(\"_updated\",-1)]&where={}", encoded(&json!("n==3"))),
    ] {
        let all = api.get(&format!("/things?max_results=50{query}")).await.is(200).json();
        let mut seen = Vec::new();
        let mut path = format!("/things?max_results=7&paginate=cursor&foo=x{query}");
        loop {
            let page = api.get(&path).await.is(200);
            let body = page.json();
            seen.extend(names(&body));
            assert_eq!(body["_meta"]["total"], all["_meta"]["total"]);
            assert_eq!(page.header("x-total-count"), all["_meta"]["total"].to_string());
            assert_eq!(body["_meta"].get("page"), None);
            assert!(body["_links"].get("last").is_none() && body["_links"].get("prev").is_none());
            let Some(next) = body["_links"].get("next") else { break };
            assert_eq!(next["title"], "next page");
            let href = next["href"].as_str().unwrap();
            assert!(href.contains("paginate=cursor") && href.contains("foo=x") && href.matches("after=").count() == 1);
            assert!(href.contains(body["_meta"]["next"].as_str().unwrap()));
            path = followed(&next["href"]);
            // The page's own link leads to the page.
            let again = api.get(&followed(&body["_links"]["self"]["href"])).await.is(200).json();
            assert_eq!(names(&again), names(&body));
        }
        assert_eq!(seen, names(&all), "{query}");
    }
}

/// SORT: whatever the documents hold under the names they are sorted by.
#[actix_rt::test]
async fn cursors_lead_past_values_of_every_kind() {
    let api = Api::open(json!({
        "RESOURCE_METHODS": ["GET", "POST"],
        "DOMAIN": { "things": {
            "mongo_indexes": { "x": [["x", 1]] },
            "schema": { "x": { "nullable": true }, "y": {}, "_id": { "type": ["integer", "dict"] } },
        } },
    }))
    .await;
    let values = json!([
        null, 1, 2.5, -1, "a", "", "ü", [], [1], [3, 1], [null], [[1]], [[]], [{"q": 1}], {}, {"q": 1}, {"q": {"r": [1]}}, true, false,
        1, "a", {}, [[1]], false, null,
    ]);
    let things: Vec<Value> =
        values.as_array().unwrap().iter().enumerate().map(|(n, x)| json!({"_id": n, "x": x})).collect();
    api.post("/things", Value::from(things)).await.is(201);
    api.post("/things", json!([{"_id": {"a": 1}}, {"_id": {"a": {"b": [2]}}}, {"_id": {}, "x": "l".repeat(2000)}]))
        .await
        .is(201);
    let ids =
        |page: &Value| page["_items"].as_array().unwrap().iter().map(|item| item["_id"].clone()).collect::<Vec<_>>();
    for sort in ["x", "-x", "y,x", "-y,-x", "x.q", "-x.q.r", "_id", "-_id"] {
        let all = ids(&api.get(&format!("/things?max_results=50&sort={sort}")).await.is(200).json());
        assert_eq!(all.len(), 28);
        let mut seen = Vec::new();
        let mut path = format!("/things?max_results=1&paginate=cursor&sort={sort}");
        loop {
            let page = api.get(&path).await.is(200).json();
            seen.extend(ids(&page));
            let Some(next) = page["_links"].get("next") else { break };
            path = followed(&next["href"]);
        }
        assert_eq!(seen, all, "{sort}");
    }
}

/// A cursor leads on though its document has gone, and `after` alone is enough.
#[actix_rt::test]
async fn a_cursor_outlives_its_document() {
    let api = filled(json!({})).await;
    let first = api.get("/things?sort=name&max_results=5&paginate=cursor").await.is(200).json();
    let last = &first["_items"][4];
    let path = format!("/things/{}", last["_id"].as_str().unwrap());
    api.request("DELETE", &path).header("If-Match", last["_etag"].as_str().unwrap()).answer().await.is(204);
    let cursor = first["_meta"]["next"].as_str().unwrap();
    let rest = api.get(&format!("/things?sort=name&max_results=3&after={cursor}&page=9")).await.is(200).json();
    assert_eq!(names(&rest), ["thing 05", "thing 06", "thing 07"]);
}

/// Another order, another filter, another resource, or no cursor at all: 400 with the reason; a changed one does no harm.
#[actix_rt::test]
async fn a_cursor_of_another_query_is_refused() {
    let api = filled(json!({})).await;
    let first = api.get("/things?sort=name&max_results=5&paginate=cursor").await.is(200).json();
    let cursor = first["_meta"]["next"].as_str().unwrap().to_owned();
    let foreign = "the cursor in `after` belongs to another query: it needs the same resource, `where` and `sort`";
    for query in ["sort=-name", "", "sort=name&where=n==1"] {
        let refused = api.get(&format!("/things?{query}&after={cursor}")).await.refused(400);
        assert_eq!(refused, foreign, "{query}");
    }
    assert_eq!(api.get(&format!("/things/x/parts?sort=name&after={cursor}")).await.refused(400), foreign);
    let unreadable = "the cursor in `after` can't be read";
    for text in ["x", "AAAA", "%00", "%F0%9F%92%A9", &"A".repeat(3000), &cursor[..cursor.len() / 2]] {
        assert_eq!(api.get(&format!("/things?sort=name&after={text}")).await.refused(400), unreadable, "{text}");
    }
    for place in 0..cursor.len() {
        let mut changed = cursor.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let answer = api.get(&format!("/things?sort=name&after={changed}")).await;
        assert!(matches!(answer.status, 200 | 400), "{}", answer.text);
    }
}

/// Decisions 23: values that a client can't see are in no cursor, and long ones in none either; the place is found by the id.
#[actix_rt::test]
async fn a_cursor_holds_no_hidden_and_no_long_values() {
    let hidden = json!({ "datasource": { "projection": { "pay": 0 }, "default_sort": [["pay", 1]] } });
    let api = filled(hidden).await;
    let first = api.get("/things?max_results=4&paginate=cursor").await.is(200).json();
    assert_eq!(names(&first), ["thing 39", "thing 38", "thing 37", "thing 36"]);
    let next = followed(&first["_links"]["next"]["href"]);
    let second = api.get(&next).await.is(200).json();
    assert_eq!(names(&second), ["thing 35", "thing 34", "thing 33", "thing 32"]);
    // Nobody can try values either.
    let shown = Api::open(domain(json!({ "datasource": { "default_sort": [["pay", 1]] } }))).await;
    shown.post("/things", json!([{ "pay": 7 }, { "pay": 8 }])).await.is(201);
    let forged = shown.get("/things?max_results=1&paginate=cursor").await.json()["_meta"]["next"].clone();
    let refused = api.get(&format!("/things?after={}", forged.as_str().unwrap())).await.refused(400);
    assert!(refused.contains("belongs to another query"), "{refused}");
    let last = first["_items"][3].clone();
    let path = format!("/things/{}", last["_id"].as_str().unwrap());
    api.request("DELETE", &path).header("If-Match", last["_etag"].as_str().unwrap()).answer().await.is(204);
    let lost = api.get(&next).await.refused(400);
    assert_eq!(lost, "the document that the cursor in `after` stands at has changed or gone: begin again without it");

    let api = Api::open(domain(json!({}))).await;
    let long: Vec<Value> = (0..6).map(|n| json!({ "name": format!("{}{n}", "x".repeat(5000)) })).collect();
    api.post("/things", json!(long)).await.is(201);
    let mut path = "/things?sort=-name&max_results=2&paginate=cursor".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = api.get(&path).await.is(200).json();
        seen.extend(names(&page).iter().map(|name| name.trim_start_matches('x').to_owned()));
        let Some(next) = page["_links"].get("next") else { break };
        path = followed(&next["href"]);
        assert!(path.len() < 400, "{path}");
    }
    assert_eq!(seen, ["5", "4", "3", "2", "1", "0"]);
}

/// LINK-03, LINK-04: without a total nothing is counted, and `next` is always there, as where the resource saves the count.
#[actix_rt::test]
async fn a_client_can_do_without_the_total() {
    let api = filled(json!({})).await;
    let page = api.get("/things?total=none&max_results=3&page=2").await.is(200);
    assert!(!page.has("x-total-count"));
    let body = page.json();
    assert_eq!(body["_meta"], json!({ "page": 2, "max_results": 3 }));
    let href = |name: &str| body["_links"][name]["href"].as_str().map(str::to_owned);
    assert_eq!(href("self").unwrap(), "things?max_results=3&page=2&total=none");
    assert_eq!(href("next").unwrap(), "things?max_results=3&page=3&total=none");
    assert_eq!(href("prev").unwrap(), "things?max_results=3&total=none");
    assert_eq!(href("last"), None);
    let cursor = api.get("/things?total=none&max_results=3&paginate=cursor").await.is(200).json();
    assert_eq!(cursor["_meta"].as_object().unwrap().keys().collect::<Vec<_>>(), ["max_results", "next"]);
    // Other values mean nothing here, as to Eve.
    let other = api.get("/things?total=all&paginate=yes").await.is(200).json();
    assert_eq!((&other["_meta"]["total"], &other["_meta"]["page"]), (&json!(40), &json!(1)));
    let fast = filled(json!({ "optimize_pagination_for_speed": true })).await;
    let body = fast.get("/things?max_results=3").await.is(200).json();
    assert_eq!(body["_links"]["self"]["href"], "things");
    assert_eq!(body["_links"]["next"]["href"], "things?max_results=3&page=2");
}

/// Without pagination there are no pages, of neither kind; names are the domain file's.
#[actix_rt::test]
async fn cursors_belong_to_pagination_and_have_the_domains_names() {
    let off = filled(json!({ "pagination": false })).await;
    let all = off.get("/things?paginate=cursor&after=x&max_results=3").await.is(200).json();
    assert_eq!((names(&all).len(), all.get("_meta")), (3, None));
    let mut named = domain(json!({}));
    named["QUERY_AFTER"] = json!("behind");
    named["QUERY_PAGINATE"] = json!("by");
    named["QUERY_TOTAL"] = json!("count");
    let api = Api::open(named).await;
    api.post("/things", json!([{ "name": "a" }, { "name": "b" }])).await.is(201);
    let first = api.get("/things?by=cursor&count=none&max_results=1&after=mine&total=none").await.is(200).json();
    let href = first["_links"]["next"]["href"].as_str().unwrap();
    assert!(href.contains("&behind=") && href.contains("after=mine") && href.contains("count=none"), "{href}");
    assert_eq!(names(&api.get(&followed(&json!(href))).await.is(200).json()), ["b"]);
}

/// URRA-02: whoever gets hold of a cursor sees his own documents behind it, and no others.
#[actix_rt::test]
async fn a_cursor_opens_nothing() {
    let api = Api::start(domain(json!({ "auth_field": "owner" })), |_| ()).await;
    for owner in ["alice", "bob"] {
        api.auth.token(owner, "things:read things:write", json!({}));
        let things: Vec<Value> = (0..4).map(|n| json!({ "name": format!("{owner} {n}") })).collect();
        api.request("POST", "/things").token(owner).json(&things).answer().await.is(201);
    }
    let list = async |owner: &str, query: &str| {
        api.request("GET", &format!("/things?sort=name&{query}")).token(owner).answer().await.is(200).json()
    };
    let hers = list("alice", "paginate=cursor&max_results=2").await;
    let cursor = hers["_meta"]["next"].as_str().unwrap();
    assert_eq!(names(&list("alice", &format!("after={cursor}")).await), ["alice 2", "alice 3"]);
    assert_eq!(names(&list("bob", &format!("after={cursor}")).await).len(), 4);
    assert!(names(&list("bob", &format!("after={cursor}")).await).iter().all(|name| name.starts_with("bob")));
}
