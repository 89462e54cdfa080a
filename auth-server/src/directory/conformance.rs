//! What every backend of the directory must do. A backend's test module says how to get an empty one, and one whose audit
//! log takes nothing, and calls [`suite`].

mod admins;
mod audit;
mod transfer;

use shared::oauth::Scopes;
use shared::store::StoreError;

use super::{Deleted, Directory, EventPage, Page, Replaced};
use crate::audit::{Event, EventFilter, EventKind};
use crate::client::Client;
use crate::client_metadata::ClientMetadata;
use crate::consent::Consent;
use crate::scope::Scope;
use crate::user::User;

macro_rules! suite {
    ($empty:ident, $deaf:ident) => {
        $crate::directory::conformance::suite!($empty:
            a_name_or_id_is_taken_once
            a_write_needs_the_version_it_read
            listings_are_paged_by_name_and_searchable
            people_are_found_by_their_roles
            the_last_acting_admin_stays
            of_two_admins_who_remove_each_other_one_stays
            one_of_many_becomes_the_first_admin
            a_wider_consent_takes_the_place_of_the_narrower
            consents_go_with_their_user_or_client
            scopes_are_replaced_by_name
            notes_are_replaced_by_name
            audit_events_are_read_from_either_end_by_time
            audit_events_are_filtered
            a_change_and_its_events_are_there_together_or_not_at_all
            old_audit_events_are_removed_in_batches
            rows_of_another_store_are_kept_as_they_were
            rows_are_added_with_the_mark_or_not_at_all
        );
        $crate::directory::conformance::suite!($deaf: a_change_that_the_log_does_not_take_is_not_made);
    };
    ($empty:ident: $($case:ident)*) => {
        $(
            #[actix_rt::test]
            async fn $case() {
                let Some((_keep, directory)) = $empty().await else { return };
                $crate::directory::conformance::$case(&directory).await;
            }
        )*
    };
}
pub(crate) use suite;

pub use admins::*;
pub use audit::*;
pub use transfer::*;

fn user(name: &str) -> User {
    User::new(name.to_owned(), 7)
}

fn client(name: &str) -> Client {
    let metadata = ClientMetadata {
        client_name: name.to_owned(),
        redirect_uris: vec!["https://shop.example/cb".to_owned()],
        ..Default::default()
    };
    metadata.register(7).unwrap().0
}

pub async fn a_name_or_id_is_taken_once(directory: &Directory) {
    let alice = user("alice");
    directory.users.insert(&alice, &[]).await.unwrap();
    let other = directory.users.insert(&user("alice"), &[]).await;
    assert!(matches!(&other, Err(StoreError::Conflict { field }) if field == "username"), "{other:?}");
    let found = directory.users.find_by_username("alice").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.version, found.created_at), (alice.id.as_str(), 1, 7));
    assert!(directory.users.find_by_username("Alice").await.unwrap().is_none());
    assert!(directory.users.find(&alice.id).await.unwrap().is_some());
    let shop = client("Shop");
    directory.clients.insert(&shop, &[]).await.unwrap();
    let again = directory.clients.insert(&shop, &[]).await;
    assert!(matches!(&again, Err(StoreError::Conflict { field }) if field == "id"), "{again:?}");
}

pub async fn a_write_needs_the_version_it_read(directory: &Directory) {
    directory.users.insert(&user("alice"), &[]).await.unwrap();
    let mut first = directory.users.find_by_username("alice").await.unwrap().unwrap();
    let second = first.clone();
    first.disabled = true;
    assert_eq!(directory.users.replace(&first, &[]).await.unwrap(), Replaced::Done);
    assert_eq!(directory.users.replace(&second, &[]).await.unwrap(), Replaced::Changed);
    let held = directory.users.find(&first.id).await.unwrap().unwrap();
    assert!(held.disabled && held.version == 2);
    let shop = client("Shop");
    directory.clients.insert(&shop, &[]).await.unwrap();
    let mut read = directory.clients.find(&shop.id).await.unwrap().unwrap();
    read.disabled = true;
    assert_eq!(directory.clients.replace(&read, &[]).await.unwrap(), Replaced::Done);
    assert_eq!(directory.clients.replace(&read, &[]).await.unwrap(), Replaced::Changed);
    assert!(
        directory.clients.delete(&shop.id, &[]).await.unwrap()
            && !directory.clients.delete(&shop.id, &[]).await.unwrap()
    );
    assert_eq!(directory.clients.replace(&read, &[]).await.unwrap(), Replaced::Changed);
}

