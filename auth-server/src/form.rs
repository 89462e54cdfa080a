//! Reading a posted form: its type, its size and its parameters.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use shared::form::{ParameterError, Parameters};
use zeroize::Zeroizing;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::error::OAuthError;
use crate::origin::Origin;

/// In bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Parameters that must never stand in a URL, where logs and histories keep them (B-001).
const BODY_ONLY: [&str; 11] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "username",
    "password",
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "assertion",
];

/// Why a body is not read as a form.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("the body must be application/x-www-form-urlencoded in UTF-8")]
    ContentType,
    #[error("the body is larger than {LARGEST_BODY} bytes")]
    TooLarge,
    #[error("the body did not arrive whole")]
    Incomplete,
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// The form of a machine request: body only, nothing secret in the query (B-001).
pub struct MachineForm(pub Parameters);

impl FromRequest for MachineForm {
    type Error = OAuthError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, OAuthError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            refuse_credentials_in_url(&request).await?;
            Ok(Self(read(&request, payload).await?))
        })
    }
}

/// Reads a form's parameters.
pub async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Parameters, FormError> {
    if !is_form(request) {
        return Err(FormError::ContentType);
    }
    // Of its final size at once: growing would leave copies behind, and what is in it is wiped (F-072).
    let mut body = Zeroizing::new(Vec::with_capacity(length(request)));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| FormError::Incomplete)?;
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(FormError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Parameters::parse(&body)?)
}

/// The length that the request tells of its body.
fn length(request: &HttpRequest) -> usize {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    told.map_or(LARGEST_BODY, |told: usize| told.min(LARGEST_BODY))
}

fn is_form(request: &HttpRequest) -> bool {
    let Some(sent) = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = sent.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

async fn refuse_credentials_in_url(request: &HttpRequest) -> Result<(), OAuthError> {
    let query = request.query_string();
    if query.is_empty() {
        return Ok(());
    }
    let parameters = Parameters::parse(query.as_bytes())?;
    let Some(found) = BODY_ONLY.into_iter().find(|name| parameters.has(name)) else { return Ok(()) };
    if let Some(app) = request.app_data::<Data<App>>() {
        let mut event = Event::new(EventKind::CredentialInUrl).sent_from(&Origin::of(request)).reason(found);
        if let Ok(Some(client)) = parameters.one("client_id") {
            event = event.client(client);
        }
        app.audit.note(event).await;
    }
    Err(OAuthError::invalid_request(format!("{found} must be sent in the body, never in the URL")))
}

impl From<FormError> for OAuthError {
    fn from(error: FormError) -> Self {
        match error {
            FormError::TooLarge => OAuthError::TooLarge,
            other => OAuthError::invalid_request(other.to_string()),
        }
    }
}
