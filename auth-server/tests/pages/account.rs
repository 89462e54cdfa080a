//! What people see and change of their own account.

use auth_server::audit::{EventKind, Outcome};

use crate::support::{Answer, Browser, Client, Person, Server, Tokens, hidden};
use crate::{answered, asking, decide, is_error_page, is_page, open, to_consent};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Safari/604.1";

async fn signed_in(person: &Person, agent: &str) -> Browser {
    let browser = person.browser().calling_itself(agent);
    assert_eq!(browser.sign_in(person).await.status, 303);
    browser
}

/// Whether the browser still shows its person's account.
async fn is_alive(browser: &Browser) -> bool {
    browser.get("/oauth/account").await.status == 200
}

/// The value of the button `name` in the part of the page that follows `mark`.
#[track_caller]
fn button(page: &Answer, name: &str, mark: &str) -> String {
    let part = page.body.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {}", page.body)).1;
    let start = format!("name=\"{name}\" value=\"");
    let rest = part.split_once(&start).unwrap_or_else(|| panic!("no button {name} in {part}")).1;
    rest.split('"').next().unwrap().to_owned()
}

async fn post(browser: &Browser, path: &str, name: &str, value: &str) -> Answer {
    let csrf = hidden(&browser.get(path).await.body, "csrf");
    browser.post(path, &[("csrf", &csrf), (name, value)]).await
}

async fn tokens_in(browser: &Browser, person: &Person, client: &Client) -> Tokens {
    client.redeem(&person.authorize_in(browser, client, &[]).await).await.tokens()
}

/// F-053: a person sees where he is signed in, since when, from where and with what, and ends one of it.
#[actix_rt::test]
async fn a_person_sees_his_browsers_and_ends_one() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    let (laptop, phone) = (signed_in(&alice, FIREFOX).await, signed_in(&alice, IPHONE).await);
    let page = laptop.get("/oauth/account/sessions").await;
    is_page(&page, 200);
    for text in ["Firefox on Linux", "Safari on iPhone", "127.0.0.1", "<time datetime=\"20", "this browser"] {
        assert!(page.body.contains(text), "{text} is missing in {}", page.body);
    }
    assert!(page.body.contains(&FIREFOX.replace('/', "&#x2f;")), "the whole agent: {}", page.body);
    assert!(page.body.find("Firefox on Linux") < page.body.find("Safari on iPhone"), "this browser comes first");
    for cookie in [laptop.cookie("as").unwrap(), phone.cookie("as").unwrap()] {
        assert!(!page.body.contains(&cookie), "a session's id is nowhere");
    }
    let end = button(&page, "end", "Safari on iPhone");
    let answer = post(&laptop, "/oauth/account/sessions", "end", &end).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/account/sessions?done=session"));
    let told = laptop.get(answer.header("location")).await;
    assert!(told.body.contains("role=\"status\">That browser is signed out.") && !told.body.contains("iPhone"));
    assert!(is_alive(&laptop).await && !is_alive(&phone).await);
    let event = server.events(EventKind::SessionEnded).await.remove(0);
    assert_eq!((event.actor, event.subject), (Some(alice.id.clone()), Some(alice.id)));
}

/// F-053: nobody ends another's session, and no other site does.
#[actix_rt::test]
async fn a_session_is_ended_by_nobody_but_its_person() {
    let server = Server::start().await;
    let (alice, mallory) = (server.user("alice").await, server.user("mallory").await);
    let (laptop, phone) = (signed_in(&alice, FIREFOX).await, signed_in(&alice, IPHONE).await);
    let end = button(&laptop.get("/oauth/account/sessions").await, "end", "Safari on iPhone");
    let stranger = signed_in(&mallory, FIREFOX).await;
    assert_eq!(post(&stranger, "/oauth/account/sessions", "end", &end).await.status, 303);
    assert!(is_alive(&phone).await, "what is another's is left alone");
    is_error_page(&laptop.post("/oauth/account/sessions", &[("end", &end)]).await, 403);
    let csrf = hidden(&laptop.get("/oauth/account/sessions").await.body, "csrf");
    let form = [("csrf", csrf.as_str()), ("elsewhere", "yes")];
    is_error_page(&laptop.post_from("cross-site", "/oauth/account/sessions", &form).await, 403);
    is_error_page(&post(&laptop, "/oauth/account/sessions", "end", "nonsense").await, 400);
    assert!(is_alive(&phone).await);
    assert!(server.events(EventKind::SessionEnded).await.is_empty());
}

