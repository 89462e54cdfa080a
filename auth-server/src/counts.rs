//! What this service counts beside its requests.

use shared::metrics::{Counter, Counters, Metrics};

/// Handles to count with.
pub struct Counts {
    /// By grant and outcome: `issued`, or the error's code.
    pub token_requests: Counters<2>,
    pub active_tokens: Counter,
    pub inactive_tokens: Counter,
    pub sessions_started: Counter,
}

impl Counts {
    pub fn new(metrics: &Metrics) -> Self {
        let introspections = |result| {
            metrics.counter(
                "evergate_introspections_total",
                "Tokens asked about, by what they were",
                &[("result", result)],
            )
        };
        Self {
            token_requests: metrics.counters(
                "evergate_token_requests_total",
                "Requests at the token endpoint, by grant type and by `issued` or the error",
                ["grant", "outcome"],
            ),
            active_tokens: introspections("active"),
            inactive_tokens: introspections("inactive"),
            sessions_started: metrics.counter(
                "evergate_sessions_started_total",
                "Browser sessions in which somebody signed in",
                &[],
            ),
        }
    }
}
