//! `evergate migrate`: a stack with real data goes from its files to MongoDB and back.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "support/processes.rs"]
mod processes;
#[path = "migration/site.rs"]
mod site;

use std::process::{Command, Stdio};
use std::time::Duration;

use bson::doc;
use serde_json::Value;
use shared::Secret;
use shared::store::{Mongo, servers};

use site::{Site, dump, in_database};

/// Documents and answers, tokens and sessions, the audit log: all of it is there after the move, and again in a file after the way
/// back.
#[actix_rt::test]
async fn a_stack_moves_to_mongodb_and_back_and_nobody_notices() {
    let Some(mongo) = servers::mongodb() else { return };
    let site = Site::with_things(200);
    let first = site.run("");
    let tokens = site.tokens(&first).await;
    let cookie = site.signed_in(&first).await;
    let answers = site.answers(&first, &tokens).await;
    assert!(answers.len() > 8 && answers.iter().all(|answer| answer.contains("200 OK")), "{answers:?}");

    let refused = site.migrate(&["--to", mongo.expose()]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && told.contains("auth.db is in use"), "{told}");
    drop(first);

    let forth = site.moved(&["--to", mongo.expose()]);
    let back = site.moved(&["--from", mongo.expose(), "--to", "sqlite:back.db", "--domain", "domain.json"]);
    assert_eq!(digests(&forth), digests(&back));
    for (service, kind, least) in [
        ("auth-server", "users", 2),
        ("auth-server", "clients", 3),
        ("auth-server", "audit", 5),
        ("auth-server", "expiring", 4),
        ("resource-api", "things", 205),
    ] {
        let found = digests(&forth).into_iter().find(|(of, name, ..)| (of.as_str(), name.as_str()) == (service, kind));
        assert!(found.as_ref().is_some_and(|(.., records, _)| *records >= least), "{kind}: {found:?}");
    }
    let (auth, api) = (site.path("data/auth.db"), site.path("data/api.db"));
    let both = dump(&site.path("back.db"));
    for (file, tables) in [(auth, 8), (api, 2)] {
        let before = dump(&file);
        assert!(before.len() >= tables, "{:?}", before.keys());
        for (table, rows) in before {
            assert_eq!(both.get(&table), Some(&rows), "{table}");
        }
    }

    let sessions = servers::redis().unwrap();
    let client = site.moved(&["--service", "client", "--to", sessions.expose()]);
    assert_eq!(client["services"][0]["service"], "oauth-client", "{client}");
    let clients_store = format!("[client.settings]\nstore = '{}'\n", sessions.expose());
    let second = site.run(&[in_database(mongo.expose()), clients_store].concat());
    assert_eq!(site.answers(&second, &tokens).await, answers, "the token of before the move is good");
    assert!(site.is_signed_in(&second, &cookie).await, "the browser's session goes on");
    let renewed = site.refreshed(&second, &tokens).await;
    assert_eq!(site.answers(&second, &renewed).await, answers);
    site.changes_a_thing(&second, &renewed).await;
    let answers = site.answers(&second, &renewed).await;
    drop(second);

    // To files of a stack that has none.
    std::fs::rename(site.path("data/auth.db"), site.path("auth.before")).unwrap();
    std::fs::rename(site.path("data/api.db"), site.path("api.before")).unwrap();
    site.moved(&["--from", mongo.expose()]);
    let third = site.run("");
    assert_eq!(site.answers(&third, &renewed).await, answers);
    assert!(site.is_signed_in(&third, &cookie).await);
}

/// By service and kind, how many and which.
fn digests(report: &Value) -> Vec<(String, String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |service: &Value| {
        let kinds = service["kinds"].as_array().unwrap().clone();
        let name = text(&service["service"]);
        kinds.into_iter().map(move |kind| {
            (name.clone(), text(&kind["kind"]), kind["records"].as_u64().unwrap(), text(&kind["digest"]))
        })
    };
    report["services"].as_array().unwrap().iter().flat_map(of).collect()
}

