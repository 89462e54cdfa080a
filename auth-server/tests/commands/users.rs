//! `user …`.

use crate::support::{PASSWORD, Server};
use crate::{fails, json, run, succeeds};

/// H-011: a user made by command signs in at the running server at once.
#[actix_rt::test]
async fn a_user_made_by_command_signs_in() {
    let server = Server::start().await;
    let config = server.config_file();
    let made = json(&succeeds(&run(&config, &["user", "create", "alice", "--role", "admin", "--json"], "")));
    assert!(made["id"].as_str().unwrap().starts_with("u_") && made["roles"][0] == "admin");
    let typed = succeeds(&run(&config, &["user", "create", "bob", "--password-stdin"], &format!("{PASSWORD}\n")));
    assert!(typed.starts_with("created bob (u_") && !typed.contains(PASSWORD));
    for (name, password) in [("alice", made["password"].as_str().unwrap()), ("bob", PASSWORD)] {
        let mut person = server.user(&format!("not-{name}")).await;
        (person.username, person.password) = (name.to_owned(), password.to_owned());
        assert_eq!(person.browser().sign_in(&person).await.status, 303, "{name}");
    }
    let listed = json(&succeeds(&run(&config, &["user", "list", "--json", "--search", "ali"], "")));
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "not-alice"]);
    assert!(!listed.to_string().contains("hash") && !listed.to_string().contains("argon2"));
    let table = succeeds(&run(&config, &["user", "list"], ""));
    assert!(table.starts_with("USER NAME") && table.contains("admin"), "{table}");
}

/// H-004, B-084, H-011: what a command takes away, the running server takes away at once.
#[actix_rt::test]
async fn disabling_and_enabling_by_command_counts_at_the_running_server() {
    let server = Server::start().await;
    let config = server.config_file();
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let tokens = alice.tokens(&shop).await;
    assert_eq!(succeeds(&run(&config, &["user", "disable", "alice"], "")), "alice is disabled\n");
    assert!(!api.finds_active(&tokens.access).await);
    shop.refresh(&tokens.refresh).await.refused("invalid_grant");
    assert_ne!(alice.browser().sign_in(&alice).await.status, 303);
    assert!(succeeds(&run(&config, &["user", "show", "alice"], "")).contains("disabled"));
    succeeds(&run(&config, &["user", "enable", &alice.id], ""));
    assert_eq!(alice.browser().sign_in(&alice).await.status, 303);
    assert!(fails(&run(&config, &["user", "disable", "nobody"], "")).contains("there is no user nobody"));
}

/// F-014, B-084: a password set by command ends what the old one began and serves once, unless it is to stay.
#[actix_rt::test]
async fn a_password_set_by_command_replaces_the_old_one() {
    let server = Server::start().await;
    let config = server.config_file();
    let (mut alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let tokens = alice.tokens(&shop).await;
    let told = json(&succeeds(&run(&config, &["user", "set-password", "alice", "--json"], "")));
    assert_eq!(told["must_change_password"], true);
    assert!(!api.finds_active(&tokens.access).await);
    assert_ne!(alice.browser().sign_in(&alice).await.status, 303, "the old password is good no more");
    alice.password = told["password"].as_str().unwrap().to_owned();
    let answer = alice.browser().sign_in(&alice).await;
    assert!(answer.header("location").starts_with("/oauth/account/password"), "{answer:?}");
    let typed = "a password that stays good";
    succeeds(&run(&config, &["user", "set-password", "alice", "--password-stdin", "--permanent"], typed));
    alice.password = typed.to_owned();
    alice.tokens(&shop).await;
    let short = run(&config, &["user", "set-password", "alice", "--password-stdin"], "short");
    assert!(fails(&short).contains("at least 15"));
}

/// H-004: roles are added and taken one by one.
#[actix_rt::test]
async fn roles_are_changed_by_command() {
    let server = Server::start().await;
    let config = server.config_file();
    server.user("alice").await;
    server.user_with("root", PASSWORD, &["admin"]).await;
    let roles = |arguments: &[&str]| succeeds(&run(&config, &[&["user", "roles", "alice"], arguments].concat(), ""));
    assert_eq!(roles(&["--add", "admin", "--add", "editor"]), "admin\neditor\n");
    assert_eq!(roles(&["--add", "editor", "--remove", "admin"]), "editor\n");
    assert_eq!(json(&roles(&["--json"])), serde_json::json!(["editor"]));
    assert!(fails(&run(&config, &["user", "roles", "alice", "--remove", "admin"], "")).contains("does not have"));
    assert!(fails(&run(&config, &["user", "roles", "alice", "--add", "a b"], "")).contains("is no role"));
}

/// H-004: sessions and accounts end by command; a script must say that it means it.
#[actix_rt::test]
async fn sessions_and_accounts_end_by_command() {
    let server = Server::start().await;
    let config = server.config_file();
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let browser = alice.browser();
    alice.authorize_in(&browser, &shop, &[]).await;
    let tokens = alice.tokens(&shop).await;
    let shown = json(&succeeds(&run(&config, &["user", "show", "alice", "--json"], "")));
    assert_eq!((shown["sessions"].as_u64(), shown["password"].as_str()), (Some(2), Some("argon2id")));
    assert!(!shown.to_string().contains("$argon2id"));
    succeeds(&run(&config, &["user", "end-sessions", "alice"], ""));
    assert_eq!(browser.get("/oauth/account/password").await.status, 303, "the browser must sign in again");
    assert!(api.finds_active(&tokens.access).await, "tokens stay");
    let asked = run(&config, &["user", "delete", "alice"], "");
    assert_eq!(asked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"));
    succeeds(&run(&config, &["user", "delete", "alice", "--yes"], ""));
    assert!(!api.finds_active(&tokens.access).await);
    assert!(fails(&run(&config, &["user", "show", "alice"], "")).contains("there is no user alice"));
}

/// F-043, H-011: an account that wrong passwords closed is reopened by command.
#[actix_rt::test]
async fn a_closed_account_is_reopened_by_command() {
    let server = Server::with("throttle = { close_account = 3, name_and_network = 100, name = 100 }").await;
    let config = server.config_file();
    let alice = server.user("alice").await;
    let mut wrong = alice.clone();
    wrong.password = "a wrong password of alice".to_owned();
    for _ in 0..3 {
        wrong.browser().sign_in(&wrong).await;
    }
    assert_ne!(alice.browser().sign_in(&alice).await.status, 303);
    assert!(succeeds(&run(&config, &["user", "show", "alice"], "")).contains("closed after too many wrong passwords"));
    succeeds(&run(&config, &["user", "unlock", "alice"], ""));
    assert_eq!(alice.browser().sign_in(&alice).await.status, 303);
}

/// H-008: the last admin stays, by command as in the console.
#[actix_rt::test]
async fn the_last_admin_stays() {
    let server = Server::start().await;
    let config = server.config_file();
    server.user_with("root", PASSWORD, &["admin"]).await;
    for arguments in [
        &["user", "disable", "root"][..],
        &["user", "roles", "root", "--remove", "admin"],
        &["user", "delete", "root", "--yes"],
    ] {
        let told = fails(&run(&config, arguments, ""));
        assert!(told.contains("make another admin first"), "{told}");
    }
    server.user_with("other", PASSWORD, &["admin"]).await;
    succeeds(&run(&config, &["user", "disable", "root"], ""));
    assert!(fails(&run(&config, &["user", "disable", "other"], "")).contains("make another admin first"));
}
