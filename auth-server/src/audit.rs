//! The audit log: who did what, when, with what outcome; never a secret (F-060).

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::{clock, request_id};

use crate::directory::AuditStore;

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

/// Writes the log.
#[derive(Clone)]
pub struct Audit {
    store: Arc<dyn AuditStore>,
}

impl Audit {
    pub fn new(store: Arc<dyn AuditStore>) -> Self {
        Self { store }
    }

    /// Notes what has happened already; that the note fails undoes nothing (F-065).
    pub async fn note(&self, event: Event) {
        if let Err(error) = self.store.append(&event).await {
            log::error!("the audit log did not take {event:?}: {error}");
        }
    }

    pub fn store(&self) -> &Arc<dyn AuditStore> {
        &self.store
    }
}
