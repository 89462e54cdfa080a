//! The console at /management.

use serde_json::Value;

use crate::support::{Answer, Browser, PASSWORD, Person, Server, hidden};
use crate::{is_error_page, is_page};

const PAGES: [&str; 11] = [
    "",
    "/users",
    "/users/new",
    "/clients",
    "/clients/new",
    "/roles",
    "/scopes",
    "/scopes/new",
    "/audit",
    "/grants?user=u_1",
    "/audit?kind=started",
];

pub async fn admin(server: &Server) -> Person {
    server.user_with("root", PASSWORD, &["admin"]).await
}

pub async fn signed_in(person: &Person) -> Browser {
    let browser = person.browser();
    browser.sign_in(person).await;
    browser
}

/// What a page shows this once.
pub fn secrets_in(page: &Answer) -> Vec<String> {
    let parts = page.body.split("class=\"secret\"").skip(1);
    parts.map(|part| part.split_once('>').unwrap().1.split('<').next().unwrap().to_owned()).collect()
}

async fn submit(browser: &Browser, list: &str, form: &[(&str, &str)]) -> Answer {
    let csrf = hidden(&browser.get(&format!("/oauth/management/{list}/new")).await.body, "csrf");
    browser.post(&format!("/oauth/management/{list}"), &[form, &[("csrf", csrf.as_str())]].concat()).await
}

/// H-001: strangers are led over the login page and back, others are told that it is not theirs.
#[actix_rt::test]
async fn the_console_is_for_admins() {
    let server = Server::start().await;
    let (alice, root) = (server.user("alice").await, admin(&server).await);
    let users = signed_in(&alice).await;
    for page in PAGES {
        let path = format!("/oauth/management{page}");
        let mark = if path.contains('?') { "&" } else { "?" };
        let stranger = server.get(&format!("{path}{mark}q=a")).await;
        assert_eq!(stranger.status, 303);
        let expected = format!("/oauth/login?next={}", crate::support::encode(&format!("{path}{mark}q=a")));
        assert_eq!(stranger.header("location"), expected);
        let refused = users.get(&path).await;
        is_error_page(&refused, 403);
        assert!(refused.body.contains("Sign out to use another account"), "{}", refused.body);
    }
    let browser = root.browser();
    let login = browser.get("/oauth/login?next=/oauth/management/users").await;
    let form = [
        ("csrf", hidden(&login.body, "csrf")),
        ("next", "/oauth/management/users".to_owned()),
        ("username", root.username.clone()),
        ("password", root.password.clone()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let back = browser.post("/oauth/login", &form).await;
    assert_eq!(back.header("location"), "/oauth/management/users");
    for page in PAGES {
        let answer = browser.get(&format!("/oauth/management{page}")).await;
        is_page(&answer, 200);
        assert!(answer.body.contains("aria-current=\"page\"") && answer.body.contains("root"), "{}", answer.body);
    }
}

/// F-063: the export holds what the filter finds, a JSON object a line.
#[actix_rt::test]
async fn the_audit_log_is_exported_as_it_is_filtered() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    browser.get("/oauth/management/users").await;
    let kinds = async |query: &str| {
        let answer = browser.get(&format!("/oauth/management/audit/export{query}")).await;
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let of = |line: &str| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned();
        answer.body.lines().map(of).collect::<Vec<_>>()
    };
    assert!(kinds("").await.len() > 2);
    assert_eq!(kinds("?kind=login_succeeded").await, ["login_succeeded"]);
    assert_eq!(kinds("?kind=login_succeeded&ip=192.0.2.1").await, Vec::<String>::new());
}

/// F-063, G-001: a filter that can't be read is told at its field; a field of days never holds what is none, which browsers
/// complain of.
#[actix_rt::test]
async fn a_filter_of_the_audit_log_that_can_not_be_read_is_told() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    for (query, told) in [
        ("from=2026-13-01", "&quot;2026-13-01&quot; is no day, such as 2026-01-31"),
        ("to=2026-01-01T10%3A00", "is no day"),
        ("ip=localhost", "is no IP address"),
        ("kind=magic", "choose one of the list"),
    ] {
        let page = browser.get(&format!("/oauth/management/audit?{query}")).await;
        is_page(&page, 400);
        assert!(page.body.contains(told) && page.body.contains("Nothing was searched"), "{query}: {}", page.body);
        assert!(page.body.contains("Show all"), "a way back");
        for day in ["from", "to"] {
            let field = page.body.split(&format!("name=\"{day}\"")).nth(1).unwrap().split('>').next().unwrap();
            assert!(field.contains("value=\"\""), "{field}");
        }
    }
    is_error_page(&browser.get("/oauth/management/audit/export?ip=localhost").await, 404);
    let page = browser.get("/oauth/management/audit?from=2026-01-31").await;
    is_page(&page, 200);
    assert!(page.body.contains("value=\"2026-01-31\""));
}

