//! `key …`.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use auth_server::audit::{EventFilter, EventKind};
use auth_server::directory::EventPage;

use crate::support::Server;
use crate::{fails, json, run, succeeds};

/// Until the server has as many keys.
async fn takes_over(server: &Server, keys: usize) {
    for _ in 0..1200 {
        if server.app.keys.ids().len() == keys {
            return;
        }
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server does not take the new key over");
}

/// F-071, F-062: a new key by command signs nobody out: sessions, tokens and a refresh that is repeated in its grace go on.
#[actix_rt::test]
async fn a_rotation_of_the_master_key_signs_nobody_out() {
    let server = Server::with("lifetimes = { refresh_grace = 60 }").await;
    let config = server.config_file();
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let browser = alice.browser();
    let code = alice.authorize_in(&browser, &shop, &[]).await;
    let first = shop.redeem(&code).await.tokens();
    let second = shop.refresh(&first.refresh).await.tokens();
    let told = json(&succeeds(&run(&config, &["key", "rotate", "--json"], "")));
    let listed = json(&succeeds(&run(&config, &["key", "list", "--json"], "")));
    assert_eq!(told["keys"], listed);
    takes_over(&server, 2).await;
    let again = shop.refresh(&first.refresh).await.tokens();
    assert_eq!(
        (&again.access, &again.refresh),
        (&second.access, &second.refresh),
        "the same pair, made with the old key"
    );
    assert!(api.finds_active(&second.access).await);
    let third = shop.refresh(&second.refresh).await.tokens();
    assert_eq!(browser.get("/oauth/account/password").await.status, 200, "the session goes on");
    let server = server.restart().await;
    assert_eq!(shop.refresh(&second.refresh).await.tokens().refresh, third.refresh, "also after a restart");
    assert_eq!(browser.get("/oauth/account/password").await.status, 200);
    let kind = EventFilter { kind: Some(EventKind::KeysChanged), ..EventFilter::default() };
    let noted = server.app.audit.list(&kind, &EventPage::newest(10)).await.unwrap();
    assert_eq!(noted.len(), 1);
    assert_eq!(
        (noted[0].event.actor.as_deref(), noted[0].event.reason.as_deref()),
        (Some("command_line"), Some("rotated"))
    );
}

/// F-070: made on the first start for its owner only; a file that others may read, or that is no key, stops the start.
#[actix_rt::test]
async fn a_weak_or_exposed_master_key_is_refused() {
    let server = Server::unserved("").await;
    let (config, key) = (server.config_file(), server.folder().join("auth.key"));
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let good = std::fs::read_to_string(&key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(fails(&run(&config, &["serve"], "")).contains("chmod 600"));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    for weak in ["hunter2", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        std::fs::write(&key, weak).unwrap();
        let told = fails(&run(&config, &["serve"], ""));
        assert!(told.contains("256 bits") && !told.contains(weak), "{told}");
    }
    std::fs::write(&key, good).unwrap();
    succeeds(&run(&config, &["key", "list"], ""));
}

/// F-071: where several servers share a store, a key is known to all of them before one uses it.
#[actix_rt::test]
async fn a_key_is_staged_before_it_is_used() {
    let server = Server::start().await;
    let config = server.config_file();
    let used = succeeds(&run(&config, &["key", "list"], "")).trim().to_owned();
    let staged =
        json(&succeeds(&run(&config, &["key", "stage", "--json"], "")))["keys"][1].as_str().unwrap().to_owned();
    assert!(succeeds(&run(&config, &["key", "list"], "")).starts_with(&used));
    let told = succeeds(&run(&config, &["key", "rotate", "--to", &staged], ""));
    assert!(told.starts_with(&format!("{staged} is used from now on")), "{told}");
    assert!(fails(&run(&config, &["key", "rotate", "--to", "00000000"], "")).contains("no key 00000000"));
    let kept = json(&succeeds(&run(&config, &["key", "rotate", "--keep", "2", "--json"], "")));
    assert_eq!((kept["keys"].as_array().unwrap().len(), kept["dropped"][0].as_str()), (2, Some(used.as_str())));
    assert_eq!(run(&config, &["key", "rotate", "--keep", "1"], "").status.code(), Some(2));
}
