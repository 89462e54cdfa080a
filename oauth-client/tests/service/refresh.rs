//! Group E4 of the contract: keeping the access token usable.

use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use futures_util::future::join_all;
use serde_json::json;
use shared::store::servers::{Life, in_time};

use crate::support::{Browser, World};

/// Signed in with a token that is due and over.
async fn expired(world: &World) -> Browser {
    world.auth.state().expires_in = Some(1);
    let browser = world.signed_in().await;
    world.auth.state().expires_in = None;
    sleep(Duration::from_millis(2050)).await;
    browser
}

/// E-040, E-043: refreshed before the call, and the new pair serves from then on.
#[actix_rt::test]
async fn an_old_token_is_refreshed_before_the_call() {
    let world = World::start().await;
    let mut browser = expired(&world).await;
    world.auth.expire_access_tokens();
    for _ in 0..3 {
        browser.get("/data/people").await.shows(200, "Person 1");
    }
    assert_eq!(world.auth.state().refreshes, 1);
    let valid = world.auth.state().access_tokens.clone();
    assert!(world.api.state().tokens.iter().all(|token| valid.contains(token)), "no call went out with the old token");
}

/// E-043: a refresh token that is returned replaces the old one, and none leaves it.
#[actix_rt::test]
async fn refresh_tokens_rotate_or_stay() {
    for stays in [false, true] {
        let world = World::start().await;
        world.auth.state().keep_refresh_token = stays;
        let mut browser = world.signed_in().await;
        for round in 1..=3 {
            world.auth.expire_access_tokens();
            browser.get("/data/people").await.shows(200, "Person 1");
            assert_eq!(world.auth.state().refreshes, round, "stays: {stays}");
        }
    }
}

/// E-041, E-042: 50 parallel calls at expiry, over two processes, make one refresh.
#[actix_rt::test]
async fn fifty_calls_at_expiry_make_one_refresh() {
    let world = World::start().await;
    let (_twin, other) = world.twin().await;
    let browser = expired(&world).await;
    world.auth.expire_access_tokens();
    world.auth.state().token_delay = Duration::from_millis(300);
    let answers = join_all((0..50).map(|number| {
        let mut tab = if number % 2 == 0 { browser.clone() } else { Browser::new(&other) };
        tab.cookies.clone_from(&browser.cookies);
        async move { tab.get("/data/people/p1").await.status }
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(world.auth.state().refreshes, 1);
}

/// E-044: 401 invalid_token leads to one forced refresh and one retry, then it is given up.
#[actix_rt::test]
async fn a_refused_token_is_refreshed_once_and_then_given_up() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    world.auth.expire_access_tokens();
    browser.get("/data/people/p1").await.shows(200, "Person 1");
    assert_eq!(world.auth.state().refreshes, 1);
    let challenge = "Bearer error=\"invalid_token\"".to_owned();
    world.api.state().refuse = Some((401, vec![("www-authenticate", challenge)]));
    world.api.state().requests = 0;
    let page = browser.get("/data/people/p1").await;
    page.shows(502, "The API does not accept your sign-in");
    assert!(page.text.contains("href=\"/login?target=%2Fdata%2Fpeople%2Fp1\">Sign in again"), "{}", page.text);
    assert_eq!((world.auth.state().refreshes, world.api.state().requests), (2, 2));
}

/// E-044: a server that gives the refused token again is not asked for ever.
#[actix_rt::test]
async fn the_same_token_again_is_not_tried_for_ever() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let same = world.auth.state().access_tokens.iter().next().unwrap().clone();
    world.auth.expire_access_tokens();
    let answer = json!({"access_token": same, "token_type": "Bearer", "expires_in": 900});
    world.auth.state().refresh_answer = Some((200, answer));
    browser.get("/data/people").await.shows(503, "Sign-in is not available right now");
    assert_eq!(world.auth.state().refreshes, 1);
}

/// E-044: 403, and 401 without a reason, cause no refresh.
#[actix_rt::test]
async fn other_refusals_cause_no_refresh() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let scope = "Bearer error=\"insufficient_scope\", scope=\"people:read people:secret\"".to_owned();
    for (refusal, status, text) in [
        ((403, vec![("www-authenticate", scope)]), 403, "people:secret"),
        ((403, vec![]), 403, "You may not do this"),
        ((401, vec![]), 502, "does not accept"),
        ((401, vec![("www-authenticate", "Bearer realm=\"x\"".to_owned())]), 502, "does not accept"),
    ] {
        world.api.state().refuse = Some(refusal);
        browser.get("/data/people").await.shows(status, text);
    }
    assert_eq!(world.auth.state().refreshes, 0);
    world.api.state().refuse = None;
    browser.get("/data/people").await.shows(200, "Person 1");
}

