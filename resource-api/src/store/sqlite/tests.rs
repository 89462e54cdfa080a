//! The embedded store against the suite, and what is its own: plans, limits, files.
#![allow(clippy::unwrap_used)]

use bson::{Document, doc};
use rusqlite::Connection;

use super::catalogue::Source;
use super::plan::plan;
use super::*;
use crate::domain::Index;
use crate::query::{Direction, Pattern, Test};
use crate::store::conformance::{Store, by, document_store_conformance, domain, index, unique};

async fn empty(_case: &str) -> Option<(tempfile::TempDir, Store)> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    Some((folder, Arc::new(store)))
}

fn open(folder: &tempfile::TempDir) -> SqliteDocuments {
    let sqlite = Sqlite::open(folder.path().join("test.db")).unwrap();
    SqliteDocuments::open(sqlite, Duration::from_secs(30)).unwrap()
}

document_store_conformance!(empty);

async fn fill(store: &SqliteDocuments, documents: impl IntoIterator<Item = Document>) {
    let insert = |document| Write::insert("things", &document).unwrap();
    let outcome = store.commit(documents.into_iter().map(insert).collect()).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

async fn with_indexes(indexes: Vec<Index>) -> (tempfile::TempDir, SqliteDocuments) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.prepare(&domain("things", indexes)).await.unwrap();
    (folder, store)
}

fn all() -> Find {
    Find { limit: Some(5), count: true, ..Find::default() }
}

fn source(store: &SqliteDocuments) -> Arc<Source> {
    store.catalogue.get("things").unwrap()
}

fn read<T>(store: &SqliteDocuments, read: impl FnOnce(&Connection) -> T) -> T {
    store.sqlite.read_now(|connection| Ok::<T, StoreError>(read(connection))).unwrap()
}

/// How SQLite carries a statement out.
fn explain(store: &SqliteDocuments, sql: &str) -> String {
    read(store, |connection| {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let (mut steps, mut told) = (explain.raw_query(), Vec::new());
        while let Some(step) = steps.next().unwrap() {
            told.push(step.get::<_, String>(3).unwrap());
        }
        told.join("; ")
    })
}

#[actix_rt::test]
async fn sqlite_searches_the_index_and_sorts_nothing() {
    let (_folder, store) = with_indexes(vec![index("country -population")]).await;
    let source = source(&store);
    let tree = &source.indexes[0].tree;
    for sql in [&tree.ascending.rows, &tree.descending.rows, &tree.count, &tree.ids] {
        assert_eq!(explain(&store, sql), "SEARCH ix_1_1 USING PRIMARY KEY (key>? AND key<?)", "{sql}");
    }
    assert_eq!(explain(&store, &source.sql.body_by_row), "SEARCH doc_1 USING INTEGER PRIMARY KEY (rowid=?)");
    assert_eq!(explain(&store, &source.sql.body_by_id), "SEARCH doc_1 USING INDEX sqlite_autoindex_doc_1_1 (id=?)");
    for sql in [&tree.ascending.bodies, &tree.descending.bodies] {
        let expected =
            "SEARCH i USING PRIMARY KEY (key>? AND key<?); SEARCH d USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
        assert_eq!(explain(&store, sql), expected);
    }
    for (walk, sign) in [(&tree.ascending, '>'), (&tree.descending, '<')] {
        let behind = walk.behind.as_ref().unwrap();
        let expected = ["ix_1_1", "i"].map(|table| format!("SEARCH {table} USING PRIMARY KEY (key=? AND id{}?)", sign));
        assert_eq!(explain(&store, &behind.rows), expected[0]);
        assert!(explain(&store, &behind.bodies).starts_with(&expected[1]));
    }
    for sql in [&source.ids.ascending.rows, &source.ids.descending.rows] {
        let expected = "SEARCH doc_1 USING COVERING INDEX sqlite_autoindex_doc_1_1 (id>? AND id<?)";
        assert_eq!(explain(&store, sql), expected);
    }
}

