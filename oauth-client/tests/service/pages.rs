//! Group G of the contract, and group X as it binds the app: what people see when something is wrong.

use serde_json::json;

use crate::support::World;

/// G-001, G-003, X-015: what happened, what to do, the request id and the time; the same id in the header.
#[actix_rt::test]
async fn an_error_page_says_what_happened_and_leads_on() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.headers = vec![("x-request-id", "my-own.id_1")];
    for path in ["/nowhere", "/data", "/assets/x", "/callback?state=a&code=b"] {
        let page = browser.get(path).await;
        assert_eq!(page.header("x-request-id"), "my-own.id_1", "{path}");
        assert!(page.text.contains("<dd>my-own.id_1</dd>") && page.text.contains(" UTC</dd>"), "{}", page.text);
        assert!(page.text.contains("class=\"button primary\" href=\"/"), "{}", page.text);
    }
}

/// G-002: the API being down is a 503 with a way to try the same page again.
#[actix_rt::test]
async fn an_api_that_is_down_is_told_with_a_way_to_try_again() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    for refusal in
        [(503, vec![("retry-after", "7".to_owned())]), (500, vec![]), (429, vec![("retry-after", "9".to_owned())])]
    {
        let asked = refusal.1.first().map_or("5", |(_, seconds)| seconds.as_str()).to_owned();
        world.api.state().refuse = Some(refusal);
        let page = browser.get("/data/people?page=2").await;
        page.shows(503, "The data is not available right now");
        assert_eq!(page.header("retry-after"), asked);
        assert!(page.text.contains("href=\"/data/people?page=2\">Try again"), "{}", page.text);
        assert!(page.text.contains(page.header("x-request-id")));
    }
    let gone = World::with(|config| config.api = "http://127.0.0.1:1".to_owned()).await;
    gone.signed_in().await.get("/data/people").await.shows(503, "The data is not available right now");
}

/// G-001, G-003: a form whose answer was lost is not said to be unsaved, and its page is one step away.
#[actix_rt::test]
async fn an_answer_that_was_lost_is_told_as_it_is() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let csrf = browser.get("/").await.csrf();
    world.api.state().refuse = Some((504, vec![]));
    let page = browser.post("/edit/people/p1", &[("csrf", &csrf), ("text.name", "Ada")]).await;
    page.shows(503, "It is not certain that this was saved");
    assert!(page.text.contains("href=\"/edit/people/p1\">Back to the form"), "{}", page.text);
}

/// G-004: nothing that is reflected can run.
#[actix_rt::test]
async fn reflected_text_is_escaped_everywhere() {
    let world = World::start().await;
    let attack = "\"'><script>alert(1)</script>";
    let encoded = shared::form::encode(attack);
    let hostile = json!({
        "_id": "p1", "_etag": attack, "name": attack, "note": {"k<script>": attack, "list": [attack, {"x": attack}]},
        (attack): attack,
        "_links": {"related": {"name": {"href": format!("people/{attack}"), "title": attack}}},
    });
    world.api.state().people = vec![hostile];
    let mut browser = world.signed_in().await;
    for path in [
        format!("/{encoded}"),
        format!("/login?target={encoded}&x={encoded}"),
        format!("/callback?state={encoded}&code={encoded}&error={encoded}&error_description={encoded}&iss={encoded}"),
        format!(
            "/data/people?sort={encoded}&field={encoded}&test={encoded}&value={encoded}&page={encoded}&done={encoded}"
        ),
        format!("/data/people/{encoded}"),
        "/data/people".to_owned(),
        "/data/people/p1".to_owned(),
        "/edit/people/p1".to_owned(),
        "/new/people".to_owned(),
        "/delete/people/p1".to_owned(),
        format!("/missing-scope?target={encoded}"),
    ] {
        let page = browser.get(&path).await;
        assert!(page.status < 500, "{path}: {}", page.text);
        assert!(!page.text.contains("<script"), "{path}: {}", page.text);
    }
    let csrf = browser.get("/").await.csrf();
    for path in ["/new/people", "/edit/people/p1", "/delete/people/p1"] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("etag", attack),
            ("text.name", attack),
            ("number.age", attack),
            ("more", attack),
        ];
        let page = browser.post(path, &fields).await;
        assert!(page.status < 500 && !page.text.contains("<script"), "{path}: {}", page.text);
    }
}

