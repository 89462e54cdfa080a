//! Tests of what ends by itself: something has to be seen before its end, however slow the machine is.

use std::time::{Duration, Instant};

/// A span of time, from before it began for the store or the server.
pub struct Life {
    length: Duration,
    begun: Instant,
}

impl Life {
    /// To be made before the request or the call that begins it.
    pub fn of(length: Duration) -> Self {
        Self { length, begun: Instant::now() }
    }

    /// Whether it can't be over yet: what was seen until now was seen while it lasted.
    pub fn lasts(&self) -> bool {
        self.begun.elapsed() < self.length
    }

    /// Waits until so long after its length; it must have begun by now.
    pub async fn ends(&self, after: Duration) {
        actix_rt::time::sleep(self.length + after).await;
    }
}

/// Plays `scene` with a life that is long enough for it: `None` says that something was seen too late to mean anything, and then it
/// is played anew with four times as much time.
pub async fn in_time<T>(shortest: Duration, scene: impl AsyncFn(Duration) -> Option<T>) -> T {
    for factor in [1, 4, 16, 64, 256] {
        if let Some(seen) = scene(shortest * factor).await {
            return seen;
        }
    }
    panic!("it takes too long on this machine")
}
