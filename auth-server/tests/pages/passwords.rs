//! Choosing a password: what is refused, wherever it is set (F-010 to F-012).

use auth_server::accounts::{NewUser, create_user};
use auth_server::declare::{DeclareError, Options, apply};
use shared::Secret;

use crate::is_page;
use crate::login::change_password;
use crate::support::{PASSWORD, Person, Server, by};

/// Passwords for alice that others know, and what the refusal says.
const KNOWN: [(&str, &str); 3] = [
    ("Passw0rd-Passw0rd", "one of those that everybody tries first"),
    ("AliceAliceAlice1", "the user name"),
    ("a rosebud, a sledge", "on this service&#x27;s list"),
];

/// With a list of its operator's.
async fn server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.txt");
    std::fs::write(&list, "A Rosebud, a Sledge\n").unwrap();
    let passwords = format!("passwords = {{ failure_floor = 0, blocklist = '{}' }}", list.display());
    (folder, Server::with(&passwords).await)
}

/// F-012: a person can't choose it.
#[actix_rt::test]
async fn known_passwords_are_refused_on_the_account_page() {
    let (_folder, server) = server().await;
    let alice = server.user("alice").await;
    let browser = alice.browser();
    browser.sign_in(&alice).await;
    let page = browser.get("/oauth/account/password").await;
    for (password, told) in KNOWN {
        let refused = change_password(&browser, &page, PASSWORD, password).await;
        is_page(&refused, 400);
        assert!(refused.body.contains(told) && refused.body.contains("id=\"new-error\""), "{told}: {}", refused.body);
    }
    assert_eq!(alice.browser().sign_in(&alice).await.status, 303);
}

/// F-012: nor can an admin for somebody, by the command line or in a declared file; nothing is made. (The console sets none but
/// generated ones.)
#[actix_rt::test]
async fn known_passwords_are_refused_wherever_an_admin_sets_them() {
    let (_folder, server) = server().await;
    for (password, told) in KNOWN {
        let told = told.replace("&#x27;", "'");
        let new = NewUser {
            username: "alice".to_owned(),
            password: Some(Secret::new(password)),
            roles: Vec::new(),
            must_change: true,
            declared: false,
        };
        let fault = create_user(&server.app, new, &by()).await.err().unwrap();
        assert_eq!(fault.field(), Some("password"));
        assert!(fault.to_string().contains(&told), "{fault}");
        let file = format!("[[users]]\nusername = 'alice'\npassword = '{password}'\n");
        let Err(DeclareError::Faults(faults)) =
            apply(&server.app, &toml::from_str(&file).unwrap(), Options::default(), &by()).await
        else {
            panic!("{password} was taken")
        };
        assert!(faults.iter().any(|fault| fault.contains(&told)), "{faults:?}");
    }
    assert!(server.app.users.find_by_username("alice").await.unwrap().is_none());
}

/// F-010, F-011: letters alone, digits alone, spaces, any script: what is long enough and not known is taken, and it never
/// has to be renewed.
#[actix_rt::test]
async fn long_passwords_of_any_kind_are_taken() {
    let (_folder, server) = server().await;
    let mut alice: Person = server.user("alice").await;
    let year_ago = shared::clock::now() - 366 * 86_400;
    server.change_user(&alice.id, |user| user.created_at = year_ago).await;
    for password in [
        "only lower letters",
        "829145730264918",
        "пароль длинный",
        "  spaces  count  ",
        "🦊🐢🌵🍉🚲🎻🧭🪁🛶🥁🔭🧶🪴🎲🦉",
    ] {
        let browser = alice.browser();
        assert_eq!(browser.sign_in(&alice).await.header("location"), "/oauth/", "no change is demanded");
        let page = browser.get("/oauth/account/password").await;
        assert!(!page.body.contains("pattern=") && !page.body.contains("onpaste"), "{}", page.body);
        let answer = change_password(&browser, &page, &alice.password, password).await;
        let long = password.chars().count() >= 15;
        assert_eq!(answer.status, if long { 303 } else { 400 }, "{password}: {}", answer.body);
        if long {
            alice.password = password.to_owned();
        }
    }
}

/// F-012, X-034: a list that can't be read stops the start, and is named.
#[actix_rt::test]
async fn a_missing_list_stops_the_start() {
    let server = Server::start().await;
    let mut config = server.app.config.clone();
    config.passwords.blocklist = Some("/nowhere/list.txt".into());
    let told = auth_server::App::open(config).await.err().unwrap().to_string();
    assert!(told.contains("passwords.blocklist") && told.contains("/nowhere/list.txt"), "{told}");
}