/// G-010: a browser that blocks cookies is told so, and sent nowhere.
#[actix_rt::test]
async fn a_browser_without_cookies_is_told_so() {
    let world = World::start().await;
    let callback = world.browser().authorize("/login").await;
    let page = world.browser().get(&callback).await;
    page.shows(400, "If it blocks cookies, allow them");
    assert_eq!(page.location(), "");
}

/// a wrong method is 405 with what is allowed.
#[actix_rt::test]
async fn a_wrong_method_names_the_right_ones() {
    let world = World::start().await;
    let mut browser = world.browser();
    for (method, path, allowed) in [
        (reqwest::Method::PUT, "/login", "GET"),
        (reqwest::Method::DELETE, "/logout", "POST"),
        (reqwest::Method::PATCH, "/edit/people/p1", "POST"),
    ] {
        let page = browser.send(method, path, None).await;
        page.shows(405, "Not possible here");
        assert!(page.header("allow").contains(allowed), "{path}: {}", page.header("allow"));
    }
    let head = browser.send(reqwest::Method::HEAD, "/", None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}

/// forms of another type, badly encoded, repeated or too large are refused, and nothing is done.
#[actix_rt::test]
async fn bad_forms_are_refused() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let csrf = browser.get("/").await.csrf();
    let form = "application/x-www-form-urlencoded";
    for (content_type, body, status) in [
        ("application/json", "{}".to_owned(), 400),
        ("text/plain", format!("csrf={csrf}"), 400),
        (form, format!("csrf={csrf}&text.name=%zz"), 400),
        (form, format!("csrf={csrf}&text.name=%ff"), 400),
        (form, format!("csrf={csrf}&text.name=%00"), 400),
        (form, format!("csrf={csrf}&csrf={csrf}"), 403),
        (form, format!("csrf={csrf}&text.name={}", "x".repeat(8 * 1024 + 1)), 400),
        (form, format!("csrf={csrf}{}", "&text.name=x".repeat(6000)), 413),
    ] {
        let page = browser.send(reqwest::Method::POST, "/new/people", Some((content_type, body))).await;
        assert_eq!(page.status, status, "{content_type}: {}", page.text);
    }
    assert!(world.api.state().writes.is_empty());
    let long = format!("/data/people?value={}", "x".repeat(8 * 1024 + 1));
    assert_eq!(browser.get(&long).await.status, 400);
    browser.headers = vec![("x-long", Box::leak("x".repeat(17 * 1024).into_boxed_str()))];
    assert_eq!(browser.get("/").await.status, 431);
}

/// health and readiness tell no secrets and need no sign-in.
#[actix_rt::test]
async fn health_and_readiness_answer() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.get("/healthz").await.shows(200, "ok");
    browser.get("/readyz").await.shows(200, "ready");
}

/// The style sheet is served under its versioned address and may be kept.
#[actix_rt::test]
async fn the_style_sheet_may_be_kept() {
    let world = World::start().await;
    let mut browser = world.browser();
    let page = browser.get("/").await;
    let style =
        page.text.split("<link rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let style = browser.get(&style).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(style.header("cache-control").contains("immutable"));
}

/// a broken configuration starts nothing and names every fault.
#[actix_rt::test]
async fn a_broken_configuration_starts_nothing() {
    let world = World::start().await;
    let mut config = world.config.clone();
    config.client_id.clear();
    config.issuer = "ftp://x".to_owned();
    config.lifetimes.login = 0;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = oauth_client::start(config, listener).await.err().unwrap().to_string();
    for key in ["client_id", "issuer", "lifetimes.login"] {
        assert!(refused.contains(key), "{refused}");
    }
}
