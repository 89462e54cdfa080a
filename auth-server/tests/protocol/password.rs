//! B4: the legacy password grant, and how stored hashes fare (F1).

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Client, PASSWORD, Server};

async fn legacy(server: &Server) -> Client {
    server
        .client(json!({
            "client_name": "Script", "token_endpoint_auth_method": "none", "redirect_uris": [],
            "grant_types": ["password", "refresh_token"], "scope": "", "default_scope": "", "allow_empty_scope": true,
        }))
        .await
}

async fn on() -> Server {
    Server::with("password_grant = true").await
}

/// B-060: off unless switched on, and then only for clients that opted in.
#[actix_rt::test]
async fn the_password_grant_is_off_by_default() {
    let server = Server::start().await;
    let script = legacy(&server).await;
    script.password("alice", PASSWORD).await.refused("unsupported_grant_type");
    let server = on().await;
    let (shop, alice) = (server.shop().await, server.user("alice").await);
    shop.password(&alice.username, PASSWORD).await.refused("unauthorized_client");
}

/// B-062, B-066: Flask-Sentinel's request, word for word, and its answer.
#[actix_rt::test]
async fn a_flask_sentinel_script_gets_its_tokens() {
    let server = on().await;
    let script = legacy(&server).await;
    server.user("alice").await;
    let body = format!("client_id={}&grant_type=password&username=alice&password=a+password+for+tests", script.id);
    let request = server.http.post(server.endpoint("/token"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = Answer::of(request).await;
    let told = answer.ok();
    assert_eq!((&told["token_type"], &told["expires_in"], &told["scope"]), (&json!("Bearer"), &json!(900), &json!("")));
    let next = script.refresh(told["refresh_token"].as_str().unwrap()).await.tokens();
    assert_eq!(next.scope, "");
    let api = server.api().await;
    let told = api.introspect(&next.access).await;
    assert_eq!((&told["username"], &told["scope"]), (&json!("alice"), &json!("")));
}

/// B-063.
#[actix_rt::test]
async fn a_missing_name_or_password_is_an_invalid_request() {
    let server = on().await;
    let script = legacy(&server).await;
    for form in [[("username", "alice"), ("password", "")], [("username", ""), ("password", "x")]] {
        script.token(&[&[("grant_type", "password")], &form[..]].concat()).await.refused("invalid_request");
    }
}

/// B-064, F-020: wrong, unknown, disabled, without a hash, to be changed: one answer.
#[actix_rt::test]
async fn every_failed_sign_in_looks_the_same() {
    let server = on().await;
    let script = legacy(&server).await;
    let (alice, disabled, new) = (server.user("alice").await, server.user("disabled").await, server.user("new").await);
    server.change_user(&disabled.id, |user| user.disabled = true).await;
    server.change_user(&new.id, |user| user.must_change = true).await;
    server.user_with_hash("broken", "nonsense").await;
    let wrong = script.password(&alice.username, "wrong").await;
    wrong.refused("invalid_grant");
    for name in ["unknown", "disabled", "new", "broken", "Alice", " alice"] {
        let answer = script.password(name, PASSWORD).await;
        answer.refused("invalid_grant");
        let plain = |answer: &Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            (answer.status, answer.body.clone(), names)
        };
        assert_eq!(plain(&answer), plain(&wrong), "{name}");
    }
    script.password(&alice.username, PASSWORD).await.tokens();
}

/// B-066: scopes as everywhere else, but none that needs a role.
#[actix_rt::test]
async fn scopes_bound_to_a_role_are_never_given_for_a_password() {
    let server = on().await;
    let metadata = |default: &str| {
        json!({
            "token_endpoint_auth_method": "none", "redirect_uris": [], "grant_types": ["password"],
            "scope": "read write manage", "default_scope": default,
        })
    };
    let script = server.client(metadata("read manage")).await;
    let ada = server.user_with("ada", PASSWORD, &["admin"]).await;
    let with_scope = async |client: &Client, scope: &str| {
        let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("scope", scope)];
        client.token(&form).await
    };
    assert_eq!(with_scope(&script, "write").await.tokens().scope, "write");
    with_scope(&script, "manage").await.refused("invalid_scope");
    with_scope(&script, "other").await.refused("invalid_scope");
    assert_eq!(script.password(&ada.username, PASSWORD).await.tokens().scope, "read");
    let bare = server.client(metadata("")).await;
    bare.password(&ada.username, PASSWORD).await.refused("invalid_scope");
}

