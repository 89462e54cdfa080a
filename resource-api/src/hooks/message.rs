//! What receivers are sent: JSON with the event, who caused it, and what it is about. Documents on their way into or out of the
//! store are Extended JSON, so that each value keeps its type; what a client is about to see is as the client will see it.

use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Document, error::Error};
use bytes::Bytes;
use serde_json::json;
use shared::{random, request_id};

use super::HookError;
use crate::domain::{Event, Method, Webhook};
use crate::introspection::ActiveToken;
use crate::transfer::extended_json;

/// What all messages of one request have in common.
#[derive(Clone, Copy)]
pub struct About<'a> {
    pub event: Event,
    /// `None`: it belongs to none (HOOK-01).
    pub resource: Option<&'a str>,
    pub method: Method,
    pub path: &'a str,
    pub query: &'a str,
    /// `None`: no token was needed, or there was no good one.
    pub token: Option<&'a ActiveToken>,
}

/// One event as it is sent, perhaps several times.
pub struct Message {
    pub id: String,
    pub event: Event,
    pub body: Bytes,
    pub request_id: Option<String>,
}

impl Message {
    /// `members`: name and JSON.
    pub fn new(about: &About<'_>, members: &[(&str, &[u8])]) -> Self {
        let request_id = request_id::current();
        let who = about
            .token
            .map(|token| json!({ "sub": token.subject, "client_id": token.client_id, "roles": token.roles }));
        let head = json!({
            "event": about.event.name(),
            "resource": about.resource,
            "method": about.method.name(),
            "path": about.path,
            "query": about.query,
            "request_id": request_id,
            "who": who,
        });
        let mut body = head.to_string().into_bytes();
        body.pop();
        for (name, value) in members {
            body.extend_from_slice(format!(",\"{name}\":").as_bytes());
            body.extend_from_slice(value);
        }
        body.push(b'}');
        Self { id: random::random_id("msg_"), event: about.event, body: body.into(), request_id }
    }

    pub fn fault(&self, webhook: &Webhook, reason: impl Into<String>) -> HookError {
        HookError::Fault { event: self.event.name(), origin: webhook.origin().to_owned(), reason: reason.into() }
    }
}

/// A document with the types of its values.
pub fn typed(document: &Document) -> Result<Vec<u8>, Error> {
    raw(&RawDocumentBuf::try_from(document)?)
}

/// The same of a stored one.
pub fn raw(document: &RawDocument) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(document.as_bytes().len() * 2);
    extended_json::write(document, &mut out)?;
    Ok(out)
}

/// A list of documents that are written already.
pub fn typed_list(documents: impl IntoIterator<Item = Result<Vec<u8>, Error>>) -> Result<Vec<u8>, Error> {
    let mut out = vec![b'['];
    for document in documents {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&document?);
    }
    out.push(b']');
    Ok(out)
}
