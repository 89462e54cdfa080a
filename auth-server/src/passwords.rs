//! Hashing and checking passwords: argon2id, and bcrypt as Flask-Sentinel left it. Off the workers, a bounded number at a
//! time (F-001 to F-007).

mod blocklist;
mod cost;
mod new;

use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use shared::Secret;
use shared::metrics::{Counter, Histogram, Metrics};
use shared::random::random_bytes;
use tokio::sync::Semaphore;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use self::blocklist::Blocklist;
use self::cost::Cost;
use crate::config::PasswordConfig;

pub use blocklist::BlocklistError;
pub use new::WeakPassword;

/// bcrypt takes no more of a password than this, in bytes (F-004).
const BCRYPT_BYTES: usize = 72;
/// Costs of imported bcrypt hashes that are tried (F-003); a higher one would occupy a core for seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;
/// Imported argon2 hashes beyond these would be a way to exhaust the machine: KiB and passes.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 16;

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    inner: Arc<Inner>,
}

struct Inner {
    config: PasswordConfig,
    params: Params,
    blocklist: Blocklist,
    /// What this machine can check within the time of a failed sign-in.
    cost: Cost,
    /// Running and waiting hashes; none left: busy.
    places: Arc<Semaphore>,
    /// Running hashes.
    threads: Arc<Semaphore>,
    /// Checked where there is no user or no hash, so that the work is the same (F-021).
    dummy: String,
    counts: Counts,
}

/// What is told of the work.
struct Counts {
    refused: Counter,
    wait: Histogram,
    work: Histogram,
}

/// More hashes wait than may: 503 with Retry-After (F-007).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

/// What a check came to.
#[derive(Debug)]
pub struct Checked {
    pub verdict: Verdict,
    /// When its turn came, after whatever wait for others.
    pub began: Instant,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right(Renewal),
}

/// What is to become of the stored hash after a right password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// As strong as configured.
    Keep,
    /// A new hash to be stored (F-002, F-003).
    Store(String),
    /// The old scheme saw only a part of the password: its owner must set one anew (F-004).
    SetAnew,
}

impl Passwords {
    /// `host`: where this service is known, which is nobody's password.
    pub fn open(config: &PasswordConfig, host: &str, metrics: &Metrics) -> Result<Self, BlocklistError> {
        let params = Params::new(config.memory_kib, config.passes, config.lanes, None)
            .expect("the configuration was checked against tighter bounds");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if config.threads > 0 { config.threads } else { (cores - 1).max(1) };
        let dummy = dummy_hash(&params);
        let (places, running) = (Arc::new(Semaphore::new(threads + config.queue)), Arc::new(Semaphore::new(threads)));
        let (free, idle, queue) = (places.clone(), running.clone(), config.queue);
        metrics.watch("evergate_password_hashes_waiting", "Passwords that wait to be checked", move || {
            (queue + idle.available_permits()).saturating_sub(free.available_permits()) as f64
        });
        let counts = Counts {
            refused: metrics.counter(
                "evergate_password_hashes_refused_total",
                "Passwords that were not checked, as too many waited",
                &[],
            ),
            wait: metrics.histogram(
                "evergate_password_hash_wait_seconds",
                "How long passwords waited for their turn, in seconds",
                &[],
            ),
            work: metrics.histogram("evergate_password_hash_seconds", "How long hashing took, in seconds", &[]),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                blocklist: Blocklist::open(host, config.blocklist.as_deref())?,
                cost: Cost::new(config.floor()),
                config: config.clone(),
                params,
                places,
                threads: running,
                dummy,
                counts,
            }),
        })
    }

    /// A hash to store for a new password (F-001, F-006).
    pub async fn hash(&self, password: Secret) -> Result<String, Busy> {
        let inner = self.inner.clone();
        self.run(move || inner.hash(&password)).await
    }

    /// Checks `password` against `stored`; the same work is done where nothing is stored (F-021).
    pub async fn verify(&self, stored: Option<&str>, password: Secret) -> Result<Checked, Busy> {
        let inner = self.inner.clone();
        let stored = stored.map(str::to_owned);
        self.run(move || {
            let began = Instant::now();
            Checked { verdict: inner.verify(stored.as_deref(), &password), began }
        })
        .await
    }

    /// How long a bcrypt hash takes to check on this machine, where that is too long for it to be checked at all (decisions 24).
    pub fn time_over_floor(&self, stored: &str) -> Option<Duration> {
        let cost = bcrypt_cost(stored)?;
        (!self.inner.cost.allows_bcrypt(cost)).then(|| self.inner.cost.of_bcrypt(cost))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let inner = self.inner.clone();
        let came = Instant::now();
        let place = inner.places.clone().try_acquire_owned().map_err(|_| {
            inner.counts.refused.increment(1);
            Busy
        })?;
        let thread = inner.threads.clone().acquire_owned().await.map_err(|_| Busy)?;
        inner.counts.wait.record(came.elapsed().as_secs_f64());
        let result = tokio::task::spawn_blocking(move || {
            // Held by the work itself: a caller who goes away frees no core.
            let _held = (place, thread);
            let began = Instant::now();
            let done = work();
            inner.counts.work.record(began.elapsed().as_secs_f64());
            done
        });
        result.await.map_err(|_| Busy)
    }
}

