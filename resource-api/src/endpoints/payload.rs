//! Reading a request's body (REQ-04 to REQ-09).

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{HttpRequest, web};
use bson::{Bson, Document};

use super::context::Context;
use super::multipart;
use crate::auth::AuthError;
use crate::domain::convert::{JsonTextError, MOST_VALUES, parse_json};
use crate::error::ApiError;
use crate::query::pairs;

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("Unknown or no Content-Type header supplied")]
    ContentType,
    #[error("Failed to decode JSON object: {0}")]
    Json(String),
    /// REQ-05.
    #[error("NaN and Infinity are no numbers of JSON")]
    NotANumber,
    #[error("No form-urlencoded data supplied")]
    EmptyForm,
    #[error("the form is not UTF-8")]
    Form,
    #[error("No multipart/form-data supplied")]
    EmptyMultipart,
    #[error("the multipart body can't be read: {0}")]
    Multipart(String),
    /// Of this name.
    #[error("'{0}' is a file: this version takes none")]
    File(String),
    /// REQ-08.
    #[error("'{0}' is neither JSON nor the inside of a JSON string")]
    FieldNotJson(String),
    #[error("Empty bulk insert")]
    EmptyBulk,
    #[error("Bulk insert not allowed")]
    BulkNotAllowed,
    /// POST-02, PUT-04: neither a document nor a list of them.
    #[error("the body is not a document")]
    NotADocument,
    #[error("the body is too large")]
    TooLarge,
    #[error("more than {0} documents in one bulk")]
    TooMany(usize),
    #[error("more than {MOST_VALUES} values in one body")]
    TooManyValues,
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl From<JsonTextError> for PayloadError {
    fn from(error: JsonTextError) -> Self {
        match error {
            JsonTextError::Syntax(error) => Self::Json(error.to_string()),
            JsonTextError::NotANumber => Self::NotANumber,
            JsonTextError::TooManyValues => Self::TooManyValues,
        }
    }
}

impl PayloadError {
    /// ERR-01: told even without DEBUG.
    pub fn is_told(&self) -> bool {
        match self {
            Self::ContentType | Self::EmptyForm | Self::EmptyMultipart | Self::TooMany(_) | Self::TooManyValues => true,
            // Eve has no words for these.
            Self::NotANumber | Self::Multipart(_) | Self::File(_) | Self::FieldNotJson(_) => true,
            Self::Json(_)
            | Self::Form
            | Self::EmptyBulk
            | Self::BulkNotAllowed
            | Self::NotADocument
            | Self::TooLarge
            | Self::Broken(_) => false,
        }
    }
}

/// A body as it came.
pub struct Body {
    pub bytes: web::Bytes,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
    Multipart,
}

/// All of the body, if it is of a type that can be read.
pub async fn body(context: &Context<'_>, payload: web::Payload) -> Result<Body, ApiError> {
    let settings = &context.app.domain.settings;
    let kind = content_type(context.request);
    let kind = if settings.json_request_content_types.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        Kind::Json
    } else if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Kind::Form
    } else if kind.eq_ignore_ascii_case("multipart/form-data") {
        Kind::Multipart
    } else {
        return Err(PayloadError::ContentType.into());
    };
    Ok(Body { bytes: bytes(context.request, payload, context.app.limits.body).await?, kind })
}

impl Body {
    /// As JSON; a form is an object of strings (REQ-07).
    pub async fn value(&self, context: &Context<'_>) -> Result<Bson, ApiError> {
        let settings = &context.app.domain.settings;
        let fields = match self.kind {
            Kind::Json => return Ok(parse_json(&self.bytes).map_err(PayloadError::from)?),
            Kind::Form => fields(&self.bytes, settings.auto_collapse_multi_keys)?,
            Kind::Multipart => multipart::read(context.request, self.bytes.clone(), settings).await?,
        };
        // D-004: a token in the form beside the one in the header.
        if context.caller.token.is_some() && fields.members.contains_key("access_token") {
            return Err(AuthError::Malformed("the token was sent twice").into());
        }
        Ok(Bson::Document(fields.members))
    }
}

