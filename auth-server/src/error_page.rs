//! What people see when something can't go on (group G): what happened, what to do next, a way on, and a reference for
//! whoever they ask.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use shared::form::{ParameterError, encode};
use shared::page::Policy;
use shared::session::Forged;
use shared::store::StoreError;

use crate::app::App;
use crate::authorize::request::PageFault;
use crate::authorize::respond::see_other;
use crate::client::Client;
use crate::form::FormError;
use crate::throttle::{Crowded, WINDOW};
use crate::users::AuthenticateError;

/// Where a page leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WayOn {
    pub href: String,
    pub label: String,
}

impl WayOn {
    /// Back to an application, if it told where it lives.
    pub fn to(client: &Client) -> Option<Self> {
        Some(Self { href: client.uri.clone()?, label: format!("Back to {}", client.name) })
    }

    fn again_at(client: &Client) -> Option<Self> {
        Some(Self { href: client.uri.clone()?, label: format!("Start again at {}", client.name) })
    }
}

/// A page instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The application's fault.
    #[error("{0}")]
    Application(#[from] PageFault),
    /// The transaction is unknown, expired, or belongs to another browser.
    #[error("no such transaction in this browser")]
    NoTransaction(Option<Arc<Client>>),
    /// It was answered before.
    #[error("the transaction was answered before")]
    Answered(Arc<Client>),
    /// A form another site made, or one that outlived its session.
    #[error("{0}")]
    Forged(#[from] Forged),
    #[error("the browser sent no cookie")]
    NoCookie,
    /// Not a fault yet: the way there leads over the login page and back to this path of ours (H-001).
    #[error("sign-in is needed")]
    SignInFirst(String),
    /// As [`PageError::SignInFirst`], by way of a new password (F-014).
    #[error("a new password is needed")]
    NewPasswordFirst(String),
    #[error("an admin's page")]
    NotAdmin,
    /// The link is not one of ours, was used, is too old, or is not needed any more (H-002).
    #[error("a setup link that opens nothing")]
    NoSetup,
    #[error("no such page")]
    NotFound,
    /// What is allowed, as the `Allow` header says it.
    #[error("only {0} is allowed here")]
    MethodNotAllowed(&'static str),
    #[error("the form can't be read: {0}")]
    Unreadable(FormError),
    /// Too many sign-ins were opened from this network, and each of them is kept for a while.
    #[error(transparent)]
    Crowded(#[from] Crowded),
    /// Try again later.
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Failed(String),
}

impl From<FormError> for PageError {
    fn from(error: FormError) -> Self {
        PageError::Unreadable(error)
    }
}

impl From<ParameterError> for PageError {
    fn from(error: ParameterError) -> Self {
        PageError::Unreadable(error.into())
    }
}

impl From<AuthenticateError> for PageError {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Store(error) => error.into(),
            AuthenticateError::Busy(busy) => PageError::Unavailable(busy.to_string()),
        }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Deadline => PageError::Unavailable(error.to_string()),
            StoreError::Conflict { .. } | StoreError::Refused(_) | StoreError::TooLarge | StoreError::Corrupt(_) => {
                PageError::Failed(error.to_string())
            }
        }
    }
}

/// After which time an overload is worth another try.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Shown {
    title: &'static str,
    message: String,
    advice: &'static str,
    detail: Option<String>,
    ways: Vec<WayOn>,
}

