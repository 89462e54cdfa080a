//! Settings about passwords and about guessing them.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// A second is what people take for a slow answer, no more (decisions 24).
pub const LONGEST_FLOOR: Duration = Duration::from_secs(1);

/// How passwords are hashed (F-001) and what a new one must be (F-010).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordConfig {
    /// In characters.
    pub minimum_length: usize,
    pub maximum_length: usize,
    /// argon2id: memory in KiB, passes, lanes.
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
    /// Hashes at the same time; 0: one per core but one, so that a flood of sign-ins leaves a core (decisions 25).
    pub threads: usize,
    /// Hashes that may wait; more are answered 503 (F-007).
    pub queue: usize,
    /// Milliseconds that every failed sign-in takes at least, so that its time tells nothing (F-022); an imported hash that
    /// needs longer is not tried (decisions 24).
    pub failure_floor: u64,
    /// A file of passwords that nobody may choose, one a line, besides those built in (F-012).
    pub blocklist: Option<PathBuf>,
}

/// How guessing is slowed (F-040 to F-044), and what strangers may leave in the store.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// Seconds within which failures add up, and for which a delay is remembered after its end.
    pub window: u64,
    /// Failures in one name from one network (an IPv4 address, the /64 of an IPv6 address) until each further one doubles
    /// the time to wait.
    pub name_and_network: u32,
    /// Failures in any name from one network until nothing is tried for the rest of the window.
    pub network: u32,
    /// Failures in one name from anywhere until each further one doubles the time to wait.
    pub name: u32,
    /// Consecutive failures that close an account to browsers that never signed in to it (F-043).
    pub close_account: u32,
    /// Sign-ins that may be opened within a minute, from one network; 0: as many as come. Each is kept for a while.
    pub openings: u32,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            minimum_length: 15,
            maximum_length: 256,
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
            threads: 0,
            queue: 64,
            failure_floor: 500,
            blocklist: None,
        }
    }
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self { window: 900, name_and_network: 5, network: 50, name: 10, close_account: 100, openings: 600 }
    }
}

impl PasswordConfig {
    /// The least time of a failed sign-in.
    pub fn floor(&self) -> Duration {
        Duration::from_millis(self.failure_floor)
    }

    pub(super) fn faults(&self, dev: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if self.minimum_length < 8 {
            faults.push("passwords.minimum_length: at least 8".to_owned());
        }
        if self.maximum_length < 64.max(self.minimum_length) || self.maximum_length > 1024 {
            faults.push("passwords.maximum_length: 64 to 1024, and not below minimum_length".to_owned());
        }
        // The pairs of OWASP's cheat sheet: as much work with less memory and more passes.
        let equivalent = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];
        if !equivalent.iter().any(|(memory, passes)| self.memory_kib >= *memory && self.passes >= *passes) {
            faults
                .push("passwords: memory_kib and passes are weaker than 19456 and 2 or an equivalent pair".to_owned());
        }
        if self.memory_kib > 1 << 20 || self.passes > 16 || !(1..=16).contains(&self.lanes) {
            faults.push("passwords: at most 1048576 memory_kib, 16 passes and 16 lanes".to_owned());
        }
        if self.queue == 0 {
            faults.push("passwords.queue: at least 1".to_owned());
        }
        if Duration::from_millis(self.failure_floor) > LONGEST_FLOOR || (self.failure_floor < 100 && !dev) {
            faults.push("passwords.failure_floor: 100 to 1000 milliseconds".to_owned());
        }
        faults
    }
}

impl ThrottleConfig {
    pub(super) fn faults(&self, dev: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let least = if dev { 1 } else { 60 };
        if !(least..=86_400).contains(&self.window) {
            faults.push(format!("throttle.window: {} is not within {least}..86400 seconds", self.window));
        }
        let mut within = |name: &str, value: u32, most: u32| {
            if !(1..=most).contains(&value) {
                faults.push(format!("throttle.{name}: {value} is not within 1..{most}"));
            }
        };
        // NIST SP 800-63B-4 3.2.2: no more than a hundred in a row.
        within("close_account", self.close_account, 100);
        within("name", self.name, 100);
        within("name_and_network", self.name_and_network, 100);
        within("network", self.network, 1_000_000);
        faults
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn faults(text: &str) -> Vec<String> {
        match shared::config::parse::<Config>(&format!("server.tls = false\n{text}")) {
            Ok(_) => Vec::new(),
            Err(error) => error.faults,
        }
    }

    /// F-001: hashing weaker than the default or its equivalents is refused.
    #[test]
    fn weak_hashing_stops_the_start() {
        assert!(!faults("[passwords]\nmemory_kib = 1024").is_empty());
        assert_eq!(faults("[passwords]\nmemory_kib = 9216\npasses = 4"), Vec::<String>::new());
    }

    /// F-022, F-041, F-043: protection can be tuned, but not switched off.
    #[test]
    fn slowing_of_guesses_can_not_be_switched_off() {
        for bad in [
            "[passwords]\nfailure_floor = 0",
            "[passwords]\nfailure_floor = 1001",
            "[throttle]\nwindow = 10",
            "[throttle]\nname_and_network = 0",
            "[throttle]\nclose_account = 101",
            "[throttle]\nname = 1000",
        ] {
            assert_eq!(faults(bad).len(), 1, "{bad}: {:?}", faults(bad));
        }
        assert_eq!(faults("dev = true\n[passwords]\nfailure_floor = 0\n[throttle]\nwindow = 1"), Vec::<String>::new());
    }
}
