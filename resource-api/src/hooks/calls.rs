//! One call of one webhook: signed, within its time, to no other place than the configured one, and no more of the answer than is
//! allowed.

use std::time::{Duration, Instant};

use shared::http_client::{HttpClient, HttpClientConfig, HttpClientError};
use shared::metrics::{Counters, Histogram, Metrics};
use shared::{Secret, clock};

use super::message::Message;
use super::signature::{ID, SIGNATURE, TIMESTAMP, sign};
use crate::config::Config;
use crate::domain::{Webhook, signing_key};
use crate::introspection::reason;

pub struct Calls {
    client: HttpClient,
    /// Of webhooks that have none of their own.
    secret: Option<Secret>,
    timeout: Duration,
    /// Bytes of an answer.
    longest: usize,
    counts: Counters<2>,
    seconds: Histogram,
}

/// What a receiver answers.
pub struct Reply {
    pub status: u16,
    /// The media type, without parameters; empty if there is none.
    pub kind: String,
    pub body: Vec<u8>,
}

impl Calls {
    pub fn new(config: &Config, metrics: &Metrics) -> Result<Self, HttpClientError> {
        let help = "Calls of webhooks, by event and outcome: done, refused or fault";
        Ok(Self {
            client: HttpClient::new(&HttpClientConfig { timeout: config.hooks.timeout, ..config.http.clone() })?,
            secret: config.hooks.secret.clone(),
            timeout: config.hooks.timeout(),
            longest: config.hooks.answer,
            counts: metrics.counters("evergate_hook_calls_total", help, ["event", "outcome"]),
            seconds: metrics.histogram(
                "evergate_hook_call_seconds",
                "How long the answers of webhooks took, in seconds",
                &[],
            ),
        })
    }

    /// The error says why there is no answer.
    pub async fn call(&self, webhook: &Webhook, message: &Message) -> Result<Reply, String> {
        let start = Instant::now();
        let reply = self.send(webhook, message).await;
        self.seconds.record(start.elapsed().as_secs_f64());
        let outcome = match &reply {
            Ok(Reply { status: 200..=299, .. }) => "done",
            Ok(Reply { status: 400..=499, .. }) => "refused",
            _ => "fault",
        };
        self.counts.count([message.event.name(), outcome]);
        reply
    }

    async fn send(&self, webhook: &Webhook, message: &Message) -> Result<Reply, String> {
        let timestamp = clock::now().to_string();
        let mut request = self
            .client
            .post(webhook.url.clone())
            .timeout(webhook.timeout.unwrap_or(self.timeout))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header(ID, &message.id)
            .header(TIMESTAMP, &timestamp);
        if let Some(secret) = webhook.secret.as_ref().or(self.secret.as_ref()) {
            let key = signing_key(secret)?;
            request = request.header(SIGNATURE, sign(&key, &message.id, &timestamp, &message.body));
        }
        // Whoever is told later is told outside of the request.
        if let Some(id) = message.request_id.as_ref().filter(|_| shared::request_id::current().is_none()) {
            request = request.header("x-request-id", id);
        }
        let mut response = request.body(message.body.clone()).send().await.map_err(|error| reason(&error))?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
            if body.len() + chunk.len() > self.longest {
                return Err(format!("its answer has more than {} bytes", self.longest));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status: response.status().as_u16(), kind, body })
    }
}
