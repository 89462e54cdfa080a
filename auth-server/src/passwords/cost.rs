//! How long imported hashes take on this machine. A failed sign-in takes the same time for all accounts only as long as no
//! hash takes longer, so a costlier one is not tried (F-022, decisions 24).

use std::sync::OnceLock;
use std::time::Duration;

use argon2::Argon2;
use rustix::time::{ClockId, clock_gettime};

/// A bcrypt cost that is quick everywhere: each further one takes twice as long.
const PROBE: u32 = 6;

/// What was measured, when it was first needed.
pub struct Cost {
    /// Zero: nothing is too long (development).
    floor: Duration,
    bcrypt: OnceLock<Duration>,
    /// Of one KiB and pass.
    argon2: OnceLock<Duration>,
}

impl Cost {
    pub fn new(floor: Duration) -> Self {
        Self { floor, bcrypt: OnceLock::new(), argon2: OnceLock::new() }
    }

    pub fn allows_bcrypt(&self, cost: u32) -> bool {
        self.floor.is_zero() || self.of_bcrypt(cost) <= self.floor
    }

    /// How long a hash of this cost takes to check.
    pub fn of_bcrypt(&self, cost: u32) -> Duration {
        let probe = || measure(|| bcrypt::hash_with_salt("probe", PROBE, [0; 16]));
        self.bcrypt.get_or_init(probe).mul_f64(2f64.powi(cost as i32 - PROBE as i32))
    }

    /// `own`: hashes as new ones are.
    pub fn allows_argon2(&self, memory_kib: u32, passes: u32, own: &Argon2<'_>) -> bool {
        let work = |memory: u32, passes: u32| f64::from(memory) * f64::from(passes);
        let probe = || {
            let took = measure(|| own.hash_password_into(b"probe", &[0; 16], &mut [0; 32]));
            took.div_f64(work(own.params().m_cost(), own.params().t_cost()))
        };
        self.floor.is_zero() || self.argon2.get_or_init(probe).mul_f64(work(memory_kib, passes)) <= self.floor
    }
}

/// The shorter of two runs, in time of this thread alone: others on the machine must not lock anybody out.
pub(super) fn measure<T>(run: impl Fn() -> T) -> Duration {
    let once = || {
        let start = thread_time();
        std::hint::black_box(run());
        thread_time().saturating_sub(start)
    };
    once().min(once())
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};

    use super::*;

    /// F-003, F-022, decisions 24: common costs fit into half a second, those of several seconds do not.
    #[test]
    fn hashes_that_take_seconds_are_not_tried() {
        let cost = Cost::new(Duration::from_millis(500));
        assert!(cost.allows_bcrypt(4) && cost.allows_bcrypt(10) && !cost.allows_bcrypt(16));
        let params = Params::new(8192, 1, 1, None).expect("small parameters");
        let own = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        assert!(cost.allows_argon2(16384, 2, &own) && !cost.allows_argon2(1 << 20, 16, &own));
        let none = Cost::new(Duration::ZERO);
        assert!(none.allows_bcrypt(16) && none.allows_argon2(1 << 20, 16, &own));
    }
}
