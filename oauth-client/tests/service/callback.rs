//! Group E2 of the contract: what the authorization server sends the browser back with.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{AuthServer, Browser, World};

/// E-010: an absent or unknown state leads to a page with a button, and to no token request.
#[actix_rt::test]
async fn an_unknown_state_asks_to_sign_in_again() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    for wrong in ["/callback?code=x", "/callback?code=x&state=", "/callback?code=x&state=unknown", "/callback"] {
        let page = browser.get(wrong).await;
        page.shows(400, "Please sign in again");
        assert!(page.text.contains("<a class=\"button primary\" href=\"/login\">"), "{}", page.text);
    }
    assert_eq!(world.auth.state().exchanges, 0);
    assert_eq!(browser.get(&callback).await.status, 303, "the login itself is still good");
}

/// E-011, X-024: of 50 parallel callbacks with one state exactly one asks for tokens.
#[actix_rt::test]
async fn one_state_makes_one_token_request_however_often_it_comes() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    let answers = join_all((0..50).map(|_| {
        let (mut browser, callback) = (browser.clone(), callback.clone());
        async move { browser.get(&callback).await.status }
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [303, 400].contains(status)), "{answers:?}");
    assert_eq!(world.auth.state().exchanges, 1);
    browser.get(&callback).await.shows(400, "Please sign in again");
}

/// E-011: a state is used up even by a callback that is refused for something else.
#[actix_rt::test]
async fn a_refused_callback_uses_its_state_up() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    browser.get(&format!("{callback}&code=another")).await.shows(400, "This sign-in was stopped");
    browser.get(&callback).await.shows(400, "Please sign in again");
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-012: iss must be the issuer, and present where the metadata promises it; for errors, too.
#[actix_rt::test]
async fn a_wrong_or_missing_iss_is_refused() {
    let world = World::start().await;
    let issuer = world.auth.issuer.clone();
    for iss in [None, Some("http://evil.test".to_owned()), Some(format!("{issuer}/"))] {
        for error in [None, Some("access_denied")] {
            {
                let mut state = world.auth.state();
                (state.iss, state.authorize_error) = (Some(iss.clone()), error);
            }
            let mut browser = world.browser();
            let callback = browser.authorize("/login").await;
            browser.get(&callback).await.shows(400, "This sign-in was stopped");
        }
    }
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-012: without the promise a missing iss is fine, a wrong one is not.
#[actix_rt::test]
async fn iss_may_be_missing_where_it_is_not_promised() {
    let auth = AuthServer::start().await;
    auth.state().metadata.insert("authorization_response_iss_parameter_supported", json!(false));
    auth.state().iss = Some(None);
    let world = World::beside(auth, |_| {}).await;
    world.browser().sign_in().await;
    world.auth.state().iss = Some(Some("http://evil.test".to_owned()));
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    assert_eq!(browser.get(&callback).await.status, 400);
}

/// E-013: a login that was begun at another issuer is not finished at this one.
#[actix_rt::test]
async fn a_login_of_another_issuer_is_not_finished_here() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    let other = AuthServer::start().await;
    let mut config = world.config.clone();
    config.issuer.clone_from(&other.issuer);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let _twin = oauth_client::start(config, listener).await.unwrap();
    let mut moved = Browser::new(&address);
    moved.cookies = browser.cookies.clone();
    moved.get(&callback).await.shows(400, "Please sign in again");
    assert_eq!((world.auth.state().exchanges, other.state().exchanges), (0, 0));
}

