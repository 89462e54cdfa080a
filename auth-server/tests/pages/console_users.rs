//! What the console does to users (H-004, H-007, H-008, F-014, F-051, F-062, F-065).

use auth_server::audit::EventKind;
use futures_util::future::join_all;

use crate::console::{admin, secrets_in, signed_in};
use crate::support::{Answer, Browser, PASSWORD, Person, Server, by, hidden};
use crate::{is_error_page, is_page};

fn path(id: &str, action: &str) -> String {
    format!("/oauth/management/users/{id}/{action}")
}

/// Opens the question and says yes.
async fn act(browser: &Browser, id: &str, action: &str) -> Answer {
    let question = browser.get(&path(id, action)).await;
    is_page(&question, 200);
    agree(browser, &question, &path(id, action), &[]).await
}

async fn agree(browser: &Browser, question: &Answer, path: &str, more: &[(&str, &str)]) -> Answer {
    let (csrf, version) = (hidden(&question.body, "csrf"), hidden(&question.body, "version"));
    browser.post(path, &[&[("csrf", csrf.as_str()), ("version", version.as_str())], more].concat()).await
}

/// Lets the password have been given `seconds` earlier.
async fn age(server: &Server, browser: &Browser, seconds: i64) {
    let mut session = server.app.sessions.get(&browser.cookie("as").unwrap()).await.unwrap().unwrap();
    session.data.signed_in.as_mut().unwrap().auth_time -= seconds;
    assert!(matches!(server.app.sessions.save(&mut session).await.unwrap(), shared::session::Saved::Done));
}

async fn edit(browser: &Browser, id: &str, form: &[(&str, &str)]) -> Answer {
    let page = browser.get(&path(id, "edit")).await;
    agree(browser, &page, &path(id, "edit"), form).await
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/oauth/account/password").await.status == 200
}

/// H-004, B-084: a disabled account's sessions and tokens end at once; enabled, its owner signs in as before.
#[actix_rt::test]
async fn a_user_is_disabled_and_enabled() {
    let server = Server::start().await;
    let (root, alice, shop, api) =
        (admin(&server).await, server.user("alice").await, server.shop().await, server.api().await);
    let (browser, hers) = (signed_in(&root).await, signed_in(&alice).await);
    let token = alice.tokens(&shop).await.access;
    let done = act(&browser, &alice.id, "disable").await;
    assert_eq!(done.header("location"), format!("/oauth/management/users/{}?done=disable", alice.id));
    assert!(browser.get(done.header("location")).await.body.contains("The account is disabled."));
    assert!(!is_signed_in(&hers).await && !api.finds_active(&token).await);
    assert_eq!(alice.browser().sign_in(&alice).await.status, 401);
    act(&browser, &alice.id, "enable").await;
    assert!(is_signed_in(&signed_in(&alice).await).await);
}

/// H-004, F-014: a password that an admin sets is good for one sign-in, and ends what the old one began.
#[actix_rt::test]
async fn a_password_that_an_admin_sets_must_be_changed_at_once() {
    let server = Server::start().await;
    let (root, mut alice) = (admin(&server).await, server.user("alice").await);
    let (browser, hers) = (signed_in(&root).await, signed_in(&alice).await);
    let shown = act(&browser, &alice.id, "set-password").await;
    is_page(&shown, 200);
    assert!(!is_signed_in(&hers).await);
    assert_eq!(alice.browser().sign_in(&alice).await.status, 401, "the old password is gone");
    alice.password = secrets_in(&shown).remove(0);
    let answer = alice.browser().sign_in(&alice).await;
    assert!(answer.header("location").starts_with("/oauth/account/password"), "{}", answer.header("location"));
    assert_eq!(server.events(EventKind::PasswordSet).await.len(), 1);
}

