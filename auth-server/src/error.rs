//! Errors of the machine endpoints as the client sees them: the only place that knows their statuses and logs failures.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use shared::form::ParameterError;
use shared::oauth::{ErrorCode, legal_description};
use shared::store::StoreError;

use crate::passwords::Busy;
use crate::users::AuthenticateError;

/// A refusal or failure of a machine endpoint (X-007).
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// The request's own fault; the description is for the client's developer.
    #[error("{code}: {description}")]
    Refused { code: ErrorCode, description: Cow<'static, str> },
    #[error("too many attempts")]
    Throttled { retry_after: Duration },
    #[error("the body is larger than {} bytes", crate::form::LARGEST_BODY)]
    TooLarge,
    #[error("not found")]
    NotFound,
    #[error("only {allow} is allowed here")]
    Method { allow: &'static str },
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// RFC 6749 5.2.
#[derive(Serialize)]
struct Body<'a> {
    error: ErrorCode,
    error_description: &'a str,
}

impl OAuthError {
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        OAuthError::Refused { code, description: description.into() }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, description)
    }

    /// One description for all: which check failed would help a guesser (B-040, G-009).
    pub fn invalid_grant() -> Self {
        Self::new(ErrorCode::InvalidGrant, "the code, token or password is wrong, expired, revoked or used")
    }

    /// One description for all: an unknown client and a wrong secret look alike (B-027).
    pub fn invalid_client() -> Self {
        Self::new(ErrorCode::InvalidClient, "client authentication failed")
    }

    /// The code that the client is told.
    pub fn name(&self) -> &'static str {
        self.code().as_str()
    }

    fn code(&self) -> ErrorCode {
        match self {
            OAuthError::Refused { code, .. } => *code,
            OAuthError::Throttled { .. } => ErrorCode::TemporarilyUnavailable,
            OAuthError::TooLarge | OAuthError::NotFound | OAuthError::Method { .. } => ErrorCode::InvalidRequest,
            OAuthError::Busy(_) | OAuthError::Store(_) => ErrorCode::ServerError,
        }
    }

    /// What may be told: a failure's source never leaves the server (X-007).
    fn description(&self) -> Cow<'_, str> {
        match self {
            OAuthError::Busy(_) | OAuthError::Store(_) => Cow::Borrowed("try again later"),
            OAuthError::Refused { description, .. } => Cow::Owned(legal_description(description)),
            other => Cow::Owned(legal_description(&other.to_string())),
        }
    }

    /// In seconds.
    fn retry_after(&self) -> Option<u64> {
        match self {
            OAuthError::Throttled { retry_after } => Some(retry_after.as_secs().max(1)),
            OAuthError::Busy(_) => Some(1),
            OAuthError::Store(_) if self.status_code() == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }
}

impl ResponseError for OAuthError {
    /// The contract's table T1.
    fn status_code(&self) -> StatusCode {
        match self {
            OAuthError::Refused { code, .. } => match code {
                ErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
                ErrorCode::AccessDenied => StatusCode::FORBIDDEN,
                ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
                ErrorCode::TemporarilyUnavailable => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::BAD_REQUEST,
            },
            OAuthError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            OAuthError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            OAuthError::NotFound => StatusCode::NOT_FOUND,
            OAuthError::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            OAuthError::Store(
                StoreError::Corrupt(_) | StoreError::Conflict { .. } | StoreError::Refused(_) | StoreError::TooLarge,
            ) => StatusCode::INTERNAL_SERVER_ERROR,
            OAuthError::Busy(_) | OAuthError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            OAuthError::Store(error) => log::error!("{error}"),
            OAuthError::Busy(error) => log::warn!("{error}"),
            refused => log::debug!("{refused}"),
        }
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let OAuthError::Method { allow } = self {
            response.insert_header((ALLOW, *allow));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            // Whichever way it was tried (B-026).
            response.insert_header((WWW_AUTHENTICATE, r#"Basic realm="auth-server", charset="UTF-8""#));
        }
        response.json(Body { error: self.code(), error_description: &self.description() })
    }
}

impl From<ParameterError> for OAuthError {
    fn from(error: ParameterError) -> Self {
        OAuthError::invalid_request(error.to_string())
    }
}

impl From<AuthenticateError> for OAuthError {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Store(error) => error.into(),
            AuthenticateError::Busy(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// X-007, table T1: the code owns the status, and a failure's source stays inside.
    #[test]
    fn each_code_has_its_status_and_failures_tell_nothing() {
        for (error, status) in [
            (OAuthError::invalid_request("x"), 400),
            (OAuthError::invalid_grant(), 400),
            (OAuthError::invalid_client(), 401),
            (OAuthError::new(ErrorCode::AccessDenied, "x"), 403),
            (OAuthError::new(ErrorCode::UnauthorizedClient, "x"), 400),
            (OAuthError::Throttled { retry_after: Duration::from_secs(60) }, 429),
            (OAuthError::TooLarge, 413),
            (OAuthError::Busy(Busy), 503),
            (OAuthError::Store(StoreError::Unavailable("SELECT secret".to_owned())), 503),
            (OAuthError::Store(StoreError::Corrupt("SELECT secret".to_owned())), 500),
        ] {
            let response = error.error_response();
            assert_eq!(response.status().as_u16(), status, "{error}");
            assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), matches!(status, 429 | 503), "{error}");
            assert!(!error.description().contains("SELECT"));
        }
        let told = OAuthError::invalid_request("say \"äh\"\n");
        assert_eq!(told.description(), "say ''h''");
    }
}
