//! What ends is told to the resource servers that follow (D-036, D-039, decisions 7).

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Browser, Client, Person, Program, Server, Tokens, by, hidden};

/// Somebody with live tokens, and what introspection says of them.
struct Signed {
    person: Person,
    browser: Browser,
    tokens: Tokens,
    told: Value,
}

async fn signed(server: &Server, shop: &Client, api: &Client, name: &str) -> Signed {
    let person = server.user(name).await;
    let browser = person.browser();
    let tokens = shop.redeem(&person.authorize_in(&browser, shop, &[]).await).await.tokens();
    let told = api.introspect(&tokens.access).await;
    Signed { person, browser, tokens, told }
}

/// C-001, C-022: whoever may introspect may follow, and nobody else.
#[actix_rt::test]
async fn only_resource_servers_follow() {
    let server = Server::start().await;
    server.post("/revocations", &[("client_id", "x")]).await.refused("invalid_client");
    server.post("/revocations", &[]).await.refused("invalid_client");
    server.shop().await.post("/revocations", &[]).await.refused("access_denied");
    server.spa().await.post("/revocations", &[]).await.refused("invalid_client");
    assert_eq!(server.get("/oauth/revocations").await.status, 405);
    let mut following = server.api().await.follow().await;
    assert!(following.look().await.is_some());
}

/// D-036, D-039: every way on which a client, a thief or the same client ends tokens.
#[actix_rt::test]
async fn what_clients_end_is_told() {
    let server = Server::start().await;
    let (shop, api) = (server.shop().await, server.api().await);
    let mut following = api.follow().await;

    let refresh = signed(&server, &shop, &api, "refresh").await;
    shop.revoke(&refresh.tokens.refresh).await;
    following.hears_of(&refresh.told).await;

    let access = signed(&server, &shop, &api, "access").await;
    shop.revoke(&access.tokens.access).await;
    following.hears_of(&access.told).await;
    shop.refresh(&access.tokens.refresh).await.tokens();

    let reused = signed(&server, &shop, &api, "reused").await;
    let next = shop.refresh(&reused.tokens.refresh).await.tokens();
    shop.refresh(&next.refresh).await.tokens();
    shop.refresh(&reused.tokens.refresh).await.refused("invalid_grant");
    following.hears_of(&reused.told).await;

    let person = server.user("replayed").await;
    let code = person.authorize(&shop).await;
    let told = api.introspect(&shop.redeem(&code).await.tokens().access).await;
    shop.redeem(&code).await.refused("invalid_grant");
    following.hears_of(&told).await;
}