impl PageError {
    pub fn status(&self) -> StatusCode {
        match self {
            PageError::Application(_) | PageError::NoTransaction(_) | PageError::Answered(_) | PageError::NoCookie => {
                StatusCode::BAD_REQUEST
            }
            PageError::SignInFirst(_) | PageError::NewPasswordFirst(_) => StatusCode::SEE_OTHER,
            PageError::Forged(_) | PageError::NotAdmin => StatusCode::FORBIDDEN,
            PageError::NotFound | PageError::NoSetup => StatusCode::NOT_FOUND,
            PageError::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            PageError::Unreadable(FormError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            PageError::Unreadable(_) => StatusCode::BAD_REQUEST,
            PageError::Crowded(_) => StatusCode::TOO_MANY_REQUESTS,
            PageError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            PageError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The page. Needs no store (G-002).
    pub fn respond(self, app: &App) -> HttpResponse {
        if let PageError::SignInFirst(next) = &self {
            return see_other(&format!("{}/login?next={}", app.config.root(), encode(next)));
        }
        if let PageError::NewPasswordFirst(next) = &self {
            return see_other(&format!("{}/account/password?next={}", app.config.root(), encode(next)));
        }
        let status = self.status();
        if status.is_server_error() {
            log::error!("{self}");
        } else {
            log::info!("refused with a page: {self}");
        }
        let mut shown = self.shown();
        if matches!(self, PageError::NotAdmin) {
            let href = format!("{}/logout", app.config.root());
            shown.ways.push(WayOn { href, label: "Sign out to use another account".to_owned() });
        }
        if shown.ways.is_empty() {
            shown
                .ways
                .push(WayOn { href: format!("{}/", app.config.root()), label: "Go to the start page".to_owned() });
        }
        let mut response = app.pages.respond(status, "error.html", &shown, &Policy::default());
        if let PageError::MethodNotAllowed(allow) = &self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        let retry_after = match self {
            PageError::Unavailable(_) => Some(RETRY),
            PageError::Crowded(_) => Some(WINDOW),
            _ => None,
        };
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
        }
        response
    }

    fn shown(&self) -> Shown {
        let page = |title, message: &str, advice| Shown {
            title,
            message: message.to_owned(),
            advice,
            detail: None,
            ways: Vec::new(),
        };
        match self {
            PageError::Application(fault) => Shown {
                detail: Some(fault.to_string()),
                ..page(
                    "This app's request is not valid",
                    "The app that sent you here made a mistake, so it can't be trusted with your sign-in.",
                    "You did nothing wrong. Go back to the app and try again; if it happens again, tell its maker.",
                )
            },
            PageError::NoTransaction(client) => Shown {
                ways: client.as_deref().and_then(WayOn::again_at).into_iter().collect(),
                ..page(
                    "This sign-in can't go on",
                    "It took too long, or it was begun in another browser or window.",
                    "Go back to the app you came from and sign in again.",
                )
            },
            PageError::Answered(client) => Shown {
                ways: WayOn::to(client).into_iter().collect(),
                ..page(
                    "This was already answered",
                    "You have already answered this request, and an answer counts once.",
                    "Go back to the app. If it still asks you to sign in, start there again.",
                )
            },
            PageError::Forged(Forged::CrossSite) => page(
                "This request came from another site",
                "Another web site tried to send this form in your name. Nothing was done.",
                "If you meant to do it, open the page here and try again.",
            ),
            PageError::Forged(Forged::Token) => page(
                "This form is no longer valid",
                "It was opened a while ago, or in a session that has ended. Nothing was done.",
                "Open the page again and repeat what you wanted to do.",
            ),
            PageError::NoCookie => page(
                "Your browser blocks this site's cookies",
                "Signing in needs one cookie, which holds nothing but a random number for this session.",
                "Allow cookies for this site, then go back to the app and sign in again. If you opened this address from \
                 another browser, start in this one.",
            ),
            PageError::NotAdmin | PageError::SignInFirst(_) | PageError::NewPasswordFirst(_) => page(
                "This page is for administrators",
                "You are signed in, but your account does not have the role admin.",
                "Ask an administrator for the role, or sign in with another account.",
            ),
            PageError::NoSetup => page(
                "This setup link opens nothing",
                "It was used, it is older than an hour, or a newer one was printed since.",
                "If there is no admin yet, start the server again: it prints a new link.",
            ),
            PageError::NotFound => {
                page("There is no such page", "The address may be mistyped, or the page has moved.", "")
            }
            PageError::MethodNotAllowed(_) => page(
                "This page can't be used that way",
                "The address exists, but not for this kind of request.",
                "Open it from the page that links to it.",
            ),
            PageError::Unreadable(FormError::TooLarge) => page(
                "That is too much",
                "What was sent is larger than this page accepts. Nothing was done.",
                "Open the page again and send less.",
            ),
            PageError::Unreadable(fault) => Shown {
                detail: Some(fault.to_string()),
                ..page(
                    "The form can't be read",
                    "What your browser sent is damaged. Nothing was done.",
                    "Open the page again and repeat what you wanted to do.",
                )
            },
            PageError::Crowded(_) => page(
                "Too many sign-ins were opened",
                "So many sign-ins were opened from your network within a minute that this one has to wait.",
                "Try again in a minute.",
            ),
            PageError::Unavailable(_) => page(
                "Please try again in a moment",
                "The service is busy or can't reach its data right now.",
                "Reload this page in a few seconds.",
            ),
            PageError::Failed(_) => page(
                "Something went wrong here",
                "This is our fault, not yours.",
                "Try again. If it happens again, give the reference below to whoever runs this service.",
            ),
        }
    }
}