/// E-014, X-010: repeated parameters, and a code beside an error, are refused.
#[actix_rt::test]
async fn ambiguous_callbacks_are_refused() {
    let world = World::start().await;
    for more in ["&code=a", "&iss=x", "&error=access_denied", "&error=a&error=b"] {
        let mut browser = world.browser();
        let callback = browser.authorize("/login").await;
        browser.get(&format!("{callback}{more}")).await.shows(400, "This sign-in was stopped");
    }
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    browser.get(&format!("{callback}&state=b")).await.shows(400, "This sign-in was stopped");
    let state = callback.split(['?', '&']).find(|part| part.starts_with("state=")).unwrap();
    let iss = shared::form::encode(&world.auth.issuer);
    browser.get(&format!("/callback?{state}&iss={iss}")).await.shows(400, "This sign-in was stopped");
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-015: denied consent gets a friendly page with a way to try again.
#[actix_rt::test]
async fn denied_consent_can_be_tried_again() {
    let world = World::start().await;
    world.auth.state().authorize_error = Some("access_denied");
    let mut browser = world.browser();
    let callback = browser.authorize("/login?target=/data/people").await;
    let page = browser.get(&callback).await;
    page.shows(403, "You did not allow access");
    assert!(page.text.contains("href=\"/login?target=%2Fdata%2Fpeople\">Try again"), "{}", page.text);
    assert_eq!(world.auth.state().exchanges, 0);
}

/// E-015: other errors show the request id and never the raw description.
#[actix_rt::test]
async fn other_errors_show_the_request_id_and_nothing_raw() {
    let world = World::start().await;
    for (error, status) in [
        ("invalid_scope", 500),
        ("unauthorized_client", 500),
        ("%3Cimg%20src%3Dx%3E", 500),
        ("server_error", 503),
        ("temporarily_unavailable", 503),
    ] {
        world.auth.state().authorize_error = Some(error);
        let mut browser = world.browser();
        let callback = browser.authorize("/login").await;
        let page = browser.get(&callback).await;
        assert_eq!(page.status, status, "{error}: {}", page.text);
        assert!(page.text.contains(page.header("x-request-id")) && !page.header("x-request-id").is_empty());
        assert!(!page.text.contains("alert(1)") && !page.text.contains("img src"), "{}", page.text);
    }
}

/// E-016: the exchange is not repeated, whatever it answers, and waits at most 10 seconds.
#[actix_rt::test]
async fn a_failed_exchange_is_not_repeated() {
    let world = World::start().await;
    for (answer, status, text) in [
        ((500, json!({})), 503, "Sign-in is not available right now"),
        ((429, json!({})), 503, "Sign-in is not available right now"),
        ((400, json!({"error": "invalid_grant"})), 400, "Please sign in again"),
        ((401, json!({"error": "invalid_client"})), 500, "This app is not set up correctly"),
        ((400, json!("no error object")), 502, "You could not be signed in"),
    ] {
        world.auth.state().token_answer = Some(answer);
        world.auth.state().exchanges = 0;
        let mut browser = world.browser();
        let callback = browser.authorize("/login?target=/data/people").await;
        browser.get(&callback).await.shows(status, text);
        browser.get(&callback).await.shows(400, "Please sign in again");
        assert_eq!(world.auth.state().exchanges, 1);
        assert!(!browser.cookies.contains_key("sid"));
    }
}

/// E-016: the exchange waits at most 10 seconds.
#[actix_rt::test]
async fn an_exchange_that_hangs_is_given_up_after_ten_seconds() {
    let world = World::start().await;
    world.auth.state().token_delay = std::time::Duration::from_secs(30);
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    let start = std::time::Instant::now();
    browser.get(&callback).await.shows(503, "Sign-in is not available right now");
    // Well before the server's own answer.
    assert!((9_500..25_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(world.auth.state().exchanges, 1);
}

/// E-017: what is no token answer signs nobody in.
#[actix_rt::test]
async fn an_unusable_token_answer_signs_nobody_in() {
    let world = World::start().await;
    for answer in [
        json!({"token_type": "Bearer"}),
        json!({"access_token": "", "token_type": "Bearer"}),
        json!({"access_token": "a", "token_type": "mac"}),
        json!({"access_token": "a", "token_type": "Bearer", "expires_in": 0}),
        json!({"access_token": "a", "token_type": "Bearer", "expires_in": -5}),
        json!(["a"]),
    ] {
        world.auth.state().token_answer = Some((200, answer));
        let mut browser = world.browser();
        let callback = browser.authorize("/login").await;
        browser.get(&callback).await.shows(502, "You could not be signed in");
        assert!(!browser.cookies.contains_key("sid"));
    }
}

/// E-017: fewer scopes than asked for are named, and one can go on without.
#[actix_rt::test]
async fn missing_scopes_are_explained() {
    let world = World::start().await;
    world.auth.state().scope = Some("people:read".to_owned());
    let mut browser = world.browser();
    let callback = browser.authorize("/login?target=/data/people?page=2").await;
    let done = browser.get(&callback).await;
    assert_eq!(done.location(), "/missing-scope?target=%2Fdata%2Fpeople%3Fpage%3D2");
    let page = browser.get(done.location()).await;
    page.shows(403, "people:write");
    assert!(page.text.contains("countries:read") && !page.text.contains(">people:read<"));
    assert!(page.text.contains("href=\"/data/people?page=2\">Go on without"), "{}", page.text);
    browser.get("/data/people").await.shows(200, "Person 1");
}

/// E-019, E-033, E-034: a new session under a new id, the pre-login session gone, and the code out of the address.
#[actix_rt::test]
async fn signing_in_makes_a_new_session_and_leaves_the_callback() {
    let world = World::start().await;
    let mut browser = world.browser();
    browser.cookies.insert("sid".to_owned(), "ses_planted".to_owned());
    let callback = browser.authorize("/login?target=/data/people").await;
    let before = browser.cookies.clone();
    let done = browser.get(&callback).await;
    assert_eq!((done.status, done.location()), (303, "/data/people"));
    let first = browser.cookies["sid"].clone();
    assert!(first != "ses_planted" && first != before["login"]);
    assert!(!browser.cookies.contains_key("login"));
    let mut old = world.browser();
    old.cookies = before;
    assert_eq!(old.get("/data/people").await.status, 303, "the pre-login cookie signs nobody in");
    // Signing in again rotates the id; the old one is dead at once, and its tokens are taken back.
    browser.sign_in().await;
    assert_ne!(browser.cookies["sid"], first);
    let mut old = world.browser();
    old.cookies.insert("sid".to_owned(), first);
    assert!(old.get("/data/people").await.location().starts_with("/login"));
}

/// E-020: the callback answers GET only, is not kept, and tells nobody its address.
#[actix_rt::test]
async fn the_callback_is_get_only_and_leaves_no_trace() {
    let world = World::start().await;
    let mut browser = world.browser();
    let callback = browser.authorize("/login").await;
    for method in [reqwest::Method::POST, reqwest::Method::HEAD, reqwest::Method::PUT] {
        let page = browser.send(method, &callback, None).await;
        assert_eq!((page.status, page.header("allow")), (405, "GET"));
    }
    let refused = browser.get("/callback?state=x&code=y").await;
    let done = browser.get(&callback).await;
    for page in [refused, done] {
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        for outside in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "<script"] {
            assert!(!page.text.contains(outside), "{}", page.text);
        }
    }
}
