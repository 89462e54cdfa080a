//! The audit log, and changes with the events that tell of them.

use super::super::{Deleted, Directory, EventId, EventPage, Recorded, Replaced};
use super::admins::with_roles;
use super::{client, consent, user};
use crate::audit::{Event, EventFilter, EventKind, Outcome};
use crate::client::Client;
use crate::origin::Origin;
use crate::scope::Scope;
use crate::user::{ADMIN, User};

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
        (EventFilter { outcome: Some(Outcome::Failure), ..Default::default() }, &["nobody", "fail"]),
        (EventFilter { outcome: Some(Outcome::Success), ..who("u_1") }, &["admin", "token", "login"]),
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
    assert_eq!(directory.users.delete(&alice.id, &told("9 no user")).await.unwrap(), Deleted::Done);
    assert_eq!(directory.users.delete(&alice.id, &told("never")).await.unwrap(), Deleted::Missing);
    assert!(directory.clients.delete(&shop.id, &told("A no client")).await.unwrap());
    assert!(!directory.clients.delete(&shop.id, &told("never")).await.unwrap());
    let page = EventPage { oldest_first: true, ..EventPage::newest(20) };
    let found = kept(directory, &EventFilter::default(), &page).await;
    assert_eq!(reasons(&found).iter().map(|reason| &reason[..1]).collect::<String>(), "123456789A");
}

/// F-065.
pub async fn a_change_that_the_log_does_not_take_is_not_made(directory: &Directory) {
    let (alice, shop) = (user("alice"), client("Shop"));
    let scope = |text: &str| Scope { name: "read".to_owned(), text: text.to_owned(), role: None };
    let narrow = consent(&alice, &shop, "a");
    directory.users.insert(&alice, &[]).await.unwrap();
    directory.clients.insert(&shop, &[]).await.unwrap();
    directory.consents.put(&narrow, &[]).await.unwrap();
    directory.scopes.put(&scope("Read"), &[]).await.unwrap();
    directory.notes.put("n", "a", &[]).await.unwrap();
    let alice = directory.users.find(&alice.id).await.unwrap().unwrap();
    let shop = directory.clients.find(&shop.id).await.unwrap().unwrap();
    let off = (User { disabled: true, ..alice.clone() }, Client { disabled: true, ..shop.clone() });
    let events = [Event::new(EventKind::UserChanged)];
    assert!(directory.audit.append(&events).await.is_err());
    assert!(directory.users.insert(&user("bob"), &events).await.is_err());
    assert!(directory.users.insert_first_admin(&with_roles("root", &[ADMIN]), &events).await.is_err());
    assert!(directory.users.replace(&off.0, &events).await.is_err());
    assert!(directory.users.delete(&alice.id, &events).await.is_err());
    assert!(directory.clients.insert(&client("Other"), &events).await.is_err());
    assert!(directory.clients.replace(&off.1, &events).await.is_err());
    assert!(directory.clients.delete(&shop.id, &events).await.is_err());
    assert!(directory.consents.put(&consent(&alice, &shop, "a b"), &events).await.is_err());
    assert!(directory.consents.delete(&alice.id, &shop.id, &events).await.is_err());
    assert!(directory.scopes.put(&scope("Read all"), &events).await.is_err());
    assert!(directory.scopes.delete("read", &events).await.is_err());
    assert!(directory.notes.put("n", "b", &events).await.is_err());
    assert_eq!((directory.users.count().await.unwrap(), directory.clients.count().await.unwrap()), (1, 1));
    assert!(!directory.users.find(&alice.id).await.unwrap().unwrap().disabled);
    assert!(!directory.clients.find(&shop.id).await.unwrap().unwrap().disabled);
    assert_eq!(directory.consents.find(&alice.id, &shop.id).await.unwrap(), Some(narrow));
    assert_eq!(directory.scopes.list().await.unwrap(), [scope("Read")]);
    assert_eq!(directory.notes.get("n").await.unwrap().as_deref(), Some("a"));
}
