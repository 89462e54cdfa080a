//! Failed sign-ins, counted in the store for all processes (F-040 to F-045).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::expiring::{Applied, Expiring, ExpiringStore, Held, Key, Op, Owner};
use shared::seal::KeyRing;
use shared::store::StoreError;
use unicode_normalization::UnicodeNormalization as _;

use super::counters::{LONGEST, LONGEST_FOR_NAME, Rule};
use super::device::Mark;
use crate::config::{Lifetimes, ThrottleConfig};
use crate::state;
use crate::throttle::network;

/// Writes that are tried until one finds the counters as they were read: there are never more rivals than passwords that
/// are checked at a time.
const TRIES: usize = 100;

/// The counters of failed sign-ins.
pub struct Attempts {
    failures: Expiring<u32>,
    keys: KeyRing,
    window: Duration,
    config: ThrottleConfig,
}

/// Whose attempt it is: which counters it belongs to.
pub struct Attempter {
    /// The folded name as it stands in the store: under every master key, the newest first. Names are kept for known and
    /// unknown accounts alike, and can't be read back (F-023).
    names: Vec<String>,
    network: IpAddr,
    /// What the browser proved of an earlier sign-in to this account.
    device: Option<String>,
}

/// What became of a failure.
#[derive(Debug, PartialEq, Eq)]
pub enum Counted {
    /// `closed`: it was the one that closed the account.
    Counted { closed: bool },
    /// Others were faster: by now nothing is tried for so long, so nobody may learn what this attempt came to (F-046).
    TooLate(Duration),
}

/// One counter: where it is kept, and by which rule it makes wait.
struct Counter {
    id: String,
    rule: Rule,
    of: Of,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    NameAndNetwork,
    Network,
    Name,
    /// Failures in a row; one counter for each master key.
    Account,
    Device,
    DeviceRun,
}

/// The counters of one attempt as read.
struct Standing {
    held: Vec<(Counter, Option<Held<u32>>)>,
    /// The browser has counters of its own.
    recognised: bool,
}

impl Attempts {
    pub fn new(state: Arc<dyn ExpiringStore>, keys: KeyRing, config: ThrottleConfig) -> Self {
        let window = Lifetimes::seconds(config.window);
        Self { failures: Expiring::new(state, "sign_in_failures", window), keys, window, config }
    }

    /// An attempt at the account of this name, as it was sent.
    pub fn attempter(&self, folded: &str, ip: IpAddr, device: Option<&Mark>) -> Attempter {
        Attempter { names: self.names(folded), network: network(ip), device: device.map(Mark::id) }
    }

    /// How long the next attempt must wait; zero: not at all. Nothing is counted, and nothing tried while it waits.
    pub async fn wait(&self, attempter: &Attempter) -> Result<Duration, StoreError> {
        Ok(self.standing(attempter).await?.wait(self.window))
    }

    /// Counts a failure. Of many at the same time only as many are told as would be one after the other.
    pub async fn failed(&self, attempter: &Attempter) -> Result<Counted, StoreError> {
        for _ in 0..TRIES {
            let standing = self.standing(attempter).await?;
            let wait = standing.wait(self.window);
            if !wait.is_zero() {
                return Ok(Counted::TooLate(wait));
            }
            let mut ops = Vec::new();
            let mut closed = false;
            for (counter, held, failures) in standing.next() {
                closed |= counter.of == Of::Account && counter.rule.closes(failures);
                let life = counter.rule.life(failures, self.window);
                ops.push(match held {
                    Some(held) => self.failures.update_op(&counter.id, held.version, &failures, life)?,
                    None => {
                        // Found again by the account, to be forgotten when an admin reopens it.
                        let owners =
                            if counter.of == Of::Network { Vec::new() } else { vec![owner(&attempter.names[0])] };
                        self.failures.insert_op(&counter.id, &failures, life.unwrap_or(self.window), owners)?
                    }
                });
            }
            if self.failures.store().apply(ops).await? == Applied::Done {
                return Ok(Counted::Counted { closed });
            }
        }
        Err(StoreError::Unavailable("the counters of failed sign-ins change too fast".to_owned()))
    }

    /// A right password: forgets the failures in this name from this network, and the run of failures that it ends (F-044).
    /// Unless others failed too often meanwhile: then it is one more attempt that must wait, and how long is the answer
    /// (F-046).
    pub async fn succeeded(&self, attempter: &Attempter) -> Result<Duration, StoreError> {
        let standing = self.standing(attempter).await?;
        let wait = standing.wait(self.window);
        if !wait.is_zero() {
            return Ok(wait);
        }
        let ended = |of: Of| match of {
            Of::NameAndNetwork => true,
            Of::Account => !standing.recognised,
            Of::Device | Of::DeviceRun => standing.recognised,
            Of::Network | Of::Name => false,
        };
        let ended = standing.held.iter().filter(|(counter, held)| held.is_some() && ended(counter.of));
        let ops: Vec<Op> = ended.map(|(counter, _)| self.failures.delete_op(&counter.id)).collect();
        if !ops.is_empty() {
            state::apply_all(&**self.failures.store(), ops).await?;
        }
        Ok(Duration::ZERO)
    }

