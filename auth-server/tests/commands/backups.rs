//! `backup` and `restore`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{PASSWORD, Place, Program, Server};
use crate::{fails, json, run, succeeds};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// H-011, H-013, X-021: a copy made while tokens are issued is whole, private, and holds no secret.
#[actix_rt::test]
async fn a_running_server_is_backed_up() {
    let server = Server::start().await;
    if server.stored.file().is_none() {
        return; // a database has its own program for this, as the command says
    }
    let (config, file) = (server.config_file(), server.folder().join("copy.db"));
    let (alice, shop, robot) = (server.user("alice").await, server.shop().await, server.robot().await);
    let tokens = alice.tokens(&shop).await;
    let stop = Arc::new(AtomicBool::new(false));
    let busy = {
        let (robot, stop) = (robot.clone(), stop.clone());
        actix_rt::spawn(async move {
            let mut issued = 0;
            while !stop.load(Ordering::SeqCst) {
                robot.token(&[("grant_type", "client_credentials")]).await.tokens();
                issued += 1;
            }
            issued
        })
    };
    let command = {
        let (config, file) = (config.clone(), file.clone());
        tokio::task::spawn_blocking(move || run(&config, &["backup", text(&file), "--json"], ""))
    };
    let told = json(&succeeds(&command.await.unwrap()));
    stop.store(true, Ordering::SeqCst);
    assert!(busy.await.unwrap() > 0);
    assert_eq!((told["rows"]["user"].as_u64(), told["rows"]["client"].as_u64()), (Some(1), Some(2)));
    assert!(told["keys"].is_null() && told["bytes"].as_u64() == Some(std::fs::metadata(&file).unwrap().len()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let stored = std::fs::read(&file).unwrap();
    let holds = |secret: &str| stored.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(holds("alice") && !holds(PASSWORD));
    for secret in [&tokens.access, &tokens.refresh, shop.secret.as_ref().unwrap(), robot.secret.as_ref().unwrap()] {
        assert!(!holds(&secret[secret.len() - 20..]), "a secret stands in the backup");
    }
    let told = fails(&run(&config, &["backup", text(&file)], ""));
    assert!(told.contains("--overwrite"), "{told}");
    let told = succeeds(&run(&config, &["backup", text(&file), "--overwrite"], ""));
    assert!(told.contains("1 user, 2 clients") && told.contains("The master keys are not in it"), "{told}");
}

/// H-013, X-025: a restore brings accounts and clients back, and nothing that may have been revoked since.
#[actix_rt::test]
async fn a_backup_is_restored_without_its_tokens() {
    let server = Server::start().await;
    if server.stored.file().is_none() {
        return; // a database has its own program for this, as the command says
    }
    let file = server.folder().join("copy.db");
    let (alice, shop, api) = (server.user("alice").await, server.shop().await, server.api().await);
    let tokens = alice.tokens(&shop).await;
    succeeds(&run(&server.config_file(), &["backup", text(&file), "--with-keys"], ""));
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let told = json(&succeeds(&run(&place.config, &["restore", text(&file), "--json"], "")));
    assert_eq!(
        (told["users"].as_u64(), told["clients"].as_u64(), told["keys"].as_bool()),
        (Some(1), Some(2), Some(true))
    );
    assert!(told["tokens_dropped"].as_u64().unwrap() >= 3 && told["before"].is_null());
    let program = Program::serve(&place).await;
    let (there, shop, api) = (alice.with_server(&place), shop.with_server(&place), api.with_server(&place));
    assert!(!api.finds_active(&tokens.access).await, "it may have been revoked since");
    shop.refresh(&tokens.refresh).await.refused("invalid_grant");
    there.tokens(&shop).await;
    let refused = fails(&run(&place.config, &["restore", text(&file), "--replace"], ""));
    assert!(refused.contains("is in use: stop what serves it first"), "{refused}");
    program.kill();
    let refused = fails(&run(&place.config, &["restore", text(&file)], ""));
    assert!(refused.contains("--replace"), "{refused}");
    succeeds(&run(&place.config, &["user", "create", "bob"], ""));
    let told = succeeds(&run(&place.config, &["restore", text(&file), "--replace"], ""));
    assert!(told.contains("auth.before-restore.backup: what was there before"), "{told}");
    assert!(!succeeds(&run(&place.config, &["user", "list"], "")).contains("bob"));
    let before = rusqlite::Connection::open(folder.path().join("auth.before-restore.backup")).unwrap();
    let users: i64 = before.query_row("SELECT count(*) FROM user", [], |row| row.get(0)).unwrap();
    assert_eq!(users, 2, "what was there is kept");
    let log = succeeds(&run(&place.config, &["audit", "export"], ""));
    assert!(log.contains("\"restored\"") && log.contains("\"backed_up\""));
}

/// H-013, F-071: for a move to another machine everything comes along, keys too.
#[actix_rt::test]
async fn a_move_keeps_everybody_signed_in() {
    let server = Server::start().await;
    if server.stored.file().is_none() {
        return; // a database has its own program for this, as the command says
    }
    let file = server.folder().join("copy.db");
    let (alice, shop) = (server.user("alice").await, server.shop().await);
    let first = alice.tokens(&shop).await;
    let second = shop.refresh(&first.refresh).await.tokens();
    succeeds(&run(&server.config_file(), &["backup", text(&file), "--with-keys"], ""));
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let told = succeeds(&run(&place.config, &["restore", text(&file), "--keep-tokens"], ""));
    assert!(told.contains("1 user and 1 client restored") && told.contains("master keys were added"), "{told}");
    let _program = Program::serve(&place).await;
    let again = shop.with_server(&place).refresh(&first.refresh).await.tokens();
    assert_eq!(again.refresh, second.refresh, "the same pair again, made with the moved key");
}

/// H-013, X-035: what is no backup, damaged, or of a newer program is refused, and nothing is changed.
#[actix_rt::test]
async fn what_is_no_good_backup_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (place, file) = (Place::new(folder.path()), folder.path().join("copy.db"));
    succeeds(&run(&place.config, &["user", "create", "alice"], ""));
    succeeds(&run(&place.config, &["backup", text(&file)], ""));
    let restore = || fails(&run(&place.config, &["restore", text(&file), "--replace"], ""));
    let good = std::fs::read(&file).unwrap();
    let newer = rusqlite::Connection::open(&file).unwrap();
    newer.execute("UPDATE schema_version SET version = 1000 WHERE component = 'directory'", []).unwrap();
    drop(newer);
    let told = restore();
    assert!(told.contains("holds version 1000 of directory") && told.contains("use a newer program"), "{told}");
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8192].fill(0xa5);
    std::fs::write(&file, damaged).unwrap();
    assert!(restore().contains("damaged"));
    std::fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE documents (id)").unwrap();
    drop(other);
    assert!(restore().contains("is no backup of an auth-server"));
    std::fs::remove_file(&file).unwrap();
    assert!(restore().contains("there is no file"));
    assert!(succeeds(&run(&place.config, &["user", "list"], "")).contains("alice"));
    let left = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.contains("restore")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// an older program refuses the store of a newer one with a clear line, whatever it was asked to do.
#[actix_rt::test]
async fn a_store_of_a_newer_program_is_refused() {
    let server = Server::unserved("").await;
    if server.stored.file().is_none() {
        return; // a database has its own program for this, as the command says
    }
    let config = server.config_file();
    let store = rusqlite::Connection::open(server.folder().join("auth.db")).unwrap();
    store.execute("UPDATE schema_version SET version = 1000 WHERE component = 'expiring'", []).unwrap();
    for arguments in [&["serve"][..], &["user", "list"]] {
        let told = fails(&run(&config, arguments, ""));
        assert!(told.contains("version 1000 of expiring") && told.contains("this program knows up to"), "{told}");
    }
}

/// the store of an older program is copied before it is changed.
#[actix_rt::test]
async fn a_store_is_copied_before_a_migration() {
    let server = Server::unserved("").await;
    if server.stored.file().is_none() {
        return; // a database has its own program for this, as the command says
    }
    let config = server.config_file();
    server.user("alice").await;
    let store = rusqlite::Connection::open(server.folder().join("auth.db")).unwrap();
    store
        .execute_batch("DROP TABLE note; UPDATE schema_version SET version = version - 1 WHERE component = 'directory'")
        .unwrap();
    let version: i64 = store
        .query_row("SELECT version FROM schema_version WHERE component = 'directory'", [], |row| row.get(0))
        .unwrap();
    assert!(succeeds(&run(&config, &["user", "list"], "")).contains("alice"));
    let copy = server.folder().join(format!("auth.directory-v{version}.backup"));
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let copy = rusqlite::Connection::open(copy).unwrap();
    let users: i64 = copy.query_row("SELECT count(*) FROM user", [], |row| row.get(0)).unwrap();
    assert_eq!(users, 1);
    let notes = store.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0));
    assert_eq!(notes, Ok(0), "the tables are those of this program again");
}

/// H-013: a copy is made of files; of a database its own programs make one, which is said before anything is opened.
#[actix_rt::test]
async fn a_backup_of_a_database_is_refused_with_what_makes_one() {
    let server = Server::start().await;
    let config = server.folder().join("in-mongodb.toml");
    let settings = "issuer = 'http://127.0.0.1:1'\nstore = 'mongodb://me:hunter2@127.0.0.1:9/x'\nmaster_key_file = 'k'\ndev = true\n\
        [server]\nlisten = '127.0.0.1:1'\ntls = false\n";
    std::fs::write(&config, settings).unwrap();
    for command in ["backup", "restore"] {
        let told = fails(&run(&config, &[command, "/nowhere/copy.db"], ""));
        assert!(told.contains("in mongodb, and this copies files only: use mongodump and mongorestore"), "{told}");
        assert!(!told.contains("hunter2"));
    }
}
