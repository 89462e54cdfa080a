//! What can go wrong for somebody using the app, and the page each failure becomes. The only place that logs a failure.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, LOCATION, REFERRER_POLICY, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use shared::form::encode;
use shared::oauth::Scopes;
use shared::session::Forged;
use shared::store::StoreError;

use crate::app::App;

/// A failure somebody sees. The texts of `Display` are for the log; pages are in [`SiteError::page`].
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// No session, or one whose tokens were taken back (E-046).
    #[error("not signed in")]
    SignInNeeded,
    /// E-010. `cookie`: whether the browser sent the pre-login cookie at all (G-010).
    #[error("the login of this callback is not one of this browser's")]
    UnknownLogin { cookie: bool },
    /// E-012.
    #[error("the callback's iss is missing or not the issuer that was asked")]
    WrongIssuer,
    /// E-014.
    #[error("the callback is ambiguous: {0}")]
    AmbiguousCallback(&'static str),
    /// E-015: access_denied.
    #[error("the user did not consent")]
    Denied { target: String },
    /// E-015: any other error code; `code` is one this app knows, never the raw text.
    #[error("the authorization server refused the sign-in: {code}")]
    SignInRefused { code: &'static str, target: String },
    /// The code was used, expired or of somebody else: a new login is needed.
    #[error("the authorization server refused the code")]
    CodeRefused { target: String },
    /// The authorization server can't be reached, or says so itself. Seconds.
    #[error("the authorization server is not available: {reason}")]
    SignInUnavailable { reason: String, retry_after: u64, target: Option<String> },
    /// E-017: an answer that is no token answer.
    #[error("the token answer is unusable: {0}")]
    TokensUnusable(&'static str),
    /// E-006, E-047: nothing the user can do.
    #[error("configuration fault: {0}")]
    Misconfigured(String),
    /// Seconds.
    #[error("the API is not available: {reason}")]
    ApiUnavailable { reason: String, retry_after: u64 },
    /// E-044: a fresh token was refused, too.
    #[error("the API refuses the token: {0}")]
    ApiRefusesToken(String),
    #[error("the API answered with something that can't be shown: {0}")]
    ApiUnusable(String),
    #[error("the scopes {0} are missing")]
    MissingScope(Scopes),
    #[error("the API forbids it")]
    Forbidden,
    /// A 4xx with the API's own words.
    #[error("the API refuses the request with {status}: {message}")]
    ApiRefuses { status: u16, message: String },
    #[error("no such page")]
    NotFound,
    #[error("{0}")]
    Forged(#[from] Forged),
    #[error("bad request: {0}")]
    BadRequest(String),
    #[error("the form is larger than 64 KiB")]
    TooLarge,
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The data of `message.html`.
#[derive(Serialize)]
struct Message {
    title: &'static str,
    message: String,
    detail: Option<String>,
    ways: Vec<Way>,
}

/// A button that leads on (G-003). GET, so that it can be a link.
#[derive(Serialize)]
struct Way {
    href: String,
    label: &'static str,
}

fn way(label: &'static str, href: impl Into<String>) -> Way {
    Way { href: href.into(), label }
}

fn login(target: &str) -> String {
    format!("/login?target={}", encode(target))
}

impl ResponseError for SiteError {
    fn status_code(&self) -> StatusCode {
        match self {
            SiteError::SignInNeeded => StatusCode::UNAUTHORIZED,
            SiteError::UnknownLogin { .. }
            | SiteError::WrongIssuer
            | SiteError::AmbiguousCallback(_)
            | SiteError::CodeRefused { .. }
            | SiteError::BadRequest(_) => StatusCode::BAD_REQUEST,
            SiteError::Denied { .. } | SiteError::MissingScope(_) | SiteError::Forbidden | SiteError::Forged(_) => {
                StatusCode::FORBIDDEN
            }
            SiteError::NotFound => StatusCode::NOT_FOUND,
            SiteError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            SiteError::ApiRefuses { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST),
            SiteError::SignInRefused { .. } | SiteError::Misconfigured(_) => StatusCode::INTERNAL_SERVER_ERROR,
            SiteError::TokensUnusable(_) | SiteError::ApiRefusesToken(_) | SiteError::ApiUnusable(_) => {
                StatusCode::BAD_GATEWAY
            }
            SiteError::SignInUnavailable { .. } | SiteError::ApiUnavailable { .. } | SiteError::Store(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Without a body: [`pages`] knows the request and writes the page.
    fn error_response(&self) -> HttpResponse<BoxBody> {
        HttpResponse::new(self.status_code())
    }
}

impl SiteError {
    fn retry_after(&self) -> Option<u64> {
        match self {
            SiteError::SignInUnavailable { retry_after, .. } | SiteError::ApiUnavailable { retry_after, .. } => {
                Some((*retry_after).max(1))
            }
            SiteError::Store(_) => Some(1),
            _ => None,
        }
    }

    /// `here`: the page to go on with. `posted`: whether a form was on its way.
    fn page(&self, here: Option<&str>, posted: bool) -> Message {
        let home = || way("Go to the start page", "/");
        let again = |label| way(if posted { "Back to the form" } else { label }, here.unwrap_or("/"));
        let mut detail = None;
        let (title, message, ways) = match self {
            SiteError::SignInNeeded if posted => (
                "Please sign in",
                "Your sign-in has ended, so nothing was saved. Your browser's Back button leads to what you entered: copy \
                 it, sign in, and enter it again.",
                vec![way("Sign in", login(here.unwrap_or("/"))), home()],
            ),
            SiteError::SignInNeeded => (
                "Please sign in",
                "You are not signed in, or your sign-in has ended.",
                vec![way("Sign in", login(here.unwrap_or("/"))), home()],
            ),
            SiteError::UnknownLogin { cookie: true } => (
                "Please sign in again",
                "This sign-in was already used, took too long, or was started in another browser. Nothing was changed.",
                vec![way("Sign in again", "/login"), home()],
            ),
            SiteError::UnknownLogin { cookie: false } => (
                "Please sign in again",
                "Your browser did not send this app's cookie. If it blocks cookies, allow them for this address; \
                 otherwise the sign-in was started in another browser or took too long.",
                vec![way("Sign in again", "/login"), home()],
            ),
            SiteError::WrongIssuer | SiteError::AmbiguousCallback(_) => (
                "This sign-in was stopped",
                "The answer to your sign-in did not come in the way it must, so it was not used. Please start again \
                 from here.",
                vec![way("Sign in again", "/login"), home()],
            ),
            SiteError::Denied { target } => (
                "You did not allow access",
                "This app shows you the API's data in your name, so it needs your permission. Nothing was changed.",
                vec![way("Try again", login(target)), home()],
            ),
            SiteError::SignInRefused { code, target } => {
                detail = Some(format!("The authorization server's error code: {code}"));
                (
                    "You could not be signed in",
                    "The sign-in service refused this app's request. Trying again may help; if not, tell whoever runs \
                     this app and name the request below.",
                    vec![way("Try again", login(target)), home()],
                )
            }
            SiteError::CodeRefused { target } => (
                "Please sign in again",
                "The sign-in took too long to finish.",
                vec![way("Sign in again", login(target)), home()],
            ),
            SiteError::SignInUnavailable { target, .. } => (
                "Sign-in is not available right now",
                "The sign-in service does not answer. This is checked again with every try; nothing was lost.",
                vec![
                    match target {
                        Some(target) => way("Try again", login(target)),
                        None => again("Try again"),
                    },
                    home(),
                ],
            ),
            SiteError::TokensUnusable(reason) => {
                detail = Some(format!("The token answer was not used: {reason}."));
                (
                    "You could not be signed in",
                    "The sign-in service gave an answer this app can't use. If it happens again, tell whoever runs \
                     this app and name the request below.",
                    vec![way("Sign in again", "/login"), home()],
                )
            }
            SiteError::Misconfigured(_) => (
                "This app is not set up correctly",
                "There is a configuration fault between this app and its services. You can't mend it from here: tell \
                 whoever runs this app and name the request below.",
                vec![again("Try again"), home()],
            ),
            SiteError::ApiUnavailable { .. } if posted => (
                "It is not certain that this was saved",
                "The API did not answer in time. Look whether your change is there before you send it again; your \
                 browser's Back button leads to what you entered.",
                vec![again("Try again"), home()],
            ),
            SiteError::ApiUnavailable { .. } => (
                "The data is not available right now",
                "The API does not answer. You stay signed in, and nothing was lost.",
                vec![again("Try again"), home()],
            ),
            SiteError::ApiRefusesToken(_) => (
                "The API does not accept your sign-in",
                "Your sign-in was renewed, and the API still refuses it. Signing in again may help.",
                vec![way("Sign in again", login(here.unwrap_or("/"))), home()],
            ),
            SiteError::ApiUnusable(reason) => {
                detail = Some(reason.clone());
                (
                    "The API's answer can't be shown",
                    "The API gave an answer this app does not understand.",
                    vec![again("Try again"), home()],
                )
            }
            SiteError::MissingScope(scopes) => {
                let names: Vec<&str> = scopes.iter().collect();
                detail = (!names.is_empty()).then(|| format!("Needed: {}", names.join(", ")));
                (
                    "Your permission does not reach this far",
                    "When you signed in, this app was not given the permission that this page needs. Sign in again to \
                     give it, if your account may.",
                    vec![way("Sign in again", login(here.unwrap_or("/"))), home()],
                )
            }
            SiteError::Forbidden => {
                ("You may not do this", "Your account is not allowed to do this in the API.", vec![home()])
            }
            SiteError::ApiRefuses { message, .. } => {
                detail = Some(message.clone());
                ("The API refuses this", "Nothing was changed.", vec![again("Try again"), home()])
            }
            SiteError::NotFound => ("Not found", "There is nothing at this address, or not any more.", vec![home()]),
            SiteError::Forged(_) => (
                "This form could not be accepted",
                "It was opened before your last sign-in, or it does not come from this app. Nothing was changed: go \
                 back, load the page again and repeat what you did.",
                vec![home()],
            ),
            SiteError::BadRequest(reason) => {
                detail = Some(reason.clone());
                ("This request can't be understood", "Something in it is not as it must be.", vec![home()])
            }
            SiteError::TooLarge => (
                "This is too much for one form",
                "A form may hold 64 KiB in all. Larger documents can be changed through the API itself.",
                vec![home()],
            ),
            SiteError::Store(_) => (
                "This app is not available right now",
                "It can't reach its store. Please try again in a moment.",
                vec![again("Try again"), home()],
            ),
        };
        Message { title, message: message.to_owned(), detail, ways }
    }

    fn log(&self) {
        match self {
            SiteError::Misconfigured(_) | SiteError::Store(_) => log::error!("{self}"),
            SiteError::SignInNeeded | SiteError::NotFound | SiteError::Denied { .. } => log::debug!("{self}"),
            _ => log::warn!("{self}"),
        }
    }
}

/// Whether a script asks rather than a person (E-046).
pub fn is_script_call(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match header("sec-fetch-mode") {
        Some(mode) => mode != "navigate",
        None => header(ACCEPT.as_str()).is_some_and(|accept| accept.contains("json") && !accept.contains("text/html")),
    }
}

/// A redirect after which the browser GETs `location`; nothing of it is kept or told to others (A-042, E-020).
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// Middleware: gives every failure its page.
pub async fn pages(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let failure = response.response().error().and_then(|error| error.as_error::<SiteError>());
    if failure.is_none() && status != StatusCode::METHOD_NOT_ALLOWED {
        return Ok(response);
    }
    let request = response.request();
    let Some(app) = request.app_data::<Data<App>>() else { return Ok(response) };
    let page = match failure {
        Some(error) => {
            error.log();
            failure_response(app, request, error)
        }
        None => {
            let message = Message {
                title: "Not possible here",
                message: "This address does not take that kind of request.".to_owned(),
                detail: None,
                ways: vec![way("Go to the start page", "/")],
            };
            let mut page = app.page(status, "message.html", message);
            if let Some(allowed) = response.headers().get(ALLOW) {
                page.headers_mut().insert(ALLOW, allowed.clone());
            }
            page
        }
    };
    Ok(response.into_response(page))
}

fn failure_response(app: &App, request: &HttpRequest, error: &SiteError) -> HttpResponse {
    let posted = !matches!(*request.method(), Method::GET | Method::HEAD);
    let here = match request.path() {
        // The one is worth nothing a second time, the other has no page.
        "/callback" | "/logout" => None,
        // Other forms stand where they are posted to.
        path if posted => Some(path),
        path => Some(request.uri().path_and_query().map_or(path, |path| path.as_str())),
    };
    if matches!(error, SiteError::SignInNeeded) {
        if is_script_call(request) {
            return HttpResponse::Unauthorized()
                .insert_header((CACHE_CONTROL, "no-store"))
                .json(serde_json::json!({ "error": "login_required" }));
        }
        if let (Some(here), false) = (here, posted) {
            return see_other(&login(here));
        }
    }
    let mut response = app.page(error.status_code(), "message.html", error.page(here, posted));
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
