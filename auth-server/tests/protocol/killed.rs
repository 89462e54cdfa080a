//! Killed twenty times in the midst of everything: what was answered holds.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};

use crate::support::{Answer, Browser, Client, Code, PASSWORD, Person, Program, Server, Tokens, basic, hidden};

const KILLS: usize = 20;
/// Codes, and families of tokens, that are ready when the load begins.
const READY: usize = 6;

/// What was answered before a kill: all of it must hold afterwards.
#[derive(Default)]
struct Answered {
    redeemed: Vec<(Code, Tokens)>,
    revoked: Vec<Tokens>,
    /// The last pair of each chain of refreshes.
    refreshed: Vec<Tokens>,
    /// By password.
    granted: Vec<Tokens>,
    /// Cookies of signed-in sessions.
    sessions: Vec<String>,
    password: Option<String>,
}

/// One round: its own person, so that no grant makes room for another (B-007).
struct Round<'a> {
    server: &'a Server,
    shop: &'a Client,
    api: &'a Client,
    person: Person,
    /// Whose password is changed.
    changing: Person,
    browser: Browser,
    /// The page for a new password, in a browser of its own.
    account: (Browser, String),
    codes: Vec<Code>,
    families: Vec<Tokens>,
    /// What is not answered yet of what is to be answered once in this round.
    awaited: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Round<'a> {
    async fn prepare(server: &'a Server, shop: &'a Client, api: &'a Client, number: usize) -> Self {
        let person = server.user(&format!("alice{number}")).await;
        let changing = server.user(&format!("bob{number}")).await;
        let browser = person.browser();
        assert_eq!(browser.sign_in(&person).await.status, 303);
        let account = changing.browser();
        assert_eq!(account.sign_in(&changing).await.status, 303);
        let csrf = hidden(&account.get("/oauth/account/password").await.body, "csrf");
        let (mut codes, mut families) = (Vec::new(), Vec::new());
        for _ in 0..READY {
            codes.push(person.authorize_in(&browser, shop, &[]).await);
            families.push(shop.redeem(&person.authorize_in(&browser, shop, &[]).await).await.tokens());
        }
        let awaited =
            RefCell::new(BTreeSet::from(["codes", "revocations", "password grant", "sign-in", "new password"]));
        Self { server, shop, api, person, changing, browser, account: (account, csrf), codes, families, awaited }
    }

    /// Posts until the server is gone; `None`: no answer came, so nothing is promised.
    async fn post(&self, endpoint: &str, form: &[(&str, &str)]) -> Option<Answer> {
        let request = self.server.http.post(self.server.endpoint(endpoint)).form(form);
        let secret = self.shop.secret.as_deref().unwrap();
        Answer::of_any(request.header("authorization", basic(&self.shop.id, secret))).await
    }

    async fn redeem_all(&self) -> Vec<(Code, Tokens)> {
        let mut redeemed = Vec::new();
        for code in &self.codes {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", &code.text),
                ("redirect_uri", &code.redirect_uri),
                ("code_verifier", &code.verifier),
            ];
            let Some(answer) = self.post("/token", &form).await else { break };
            redeemed.push((code.clone(), answer.tokens()));
        }
        self.is_answered("codes");
        redeemed
    }

    async fn revoke_all(&self, families: &[Tokens]) -> Vec<Tokens> {
        let mut revoked = Vec::new();
        for tokens in families {
            let Some(answer) = self.post("/revoke", &[("token", &tokens.refresh)]).await else { break };
            assert_eq!(answer.status, 200, "{}", answer.body);
            revoked.push(tokens.clone());
        }
        self.is_answered("revocations");
        revoked
    }

    async fn refresh_on(&self, first: &Tokens) -> Tokens {
        let mut last = first.clone();
        loop {
            let form = [("grant_type", "refresh_token"), ("refresh_token", last.refresh.as_str())];
            let Some(answer) = self.post("/token", &form).await else { return last };
            last = answer.tokens();
        }
    }

    async fn sign_in_by_password(&self) -> Vec<Tokens> {
        let mut granted = Vec::new();
        let form = [("grant_type", "password"), ("username", &self.person.username), ("password", PASSWORD)];
        while let Some(answer) = self.post("/token", &form).await {
            granted.push(answer.tokens());
            self.is_answered("password grant");
        }
        granted
    }

    async fn sign_in_at_the_page(&self) -> Vec<String> {
        let http = &self.server.http;
        let mut sessions = Vec::new();
        loop {
            let Some(page) = Answer::of_any(http.get(self.server.endpoint("/login"))).await else { break };
            let cookie = page.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
            let csrf = hidden(&page.body, "csrf");
            let form = [("csrf", csrf.as_str()), ("username", &self.person.username), ("password", PASSWORD)];
            let request = http.post(self.server.endpoint("/login")).header("cookie", cookie).form(&form);
            let Some(answer) = Answer::of_any(request).await else { break };
            assert_eq!(answer.status, 303, "{}", answer.body);
            let cookies = answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
            let session = cookies.filter_map(|cookie| cookie.split(';').next()?.strip_prefix("as=")).next();
            sessions.push(session.unwrap().to_owned());
            self.is_answered("sign-in");
        }
        sessions
    }

    async fn change_password(&self) -> Option<String> {
        let (browser, csrf) = &self.account;
        let new = format!("changed {}", shared::random::random_id(""));
        let form = [("csrf", csrf.as_str()), ("current", PASSWORD), ("new", new.as_str())];
        let cookie = format!("as={}", browser.cookie("as").unwrap());
        let request = self.server.http.post(self.server.endpoint("/account/password")).header("cookie", cookie);
        let answer = Answer::of_any(request.form(&form)).await?;
        assert_eq!(answer.status, 303, "{}", answer.body);
        self.is_answered("new password");
        Some(new)
    }

    fn is_answered(&self, what: &'static str) {
        self.awaited.borrow_mut().remove(what);
    }

    /// Everything at the same time, until the server is killed.
    async fn load(&self) -> Answered {
        let (chained, to_revoke) = self.families.split_at(2);
        let chains = join_all(chained.iter().map(|first| self.refresh_on(first)));
        let tokens =
            join(join(self.redeem_all(), self.revoke_all(to_revoke)), join(chains, self.sign_in_by_password()));
        let people = join(self.sign_in_at_the_page(), self.change_password());
        let (((redeemed, revoked), (refreshed, granted)), (sessions, password)) = join(tokens, people).await;
        Answered { redeemed, revoked, refreshed, granted, sessions, password }
    }

    async fn holds(&self, answered: &Answered) {
        for tokens in &answered.revoked {
            assert!(!self.api.finds_active(&tokens.access).await, "a revoked token came back");
            self.shop.refresh(&tokens.refresh).await.refused("invalid_grant");
        }
        for tokens in answered.refreshed.iter().chain(&answered.granted) {
            assert!(self.api.finds_active(&tokens.access).await, "a token that was answered is lost");
        }
        for tokens in &answered.refreshed {
            self.shop.refresh(&tokens.refresh).await.tokens();
        }
        for session in &answered.sessions {
            let browser = Browser::new(&self.server.url, self.server.http.clone());
            browser.set_cookie("as", session);
            assert!(browser.get("/oauth/").await.body.contains(&self.person.username), "a session is lost");
        }
        assert!(self.browser.get("/oauth/").await.body.contains(&self.person.username));
        for (code, tokens) in &answered.redeemed {
            assert!(self.api.finds_active(&tokens.access).await, "a token that was answered is lost");
            self.shop.redeem(code).await.refused("invalid_grant");
            assert!(!self.api.finds_active(&tokens.access).await, "a replay ends the family");
        }
        // Whether the code that was under way is used or not: it gives tokens once at most.
        for code in self.codes.iter().skip(answered.redeemed.len()) {
            let first = self.shop.redeem(code).await.status == 200;
            self.shop.redeem(code).await.refused("invalid_grant");
            assert!(first || code.text == self.codes[answered.redeemed.len()].text, "an unused code was lost");
        }
        let mut changing = self.changing.clone();
        match &answered.password {
            Some(new) => {
                assert_eq!(changing.browser().sign_in(&changing).await.status, 401, "the old password came back");
                changing.password = new.clone();
                assert_eq!(changing.browser().sign_in(&changing).await.status, 303, "the new password is lost");
            }
            // No answer came: the old one is still good, or the one that nobody was told is.
            None => assert!([303, 401].contains(&changing.browser().sign_in(&changing).await.status)),
        }
    }
}

