//! Scopes, clients and users from a file.

use auth_server::declare::{Action, Declaration, DeclareError, Kind, Options, apply, read};

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::support::{PASSWORD, Server, by};

const SECRET: &str = "q7Qw2ZL0mVnT4xkR9sYbC6dHfJgP1uEaIoKzXvN3M58";
const OTHER_SECRET: &str = "Zt5vB8nM2kL4jH6gF9dS1aP3oI7uY0rEwQxC-_KqT2s";

fn declared(text: &str) -> Declaration {
    toml::from_str(text).unwrap()
}

fn whole(secret: &str, name: &str) -> Declaration {
    declared(&format!(
        "[[scopes]]\nname = 'people:read'\ntext = 'Read people'\n\
         [[scopes]]\nname = 'people:admin'\ntext = 'Manage people'\nrole = 'admin'\n\
         [[clients]]\nclient_id = 'shop'\nclient_name = '{name}'\nclient_secret = '{secret}'\n\
         redirect_uris = ['https://shop.example/callback']\nscope = 'people:read people:admin'\n\
         [[users]]\nusername = 'alice'\npassword = '{PASSWORD}'\nroles = ['admin']\n"
    ))
}

async fn changes(server: &Server, declaration: &Declaration, options: Options) -> Vec<(Action, Kind, String)> {
    let report = apply(&server.app, declaration, options, &by()).await.unwrap();
    report.changes.into_iter().map(|change| (change.action, change.kind, change.name)).collect()
}

fn names(changes: &[(Action, Kind, String)]) -> Vec<&str> {
    changes.iter().map(|(_, _, name)| name.as_str()).collect()
}

/// applying is idempotent; afterwards everything works as if made by hand.
#[actix_rt::test]
async fn applying_twice_changes_nothing_the_second_time() {
    let server = Server::start().await;
    let declaration = whole(SECRET, "Shop");
    let first = changes(&server, &declaration, Options::default()).await;
    assert_eq!(names(&first), ["people:read", "people:admin", "shop", "alice"]);
    assert!(first.iter().all(|(action, ..)| *action == Action::Create));
    assert!(changes(&server, &declaration, Options::default()).await.is_empty());
    let alice = server.app.users.find_by_username("alice").await.unwrap().unwrap();
    assert!(alice.is_admin() && !alice.must_change);
    let request =
        server.http.post(server.endpoint("/token")).header("authorization", crate::support::basic("shop", SECRET));
    let answer = crate::Answer::of(request.form(&[("grant_type", "client_credentials")])).await;
    answer.refused("unauthorized_client");
}

/// servers that start at the same time on the same store declare the same things, and none of them fails.
#[actix_rt::test]
async fn what_several_declare_at_once_is_made_once() {
    let server = Server::start().await;
    let declaration = whole(SECRET, "Shop");
    let by = by();
    let all = (0..6).map(|_| apply(&server.app, &declaration, Options::default(), &by));
    let all: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    for name in ["shop", "alice"] {
        let made = all.iter().flat_map(|report| &report.changes).filter(|change| change.name == name);
        assert_eq!(made.map(|change| change.action).collect::<Vec<_>>(), [Action::Create], "{name}");
    }
}

/// the line at fault may hold a password, so it is named and not repeated.
#[actix_rt::test]
async fn a_fault_of_syntax_names_its_line_and_repeats_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("declared.toml");
    for bad in ["password = \"hunter2", "password = hunter2", "password = ['hunter2']", "password 'hunter2'"] {
        std::fs::write(&file, format!("[[users]]\nusername = 'alice'\n{bad}\n")).unwrap();
        let told = read(&file).unwrap_err().to_string();
        assert!(told.contains("declared.toml, line ") && !told.contains("hunter2"), "{told}");
    }
}