/// Begins a move to MongoDB, which comes no further than some thousand documents, and kills it.
async fn killed_halfway(site: &Site, target: &Secret) {
    let (stopping, relay) = servers::relayed(target);
    relay.stop_after(800_000);
    let database = Mongo::connect(target, "unused").await.unwrap().database().clone();
    let things = database.collection::<bson::Document>("things");
    let count = async || things.estimated_document_count().await.unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_evergate"))
        .current_dir(site.folder.path())
        .args(["migrate", "--to", stopping.expose()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while count().await < 1000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before anything could be seen");
        actix_rt::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let copied = count().await;
    assert!(copied < MANY as u64, "all of it went over: {copied}");
}

/// More documents than go over at once.
const MANY: usize = 15_000;

/// killed in the middle, the same command goes on and ends with the same result; meanwhile nothing starts on the half of
/// it, and no other move goes there. A document that was changed on the way is found.
#[actix_rt::test]
async fn a_move_that_was_killed_goes_on_where_it_was_and_finds_what_was_tampered_with() {
    let (Some(mongo), Some(other)) = (servers::mongodb(), servers::mongodb()) else { return };
    let site = Site::with_things(MANY);
    let first = site.run("");
    let tokens = site.tokens(&first).await;
    drop(first);
    let whole = site.moved(&["--to", "sqlite:whole.db"]);

    killed_halfway(&site, &mongo).await;
    for (command, config) in [("auth", "auth"), ("api", "api")] {
        let told = site.refused_to_serve(command, config, mongo.expose());
        assert!(told.contains("target of a move from sqlite:") && told.contains("evergate migrate"), "{told}");
    }
    std::fs::copy(site.path("whole.db"), site.path("another.db")).unwrap();
    let told = site.migrate(&["--from", "sqlite:another.db", "--to", mongo.expose()]);
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("has a part of sqlite:") && told.contains("data/auth.db"), "{told}");
    let told = site.migrate(&["--from", mongo.expose(), "--to", "sqlite:half.db", "--domain", "domain.json"]);
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("the source, ") && told.contains("target of a move from sqlite:"), "{told}");
    let resumed = site.moved(&["--to", mongo.expose()]);
    assert!(resumed["services"].as_array().unwrap().iter().all(|service| service["resumed"] == true), "{resumed}");
    assert_eq!(digests(&resumed), digests(&whole));
    let again = site.migrate(&["--to", mongo.expose()]);
    let told = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.code() == Some(1) && told.contains("is not empty: it holds users"), "{told}");
    let second = site.run(&in_database(mongo.expose()));
    assert!(!site.answers(&second, &tokens).await.is_empty());
    drop(second);

    killed_halfway(&site, &other).await;
    let database = Mongo::connect(&other, "unused").await.unwrap().database().clone();
    let things = database.collection::<bson::Document>("things");
    let tampered = things.find_one_and_update(doc! { "n": 7 }, doc! { "$set": { "n": -7 } }).await.unwrap().unwrap();
    let told = site.migrate(&["--to", other.expose()]);
    assert_eq!(told.status.code(), Some(1));
    let told = String::from_utf8(told.stderr).unwrap();
    let id = tampered.get_object_id("_id").unwrap().to_hex();
    assert!(told.contains("resource-api: not the same on both sides: things, record ") && told.contains(&id), "{told}");
    let told = site.refused_to_serve("api", "api", other.expose());
    assert!(told.contains("target of a move"), "{told}");
}

/// What can't be meant, or can't be reached, is told without the password of a URL.
#[test]
fn stores_that_cannot_be_moved_are_named_without_their_passwords() {
    let site = Site::with_things(0);
    let told = |arguments: &[&str], code: i32| {
        let output = site.migrate(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(!told.contains("hunter2") && output.stdout.is_empty(), "{told}");
        told
    };
    assert!(told(&[], 2).contains("--from"));
    assert!(told(&["--to", "mongodb://me:hunter2@127.0.0.1:9/x"], 1).contains("there is no file"));
    assert!(told(&["--from", "postgres://me:hunter2@x/y"], 1).contains("`postgres` is not a store"));
    let silent = told(&["--from", "mongodb://me:hunter2@127.0.0.1:9/x"], 1);
    assert!(silent.contains("the source, mongodb://127.0.0.1:9/x: the store is not available"), "{silent}");
    std::fs::write(site.path("empty.db"), "").unwrap();
    assert!(told(&["--from", "sqlite:empty.db"], 1).contains("no service has kept anything in sqlite:empty.db"));
    let same = told(&["--service", "auth", "--from", "sqlite:empty.db", "--to", "sqlite:./empty.db"], 1);
    assert!(same.contains("the same store"), "{same}");
}
