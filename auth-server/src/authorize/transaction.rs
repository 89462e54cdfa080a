//! Authorization requests that wait for a person: kept here, while pages carry only the id.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::expiring::Op;
use shared::random::random_token;
use shared::store::StoreError;

use super::request::AuthorizationRequest;
use crate::app::App;
use crate::browser::Visitor;
use crate::client::Client;
use crate::error_page::PageError;

/// A request being answered, in one browser.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transaction {
    pub request: AuthorizationRequest,
    /// `None`: it came by POST from the client's site, so without cookies; it belongs to the browser that first goes on
    /// with it.
    pub browser: Option<String>,
}

/// A transaction of the visitor, unanswered when it was read.
pub struct Open {
    pub id: String,
    pub request: AuthorizationRequest,
    pub client: Arc<Client>,
}

/// A new transaction's id, and the step that keeps it.
pub fn begin_op(app: &App, request: AuthorizationRequest, browser: Option<String>) -> Result<(String, Op), StoreError> {
    let id = random_token("tx_");
    let transaction = Transaction { request, browser };
    let op = app.transactions.insert_op(&id, &transaction, app.transactions.ttl(), Vec::new())?;
    Ok((id, op))
}

/// The visitor's transaction, with its client as it is registered now.
pub async fn open(app: &App, id: &str, visitor: Option<&Visitor>) -> Result<Open, PageError> {
    let Some(mut held) = app.transactions.get(id).await? else { return Err(PageError::NoTransaction(None)) };
    let client = app.clients.find(&held.value.request.client).await?;
    let Some(client) = client.filter(|client| !client.disabled) else { return Err(PageError::NoTransaction(None)) };
    let Some(visitor) = visitor else { return Err(PageError::NoTransaction(Some(client))) };
    let browser = &visitor.session.data.browser;
    if held.value.browser.is_none() {
        held.value.browser = Some(browser.clone());
        // Whoever loses this race is another browser.
        if !app.transactions.update(id, held.version, &held.value, None).await? {
            return Err(PageError::NoTransaction(Some(client)));
        }
    }
    if held.value.browser.as_ref() != Some(browser) {
        return Err(PageError::NoTransaction(Some(client)));
    }
    if held.claimed_for.is_some() {
        return Err(PageError::Answered(client));
    }
    Ok(Open { id: id.to_owned(), request: held.value.request, client })
}
