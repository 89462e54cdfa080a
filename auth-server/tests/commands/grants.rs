//! `grant …`.

use crate::support::Server;
use crate::{fails, json, run, succeeds};

/// D-039, H-009, H-011, F-062: grants are listed without a token, and revoked singly or all; the log knows of it.
#[actix_rt::test]
async fn grants_are_listed_and_revoked_by_command() {
    let server = Server::start().await;
    let config = server.config_file();
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let page = server.spa().await;
    let (first, second, other) = (alice.tokens(&shop).await, alice.tokens(&shop).await, alice.tokens(&page).await);
    let listed = json(&succeeds(&run(&config, &["grant", "list", "--user", "alice", "--json"], "")));
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert!(!listed.to_string().contains(&first.access) && !listed.to_string().contains("oat_"));
    let of_page = json(&succeeds(&run(&config, &["grant", "list", "--client", &page.id, "--json"], "")));
    assert_eq!(
        (of_page[0]["username"].as_str(), of_page[0]["grant_type"].as_str()),
        (Some("alice"), Some("authorization_code"))
    );
    let id = of_page[0]["id"].as_str().unwrap();
    assert!(succeeds(&run(&config, &["grant", "list", "--user", "alice"], "")).contains(id));
    let told_of = (api.introspect(&other.access).await, api.introspect(&first.access).await);
    let mut following = api.follow().await;
    succeeds(&run(&config, &["grant", "revoke", id], ""));
    // D-039: the server tells what another process ended.
    following.hears_of(&told_of.0).await;
    assert!(!api.finds_active(&other.access).await && api.finds_active(&first.access).await);
    assert!(fails(&run(&config, &["grant", "revoke", id], "")).contains("no such grant"));
    let told = succeeds(&run(&config, &["grant", "revoke", "--user", "alice", "--client", &shop.id], ""));
    assert_eq!(told, "revoked 2 grants with all tokens\n");
    following.hears_of(&told_of.1).await;
    assert!(!api.finds_active(&first.access).await && !api.finds_active(&second.access).await);
    shop.refresh(&second.refresh).await.refused("invalid_grant");
    assert_eq!(run(&config, &["grant", "list"], "").status.code(), Some(2));
    let nothing = run(&config, &["grant", "revoke"], "");
    assert_eq!(nothing.status.code(), Some(2));
    assert!(
        String::from_utf8(nothing.stderr).unwrap().contains("a grant's id (`grant list` shows it), --user, --client")
    );
    assert_eq!(run(&config, &["grant", "revoke", "x"], "").status.code(), Some(2));
    let log = succeeds(&run(&config, &["audit", "export", "--who", "command_line"], ""));
    let kinds: Vec<_> = log.lines().map(|line| json(line)["kind"].as_str().unwrap().to_owned()).collect();
    assert!(kinds.ends_with(&["token_revoked".to_owned(), "grants_revoked".to_owned()]), "{kinds:?}");
}
