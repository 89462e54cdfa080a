//! What every [`ExpiringStore`] must do: one async function a case, listed once in the macro. No case is optional.

#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use futures_util::future::join_all;

use super::{Applied, ExpiringStore, Key, Op, Owner};
use crate::store::servers::{Life, in_time};

/// Makes a test of each case. `$empty` is an async function giving `Some((guard, store))` with an
/// empty store, or `None` where the server to test against is missing.
#[macro_export]
macro_rules! expiring_conformance {
    ($empty:path) => {
        $crate::expiring_conformance!(
            $empty,
            [
                an_entry_is_found_until_it_expires,
                a_taken_key_refuses_an_insert_and_an_expired_one_is_free_again,
                exactly_one_of_fifty_parallel_claims_succeeds,
                a_later_claim_sees_the_note_and_age_of_the_first,
                an_update_needs_the_version_it_read_and_renews_the_life,
                exactly_one_of_fifty_parallel_updates_of_one_version_succeeds,
                a_refused_batch_changes_nothing,
                a_required_entry_that_is_gone_refuses_the_batch,
                exactly_one_of_twenty_parallel_batches_with_one_claim_is_done,
                of_two_batches_that_each_delete_what_the_other_requires_one_is_refused,
                the_steps_of_a_batch_are_done_in_order,
                a_batch_without_steps_is_done,
                deleting_an_owner_deletes_all_his_entries_and_nobody_elses,
                lists_and_scans_are_paged_in_key_order,
                entries_are_exported_whole_and_imported_as_they_were,
                a_counter_counts_each_of_fifty_parallel_calls_and_starts_again_after_its_window,
                a_sweep_removes_only_what_expired,
            ]
        );
    };
    ($empty:path, [$($case:ident),* $(,)?]) => {
        $(
            #[actix_rt::test]
            async fn $case() {
                let Some((_guard, store)) = $empty().await else { return };
                $crate::expiring::conformance::$case(&store).await;
            }
        )*
    };
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(30);

fn insert(id: &str, value: &str, ttl: Duration, owners: &[&str]) -> Op {
    let owners = owners.iter().map(|owner| Owner::new("user", owner)).collect();
    Op::Insert { key: Key::new("test", id), value: value.into(), ttl, owners }
}

fn delete(id: &str) -> Op {
    Op::Delete { key: Key::new("test", id) }
}

async fn value(store: &dyn ExpiringStore, id: &str) -> Option<String> {
    let kept = store.get_many(&[Key::new("test", id)]).await.unwrap().remove(0)?;
    Some(String::from_utf8(kept.value).unwrap())
}

async fn done(store: &dyn ExpiringStore, ops: Vec<Op>) {
    assert_eq!(store.apply(ops).await.unwrap(), Applied::Done);
}

async fn wait_for_expiry() {
    actix_rt::time::sleep(SHORT * 2).await;
}

pub async fn an_entry_is_found_until_it_expires(store: &dyn ExpiringStore) {
    done(store, vec![insert("a", "1", LONG, &[])]).await;
    let life = in_time(SHORT, async |length| {
        let life = Life::of(length);
        done(store, vec![delete("b"), insert("b", "2", length, &[])]).await;
        let found = store.get_many(&["b", "none", "a"].map(|id| Key::new("test", id))).await.unwrap();
        let pair = store.get_many(&["b", "a"].map(|id| Key::new("test", id))).await.unwrap();
        if !life.lasts() {
            return None;
        }
        let seen: Vec<_> =
            found.iter().map(|kept| kept.as_ref().map(|kept| (kept.value.as_slice(), kept.version))).collect();
        assert_eq!(seen, [Some((&b"2"[..], 1)), None, Some((&b"1"[..], 1))]);
        assert!(found[2].as_ref().unwrap().left > LONG / 2);
        let values: Vec<_> = pair.iter().map(|kept| kept.as_ref().map(|kept| kept.value.as_slice())).collect();
        assert_eq!(values, [Some(&b"2"[..]), Some(&b"1"[..])]);
        Some(life)
    })
    .await;
    life.ends(SHORT).await;
    for (first, second, expected) in [
        ("b", "a", [None, Some("1")]),
        ("none", "a", [None, Some("1")]),
        ("a", "none", [Some("1"), None]),
        ("a", "a", [Some("1"), Some("1")]),
    ] {
        let found = store.get_many(&[first, second].map(|id| Key::new("test", id))).await.unwrap();
        let values = found.into_iter().map(|kept| kept.map(|kept| String::from_utf8(kept.value).unwrap()));
        assert_eq!(values.collect::<Vec<_>>(), expected.map(|value| value.map(str::to_owned)), "{first} {second}");
    }
}

pub async fn a_taken_key_refuses_an_insert_and_an_expired_one_is_free_again(store: &dyn ExpiringStore) {
    let life = in_time(SHORT, async |length| {
        let life = Life::of(length);
        done(store, vec![delete("a"), insert("a", "1", length, &["x"])]).await;
        let refused = store.apply(vec![insert("a", "2", LONG, &[])]).await.unwrap();
        if !life.lasts() {
            return None;
        }
        assert!(matches!(refused, Applied::Refused { index: 0, found: Some(kept) } if kept.value == b"1"));
        Some(life)
    })
    .await;
    life.ends(SHORT).await;
    done(store, vec![insert("a", "2", LONG, &[])]).await;
    assert_eq!(value(store, "a").await.as_deref(), Some("2"));
    assert!(store.list(&Owner::new("user", "x"), None, 9).await.unwrap().is_empty(), "the old entry's owner");
}

///
pub async fn exactly_one_of_fifty_parallel_claims_succeeds(store: &dyn ExpiringStore) {
    done(store, vec![insert("code", "v", LONG, &[])]).await;
    let claims =
        join_all((0..50).map(|_| store.apply(vec![Op::Claim { key: Key::new("test", "code"), note: vec![] }]))).await;
    assert_eq!(claims.into_iter().filter(|claim| *claim.as_ref().unwrap() == Applied::Done).count(), 1);
}

pub async fn a_later_claim_sees_the_note_and_age_of_the_first(store: &dyn ExpiringStore) {
    let claim = |note: &str| Op::Claim { key: Key::new("test", "code"), note: note.into() };
    let missing = store.apply(vec![claim("early")]).await.unwrap();
    assert_eq!(missing, Applied::Refused { index: 0, found: None });
    done(store, vec![insert("code", "v", LONG, &[])]).await;
    done(store, vec![claim("first")]).await;
    actix_rt::time::sleep(Duration::from_millis(20)).await;
    let Applied::Refused { index: 0, found: Some(kept) } = store.apply(vec![claim("second")]).await.unwrap() else {
        panic!("claimed twice")
    };
    assert_eq!((kept.note.as_slice(), kept.value.as_slice()), (&b"first"[..], &b"v"[..]));
    let age = kept.claimed_for.unwrap();
    assert!(age >= Duration::from_millis(15) && age < LONG, "{age:?}");
}

pub async fn an_update_needs_the_version_it_read_and_renews_the_life(store: &dyn ExpiringStore) {
    let update =
        |expected, value: &str, ttl| Op::Update { key: Key::new("test", "a"), expected, value: value.into(), ttl };
    let life = in_time(SHORT, async |length| {
        let life = Life::of(length);
        done(store, vec![delete("a"), insert("a", "1", length, &[])]).await;
        let renewed = store.apply(vec![update(1, "2", Some(LONG))]).await.unwrap();
        if !life.lasts() {
            return None;
        }
        assert_eq!(renewed, Applied::Done);
        Some(life)
    })
    .await;
    let stale = store.apply(vec![update(1, "x", None)]).await.unwrap();
    assert!(matches!(stale, Applied::Refused { index: 0, found: Some(kept) } if kept.version == 2));
    life.ends(SHORT).await;
    done(store, vec![update(2, "3", Some(SHORT))]).await;
    wait_for_expiry().await;
    assert_eq!(value(store, "a").await, None);
    assert_eq!(
        store.apply(vec![update(3, "4", Some(LONG))]).await.unwrap(),
        Applied::Refused { index: 0, found: None }
    );
}

///
pub async fn exactly_one_of_fifty_parallel_updates_of_one_version_succeeds(store: &dyn ExpiringStore) {
    done(store, vec![insert("a", "0", LONG, &[])]).await;
    let updates = join_all((0..50).map(|i: u32| {
        store.apply(vec![Op::Update {
            key: Key::new("test", "a"),
            expected: 1,
            value: i.to_string().into(),
            ttl: None,
        }])
    }))
    .await;
    let won: Vec<_> = (0..50).filter(|i| *updates[*i].as_ref().unwrap() == Applied::Done).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(value(store, "a").await, Some(won[0].to_string()));
}

pub async fn a_refused_batch_changes_nothing(store: &dyn ExpiringStore) {
    done(store, vec![insert("kept", "1", LONG, &["x"]), insert("claimed", "1", LONG, &[])]).await;
    let claim = Op::Claim { key: Key::new("test", "claimed"), note: vec![] };
    let owned = Op::DeleteOwned { owner: Owner::new("user", "x") };
    let batch = vec![
        claim.clone(),
        insert("new", "1", LONG, &[]),
        delete("kept"),
        owned,
        insert("kept2", "1", LONG, &[]),
        claim.clone(),
    ];
    assert!(matches!(store.apply(batch).await.unwrap(), Applied::Refused { index: 5, .. }));
    assert_eq!(value(store, "new").await, None);
    assert_eq!(value(store, "kept").await.as_deref(), Some("1"));
    done(store, vec![claim]).await;
}

pub async fn a_required_entry_that_is_gone_refuses_the_batch(store: &dyn ExpiringStore) {
    let batch = || vec![Op::Require { key: Key::new("test", "grant") }, insert("token", "1", LONG, &[])];
    assert_eq!(store.apply(batch()).await.unwrap(), Applied::Refused { index: 0, found: None });
    assert_eq!(value(store, "token").await, None);
    done(store, vec![insert("grant", "1", LONG, &[])]).await;
    done(store, batch()).await;
}

/// what depends on a claim is written by its winner alone.
pub async fn exactly_one_of_twenty_parallel_batches_with_one_claim_is_done(store: &dyn ExpiringStore) {
    done(store, vec![insert("code", "v", LONG, &[]), insert("grant", "1", LONG, &["x"])]).await;
    let batch = |number: usize| {
        vec![
            Op::Claim { key: Key::new("test", "code"), note: vec![] },
            Op::Require { key: Key::new("test", "grant") },
            insert(&format!("token{number}"), "1", LONG, &[]),
        ]
    };
    let answers = join_all((0..20).map(|number| store.apply(batch(number)))).await;
    let won: Vec<usize> = (0..20).filter(|number| *answers[*number].as_ref().unwrap() == Applied::Done).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(value(store, &format!("token{number}")).await.is_some(), number == won[0]);
        assert!(matches!(answer.as_ref().unwrap(), Applied::Done | Applied::Refused { index: 0, found: Some(_) }));
    }
}

