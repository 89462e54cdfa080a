//! What every backend of the directory must do. A backend's test module says how to get an empty one and calls [`suite`].

use shared::oauth::Scopes;
use shared::store::StoreError;

use super::{Directory, EventId, EventPage, Page, Recorded, Replaced};
use crate::audit::{Event, EventFilter, EventKind};
use crate::client::Client;
use crate::client_metadata::ClientMetadata;
use crate::consent::Consent;
use crate::origin::Origin;
use crate::scope::Scope;
use crate::user::User;

macro_rules! suite {
    ($empty:ident) => {
        $crate::directory::conformance::suite!($empty:
            a_name_or_id_is_taken_once
            a_write_needs_the_version_it_read
            listings_are_paged_by_name_and_searchable
            a_wider_consent_takes_the_place_of_the_narrower
            consents_go_with_their_user_or_client
            scopes_are_replaced_by_name
            audit_events_are_read_from_either_end_by_time
            audit_events_are_filtered
            a_change_and_its_events_are_there_together_or_not_at_all
            old_audit_events_are_removed_in_batches
        );
    };
    ($empty:ident: $($case:ident)*) => {
        $(
            #[actix_rt::test]
            async fn $case() {
                let (_keep, directory) = $empty().await;
                $crate::directory::conformance::$case(&directory).await;
            }
        )*
    };
}
pub(crate) use suite;

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
    let first = directory.users.list(&page(None, None)).await.unwrap();
    let names = |users: &[User]| users.iter().map(|user| user.username.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["alice", "bob"]);
    let next = directory.users.list(&page(Some(&first[1].id), None)).await.unwrap();
    assert_eq!(names(&next), ["carol"]);
    assert_eq!(names(&directory.users.list(&page(None, Some("ARO"))).await.unwrap()), ["carol"]);
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
    assert!(directory.users.delete(&alice.id, &[]).await.unwrap());
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

async fn kept(directory: &Directory, filter: &EventFilter, page: &EventPage) -> Vec<Recorded> {
    directory.audit.list(filter, page).await.unwrap()
}

fn reasons(found: &[Recorded]) -> Vec<&str> {
    found.iter().filter_map(|recorded| recorded.event.reason.as_deref()).collect()
}

fn event(kind: EventKind, at: i64, reason: &str) -> Event {
    Event { at, ..Event::new(kind).reason(reason) }
}

/// F-063.
pub async fn audit_events_are_read_from_either_end_by_time(directory: &Directory) {
    let batch = [("late", 30), ("early", 10), ("noon", 20), ("noon again", 20)];
    let batch = batch.map(|(reason, at)| event(EventKind::CodeReplayed, at, reason));
    directory.audit.append(&batch).await.unwrap();
    directory.audit.append(&[event(EventKind::TokenIssued, 40, "latest")]).await.unwrap();
    let all = EventFilter::default();
    let newest = kept(directory, &all, &EventPage::newest(2)).await;
    assert_eq!(reasons(&newest), ["latest", "late"]);
    let next = EventPage { after: Some(newest[1].id.clone()), ..EventPage::newest(2) };
    let next = kept(directory, &all, &next).await;
    assert_eq!(reasons(&next), ["noon again", "noon"]);
    let last = EventPage { after: Some(next[1].id.clone()), ..EventPage::newest(2) };
    assert_eq!(reasons(&kept(directory, &all, &last).await), ["early"]);
    let oldest = EventPage { oldest_first: true, ..EventPage::newest(3) };
    let first = kept(directory, &all, &oldest).await;
    assert_eq!(reasons(&first), ["early", "noon", "noon again"]);
    let rest = EventPage { after: Some(first[2].id.clone()), ..oldest.clone() };
    assert_eq!(reasons(&kept(directory, &all, &rest).await), ["late", "latest"]);
    for nonsense in ["", "x", "1.", "\u{0}"] {
        let page = EventPage { after: Some(EventId(nonsense.to_owned())), ..oldest.clone() };
        assert!(kept(directory, &all, &page).await.is_empty(), "{nonsense:?}");
    }
    let whole = Event {
        detail: Some(serde_json::json!({"before": {"disabled": false}, "after": {"disabled": true}})),
        ..Event::new(EventKind::LoginFailed)
            .own("u_1")
            .client("c_1")
            .reason("whole")
            .sent_from(&Origin { ip: "2001:db8::1".parse().unwrap(), agent: Some("curl/8".to_owned()) })
    };
    directory.audit.append(std::slice::from_ref(&whole)).await.unwrap();
    assert_eq!(kept(directory, &all, &EventPage::newest(1)).await[0].event, whole);
}