/// F-053: one click ends every other browser, and what apps got there; this browser and its apps go on.
#[actix_rt::test]
async fn everywhere_else_is_one_click() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let laptop = signed_in(&alice, FIREFOX).await;
    let others = [signed_in(&alice, IPHONE).await, signed_in(&alice, "curl/8").await];
    let here = tokens_in(&laptop, &alice, &shop).await;
    let there = tokens_in(&others[0], &alice, &shop).await;
    let answer = post(&laptop, "/oauth/account/sessions", "elsewhere", "yes").await;
    assert!(laptop.get(answer.header("location")).await.body.contains("You are signed out everywhere else."));
    for other in &others {
        assert!(!is_alive(other).await);
    }
    assert!(is_alive(&laptop).await);
    assert!(api.finds_active(&here.access).await && !api.finds_active(&there.access).await);
    shop.refresh(&there.refresh).await.refused("invalid_grant");
    let event = server.events(EventKind::SessionEnded).await.remove(0);
    assert_eq!(event.detail, Some(serde_json::json!({"sessions": 2, "grants": 1})));
}

/// F-053, F-054: the apps are listed in plain words; taking access back revokes the family and forgets the consent, so that
/// the app has to ask again.
#[actix_rt::test]
async fn ending_an_apps_access_revokes_its_tokens_and_forgets_the_consent() {
    let server = Server::start().await;
    let (shop, api, alice) = (asking(&server).await, server.api().await, server.user("alice").await);
    let browser = alice.browser().calling_itself(FIREFOX);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(tokens_in(&browser, &alice, &shop).await);
    }
    // A code that waits to be redeemed dies as well.
    let waiting = alice.authorize_in(&browser, &shop, &[]).await;
    assert_eq!(open(&browser, &shop, &[]).await.status, 303, "the consent is remembered");
    let page = browser.get("/oauth/account/apps").await;
    is_page(&page, 200);
    for text in
        [">Shop<", "Text of read.", "Firefox on Linux", "127.0.0.1", "https:&#x2f;&#x2f;shop.example", "is remembered"]
    {
        assert!(page.body.contains(text), "{text} is missing in {}", page.body);
    }
    let answer = post(&browser, "/oauth/account/apps", "app", &shop.id).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/account/apps?done=app"));
    for pair in &tokens {
        assert!(!api.finds_active(&pair.access).await);
        shop.refresh(&pair.refresh).await.refused("invalid_grant");
    }
    shop.redeem(&waiting).await.refused("invalid_grant");
    assert!(browser.get("/oauth/account/apps").await.body.contains("No app has access"));
    let again = open(&browser, &shop, &[]).await;
    assert!(again.body.contains("name=\"decision\""), "the app has to ask: {}", again.body);
    let event = server.events(EventKind::ConsentWithdrawn).await.remove(0);
    assert_eq!((event.subject, event.client), (Some(alice.id), Some(shop.id)));
}

/// F-053, F-054: one of an app's sign-ins is ended; the others go on, and the app has to ask the next time.
#[actix_rt::test]
async fn one_sign_in_of_an_app_is_ended_alone() {
    let server = Server::start().await;
    let (shop, api) = (asking(&server).await, server.api().await);
    let (alice, mallory) = (server.user("alice").await, server.user("mallory").await);
    let (laptop, phone) = (alice.browser().calling_itself(FIREFOX), alice.browser().calling_itself(IPHONE));
    let (here, there) = (tokens_in(&laptop, &alice, &shop).await, tokens_in(&phone, &alice, &shop).await);
    let grant = button(&laptop.get("/oauth/account/apps").await, "grant", "Safari on iPhone");
    let stranger = signed_in(&mallory, FIREFOX).await;
    post(&stranger, "/oauth/account/apps", "grant", &grant).await;
    post(&stranger, "/oauth/account/apps", "app", &shop.id).await;
    assert!(api.finds_active(&there.access).await, "what is another's is left alone");
    let answer = post(&laptop, "/oauth/account/apps", "grant", &grant).await;
    assert!(laptop.get(answer.header("location")).await.body.contains("That sign-in has ended."));
    assert!(api.finds_active(&here.access).await && !api.finds_active(&there.access).await);
    assert!(open(&laptop, &shop, &[]).await.body.contains("name=\"decision\""));
}

