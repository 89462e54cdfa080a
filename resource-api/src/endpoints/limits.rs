//! The gate with a counter before it (REQ-02, RATE-01 to RATE-04).

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use shared::serve::client_ip;

use crate::app::App;
use crate::auth::{Caller, Place};
use crate::domain::Method;
use crate::error::ApiError;
use crate::rate_limits::{Counted, Who};

const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Lets a caller in whose calls are not too many. `name` is the method as requested: HEAD has a limit of its own (RATE-04).
pub async fn enter(
    app: &App,
    request: &HttpRequest,
    name: &str,
    method: Method,
    place: Place<'_>,
) -> Result<Caller, ApiError> {
    let limits = app.rate_limits.as_ref().and_then(|limits| Some((limits, limits.of(name)?)));
    let Some((limits, limit)) = limits else { return Ok(app.gate.enter(request, method, place).await?) };
    // Callers without a good token are counted too, before they are turned away.
    let token = app.gate.identify(request, method, place).await;
    let who = match &token {
        Ok(Some(token)) => Who::Subject(token.subject.clone()),
        _ => Who::Address(client_ip(request)),
    };
    let counted = limits.count(limit, &who).await??;
    request.extensions_mut().insert(counted);
    Ok(app.gate.admit(token?, method, place)?)
}

/// RATE-03: what is left, where the call was counted.
pub fn tell(request: &HttpRequest, response: &mut HttpResponse) {
    let Some(counted) = request.extensions().get::<Counted>().copied() else { return };
    let headers = response.headers_mut();
    headers.insert(REMAINING, HeaderValue::from(counted.remaining));
    headers.insert(LIMIT, HeaderValue::from(counted.limit));
    headers.insert(RESET, HeaderValue::from(counted.reset));
}
