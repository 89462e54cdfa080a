//! If-Match, If-None-Match and If-Modified-Since (REQ-12, REQ-13, GET-05, ETAG-06 to ETAG-08).

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::domain::DateFormat;

/// The conditions of one request, as sent: what is no text is a condition too, which no document fulfils.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    if_match: Option<&'a [u8]>,
    if_none_match: Option<&'a [u8]>,
    if_modified_since: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PreconditionError {
    #[error("If-Match is missing")]
    Required,
    #[error("the document has changed")]
    Failed,
}

impl<'a> Conditions<'a> {
    pub fn new(headers: &'a HeaderMap) -> Self {
        let tag = |name: HeaderName| {
            headers.get(name).map(HeaderValue::as_bytes).filter(|sent| opaque(sent).next().is_some())
        };
        Self {
            if_match: tag(IF_MATCH),
            if_none_match: tag(IF_NONE_MATCH),
            if_modified_since: headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok()),
        }
    }

    /// Whether a document with this etag may be edited. `required`: IF_MATCH and ENFORCE_IF_MATCH are both on.
    pub fn permit_edit(&self, etag: &str, required: bool) -> Result<(), PreconditionError> {
        match self.if_match {
            None if required => Err(PreconditionError::Required),
            None => Ok(()),
            // ETAG-07: compared even with IF_MATCH off.
            Some(sent) if same(sent, etag) => Ok(()),
            Some(_) => Err(PreconditionError::Failed),
        }
    }

    /// GET-05: whether all conditions sent hold, and at least one was. `etag` is `None` with IF_MATCH off (GET-06);
    /// `last_modified` is in epoch seconds.
    pub fn not_modified(&self, etag: Option<&str>, last_modified: i64) -> bool {
        if self.if_none_match.is_none() && self.if_modified_since.is_none() {
            return false;
        }
        // REQ-13: always the date of HTTP; what can't be read was not sent.
        let since = self.if_modified_since.and_then(|sent| DateFormat::default().parse(sent));
        let unchanged = since.map(|since| last_modified <= since.timestamp_millis() / 1000 + 1);
        let known = self.if_none_match.map(|sent| etag.is_some_and(|etag| same(sent, etag)));
        match (unchanged, known) {
            (None, None) => false,
            (unchanged, known) => unchanged.unwrap_or(true) && known.unwrap_or(true),
        }
    }
}

/// REQ-12: without quotes, and without the `W/` before one. Lists and `*` are taken as they are, so they never match.
fn opaque(sent: &[u8]) -> impl Iterator<Item = u8> {
    let sent = if sent.starts_with(b"W/\"") { &sent[2..] } else { sent };
    sent.iter().copied().filter(|byte| *byte != b'"')
}

fn same(sent: &[u8], etag: &str) -> bool {
    opaque(sent).eq(etag.bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sent(name: HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    /// REQ-12, ETAG-06 to ETAG-08.
    #[test]
    fn an_edit_needs_the_etag_of_the_document() {
        let edit = |value, required| Conditions::new(&sent(IF_MATCH, value)).permit_edit("abc", required);
        for fine in ["abc", "\"abc\"", "W/\"abc\"", "a\"b\"c"] {
            assert_eq!(edit(fine, true), Ok(()), "{fine}");
        }
        for stale in ["abd", "*", "\"abc\", \"abd\"", "w/\"abc\""] {
            assert_eq!(edit(stale, false), Err(PreconditionError::Failed), "{stale}");
        }
        for absent in ["", "\"\"", "W/\"\""] {
            assert_eq!(edit(absent, true), Err(PreconditionError::Required), "{absent}");
            assert_eq!(edit(absent, false), Ok(()), "{absent}");
        }
    }

    /// REQ-12: what is no text was sent all the same, and matches nothing.
    #[test]
    fn an_unreadable_tag_never_matches() {
        for bytes in [&b"\xff"[..], b"\"abc\xe4\"", b"W/\"\x80\""] {
            let sent = |name| HeaderMap::from_iter([(name, HeaderValue::from_bytes(bytes).unwrap())]);
            let edit = sent(IF_MATCH);
            for required in [false, true] {
                assert_eq!(Conditions::new(&edit).permit_edit("abc", required), Err(PreconditionError::Failed));
            }
            let mut read = sent(IF_NONE_MATCH);
            assert!(!Conditions::new(&read).not_modified(Some("abc"), 0));
            read.insert(IF_MODIFIED_SINCE, "Tue, 06 Nov 2012 12:00:00 GMT".parse().unwrap());
            assert!(!Conditions::new(&read).not_modified(Some("abc"), 0));
        }
    }

    /// GET-05, GET-06, REQ-13: all that was sent must hold, one second is forgiven, and garbage is not a condition.
    #[test]
    fn a_document_is_unmodified_when_every_condition_sent_holds() {
        let noon = 1_352_203_200;
        let date = "Tue, 06 Nov 2012 12:00:00 GMT";
        let since = sent(IF_MODIFIED_SINCE, date);
        assert!(Conditions::new(&since).not_modified(Some("abc"), noon + 1));
        assert!(!Conditions::new(&since).not_modified(Some("abc"), noon + 2));
        let garbage = sent(IF_MODIFIED_SINCE, "yesterday");
        assert!(!Conditions::new(&garbage).not_modified(Some("abc"), 0));
        let mut both = sent(IF_NONE_MATCH, "W/\"abc\"");
        assert!(Conditions::new(&both).not_modified(Some("abc"), noon));
        assert!(!Conditions::new(&both).not_modified(None, noon));
        both.insert(IF_MODIFIED_SINCE, date.parse().unwrap());
        assert!(Conditions::new(&both).not_modified(Some("abc"), noon));
        assert!(!Conditions::new(&both).not_modified(Some("abc"), noon + 60));
        assert!(!Conditions::new(&both).not_modified(Some("abd"), noon));
        assert!(!Conditions::new(&HeaderMap::new()).not_modified(Some("abc"), 0));
    }
}
