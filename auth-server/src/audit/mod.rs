//! The audit log: who did what, when, with what outcome; never a secret (F-060 to F-065).
//!
//! A new kind is one line in [`EventKind`]. How an event is written depends on what it tells of:
//! - a change of the directory carries its event and is written with it ([`crate::directory`]);
//! - another change that must not happen unseen is [recorded](Audit::record) first, and given up where that fails;
//! - what has happened anyway is [noted](Audit::note), and where machines wait for the answer, [noted soon](Audit::note_soon).

mod change;
mod event;

use std::sync::Arc;
use std::time::Duration;

use shared::clock;
use shared::expiring::ExpiringStore;
use shared::metrics::{Counters, Metrics};
use shared::store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::directory::{AuditStore, EventPage, Recorded};
use crate::throttle::{Throttle, network};

pub use change::Author;
pub use event::{Event, EventFilter, EventKind, Outcome, UnknownKind};

/// Writes the log, and reads it.
pub struct Audit {
    store: Arc<dyn AuditStore>,
    /// What anybody can make happen is noted ten times a minute, for each network and kind: more tells no more, and would
    /// fill the store.
    refusals: Throttle,
    waiting: mpsc::Sender<Waiting>,
    /// By kind; all of them, also those that are not noted.
    counts: Counters<1>,
}

/// What the writer behind is given.
enum Waiting {
    Event(Box<Event>),
    /// Answered when all before it is written.
    Flush(oneshot::Sender<()>),
}

/// How often old events are removed at least, and how many by one write.
const SWEEP: Duration = Duration::from_secs(600);
const BATCH: usize = 500;
/// Events that may wait to be written; whoever has one more writes it himself.
const QUEUE: usize = 10_000;
/// Tries of a write behind the answers, and the pause between them.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

impl Audit {
    /// Events older than `kept` are removed in the background.
    pub fn new(store: Arc<dyn AuditStore>, state: Arc<dyn ExpiringStore>, kept: Duration, metrics: &Metrics) -> Self {
        let held = Arc::downgrade(&store);
        actix_rt::spawn(async move {
            loop {
                actix_rt::time::sleep(SWEEP.min(kept / 10).max(Duration::from_secs(1))).await;
                let Some(store) = held.upgrade() else { return };
                if let Err(error) = remove_old(&*store, kept).await {
                    log::warn!("old entries of the audit log were not removed: {error}");
                }
            }
        });
        let (waiting, queue) = mpsc::channel(QUEUE);
        actix_rt::spawn(write_behind(store.clone(), queue));
        let help = "What happened with sign-ins, sessions, codes and tokens, by the audit log's names";
        let counts = metrics.counters("evergate_events_total", help, ["kind"]);
        Self { store, refusals: Throttle::new(state, "audited_refusals", 10), waiting, counts }
    }

    /// Writes down a change that is about to be made outside of the directory: without this it must not be made (F-065).
    pub async fn record(&self, event: Event) -> Result<(), StoreError> {
        self.counts.count([event.kind.as_str()]);
        self.store.append(&[event]).await
    }

    /// Notes what has happened already; that the note fails undoes nothing (F-065).
    pub async fn note(&self, event: Event) {
        self.counts.count([event.kind.as_str()]);
        if let Some(ip) = event.ip.filter(|_| event.kind.is_anybodys()) {
            let key = || format!("{} {:?}", network(ip), event.kind);
            // Where it can't be counted it is noted: better twice than never.
            if self.refusals.is_closed(key) || !self.refusals.count(key()).await.unwrap_or(true) {
                return;
            }
        }
        write(&*self.store, &[event], 1).await;
    }

    /// As [`Audit::note`], without waiting until it is stored: for what happens a thousand times a second. Many such events
    /// are written together, within milliseconds; a kill in between loses them.
    pub async fn note_soon(&self, event: Event) {
        self.counts.count([event.kind.as_str()]);
        match self.waiting.try_send(Waiting::Event(Box::new(event))) {
            Ok(()) => {}
            Err(
                mpsc::error::TrySendError::Full(Waiting::Event(event))
                | mpsc::error::TrySendError::Closed(Waiting::Event(event)),
            ) => {
                write(&*self.store, &[*event], 1).await;
            }
            Err(_) => {}
        }
    }

