//! Moves from another store.

use shared::store::{Sqlite, StoreError};
use strum::IntoEnumIterator as _;

use super::{client, user};
use crate::audit::{Event, EventFilter, EventKind};
use crate::consent::Consent;
use crate::directory::{Directory, EventPage, MARK, Page, Replaced, Row, Table, on_sqlite};
use crate::scope::Scope;

/// A directory in a file, in which everything was written by the usual calls.
async fn filled() -> (tempfile::TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let directory = on_sqlite(Sqlite::open(folder.path().join("other.db")).unwrap()).unwrap();
    let events = |at: i64, kind: EventKind| [Event { at, ..Event::new(kind) }];
    for name in ["zoe", "ann", "mia"] {
        let mut person = user(name);
        person.roles = vec!["reader".to_owned(), "admin".to_owned()];
        directory.users.insert(&person, &events(50, EventKind::UserCreated)).await.unwrap();
    }
    let mut ann = directory.users.find_by_username("ann").await.unwrap().unwrap();
    ann.disabled = true;
    assert_eq!(directory.users.replace(&ann, &events(9, EventKind::UserChanged)).await.unwrap(), Replaced::Done);
    for name in ["Shop", "Till"] {
        let client = client(name);
        directory.clients.insert(&client, &events(50, EventKind::ClientCreated)).await.unwrap();
        directory.consents.put(&Consent::none(&ann.id, &client.id), &[]).await.unwrap();
    }
    for (name, role) in [("b", None), ("a", Some("admin".to_owned()))] {
        directory
            .scopes
            .put(&Scope { name: name.to_owned(), text: "Text \u{e9}.".to_owned(), role }, &[])
            .await
            .unwrap();
    }
    directory.notes.put("last_start", "{\"a\": \"text\"}", &[]).await.unwrap();
    (folder, directory)
}

async fn all(directory: &Directory, table: Table) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = directory.transfer.export(table, rows.last().map(|row| row.place.as_str()), 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

pub async fn rows_of_another_store_are_kept_as_they_were(directory: &Directory) {
    let (_folder, other) = filled().await;
    for table in Table::iter() {
        let rows = all(&other, table).await;
        assert!(!rows.is_empty(), "{table:?}");
        directory.transfer.import(table, rows.clone(), Some("so far")).await.unwrap();
        let mut found = all(directory, table).await;
        if table == Table::Audit {
            let number = |row: &Row| row.place.split('.').nth(1).map(str::to_owned);
            assert_eq!(found.iter().map(number).collect::<Vec<_>>(), rows.iter().map(number).collect::<Vec<_>>());
            found.iter_mut().zip(&rows).for_each(|(found, row)| found.place.clone_from(&row.place));
        }
        assert_eq!(found, rows, "{table:?}");
    }
    assert_eq!(directory.notes.get(MARK).await.unwrap().as_deref(), Some("so far"));
    directory.transfer.import(Table::Notes, Vec::new(), None).await.unwrap();
    assert_eq!(directory.notes.get(MARK).await.unwrap(), None);

    let names = async |directory: &Directory, role: &str| {
        let page = Page { limit: 9, ..Page::default() };
        let found = directory.users.list(&page, Some(role)).await.unwrap();
        found.into_iter().map(|user| user.username).collect::<Vec<_>>()
    };
    assert_eq!(names(directory, "reader").await, ["ann", "mia", "zoe"]);
    assert_eq!(names(directory, "admin").await, ["ann", "mia", "zoe"]);
    let ann = directory.users.find_by_username("ann").await.unwrap().unwrap();
    assert_eq!((ann.version, directory.consents.list_for_user(&ann.id).await.unwrap().len()), (2, 2));
    let read = async |directory: &Directory| {
        let page = EventPage { after: None, oldest_first: true, limit: 99 };
        let found = directory.audit.list(&EventFilter::default(), &page).await.unwrap();
        found.into_iter().map(|recorded| recorded.event).collect::<Vec<_>>()
    };
    assert_eq!(read(directory).await, read(&other).await);
    let rare = EventFilter { kind: Some(EventKind::UserChanged), ..Default::default() };
    assert_eq!(directory.audit.list(&rare, &EventPage::newest(9)).await.unwrap().len(), 1);
    // What is written from now on comes after.
    directory.audit.append(&[Event { at: 50, ..Event::new(EventKind::Started) }]).await.unwrap();
    assert_eq!(read(directory).await.last().unwrap().kind, EventKind::Started);
}

pub async fn rows_are_added_with_the_mark_or_not_at_all(directory: &Directory) {
    let (_folder, other) = filled().await;
    let rows = all(&other, Table::Users).await;
    directory.transfer.import(Table::Users, rows[..1].to_vec(), Some("first")).await.unwrap();
    let again = directory.transfer.import(Table::Users, vec![rows[1].clone(), rows[0].clone()], Some("second")).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    assert_eq!(directory.users.count().await.unwrap(), 1);
    assert_eq!(directory.notes.get(MARK).await.unwrap().as_deref(), Some("first"));
}
