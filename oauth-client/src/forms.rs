//! Posted forms, and what happens to one whose sign-in ended meanwhile (E-046).

use std::pin::Pin;

use actix_web::cookie::Cookie;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use serde::Serialize;
use shared::expiring::Applied;
use shared::form::{ParameterError, Parameters};
use shared::session::{Saved, Session, check_origin};
use shared::store::StoreError;

use crate::account::{KeptForm, Visitor};
use crate::app::App;
use crate::error::{SiteError, is_script_call};

/// Largest form that is read, in bytes.
pub const LARGEST: usize = 64 * 1024;
/// How often a change of a browser's pre-login session is tried again when another tab was faster.
const TRIES: usize = 16;

/// The fields of a form post.
pub struct PostedForm(pub Parameters);

impl FromRequest for PostedForm {
    type Error = SiteError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, SiteError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let mut payload = payload.take();
        Box::pin(async move {
            if !is_form {
                return Err(SiteError::BadRequest("it is not a form".to_owned()));
            }
            let mut body = Vec::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| SiteError::BadRequest("its body is cut off".to_owned()))?;
                if body.len() + chunk.len() > LARGEST {
                    return Err(SiteError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Self(Parameters::parse(&body)?))
        })
    }
}

impl From<ParameterError> for SiteError {
    fn from(error: ParameterError) -> Self {
        SiteError::BadRequest(error.to_string())
    }
}

/// Changes what this browser's pre-login session holds, making one where there is none; its cookie is for the response.
pub async fn change_visitor(
    app: &App,
    request: &HttpRequest,
    mut change: impl FnMut(&mut Visitor),
) -> Result<Option<Cookie<'static>>, SiteError> {
    for _ in 0..TRIES {
        let Some(mut session) = app.visitors.load(request).await? else {
            let mut visitor = Visitor::default();
            change(&mut visitor);
            let (_, cookie, op) = app.visitors.create_op(|id| app.vault.seal(id, &visitor), Vec::new())?;
            return match app.store.apply(vec![op]).await? {
                Applied::Done => Ok(Some(cookie)),
                Applied::Refused { .. } => Err(StoreError::Corrupt("a new session id was taken".to_owned()).into()),
            };
        };
        let mut visitor = app.visitor(&session);
        change(&mut visitor);
        if save_visitor(app, &mut session, &visitor).await? == Saved::Done {
            return Ok(None);
        }
    }
    Err(StoreError::Unavailable("a pre-login session changes too often".to_owned()).into())
}

/// Writes a pre-login session, if it is still as it was read.
pub async fn save_visitor(app: &App, session: &mut Session<String>, visitor: &Visitor) -> Result<Saved, StoreError> {
    session.data = app.vault.seal(session.id(), visitor);
    app.visitors.save(session).await
}

/// Keeps the form in this browser and offers to sign in and go on with it (E-046). Where no session vouches for the form
/// (`proved` is false), the browser itself must say that this app's own page sent it.
pub async fn keep(
    app: &App,
    request: &HttpRequest,
    form: &Parameters,
    proved: bool,
) -> Result<HttpResponse, SiteError> {
    #[derive(Serialize)]
    struct Kept<'a> {
        target: &'a str,
    }
    check_origin(request)?;
    // A script has its form still, and could make nothing of a page.
    if is_script_call(request) || (!proved && !request.headers().contains_key("sec-fetch-site")) {
        return Err(SiteError::SignInNeeded);
    }
    // A form of nobody known can't be told from another's after the next sign-in (E-048).
    let person = form.one("person").ok().flatten();
    let person = person.and_then(|sealed| app.vault.open_person(app.provider.issuer(), sealed));
    let person = person.ok_or(SiteError::SignInNeeded)?;
    let fields = form.iter().filter(|(name, _)| !matches!(*name, "csrf" | "person"));
    let kept = KeptForm {
        person,
        path: request.path().to_owned(),
        fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    };
    let cookie = change_visitor(app, request, |visitor| visitor.kept = Some(kept.clone())).await?;
    let mut response = app.page(StatusCode::UNAUTHORIZED, "kept.html", Kept { target: request.path() });
    if let Some(cookie) = cookie {
        response
            .add_cookie(&cookie)
            .map_err(|error| StoreError::Corrupt(format!("a cookie can't be written: {error}")))?;
    }
    Ok(response)
}
