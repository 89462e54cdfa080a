//! What an event of the log is found by: a short list of terms, so that a search of millions reads only what may fit.

use crate::audit::{Event, EventFilter, Outcome};

/// The term of what did not come to pass.
const FAILURE: &str = "failure";

/// Whom an event concerns, and its kind. Common kinds are found soon enough without.
pub fn terms(event: &Event) -> Vec<String> {
    let mut parties = [&event.actor, &event.subject, &event.client].map(Option::as_deref);
    parties.sort_unstable();
    let mut terms: Vec<String> = parties.into_iter().flatten().map(party).collect();
    terms.dedup();
    if event.outcome == Outcome::Failure {
        terms.push(FAILURE.to_owned());
    }
    if !event.kind.is_common() {
        terms.push(kind(event.kind.as_str()));
    }
    terms
}

/// The narrowest term that all events of a filter have.
pub fn term(filter: &EventFilter) -> Option<String> {
    let concerned = filter.who.as_deref().or(filter.client.as_deref()).map(party);
    let rare = || filter.kind.filter(|kind| !kind.is_common()).map(|found| kind(found.as_str()));
    let failed = || (filter.outcome == Some(Outcome::Failure)).then(|| FAILURE.to_owned());
    concerned.or_else(rare).or_else(failed)
}

fn party(id: &str) -> String {
    format!("id {id}")
}

fn kind(kind: &str) -> String {
    format!("kind {kind}")
}