/// What a batch requires still holds when it is done.
pub async fn of_two_batches_that_each_delete_what_the_other_requires_one_is_refused(store: &dyn ExpiringStore) {
    for round in 0..10 {
        let [one, other] = [format!("one{round}"), format!("other{round}")];
        done(store, vec![insert(&one, "1", LONG, &[]), insert(&other, "1", LONG, &[])]).await;
        let batch =
            |required: &str, deleted: &str| vec![Op::Require { key: Key::new("test", required) }, delete(deleted)];
        let (first, second) =
            futures_util::future::join(store.apply(batch(&one, &other)), store.apply(batch(&other, &one))).await;
        let refused = [first.unwrap(), second.unwrap()].into_iter().filter(|applied| *applied != Applied::Done).count();
        assert_eq!(refused, 1);
    }
}

pub async fn the_steps_of_a_batch_are_done_in_order(store: &dyn ExpiringStore) {
    let key = |id: &str| Key::new("test", id);
    let owned = || Op::DeleteOwned { owner: Owner::new("user", "x") };
    done(store, vec![insert("a", "old", LONG, &["x"]), insert("b", "old", LONG, &["x", "y"])]).await;
    done(
        store,
        vec![
            insert("c", "1", LONG, &["x"]),
            Op::Update { key: key("b"), expected: 1, value: b"changed".to_vec(), ttl: Some(LONG) },
            owned(),
            insert("b", "new", LONG, &["x"]),
            insert("d", "1", LONG, &["x"]),
            Op::Claim { key: key("d"), note: b"noted".to_vec() },
            Op::Update { key: key("d"), expected: 1, value: b"2".to_vec(), ttl: None },
            Op::Delete { key: key("b") },
            insert("b", "newest", LONG, &["x"]),
        ],
    )
    .await;
    let found = store.get_many(&["a", "b", "c", "d"].map(key)).await.unwrap();
    let values: Vec<_> = found.iter().map(|kept| kept.as_ref().map(|kept| kept.value.as_slice())).collect();
    assert_eq!(values, [None, Some(&b"newest"[..]), None, Some(&b"2"[..])]);
    let claimed = found[3].as_ref().unwrap();
    assert_eq!((claimed.version, claimed.note.as_slice(), claimed.claimed_for.is_some()), (2, &b"noted"[..], true));
    let left = store.list(&Owner::new("user", "y"), None, 9).await.unwrap();
    assert!(left.is_empty(), "a new entry under an old key has the new one's owners");
    assert_eq!(store.list(&Owner::new("user", "x"), None, 9).await.unwrap().len(), 2);
}

