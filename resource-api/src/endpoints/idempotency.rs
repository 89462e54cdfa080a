//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a POST that is sent again is done once. Its answer is
//! kept for a day, in the same commit as what it says is stored, so that no crash and no race can part the two.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::HeaderName;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, DateTime, Document, doc};
use sha2::{Digest, Sha256};
use shared::clock;

use super::context::Context;
use super::payload::Body;
use crate::domain::IDEMPOTENCY;
use crate::error::ApiError;
use crate::query::{Filter, Test};
use crate::store::Write;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key.
const LONGEST_KEY: usize = 255;
/// Seconds for which an answer is kept.
const KEPT: i64 = 24 * 60 * 60;
/// Bytes of an answer that is kept; MongoDB takes 16 MiB with all around it.
const LONGEST_ANSWER: usize = 8 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyError {
    #[error("Idempotency-Key must be one string of 1 to {LONGEST_KEY} visible characters")]
    Key,
    #[error("a request with this Idempotency-Key is being processed")]
    InFlight,
    #[error("the Idempotency-Key was used before with another request")]
    Mismatch,
    #[error("the answer is too large to be kept for an Idempotency-Key: send fewer documents")]
    TooLarge,
}

/// What a creation is answered with.
pub struct Answer {
    pub body: Vec<u8>,
    pub location: Option<String>,
}

/// The requests being done, by the digests of their keys. Those at other servers are told apart by the store.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<HashSet<[u8; 32]>>);

/// One of them; there is no second one of its key as long as it is held.
struct Held<'a> {
    in_flight: &'a InFlight,
    key: [u8; 32],
}

/// A request that was not done before.
pub struct Attempt<'a> {
    /// Its key is a digest of caller, place and header.
    held: Held<'a>,
    /// Digest of what is asked for.
    fingerprint: [u8; 32],
}

pub enum Begun<'a> {
    New(Attempt<'a>),
    /// It was done before.
    Done(Answer),
}

/// `None` if the request has no key.
pub async fn begin<'a>(context: &Context<'a>, body: &Body) -> Result<Option<Begun<'a>>, ApiError> {
    let mut headers = context.request.headers().get_all(HEADER);
    let Some(header) = headers.next() else { return Ok(None) };
    let key = header.to_str().ok().and_then(key).filter(|_| headers.next().is_none()).ok_or(IdempotencyError::Key)?;
    let caller = context.caller.token.as_ref().map_or("", |token| token.subject.as_str());
    let place = [b"POST", caller.as_bytes(), context.resource.key.as_bytes(), context.path.as_bytes(), key.as_bytes()];
    let attempt = Attempt {
        held: context.app.in_flight.hold(digest(place)).ok_or(IdempotencyError::InFlight)?,
        fingerprint: digest([
            context.request.query_string().as_bytes(),
            context.request.headers().get("content-type").map_or(b"", |kind| kind.as_bytes()),
            &body.bytes,
        ]),
    };
    Ok(Some(match attempt.kept(context).await? {
        Some(answer) => Begun::Done(answer),
        None => Begun::New(attempt),
    }))
}

/// The key in a header: a quoted string (RFC 9651), or, as many send it, without quotes.
fn key(header: &str) -> Option<&str> {
    let header = header.trim();
    let key = match header.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => header,
    };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    (visible && (1..=LONGEST_KEY).contains(&key.len())).then_some(key)
}

fn digest<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        // Their lengths keep the parts apart.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

impl Attempt<'_> {
    /// The answer to the same request, if it was done before.
    pub async fn kept(&self, context: &Context<'_>) -> Result<Option<Answer>, ApiError> {
        let lasting = Filter::field("expires", Test::Gt(now(0)));
        let source = context.resource.datasource.beside(IDEMPOTENCY);
        let Some(kept) = context.documents().get(&source, &binary(&self.held.key), &lasting).await? else {
            return Ok(None);
        };
        let kept = Document::try_from(kept)?;
        let bytes = |name: &str| kept.get_binary_generic(name).map(Vec::as_slice).unwrap_or_default();
        if bytes("fingerprint") != self.fingerprint {
            return Err(IdempotencyError::Mismatch.into());
        }
        let location = kept.get_str("location").ok().map(str::to_owned);
        Ok(Some(Answer { body: bytes("body").to_vec(), location }))
    }

    /// The writes that keep the answer, the last of them unless there is one already.
    pub fn keep(&self, context: &Context<'_>, answer: &Answer) -> Result<Vec<Write>, ApiError> {
        if answer.body.len() > LONGEST_ANSWER {
            return Err(IdempotencyError::TooLarge.into());
        }
        let expired = Filter::equal("_id", binary(&self.held.key)).and(Filter::field("expires", Test::Lte(now(0))));
        let document = doc! {
            "_id": binary(&self.held.key),
            "fingerprint": binary(&self.fingerprint),
            "location": answer.location.clone(),
            "body": binary(&answer.body),
            "expires": now(KEPT),
        };
        let source = context.resource.datasource.beside(IDEMPOTENCY);
        let insert = Write::insert(&*source, &document)?;
        Ok(vec![Write::DeleteMany { source: source.into_owned(), filter: expired }, insert])
    }
}

fn now(later: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(clock::now().saturating_add(later).saturating_mul(1000)))
}

impl InFlight {
    fn hold(&self, key: [u8; 32]) -> Option<Held<'_>> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        first.then_some(Held { in_flight: self, key })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.in_flight.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_be_quoted_or_not() {
        for (header, expected) in [
            ("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", Some("8e03978e-40d5-43dd-bc93-6894a57f9324")),
            (" abc ", Some("abc")),
            ("\"\"", None),
            ("", None),
            ("\"abc", None),
            ("a b", None),
            ("a\"b", None),
        ] {
            assert_eq!(key(header), expected, "{header}");
        }
        assert!(key(&"x".repeat(255)).is_some() && key(&"x".repeat(256)).is_none());
    }
}