pub async fn listings_are_paged_by_name_and_searchable(directory: &Directory) {
    for name in ["carol", "alice", "bob"] {
        directory.users.insert(&user(name), &[]).await.unwrap();
        directory.clients.insert(&client(name), &[]).await.unwrap();
    }
    let page = |after: Option<&str>, search: Option<&str>| Page {
        after: after.map(str::to_owned),
        search: search.map(str::to_owned),
        limit: 2,
    };
    let first = directory.users.list(&page(None, None), None).await.unwrap();
    let names = |users: &[User]| users.iter().map(|user| user.username.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["alice", "bob"]);
    let next = directory.users.list(&page(Some(&first[1].id), None), None).await.unwrap();
    assert_eq!(names(&next), ["carol"]);
    assert_eq!(names(&directory.users.list(&page(None, Some("ARO")), None).await.unwrap()), ["carol"]);
    let first = directory.clients.list(&page(None, None)).await.unwrap();
    let names = |clients: &[Client]| clients.iter().map(|client| client.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["alice", "bob"]);
    assert_eq!(names(&directory.clients.list(&page(Some(&first[1].id), None)).await.unwrap()), ["carol"]);
    assert_eq!(names(&directory.clients.list(&page(None, Some("%"))).await.unwrap()), Vec::<String>::new());
}

fn consent(user: &User, client: &Client, scopes: &str) -> Consent {
    let resource = "https://api.example".to_owned();
    Consent::none(&user.id, &client.id).widened(&scopes.parse::<Scopes>().unwrap(), &[resource], 7)
}

pub async fn a_wider_consent_takes_the_place_of_the_narrower(directory: &Directory) {
    let (alice, shop) = (user("alice"), client("Shop"));
    directory.users.insert(&alice, &[]).await.unwrap();
    directory.clients.insert(&shop, &[]).await.unwrap();
    for scopes in ["a", "a b"] {
        directory.consents.put(&consent(&alice, &shop, scopes), &[]).await.unwrap();
    }
    let found = directory.consents.find(&alice.id, &shop.id).await.unwrap();
    assert_eq!(found, Some(consent(&alice, &shop, "a b")));
    assert_eq!(directory.consents.list_for_user(&alice.id).await.unwrap().len(), 1);
    assert!(directory.consents.delete(&alice.id, &shop.id, &[]).await.unwrap());
    assert_eq!(directory.consents.find(&alice.id, &shop.id).await.unwrap(), None);
}

pub async fn consents_go_with_their_user_or_client(directory: &Directory) {
    let (alice, bob, shop) = (user("alice"), user("bob"), client("Shop"));
    directory.clients.insert(&shop, &[]).await.unwrap();
    for person in [&alice, &bob] {
        directory.users.insert(person, &[]).await.unwrap();
        directory.consents.put(&consent(person, &shop, "a"), &[]).await.unwrap();
    }
    assert_eq!(directory.users.delete(&alice.id, &[]).await.unwrap(), Deleted::Done);
    assert_eq!(directory.consents.find(&alice.id, &shop.id).await.unwrap(), None);
    assert!(directory.clients.delete(&shop.id, &[]).await.unwrap());
    assert_eq!(directory.consents.find(&bob.id, &shop.id).await.unwrap(), None);
}

pub async fn scopes_are_replaced_by_name(directory: &Directory) {
    let scope = |name: &str, text: &str| Scope { name: name.to_owned(), text: text.to_owned(), role: None };
    for (name, text) in [("b", "B"), ("a", "A"), ("b", "B again")] {
        directory.scopes.put(&scope(name, text), &[]).await.unwrap();
    }
    assert_eq!(directory.scopes.list().await.unwrap(), [scope("a", "A"), scope("b", "B again")]);
    assert!(directory.scopes.delete("a", &[]).await.unwrap() && !directory.scopes.delete("a", &[]).await.unwrap());
}

pub async fn notes_are_replaced_by_name(directory: &Directory) {
    assert_eq!(directory.notes.get("settings").await.unwrap(), None);
    for text in ["a", "b"] {
        directory.notes.put("settings", text, &[Event::new(EventKind::Started)]).await.unwrap();
    }
    assert_eq!(directory.notes.get("settings").await.unwrap().as_deref(), Some("b"));
    assert_eq!(directory.audit.list(&EventFilter::default(), &EventPage::newest(9)).await.unwrap().len(), 2);
}
