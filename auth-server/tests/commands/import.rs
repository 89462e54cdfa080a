//! `import-sentinel`. The documents in `fixtures` were written by Flask-Sentinel 0.0.8's own storage code.

use std::path::{Path, PathBuf};

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use serde_json::json;
use shared::store::{Mongo, servers};

use crate::support::{Client, Person, Server};
use crate::{fails, json, run, succeeds};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn import(server: &Server, more: &[&str]) -> serde_json::Value {
    let (users, clients) = (fixture("sentinel-users.jsonl"), fixture("sentinel-clients.jsonl"));
    let files =
        ["import-sentinel", "--users", users.to_str().unwrap(), "--clients", clients.to_str().unwrap(), "--json"];
    json(&succeeds(&run(&server.config_file(), &[&files, more].concat(), "")))
}

async fn hash(server: &Server, name: &str) -> String {
    server.app.users.find_by_username(name).await.unwrap().unwrap().password_hash.unwrap()
}

/// H-010, F-003, B-062, B-066: imported users sign in with their old passwords, by the password grant in Flask-Sentinel's shape
/// and by the code flow, whatever bcrypt wrote; then their hashes are argon2id. Importing again changes nothing.
#[actix_rt::test]
async fn users_of_flask_sentinel_sign_in_as_before() {
    let server = Server::with("password_grant = true").await;
    let dry = import(&server, &["--dry-run"]);
    assert_eq!((dry["users"]["imported"].as_u64(), dry["clients"]["imported"].as_u64()), (Some(3), Some(1)));
    assert!(server.app.users.find_by_username("jonas").await.unwrap().is_none(), "a dry run writes nothing");
    let report = import(&server, &[]);
    assert_eq!(report["users"], json!({"imported": 3, "existing": 0, "skipped": [], "notes": []}));
    assert_eq!(report["clients"], json!({"imported": 1, "existing": 0, "skipped": [], "notes": []}));
    let document = std::fs::read_to_string(fixture("sentinel-clients.jsonl")).unwrap();
    let id = json(document.trim())["client_id"].as_str().unwrap().to_owned();
    for (name, scheme) in [("jonas", "$2b$"), ("mira", "$2a$"), ("otto", "$2y$")] {
        assert!(hash(&server, name).await.starts_with(scheme));
    }
    let old: Client = server.public_client(&id);
    let answer = old.password("jonas", "pass of jonas").await;
    let told = answer.json();
    assert_eq!((told["token_type"].as_str(), told["scope"].as_str()), (Some("Bearer"), Some("")));
    assert!(told["refresh_token"].is_string() && told["expires_in"].is_u64());
    old.password("mira", "pass of jonas").await.refused("invalid_grant");
    old.password("mira", "pass of mira").await.tokens();
    let shop = server.shop().await;
    let otto: Person = server.person("otto", "pass of otto").await;
    otto.tokens(&shop).await;
    for name in ["jonas", "mira", "otto"] {
        assert!(hash(&server, name).await.starts_with("$argon2id$"), "{name}");
    }
    assert!(otto.id.starts_with("u_") && otto.id.len() == 26, "the old ObjectId is in it");
    let again = import(&server, &[]);
    assert_eq!((again["users"]["imported"].as_u64(), again["users"]["existing"].as_u64()), (Some(0), Some(3)));
    assert!(hash(&server, "jonas").await.starts_with("$argon2id$"), "what was renewed stays");
}