/// H-004, F-014: a new password can be demanded without touching the present one.
#[actix_rt::test]
async fn a_new_password_is_demanded_at_the_next_sign_in() {
    let server = Server::start().await;
    let (root, alice) = (admin(&server).await, server.user("alice").await);
    act(&signed_in(&root).await, &alice.id, "demand-password").await;
    let answer = alice.browser().sign_in(&alice).await;
    assert!(answer.header("location").starts_with("/oauth/account/password"), "{}", answer.header("location"));
}

/// H-004, H-009: sessions and grants are listed without anything that opens them, and ended one by one or all.
#[actix_rt::test]
async fn sessions_and_grants_are_listed_and_ended() {
    let server = Server::start().await;
    let (root, alice, shop, api) =
        (admin(&server).await, server.user("alice").await, server.shop().await, server.api().await);
    let browser = signed_in(&root).await;
    let (first, second) = (signed_in(&alice).await, signed_in(&alice).await);
    let tokens = [alice.tokens(&shop).await, alice.tokens(&shop).await];
    let user = format!("/oauth/management/users/{}", alice.id);
    let page = browser.get(&user).await;
    is_page(&page, 200);
    for secret in [&tokens[0].access, &tokens[0].refresh, &first.cookie("as").unwrap()] {
        assert!(!page.body.contains(secret.as_str()));
    }
    let addresses = |part: &str| -> Vec<String> {
        let page = page.body.split(part).skip(1);
        page.map(|rest| rest.split('"').next().unwrap().replace("&#x2f;", "/")).collect()
    };
    let csrf = hidden(&page.body, "csrf");
    let grants = addresses("/oauth/management/grants/");
    assert_eq!(grants.len(), 2);
    let form = [("csrf", csrf.as_str()), ("user", alice.id.as_str())];
    let done = browser.post(&format!("/oauth/management/grants/{}", grants[0]), &form).await;
    assert_eq!(done.status, 303, "{}", done.body);
    let mut alive = Vec::new();
    for pair in &tokens {
        alive.push(api.finds_active(&pair.access).await);
    }
    assert_eq!(alive.iter().filter(|alive| **alive).count(), 1);
    let sessions = addresses("/sessions/");
    assert_eq!(sessions.len(), 4, "two of the browsers, two of the authorizations");
    for session in &sessions {
        let done = browser.post(&format!("{user}/sessions/{session}"), &[("csrf", &csrf)]).await;
        assert_eq!(done.status, 303, "{}", done.body);
    }
    assert!(!is_signed_in(&first).await && !is_signed_in(&second).await);
    act(&browser, &alice.id, "revoke-grants").await;
    for pair in &tokens {
        assert!(!api.finds_active(&pair.access).await);
    }
    let third = signed_in(&alice).await;
    act(&browser, &alice.id, "end-sessions").await;
    assert!(!is_signed_in(&third).await);
}

/// H-004, H-007: deleting needs a password given within five minutes; an older one is asked for, and the form goes on.
#[actix_rt::test]
async fn a_user_is_deleted_after_the_password_was_given_again() {
    let server = Server::start().await;
    let (root, alice, shop, api) =
        (admin(&server).await, server.user("alice").await, server.shop().await, server.api().await);
    let browser = signed_in(&root).await;
    let token = alice.tokens(&shop).await.access;
    let delete = path(&alice.id, "delete");
    let fresh = browser.get(&delete).await;
    assert!(!fresh.body.contains("own_password") && fresh.body.contains("Delete alice?"));
    age(&server, &browser, 301).await;
    let asked = agree(&browser, &fresh, &delete, &[]).await;
    is_page(&asked, 401);
    assert!(asked.body.contains("Confirm it is you") && asked.body.contains("name=\"own_password\""));
    assert!(browser.get(&delete).await.body.contains("name=\"own_password\""));
    let wrong = agree(&browser, &asked, &delete, &[("own_password", "not the password at all")]).await;
    is_page(&wrong, 401);
    assert!(wrong.body.contains("own_password-error") && !wrong.body.contains("not the password at all"));
    assert!(server.app.users.find(&alice.id).await.unwrap().is_some());
    let before = browser.cookie("as");
    let done = agree(&browser, &wrong, &delete, &[("own_password", PASSWORD)]).await;
    assert_eq!(done.header("location"), "/oauth/management/users?done=deleted", "{}", done.body);
    assert_ne!(browser.cookie("as"), before, "a new session id at re-authentication (F-051)");
    assert!(server.app.users.find(&alice.id).await.unwrap().is_none() && !api.finds_active(&token).await);
    let event = server.events(EventKind::UserDeleted).await.remove(0);
    assert_eq!((event.actor, event.subject), (Some(root.id), Some(alice.id)));
    assert_eq!(event.detail.unwrap()["before"]["username"], "alice");
}

