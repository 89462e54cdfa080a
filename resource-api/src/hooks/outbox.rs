//! What nobody waits for: told to each receiver in order, again after a while if it is away, and never at the cost of a request.
//! It is kept in memory: what a killed process had not sent is not sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_rt::task::JoinHandle;
use shared::metrics::{Counter, Metrics};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::calls::Calls;
use super::message::Message;
use crate::domain::Webhook;

/// How long to wait before each further attempt.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];
/// Bytes that are kept for one receiver.
const MOST_BYTES: usize = 32 << 20;

/// A queue for each receiver.
pub struct Outbox {
    lanes: HashMap<String, Lane>,
    /// Messages in one queue.
    most: usize,
    dropped: Counter,
}

struct Lane {
    /// `None`: the service stops.
    sender: Mutex<Option<UnboundedSender<Delivery>>>,
    load: Arc<Load>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// What is in a queue, the one that is being sent included.
#[derive(Default)]
struct Load {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    /// Whether messages are being dropped, which is logged when it begins.
    full: AtomicBool,
}

struct Delivery {
    webhook: Webhook,
    message: Message,
}

impl Outbox {
    pub fn new<'a>(
        calls: &Arc<Calls>,
        receivers: impl Iterator<Item = &'a str>,
        most: usize,
        metrics: &Metrics,
    ) -> Self {
        let help = "Events that were not told: too many were waiting for their receiver, or it did not take them";
        let dropped = metrics.counter("evergate_hooks_dropped_total", help, &[]);
        let mut lanes = HashMap::new();
        for receiver in receivers {
            lanes.entry(receiver.to_owned()).or_insert_with(|| Lane::start(calls.clone(), dropped.clone()));
        }
        Self { lanes, most, dropped }
    }

    /// Puts a message behind those of its receiver; when there are too many, it is dropped.
    pub fn put(&self, webhook: &Webhook, message: Message) {
        let Some(lane) = self.lanes.get(webhook.origin()) else { return };
        let load = &lane.load;
        let (messages, bytes) = (load.messages.load(Ordering::Relaxed), load.bytes.load(Ordering::Relaxed));
        if messages >= self.most || bytes + message.body.len() > MOST_BYTES {
            self.dropped.increment(1);
            if !load.full.swap(true, Ordering::Relaxed) {
                let (event, origin) = (message.event.name(), webhook.origin());
                log::warn!(
                    "hooks: {messages} events wait for {origin}; {event} and what comes after it is dropped until there is room"
                );
            }
            return;
        }
        if load.full.swap(false, Ordering::Relaxed) {
            log::warn!("hooks: events for {} are taken again", webhook.origin());
        }
        let sender = lane.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return };
        load.messages.fetch_add(1, Ordering::Relaxed);
        load.bytes.fetch_add(message.body.len(), Ordering::Relaxed);
        // The worker ends only after its sender.
        let _ = sender.send(Delivery { webhook: webhook.clone(), message });
    }

    /// Takes nothing more, and sends what there is until `limit`.
    pub async fn drain(&self, limit: Duration) {
        let mut workers = Vec::new();
        for lane in self.lanes.values() {
            drop(lane.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
            workers.extend(lane.worker.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        let all = async {
            for worker in &mut workers {
                // A worker that panicked has been told of.
                let _ = worker.await;
            }
        };
        if tokio::time::timeout(limit, all).await.is_ok() {
            return;
        }
        workers.iter().for_each(JoinHandle::abort);
        for (origin, lane) in &self.lanes {
            let left = lane.load.messages.load(Ordering::Relaxed);
            if left > 0 {
                self.dropped.increment(left as u64);
                log::warn!("hooks: {left} events for {origin} are not told: the service stops");
            }
        }
    }
}

impl Lane {
    fn start(calls: Arc<Calls>, dropped: Counter) -> Self {
        let (sender, deliveries) = unbounded_channel();
        let load = Arc::new(Load::default());
        let worker = actix_rt::spawn(work(calls, deliveries, load.clone(), dropped));
        Self { sender: Mutex::new(Some(sender)), load, worker: Mutex::new(Some(worker)) }
    }
}

async fn work(calls: Arc<Calls>, mut deliveries: UnboundedReceiver<Delivery>, load: Arc<Load>, dropped: Counter) {
    while let Some(delivery) = deliveries.recv().await {
        if let Err(reason) = deliver(&calls, &delivery).await {
            dropped.increment(1);
            let (event, origin) = (delivery.message.event.name(), delivery.webhook.origin());
            log::warn!("the hook {event} of {origin} was not told: {reason}");
        }
        load.messages.fetch_sub(1, Ordering::Relaxed);
        load.bytes.fetch_sub(delivery.message.body.len(), Ordering::Relaxed);
    }
}

/// The error says why it is given up.
async fn deliver(calls: &Calls, Delivery { webhook, message }: &Delivery) -> Result<(), String> {
    let mut pauses = PAUSES.iter();
    loop {
        let (reason, again) = match calls.call(webhook, message).await {
            Ok(reply) if (200..=299).contains(&reply.status) => return Ok(()),
            Ok(reply) => (format!("it answers {}", reply.status), matches!(reply.status, 408 | 429 | 500..)),
            Err(reason) => (reason, true),
        };
        match pauses.next().filter(|_| again) {
            Some(pause) => actix_rt::time::sleep(*pause).await,
            None => return Err(reason),
        }
    }
}