/// F-053, B-080: whoever's app was signed out because a refresh token came back hears of it, until he has read it.
#[actix_rt::test]
async fn a_reused_refresh_token_is_told_to_its_person() {
    let server = Server::with("[lifetimes]\nrefresh_grace = 0").await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    let browser = signed_in(&alice, FIREFOX).await;
    let tokens = tokens_in(&browser, &alice, &shop).await;
    assert!(!browser.get("/oauth/account").await.body.contains("to protect you"));
    shop.refresh(&tokens.refresh).await.tokens();
    shop.refresh(&tokens.refresh).await.refused("invalid_grant");
    assert!(browser.get("/oauth/").await.body.contains("Something happened to your account"));
    let page = browser.get("/oauth/account").await;
    is_page(&page, 200);
    assert!(page.body.contains("Shop was signed out to protect you"), "{}", page.body);
    let notice = button(&page, "notice", "to protect you");
    let csrf = hidden(&page.body, "csrf");
    let answer = browser.post("/oauth/account/notices", &[("csrf", &csrf), ("notice", &notice)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/account"));
    assert!(!browser.get("/oauth/account").await.body.contains("to protect you"));
    is_error_page(&browser.get("/oauth/account/notices").await, 405);
}

/// F-014, F-050: the account is its person's: others sign in first, and come back to where they wanted to go.
#[actix_rt::test]
async fn the_account_asks_for_a_sign_in_and_for_an_own_password() {
    let server = Server::start().await;
    let alice = server.user("alice").await;
    for (page, next) in [("", ""), ("/sessions", "%2Fsessions"), ("/apps", "%2Fapps")] {
        let answer = alice.browser().get(&format!("/oauth/account{page}")).await;
        let login = format!("/oauth/login?next=%2Foauth%2Faccount{next}");
        assert_eq!((answer.status, answer.header("location")), (303, login.as_str()));
    }
    let browser = signed_in(&alice, FIREFOX).await;
    server.change_user(&alice.id, |user| user.must_change = true).await;
    let answer = browser.get("/oauth/account/apps").await;
    assert_eq!(answer.header("location"), "/oauth/account/password?next=%2Foauth%2Faccount%2Fapps");
}

/// F-051: no session id outlives a change of the person's roles, gained or lost.
#[actix_rt::test]
async fn a_change_of_roles_ends_the_session() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let browser = signed_in(&alice, FIREFOX).await;
    let before = browser.cookie("as").unwrap();
    let tokens = tokens_in(&browser, &alice, &shop).await;
    server.change_user(&alice.id, |user| user.roles = vec!["editor".to_owned()]).await;
    assert!(!is_alive(&browser).await);
    assert!(api.finds_active(&tokens.access).await, "gaining a role takes nothing away");
    assert_eq!(browser.sign_in(&alice).await.status, 303);
    assert!(browser.cookie("as").unwrap() != before && is_alive(&browser).await);
    server.change_user(&alice.id, |user| user.roles.clear()).await;
    assert!(!is_alive(&browser).await && !api.finds_active(&tokens.access).await);
}

async fn change_password(browser: &Browser, current: &str, new: &str) -> Answer {
    let csrf = hidden(&browser.get("/oauth/account/password").await.body, "csrf");
    browser.post("/oauth/account/password", &[("csrf", &csrf), ("current", current), ("new", new)]).await
}

/// F-013, F-051: a new password ends everything else, and this browser goes on under a new id.
#[actix_rt::test]
async fn a_new_password_ends_all_other_sessions_and_families() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let (laptop, phone) = (signed_in(&alice, FIREFOX).await, signed_in(&alice, IPHONE).await);
    let tokens = tokens_in(&laptop, &alice, &shop).await;
    let before = laptop.cookie("as").unwrap();
    let wrong = change_password(&laptop, "not my password", "a wholly new password").await;
    assert_eq!(wrong.status, 400);
    assert!(is_alive(&phone).await && api.finds_active(&tokens.access).await, "a wrong one changes nothing");
    let answer = change_password(&laptop, &alice.password, "a wholly new password").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/oauth/account?done=password"));
    assert!(laptop.get(answer.header("location")).await.body.contains("Your password is changed."));
    assert_ne!(laptop.cookie("as").unwrap(), before);
    assert!(!is_alive(&phone).await && !api.finds_active(&tokens.access).await);
    let event = server.events(EventKind::PasswordChanged).await.remove(0);
    assert_eq!((event.actor, event.outcome), (Some(alice.id), Outcome::Success));
}