/// H-007: each of these, with a password that is too old, asks for it and does nothing.
#[actix_rt::test]
async fn nothing_is_taken_away_on_an_old_password() {
    let server = Server::start().await;
    let (root, alice) = (admin(&server).await, server.user("alice").await);
    let browser = signed_in(&root).await;
    age(&server, &browser, 301).await;
    for action in ["disable", "set-password", "end-sessions", "revoke-grants", "delete"] {
        is_page(&act(&browser, &alice.id, action).await, 401);
    }
    let promoted = edit(&browser, &alice.id, &[("username", "alice"), ("roles", "admin")]).await;
    is_page(&promoted, 401);
    assert!(promoted.body.contains("name=\"roles\" value=\"admin\""), "what was typed goes along");
    let alice = server.app.users.find(&alice.id).await.unwrap().unwrap();
    assert!(!alice.disabled && !alice.is_admin() && alice.version == 1);
}

/// H-008: not by any way of the console; the store decides between two at the same time.
#[actix_rt::test]
async fn the_last_admin_stays() {
    let server = Server::start().await;
    let root = admin(&server).await;
    let browser = signed_in(&root).await;
    for action in ["disable", "delete"] {
        let refused = act(&browser, &root.id, action).await;
        is_page(&refused, 409);
        assert!(refused.body.contains("last account that can open the console"), "{}", refused.body);
    }
    let refused = edit(&browser, &root.id, &[("username", "root"), ("roles", "editor")]).await;
    is_page(&refused, 400);
    assert!(refused.body.contains("more_roles-error"), "{}", refused.body);
    let other = server.user_with("other", PASSWORD, &["admin"]).await;
    let theirs = signed_in(&other).await;
    // Both have the question before them when they say yes.
    let (others, own) = (path(&other.id, "delete"), path(&root.id, "delete"));
    let (first, second) = (browser.get(&others).await, theirs.get(&own).await);
    let both = join_all([agree(&browser, &first, &others, &[]), agree(&theirs, &second, &own, &[])]).await;
    let left = [&root, &other].map(|person: &Person| person.id.clone());
    let left = join_all(left.iter().map(|id| server.app.users.find(id))).await;
    assert_eq!(left.into_iter().filter(|user| user.as_ref().unwrap().is_some()).count(), 1, "{both:?}");
}

/// H-008: a token says what its holder may do elsewhere; here it opens nothing, not even an admin's.
#[actix_rt::test]
async fn the_console_takes_no_tokens() {
    let server = Server::start().await;
    let (root, shop) = (admin(&server).await, server.shop().await);
    let token = root.tokens(&shop).await.access;
    let request = |method: reqwest::Method| {
        let url = format!("{}/oauth/management/users", server.url);
        server.http.request(method, url).bearer_auth(&token)
    };
    let read = Answer::of(request(reqwest::Method::GET)).await;
    assert_eq!(read.status, 303);
    let written = request(reqwest::Method::POST).form(&[("username", "mallory"), ("roles", "admin")]);
    is_error_page(&Answer::of(written).await, 403);
    assert!(server.app.users.find_by_username("mallory").await.unwrap().is_none());
}

