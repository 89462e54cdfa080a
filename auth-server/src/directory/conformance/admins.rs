//! Roles, and the last of the admins.

use shared::store::StoreError;

use super::super::{Deleted, Directory, EventPage, Page, Replaced};
use super::{client, user};
use crate::audit::{Event, EventFilter, EventKind};
use crate::user::{ADMIN, User};

pub(super) fn with_roles(name: &str, roles: &[&str]) -> User {
    User { roles: roles.iter().map(|role| (*role).to_owned()).collect(), ..user(name) }
}

pub async fn people_are_found_by_their_roles(directory: &Directory) {
    for (name, roles) in
        [("alice", &["editor", "viewer"][..]), ("bob", &["viewer", "viewer"]), ("carol", &[]), ("dave", &["viewer"])]
    {
        directory.users.insert(&with_roles(name, roles), &[]).await.unwrap();
    }
    let held =
        |roles: &[(&str, u64)]| roles.iter().map(|(role, count)| ((*role).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(directory.users.roles().await.unwrap(), held(&[("editor", 1), ("viewer", 3)]));
    let page = |after: Option<&str>, search: Option<&str>| Page {
        after: after.map(str::to_owned),
        search: search.map(str::to_owned),
        limit: 2,
    };
    let names = |users: &[User]| users.iter().map(|user| user.username.clone()).collect::<Vec<_>>();
    let viewers = directory.users.list(&page(None, None), Some("viewer")).await.unwrap();
    assert_eq!(names(&viewers), ["alice", "bob"]);
    assert_eq!(
        names(&directory.users.list(&page(Some(&viewers[1].id), None), Some("viewer")).await.unwrap()),
        ["dave"]
    );
    assert_eq!(names(&directory.users.list(&page(None, Some("BOB")), Some("viewer")).await.unwrap()), ["bob"]);
    assert!(directory.users.list(&page(None, None), Some("view")).await.unwrap().is_empty());
    let alice = User { roles: Vec::new(), ..directory.users.find(&viewers[0].id).await.unwrap().unwrap() };
    assert_eq!(directory.users.replace(&alice, &[]).await.unwrap(), Replaced::Done);
    assert_eq!(directory.users.delete(&viewers[1].id, &[]).await.unwrap(), Deleted::Done);
    assert_eq!(directory.users.roles().await.unwrap(), held(&[("viewer", 1)]));
    assert_eq!(directory.users.count().await.unwrap(), 3);
    directory.clients.insert(&client("Shop"), &[]).await.unwrap();
    assert_eq!(directory.clients.count().await.unwrap(), 1);
}

/// H-008: not by a deletion, a disabling or a demotion; with a second one, or with none before, everything goes.
pub async fn the_last_acting_admin_stays(directory: &Directory) {
    let disabled = User { disabled: true, ..with_roles("disabled", &[ADMIN]) };
    for person in [&with_roles("root", &[ADMIN]), &disabled] {
        directory.users.insert(person, &[]).await.unwrap();
    }
    let root = directory.users.find_by_username("root").await.unwrap().unwrap();
    let disabled = directory.users.find_by_username("disabled").await.unwrap().unwrap();
    let steps_down = User { roles: vec!["editor".to_owned()], ..root.clone() };
    let off = User { disabled: true, ..root.clone() };
    let events = [Event::new(EventKind::UserChanged)];
    for lost in [&steps_down, &off] {
        assert_eq!(directory.users.replace(lost, &events).await.unwrap(), Replaced::LastAdmin);
    }
    assert_eq!(directory.users.delete(&root.id, &events).await.unwrap(), Deleted::LastAdmin);
    assert!(directory.audit.list(&EventFilter::default(), &EventPage::newest(9)).await.unwrap().is_empty());
    let renamed = User { username: "chief".to_owned(), ..root.clone() };
    assert_eq!(directory.users.replace(&renamed, &[]).await.unwrap(), Replaced::Done);
    let enabled = User { disabled: false, ..disabled };
    assert_eq!(directory.users.replace(&enabled, &[]).await.unwrap(), Replaced::Done);
    assert_eq!(directory.users.delete(&root.id, &[]).await.unwrap(), Deleted::Done);
    assert_eq!(directory.users.delete(&root.id, &[]).await.unwrap(), Deleted::Missing);
    assert_eq!(directory.users.delete(&enabled.id, &[]).await.unwrap(), Deleted::LastAdmin);
}

/// H-008, X-024.
pub async fn of_two_admins_who_remove_each_other_one_stays(directory: &Directory) {
    for _ in 0..8 {
        for name in ["one", "two"] {
            if directory.users.find_by_username(name).await.unwrap().is_none() {
                directory.users.insert(&with_roles(name, &[ADMIN]), &[]).await.unwrap();
            }
        }
        let find = |name: &'static str| async move { directory.users.find_by_username(name).await.unwrap().unwrap() };
        let (one, two) = (find("one").await, User { disabled: true, ..find("two").await });
        let (deleted, disabled) =
            futures_util::join!(directory.users.delete(&one.id, &[]), directory.users.replace(&two, &[]));
        let done = (deleted.unwrap() == Deleted::Done, disabled.unwrap() == Replaced::Done);
        assert!(done == (true, false) || done == (false, true), "{done:?}");
        if done.1 {
            let two = find("two").await;
            assert_eq!(directory.users.delete(&two.id, &[]).await.unwrap(), Deleted::Done);
        }
    }
}

/// H-002, X-024: a disabled one doesn't count.
pub async fn one_of_many_becomes_the_first_admin(directory: &Directory) {
    let disabled = User { disabled: true, ..with_roles("disabled", &[ADMIN]) };
    directory.users.insert(&disabled, &[]).await.unwrap();
    let events = [Event::new(EventKind::UserCreated)];
    let taken = directory.users.insert_first_admin(&with_roles("disabled", &[ADMIN]), &events).await;
    assert!(matches!(&taken, Err(StoreError::Conflict { field }) if field == "username"), "{taken:?}");
    let candidates: Vec<User> = (0..50).map(|number| with_roles(&format!("admin-{number}"), &[ADMIN])).collect();
    let tries = candidates.iter().map(|candidate| directory.users.insert_first_admin(candidate, &events));
    let won = futures_util::future::join_all(tries).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    assert_eq!(directory.users.count().await.unwrap(), 2);
    assert_eq!(directory.audit.list(&EventFilter::default(), &EventPage::newest(9)).await.unwrap().len(), 1);
}
