//! Destroying something needs a password that was given within five minutes (H-007): an older one is asked for, and what was
//! posted goes on with it.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use shared::Secret;
use shared::clock;
use shared::form::Parameters;
use shared::session::Forged;

use super::{Admin, Instead};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::browser::SignIn;
use crate::sign_in::{self, By, Marks};
use crate::users::AuthenticateError;

/// In seconds.
const FRESH: i64 = 300;
/// The field that the password comes in.
const PASSWORD: &str = "own_password";
const WRONG: &str = "This is not your password.";

#[derive(Serialize)]
struct Proof<'a> {
    action: &'a str,
    /// What was posted, to be posted again.
    fields: Vec<(&'a str, &'a str)>,
    error: &'a str,
}

impl Admin {
    /// Whether the password was given within five minutes.
    pub fn is_fresh(&self) -> bool {
        let given = self.visitor.session.data.signed_in.as_ref().map(|signed_in| signed_in.auth_time);
        given.is_some_and(|given| clock::now() - given < FRESH)
    }

    /// Goes on if the password was given a short time ago, or comes with this form; otherwise asks for it. A password that
    /// is right begins a new session (F-051).
    pub async fn prove(self, app: &App, request: &HttpRequest, fields: &Parameters) -> Result<Self, Instead> {
        if self.is_fresh() {
            return Ok(self);
        }
        let Some(password) = fields.one(PASSWORD)? else {
            return Err(Instead::page(self.ask(app, request, fields, StatusCode::UNAUTHORIZED, "")));
        };
        let by = By::Page(&Marks::of(app, request));
        let name = self.user.username.clone();
        let checked = sign_in::check(app, &self.visitor.origin, by, &name, Secret::new(password)).await;
        let user = match checked {
            Ok(sign_in::Answer::Accepted { user, .. }) => user,
            Ok(sign_in::Answer::Refused) => {
                return Err(Instead::page(self.ask(app, request, fields, StatusCode::UNAUTHORIZED, WRONG)));
            }
            Ok(sign_in::Answer::Throttled { retry_after }) => {
                let told = sign_in::throttled_message(retry_after);
                let mut page = self.ask(app, request, fields, StatusCode::TOO_MANY_REQUESTS, &told);
                page.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().max(1).into());
                return Err(Instead::page(page));
            }
            Err(AuthenticateError::Busy(busy)) => {
                return Err(crate::error_page::PageError::Unavailable(busy.to_string()).into());
            }
            Err(AuthenticateError::Store(error)) => return Err(error.into()),
        };
        let SignIn::Done(visitor) = self.visitor.sign_in(app, user).await? else {
            return Err(Forged::Token.into());
        };
        let admin = Self::of(visitor, format!("{}/management", app.config.root()))?;
        let event = Event::new(EventKind::LoginSucceeded).own(&admin.user.id).sent_from(&admin.visitor.origin);
        app.audit.note(event.reason("reauthentication")).await;
        Ok(admin)
    }

    fn ask(
        &self,
        app: &App,
        request: &HttpRequest,
        fields: &Parameters,
        status: StatusCode,
        error: &str,
    ) -> HttpResponse {
        let posted = fields.iter().filter(|(name, _)| !matches!(*name, "csrf" | "account" | PASSWORD)).collect();
        let proof = Proof { action: request.path(), fields: posted, error };
        let mut page = self.page(app, status, "", "management_prove.html", proof);
        if status == StatusCode::UNAUTHORIZED {
            // The field belongs to this status (RFC 9110 15.5.2); no browser opens a prompt for this scheme.
            page.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Form realm=\"console\""));
        }
        page
    }
}