/// H-004, F-051, F-062: name and roles are changed; a change of roles ends the sessions, one's own go on under a new id.
#[actix_rt::test]
async fn name_and_roles_are_changed() {
    let server = Server::start().await;
    let (root, alice) = (admin(&server).await, server.user("alice").await);
    let (browser, hers) = (signed_in(&root).await, signed_in(&alice).await);
    let done = edit(&browser, &alice.id, &[("username", "alicia"), ("more_roles", "editor")]).await;
    assert_eq!(done.header("location"), format!("/oauth/management/users/{}?done=changed", alice.id), "{}", done.body);
    assert!(!is_signed_in(&hers).await, "the old session id is dead");
    let stored = server.app.users.find(&alice.id).await.unwrap().unwrap();
    assert_eq!((stored.username.as_str(), stored.roles.as_slice()), ("alicia", &["editor".to_owned()][..]));
    let detail = server.events(EventKind::UserChanged).await.remove(0).detail.unwrap();
    let expected = serde_json::json!({
        "before": {"username": "alice", "roles": []}, "after": {"username": "alicia", "roles": ["editor"]},
    });
    assert_eq!(detail, expected);
    let before = browser.cookie("as");
    edit(&browser, &root.id, &[("username", "root"), ("roles", "admin"), ("roles", "editor")]).await;
    assert_ne!(browser.cookie("as"), before);
    is_page(&browser.get("/oauth/management").await, 200);
}

/// H-004: what somebody else changed meanwhile is not overwritten, and what was typed stays.
#[actix_rt::test]
async fn a_form_that_was_overtaken_changes_nothing() {
    let server = Server::start().await;
    let (root, alice) = (admin(&server).await, server.user("alice").await);
    let browser = signed_in(&root).await;
    let page = browser.get(&path(&alice.id, "edit")).await;
    let question = browser.get(&path(&alice.id, "disable")).await;
    server.change_user(&alice.id, |user| user.roles.push("viewer".to_owned())).await;
    let form = [("username", "alicia"), ("more_roles", "editor")];
    let refused = agree(&browser, &page, &path(&alice.id, "edit"), &form).await;
    is_page(&refused, 409);
    assert!(refused.body.contains("value=\"alicia\"") && refused.body.contains("value=\"editor\""));
    is_page(&agree(&browser, &question, &path(&alice.id, "disable"), &[]).await, 409);
    let stored = server.app.users.find(&alice.id).await.unwrap().unwrap();
    assert!(stored.username == "alice" && !stored.disabled);
    let again = agree(&browser, &refused, &path(&alice.id, "edit"), &form).await;
    assert_eq!(again.status, 303, "saved again it is taken: {}", again.body);
}

/// F-065: what can't be written down is not done.
#[actix_rt::test]
async fn a_change_that_can_not_be_audited_is_not_made() {
    let server = Server::start().await;
    let (root, alice, shop) = (admin(&server).await, server.user("alice").await, server.shop().await);
    let (browser, hers) = (signed_in(&root).await, signed_in(&alice).await);
    server.stored.break_the_audit_log().await;
    for action in ["disable", "demand-password", "end-sessions"] {
        is_error_page(&act(&browser, &alice.id, action).await, 500);
    }
    let client = server.app.clients.read(&shop.id).await.unwrap().unwrap();
    assert!(server.app.clients.delete(&client, &by()).await.is_err());
    let stored = server.app.users.find(&alice.id).await.unwrap().unwrap();
    assert!(!stored.disabled && !stored.must_change);
    assert!(server.app.clients.read(&shop.id).await.unwrap().is_some());
    drop(hers);
}

/// H-004: an address that names nobody, or nothing to do, is a page that says so.
#[actix_rt::test]
async fn an_unknown_user_or_action_is_not_found() {
    let server = Server::start().await;
    let root = admin(&server).await;
    let browser = signed_in(&root).await;
    for address in ["u_nobody", "u_nobody/delete", &format!("{}/explode", root.id), "x/y/z"] {
        is_error_page(&browser.get(&format!("/oauth/management/users/{address}")).await, 404);
    }
}