/// F-065: what can't be written down is not done; a sign-in goes on all the same.
#[actix_rt::test]
async fn without_the_audit_log_nothing_that_matters_is_changed() {
    let server = Server::start().await;
    let (shop, api, alice) = (asking(&server).await, server.api().await, server.user("alice").await);
    let (laptop, phone) = (signed_in(&alice, FIREFOX).await, signed_in(&alice, IPHONE).await);
    let tokens = tokens_in(&laptop, &alice, &shop).await;
    let end = button(&laptop.get("/oauth/account/sessions").await, "end", "Safari on iPhone");
    server.stored.break_the_audit_log().await;
    for (path, name, value) in [
        ("/oauth/account/sessions", "end", end.as_str()),
        ("/oauth/account/sessions", "elsewhere", "yes"),
        ("/oauth/account/apps", "app", &shop.id),
    ] {
        let answer = post(&laptop, path, name, value).await;
        assert!(answer.status >= 500, "{path}: {}", answer.status);
    }
    assert!(is_alive(&phone).await && api.finds_active(&tokens.access).await);
    assert!(shop.revoke(&tokens.access).await.status >= 500);
    assert!(api.finds_active(&tokens.access).await);
    assert_eq!(open(&laptop, &shop, &[]).await.status, 303, "the consent is remembered");
    assert!(change_password(&laptop, &alice.password, "a wholly new password").await.status >= 500);
    assert!(is_alive(&laptop).await && is_alive(&phone).await, "a password that stays ends no session");
    assert!(api.finds_active(&tokens.access).await);
    let browser = alice.browser();
    assert_eq!(browser.sign_in(&alice).await.status, 303, "the old password is good, and nobody is locked out");
    assert!(is_alive(&browser).await);
}

/// G-015: the page that asks names the account, and the apps that were signed in to from this browser; they are signed out
/// with it where that is wanted.
#[actix_rt::test]
async fn signing_out_names_the_account_and_the_apps() {
    let server = Server::start().await;
    let (shop, api, alice) = (server.shop().await, server.api().await, server.user("alice").await);
    let (laptop, phone) = (signed_in(&alice, FIREFOX).await, signed_in(&alice, IPHONE).await);
    let (here, there) = (tokens_in(&laptop, &alice, &shop).await, tokens_in(&phone, &alice, &shop).await);
    let page = laptop.get("/oauth/logout").await;
    assert!(page.body.contains("<strong>alice</strong>") && page.body.contains("<li>Shop</li>"), "{}", page.body);
    let csrf = hidden(&page.body, "csrf");
    laptop.post("/oauth/logout", &[("csrf", &csrf), ("apps", "yes")]).await;
    assert!(!api.finds_active(&here.access).await && api.finds_active(&there.access).await);
    let page = phone.get("/oauth/logout").await;
    phone.post("/oauth/logout", &[("csrf", &hidden(&page.body, "csrf"))]).await;
    assert!(api.finds_active(&there.access).await, "without the wish apps keep theirs");
    assert_eq!(server.events(EventKind::LoggedOut).await.len(), 2);
}

/// F-061, A-028: the answer on the consent page is in the log, either way.
#[actix_rt::test]
async fn both_answers_on_the_consent_page_are_noted() {
    let server = Server::start().await;
    let (shop, alice) = (asking(&server).await, server.user("alice").await);
    let browser = alice.browser();
    let page = to_consent(&browser, &alice, &shop, &[]).await;
    assert_eq!(answered(&decide(&browser, &page, "deny").await)["error"], "access_denied");
    let page = open(&browser, &shop, &[]).await;
    answered(&decide(&browser, &page, "allow").await);
    for kind in [EventKind::ConsentDenied, EventKind::ConsentGranted] {
        let event = server.events(kind).await.remove(0);
        assert_eq!((event.subject.as_ref(), event.client.as_ref()), (Some(&alice.id), Some(&shop.id)));
        assert_eq!(event.detail.unwrap()["scope"], "read");
    }
}
