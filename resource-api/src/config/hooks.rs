//! How webhooks of the domain file are called.

use std::time::Duration;

use serde::Deserialize;
use shared::Secret;

use crate::domain::signing_key;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HooksConfig {
    /// Signs all calls whose webhook has no secret of its own.
    pub secret: Option<Secret>,
    /// Seconds for one call, unless its webhook says otherwise.
    pub timeout: f64,
    /// Bytes of an answer.
    pub answer: usize,
    /// Calls nobody waits for that are kept for each receiver while it is slow or away.
    pub waiting: usize,
}

impl Default for HooksConfig {
    fn default() -> Self {
        Self { secret: None, timeout: 5.0, answer: 32 << 20, waiting: 10_000 }
    }
}

impl HooksConfig {
    pub fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(Err(fault)) = self.secret.as_ref().map(signing_key) {
            faults.push(format!("hooks.secret: {fault}"));
        }
        if !(0.001..=60.0).contains(&self.timeout) {
            faults.push("hooks.timeout: from 0.001 to 60 seconds".to_owned());
        }
        for (key, value) in [("hooks.answer", self.answer), ("hooks.waiting", self.waiting)] {
            if value == 0 {
                faults.push(format!("{key}: at least 1"));
            }
        }
        faults
    }
}