/// H-010: what can't be taken over is told with its place and reason, without its hash; the rest is taken.
#[actix_rt::test]
async fn what_is_skipped_is_told_with_its_reason() {
    let server = Server::start().await;
    server.user("taken").await;
    let hash = "$2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234";
    let binary = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(hash)
    };
    let users = [
        json!({"_id": {"$oid": "5f0000000000000000000001"}, "username": "good", "hashpw": {"$binary": binary, "$type": "00"}, "roles": ["editor", "admin"]}).to_string(),
        "{ no JSON".to_owned(),
        json!({"_id": {"$oid": "5f0000000000000000000002"}, "hashpw": hash}).to_string(),
        json!({"_id": {"$oid": "5f0000000000000000000003"}, "username": "plain", "hashpw": "hunter2"}).to_string(),
        json!({"_id": {"$oid": "5f0000000000000000000004"}, "username": "costly", "hashpw": hash.replace("$04$", "$20$")}).to_string(),
        json!({"_id": {"$oid": "5f0000000000000000000005"}, "username": "taken", "hashpw": hash}).to_string(),
    ];
    let clients = json!([
        {"client_id": "web", "client_type": "confidential", "client_secret": "a/b", "redirect_uris": ["https://web.example/cb", "http://web.example/cb"]},
        {"client_id": "no secret", "client_type": "public"},
        {"client_id": "bare", "client_type": "confidential"},
    ]);
    let (user_file, client_file) = (server.folder().join("users.json"), server.folder().join("clients.json"));
    std::fs::write(&user_file, users.join("\n")).unwrap();
    std::fs::write(&client_file, clients.to_string()).unwrap();
    let arguments = [
        "import-sentinel",
        "--users",
        user_file.to_str().unwrap(),
        "--clients",
        client_file.to_str().unwrap(),
        "--scope",
        "read",
    ];
    let told = succeeds(&run(&server.config_file(), &arguments, ""));
    for part in [
        "users: 1 imported, 0 here already, 5 skipped",
        "line 2: is no JSON document",
        "line 3: has no username",
        "line 4: plain: hashpw is no bcrypt hash",
        "line 5: costly: hashpw is no bcrypt hash",
        "line 6: taken: another account has this user name",
        "good: the role admin was not taken over",
        "clients: 1 imported, 0 here already, 2 skipped",
        "web: the redirect URI http://web.example/cb was left out",
        "web: the secret has characters that a Basic header must form-encode",
        "no secret: client_id",
        "bare: is confidential and has no client_secret",
        "password_grant is off",
    ] {
        assert!(told.contains(part), "{part} is missing in:\n{told}");
    }
    assert!(!told.contains("hunter2") && !told.contains("abcdefghijklmnopqrstuu"), "a hash is told");
    let web = server.app.clients.read("web").await.unwrap().unwrap();
    assert_eq!((web.scopes.to_string().as_str(), web.redirect_uris.len()), ("read", 1));
    let good = server.app.users.find("u_5f0000000000000000000001").await.unwrap().unwrap();
    assert_eq!((good.roles.as_slice(), good.created_at), (&["editor".to_owned()][..], 0x5f00_0000));
    assert!(fails(&run(&server.config_file(), &["import-sentinel", "--users", "/nowhere"], "")).contains("/nowhere"));
    for nothing in [&["import-sentinel"][..], &["import-sentinel", "--dry-run"]] {
        assert_eq!(run(&server.config_file(), nothing, "").status.code(), Some(2), "{nothing:?}");
    }
}

/// B-022: an imported secret that a Basic header must form-encode is right in both forms, and in the body; a stranger's is not.
#[actix_rt::test]
async fn an_imported_secret_with_special_characters_is_accepted_as_old_programs_send_it() {
    let server = Server::with("password_grant = true").await;
    server.user("alice").await;
    let file = server.folder().join("clients.json");
    let documents = ["a+b/c=d", "100%:sure"].map(|secret| {
        json!({"client_id": format!("web{}", secret.len()), "client_type": "confidential", "client_secret": secret})
    });
    std::fs::write(&file, json!(documents).to_string()).unwrap();
    let report =
        succeeds(&run(&server.config_file(), &["import-sentinel", "--clients", file.to_str().unwrap(), "--json"], ""));
    assert!(report.contains("lenient_basic"), "{report}");
    let attempt = async |pair: String| {
        use base64::Engine as _;
        let header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let form = [("grant_type", "password"), ("username", "alice"), ("password", crate::support::PASSWORD)];
        let request = server.http.post(server.endpoint("/token")).header("authorization", header).form(&form);
        crate::support::Answer::of(request).await.status
    };
    for (id, plain, encoded) in [("web7", "a+b/c=d", "a%2Bb%2Fc%3Dd"), ("web9", "100%:sure", "100%25%3Asure")] {
        assert_eq!(attempt(format!("{id}:{plain}")).await, 200, "{plain}");
        assert_eq!(attempt(format!("{id}:{encoded}")).await, 200, "{encoded}");
        assert_eq!(attempt(format!("{id}:{plain}x")).await, 401);
        server.change_client(id, |client| client.flags.lenient_basic = false).await;
        assert_eq!(attempt(format!("{id}:{plain}")).await, 401, "only where the client has the flag");
        assert_eq!(attempt(format!("{id}:{encoded}")).await, 200);
    }
}