impl Inner {
    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    fn hash(&self, password: &Secret) -> String {
        let normal = Secret::new(password.expose().nfc().collect::<String>());
        self.argon2()
            .hash_password_with_salt(normal.expose().as_bytes(), &random_bytes::<16>())
            .expect("a password of any length up to 4 GiB can be hashed")
            .to_string()
    }

    fn verify(&self, stored: Option<&str>, password: &Secret) -> Verdict {
        let text = password.expose();
        let usable = stored.filter(|_| !text.is_empty() && !text.contains('\0'));
        match usable {
            Some(stored) if stored.starts_with("$2") => self.verify_bcrypt(stored, password),
            Some(stored) => self.verify_argon2(stored, password),
            None => self.verify_nothing(password),
        }
    }

    /// The work of a check, where there is nothing to check (F-021).
    fn verify_nothing(&self, password: &Secret) -> Verdict {
        self.verify_argon2(&self.dummy, password);
        Verdict::Wrong
    }

    fn verify_argon2(&self, stored: &str, password: &Secret) -> Verdict {
        let Some((hash, params)) = read_argon2(stored) else {
            log::error!("a stored password hash can't be read; its owner needs a new password");
            return self.verify_nothing(password);
        };
        let own = params.m_cost() <= self.params.m_cost() && params.t_cost() <= self.params.t_cost();
        if !own && !self.cost.allows_argon2(params.m_cost(), params.t_cost(), &self.argon2()) {
            log::error!("a stored argon2 hash takes too long to check; its owner needs a new password");
            return self.verify_nothing(password);
        }
        let argon2 = self.argon2();
        let matches = |text: &str| argon2.verify_password(text.as_bytes(), &hash).is_ok();
        let text = password.expose();
        let normal = Secret::new(text.nfc().collect::<String>());
        // Hashes made elsewhere may be of the text as it was typed.
        if !matches(normal.expose()) && (is_nfc(text) || !matches(text)) {
            return Verdict::Wrong;
        }
        let weaker = hash.algorithm.as_str() != "argon2id"
            || params.m_cost() < self.params.m_cost()
            || params.t_cost() < self.params.t_cost()
            || hash.hash.is_none_or(|output| output.len() < 32);
        if weaker { Verdict::Right(Renewal::Store(self.hash(password))) } else { Verdict::Right(Renewal::Keep) }
    }

    fn verify_bcrypt(&self, stored: &str, password: &Secret) -> Verdict {
        if !bcrypt_cost(stored).is_some_and(|cost| BCRYPT_COSTS.contains(&cost) && self.cost.allows_bcrypt(cost)) {
            log::error!("a stored bcrypt hash takes too long to check; its owner needs a new password");
            return self.verify_nothing(password);
        }
        let text = password.expose();
        let normal = Secret::new(text.nfc().collect::<String>());
        let matches = |text: &str| bcrypt::verify(text, stored).unwrap_or(false);
        let Some(matched) =
            [text, normal.expose()].into_iter().take(if is_nfc(text) { 1 } else { 2 }).find(|text| matches(text))
        else {
            return Verdict::Wrong;
        };
        Verdict::Right(if matched.len() > BCRYPT_BYTES {
            Renewal::SetAnew
        } else {
            Renewal::Store(self.hash(password))
        })
    }
}

fn bcrypt_cost(stored: &str) -> Option<u32> {
    stored.get(4..6).filter(|_| stored.starts_with("$2"))?.parse().ok()
}

fn read_argon2(stored: &str) -> Option<(PasswordHash, Params)> {
    let hash = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bounded = params.m_cost() <= MOST_MEMORY && params.t_cost() <= MOST_PASSES && params.p_cost() <= 16;
    (bounded && hash.algorithm.as_str().starts_with("argon2")).then_some((hash, params))
}

/// A well-formed hash that no password has.
fn dummy_hash(params: &Params) -> String {
    let salt = Salt::new(&random_bytes::<16>()).expect("16 bytes are a salt");
    let output = Output::new(&random_bytes::<32>()).expect("32 bytes are an output");
    PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params.try_into().expect("checked parameters can be written"),
        salt: Some(salt),
        hash: Some(output),
    }
    .to_string()
}

#[cfg(test)]
mod tests;