/// E-045: while the authorization server fails, the token serves until its end; then one is told, stays signed in, and the
/// server is not flooded.
#[actix_rt::test]
async fn a_failing_refresh_keeps_one_signed_in() {
    let second = Duration::from_secs(1);
    in_time(6 * second, async |length| {
        let world = World::start().await;
        world.auth.state().expires_in = Some(length.as_secs());
        // Tokens end at a whole second.
        let life = Life::of(length - second);
        let mut browser = world.signed_in().await;
        world.auth.state().refresh_answer = Some((503, json!({})));
        // The first try falls into the last fifth of the token's life.
        while world.auth.state().refreshes == 0 {
            let page = browser.get("/data/people").await;
            if life.lasts() {
                page.shows(200, "Person 1");
            } else if page.status != 200 {
                return None;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let failing = Instant::now();
        // In the last fifth of six seconds less than two are left.
        sleep(length / 3 + second / 5).await;
        for _ in 0..10 {
            let page = browser.get("/data/people").await;
            page.shows(503, "Sign-in is not available right now");
            assert!(page.header("retry-after").parse::<u64>().unwrap() >= 1);
        }
        // The pauses between tries are of two seconds at least.
        let most = 2 + failing.elapsed().as_secs() as usize / 2;
        assert!(world.auth.state().refreshes <= most, "{} in {:?}", world.auth.state().refreshes, failing.elapsed());
        world.auth.state().refresh_answer = None;
        let healing = Instant::now();
        while browser.get("/data/people").await.status != 200 {
            assert!(healing.elapsed() < 60 * second, "it did not heal");
            sleep(Duration::from_millis(200)).await;
        }
        Some(())
    })
    .await;
}

/// E-046: when the sign-in is over, a page leads to login and back, a script gets 401, and the session holds no tokens.
#[actix_rt::test]
async fn an_ended_sign_in_leads_to_login_and_back() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    world.auth.expire_access_tokens();
    world.auth.state().refresh_answer = Some((400, json!({"error": "invalid_grant"})));
    let page = browser.get("/data/people?sort=name&page=2").await;
    assert_eq!(page.status, 303);
    assert_eq!(page.location(), "/login?target=%2Fdata%2Fpeople%3Fsort%3Dname%26page%3D2");
    for headers in [vec![("sec-fetch-mode", "cors")], vec![("accept", "application/json")]] {
        let mut script = browser.clone();
        script.headers = headers;
        let answer = script.get("/data/people").await;
        assert_eq!((answer.status, answer.text.as_str()), (401, r#"{"error":"login_required"}"#));
    }
    browser.get("/").await.shows(200, "<a class=\"button primary\" href=\"/login\">Sign in</a>");
    assert_eq!(world.auth.state().refreshes, 1, "a dead refresh token is not tried again");
    let back = browser.authorize(page.location()).await;
    assert_eq!(browser.get(&back).await.location(), "/data/people?sort=name&page=2");
}

/// E-046: a posted form is kept over the new sign-in, and can be sent again.
#[actix_rt::test]
async fn a_form_survives_the_end_of_the_sign_in() {
    let world = World::start().await;
    for session_is_gone in [false, true] {
        let mut browser = world.signed_in().await;
        browser.headers = vec![("sec-fetch-site", "same-origin")];
        // Refreshed, the session still knows whose it is.
        world.auth.expire_access_tokens();
        let form = browser.get("/edit/people/p3").await;
        let person = form.hidden("person");
        let (csrf, etag, was) = (form.csrf(), form.hidden("etag"), form.hidden("was.name"));
        if session_is_gone {
            browser.cookies.insert("sid".to_owned(), "ses_of_yesterday".to_owned());
        } else {
            world.auth.expire_access_tokens();
            world.auth.state().refresh_answer = Some((400, json!({"error": "invalid_grant"})));
        }
        let entered = "Kept <b>\"text\"</b> & more";
        let person = ("person", person.as_str());
        let fields = [("csrf", csrf.as_str()), person, ("etag", &etag), ("text.name", entered), ("was.name", &was)];
        let page = browser.post("/edit/people/p3", &fields).await;
        page.shows(401, "Please sign in again");
        assert!(!page.text.contains("Kept"), "{}", page.text);
        assert!(world.api.state().writes.is_empty());
        world.auth.state().refresh_answer = None;
        let login = format!("/login?target={}&resume=1", shared::form::encode(&page.hidden("target")));
        let callback = browser.authorize(&login).await;
        let done = browser.get(&callback).await;
        assert_eq!(done.location(), "/edit/people/p3");
        let form = browser.get("/edit/people/p3").await;
        form.shows(200, "Kept &lt;b&gt;&quot;text&quot;&lt;/b&gt; &amp; more");
        form.shows(200, "what you entered was kept");
        let (csrf, was) = (form.csrf(), form.hidden("was.name"));
        let fields = [("csrf", csrf.as_str()), ("etag", &etag), ("text.name", entered), ("was.name", &was)];
        let saved = browser.post("/edit/people/p3", &fields).await;
        assert_eq!(saved.location(), "/data/people/p3?done=saved");
        let again = browser.get("/edit/people/p3").await;
        assert!(!again.text.contains("was kept"), "it is shown once");
        world.api.state().people[2] = crate::support::api::person("p3", "Person 3");
        world.api.state().writes.clear();
    }
}

/// Ada's form, posted after her sign-in ended and her session was gone; the way to sign in that its page offers.
async fn kept(world: &World) -> (Browser, String) {
    world.auth.state().person = Some("u_ada");
    let mut browser = world.signed_in().await;
    browser.headers = vec![("sec-fetch-site", "same-origin")];
    let person = browser.get("/edit/people/p3").await.hidden("person");
    browser.cookies.remove("sid");
    let page = browser.post("/edit/people/p3", &[("person", &person), ("text.name", "Kept")]).await;
    page.shows(401, "is kept");
    let login = format!("/login?target={}&resume=1", shared::form::encode(&page.hidden("target")));
    (browser, login)
}

/// E-046, E-048: a form is kept only for its own browser and only for the way that leads on from it.
#[actix_rt::test]
async fn a_kept_form_is_shown_to_nobody_else() {
    let world = World::start().await;
    let (mut browser, _) = kept(&world).await;
    // Another sign-in in the same browser, not by that page's button, does not bring it up.
    browser.sign_in().await;
    let form = browser.get("/edit/people/p3").await;
    assert!(!form.text.contains("Kept"));
    // A foreign site, or a client that does not say where the form comes from, can keep nothing; nor can a form of nobody.
    let person = form.hidden("person");
    for (headers, person) in [
        (vec![("sec-fetch-site", "cross-site")], person.as_str()),
        (vec![], person.as_str()),
        (vec![("sec-fetch-site", "same-origin")], ""),
        (vec![("sec-fetch-site", "same-origin")], "u_ada"),
    ] {
        let mut stranger = world.browser();
        stranger.headers = headers;
        let page = stranger.post("/edit/people/p3", &[("person", person), ("text.name", "planted")]).await;
        assert!([401, 403].contains(&page.status) && !stranger.cookies.contains_key("login"), "{}", page.text);
    }
}

/// E-048: whoever signs in next, if it is another person or nobody can tell, is not shown the form, nor led to its page.
#[actix_rt::test]
async fn another_person_gets_neither_the_kept_form_nor_its_target() {
    let world = World::start().await;
    for (next, resumes, target) in
        [(Some("u_bob"), true, "/"), (Some("u_bob"), false, "/"), (None, true, "/edit/people/p3")]
    {
        let (mut browser, login) = kept(&world).await;
        world.auth.state().person = next;
        let callback = browser.authorize(if resumes { &login } else { "/login" }).await;
        assert_eq!(browser.get(&callback).await.location(), target, "{next:?}");
        let form = browser.get("/edit/people/p3").await;
        assert!(form.status == 200 && !form.text.contains("Kept"), "{next:?}");
        // It is discarded, not put by.
        world.auth.state().person = Some("u_ada");
        let callback = browser.authorize(&login).await;
        browser.get(&callback).await;
        let form = browser.get("/edit/people/p3").await;
        assert!(form.status == 200 && !form.text.contains("Kept"), "{next:?}");
    }
}

/// E-048: where one person's sign-in ended, the next person is not led.
#[actix_rt::test]
async fn another_person_is_not_led_where_the_last_one_was() {
    let world = World::start().await;
    for (next, target) in [("u_ada", "/data/people?page=2"), ("u_bob", "/")] {
        world.auth.state().person = Some("u_ada");
        let mut browser = world.signed_in().await;
        world.auth.expire_access_tokens();
        world.auth.state().refresh_answer = Some((400, json!({"error": "invalid_grant"})));
        let page = browser.get("/data/people?page=2").await;
        world.auth.state().refresh_answer = None;
        world.auth.state().person = Some(next);
        let callback = browser.authorize(page.location()).await;
        assert_eq!(browser.get(&callback).await.location(), target, "{next}");
    }
}

/// E-048: where the authorization server does not say who signs in, no form is kept, and the page says what to do.
#[actix_rt::test]
async fn forms_of_unknown_people_are_not_kept() {
    let world = World::start().await;
    world.auth.state().person = None;
    let mut browser = world.signed_in().await;
    browser.headers = vec![("sec-fetch-site", "same-origin")];
    let form = browser.get("/edit/people/p3").await;
    assert!(!form.text.contains("name=\"person\""));
    world.auth.expire_access_tokens();
    world.auth.state().refresh_answer = Some((400, json!({"error": "invalid_grant"})));
    let page = browser.post("/edit/people/p3", &[("csrf", &form.csrf()), ("text.name", "Lost")]).await;
    page.shows(401, "Back button leads to what you entered");
    assert!(!browser.cookies.contains_key("login"));
}

/// E-046: a script's post gets 401 in JSON, too, with a session or without, and nothing is kept for it.
#[actix_rt::test]
async fn a_script_that_posts_is_told_to_log_in() {
    let world = World::start().await;
    let mut ended = world.signed_in().await;
    let csrf = ended.get("/new/people").await.csrf();
    world.auth.expire_access_tokens();
    world.auth.state().refresh_answer = Some((400, json!({"error": "invalid_grant"})));
    for mut script in [ended, world.browser()] {
        for header in [("sec-fetch-mode", "cors"), ("accept", "application/json")] {
            script.headers = vec![("sec-fetch-site", "same-origin"), header];
            for path in ["/new/people", "/edit/people/p1", "/delete/people/p1"] {
                let answer = script.post(path, &[("csrf", &csrf), ("text.name", "Ada")]).await;
                assert_eq!((answer.status, answer.text.as_str()), (401, r#"{"error":"login_required"}"#), "{path}");
                assert!(!script.cookies.contains_key("login"), "{path}");
            }
        }
    }
    assert!(world.api.state().writes.is_empty());
}

/// E-047: a client that is refused itself is a configuration fault; nobody is signed out for it.
#[actix_rt::test]
async fn an_invalid_client_is_a_configuration_fault() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    world.auth.expire_access_tokens();
    world.auth.state().refresh_answer = Some((401, json!({"error": "invalid_client"})));
    browser.get("/data/people").await.shows(500, "This app is not set up correctly");
    world.auth.state().refresh_answer = None;
    browser.get("/data/people").await.shows(200, "Person 1");
}

/// E-061: a refresh that ends after a sign-out brings nothing back, and its pair is taken back.
#[actix_rt::test]
async fn a_refresh_in_flight_does_not_undo_a_sign_out() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let csrf = browser.get("/").await.csrf();
    world.auth.expire_access_tokens();
    world.auth.state().holds_tokens = true;
    let mut other = browser.clone();
    let (page, ()) = futures_util::future::join(other.get("/data/people"), async {
        world.auth.until(|state| state.refreshes == 1).await;
        let out = browser.post("/logout", &[("csrf", &csrf)]).await;
        assert_eq!(out.location(), "/signed-out");
        world.auth.state().holds_tokens = false;
    })
    .await;
    assert!(page.location().starts_with("/login"), "{} {}", page.status, page.text);
    assert!(other.get("/data/people").await.location().starts_with("/login"));
    assert!(world.auth.state().access_tokens.is_empty(), "the new pair was taken back, too");
}

/// X-024: the lock of a process that died in the middle of a refresh does not last for ever, and the token serves meanwhile.
#[actix_rt::test]
async fn a_foreign_lock_costs_patience_and_nothing_else() {
    let world = World::start().await;
    let mut browser = world.signed_in().await;
    let store = shared::expiring::open(&world.config.store, "oauth_client").await.unwrap();
    let length = Duration::from_secs(2);
    let lock = shared::expiring::Expiring::<String>::new(store, "refresh-lock", length);
    let locked = Life::of(length);
    assert!(lock.insert(&browser.cookies["sid"], &"somebody".to_owned(), Vec::new()).await.unwrap());
    browser.get("/data/people").await.shows(200, "Person 1");
    world.auth.expire_access_tokens();
    browser.get("/data/people").await.shows(200, "Person 1");
    assert!(!locked.lasts() && world.auth.state().refreshes == 1);
}
