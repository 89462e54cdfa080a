//! Counting failed sign-ins: of many at the same time, over networks and names, in one store and in two.
#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use futures_util::future::join_all;
use shared::Secret;
use shared::expiring;
use shared::store::{Redis, Sqlite};

use super::*;
use crate::app::{self, App};

fn from(app: &App, name: &str, ip: &str) -> Attempter {
    app.attempts.attempter(&fold(name), ip.parse().unwrap(), None)
}

async fn fail(app: &App, attempter: &Attempter, times: usize) {
    for _ in 0..times {
        assert!(matches!(app.attempts.failed(attempter).await.unwrap(), Counted::Counted { .. }));
    }
}

/// F-023, X-021: names are counted however they are written, and stand nowhere in the store.
#[test]
fn names_are_folded() {
    for name in [" ALICE", "Alice", "\u{ff21}lice", "alice\n"] {
        assert_eq!(fold(name), "alice", "{name:?}");
    }
    assert_eq!(fold("RENE\u{301}"), fold("ren\u{e9}"));
    assert_ne!(fold("alice"), fold("alicf"));
}

/// F-041, F-046, X-024: of fifty wrong passwords at the same time five are told to be wrong, the others that they must wait.
#[actix_rt::test]
async fn parallel_failures_count_as_if_they_came_one_by_one() {
    let (_folder, app) = app::for_test();
    let attempter = from(&app, "alice", "192.0.2.1");
    let counted = join_all((0..50).map(|_| app.attempts.failed(&attempter))).await;
    let told = counted.iter().filter(|counted| matches!(counted, Ok(Counted::Counted { .. }))).count();
    assert_eq!(told, 5);
    assert!(counted.iter().all(|counted| matches!(counted, Ok(Counted::Counted { .. } | Counted::TooLate(_)))));
    assert!(!app.attempts.succeeded(&attempter).await.unwrap().is_zero(), "the right password comes too late as well");
}

/// F-044: a right password forgets what failed in this name from this network, and nothing else.
#[actix_rt::test]
async fn a_success_forgets_the_failures_of_its_name_and_network_only() {
    let (_folder, app) = app::for_test();
    let (here, there) = (from(&app, "alice", "192.0.2.1"), from(&app, "alice", "192.0.2.2"));
    fail(&app, &here, 4).await;
    fail(&app, &there, 4).await;
    assert_eq!(app.attempts.succeeded(&here).await.unwrap(), Duration::ZERO);
    fail(&app, &here, 1).await;
    assert_eq!(app.attempts.wait(&here).await.unwrap(), Duration::ZERO);
    fail(&app, &there, 1).await;
    assert!(!app.attempts.wait(&there).await.unwrap().is_zero());
    let standing = app.attempts.standing(&here).await.unwrap();
    let failures = |of| standing.held.iter().find(|(counter, _)| counter.of == of).unwrap().1.as_ref().unwrap().value;
    assert_eq!((failures(Of::NameAndNetwork), failures(Of::Network), failures(Of::Name)), (1, 5, 10));
    assert_eq!(failures(Of::Account), 2, "a success ends a run");
}

/// F-042: failures from everywhere slow a name down, wherever the next attempt comes from.
#[actix_rt::test]
async fn a_name_is_slowed_over_all_networks() {
    let (_folder, app) = app::for_test();
    for network in 1..=10 {
        fail(&app, &from(&app, "alice", &format!("192.0.2.{network}")), 1).await;
    }
    let wait = app.attempts.wait(&from(&app, "alice", "198.51.100.1")).await.unwrap();
    assert!(!wait.is_zero() && wait <= Duration::from_secs(1), "{wait:?}");
    assert_eq!(app.attempts.wait(&from(&app, "bob", "192.0.2.1")).await.unwrap(), Duration::ZERO);
}

/// F-041: many names from one network end it for the rest of the window; an IPv6 network is one, whatever the address.
#[actix_rt::test]
async fn a_network_that_tries_many_names_must_wait() {
    let (_folder, app) = app::for_test();
    for name in 0..50 {
        fail(&app, &from(&app, &format!("user{name}"), &format!("2001:db8::{name}")), 1).await;
    }
    let wait = app.attempts.wait(&from(&app, "alice", "2001:db8::ffff")).await.unwrap();
    assert!(wait > Duration::from_secs(800) && wait <= Duration::from_secs(900), "{wait:?}");
    assert_eq!(app.attempts.wait(&from(&app, "alice", "2001:db8:0:1::1")).await.unwrap(), Duration::ZERO);
}

