//! Pages over the API's data.

use serde_json::{Value, json};

use crate::support::{Browser, World};

async fn posted(browser: &mut Browser, path: &str, changes: &[(&str, &str)]) -> crate::support::Page {
    let form = browser.get(path).await;
    assert_eq!(form.status, 200, "{}", form.text);
    let csrf = form.csrf();
    let etag = if path.starts_with("/new") { String::new() } else { form.hidden("etag") };
    let mut fields = vec![("csrf".to_owned(), csrf), ("etag".to_owned(), etag)];
    for (name, value) in changes {
        fields.push(((*name).to_owned(), (*value).to_owned()));
        let was = name.split_once('.').map_or("", |(_, field)| field);
        if form.text.contains(&format!("name=\"was.{was}\"")) {
            fields.push((format!("was.{was}"), form.hidden(&format!("was.{was}"))));
        }
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(path, &fields).await
}

#[actix_rt::test]
async fn the_start_page_lists_what_the_apis_home_lists() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.get("/").await.shows(200, "Sign in</a>");
    assert_eq!(world.api.state().requests, 0, "nothing is asked for strangers");
    browser.sign_in().await;
    let page = browser.get("/").await;
    page.shows(200, "<strong>People</strong><span class=\"figure\">60</span>");
    page.shows(200, "<strong>Countries of the world</strong><span class=\"figure\">0</span>");
    assert!(!page.text.contains("schema"), "the schema endpoint is no resource");
    world.api.state().home = Some(json!({}));
    browser.get("/").await.shows(200, "The API lists no resources");
}

#[actix_rt::test]
async fn a_resource_is_a_table_with_pages_sorting_and_a_filter() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let page = browser.get("/data/people").await;
    page.shows(200, "<th scope=\"row\"><a href=\"/data/people/p1\">Person 1</a></th>");
    page.shows(200, "1–25 of 60");
    page.shows(200, "<a href=\"/data/people?sort=name\">name</a>");
    page.shows(200, "<td><a href=\"/data/people/p2\">p2</a></td>");
    assert!(!page.text.contains(">Person 26<") && !page.text.contains("rel=\"prev\""));
    let last = browser.get("/data/people?page=3&sort=-age").await;
    last.shows(200, "51–60 of 60");
    last.shows(200, "aria-sort=\"descending\"");
    assert!(!last.text.contains("rel=\"next\""));
    let query = world.api.state().last_query.clone();
    assert_eq!((query["page"].as_str(), query["sort"].as_str()), ("3", r#"[["age",-1]]"#));
    let found = browser.get("/data/people?field=name&test=is&value=Person+7").await;
    found.shows(200, "1–1 of 1");
    assert_eq!(world.api.state().last_query["where"], r#"{"name":"Person 7"}"#);
    let none = browser.get("/data/people?field=name&test=is&value=Nobody").await;
    none.shows(200, "Nothing fits this filter");
    none.shows(200, "<option selected>name</option>");
}

/// A refused filter is told on the page where it was made.
#[actix_rt::test]
async fn a_refused_filter_is_told_in_place() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let page = browser.get("/data/people?field=secret&value=1").await;
    page.shows(400, "filter on &#x27;secret&#x27; not allowed");
    page.shows(400, "<option selected>secret</option>");
}

#[actix_rt::test]
async fn an_item_is_shown_in_full_with_its_references() {
    let world = World::start().await;
    world.api.put(
        "p1",
        json!({"long": "x".repeat(3000), "nothing": null, "empty": [], "big": 12345678901234567890_u64,
               "place": {"type": "Point", "coordinates": [16.37, 48.2]}, "flag": false}),
    );
    let mut browser = world.signed_in().await;
    let page = browser.get("/data/people/p1").await;
    page.shows(200, "<h1>Person 1</h1>");
    page.shows(200, "<a href=\"/data/people/p2\">p2</a>");
    page.shows(200, "<dt>city</dt><dd><span class=\"text\">London</span></dd>");
    page.shows(200, &"x".repeat(3000));
    page.shows(200, "12345678901234567890");
    page.shows(200, "48.2, 16.37");
    page.shows(200, "<dt>flag</dt><dd>no</dd>");
    page.shows(200, "href=\"/edit/people/p1\"");
    browser.get("/data/people/unknown").await.shows(404, "Not found");
    browser.get("/data/unknown").await.shows(404, "Not found");
}

#[actix_rt::test]
async fn an_item_is_created_from_the_form() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    browser.get("/new/people").await.shows(200, "name=\"text.name\"");
    let changes = [("text.name", "Ada"), ("number.age", "36"), ("truth.active", ""), ("more", "{\"tags\": [1]}")];
    let done = posted(&mut browser, "/new/people", &changes).await;
    assert_eq!((done.status, done.location()), (303, "/data/people/new%201?done=created"));
    let (method, path, etag, body) = world.api.state().writes.pop().unwrap();
    assert_eq!((method.as_str(), path.as_str(), etag), ("POST", "/people", None));
    assert_eq!(body, json!({"name": "Ada", "age": 36, "tags": [1]}));
    browser.get(done.location()).await.shows(200, "The item was created");
}

