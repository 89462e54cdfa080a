//! What pages of other origins are told (CORS-01 to CORS-04). Their preflight is an OPTIONS like any other.

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue, ORIGIN,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::routes::Action;

const EMPTY: HeaderValue = HeaderValue::from_static("");

/// Adds to an answer what its request's origin may know. Refused origins get an empty one, and the rest all the same.
pub fn answer(app: &App, request: &HttpRequest, response: &mut HttpResponse) {
    let Some(cors) = &app.domain.settings.cors else { return };
    let Some(origin) = request.headers().get(ORIGIN).filter(|origin| !origin.is_empty()) else { return };
    let allowed = origin.to_str().is_ok_and(|text| cors.allows(text));
    // Nothing is told of paths that are not there.
    let route = app.router.find(Some(Action::Options), request.uri().path());
    let methods = route.map_or("", |matched| matched.route.allow.as_str());
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if allowed { origin.clone() } else { EMPTY });
    headers.append(VARY, HeaderValue::from_static("Origin"));
    set(headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
    set(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
    set(headers, ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age));
    if cors.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

fn set(headers: &mut HeaderMap, name: actix_web::http::header::HeaderName, text: &str) {
    headers.insert(name, HeaderValue::from_str(text).unwrap_or(EMPTY));
}