    /// Whether the account of this name is closed to browsers that never signed in to it (F-043).
    pub async fn is_closed(&self, username: &str) -> Result<bool, StoreError> {
        let names = self.names(&fold(username));
        let runs: Vec<_> = names.iter().map(|name| self.account(name)).collect();
        let held = self.read(runs).await?;
        Ok(held.iter().any(|(counter, held)| held.as_ref().is_some_and(|held| counter.rule.closes(held.value))))
    }

    /// Forgets every failure in this name (F-043): what closed it, and what makes it wait.
    pub async fn forget(&self, username: &str) -> Result<(), StoreError> {
        let owners = self.names(&fold(username)).into_iter().map(|name| Op::DeleteOwned { owner: owner(&name) });
        state::apply_all(&**self.failures.store(), owners.collect()).await
    }

    fn names(&self, folded: &str) -> Vec<String> {
        let keyed = self.keys.derive_all("sign-in name", folded.as_bytes());
        keyed.map(|name| URL_SAFE_NO_PAD.encode(name.as_slice())).collect()
    }

    fn account(&self, name: &str) -> Counter {
        let rule = Rule::Close { free: self.config.close_account };
        Counter { id: format!("account {name}"), rule, of: Of::Account }
    }

    async fn standing(&self, attempter: &Attempter) -> Result<Standing, StoreError> {
        let (name, network) = (&attempter.names[0], attempter.network);
        let slow = Rule::Delay { free: self.config.name_and_network, longest: LONGEST };
        let mut counters = vec![
            Counter { id: format!("pair {name} {network}"), rule: slow, of: Of::NameAndNetwork },
            Counter {
                id: format!("network {network}"),
                rule: Rule::Window { free: self.config.network },
                of: Of::Network,
            },
            Counter {
                id: format!("name {name}"),
                rule: Rule::Delay { free: self.config.name, longest: LONGEST_FOR_NAME },
                of: Of::Name,
            },
        ];
        counters.extend(attempter.names.iter().map(|name| self.account(name)));
        if let Some(device) = &attempter.device {
            let run = Rule::Close { free: self.config.close_account };
            counters.push(Counter { id: format!("device {device}"), rule: slow, of: Of::Device });
            counters.push(Counter { id: format!("device_run {device}"), rule: run, of: Of::DeviceRun });
        }
        let held = self.read(counters).await?;
        // A browser that failed too often in a row is like any other.
        let spent = held.iter().any(|(counter, held)| {
            counter.of == Of::DeviceRun && held.as_ref().is_some_and(|held| counter.rule.closes(held.value))
        });
        Ok(Standing { recognised: attempter.device.is_some() && !spent, held })
    }

    async fn read(&self, counters: Vec<Counter>) -> Result<Vec<(Counter, Option<Held<u32>>)>, StoreError> {
        let keys: Vec<Key> = counters.iter().map(|counter| self.failures.key(&counter.id)).collect();
        let kept = self.failures.store().get_many(&keys).await?;
        let held = kept.into_iter().map(|kept| kept.map(|kept| self.failures.read(kept)).transpose());
        counters.into_iter().zip(held).map(|(counter, held)| Ok((counter, held?))).collect()
    }
}

impl Standing {
    /// The counters that this attempt belongs to: a recognised browser's are its own alone.
    fn applying(&self) -> impl Iterator<Item = &(Counter, Option<Held<u32>>)> {
        let own = |of: Of| matches!(of, Of::Device | Of::DeviceRun);
        self.held.iter().filter(move |(counter, _)| own(counter.of) == self.recognised)
    }

    fn wait(&self, window: Duration) -> Duration {
        let waits = self.applying().filter_map(|(counter, held)| {
            let held = held.as_ref()?;
            Some(counter.rule.wait(held.value, held.left, window))
        });
        waits.max().unwrap_or_default()
    }

    /// What a failure makes of the counters. A run that began under an older master key goes on under the newest.
    fn next(&self) -> impl Iterator<Item = (&Counter, Option<&Held<u32>>, u32)> {
        let run = self.held.iter().filter(|(counter, _)| counter.of == Of::Account);
        let run = run.filter_map(|(_, held)| Some(held.as_ref()?.value)).max().unwrap_or_default();
        let mut first = true;
        self.applying().filter_map(move |(counter, held)| {
            let mut before = held.as_ref().map_or(0, |held| held.value);
            if counter.of == Of::Account {
                if !std::mem::take(&mut first) {
                    return None;
                }
                before = run;
            }
            Some((counter, held.as_ref(), before.saturating_add(1)))
        })
    }
}

/// A name as it is counted: whatever looks or is typed alike counts together.
pub fn fold(username: &str) -> String {
    username.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

fn owner(name: &str) -> Owner {
    Owner::new("sign_in_failures", name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::future::join_all;

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
        assert!(
            !app.attempts.succeeded(&attempter).await.unwrap().is_zero(),
            "the right password comes too late as well"
        );
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
        let failures =
            |of| standing.held.iter().find(|(counter, _)| counter.of == of).unwrap().1.as_ref().unwrap().value;
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
        use shared::Secret;
        let (_folder, app) = app::for_test();
        let key = |byte: u8| URL_SAFE_NO_PAD.encode([[byte; 31].as_slice(), &[!byte]].concat());
        let ring = |text: String| KeyRing::parse(&Secret::new(text)).unwrap();
        let mut config = app.config.throttle.clone();
        (config.close_account, config.name, config.name_and_network) = (3, 100, 100);
        let attempts = |keys| Attempts::new(app.state.ephemeral().clone(), keys, config.clone());
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
}