/// The API's schema, where there is one, says what can be entered.
#[actix_rt::test]
async fn a_schema_shapes_the_form() {
    let world = World::start().await;
    world.api.state().schema = Some(json!({
        "_id": {"type": "objectid"},
        "name": {"type": "string", "required": true, "maxlength": 40},
        "role": {"type": "string", "allowed": ["author", "editor"]},
        "born": {"type": "datetime"},
    }));
    let mut browser = world.signed_in().await;
    let form = browser.get("/new/countries").await;
    form.shows(200, "aria-required=\"true\"");
    form.shows(200, "<option>editor</option>");
    form.shows(200, "Tue, 02 Apr 2013 10:29:13 GMT");
}

/// What the API says against an item stands at its field; what was entered stays.
#[actix_rt::test]
async fn refusals_stand_at_their_fields() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let page = posted(&mut browser, "/new/people", &[("text.name", ""), ("more", "{\"unknown\": 1}")]).await;
    page.shows(422, "<span class=\"error\" id=\"field-1-error\">required field</span>");
    page.shows(422, "unknown: unknown &lt;field&gt;");
    page.shows(422, "aria-invalid=\"true\"");
    page.shows(422, "{&quot;unknown&quot;: 1}");
    let page = posted(&mut browser, "/edit/people/p1", &[("json.age", "\"old\"")]).await;
    page.shows(422, "must be of integer type");
    let page = posted(&mut browser, "/edit/people/p1", &[("number.age", "old")]).await;
    page.shows(422, "This is not a number");
    page.shows(422, "value=\"old\"");
    assert_eq!(world.api.state().writes.len(), 2, "what can't be read is not sent");
}

#[actix_rt::test]
async fn only_touched_fields_are_sent_with_the_version_they_were_made_for() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let changes = [("text.name", "Ada"), ("number.age", "36"), ("text.friend", "p2")];
    let done = posted(&mut browser, "/edit/people/p1", &changes).await;
    assert_eq!(done.location(), "/data/people/p1?done=saved");
    let (method, path, etag, body) = world.api.state().writes.pop().unwrap();
    assert_eq!((method.as_str(), path.as_str(), etag.as_deref()), ("PATCH", "/people/p1", Some("\"etag-p1\"")));
    assert_eq!(body, json!({"name": "Ada"}));
    let same = posted(&mut browser, "/edit/people/p1", &[("text.name", "Ada")]).await;
    assert_eq!(same.location(), "/data/people/p1?done=unchanged");
    assert!(world.api.state().writes.is_empty());
}

/// 412: both versions are shown, and one's own can be saved over the other.
#[actix_rt::test]
async fn a_conflict_shows_both_versions_and_lets_one_choose() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let form = browser.get("/edit/people/p1").await;
    let (csrf, etag, was) = (form.csrf(), form.hidden("etag"), form.hidden("was.name"));
    world.api.put("p1", json!({"name": "Theirs", "age": 99}));
    let fields = [("csrf", csrf.as_str()), ("etag", &etag), ("text.name", "Mine"), ("was.name", &was)];
    let page = browser.post("/edit/people/p1", &fields).await;
    page.shows(412, "Somebody else changed this meanwhile");
    page.shows(412, "<span class=\"text\">Theirs</span>");
    page.shows(412, "<span class=\"text\">Mine</span>");
    assert!(!page.text.contains(">99<"), "an untouched field is in no conflict");
    let (etag, name) = (page.hidden("etag"), page.hidden("text.name"));
    let fields = [("csrf", csrf.as_str()), ("etag", &etag), ("text.name", &name), ("was.name", "-")];
    assert_eq!(browser.post("/edit/people/p1", &fields).await.location(), "/data/people/p1?done=saved");
    let stored = world.api.state().people[0].clone();
    assert_eq!((&stored["name"], &stored["age"]), (&json!("Mine"), &json!(99)));
}

