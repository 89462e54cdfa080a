//! JSON wrapped in a call of a function, for pages of other origins that load it as a script (RESP-05).

use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse};
use shared::serve::Script;

use crate::domain::Settings;
use crate::error::ApiError;

/// The function that the query names, if the domain lets it name one.
pub fn callback(settings: &Settings, request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(argument) = &settings.jsonp_argument else { return Ok(None) };
    let mut parameters = form_urlencoded::parse(request.query_string().as_bytes());
    match parameters.find(|(name, _)| name == argument) {
        Some((_, name)) if is_name(&name) => Ok(Some(name.into_owned())),
        Some(_) => Err(ApiError::Callback),
        None => Ok(None),
    }
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '_' | '$'))
        && letters.all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '.'))
}

/// The type stays that of JSON, as Eve leaves it.
pub fn wrap(response: HttpResponse, callback: &str) -> HttpResponse {
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !json || matches!(response.body().size(), BodySize::None | BodySize::Sized(0)) {
        return response;
    }
    let (head, body) = response.into_parts();
    let mut response = match body.try_into_bytes() {
        Ok(json) => {
            let mut script = Vec::with_capacity(callback.len() + json.len() + 2);
            script.extend_from_slice(callback.as_bytes());
            script.push(b'(');
            script.extend_from_slice(&json);
            script.push(b')');
            head.set_body(script).map_into_boxed_body()
        }
        Err(streamed) => head.set_body(streamed),
    };
    response.extensions_mut().insert(Script);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RESP-05.
    #[test]
    fn a_callback_is_a_name_of_javascript() {
        for name in ["f", "$", "_", "a.b.c", "jQuery123_45", "fü"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1a", ".a", "a(b)", "a;b", "a b", "a-b", "<script>", "a\n"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