/// B-045, B-047, C-027, F-013: no kill brings a revoked token back, lets a code be redeemed twice, or loses what
/// was answered: tokens, sessions, a new password.
#[actix_rt::test]
async fn what_was_answered_outlives_twenty_kills_under_load() {
    let settings = "password_grant = true\npasswords = { failure_floor = 0 }\nthrottle = { openings = 0 }\n\
                    lifetimes = { code = 600, refresh_grace = 60 }";
    let server = Server::unserved(settings).await;
    let grants = serde_json::json!({"grant_types": ["authorization_code", "refresh_token", "password"]});
    let (shop, api) = (server.client(grants).await, server.api().await);
    let mut program = Program::serve(&server.place()).await;
    let (mut seen, mut revoked) = (Answered::default(), Vec::new());
    for number in 0..KILLS {
        let round = Round::prepare(&server, &shop, &api, number).await;
        let kill = async {
            // Early, late, and in between; now and then when every kind of answer came, be the machine slow.
            let random = u64::from(shared::random::random_bytes::<1>()[0]);
            actix_rt::time::sleep(Duration::from_millis(20 + random)).await;
            let end = Instant::now() + Duration::from_secs(60);
            while number % 3 == 2 && !round.awaited.borrow().is_empty() {
                assert!(Instant::now() < end, "no answer to {:?}", round.awaited.borrow());
                actix_rt::time::sleep(Duration::from_millis(5)).await;
            }
            program.kill();
        };
        let (answered, ()) = join(round.load(), kill).await;
        program = Program::serve(&server.place()).await;
        server.stored.give_up_transactions().await;
        round.holds(&answered).await;
        revoked.extend(answered.revoked.iter().cloned());
        seen.redeemed.extend(answered.redeemed);
        seen.refreshed.extend(answered.refreshed);
        seen.granted.extend(answered.granted);
        seen.sessions.extend(answered.sessions);
        seen.password = seen.password.or(answered.password);
    }
    server.stored.keep_transactions().await;
    for tokens in &revoked {
        assert!(!api.finds_active(&tokens.access).await, "a revoked token came back later");
    }
    // Otherwise the load was none, and nothing was shown.
    assert!(seen.redeemed.len() > KILLS && revoked.len() > KILLS && !seen.granted.is_empty());
    assert!(!seen.sessions.is_empty() && seen.password.is_some());
}
