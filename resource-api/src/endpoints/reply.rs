//! The headers of answers (RESP-06, RESP-07, D-006).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, VARY,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bson::DateTime;

use super::context::Context;
use crate::domain::DateFormat;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");
const AUTHORIZATION: HeaderValue = HeaderValue::from_static("Authorization");

/// An answer in the making.
pub struct Reply {
    response: HttpResponseBuilder,
}

impl Reply {
    pub fn new(status: StatusCode) -> Self {
        Self { response: HttpResponseBuilder::new(status) }
    }

    /// Cache headers of a resource's answer. `read`: to a GET or HEAD.
    pub fn cached(mut self, context: &Context<'_>, read: bool) -> Self {
        let (control, expires) =
            if read { (context.resource.cache_control.as_str(), context.resource.cache_expires) } else { ("", 0) };
        set_cache(&mut self.response, control, expires, context.caller.token.is_some());
        self
    }

    pub fn etag(mut self, etag: Option<&str>) -> Self {
        if let Some(etag) = etag
            && let Ok(value) = HeaderValue::from_str(&quoted(etag))
        {
            self.response.insert_header((ETAG, value));
        }
        self
    }

    pub fn last_modified(mut self, date: DateTime) -> Self {
        self.response.insert_header((LAST_MODIFIED, http_date(date)));
        self
    }

    pub fn location(mut self, url: &str) -> Self {
        self.response.insert_header((LOCATION, url));
        self
    }

    pub fn total(mut self, name: &str, total: u64) -> Self {
        if let Ok(name) = HeaderName::try_from(name) {
            self.response.insert_header((name, HeaderValue::from(total)));
        }
        self
    }

    pub fn json(mut self, body: Vec<u8>) -> HttpResponse {
        self.response.insert_header((CONTENT_TYPE, JSON));
        self.response.body(body)
    }

    /// RESP-09: 204 keeps its content type.
    pub fn no_content(mut self) -> HttpResponse {
        self.response.insert_header((CONTENT_TYPE, JSON));
        self.response.finish()
    }

    /// RESP-09: 304 has neither body nor what describes one; how long it is fresh is said anew (RFC 9110, 15.4.5).
    pub fn not_modified(mut self) -> HttpResponse {
        self.response.finish()
    }
}

/// As a header says it (RESP-06).
fn quoted(etag: &str) -> String {
    let mut text = String::with_capacity(etag.len() + 2);
    text.push('"');
    text.push_str(etag);
    text.push('"');
    text
}

/// RFC 1123, whatever DATE_FORMAT is.
pub fn http_date(date: DateTime) -> HeaderValue {
    let mut text = Vec::with_capacity(29);
    DateFormat::default().write(date, &mut text);
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// Cache-Control and Expires as the domain sets them. What a token was needed for is private, and not kept at all unless
/// the domain says how long (decisions 15).
pub fn set_cache(response: &mut HttpResponseBuilder, control: &str, expires: u32, authorized: bool) {
    if authorized {
        response.insert_header((VARY, AUTHORIZATION));
        let private = control.split(',').map(str::trim).filter(|part| !part.is_empty());
        let private: Vec<&str> = private.filter(|part| !matches!(*part, "public" | "private")).collect();
        let value = if control.is_empty() {
            PRIVATE
        } else {
            HeaderValue::from_str(&format!("private, {}", private.join(", "))).unwrap_or(PRIVATE)
        };
        response.insert_header((CACHE_CONTROL, value));
    } else if !control.is_empty() {
        response.insert_header((CACHE_CONTROL, control));
    }
    if expires > 0 {
        let at = shared::clock::now().saturating_add(i64::from(expires));
        response.insert_header((EXPIRES, http_date(DateTime::from_millis(at.saturating_mul(1000)))));
    }
}