/// The planner's choice: what is searched, whether that is all, and the way that gives the order.
#[actix_rt::test]
async fn the_planner_takes_the_narrowest_index_and_knows_what_it_answers() {
    let (_folder, store) =
        with_indexes(vec![index("country -population"), index("population"), index("country"), unique("code")]).await;
    let up = Some(Direction::Ascending);
    let down = Some(Direction::Descending);
    let at = || Filter::equal("country", "AT");
    let large = || Filter::field("population", Test::Gt(1000.into()));
    let other = || Filter::equal("name", "Wien");
    let begins = |pattern: &str| Test::Regex(Pattern::new(pattern, "").unwrap());
    let cases = [
        (at(), "_id", "country", true, up),
        (at(), "-_id", "country", true, down),
        (at(), "country", "country", true, up),
        (at(), "-population", "country -population", true, up),
        (at(), "population", "country -population", true, down),
        (at(), "name", "country", true, None),
        (at().and(large()), "-country -population", "country -population", true, up),
        (at().and(large()), "country population", "country -population", true, down),
        (at().and(large()), "-country", "country -population", true, None),
        (at().and(other()), "_id", "country", false, up),
        (large(), "population", "population", true, up),
        (large(), "_id", "population", true, None),
        (large().and(other()), "-population", "population", false, down),
        (Filter::equal("_id", 1).and(at()), "name", "_id", false, up),
        (Filter::one_of("_id", [1.into(), 2.into()]), "-_id", "_id", true, down),
        (Filter::equal("code", 5).and(at()), "name", "code", false, None),
        (Filter::equal("country", Bson::Null), "_id", "country", false, None),
        (Filter::field("country", begins("^A[TU]")), "country", "country", false, up),
        (Filter::field("country", begins("A")), "country", "", false, None),
        (Filter::Or(vec![at(), Filter::equal("country", "DE")]), "country", "country", true, up),
        (other(), "_id", "", false, None),
        (Filter::Or(vec![at(), large()]), "_id", "", false, None),
        (Filter::equal("code", Bson::Null), "_id", "", false, None),
        (Filter::field("country", Test::Ne("AT".into())), "_id", "", false, None),
    ];
    let source = source(&store);
    for (filter, sort, searched, exact, walk) in cases {
        let order = sort::order(&by(sort));
        let plan = plan(&source, &[], &filter, &order, None).unwrap();
        let found = plan.search.map(|access| {
            let sign = |descending| if descending { "-" } else { "" };
            let components = access.tree.components.iter();
            let keys: Vec<_> = components.map(|part| format!("{}{}", sign(part.descending), part.field)).collect();
            (keys.join(" "), access.exact, access.walk)
        });
        assert_eq!(found.unwrap_or_default(), (searched.to_owned(), exact, walk), "{filter:?} by {sort}");
    }
}

/// The index of `unique_to_user` lacks the documents without a value, so it answers only what they can't.
#[actix_rt::test]
async fn an_index_of_documents_with_a_value_finds_values() {
    let options = bson::doc! { "partialFilterExpression": { "nick": { "$exists": true } } };
    let per_owner = Index { unique: true, options, ..index("nick owner") };
    let (_folder, store) = with_indexes(vec![per_owner]).await;
    let mine = |filter: Filter| filter.and(Filter::equal("owner", "me"));
    let source = source(&store);
    for (filter, searched) in [
        (mine(Filter::equal("nick", "a")), true),
        (mine(Filter::one_of("nick", ["a".into(), "b".into()])), true),
        (mine(Filter::equal("nick", Bson::Null)), false),
        (mine(Filter::one_of("nick", ["a".into(), Bson::Null])), false),
        (mine(Filter::field("nick", Test::Ne("a".into()))), false),
        (mine(Filter::equal("name", "a")), false),
    ] {
        let plan = plan(&source, &[], &filter, &sort::order(&by("_id")), None).unwrap();
        assert_eq!(plan.search.is_some(), searched, "{filter:?}");
    }
}

#[actix_rt::test]
async fn what_documents_are_looked_up_by_has_an_index_that_nobody_declared() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for (declared, expected) in [(vec![], 1), (vec![unique("code")], 1), (vec![index("name")], 2)] {
        let mut domain = domain("things", declared);
        Arc::get_mut(&mut domain.resources["things"]).unwrap().id_field = "code".to_owned();
        store.prepare(&domain).await.unwrap();
        let source = source(&store);
        assert_eq!(source.indexes.len(), expected);
        let plan = plan(&source, &[], &Filter::equal("code", 1), &sort::order(&by("_id")), None).unwrap();
        assert!(plan.search.unwrap().exact);
    }
}

#[actix_rt::test]
async fn a_query_over_its_time_limit_ends_with_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path().join("test.db")).unwrap();
    let store = SqliteDocuments::open(sqlite, Duration::from_millis(1)).unwrap();
    fill(&store, (0..20_000).map(|id| doc! { "_id": id, "n": id % 7 })).await;
    let scan = Find { filter: Filter::equal("n", 3), ..all() };
    assert!(matches!(store.find("things", &scan).await, Err(StoreError::Deadline)));
    assert_eq!(store.find("things", &all()).await.unwrap().total, Some(20_000));
}

/// CFG-19: an index with `expireAfterSeconds` removes what is older, and nothing else.
#[actix_rt::test]
async fn documents_expire_by_the_date_of_an_index() {
    let now = shared::clock::now() * 1000;
    let ago = |seconds: i64| Bson::DateTime(bson::DateTime::from_millis(now - seconds * 1000));
    let after = |seconds: i32, keys: &str| Index { options: doc! { "expireAfterSeconds": seconds }, ..index(keys) };
    for expiring in [after(60, "at"), after(60, "-at")] {
        let (_folder, store) = with_indexes(vec![expiring, after(0, "at n")]).await;
        let documents =
            [ago(61), ago(30), ago(-100), "1970".into(), 0.into(), vec![ago(5), ago(70)].into(), vec![ago(5)].into()];
        fill(&store, documents.into_iter().enumerate().map(|(id, at)| doc! { "_id": id as i32, "at": at })).await;
        fill(&store, [doc! { "_id": 7 }]).await;
        store.expire().await.unwrap();
        let left = store.find("things", &Find { count: true, ..Find::default() }).await.unwrap().items;
        let ids: Vec<i32> = left.iter().map(|item| item.get_i32("_id").unwrap()).collect();
        assert_eq!(ids, [1, 2, 3, 4, 6, 7]);
    }
}