/// Deleting asks first, and not what somebody changed meanwhile.
#[actix_rt::test]
async fn an_item_is_deleted_only_as_it_was_seen() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let form = browser.get("/delete/people/p1").await;
    form.shows(200, "Delete Person 1?");
    let (csrf, etag) = (form.csrf(), form.hidden("etag"));
    world.api.put("p1", json!({"name": "Theirs"}));
    let page = browser.post("/delete/people/p1", &[("csrf", &csrf), ("etag", &etag)]).await;
    page.shows(412, "Somebody changed this item meanwhile");
    page.shows(412, "Theirs");
    let etag = page.hidden("etag");
    let done = browser.post("/delete/people/p1", &[("csrf", &csrf), ("etag", &etag)]).await;
    assert_eq!(done.location(), "/data/people?done=deleted");
    assert!(world.api.state().people.iter().all(|person| person["_id"] != "p1"));
    browser.get(done.location()).await.shows(200, "The item was deleted");
    assert_eq!(browser.get("/data/people/p1").await.status, 404);
}

/// X-009: a version that no header can carry is the form's fault, and not an outage of the API.
#[actix_rt::test]
async fn an_etag_that_is_none_is_a_bad_request() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let csrf = browser.get("/").await.csrf();
    for etag in ["etag\r\nx-evil: 1", "\u{7f}", "etag-p1\", \"etag-p2"] {
        for path in ["/edit/people/p1", "/delete/people/p1"] {
            let page = browser.post(path, &[("csrf", &csrf), ("etag", etag), ("text.name", "Ada")]).await;
            page.shows(400, "its etag holds what no etag may hold");
        }
    }
    assert!(world.api.state().writes.is_empty());
}

/// Without the scope to write, nothing offers to.
#[actix_rt::test]
async fn readers_are_offered_no_changes() {
    let world = World::start().await;
    world.auth.state().scope = Some("people:read countries:read".to_owned());
    let mut browser = world.signed_in().await;
    for path in ["/data/people", "/data/people/p1"] {
        let page = browser.get(path).await;
        assert!(!page.text.contains("/new/") && !page.text.contains("/edit/") && !page.text.contains("/delete/"));
    }
}

/// Whatever the API's data is, there is a page for it.
#[actix_rt::test]
async fn odd_data_has_pages() {
    let world = World::start().await;
    let mut deep = json!("end");
    for _ in 0..60 {
        deep = json!({"a": [deep]});
    }
    let odd = |id: Value, rest: Value| {
        let mut document = json!({"_id": id});
        document.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        document
    };
    world.api.state().people = vec![
        odd(json!("a b/c?d#e%"), json!({"name": "\u{202E}right to left\u{0000}", "": "no name", "x.y": 1})),
        odd(json!(7), json!({"deep": deep, "float": 1e300, "neg": -0.0})),
        odd(json!("empty"), json!({})),
        odd(json!("nulls"), json!({"a": null, "b": [null], "c": {"d": {}}})),
    ];
    let mut browser = world.signed_in().await;
    let table = browser.get("/data/people").await;
    table.shows(200, "href=\"/data/people/a%20b%2Fc%3Fd%23e%25\"");
    for path in ["/data/people/empty", "/data/people/nulls", "/edit/people/nulls", "/edit/people/empty"] {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
    let page = browser.get("/data/people/a%20b%2Fc%3Fd%23e%25").await;
    assert!([200, 404].contains(&page.status), "{}", page.text);
    world.api.state().refuse = Some((200, vec![]));
    browser.get("/data/people").await.shows(404, "Not found");
}