/// H-001, A-054: posts by strangers, by users without the role and without the form's token change nothing.
#[actix_rt::test]
async fn only_an_admins_own_form_changes_anything() {
    let server = Server::start().await;
    let (alice, root) = (server.user("alice").await, admin(&server).await);
    let (users, admins) = (signed_in(&alice).await, signed_in(&root).await);
    let form = [("username", "mallory"), ("password", PASSWORD), ("roles", "admin")];
    is_error_page(&server.post("/management/users", &form).await, 403);
    let csrf = hidden(&users.get("/oauth/logout").await.body, "csrf");
    is_error_page(&users.post("/oauth/management/users", &[&form[..], &[("csrf", &csrf)]].concat()).await, 403);
    is_error_page(&admins.post("/oauth/management/users", &form).await, 403);
    is_error_page(&admins.post("/oauth/management/users", &[&form[..], &[("csrf", &csrf)]].concat()).await, 403);
    assert!(server.app.users.find_by_username("mallory").await.unwrap().is_none());
}

/// H-004, F-014: a user is created with a generated one-time password, shown once.
#[actix_rt::test]
async fn a_user_is_created_with_a_generated_password() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    let created =
        submit(&browser, "users", &[("username", "bob"), ("roles", "editor"), ("more_roles", "viewer editor")]).await;
    is_page(&created, 201);
    let password = secrets_in(&created).remove(0);
    assert!(password.len() >= 22, "{password}");
    let bob = server.app.users.find_by_username("bob").await.unwrap().unwrap();
    assert_eq!((bob.roles, bob.must_change), (vec!["editor".to_owned(), "viewer".to_owned()], true));
    let mut person = server.user("carol").await;
    (person.username, person.password) = ("bob".to_owned(), password.clone());
    let answer = person.browser().sign_in(&person).await;
    assert!(answer.header("location").starts_with("/oauth/account/password"), "{}", answer.header("location"));
    assert!(!browser.get("/oauth/management/users").await.body.contains(&password));
}

/// H-004: what is wrong is told by field, and what was typed stays.
#[actix_rt::test]
async fn a_refused_user_form_keeps_what_was_typed() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    for (form, field) in [
        ([("username", "root"), ("roles", "manager"), ("more_roles", "a b")], "username"),
        ([("username", "root2"), ("roles", "manager"), ("more_roles", "ok b<d")], "more_roles"),
        ([("username", ""), ("roles", "manager"), ("more_roles", "a b")], "username"),
    ] {
        let answer = submit(&browser, "users", &form).await;
        is_page(&answer, 400);
        assert!(answer.body.contains(&format!("id=\"{field}-error\"")), "{}", answer.body);
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("aria-invalid=\"true\""));
        let roles = form[2].1.replace('<', "&lt;");
        assert!(answer.body.contains(&format!("value=\"{roles}\"")), "{}", answer.body);
        assert!(answer.body.contains("name=\"roles\" value=\"manager\" checked"), "{}", answer.body);
    }
    assert!(server.app.users.find_by_username("root2").await.unwrap().is_none());
}

/// H-005, B-030: a client made in the console gets a token with the secret that was shown once.
#[actix_rt::test]
async fn a_client_made_in_the_console_works() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    let form = [
        ("client_name", "Robot"),
        ("grant_types", "client_credentials"),
        ("scope", "read  write"),
        ("default_scope", "read"),
        ("flags", "require_pkce"),
        ("flags", "rotate_refresh_tokens"),
    ];
    let created = submit(&browser, "clients", &form).await;
    is_page(&created, 201);
    let shown = secrets_in(&created);
    let [id, secret] = shown.as_slice() else { panic!("{shown:?}") };
    let token = [("grant_type", "client_credentials")];
    let request =
        server.http.post(server.endpoint("/token")).header("authorization", crate::support::basic(id, secret));
    let tokens = Answer::of(request.form(&token)).await.tokens();
    assert_eq!(tokens.scope, "read");
    let list = browser.get("/oauth/management/clients").await;
    assert!(list.body.contains(id.as_str()) && !list.body.contains(secret.as_str()), "{}", list.body);
}