/// The body of an edit.
pub async fn read(context: &Context<'_>, payload: web::Payload) -> Result<Bson, ApiError> {
    unwrap_text(body(context, payload).await?.value(context).await?).map_err(ApiError::from)
}

/// REQ-09: an edit may also be a JSON text within a JSON string.
fn unwrap_text(value: Bson) -> Result<Bson, PayloadError> {
    match value {
        Bson::String(text) => match parse_json(text.as_bytes()) {
            Err(JsonTextError::Syntax(_) | JsonTextError::NotANumber) => Ok(Bson::String(text)),
            parsed => Ok(parsed?),
        },
        value => Ok(value),
    }
}

fn content_type(request: &HttpRequest) -> &str {
    let header = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim()
}

async fn bytes(request: &HttpRequest, payload: web::Payload, limit: usize) -> Result<web::Bytes, PayloadError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(PayloadError::TooLarge);
    }
    match payload.to_bytes_limited(limit).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => Err(PayloadError::Broken(error.to_string())),
        Err(_) => Err(PayloadError::TooLarge),
    }
}

/// What a form says so far. REQ-07: of a repeated name the first value counts, or with `collapse` the list of all.
pub struct Fields {
    pub members: Document,
    collapse: bool,
    /// Values that may still come.
    pub left: usize,
}

impl Fields {
    pub fn new(collapse: bool) -> Self {
        Self { members: Document::new(), collapse, left: MOST_VALUES }
    }

    pub fn add(&mut self, name: String, value: Bson) -> Result<(), PayloadError> {
        // As in JSON, each part of a dotted name counts.
        let parts = name.split('.').count();
        self.left = self.left.checked_sub(parts).ok_or(PayloadError::TooManyValues)?;
        match self.members.get_mut(&name) {
            None => _ = self.members.insert(name, value),
            Some(_) if !self.collapse => {}
            Some(Bson::Array(values)) => values.push(value),
            Some(first) => *first = Bson::Array(vec![std::mem::take(first), value]),
        }
        Ok(())
    }

    /// `None`: nothing was said.
    pub fn filled(self) -> Option<Self> {
        (!self.members.is_empty()).then_some(self)
    }
}

fn fields(body: &[u8], collapse: bool) -> Result<Fields, PayloadError> {
    std::str::from_utf8(body).map_err(|_| PayloadError::Form)?;
    let mut fields = Fields::new(collapse);
    for (name, value) in pairs(body) {
        fields.add(name.into_owned(), Bson::String(value.into_owned()))?;
    }
    fields.filled().ok_or(PayloadError::EmptyForm)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bson::{bson, doc};

    use super::*;

    /// REQ-06, REQ-07.
    #[test]
    fn a_form_is_an_object_of_strings() {
        let read = |collapse| fields(b"a=1&b=x+y&a=2&c=%C3%A4&a=3", collapse).unwrap().members;
        assert_eq!(read(false), doc! {"a": "1", "b": "x y", "c": "ä"});
        assert_eq!(read(true), doc! {"a": ["1", "2", "3"], "b": "x y", "c": "ä"});
        assert_eq!(fields(b"a=%ff", false).unwrap().members, doc! {"a": "%FF"});
        let refused = |body: &[u8]| fields(body, false).map(drop).unwrap_err();
        assert_eq!(refused(b""), PayloadError::EmptyForm);
        let long = "a.".repeat(1_000_000) + "=1";
        assert_eq!(refused(long.as_bytes()), PayloadError::TooManyValues);
    }

    /// REQ-09.
    #[test]
    fn a_json_text_in_a_json_string_is_read_again() {
        assert_eq!(unwrap_text(bson!("{\"a\": 1}")).unwrap(), bson!({"a": 1}));
        assert_eq!(unwrap_text(bson!({"a": 1})).unwrap(), bson!({"a": 1}));
        assert_eq!(unwrap_text(bson!("{")).unwrap(), bson!("{"));
        let zeros = format!("[{}0]", "0,".repeat(1_000_000));
        assert!(matches!(unwrap_text(bson!(zeros)), Err(PayloadError::TooManyValues)));
    }
}