/// B-084, D-036, D-039: every way on which people, admins and the server itself end them.
#[actix_rt::test]
async fn what_people_and_admins_end_is_told() {
    let server = Server::start().await;
    let (shop, api) = (server.shop().await, server.api().await);
    let mut following = api.follow().await;

    let out = signed(&server, &shop, &api, "out").await;
    let csrf = hidden(&out.browser.get("/oauth/logout").await.body, "csrf");
    out.browser.post("/oauth/logout", &[("csrf", &csrf), ("apps", "yes")]).await;
    assert!(!api.finds_active(&out.tokens.access).await);
    following.hears_of(&out.told).await;

    let elsewhere = signed(&server, &shop, &api, "elsewhere").await;
    let here = elsewhere.person.browser();
    here.sign_in(&elsewhere.person).await;
    let csrf = hidden(&here.get("/oauth/account/sessions").await.body, "csrf");
    here.post("/oauth/account/sessions", &[("csrf", &csrf), ("elsewhere", "yes")]).await;
    following.hears_of(&elsewhere.told).await;

    let app = signed(&server, &shop, &api, "app").await;
    let csrf = hidden(&app.browser.get("/oauth/account/apps").await.body, "csrf");
    app.browser.post("/oauth/account/apps", &[("csrf", &csrf), ("app", &shop.id)]).await;
    following.hears_of(&app.told).await;

    for what in ["disabled", "password", "deleted"] {
        let changed = signed(&server, &shop, &api, what).await;
        let mut user = server.app.users.find(&changed.person.id).await.unwrap().unwrap();
        match what {
            "disabled" => user.disabled = true,
            "password" => user.password_hash = Some("$argon2id$another".to_owned()),
            _ => {}
        }
        if what == "deleted" {
            let _ = server.app.users.delete(&user, &by()).await.unwrap();
        } else {
            let _ = server.app.users.replace(&user, &by()).await.unwrap();
        }
        following.hears_of(&changed.told).await;
    }

    for what in ["disabled", "deleted"] {
        let shop = server.shop().await;
        let changed = signed(&server, &shop, &api, &format!("client_{what}")).await;
        let mut client = server.app.clients.read(&shop.id).await.unwrap().unwrap();
        if what == "deleted" {
            assert!(server.app.clients.delete(&client, &by()).await.unwrap());
        } else {
            client.disabled = true;
            let _ = server.app.clients.replace(&client, &by()).await.unwrap();
        }
        following.hears_of(&changed.told).await;
    }

    // B-007: the fifty-first grant ends an older one.
    let many = signed(&server, &shop, &api, "many").await;
    let mut given = vec![(many.tokens.access, many.told)];
    for _ in 0..50 {
        let code = many.person.authorize_in(&many.browser, &shop, &[]).await;
        let access = shop.redeem(&code).await.tokens().access;
        let told = api.introspect(&access).await;
        given.push((access, told));
    }
    let mut ended = Vec::new();
    for (access, told) in given {
        if !api.finds_active(&access).await {
            ended.push(told);
        }
    }
    assert_eq!(ended.len(), 1);
    following.hears_of(&ended[0]).await;
}

/// D-039: who comes back hears of what ended meanwhile, and a changed client has to prove itself again.
#[actix_rt::test]
async fn a_follower_who_comes_late_hears_of_it_at_once() {
    let server = Server::start().await;
    let (shop, api) = (server.shop().await, server.api().await);
    let early = signed(&server, &shop, &api, "early").await;
    shop.revoke(&early.tokens.refresh).await;
    let mut following = api.follow().await;
    let first = following.look().await.unwrap();
    assert!(first.ended.iter().any(|ended| ended.to_string() == early.told["family"].as_str().unwrap()));
    let mut client = server.app.clients.read(&api.id).await.unwrap().unwrap();
    client.disabled = true;
    let _ = server.app.clients.replace(&client, &by()).await.unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while following.look().await.is_some() {
        assert!(Instant::now() < end, "a disabled client still follows");
    }
    api.post("/revocations", &[]).await.refused("invalid_client");
}

/// an answer without an end does not keep the server from its own.
#[actix_rt::test]
async fn a_stop_ends_the_answers_of_those_who_follow() {
    let server = Server::unserved("").await;
    let api = server.api().await;
    let mut program = Program::serve(&server.place()).await;
    let mut following = api.follow().await;
    following.look().await.unwrap();
    program.terminate();
    while following.look().await.is_some() {}
    let end = Instant::now() + Duration::from_secs(60);
    while program.ended().is_none() {
        assert!(Instant::now() < end, "the program does not stop");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
}

mod timed {
    use super::*;

    /// D-039: there is a look every 500 ms at least, and what ended is told within a second.
    #[actix_rt::test]
    async fn a_look_comes_twice_a_second_and_an_ending_within_one() {
        let server = Server::start().await;
        let (shop, api) = (server.shop().await, server.api().await);
        let mut following = api.follow().await;
        let mut last = Instant::now();
        for _ in 0..10 {
            following.look().await.unwrap();
            assert!(last.elapsed() < Duration::from_millis(500), "{:?}", last.elapsed());
            last = Instant::now();
        }
        let signed = signed(&server, &shop, &api, "timed").await;
        let start = Instant::now();
        shop.revoke(&signed.tokens.access).await;
        following.hears_of(&signed.told).await;
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}
