//! Failed sign-ins, counted in the stores for all processes (F-040 to F-045).
//!
//! What only makes wait may be lost, and is kept in the ephemeral store, or in this process while that one is away. The runs of
//! failures that close accounts must not be, and are in the durable store: whatever becomes of Redis, what is closed stays closed.
//!
//! Where there is one store a failure is one batch. Where there are two, the ephemeral counters come first, which refuse most of a
//! flood without a write to the durable store, and then the run, by a conditional write of its one entry. Whoever stops between the two
//! has told nobody what came of the attempt, and leaves a run that is one failure short.

use std::net::IpAddr;
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
use crate::state::{Order, State};
use crate::throttle::network;

/// Writes that are tried until one finds the counters as they were read: there are never more rivals than passwords that
/// are checked at a time.
const TRIES: usize = 100;

/// The counters of failed sign-ins.
pub struct Attempts {
    state: State,
    /// In either store.
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

impl Of {
    /// Whether it closes something, and must not be lost.
    fn is_run(self) -> bool {
        matches!(self, Of::Account | Of::DeviceRun)
    }
}

/// The counters of one attempt as read.
struct Standing {
    held: Vec<(Counter, Option<Held<u32>>)>,
    /// The browser has counters of its own.
    recognised: bool,
}

impl Attempts {
    /// `state` is the one for [counting](State::counting).
    pub fn new(state: State, keys: KeyRing, config: ThrottleConfig) -> Self {
        let window = Lifetimes::seconds(config.window);
        let failures = Expiring::new(state.durable().clone(), "sign_in_failures", window);
        Self { state, failures, keys, window, config }
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
            let split = self.state.is_split();
            let (mut ops, mut closed) = (Vec::new(), false);
            for failure in standing.next().filter(|(counter, ..)| !(split && counter.of.is_run())) {
                closed |= failure.0.of == Of::Account && failure.0.rule.closes(failure.2);
                ops.push(self.step(attempter, failure)?);
            }
            if self.state.ephemeral().apply(ops).await? == Applied::Done {
                return if split { self.go_on(attempter, standing).await } else { Ok(Counted::Counted { closed }) };
            }
        }
        Err(StoreError::Unavailable("the counters of failed sign-ins change too fast".to_owned()))
    }

    /// Counts a failure in its run, where that is in a store of its own. Others may have closed it meanwhile: then nobody may learn
    /// what this attempt came to.
    async fn go_on(&self, attempter: &Attempter, mut standing: Standing) -> Result<Counted, StoreError> {
        for _ in 0..TRIES {
            let Some(failure) = standing.next().find(|(counter, ..)| counter.of.is_run()) else { break };
            let closed = failure.0.of == Of::Account && failure.0.rule.closes(failure.2);
            let step = self.step(attempter, failure)?;
            if self.state.durable().apply(vec![step]).await? == Applied::Done {
                return Ok(Counted::Counted { closed });
            }
            let runs = standing.held.into_iter().map(|(counter, _)| counter).filter(|counter| counter.of.is_run());
            standing.held = self.read(&**self.state.durable(), runs.collect()).await?;
            let wait = standing.wait(self.window);
            if !wait.is_zero() {
                return Ok(Counted::TooLate(wait));
            }
        }
        Err(StoreError::Unavailable("a run of failed sign-ins changes too fast".to_owned()))
    }

    /// The step that makes a counter what a failure makes of it.
    fn step(
        &self,
        attempter: &Attempter,
        (counter, held, failures): (&Counter, Option<&Held<u32>>, u32),
    ) -> Result<Op, StoreError> {
        let life = counter.rule.life(failures, self.window);
        match held {
            Some(held) => self.failures.update_op(&counter.id, held.version, &failures, life),
            None => {
                // Found again by the account, to be forgotten when an admin reopens it.
                let owners = if counter.of == Of::Network { Vec::new() } else { vec![owner(&attempter.names[0])] };
                self.failures.insert_op(&counter.id, &failures, life.unwrap_or(self.window), owners)
            }
        }
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
        let (runs, others): (Vec<_>, Vec<_>) = ended.partition(|(counter, _)| counter.of.is_run());
        let [runs, others] = [runs, others].map(|ended| {
            ended.into_iter().map(|(counter, _)| self.failures.delete_op(&counter.id)).collect::<Vec<_>>()
        });
        if !(runs.is_empty() && others.is_empty()) {
            self.state.apply_all(runs, others, Order::DurableFirst).await?;
        }
        Ok(Duration::ZERO)
    }

    /// Whether the account of this name is closed to browsers that never signed in to it (F-043).
    pub async fn is_closed(&self, username: &str) -> Result<bool, StoreError> {
        let names = self.names(&fold(username));
        let runs: Vec<_> = names.iter().map(|name| self.account(name)).collect();
        let held = self.read(&**self.state.durable(), runs).await?;
        Ok(held.iter().any(|(counter, held)| held.as_ref().is_some_and(|held| counter.rule.closes(held.value))))
    }

    /// Forgets every failure in this name (F-043): what closed it, and what makes it wait.
    pub async fn forget(&self, username: &str) -> Result<(), StoreError> {
        let owners = self.names(&fold(username)).into_iter().map(|name| Op::DeleteOwned { owner: owner(&name) });
        let owned: Vec<Op> = owners.collect();
        let others = if self.state.is_split() { owned.clone() } else { Vec::new() };
        self.state.apply_all(owned, others, Order::DurableFirst).await
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
        let held = self.read_all(counters).await?;
        // A browser that failed too often in a row is like any other.
        let spent = held.iter().any(|(counter, held)| {
            counter.of == Of::DeviceRun && held.as_ref().is_some_and(|held| counter.rule.closes(held.value))
        });
        Ok(Standing { recognised: attempter.device.is_some() && !spent, held })
    }

    /// Each from the store where it is kept.
    async fn read_all(&self, counters: Vec<Counter>) -> Result<Vec<(Counter, Option<Held<u32>>)>, StoreError> {
        let (durable, ephemeral) = (&**self.state.durable(), &**self.state.ephemeral());
        if !self.state.is_split() {
            return self.read(durable, counters).await;
        }
        let (runs, others) = counters.into_iter().partition(|counter| counter.of.is_run());
        let (runs, mut held) =
            futures_util::future::try_join(self.read(durable, runs), self.read(ephemeral, others)).await?;
        held.extend(runs);
        Ok(held)
    }

    async fn read(
        &self,
        store: &dyn ExpiringStore,
        counters: Vec<Counter>,
    ) -> Result<Vec<(Counter, Option<Held<u32>>)>, StoreError> {
        let keys: Vec<Key> = counters.iter().map(|counter| self.failures.key(&counter.id)).collect();
        let kept = store.get_many(&keys).await?;
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
mod tests;