/// B-068: only ours.
#[actix_rt::test]
async fn a_third_party_client_is_never_handed_a_password() {
    let server = on().await;
    let script = legacy(&server).await;
    server.user("alice").await;
    server.change_client(&script.id, |client| client.flags.first_party = false).await;
    script.password("alice", PASSWORD).await.refused("unauthorized_client");
}

/// F-002, F-003, F-004: imported bcrypt hashes sign in, and become argon2id by it unless they saw only a part.
#[actix_rt::test]
async fn an_imported_hash_signs_in_and_is_upgraded() {
    let server = on().await;
    let script = legacy(&server).await;
    let stored = async |id: &str| server.app.users.find(id).await.unwrap().unwrap().password_hash.unwrap();
    let parts = bcrypt::hash_with_result(PASSWORD, 5).unwrap();
    for (name, version) in [("a", bcrypt::Version::TwoA), ("b", bcrypt::Version::TwoB), ("y", bcrypt::Version::TwoY)] {
        let user = server.user_with_hash(name, &parts.format_for_version(version)).await;
        script.password(name, "wrong").await.refused("invalid_grant");
        assert!(stored(&user.id).await.starts_with("$2"), "a wrong password upgrades nothing");
        let tokens = script.password(name, PASSWORD).await.tokens();
        assert!(stored(&user.id).await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        script.password(name, PASSWORD).await.tokens();
        script.refresh(&tokens.refresh).await.tokens();
    }
    let long = "x".repeat(80);
    let user = server.user_with_hash("long", &bcrypt::hash(&long, 5).unwrap()).await;
    script.password("long", &long).await.tokens();
    assert!(stored(&user.id).await.starts_with("$2"), "only its owner can set it anew (F-004)");
}

/// F-005, F-006: the whole password counts, however its accents are composed.
#[actix_rt::test]
async fn a_password_counts_whole_and_in_either_composition() {
    let server = on().await;
    let script = legacy(&server).await;
    let long = format!("{}\u{e9}", "x".repeat(99));
    server.user_with("long", &long, &[]).await;
    script.password("long", &format!("{}e\u{301}", "x".repeat(99))).await.tokens();
    script.password("long", &format!("{}e", "x".repeat(99))).await.refused("invalid_grant");
}

/// F-007: a full queue of hashes is 503 with Retry-After, while everything else goes on.
#[actix_rt::test]
async fn a_flood_of_sign_ins_is_turned_away_and_slows_nobody_else() {
    let server = Server::with("password_grant = true\npasswords = { threads = 1, queue = 2 }").await;
    let (script, robot, alice) = (legacy(&server).await, server.robot().await, server.user("alice").await);
    let flood = join_all((0..20).map(|_| script.password(&alice.username, PASSWORD)));
    let machine = async {
        let mut answered = 0;
        for _ in 0..20 {
            robot.token(&[("grant_type", "client_credentials")]).await.tokens();
            answered += 1;
        }
        answered
    };
    let (answers, answered) = futures_util::future::join(flood, machine).await;
    assert_eq!(answered, 20);
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty() && answers.iter().any(|answer| answer.status == 200));
    for answer in busy {
        answer.refused_with(503, "server_error");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
}

/// B-008, B-084: an account that is disabled while its password is being checked gets no token that lives.
#[actix_rt::test]
async fn an_account_disabled_during_its_sign_in_gets_nothing() {
    let server = on().await;
    let (script, api) = (legacy(&server).await, server.api().await);
    for delay in [0, 5, 10, 20, 40, 80] {
        let person = server.user(&format!("after{delay}")).await;
        let disable = async {
            actix_rt::time::sleep(std::time::Duration::from_millis(delay)).await;
            server.change_user(&person.id, |user| user.disabled = true).await;
        };
        let (answer, ()) = futures_util::future::join(script.password(&person.username, PASSWORD), disable).await;
        if answer.status == 200 {
            assert!(!api.finds_active(&answer.tokens().access).await);
        } else {
            answer.refused("invalid_grant");
        }
    }
}

/// F-002: parallel sign-ins with a weak hash all succeed, and one of them stores the stronger one.
#[actix_rt::test]
async fn parallel_sign_ins_upgrade_once() {
    let server = on().await;
    let script = legacy(&server).await;
    let user = server.user_with_hash("a", &bcrypt::hash(PASSWORD, 4).unwrap()).await;
    for answer in join_all((0..10).map(|_| script.password("a", PASSWORD))).await {
        answer.tokens();
    }
    assert_eq!(server.app.users.find(&user.id).await.unwrap().unwrap().version, 2);
}
