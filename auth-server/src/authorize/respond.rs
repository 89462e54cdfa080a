//! The way back to the client: a redirect with a code or an error.

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use shared::form::encode;
use shared::oauth::legal_description;
use url::{Host, Url};

use super::request::{Refusal, Target};

/// The success: code, the client's state, and who answers (RFC 9207).
pub fn with_code(target: &Target, code: &str, issuer: &str) -> HttpResponse {
    answer(target, &[("code", code)], issuer)
}

/// The error (RFC 6749 4.1.2.1).
pub fn with_error(refusal: &Refusal, issuer: &str) -> HttpResponse {
    let description = legal_description(&refusal.description);
    answer(&refusal.target, &[("error", refusal.error.as_str()), ("error_description", &description)], issuer)
}

fn answer(target: &Target, parameters: &[(&str, &str)], issuer: &str) -> HttpResponse {
    let state = target.state.as_deref().map(|state| ("state", state));
    let all = parameters.iter().copied().chain(state).chain([("iss", issuer)]);
    see_other(&with_parameters(&target.redirect_uri, all))
}

/// 303, so that no browser repeats a POST elsewhere, and never kept or told on.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// `uri` with parameters appended to its query, which is kept as it is.
fn with_parameters<'a>(uri: &str, parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut target = uri.to_owned();
    let mut separator = match uri.find('?') {
        None => "?",
        Some(mark) if mark + 1 == uri.len() => "",
        Some(_) => "&",
    };
    for (name, value) in parameters {
        write!(target, "{separator}{name}={}", encode(value)).expect("writing to a String succeeds");
        separator = "&";
    }
    target
}

/// The source a form's policy must allow so that the browser follows the redirect after its post.
pub fn form_action(redirect_uri: &str) -> Option<String> {
    let url = Url::parse(redirect_uri).ok()?;
    match (url.scheme(), url.host()) {
        // A policy has no way to write an IPv6 address (CSP Level 3, 2.3.1): the scheme is the narrowest there is.
        (scheme @ ("http" | "https"), Some(Host::Ipv6(_))) => Some(format!("{scheme}:")),
        ("http" | "https", Some(_)) => Some(url.origin().ascii_serialization()),
        (scheme, _) => Some(format!("{scheme}:")),
    }
}

/// The host as the consent page names it; for a private scheme the scheme.
pub fn shown_host(redirect_uri: &str) -> String {
    match Url::parse(redirect_uri) {
        Ok(url) => match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => url.scheme().to_owned(),
        },
        Err(_) => redirect_uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// the registered query is kept; values are encoded.
    #[test]
    fn response_parameters_are_appended_to_the_query_as_it_is() {
        let with = |uri: &str| with_parameters(uri, [("code", "a b"), ("iss", "https://x")].into_iter());
        assert_eq!(with("https://a/cb"), "https://a/cb?code=a+b&iss=https%3A%2F%2Fx");
        assert_eq!(with("https://a/cb?x=%41"), "https://a/cb?x=%41&code=a+b&iss=https%3A%2F%2Fx");
        assert_eq!(with("https://a/cb?"), "https://a/cb?code=a+b&iss=https%3A%2F%2Fx");
        assert_eq!(with("com.example:/cb"), "com.example:/cb?code=a+b&iss=https%3A%2F%2Fx");
    }

    /// errors carry state and iss as successes do, and none is kept.
    #[test]
    fn errors_are_redirected_with_state_and_issuer_by_303() {
        let target = Target { redirect_uri: "https://a/cb".to_owned(), state: Some("s&t".to_owned()) };
        let refusal =
            Refusal { target, error: shared::oauth::ErrorCode::InvalidScope, description: "scope \"x\"".to_owned() };
        let response = with_error(&refusal, "https://as");
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        assert_eq!(response.headers().get(REFERRER_POLICY).unwrap(), "no-referrer");
        let location = response.headers().get(LOCATION).unwrap().to_str().unwrap();
        assert_eq!(
            location,
            "https://a/cb?error=invalid_scope&error_description=scope+%27x%27&state=s%26t&iss=https%3A%2F%2Fas"
        );
    }

    ///
    #[test]
    fn a_form_may_lead_to_the_origin_or_scheme_of_the_redirect_uri() {
        for (uri, source) in [
            ("https://a.example:8443/cb", "https://a.example:8443"),
            ("https://a.example/cb", "https://a.example"),
            ("http://127.0.0.1:5/cb", "http://127.0.0.1:5"),
            ("http://[::1]:5/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
        ] {
            assert_eq!(form_action(uri).as_deref(), Some(source));
        }
    }

    ///
    #[test]
    fn the_host_is_shown_with_its_port() {
        assert_eq!(shown_host("https://a.example:8443/cb"), "a.example:8443");
        assert_eq!(shown_host("https://a.example/cb?x"), "a.example");
        assert_eq!(shown_host("com.example.app:/cb"), "com.example.app");
    }
}
