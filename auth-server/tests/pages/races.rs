//! Fifty at once: a session that ends in the midst of requests stays ended (F-013, F-052, X-024).

use std::time::Duration;

use futures_util::future::{join, join_all};

use crate::login::change_password;
use crate::support::{Browser, PASSWORD, Server, by, hidden};

const NEW: &str = "another long password";

/// A browser with this one session cookie, which it keeps whatever the server says.
fn holder(server: &Server, session: &str) -> Browser {
    let browser = Browser::new(&server.url, server.http.clone());
    browser.set_cookie("as", session);
    browser
}

async fn is_signed_in(server: &Server, session: &str) -> bool {
    holder(server, session).get("/oauth/").await.body.contains("<strong>alice</strong>")
}

/// C-091, E-061: requests that renew the session's life while it is signed out or ended from elsewhere don't bring it back.
#[actix_rt::test]
async fn a_session_that_ends_amid_requests_stays_ended() {
    let server = Server::with("lifetimes = { sso_idle = 5, sso_absolute = 3600 }").await;
    let alice = server.user("alice").await;
    for by_its_owner in [true, false, true, false] {
        let browser = alice.browser();
        assert_eq!(browser.sign_in(&alice).await.status, 303);
        let session = browser.cookie("as").unwrap();
        let csrf = hidden(&browser.get("/oauth/logout").await.body, "csrf");
        // By now each request renews the session's life, which is a write.
        actix_rt::time::sleep(Duration::from_millis(600)).await;
        let end = async {
            if by_its_owner {
                let answer = holder(&server, &session).post("/oauth/logout", &[("csrf", &csrf)]).await;
                assert_eq!(answer.status, 303, "{}", answer.body);
            } else {
                let user = server.app.users.find(&alice.id).await.unwrap().unwrap();
                server.app.users.end_sessions(&user, &by()).await.unwrap();
            }
        };
        let requests = join_all((0..50).map(|_| async {
            let answer = holder(&server, &session).get("/oauth/").await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }));
        join(requests, end).await;
        assert!(!is_signed_in(&server, &session).await, "by its owner: {by_its_owner}");
    }
}

/// F-013, B-084: of fifty sign-ins with the old password while it is changed, none has a session afterwards.
#[actix_rt::test]
async fn sign_ins_amid_a_change_of_password_end_with_it() {
    // So many wrong ones are not to be slowed here.
    let server = Server::with("throttle = { name_and_network = 100, name = 100, network = 1000 }").await;
    let alice = server.user("alice").await;
    let browsers: Vec<Browser> = (0..50).map(|_| alice.browser()).collect();
    join_all(browsers.iter().map(|browser| browser.get("/oauth/login"))).await;
    let own = alice.browser();
    own.sign_in(&alice).await;
    let page = own.get("/oauth/account/password").await;
    let sign_ins = join_all(browsers.iter().map(|browser| browser.sign_in(&alice)));
    let (answers, changed) = join(sign_ins, change_password(&own, &page, PASSWORD, NEW)).await;
    assert_eq!(changed.status, 303, "{}", changed.body);
    assert!(answers.iter().all(|answer| [303, 401, 503].contains(&answer.status)));
    for browser in &browsers {
        assert!(!browser.get("/oauth/").await.body.contains("<strong>alice</strong>"));
    }
    assert!(own.get("/oauth/").await.body.contains("<strong>alice</strong>"), "whoever changed it goes on");
}