/// H-010, F-022, decisions 24: accounts whose hash takes too long to check are told in the dry run as in the import, with the
/// setting that helps, or that nothing but a new password does.
#[actix_rt::test]
async fn hashes_that_take_too_long_are_told_with_what_helps() {
    let server = Server::with("passwords.failure_floor = 100").await;
    let document = |number: u32, cost: u32| {
        let hash = format!("$2b${cost:02}$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234");
        json!({"_id": {"$oid": format!("5f000000000000000000000{number}")}, "username": format!("cost{cost}"), "hashpw": hash})
            .to_string()
    };
    let file = server.folder().join("users.json");
    std::fs::write(&file, [document(1, 4), document(2, 12), document(3, 16)].join("\n")).unwrap();
    let arguments = ["import-sentinel", "--users", file.to_str().unwrap(), "--dry-run"];
    let dry = succeeds(&run(&server.config_file(), &arguments, ""));
    let told = succeeds(&run(&server.config_file(), &arguments[..3], ""));
    for told in [&dry, &told] {
        let line = |name: &str| told.lines().find(|line| line.contains(&format!("{name}: can't sign in: its hash")));
        assert!(line("cost4").is_none(), "{told}");
        assert!(line("cost12").is_some_and(|line| line.contains("failure_floor is 100; raise that to ")), "{told}");
        assert!(line("cost16").is_some_and(|line| line.contains("give this account a new password")), "{told}");
        assert!(told.contains("2 accounts have hashes that take longer to check"), "{told}");
    }
    let again = succeeds(&run(&server.config_file(), &[&arguments[..3], &["--json"]].concat(), ""));
    assert_eq!(json(&again)["users"]["existing"], 3);
}

