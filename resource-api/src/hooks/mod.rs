//! Webhooks in the place of Eve's event hooks (HOOK-01 to HOOK-04, contract 2.4). Which events there are is `domain/hooks.rs`.
//!
//! An endpoint asks its context for the [`Listeners`] of an event. "Before" events are asked of each in turn, and the request waits;
//! "after" events go into the [`Outbox`] when what they tell of is done. `message` is what is sent, `signature` how a receiver
//! knows the sender, `answer` what may come back, `calls` the one way to send it. A new event is a variant of `domain::Event`, a name
//! in its table and the line in the endpoint where it happens.

mod answer;
mod calls;
mod listeners;
mod message;
mod outbox;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use shared::http_client::HttpClientError;
use shared::metrics::Metrics;

use crate::config::Config;
use crate::domain::{Domain, Webhook};
use calls::Calls;
pub use listeners::Listeners;
use message::Message;
pub use message::{About, raw, typed, typed_list};
use outbox::Outbox;

/// How long a stopping service goes on with what it still has to tell.
const DRAIN: Duration = Duration::from_secs(10);

/// Why a request ends at a hook.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// HOOK-03: the receiver wants it so. `None`: it does not say why.
    #[error("the hook {event} of {origin} refuses with {status}")]
    Refused { event: &'static str, origin: String, status: u16, message: Option<String> },
    /// Away, slow, broken, or not to be understood.
    #[error("the hook {event} of {origin}: {reason}")]
    Fault { event: &'static str, origin: String, reason: String },
}

/// All calls of one service.
pub struct Hooks {
    calls: Arc<Calls>,
    outbox: Outbox,
    /// Whether some of them are not signed.
    unsigned: bool,
}

impl Hooks {
    /// `None`: the domain has no webhooks.
    pub fn new(config: &Config, domain: &Domain, metrics: &Metrics) -> Result<Option<Self>, HttpClientError> {
        let of_resources = domain.resources.values().map(|resource| &resource.hooks);
        let webhooks: Vec<&Webhook> =
            of_resources.chain([&domain.settings.hooks]).flat_map(|hooks| hooks.all()).collect();
        if webhooks.is_empty() {
            return Ok(None);
        }
        let unsigned = config.hooks.secret.is_none() && webhooks.iter().any(|webhook| webhook.secret.is_none());
        let calls = Arc::new(Calls::new(config, metrics)?);
        let outbox =
            Outbox::new(&calls, webhooks.iter().map(|webhook| webhook.origin()), config.hooks.waiting, metrics);
        Ok(Some(Self { calls, outbox, unsigned }))
    }

    /// Told by a service that starts.
    pub fn warning(&self) -> Option<&'static str> {
        self.unsigned.then_some("hooks: calls are not signed, so receivers can't tell who sends them: set hooks.secret")
    }

    /// What the receiver answers; `None`: nothing.
    async fn ask(&self, webhook: &Webhook, message: &Message) -> Result<Option<Vec<u8>>, HookError> {
        let reply = self.calls.call(webhook, message).await.map_err(|reason| message.fault(webhook, reason))?;
        match reply.status {
            200..=299 => Ok(Some(reply.body).filter(|body| !body.trim_ascii().is_empty())),
            status @ 400..=499 => Err(HookError::Refused {
                event: message.event.name(),
                origin: webhook.origin().to_owned(),
                status,
                message: answer::refusal(&reply.kind, &reply.body),
            }),
            status => Err(message.fault(webhook, format!("it answers {status}"))),
        }
    }

    /// Sends what is waiting, for as long as a stop may take.
    pub async fn drain(&self) {
        self.outbox.drain(DRAIN).await;
    }
}