/// H-005: every field's fault stands at its field, and everything typed stays.
#[actix_rt::test]
async fn a_refused_client_form_keeps_what_was_typed() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    let form = [
        ("client_name", "Ev\u{200b}il"),
        ("client_uri", "ftp://x"),
        ("grant_types", "authorization_code"),
        ("redirect_uris", "http://shop.example/cb\nhttps://shop.example/ok"),
        ("scope", "read nothing"),
        ("default_scope", "write"),
        ("resources", "not-absolute"),
        ("access_ttl", "90000"),
        ("flags", "require_pkce"),
        ("flags", "rotate_refresh_tokens"),
    ];
    let answer = submit(&browser, "clients", &form).await;
    is_page(&answer, 400);
    for field in ["client_name", "client_uri", "redirect_uris", "scope", "default_scope", "resources", "access_ttl"] {
        assert!(answer.body.contains(&format!("id=\"{field}-error\"")), "{field}: {}", answer.body);
    }
    for kept in ["ftp:&#x2f;&#x2f;x", "https:&#x2f;&#x2f;shop.example&#x2f;ok", "read nothing", "not-absolute"] {
        assert!(answer.body.contains(kept), "{kept}: {}", answer.body);
    }
    let unreadable =
        submit(&browser, "clients", &[("client_name", "A"), ("access_ttl", "soon"), ("scope", "a\"b")]).await;
    is_page(&unreadable, 400);
    assert!(unreadable.body.contains("must be a number of seconds") && unreadable.body.contains("scope-error"));
    assert!(!browser.get("/oauth/management/clients").await.body.contains("<tbody>"), "nothing was created");
}

/// H-006: settings that weaken a client are named and need a confirmation.
#[actix_rt::test]
async fn weak_settings_need_a_confirmation() {
    let server = Server::start().await;
    let browser = signed_in(&admin(&server).await).await;
    let form = [
        ("client_name", "Old"),
        ("grant_types", "authorization_code"),
        ("redirect_uris", "https://old.example/cb"),
        ("scope", "read"),
        ("access_ttl", "86400"),
    ];
    let asked = submit(&browser, "clients", &form).await;
    is_page(&asked, 400);
    for weakness in ["no PKCE", "no rotation", "long-lived tokens"] {
        assert!(asked.body.contains(weakness), "{}", asked.body);
    }
    let confirmed = submit(&browser, "clients", &[&form[..], &[("confirm", "yes")]].concat()).await;
    is_page(&confirmed, 201);
    let list = browser.get("/oauth/management/clients").await;
    assert!(list.body.contains("no PKCE") && list.body.contains("Old"), "{}", list.body);
}

/// H-003: lists are paged and searchable; no page ever shows a hash or secret.
#[actix_rt::test]
async fn lists_are_paged_and_searchable_and_show_no_secrets() {
    let server = Server::start().await;
    let root = admin(&server).await;
    for number in 0..60 {
        server
            .user_with_hash(
                &format!("user-{number:02}"),
                "$2b$04$WApznUOJfkEGSmYRfnkrPOr466oFDCaj4b6HY3EXGvfxm43seyhgC",
            )
            .await;
        let name = format!("Client {number:02}");
        server.client(serde_json::json!({"client_name": name})).await;
    }
    let browser = signed_in(&root).await;
    for (list, entry, all) in [("users", "user-", 61), ("clients", "Client ", 60)] {
        let mut seen = Vec::new();
        let mut path = format!("/oauth/management/{list}");
        for _ in 0..5 {
            let page = browser.get(&path).await;
            is_page(&page, 200);
            assert!(!page.body.contains("$2b$") && !page.body.contains("argon2") && !page.body.contains("sha256"));
            let rows = rows(&page.body);
            assert!(rows.len() <= 25);
            seen.extend(rows);
            let Some(next) = page.body.split("rel=\"next\" href=\"").nth(1) else { break };
            path = next.split('"').next().unwrap().replace("&#x2f;", "/").replace("&amp;", "&");
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (all, all), "{list}");
        let found =
            browser.get(&format!("/oauth/management/{list}?q={}", crate::support::encode(&entry.to_uppercase()))).await;
        assert!(found.body.contains("rel=\"next\"") && found.body.contains(&format!("{entry}00")));
        let one =
            browser.get(&format!("/oauth/management/{list}?q={}", crate::support::encode(&format!("{entry}42")))).await;
        assert_eq!(rows(&one.body).len(), 1);
        let none = browser.get(&format!("/oauth/management/{list}?q=%3Cb%3E")).await;
        assert!(none.body.contains("&lt;b&gt;") && none.body.contains("Show all"), "{}", none.body);
    }
}

/// The first cell of each row.
fn rows(page: &str) -> Vec<String> {
    let cells = page.split("role=\"rowheader\"><a href=\"").skip(1);
    cells.map(|cell| cell.split_once('>').unwrap().1.split('<').next().unwrap().to_owned()).collect()
}

/// B-061: the console warns of a server that lets apps see passwords.
#[actix_rt::test]
async fn the_overview_warns_of_the_password_grant() {
    let server = Server::with("password_grant = true").await;
    let browser = signed_in(&admin(&server).await).await;
    assert!(browser.get("/oauth/management").await.body.contains("password grant is switched on"));
}