#[actix_rt::test]
async fn documents_indexes_and_totals_are_there_after_a_restart() {
    let (folder, store) = with_indexes(vec![index("n"), unique("name")]).await;
    fill(&store, (0..30).map(|id| doc! { "_id": id, "n": id % 3, "name": id })).await;
    drop(store);
    let store = open(&folder);
    assert_eq!(store.find("things", &all()).await.unwrap().total, Some(30));
    let find = Find { filter: Filter::equal("n", 1), ..all() };
    assert_eq!(store.find("things", &find).await.unwrap().total, Some(10));
    assert_eq!(source(&store).indexes.len(), 2);
    let taken = Write::insert("things", &doc! { "_id": 100, "name": 7 }).unwrap();
    assert!(matches!(store.commit(vec![taken]).await.unwrap(), Outcome::Conflict { .. }));
    store.ping().await.unwrap();
}

/// A stop while an index is built must leave no wrong answers, and the next start goes on where it ended.
#[actix_rt::test]
async fn an_index_that_is_not_yet_whole_is_not_searched_and_the_next_start_finishes_it() {
    let (folder, store) = with_indexes(vec![index("n")]).await;
    fill(&store, (0..2500).map(|id| doc! { "_id": id, "n": id % 5 })).await;
    let undone = "UPDATE document_index SET built_to = 1000; DELETE FROM ix_1_1 WHERE doc > 1000";
    store.sqlite.write(move |connection| Ok::<_, StoreError>(connection.execute_batch(undone)?)).await.unwrap();
    drop(store);
    let store = open(&folder);
    let find = Find { filter: Filter::equal("n", 1), ..all() };
    assert!(!source(&store).indexes[0].built);
    assert_eq!(store.find("things", &find).await.unwrap().total, Some(500));
    fill(&store, [doc! { "_id": 9000, "n": 1 }]).await;
    store.prepare(&domain("things", vec![index("n")])).await.unwrap();
    assert!(source(&store).indexes[0].built);
    assert_eq!(store.find("things", &find).await.unwrap().total, Some(501));
    let keys: i64 =
        read(&store, |connection| connection.query_row("SELECT count(*) FROM ix_1_1", [], |row| row.get(0)).unwrap());
    assert_eq!(keys, 2501);
}

#[actix_rt::test]
async fn an_index_with_keys_left_out_is_not_searched() {
    let (_folder, store) = with_indexes(vec![index("a b")]).await;
    let long: Vec<i32> = (0..100).collect();
    fill(&store, [doc! { "_id": 1, "a": &long, "b": &long }, doc! { "_id": 2, "a": 99, "b": 99 }]).await;
    let find = Find { filter: Filter::equal("a", 99).and(Filter::equal("b", 99)), ..all() };
    assert_eq!(store.find("things", &find).await.unwrap().total, Some(2));
}

#[actix_rt::test]
async fn nothing_is_left_in_an_index_when_its_documents_are_gone() {
    let (_folder, store) = with_indexes(vec![index("a"), index("a.x b"), index("-b")]).await;
    let values = || [doc! { "x": [1, 2] }.into(), Bson::Array(vec![1.into(), doc! { "x": 3 }.into()]), 7.into()];
    fill(&store, (0..60).map(|id| doc! { "_id": id, "a": &values()[id as usize % 3], "b": id })).await;
    let guard = |id: i32| crate::store::Guard { id: id.into(), filter: Filter::All, etag: None };
    let source = || "things".to_owned();
    let writes = (0..60).map(|id| match id % 3 {
        0 => Write::Set { source: source(), guard: guard(id), fields: doc! { "a": &values()[id as usize / 3 % 3] } },
        1 => Write::Delete { source: source(), guard: guard(id) },
        _ => Write::replace(source(), guard(id), &doc! { "_id": id, "b": [id, id + 1] }).unwrap(),
    });
    assert!(matches!(store.commit(writes.collect()).await.unwrap(), Outcome::Done(_)));
    let rest = Write::DeleteMany { source: source(), filter: Filter::field("_id", Test::Gte(0.into())) };
    assert_eq!(store.commit(vec![rest]).await.unwrap(), Outcome::Done(vec![40]));
    for table in ["doc_1", "ix_1_1", "ix_1_2", "ix_1_3"] {
        let left: i64 = read(&store, |connection| {
            connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        });
        assert_eq!(left, 0, "{table}");
    }
}

#[actix_rt::test]
async fn a_url_of_another_backend_stops_the_start_by_name() {
    let url = "redis://user:secret@host/1".parse().unwrap();
    let refused = crate::store::open(&url, Duration::from_secs(2)).await.err().unwrap().to_string();
    assert!(refused.contains("redis") && !refused.contains("secret"), "{refused}");
}