    /// Waits until everything noted so far is stored.
    pub async fn flush(&self) {
        let (answer, answered) = oneshot::channel();
        if self.waiting.send(Waiting::Flush(answer)).await.is_ok() {
            // Nothing is waiting any more where the writer has gone.
            answered.await.unwrap_or_default();
        }
    }

    /// A page of the log, with everything noted so far.
    pub async fn list(&self, filter: &EventFilter, page: &EventPage) -> Result<Vec<Recorded>, StoreError> {
        self.flush().await;
        self.store.list(filter, page).await
    }

    pub fn store(&self) -> &Arc<dyn AuditStore> {
        &self.store
    }
}

/// Writes what is waiting, as much at a time as came while the last was written. Ends with the [`Audit`], when all is
/// written.
async fn write_behind(store: Arc<dyn AuditStore>, mut queue: mpsc::Receiver<Waiting>) {
    let (mut received, mut events, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
    while queue.recv_many(&mut received, BATCH).await > 0 {
        for waiting in received.drain(..) {
            match waiting {
                Waiting::Event(event) => events.push(*event),
                Waiting::Flush(answer) => flushed.push(answer),
            }
        }
        write(&*store, &events, TRIES).await;
        events.clear();
        for answer in flushed.drain(..) {
            // Whoever asked may have gone.
            answer.send(()).unwrap_or_default();
        }
    }
}

async fn write(store: &dyn AuditStore, events: &[Event], tries: u32) {
    if events.is_empty() {
        return;
    }
    for attempt in 1..=tries {
        match store.append(events).await {
            Ok(()) => return,
            Err(error) if attempt == tries => log::error!("the audit log did not take {events:?}: {error}"),
            Err(_) => actix_rt::time::sleep(PAUSE).await,
        }
    }
}

async fn remove_old(store: &dyn AuditStore, kept: Duration) -> Result<(), StoreError> {
    let end = clock::now().saturating_sub_unsigned(kept.as_secs());
    while store.remove_before(end, BATCH).await? == BATCH {}
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::app;
    use crate::origin::Origin;

    async fn noted(audit: &Audit) -> usize {
        audit.list(&EventFilter::default(), &EventPage::newest(1000)).await.unwrap().len()
    }

    /// F-060, F-065: strangers can't fill the log; what tells of a theft is always noted.
    #[actix_rt::test]
    async fn refusals_that_anybody_can_cause_are_noted_ten_times_a_minute() {
        let (_folder, app) = app::for_test();
        let from = |kind, ip: &str| Event::new(kind).sent_from(&Origin { ip: ip.parse().unwrap(), agent: None });
        for _ in 0..25 {
            app.audit.note(from(EventKind::ClientRefused, "192.0.2.1")).await;
        }
        assert_eq!(noted(&app.audit).await, 10);
        app.audit.note(from(EventKind::CredentialInUrl, "192.0.2.1")).await;
        app.audit.note(from(EventKind::ClientRefused, "192.0.2.2")).await;
        assert_eq!(noted(&app.audit).await, 12);
        for _ in 0..25 {
            app.audit.note(from(EventKind::CodeReplayed, "192.0.2.1")).await;
        }
        assert_eq!(noted(&app.audit).await, 37);
    }

    /// F-061: what is noted behind the answers is all there for whoever reads the log, in order.
    #[actix_rt::test]
    async fn what_is_noted_soon_is_read_at_once() {
        let (_folder, app) = app::for_test();
        for number in 0..1200 {
            app.audit.note_soon(Event::new(EventKind::TokenIssued).client(&number.to_string())).await;
        }
        let page = EventPage { oldest_first: true, ..EventPage::newest(2000) };
        let found = app.audit.list(&EventFilter::default(), &page).await.unwrap();
        assert_eq!(found.len(), 1200);
        let clients = found.iter().map(|recorded| recorded.event.client.clone().unwrap());
        assert!(clients.eq((0..1200).map(|number| number.to_string())));
    }

    /// F-063: the log is kept as long as the setting says.
    #[actix_rt::test]
    async fn entries_older_than_they_are_kept_go() {
        let (_folder, app) = app::for_test();
        for age in [0, 50, 150] {
            let event = Event { at: clock::now() - age, ..Event::new(EventKind::CodeReplayed) };
            app.audit.note(event).await;
        }
        remove_old(&**app.audit.store(), Duration::from_secs(100)).await.unwrap();
        assert_eq!(noted(&app.audit).await, 2);
    }
}