/// the file decides over clients, scopes and roles; a password is its owner's once the account is made.
#[actix_rt::test]
async fn a_changed_file_changes_what_it_declares() {
    let server = Server::start().await;
    server.user_with("root", PASSWORD, &["admin"]).await;
    changes(&server, &whole(SECRET, "Shop"), Options::default()).await;
    let mut next = whole(OTHER_SECRET, "New Shop");
    next.scopes[0].text = "See people".to_owned();
    next.users[0].roles.clear();
    next.users[0].password = Some(shared::Secret::new("a wholly different password"));
    let dry = Options { dry_run: true, ..Options::default() };
    let planned = changes(&server, &next, dry).await;
    assert_eq!(names(&planned), ["people:read", "shop", "alice"]);
    assert_eq!(changes(&server, &next, dry).await, planned, "a dry run does nothing");
    assert_eq!(changes(&server, &next, Options::default()).await, planned);
    assert!(changes(&server, &next, Options::default()).await.is_empty());
    let request = |secret| {
        server.http.post(server.endpoint("/token")).header("authorization", crate::support::basic("shop", secret))
    };
    let form = [("grant_type", "client_credentials")];
    crate::Answer::of(request(SECRET).form(&form)).await.refused("invalid_client");
    crate::Answer::of(request(OTHER_SECRET).form(&form)).await.refused("unauthorized_client");
    let alice = server.app.users.find_by_username("alice").await.unwrap().unwrap();
    assert!(alice.roles.is_empty());
    let mut person = server.user("bob").await;
    person.username = alice.username;
    assert_eq!(person.browser().sign_in(&person).await.status, 303, "the first password still opens");
}

/// H-008: a file can't take the role from the last admin, unless it gives it to another one.
#[actix_rt::test]
async fn a_file_does_not_demote_the_last_admin() {
    let server = Server::start().await;
    let user = |name: &str, roles: &str| {
        format!("[[users]]\nusername = '{name}'\npassword = '{PASSWORD}'\nroles = [{roles}]\n")
    };
    changes(&server, &declared(&user("alice", "'admin'")), Options::default()).await;
    let demoted = declared(&user("alice", ""));
    let error = apply(&server.app, &demoted, Options::default(), &by()).await.unwrap_err();
    assert!(matches!(&error, DeclareError::Faults(list) if list.len() == 1), "{error}");
    assert!(error.to_string().contains("user alice: roles: is the last one with the role admin"), "{error}");
    let handed_over = declared(&(user("alice", "") + &user("bob", "'admin'")));
    assert_eq!(names(&changes(&server, &handed_over, Options::default()).await), ["bob", "alice"]);
}

/// pruning takes out what an earlier file declared, and nothing that was made by hand; admins stay.
#[actix_rt::test]
async fn pruning_takes_out_only_what_was_declared() {
    let server = Server::start().await;
    let by_hand = server.shop().await;
    server.user("carol").await;
    let mut declaration = whole(SECRET, "Shop");
    declaration.users.push(declaration.users[0].clone());
    declaration.users[1].username = "bob".to_owned();
    declaration.users[1].roles.clear();
    changes(&server, &declaration, Options::default()).await;
    let prune = Options { prune: true, ..Options::default() };
    let rest = declared(
        "[[scopes]]\nname = 'read'\ntext = 'Text of read.'\n[[scopes]]\nname = 'write'\ntext = 'Text of write.'",
    );
    let removed = changes(&server, &rest, prune).await;
    assert_eq!(names(&removed), ["shop", "bob", "manage", "people:admin", "people:read"]);
    assert!(removed.iter().all(|(action, ..)| *action == Action::Remove));
    assert!(server.app.clients.read(&by_hand.id).await.unwrap().is_some());
    for (name, stays) in [("alice", true), ("bob", false), ("carol", true)] {
        assert_eq!(server.app.users.find_by_username(name).await.unwrap().is_some(), stays, "{name}");
    }
    assert!(changes(&server, &rest, prune).await.is_empty());
}

/// every fault is told at once, and none of the file is applied.
#[actix_rt::test]
async fn a_file_with_faults_changes_nothing() {
    let server = Server::start().await;
    let declaration = declared(
        "[[scopes]]\nname = 'two words'\ntext = ''\n\
         [[scopes]]\nname = 'good'\ntext = 'Good'\n\
         [[clients]]\nclient_id = 'u_1'\nclient_name = 'A'\nclient_secret = 'hunter2'\nscope = 'missing'\n\
         [[clients]]\nclient_id = 'b'\nclient_name = 'B'\nredirect_uris = ['http://b.example']\n\
         [[users]]\nusername = ' x'\nroles = ['a b']\n\
         [[users]]\nusername = 'short'\npassword = 'hunter2'\n\
         [[users]]\nusername = 'short'\npassword = 'hunter2'\n",
    );
    let error = apply(&server.app, &declaration, Options::default(), &by()).await.unwrap_err();
    let DeclareError::Faults(faults) = &error else { panic!("{error}") };
    for told in [
        "scope \"two words\"",
        "needs a text",
        "client u_1: scope: missing is not declared",
        "client u_1: client_id",
        "client b: redirect_uris",
        "user  x:",
        "\"a b\" is no role",
        "user short: is declared twice",
        "at least 15 characters",
        "password: is needed",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(told)), "{told} is missing in {faults:#?}");
    }
    assert!(!error.to_string().contains("hunter2"));
    assert!(server.app.scopes.registry().await.unwrap().get("good").is_none());
}

