//! Requests that wait for a person: bound to a browser, several at a time, answered once.

use std::time::Duration;

use shared::store::servers::{Life, in_time};

use crate::support::{CALLBACK, Server, hidden};
use crate::{HOME, answered, asking, authorize_path, decide, fill_in, follow, is_error_page, open, to_consent};

/// pages carry an id, never the request's parameters.
#[actix_rt::test]
async fn pages_carry_only_the_id_of_the_request() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let login = open(&browser, &client, &[("state", "secret-state")]).await;
    let consent = follow(&browser, fill_in(&browser, &login, &alice.username, &alice.password).await).await;
    for page in [&login, &consent] {
        assert!(hidden(&page.body, "tx").starts_with("tx_"));
        for part in ["secret-state", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", CALLBACK, client.id.as_str()] {
            assert!(!page.body.contains(part), "{part} stands in {}", page.body);
        }
    }
}

/// in another browser, unknown or expired, the page leads back to the client where it is known.
#[actix_rt::test]
async fn a_transaction_is_bound_to_its_browser_and_its_time() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let (alice, mallory) = (server.user("alice").await, server.user("mallory").await);
    let browser = alice.browser();
    let login = open(&browser, &client, &[]).await;
    let tx = hidden(&login.body, "tx");
    let other = mallory.browser();
    other.sign_in(&mallory).await;
    for page in ["login", "consent", "authorize/continue"] {
        let answer = other.get(&format!("/oauth/{page}?tx={tx}")).await;
        is_error_page(&answer, 400);
        assert!(answer.body.contains(&format!("href=\"{}\"", HOME.replace('/', "&#x2f;"))), "{}", answer.body);
        assert!(answer.body.contains("Start again at Shop"), "{}", answer.body);
        let unknown = browser.get(&format!("/oauth/{page}?tx=tx_unknown")).await;
        is_error_page(&unknown, 400);
    }
    is_error_page(&browser.get("/oauth/authorize/continue").await, 400);
    let page = follow(&browser, fill_in(&browser, &login, &alice.username, &alice.password).await).await;
    assert!(answered(&decide(&browser, &page, "allow").await).contains_key("code"), "the owner was not disturbed");
}

/// the time of a transaction ends.
#[actix_rt::test]
async fn an_expired_transaction_is_a_page_with_a_way_on() {
    in_time(Duration::from_secs(1), async |length| {
        let server = Server::with(&format!("lifetimes = {{ transaction = {} }}", length.as_secs())).await;
        let client = asking(&server).await;
        let alice = server.user("alice").await;
        let (browser, life) = (alice.browser(), Life::of(length));
        let login = open(&browser, &client, &[]).await;
        if !life.lasts() {
            return None;
        }
        life.ends(Duration::from_millis(100)).await;
        is_error_page(&fill_in(&browser, &login, &alice.username, &alice.password).await, 400);
        Some(())
    })
    .await;
}

/// each tab ends at its own redirect URI with its own state.
#[actix_rt::test]
async fn several_tabs_complete_each_to_its_own_answer() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let first = open(&browser, &client, &[("state", "one")]).await;
    let second = open(&browser, &client, &[("state", "two"), ("scope", "read write")]).await;
    assert_ne!(hidden(&first.body, "tx"), hidden(&second.body, "tx"));
    let consent = follow(&browser, fill_in(&browser, &second, &alice.username, &alice.password).await).await;
    let two = answered(&decide(&browser, &consent, "allow").await);
    assert_eq!(two["state"], "two");
    // The first tab's form is of the session before the sign-in (G-007): it goes on silently.
    let one = follow(&browser, fill_in(&browser, &first, &alice.username, "whatever").await).await;
    assert_eq!(answered(&one)["state"], "one");
    assert_ne!(answered(&one)["code"], two["code"]);
}

/// one answer, one code; the second is told so.
#[actix_rt::test]
async fn an_answered_transaction_gives_no_second_code() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[]).await;
    assert!(answered(&decide(&browser, &page, "allow").await).contains_key("code"));
    for decision in ["allow", "deny"] {
        let again = decide(&browser, &page, decision).await;
        is_error_page(&again, 400);
        assert!(again.body.contains("already answered") && again.body.contains("Back to Shop"), "{}", again.body);
    }
    let tx = hidden(&page.body, "tx");
    for place in ["login", "consent", "authorize/continue"] {
        is_error_page(&browser.get(&format!("/oauth/{place}?tx={tx}")).await, 400);
    }
}

/// of 50 parallel posts of one consent form exactly one yields a code.
#[actix_rt::test]
async fn of_fifty_parallel_answers_one_counts() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &client, &[]).await;
    let answers = futures_util::future::join_all((0..50).map(|_| decide(&browser, &page, "allow"))).await;
    let codes = answers.iter().filter(|answer| answer.header("location").contains("code=")).count();
    let told = answers.iter().filter(|answer| answer.status == 400).count();
    assert_eq!((codes, told), (1, 49));
}

/// a form needs the token of its own session and must not come from another site.
#[actix_rt::test]
async fn a_forged_form_does_nothing() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let (alice, mallory) = (server.user("alice").await, server.user("mallory").await);
    let browser = alice.browser();
    let foreign = open(&mallory.browser(), &client, &[]).await;
    let login = open(&browser, &client, &[]).await;
    let tx = hidden(&login.body, "tx");
    let attempt = [("csrf", hidden(&foreign.body, "csrf")), ("csrf", String::new()), ("csrf", "x".to_owned())];
    for (name, csrf) in &attempt {
        let form = [(*name, csrf.as_str()), ("tx", &tx), ("username", "mallory"), ("password", &mallory.password)];
        let answer = browser.post("/oauth/login", &form).await;
        crate::is_page(&answer, 403);
    }
    assert!(browser.get("/oauth/").await.body.contains("Sign-in for your apps"), "nobody may be signed in");
    let consent = follow(&browser, fill_in(&browser, &login, &alice.username, &alice.password).await).await;
    let csrf = hidden(&consent.body, "csrf");
    for (endpoint, form) in [
        ("consent", vec![("tx", tx.as_str()), ("decision", "allow")]),
        ("logout", vec![]),
        ("account/password", vec![("current", alice.password.as_str()), ("new", "another long password")]),
    ] {
        let path = format!("/oauth/{endpoint}");
        is_error_page(&browser.post(&path, &form).await, 403);
        let wrong = [&form[..], &[("csrf", "wrong")]].concat();
        is_error_page(&browser.post(&path, &wrong).await, 403);
        let right = [&form[..], &[("csrf", csrf.as_str())]].concat();
        for site in ["cross-site", "same-site", "none"] {
            is_error_page(&browser.post_from(site, &path, &right).await, 403);
        }
    }
    assert!(answered(&decide(&browser, &consent, "allow").await).contains_key("code"), "nothing was done before");
}

/// every page and redirect on the way has its headers, and posts are answered by 303.
#[actix_rt::test]
async fn every_answer_on_the_way_is_kept_nowhere() {
    let server = Server::start().await;
    let client = asking(&server).await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    let mut answer = browser.get(&authorize_path(&client, &[])).await;
    for _ in 0..12 {
        assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
        answer = match answer.status {
            303 if answer.header("location").starts_with(CALLBACK) => return,
            303 => browser.get(answer.header("location")).await,
            _ => {
                crate::is_page(&answer, 200);
                let posted = if answer.body.contains("decision") {
                    decide(&browser, &answer, "allow").await
                } else {
                    fill_in(&browser, &answer, &alice.username, &alice.password).await
                };
                assert_eq!(posted.status, 303);
                posted
            }
        };
    }
    panic!("the way has no end");
}