/// H-010, F-003: straight from the database that Flask-Sentinel's own code wrote, which is only read. An old password opens the
/// door by the password grant and by the pages of the code flow, is argon2id from then on, and goes on opening it; old client
/// ids, and secrets that a fork of it had, do too.
#[actix_rt::test]
#[allow(clippy::disallowed_methods, reason = "tests are told by variables what is installed")]
async fn a_database_of_flask_sentinel_is_taken_over_as_it_is() {
    let (Some(url), Ok(python)) = (servers::mongodb(), std::env::var("TEST_SENTINEL_PYTHON")) else {
        assert!(std::env::var("CI").is_err(), "TEST_SENTINEL_PYTHON must be set where CI is");
        return;
    };
    // The old driver knows few of the options that URLs have by now.
    let plain = url.expose().split('?').next().unwrap().to_owned();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sentinel_database.py");
    let people = ["jonas", "pass of jonas", "mira", "pass of mira"];
    let made = std::process::Command::new(python).arg(script).arg(plain).args(people).output().unwrap();
    let id = succeeds(&made).trim().to_owned();
    let database = Mongo::connect(&url, "unused").await.unwrap().database().clone();
    let (users, clients) = (database.collection::<Document>("users"), database.collection::<Document>("clients"));
    let of_a_fork = doc! { "client_id": "till", "client_type": "confidential", "client_secret": "secret of the till" };
    clients.insert_one(of_a_fork).await.unwrap();
    users.insert_one(doc! { "_id": "x", "username": "broken", "hashpw": "hunter2" }).await.unwrap();
    let before = contents(&database).await;

    let server = Server::with("password_grant = true").await;
    let import = |more: &[&str]| {
        let report =
            succeeds(&run(&server.config_file(), &[&["import-sentinel", url.expose(), "--json"], more].concat(), ""));
        json(&report)
    };
    assert_eq!(import(&["--dry-run"])["users"]["imported"], 2);
    assert!(server.app.users.find_by_username("jonas").await.unwrap().is_none(), "a dry run writes nothing");
    let report = import(&[]);
    assert_eq!((&report["users"]["imported"], &report["clients"]["imported"]), (&json!(2), &json!(2)));
    let skipped = &report["users"]["skipped"][0];
    assert_eq!(skipped["place"], "users, _id \"x\"");
    assert!(skipped["reason"].as_str().unwrap().starts_with("broken: hashpw is no bcrypt hash"), "{skipped}");
    assert_eq!(contents(&database).await, before, "the old database is only read");

    let old: Client = server.public_client(&id);
    let shop = server.shop().await;
    let jonas: Person = server.person("jonas", "pass of jonas").await;
    let mira: Person = server.person("mira", "pass of mira").await;
    assert!(hash(&server, "jonas").await.starts_with("$2b$"));
    old.password("jonas", "pass of mira").await.refused("invalid_grant");
    old.password("jonas", "pass of jonas").await.tokens();
    mira.tokens(&shop).await;
    for (name, person, password) in [("jonas", &jonas, "pass of jonas"), ("mira", &mira, "pass of mira")] {
        assert!(hash(&server, name).await.starts_with("$argon2id$"), "{name}");
        person.tokens(&shop).await;
        old.password(name, password).await.tokens();
    }
    let mut till = server.public_client("till");
    till.secret = Some("another secret".to_owned());
    till.password("mira", "pass of mira").await.refused("invalid_client");
    till.secret = Some("secret of the till".to_owned());
    till.password("mira", "pass of mira").await.tokens();
    let again = import(&[]);
    assert_eq!((&again["users"]["existing"], &again["clients"]["existing"]), (&json!(2), &json!(2)));
    assert!(hash(&server, "jonas").await.starts_with("$argon2id$"), "what was renewed stays");
}

/// Every document of the old database.
async fn contents(database: &mongodb::Database) -> Vec<Document> {
    let mut all = Vec::new();
    for name in ["users", "clients"] {
        let found = database.collection::<Document>(name).find(doc! {}).await.unwrap();
        all.extend(found.try_collect::<Vec<_>>().await.unwrap());
    }
    all
}

/// H-011: what is wrong with the source is said in one line, without the password of its URL, and nothing is written.
#[actix_rt::test]
async fn a_source_that_cannot_be_read_is_named_without_its_password() {
    let server = Server::start().await;
    let refused = |url: &str| run(&server.config_file(), &["import-sentinel", url], "");
    let file = server.folder().join("source");
    std::fs::write(&file, "mongodb://old:hunter2@127.0.0.1:9/oauth\n").unwrap();
    let by_file = format!("@{}", file.display());
    for url in ["mongodb://old:hunter2@127.0.0.1:9/oauth", by_file.as_str()] {
        let told = fails(&refused(url));
        assert!(told.starts_with("error: Flask-Sentinel's database: the store is not available"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let told = fails(&refused("mongodb://old:hunter2@[/oauth"));
    assert!(told.contains("can't be read") && !told.contains("hunter2"), "{told}");
    let told = fails(&refused("postgres://old:hunter2@host/oauth"));
    assert!(told.contains("`postgres` is not a store") && !told.contains("hunter2"), "{told}");
    assert!(fails(&refused("@/nowhere")).contains("/nowhere"));
    let other = refused("redis://:hunter2@host/0");
    let told = String::from_utf8(other.stderr).unwrap();
    assert!(other.status.code() == Some(2) && told.contains("in MongoDB") && !told.contains("hunter2"), "{told}");
    let both = run(&server.config_file(), &["import-sentinel", "mongodb://old:hunter2@host/x", "--users", "u"], "");
    let told = String::from_utf8(both.stderr).unwrap();
    assert!(both.status.code() == Some(2) && !told.contains("hunter2"), "{told}");
    if let Some(empty) = servers::mongodb() {
        assert!(fails(&refused(empty.expose())).contains("has neither users nor clients"));
    }
}
