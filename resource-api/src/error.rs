//! What can go wrong with a request, by stage; the one table of statuses; Eve's error body (contract section 20).
//! Failures are logged here and nowhere else.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use log::Level;
use shared::oauth::legal_description;
use shared::store::StoreError;

use crate::app::App;
use crate::auth::AuthError;
use crate::domain::validate::Issues;
use crate::endpoints::IdempotencyError;
use crate::endpoints::payload::PayloadError;
use crate::endpoints::reply::set_cache;
use crate::hooks::HookError;
use crate::introspection::Fault;
use crate::preconditions::PreconditionError;
use crate::query::QueryError;
use crate::rate_limits::TooOften;
use crate::representation::error_page;
use crate::representation::json::{JsonStyle, write_integer, write_string};
use crate::routes::RouteError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// RESP-05.
    #[error("Invalid JSONP callback name")]
    Callback,
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Idempotency(#[from] IdempotencyError),
    /// No such document, or none this caller may know of.
    #[error("no such document")]
    Missing,
    /// PUT-07: somebody else's document.
    #[error("the document belongs to somebody else")]
    Forbidden,
    #[error(transparent)]
    Precondition(#[from] PreconditionError),
    /// PATCH-02, PUT-03.
    #[error("the document is not valid")]
    Invalid(Issues),
    /// POST-04: a place for each document, empty for the good ones.
    #[error("documents are not valid")]
    NotInserted(Vec<Option<Issues>>),
    /// PATCH-08, PUT-06: the id field.
    #[error("'{0}' can't be changed")]
    Immutable(String),
    /// POST-10: a unique index, or the id.
    #[error("a value of {0} is taken")]
    Duplicate(String),
    /// PATCH-09: the same, in an edit.
    #[error("a value of {0} is taken")]
    DuplicateInEdit(String),
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is not BSON.
    #[error("a stored document can't be read: {0}")]
    Stored(#[from] bson::error::Error),
}

const BAD_REQUEST: &str = "The browser (or proxy) sent a request that this server could not understand.";
const UNAUTHORIZED: &str = "Please provide proper credentials";
const FORBIDDEN: &str = "You don't have the permission to access the requested resource. It is either read-protected or not readable by the server.";
const NOT_FOUND: &str = "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.";
const METHOD_NOT_ALLOWED: &str = "The method is not allowed for the requested URL.";
const CONFLICT: &str = "A conflict happened while processing the request. The resource might have been modified while the request was being processed.";
const PRECONDITION_FAILED: &str = "Client and server etags don't match";
const PRECONDITION_REQUIRED: &str = "To edit a document its etag must be provided using the If-Match header";
const TOO_LARGE: &str = "The data value transmitted exceeds the capacity limit.";
const INTERNAL: &str = "The server encountered an internal error and was unable to complete your request.";
const UNAVAILABLE: &str = "The server is temporarily unable to service your request. Please try again later.";
const TIME_IS_UP: &str = "The query took too long or too much memory. Please make it narrower, ask for smaller pages, or filter and sort by indexed fields.";

impl ApiError {
    /// The one table of statuses. `validation` is VALIDATION_ERROR_STATUS.
    fn status(&self, validation: u16) -> u16 {
        match self {
            ApiError::Route(RouteError::NotFound) | ApiError::Missing => 404,
            ApiError::Route(RouteError::MethodNotAllowed) => 405,
            ApiError::Auth(AuthError::Malformed(_)) => 400,
            ApiError::Auth(AuthError::Missing | AuthError::Invalid | AuthError::ForeignOwner) => 401,
            ApiError::Auth(AuthError::InsufficientScope(_) | AuthError::Role)
            | ApiError::Auth(AuthError::NoOwner | AuthError::NoClaim | AuthError::NoConnection) => 403,
            ApiError::Auth(AuthError::Unavailable(_)) => 503,
            ApiError::TooOften(_) => 429,
            ApiError::Callback => 400,
            ApiError::Payload(PayloadError::TooLarge | PayloadError::TooMany(_) | PayloadError::TooManyValues) => 413,
            ApiError::Payload(_) | ApiError::Query(_) | ApiError::Immutable(_) | ApiError::DuplicateInEdit(_) => 400,
            ApiError::Idempotency(IdempotencyError::Key) => 400,
            ApiError::Idempotency(IdempotencyError::InFlight) => 409,
            ApiError::Idempotency(IdempotencyError::TooLarge) => 413,
            ApiError::Idempotency(IdempotencyError::Mismatch) => 422,
            ApiError::Forbidden => 403,
            ApiError::Precondition(PreconditionError::Required) => 428,
            ApiError::Precondition(PreconditionError::Failed) => 412,
            ApiError::Invalid(_) | ApiError::NotInserted(_) => validation,
            ApiError::Duplicate(_) | ApiError::Store(StoreError::Conflict { .. }) => 409,
            ApiError::Hook(HookError::Refused { status, .. }) => *status,
            ApiError::Hook(HookError::Fault { .. }) => 503,
            // FILT-10 (F): a query that MongoDB refuses is the client's fault.
            ApiError::Store(StoreError::Refused(_)) => 400,
            ApiError::Store(StoreError::TooLarge) => 413,
            ApiError::Store(StoreError::Deadline | StoreError::Unavailable(_)) => 503,
            ApiError::Store(StoreError::Corrupt(_)) | ApiError::Stored(_) => 500,
        }
    }

    /// How loud a failure is told to the operator.
    fn level(&self, status: u16) -> Level {
        match (self, status) {
            // D-032: nobody gets in until somebody sets the credentials right.
            (ApiError::Auth(AuthError::Unavailable(Fault::Refused(_))), _) | (_, 500) => Level::Error,
            (_, 503) => Level::Warn,
            _ => Level::Debug,
        }
    }

    /// Whether to Eve it is an answer like others, about documents that were sent.
    pub fn is_about_documents(&self) -> bool {
        matches!(self, ApiError::Invalid(_) | ApiError::NotInserted(_))
    }

    /// ERR-01, ERR-03: which text a client is told. With DEBUG on it is the real one, except for failures of the server.
    fn message(&self, status: u16, debug: bool) -> Cow<'_, str> {
        let told = match self {
            ApiError::Auth(AuthError::ForeignOwner) => {
                return Cow::Borrowed("Incompatible User-Restricted Resource request.");
            }
            ApiError::Payload(error) => error.is_told(),
            ApiError::Query(error) => error.is_told(),
            ApiError::Idempotency(_) | ApiError::TooOften(_) | ApiError::Callback => true,
            ApiError::Immutable(field) => {
                return Cow::Owned(format!(
                    "Attempt to update an immutable field. Usually happens when PATCH or PUT include a '{field}' field, which is immutable (PUT can include it as long as it is unchanged)."
                ));
            }
            ApiError::NotInserted(documents) => {
                let bad = documents.iter().flatten().count();
                return Cow::Owned(format!("Insertion failure: {bad} document(s) contain(s) error(s)"));
            }
            ApiError::Store(StoreError::Deadline) => return Cow::Borrowed(TIME_IS_UP),
            // HOOK-03.
            ApiError::Hook(HookError::Refused { message, .. }) => {
                let said = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
                return match message {
                    Some(message) => Cow::Borrowed(message),
                    None => Cow::Borrowed(said.unwrap_or("Refused")),
                };
            }
            ApiError::Duplicate(_) | ApiError::DuplicateInEdit(_) => debug,
            _ => false,
        };
        if told || (debug && status == 400) {
            return Cow::Owned(self.to_string());
        }
        Cow::Borrowed(match status {
            400 => BAD_REQUEST,
            401 => UNAUTHORIZED,
            403 => FORBIDDEN,
            404 => NOT_FOUND,
            405 => METHOD_NOT_ALLOWED,
            409 => CONFLICT,
            412 => PRECONDITION_FAILED,
            413 => TOO_LARGE,
            428 => PRECONDITION_REQUIRED,
            503 => UNAVAILABLE,
            _ => INTERNAL,
        })
    }

    /// The answer to the client, in Eve's shape. `read`: the request was a GET or HEAD.
    pub fn respond(&self, app: &App, request: &HttpRequest, read: bool) -> HttpResponse {
        let settings = &app.domain.settings;
        let status = self.status(settings.validation_error_status);
        log::log!(self.level(status), "{status}: {self}");
        let mut response =
            HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        response.content_type("application/json");
        match self {
            // D-017.
            ApiError::TooOften(error) => _ = response.insert_header((RETRY_AFTER, error.retry_after)),
            ApiError::Idempotency(IdempotencyError::InFlight) => _ = response.insert_header((RETRY_AFTER, "1")),
            _ if status == 503 => _ = response.insert_header((RETRY_AFTER, "1")),
            _ => {}
        }
        if let ApiError::Auth(error) = self {
            for challenge in app.challenge.headers(error, settings.compat_basic_challenge) {
                response.append_header((WWW_AUTHENTICATE, challenge));
            }
        }
        let guarded = app.gate.introspector().is_some();
        let refused = guarded && matches!(status, 401 | 403);
        // RESP-07: errors of reads have the global cache headers; D-006: what a token decides is kept by nobody else.
        let (control, expires) =
            if read && !refused { (settings.cache_control.as_str(), settings.cache_expires) } else { ("", 0) };
        let authorized = refused || (guarded && request.headers().contains_key(AUTHORIZATION));
        set_cache(&mut response, control, expires, authorized);
        // Answers of validation are no errors to Eve: they always have their body.
        if settings.html_errors.contains(&status) && !self.is_about_documents() {
            response.content_type("text/html; charset=utf-8");
            return response.body(error_page::html(status, &self.message(status, settings.debug)));
        }
        // RESP-03: what a GET asks for.
        let pretty = read && is_pretty(request);
        response.body(app.lay_out(self.body(app, status), pretty))
    }

    fn body(&self, app: &App, status: u16) -> Vec<u8> {
        let settings = &app.domain.settings;
        let names = &settings.names;
        let style = app.style();
        let mut out = Vec::with_capacity(256);
        let as_list = settings.validation_error_as_list;
        // ERR-02: an edit that is not valid has issues and no error.
        if let ApiError::Invalid(issues) = self {
            out.push(b'{');
            member(&names.issues, &mut out);
            style.write_document(&issues.to_document(as_list), &mut out);
            out.extend_from_slice(b", ");
            member(&names.status, &mut out);
            write_string(&names.status_err, &mut out);
            out.push(b'}');
            return out;
        }
        out.push(b'{');
        member(&names.status, &mut out);
        write_string(&names.status_err, &mut out);
        if let ApiError::NotInserted(documents) = self {
            out.extend_from_slice(b", ");
            write_issues(app, &style, documents, &mut out);
        }
        out.extend_from_slice(b", ");
        member(&names.error, &mut out);
        out.extend_from_slice(b"{\"code\": ");
        write_integer(i64::from(status), &mut out);
        out.extend_from_slice(b", \"message\": ");
        write_string(&self.message(status, settings.debug), &mut out);
        out.extend_from_slice(b"}}");
        out
    }
}

/// Whether the query asks for indented JSON (REQ-11).
pub fn is_pretty(request: &HttpRequest) -> bool {
    form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, _)| name == "pretty")
}

