#![allow(clippy::unwrap_used)]
use super::*;

fn open() -> (tempfile::TempDir, Sqlite) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path().join("test.db")).unwrap();
    store.migrate("test", &["CREATE TABLE item (name TEXT PRIMARY KEY)"]).unwrap();
    (folder, store)
}

async fn insert(store: &Sqlite, name: &str) -> Result<(), StoreError> {
    let name = name.to_owned();
    store
        .write(move |connection| {
            connection.execute("INSERT INTO item VALUES (?)", [&name])?;
            assert!(name != "panic", "as a faulty write would");
            Ok(())
        })
        .await
}

fn names(store: &Sqlite) -> Vec<String> {
    store
        .read_now(|connection| -> Result<_, StoreError> {
            let mut query = connection.prepare_cached("SELECT name FROM item ORDER BY name")?;
            Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

#[actix_rt::test]
async fn a_failed_write_is_undone_alone_and_its_neighbours_in_the_commit_stand() {
    let (_folder, store) = open();
    let written = futures_util::future::join_all(["a", "b", "a", "panic", "c"].map(|name| insert(&store, name))).await;
    assert_eq!(written.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, false, true]);
    assert!(matches!(&written[2], Err(StoreError::Conflict { field }) if field == "name"));
    assert_eq!(names(&store), ["a", "b", "c"]);
}

/// the file is copied before an upgrade, and a newer file is refused by name.
#[actix_rt::test]
async fn an_upgrade_copies_the_file_first_and_an_older_program_refuses_the_newer_file() {
    let (folder, store) = open();
    insert(&store, "kept").await.unwrap();
    store.migrate("test", &["", "ALTER TABLE item ADD COLUMN size INTEGER"]).unwrap();
    let copy = Sqlite::open(folder.path().join("test.test-v1.backup")).unwrap();
    assert_eq!(names(&copy), ["kept"]);
    // Back to the first version for a while, then up again: what was written meanwhile is copied too.
    let back = |connection: &Connection| -> Result<(), StoreError> {
        Ok(connection.execute_batch(
            "UPDATE schema_version SET version = 1; ALTER TABLE item DROP COLUMN size; INSERT INTO item VALUES ('later')",
        )?)
    };
    store.write(back).await.unwrap();
    store.migrate("test", &["", "ALTER TABLE item ADD COLUMN size INTEGER"]).unwrap();
    assert_eq!(names(&copy), ["kept"], "the first copy stays");
    let second = Sqlite::open(folder.path().join("test.test-v1-2.backup")).unwrap();
    assert_eq!(names(&second), ["kept", "later"]);
    let refused = store.migrate("test", &["one"]).unwrap_err().to_string();
    assert!(refused.contains("version 2 of test") && refused.contains("up to 1"), "{refused}");
}

/// Two programs that begin with the same new file, such as a server and a command beside it.
#[test]
fn parallel_first_starts_make_the_tables_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = Sqlite::open(&path).unwrap();
                store.migrate("test", &["CREATE TABLE item (name TEXT)", "ALTER TABLE item ADD COLUMN size"]).unwrap();
            });
        }
    });
}

#[actix_rt::test]
async fn a_read_over_its_limit_is_interrupted_and_the_thread_reads_on() {
    let (_folder, store) = open();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let slow: Result<i64, StoreError> = store
        .read(Duration::from_millis(50), move |connection| Ok(connection.query_row(endless, [], |row| row.get(0))?))
        .await;
    assert!(matches!(slow, Err(StoreError::Deadline)), "{slow:?}");
    let quick: Result<i64, StoreError> = store
        .read(Duration::from_secs(5), |connection| Ok(connection.query_row("SELECT 1", [], |row| row.get(0))?))
        .await;
    assert_eq!(quick.unwrap(), 1);
}

#[actix_rt::test]
async fn a_transaction_of_an_interrupted_read_ends_with_it_and_the_next_read_sees_what_is_new() {
    let (_folder, store) = open();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let read = |connection: &Connection| -> Result<i64, StoreError> {
        connection.execute_batch("BEGIN; SELECT * FROM item")?;
        Ok(connection.query_row(endless, [], |row| row.get(0))?)
    };
    assert!(matches!(store.read_now_within(10_000, read), Err(StoreError::Deadline)));
    insert(&store, "new").await.unwrap();
    assert_eq!(names(&store), ["new"]);
    assert!(matches!(store.read_now_within(10_000, read), Err(StoreError::Deadline)));
}

/// another program that keeps the file locked makes no write wait for longer than the five seconds that are waited for it, however
/// many there are; and when it lets go everything is as before.
#[actix_rt::test]
async fn writes_at_a_locked_file_are_refused_together() {
    let (folder, store) = open();
    let blocker = Connection::open(folder.path().join("test.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let written = futures_util::future::join_all((0..4 * BATCH).map(|number| {
        let store = &store;
        async move { insert(store, &number.to_string()).await }
    }));
    assert!(written.await.iter().all(|written| matches!(written, Err(StoreError::Unavailable(_)))));
    let took = started.elapsed();
    assert!(took > Duration::from_millis(4900) && took < Duration::from_secs(9), "{took:?}");
    assert!(names(&store).is_empty());
    blocker.execute_batch("COMMIT").unwrap();
    insert(&store, "a").await.unwrap();
    assert_eq!(names(&store), ["a"]);
}
