//! Load in a closed loop, and what it costs.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::Relay;

/// The statuses that a load was answered with, and how long each answer took.
pub struct Load(Vec<(u16, Duration)>);

impl Load {
    /// So many callers at the same time, each asking again as soon as it has an answer. `ask` is given the caller's number.
    pub async fn of(callers: usize, lasting: Duration, ask: impl AsyncFn(usize) -> u16) -> Self {
        let (answers, end) = (RefCell::new(Vec::new()), Instant::now() + lasting);
        join_all((0..callers).map(|caller| {
            let (answers, ask) = (&answers, &ask);
            async move {
                while Instant::now() < end {
                    let asked = Instant::now();
                    let status = ask(caller).await;
                    answers.borrow_mut().push((status, asked.elapsed()));
                }
            }
        }))
        .await;
        Self(answers.into_inner())
    }

    /// Waits until a load like this one is answered as well and as fast again, or nearly, which it must be within `limit`.
    pub async fn is_back(&self, limit: Duration, ask: &impl AsyncFn(usize) -> u16) {
        let began = Instant::now();
        loop {
            let load = Self::of(64, Duration::from_millis(300), ask).await;
            if load.is_good() && load.longest() < 2 * self.longest().max(Duration::from_millis(250)) {
                return;
            }
            let (good, all) = (load.good(), load.answers());
            assert!(began.elapsed() < limit, "after {:?}: {good} of {all} good, {:?}", began.elapsed(), load.longest());
        }
    }

    /// Whether all were successes.
    pub fn is_good(&self) -> bool {
        self.good() == self.answers()
    }

    /// How many were successes.
    pub fn good(&self) -> usize {
        self.0.iter().filter(|(status, _)| (200..300).contains(status)).count()
    }

    /// How many were told that the service can't now.
    pub fn unavailable(&self) -> usize {
        self.0.iter().filter(|(status, _)| *status == 503).count()
    }

    pub fn answers(&self) -> usize {
        self.0.len()
    }

    pub fn longest(&self) -> Duration {
        self.0.iter().map(|(_, took)| *took).max().unwrap_or_default()
    }
}

/// A service whose store is slow: what is asked is answered, or refused with 503, in time; memory is bounded; and when the store is
/// itself again everything soon is as before.
pub struct Slowed<'r> {
    relay: &'r Relay,
    warm: Load,
    memory: u64,
}

impl<'r> Slowed<'r> {
    /// Callers at the same time.
    const CALLERS: usize = 64;
    /// More than the service may grow by, in MiB.
    const GROWN: u64 = 100;

    /// Each answer of the store comes so much later from now on.
    pub async fn by(delay: Duration, relay: &'r Relay, ask: &impl AsyncFn(usize) -> u16) -> Self {
        let warm = Load::of(Self::CALLERS, Duration::from_secs(1), ask).await;
        assert!(warm.is_good());
        let memory = resident();
        relay.delay(delay);
        Self { relay, warm, memory }
    }

    /// Nobody waits for longer than `longest`.
    pub async fn bears(&self, lasting: Duration, longest: Duration, ask: &impl AsyncFn(usize) -> u16) -> Load {
        let slow = Load::of(Self::CALLERS, lasting, ask).await;
        assert_eq!(slow.good() + slow.unavailable(), slow.answers());
        assert!(slow.longest() < longest, "{:?}", slow.longest());
        slow
    }

    /// The store is itself again.
    pub async fn ends(self, ask: &impl AsyncFn(usize) -> u16) {
        assert!(resident() < self.memory + Self::GROWN, "{} MiB grew to {}", self.memory, resident());
        self.relay.restore();
        self.warm.is_back(Duration::from_secs(2), ask).await;
    }
}

/// What this process holds in memory, in MiB.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
}