/// F-063: by kind, by whom it concerns, by client, by address and by time, and by all of these at once.
pub async fn audit_events_are_filtered(directory: &Directory) {
    let origin = |ip: &str| Origin { ip: ip.parse().unwrap(), agent: None };
    let batch = [
        event(EventKind::LoginSucceeded, 10, "login").own("u_1").sent_from(&origin("192.0.2.1")),
        event(EventKind::LoginFailed, 20, "fail").subject("u_1").sent_from(&origin("192.0.2.2")),
        event(EventKind::TokenIssued, 30, "token").actor("c_1").subject("u_1").client("c_1"),
        event(EventKind::TokenIssued, 40, "machine").actor("c_1").client("c_1").sent_from(&origin("192.0.2.2")),
        event(EventKind::SessionEnded, 50, "admin").actor("u_9").subject("u_1"),
        event(EventKind::LoginFailed, 60, "nobody").sent_from(&origin("2001:db8::1")),
    ];
    directory.audit.append(&batch).await.unwrap();
    let who = |id: &str| EventFilter { who: Some(id.to_owned()), ..Default::default() };
    let client = |id: &str| EventFilter { client: Some(id.to_owned()), ..Default::default() };
    let kind = |kind| EventFilter { kind: Some(kind), ..Default::default() };
    let ip = |ip: &str| EventFilter { ip: ip.parse().ok(), ..Default::default() };
    for (filter, expected) in [
        (who("u_1"), &["admin", "token", "fail", "login"][..]),
        (who("u_9"), &["admin"]),
        (who("c_1"), &["machine", "token"]),
        (who("nobody"), &[]),
        (client("c_1"), &["machine", "token"]),
        (client("u_1"), &[]),
        (kind(EventKind::LoginFailed), &["nobody", "fail"]),
        (kind(EventKind::TokenIssued), &["machine", "token"]),
        (kind(EventKind::CodeReplayed), &[]),
        (ip("192.0.2.2"), &["machine", "fail"]),
        (ip("2001:db8::1"), &["nobody"]),
        (EventFilter { since: Some(30), until: Some(50), ..Default::default() }, &["machine", "token"]),
        (EventFilter { since: Some(20), until: Some(50), ..who("u_1") }, &["token", "fail"]),
        (EventFilter { client: Some("c_1".into()), ..who("u_1") }, &["token"]),
        (
            EventFilter { kind: Some(EventKind::TokenIssued), ip: "192.0.2.2".parse().ok(), ..client("c_1") },
            &["machine"],
        ),
        (EventFilter { kind: Some(EventKind::LoginFailed), until: Some(60), ..Default::default() }, &["fail"]),
    ] {
        assert_eq!(reasons(&kept(directory, &filter, &EventPage::newest(9)).await), expected, "{filter:?}");
        let mut backwards = expected.to_vec();
        backwards.reverse();
        let oldest = EventPage { oldest_first: true, ..EventPage::newest(9) };
        assert_eq!(reasons(&kept(directory, &filter, &oldest).await), backwards, "{filter:?}");
    }
    let first = kept(directory, &who("u_1"), &EventPage::newest(3)).await;
    let next = EventPage { after: Some(first[2].id.clone()), ..EventPage::newest(3) };
    assert_eq!(reasons(&kept(directory, &who("u_1"), &next).await), ["login"]);
}

pub async fn old_audit_events_are_removed_in_batches(directory: &Directory) {
    for at in [10, 20, 30] {
        directory.audit.append(&[event(EventKind::CodeReplayed, at, "x").own("u_1")]).await.unwrap();
    }
    assert_eq!(directory.audit.remove_before(30, 1).await.unwrap(), 1);
    let at = |found: Vec<Recorded>| found.iter().map(|recorded| recorded.event.at).collect::<Vec<_>>();
    let concerning = EventFilter { who: Some("u_1".to_owned()), ..Default::default() };
    for filter in [EventFilter::default(), concerning] {
        assert_eq!(at(kept(directory, &filter, &EventPage::newest(9)).await), [30, 20], "the oldest goes first");
    }
    assert_eq!(directory.audit.remove_before(30, 9).await.unwrap(), 1);
    assert_eq!(directory.audit.remove_before(30, 9).await.unwrap(), 0);
    assert_eq!(at(kept(directory, &EventFilter::default(), &EventPage::newest(9)).await), [30]);
}

/// F-065: the log tells of a change exactly when it was made.
pub async fn a_change_and_its_events_are_there_together_or_not_at_all(directory: &Directory) {
    let told = |reason: &str| [event(EventKind::PasswordChanged, 1, reason)];
    let (mut alice, mut shop) = (user("alice"), client("Shop"));
    let scope = Scope { name: "read".to_owned(), text: "Read".to_owned(), role: None };
    directory.users.insert(&alice, &told("1 user made")).await.unwrap();
    directory.users.insert(&user("alice"), &told("never")).await.unwrap_err();
    directory.clients.insert(&shop, &told("2 client made")).await.unwrap();
    directory.clients.insert(&shop, &told("never")).await.unwrap_err();
    (alice.version, shop.version) = (1, 1);
    assert_eq!(directory.users.replace(&alice, &told("3 user changed")).await.unwrap(), Replaced::Done);
    assert_eq!(directory.users.replace(&alice, &told("never")).await.unwrap(), Replaced::Changed);
    assert_eq!(directory.clients.replace(&shop, &told("4 client changed")).await.unwrap(), Replaced::Done);
    assert_eq!(directory.clients.replace(&shop, &told("never")).await.unwrap(), Replaced::Changed);
    directory.consents.put(&consent(&alice, &shop, "a"), &told("5 allowed")).await.unwrap();
    assert!(directory.consents.delete(&alice.id, &shop.id, &told("6 withdrawn")).await.unwrap());
    assert!(!directory.consents.delete(&alice.id, &shop.id, &told("never")).await.unwrap());
    directory.scopes.put(&scope, &told("7 scope")).await.unwrap();
    assert!(directory.scopes.delete("read", &told("8 no scope")).await.unwrap());
    assert!(!directory.scopes.delete("read", &told("never")).await.unwrap());
    assert!(directory.users.delete(&alice.id, &told("9 no user")).await.unwrap());
    assert!(!directory.users.delete(&alice.id, &told("never")).await.unwrap());
    assert!(directory.clients.delete(&shop.id, &told("A no client")).await.unwrap());
    assert!(!directory.clients.delete(&shop.id, &told("never")).await.unwrap());
    let page = EventPage { oldest_first: true, ..EventPage::newest(20) };
    let found = kept(directory, &EventFilter::default(), &page).await;
    assert_eq!(reasons(&found).iter().map(|reason| &reason[..1]).collect::<String>(), "123456789A");
}
