//! The audit log: who did what, when, with what outcome; never a secret (F-060).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::expiring::ExpiringStore;
use shared::store::StoreError;
use shared::{clock, request_id};

use crate::directory::AuditStore;
use crate::throttle::{Throttle, network};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A code was redeemed a second time; its grant was revoked (B-047).
    CodeReplayed,
    /// A rotated refresh token came back outside its grace; its grant was revoked (B-080).
    RefreshReused,
    /// A client presented a refresh token of another (B-071).
    ForeignToken,
    /// A client could not prove itself.
    ClientRefused,
    /// OAuth parameters stood in a URL, where logs and histories keep them (B-001).
    CredentialInUrl,
    /// A client without the permission asked about a token (C-001).
    IntrospectionRefused,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub kind: EventKind,
    /// Epoch seconds.
    pub at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Whose account it concerns: a user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Why, in words for the reader of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event {
    /// An event of now, in the request that is being served.
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            at: clock::now(),
            request_id: request_id::current(),
            subject: None,
            client: None,
            ip: None,
            reason: None,
        }
    }

    /// Which client it concerns. An id that was never registered is cut: it is whatever somebody sent.
    pub fn client(mut self, id: &str) -> Self {
        self.client = Some(id.chars().filter(|c| !c.is_control()).take(128).collect());
        self
    }

    pub fn subject(mut self, id: &str) -> Self {
        self.subject = Some(id.to_owned());
        self
    }

    pub fn ip(mut self, address: IpAddr) -> Self {
        self.ip = Some(address);
        self
    }

    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl EventKind {
    /// Whether anybody can make it happen, and as often as he likes.
    fn is_anybodys(self) -> bool {
        match self {
            EventKind::ClientRefused | EventKind::CredentialInUrl | EventKind::IntrospectionRefused => true,
            EventKind::CodeReplayed | EventKind::RefreshReused | EventKind::ForeignToken => false,
        }
    }
}

/// Writes the log.
pub struct Audit {
    store: Arc<dyn AuditStore>,
    /// What anybody can make happen is noted ten times a minute, for each network and kind: more tells no more, and would
    /// fill the store.
    refusals: Throttle,
}

/// How often old events are removed, and how many by one write.
const SWEEP: Duration = Duration::from_secs(600);
const BATCH: usize = 500;

impl Audit {
    /// Events older than `kept` are removed in the background.
    pub fn new(store: Arc<dyn AuditStore>, state: Arc<dyn ExpiringStore>, kept: Duration) -> Self {
        let held = Arc::downgrade(&store);
        actix_rt::spawn(async move {
            loop {
                actix_rt::time::sleep(SWEEP).await;
                let Some(store) = held.upgrade() else { return };
                if let Err(error) = remove_old(&*store, kept).await {
                    log::warn!("old entries of the audit log were not removed: {error}");
                }
            }
        });
        Self { store, refusals: Throttle::new(state, "audited_refusals", 10) }
    }

    /// Notes what has happened already; that the note fails undoes nothing (F-065).
    pub async fn note(&self, event: Event) {
        if let Some(ip) = event.ip.filter(|_| event.kind.is_anybodys()) {
            let key = || format!("{} {:?}", network(ip), event.kind);
            // Where it can't be counted it is noted: better twice than never.
            if self.refusals.is_closed(key) || !self.refusals.count(key()).await.unwrap_or(true) {
                return;
            }
        }
        if let Err(error) = self.store.append(&event).await {
            log::error!("the audit log did not take {event:?}: {error}");
        }
    }

    pub fn store(&self) -> &Arc<dyn AuditStore> {
        &self.store
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

    async fn noted(audit: &Audit) -> usize {
        audit.store().list(None, 1000).await.unwrap().len()
    }

    /// F-060, F-065: strangers can't fill the log; what tells of a theft is always noted.
    #[actix_rt::test]
    async fn refusals_that_anybody_can_cause_are_noted_ten_times_a_minute() {
        let (_folder, app) = app::for_test();
        let from = |kind, ip: &str| Event::new(kind).ip(ip.parse().unwrap());
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
