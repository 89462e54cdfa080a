//! How long a request waits for stores in all. A call has its own limit, but a request that makes many of them would wait for their
//! sum while a store is slow. What else it waits for, such as a hook or the rest of its own body, does not count.

use std::cell::Cell;
use std::time::{Duration, Instant};

tokio::task_local! {
    static REQUEST: Waited;
}

/// Calls under way, since when there are any, and the time of those before.
#[derive(Default)]
struct Waited {
    calls: Cell<u32>,
    since: Cell<Option<Instant>>,
    before: Cell<Duration>,
}

/// Runs `work` as one request.
pub async fn one_request<T>(work: impl Future<Output = T>) -> T {
    REQUEST.scope(Waited::default(), work).await
}

/// How long the request that this task serves has waited; calls side by side are waited for at the same time.
pub fn so_far() -> Duration {
    let sum =
        |waited: &Waited| waited.before.get() + waited.since.get().map_or(Duration::ZERO, |since| since.elapsed());
    REQUEST.try_with(sum).unwrap_or_default()
}

/// A call that is being waited for.
pub struct Waiting(());

impl Waiting {
    pub fn begin() -> Self {
        let begin = |waited: &Waited| {
            waited.calls.set(waited.calls.get() + 1);
            waited.since.set(waited.since.get().or_else(|| Some(Instant::now())));
        };
        // Commands and what goes on in the background have nobody who waits.
        REQUEST.try_with(begin).ok();
        Self(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let end = |waited: &Waited| {
            waited.calls.set(waited.calls.get().saturating_sub(1));
            if waited.calls.get() == 0
                && let Some(since) = waited.since.take()
            {
                waited.before.set(waited.before.get() + since.elapsed());
            }
        };
        REQUEST.try_with(end).ok();
    }
}