pub async fn a_batch_without_steps_is_done(store: &dyn ExpiringStore) {
    done(store, Vec::new()).await;
}

pub async fn deleting_an_owner_deletes_all_his_entries_and_nobody_elses(store: &dyn ExpiringStore) {
    done(
        store,
        vec![insert("a", "1", LONG, &["x", "y"]), insert("b", "1", LONG, &["x"]), insert("c", "1", LONG, &["y"])],
    )
    .await;
    done(store, vec![Op::DeleteOwned { owner: Owner::new("user", "x") }]).await;
    assert_eq!((value(store, "a").await, value(store, "b").await), (None, None));
    let left = store.list(&Owner::new("user", "y"), None, 9).await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.key).collect::<Vec<_>>(), [Key::new("test", "c")]);
}

pub async fn lists_and_scans_are_paged_in_key_order(store: &dyn ExpiringStore) {
    let ids = ["a", "b", "c", "d", "e"];
    let mut batch: Vec<_> = ids.iter().map(|id| insert(id, id, LONG, &["x"])).collect();
    batch.push(insert("other", "o", LONG, &["y"]));
    batch.push(insert("gone", "g", SHORT, &["x"]));
    done(store, batch).await;
    wait_for_expiry().await;
    let mut expected: Vec<_> = ids.iter().map(|id| Key::new("test", id)).collect();
    expected.sort();
    let owner = Owner::new("user", "x");
    let mut listed = Vec::new();
    loop {
        let page = store.list(&owner, listed.last(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(_) = page.first() else { break };
        listed.extend(page.iter().map(|entry| entry.key));
    }
    assert_eq!(listed, expected);
    expected.push(Key::new("test", "other"));
    expected.sort();
    let first = store.scan(None, 4).await.unwrap();
    let rest = store.scan(Some(&first[3].key), 4).await.unwrap();
    assert_eq!(first.iter().chain(&rest).map(|entry| entry.key).collect::<Vec<_>>(), expected);
}

pub async fn a_counter_counts_each_of_fifty_parallel_calls_and_starts_again_after_its_window(
    store: &dyn ExpiringStore,
) {
    let key = Key::new("test", "counter");
    let mut counts: Vec<_> =
        join_all((0..50).map(|_| store.count(&key, LONG))).await.into_iter().map(Result::unwrap).collect();
    counts.sort_unstable_by_key(|count| count.calls);
    assert_eq!(counts.iter().map(|count| count.calls).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
    assert!(counts.iter().all(|count| count.left > LONG / 2 && count.left <= LONG), "{counts:?}");
    let other = Key::new("test", "brief");
    assert_eq!(store.count(&other, SHORT).await.unwrap().calls, 1);
    wait_for_expiry().await;
    assert_eq!(store.count(&other, SHORT).await.unwrap().calls, 1);
}

///
pub async fn a_sweep_removes_only_what_expired(store: &dyn ExpiringStore) {
    done(store, vec![insert("a", "1", SHORT, &["x"]), insert("b", "1", SHORT, &[]), insert("c", "1", LONG, &["x"])])
        .await;
    wait_for_expiry().await;
    while store.sweep(1).await.unwrap() > 0 {}
    assert_eq!(value(store, "c").await.as_deref(), Some("1"));
    assert_eq!(store.scan(None, 9).await.unwrap().len(), 1);
}

pub async fn entries_are_exported_whole_and_imported_as_they_were(store: &dyn ExpiringStore) {
    let update = Op::Update { key: Key::new("test", "b"), expected: 1, value: vec![0, 255], ttl: None };
    let claim = |id: &str, note: &[u8]| Op::Claim { key: Key::new("test", id), note: note.to_vec() };
    done(store, vec![insert("a", "1", LONG, &["y", "x"]), insert("b", "2", LONG, &[]), insert("c", "3", LONG, &["y"])])
        .await;
    done(store, vec![update, claim("b", &[0, 200]), claim("c", &[])]).await;
    let (all, life) = in_time(SHORT, async |length| {
        let life = Life::of(length);
        done(store, vec![delete("short"), insert("short", "4", length, &["x"])]).await;
        let all = store.export(None, 10).await.unwrap();
        let first = store.export(None, 3).await.unwrap();
        let rest = store.export(Some(&first[2].key), 3).await.unwrap();
        if !life.lasts() {
            return None;
        }
        assert!(all.is_sorted_by(|one, other| one.key < other.key) && all.len() == 4);
        assert_eq!([first, rest].concat(), all);
        Some((all, life))
    })
    .await;
    let of = |id: &str| all.iter().find(|entry| entry.key == Key::new("test", id)).unwrap();
    assert_eq!(of("a").owners, ["x", "y"].map(|id| Owner::new("user", id)));
    assert_eq!((of("a").claimed_at, of("b").version, of("b").note.as_slice()), (None, 2, &[0, 200][..]));
    assert!(of("c").claimed_at.is_some() && of("b").expires_at > of("short").expires_at);

    let keys: Vec<Op> = all.iter().map(|entry| Op::Delete { key: entry.key }).collect();
    done(store, keys).await;
    // In the place of another entry, and of its owner.
    done(store, vec![insert("a", "other", LONG, &["z"])]).await;
    life.ends(SHORT).await;
    store.import(Vec::new()).await.unwrap();
    store.import(all.clone()).await.unwrap();
    store.import(all.clone()).await.unwrap();
    let live: Vec<_> = all.iter().filter(|entry| entry.key != Key::new("test", "short")).cloned().collect();
    assert_eq!(store.export(None, 10).await.unwrap(), live);
    let listed = async |owner: &str| store.list(&Owner::new("user", owner), None, 9).await.unwrap().len();
    assert_eq!((listed("x").await, listed("y").await, listed("z").await), (1, 2, 0));
    let again = store.apply(vec![claim("b", b"second")]).await.unwrap();
    let Applied::Refused { found: Some(kept), .. } = again else { panic!("claimed twice") };
    assert_eq!((kept.note.as_slice(), kept.version, kept.value.as_slice()), (&[0, 200][..], 2, &[0, 255][..]));
    assert!(kept.left > LONG / 2 && kept.left <= LONG);
    done(store, vec![Op::DeleteOwned { owner: Owner::new("user", "y") }]).await;
    assert_eq!(store.export(None, 10).await.unwrap().len(), 1);
}