/// F-071, F-043: a new master key neither reopens what was closed nor begins a run anew.
#[actix_rt::test]
async fn a_run_of_failures_goes_on_under_a_new_master_key() {
    let (_folder, app) = app::for_test();
    let key = |byte: u8| URL_SAFE_NO_PAD.encode([[byte; 31].as_slice(), &[!byte]].concat());
    let ring = |text: String| KeyRing::parse(&Secret::new(text)).unwrap();
    let mut config = app.config.throttle.clone();
    (config.close_account, config.name, config.name_and_network) = (3, 100, 100);
    let attempts = |keys| Attempts::new(app.state.clone(), keys, config.clone());
    let (old, new) = (attempts(ring(key(1))), attempts(ring(format!("{}\n{}", key(2), key(1)))));
    let attempter = |attempts: &Attempts| attempts.attempter("alice", "192.0.2.1".parse().unwrap(), None);
    for _ in 0..2 {
        assert_eq!(old.failed(&attempter(&old)).await.unwrap(), Counted::Counted { closed: false });
    }
    assert_eq!(new.failed(&attempter(&new)).await.unwrap(), Counted::Counted { closed: true });
    assert!(new.is_closed("Alice").await.unwrap());
    let newest = attempts(ring(format!("{}\n{}\n{}", key(3), key(2), key(1))));
    assert!(newest.is_closed("alice").await.unwrap());
    newest.forget("alice").await.unwrap();
    assert!(!newest.is_closed("alice").await.unwrap() && !new.is_closed("alice").await.unwrap());
}

/// Runs in a file of this folder, all other counters in `ephemeral`.
fn in_two_stores(folder: &tempfile::TempDir, ephemeral: Arc<dyn ExpiringStore>, close_account: u32) -> Attempts {
    let durable = expiring::on_sqlite(Sqlite::open(folder.path().join("durable.db")).unwrap()).unwrap();
    let keys = KeyRing::load_or_create(&folder.path().join("key")).unwrap();
    let config = ThrottleConfig { close_account, ..ThrottleConfig::default() };
    Attempts::new(State::new(durable, Some(ephemeral)).counting(), keys, config)
}

fn file(folder: &tempfile::TempDir, name: &str) -> Arc<dyn ExpiringStore> {
    expiring::on_sqlite(Sqlite::open(folder.path().join(name)).unwrap()).unwrap()
}

/// F-043, F-045, X-028: a store of ephemeral state that forgets opens no account, and what it was told only makes wait.
#[actix_rt::test]
async fn what_is_closed_stays_closed_when_the_ephemeral_store_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let attempts = in_two_stores(&folder, file(&folder, "ephemeral.db"), 3);
    let here = attempts.attempter("alice", "192.0.2.1".parse().unwrap(), None);
    for closed in [false, false, true] {
        assert_eq!(attempts.failed(&here).await.unwrap(), Counted::Counted { closed });
    }
    let forgetful = in_two_stores(&folder, file(&folder, "empty.db"), 3);
    assert!(forgetful.is_closed("Alice").await.unwrap());
    assert_eq!(forgetful.wait(&here).await.unwrap(), LONGEST);
    let other = forgetful.attempter("bob", "192.0.2.1".parse().unwrap(), None);
    assert_eq!(forgetful.wait(&other).await.unwrap(), Duration::ZERO);
    forgetful.forget("alice").await.unwrap();
    assert_eq!(forgetful.wait(&here).await.unwrap(), Duration::ZERO);
}

/// F-043, F-046, X-024: in two stores as in one, of many failures at the same time no more are told than until it closes, and one closes
/// it.
#[actix_rt::test]
async fn parallel_failures_in_two_stores_close_an_account_once() {
    let folder = tempfile::tempdir().unwrap();
    let attempts = in_two_stores(&folder, file(&folder, "ephemeral.db"), 4);
    // Each from a network of its own, so that nothing else makes wait.
    let attempters: Vec<_> =
        (0..50).map(|number| attempts.attempter("alice", format!("192.0.2.{number}").parse().unwrap(), None)).collect();
    let counted = join_all(attempters.iter().map(|attempter| attempts.failed(attempter))).await;
    let count = |wanted: Counted| counted.iter().filter(|counted| counted.as_ref().unwrap() == &wanted).count();
    assert_eq!((count(Counted::Counted { closed: false }), count(Counted::Counted { closed: true })), (3, 1));
    assert!(!attempts.succeeded(&attempters[0]).await.unwrap().is_zero());
}

/// F-045, decisions 19: while the store of the counters is away this process counts by itself, and what is closed stays closed.
#[actix_rt::test]
async fn failures_are_counted_in_the_process_while_their_store_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let gone = expiring::on_redis(Redis::new(&Secret::new("redis://127.0.0.1:1"), "test").unwrap());
    let attempts = in_two_stores(&folder, gone, 6);
    let here = attempts.attempter("alice", "192.0.2.1".parse().unwrap(), None);
    for _ in 0..5 {
        assert_eq!(attempts.failed(&here).await.unwrap(), Counted::Counted { closed: false });
    }
    let wait = attempts.wait(&here).await.unwrap();
    assert!(!wait.is_zero() && wait <= Duration::from_secs(1), "{wait:?}");
    let there = attempts.attempter("alice", "192.0.2.2".parse().unwrap(), None);
    assert_eq!(attempts.failed(&there).await.unwrap(), Counted::Counted { closed: true });
    assert_eq!(attempts.wait(&there).await.unwrap(), LONGEST);
    attempts.forget("alice").await.unwrap();
    assert_eq!(attempts.wait(&here).await.unwrap(), Duration::ZERO);
    for _ in 0..3 {
        attempts.failed(&here).await.unwrap();
    }
    assert_eq!(attempts.succeeded(&here).await.unwrap(), Duration::ZERO);
    assert!(!attempts.is_closed("alice").await.unwrap());
}
