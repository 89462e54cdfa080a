//! Pages for what can't be done: each with the right status, a reference and a way on.

use crate::support::{Answer, Server};
use crate::{is_error_page, is_page};

/// G-002, G-003, X-008: unknown addresses and wrong methods.
#[actix_rt::test]
async fn unknown_addresses_and_methods_are_pages_with_a_way_on() {
    let server = Server::start().await;
    for path in ["/nothing", "/oauth/nothing", "/oauth/management/nothing", "/favicon.ico"] {
        is_error_page(&server.get(path).await, 404);
    }
    for (path, allow) in [
        ("/oauth/login", "GET, HEAD, POST"),
        ("/oauth/authorize", "GET, HEAD, POST"),
        ("/oauth/consent", "GET, HEAD, POST"),
        ("/oauth/logout", "GET, HEAD, POST"),
        ("/oauth/authorize/continue", "GET, HEAD"),
        ("/oauth/management", "GET, HEAD"),
    ] {
        let answer = Answer::of(server.http.request(reqwest::Method::PUT, format!("{}{path}", server.url))).await;
        is_error_page(&answer, 405);
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}

/// HEAD tells what GET would, without the page.
#[actix_rt::test]
async fn a_page_can_be_asked_for_by_head() {
    let server = Server::start().await;
    let answer = Answer::of(server.http.request(reqwest::Method::HEAD, server.endpoint("/login"))).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
}

/// G-002: bodies that are too large or no forms.
#[actix_rt::test]
async fn bodies_that_are_no_forms_are_refused_with_a_page() {
    let server = Server::start().await;
    let post = |body: String, kind: &str| {
        let request = server.http.post(server.endpoint("/login")).header("content-type", kind).body(body);
        Answer::of(request)
    };
    let form = "application/x-www-form-urlencoded";
    is_error_page(&post(format!("a={}", "x".repeat(70_000)), form).await, 413);
    is_error_page(&post(format!("username={}", "x".repeat(9_000)), form).await, 400);
    is_error_page(&post("{}".to_owned(), "application/json").await, 400);
    is_error_page(&post("username=%zz".to_owned(), form).await, 400);
    is_error_page(&post("username=%00".to_owned(), form).await, 400);
}

/// G-004: nothing that is sent comes back as markup; `escaping.rs` tries every parameter of every endpoint.
#[actix_rt::test]
async fn markup_in_any_parameter_never_comes_back() {
    let server = Server::start().await;
    let evil = crate::support::encode("\"><script>alert(1)</script>");
    for path in [
        format!("/oauth/authorize?client_id={evil}"),
        format!("/oauth/authorize?{evil}=1"),
        format!("/oauth/authorize?client_id=a&client_id={evil}"),
        format!("/oauth/login?tx={evil}"),
        format!("/oauth/login?next={evil}"),
        format!("/oauth/login?tx=1&tx={evil}"),
        format!("/oauth/consent?tx={evil}"),
        format!("/oauth/authorize/continue?tx={evil}"),
        format!("/oauth/logout?{evil}"),
        format!("/oauth/management?q={evil}"),
        format!("/oauth/{evil}"),
    ] {
        let answer = server.get(&path).await;
        assert!(!answer.body.contains("<script"), "{path}: {}", answer.body);
    }
}

/// the bare host leads to the start page, whose style is ours and may be kept.
#[actix_rt::test]
async fn the_start_page_loads_nothing_from_elsewhere() {
    let server = Server::start().await;
    for path in ["/", "/oauth"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/oauth/"));
    }
    let page = server.get("/oauth/").await;
    is_page(&page, 200);
    assert!(!page.body.contains("src=\"http") && !page.body.contains("href=\"http"), "{}", page.body);
    let start = page.body.find("href=\"/oauth/assets/").unwrap() + "href=\"".len();
    let style = server.get(page.body[start..].split('"').next().unwrap()).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(style.header("cache-control").contains("immutable"));
    assert!(!style.body.contains("http://") && !style.body.contains("https://") && !style.body.contains("@import"));
}

/// no page answers to other origins' scripts.
#[actix_rt::test]
async fn pages_carry_no_cors_headers() {
    let server = Server::start().await;
    for path in ["/oauth/authorize", "/oauth/login", "/oauth/consent", "/oauth/logout", "/oauth/management"] {
        let request = server.http.get(format!("{}{path}", server.url)).header("origin", "https://evil.example");
        let answer = Answer::of(request).await;
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{path}");
    }
}