/// unknown keys are refused with their place; secrets come from files.
#[actix_rt::test]
async fn a_file_is_read_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("declare.toml");
    let read_text = |text: &str| {
        std::fs::write(&path, text).unwrap();
        read(&path).map(|declaration| declaration.clients.len()).map_err(|error| error.to_string())
    };
    std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
    let client = "[[clients]]\nclient_id = 'a'\nclient_name = 'A'\n";
    let secret = format!("client_secret = {{ file = '{}' }}\n", folder.path().join("secret").display());
    assert_eq!(read_text(&format!("{client}{secret}")), Ok(1));
    for (text, told) in [
        ("[[client]]\n", "client"),
        (&*format!("{client}require_pcke = false\n"), "require_pcke"),
        ("[[clients]]\nclient_name = 'A'\n", "client_id"),
        (&*format!("{client}client_secret = {{ file = '/nowhere' }}\n"), "/nowhere"),
        ("[[users]]\nname = 'x'\n", "name"),
        ("scopes = 5", "declare.toml"),
    ] {
        let error = read_text(text).unwrap_err();
        assert!(error.contains(told) && error.contains("declare.toml"), "{error}");
    }
}

/// the example in the repository is one.
#[actix_rt::test]
async fn the_example_file_can_be_applied() {
    let server = Server::start().await;
    let example = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/declare.toml"))).unwrap();
    let report = apply(&server.app, &example, Options { generate: true, ..Options::default() }, &by()).await.unwrap();
    let generated: Vec<&str> =
        report.changes.iter().filter(|change| change.generated.is_some()).map(|change| change.name.as_str()).collect();
    assert_eq!(generated, ["shop", "people-api", "nightly", "alice"]);
    assert!(!format!("{report:?}").contains(report.changes[2].generated.as_ref().unwrap().expose()));
}

/// the configured file is applied before the first request, and again at SIGHUP; a faulty one changes nothing then.
#[actix_rt::test]
async fn the_configured_file_is_applied_at_start_and_at_sighup() {
    let server = Server::unserved("declare = 'DECLARED'").await;
    let file = server.folder().join("declared.toml");
    let config = std::fs::read_to_string(server.config_file()).unwrap();
    std::fs::write(server.config_file(), config.replace("DECLARED", file.to_str().unwrap())).unwrap();
    let scope = |text: &str| format!("[[scopes]]\nname = 'people:read'\ntext = '{text}'\n");
    std::fs::write(&file, scope("One")).unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_auth-server"))
        .args(["serve", "--config"])
        .arg(server.config_file())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_for_text(&server, "One").await;
    let hang_up = || std::process::Command::new("kill").args(["-HUP", &program.id().to_string()]).status().unwrap();
    std::fs::write(&file, "scopes = 5").unwrap();
    assert!(hang_up().success());
    std::fs::write(&file, scope("Two")).unwrap();
    // Signals that come together count once.
    let end = Instant::now() + Duration::from_secs(60);
    while text(&server).await != "Two" {
        assert!(Instant::now() < end, "the new file was not applied");
        hang_up();
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(program.try_wait().unwrap().is_none(), "the faulty file ended the program");
    program.kill().unwrap();
    program.wait().unwrap();
}

/// What the store says of the declared scope, past what this process remembers.
async fn text(server: &Server) -> String {
    let app = auth_server::App::open(server.app.config.clone()).await.unwrap();
    app.scopes.registry().await.unwrap().get("people:read").map(|scope| scope.text.clone()).unwrap_or_default()
}

async fn wait_for_text(server: &Server, expected: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while text(server).await != expected {
        assert!(Instant::now() < end, "the file was not applied");
        actix_rt::time::sleep(Duration::from_millis(50)).await;
    }
}