fn member(name: &str, out: &mut Vec<u8>) {
    write_string(name, out);
    out.extend_from_slice(b": ");
}

/// POST-04: one document's issues, or a list with a place for each.
fn write_issues(app: &App, style: &JsonStyle<'_>, documents: &[Option<Issues>], out: &mut Vec<u8>) {
    let settings = &app.domain.settings;
    let names = &settings.names;
    let issues = |issues: &Issues, out: &mut Vec<u8>| {
        member(&names.issues, out);
        style.write_document(&issues.to_document(settings.validation_error_as_list), out);
    };
    if let [Some(only)] = documents {
        issues(only, out);
        return;
    }
    member(&names.items, out);
    for (index, document) in documents.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[{" } else { b", {" });
        member(&names.status, out);
        match document {
            None => write_string(&names.status_ok, out),
            Some(bad) => {
                write_string(&names.status_err, out);
                out.extend_from_slice(b", ");
                issues(bad, out);
            }
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// What `WWW-Authenticate` says (RFC 6750 3, RFC 9728 5.1).
#[derive(Debug, Clone)]
pub struct Challenge {
    pub realm: String,
    /// Where the metadata are.
    pub metadata_url: String,
}

impl Challenge {
    fn headers(&self, error: &AuthError, basic: bool) -> Vec<HeaderValue> {
        let (code, scope) = match error {
            AuthError::Missing => (None, None),
            AuthError::Malformed(_) => (Some("invalid_request"), None),
            AuthError::Invalid => (Some("invalid_token"), None),
            AuthError::InsufficientScope(scope) => (Some("insufficient_scope"), Some(scope.as_str())),
            AuthError::Role => (Some("insufficient_scope"), None),
            AuthError::NoOwner
            | AuthError::NoClaim
            | AuthError::NoConnection
            | AuthError::ForeignOwner
            | AuthError::Unavailable(_) => return Vec::new(),
        };
        let mut text = format!("Bearer realm=\"{}\"", legal_description(&self.realm));
        let mut attribute =
            |name: &str, value: &str| text.push_str(&format!(", {name}=\"{}\"", legal_description(value)));
        if let Some(code) = code {
            attribute("error", code);
            attribute("error_description", &error.to_string());
        }
        if let Some(scope) = scope {
            attribute("scope", scope);
        }
        attribute("resource_metadata", &self.metadata_url);
        let unauthorized = matches!(error, AuthError::Missing | AuthError::Invalid);
        // AUTH-02, behind its switch (decisions 4).
        let basic = (basic && unauthorized).then(|| HeaderValue::from_static("Basic realm=\"eve\""));
        HeaderValue::from_str(&text).into_iter().chain(basic).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn challenge(error: &AuthError, basic: bool) -> Vec<String> {
        let challenge = Challenge { realm: "the \"api\"".to_owned(), metadata_url: "https://api.test/m".to_owned() };
        challenge.headers(error, basic).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// D-002, D-005, D-011, AUTH-02: attributes by the kind of refusal, quoted safely.
    #[test]
    fn a_challenge_tells_what_is_missing_and_where_the_metadata_are() {
        assert_eq!(
            challenge(&AuthError::Missing, false),
            ["Bearer realm=\"the 'api'\", resource_metadata=\"https://api.test/m\""]
        );
        let invalid = challenge(&AuthError::Invalid, true);
        assert!(invalid[0].contains("error=\"invalid_token\""), "{invalid:?}");
        assert_eq!(invalid[1], "Basic realm=\"eve\"");
        let lacking = challenge(&AuthError::InsufficientScope("a:read b".to_owned()), true);
        assert_eq!(lacking.len(), 1);
        assert!(lacking[0].contains("error=\"insufficient_scope\"") && lacking[0].contains("scope=\"a:read b\""));
        assert!(challenge(&AuthError::ForeignOwner, true).is_empty());
    }

    /// D-032: refused credentials of the service itself keep everybody out, and are told as the error they are.
    #[test]
    fn refused_credentials_of_the_service_are_logged_as_an_error() {
        let level = |fault| ApiError::from(AuthError::from(fault)).level(503);
        for status in [401, 403] {
            assert_eq!(level(Fault::Refused(status)), Level::Error);
        }
        assert_eq!(level(Fault::Status(500)), Level::Warn);
        assert_eq!(ApiError::Missing.level(404), Level::Debug);
    }
}
