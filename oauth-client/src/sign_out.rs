//! Signing out (E-060, E-061, E-064).

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use shared::expiring::Applied;
use shared::session::check_origin;
use shared::store::StoreError;

use crate::app::App;
use crate::error::{SiteError, see_other};
use crate::forms::PostedForm;

/// `POST /logout`: the session ends and its tokens are queued for revocation in one write; then they are revoked.
pub async fn sign_out(app: Data<App>, request: HttpRequest, form: PostedForm) -> Result<HttpResponse, SiteError> {
    check_origin(&request)?;
    if let Some(session) = app.accounts.load(&request).await? {
        session.check_form(&request, &form.0)?;
        let mut steps = vec![app.accounts.end_op(&session)];
        // A login under way in another tab must not sign in again (E-061).
        if let Some(visitor) = app.visitors.load(&request).await? {
            steps.push(app.visitors.end_op(&visitor));
        }
        let mut queued = None;
        if let Some(tokens) = app.tokens(&session) {
            let (key, op) = app.revocations.queue(&tokens)?;
            steps.push(op);
            queued = Some((key, tokens));
        }
        match app.store.apply(steps).await? {
            Applied::Done => {}
            Applied::Refused { .. } => {
                return Err(StoreError::Corrupt("the id of a revocation was taken".to_owned()).into());
            }
        }
        if let Some((key, tokens)) = queued
            && let Err(error) = app.revocations.try_now(&app.provider, key, &tokens).await
        {
            log::warn!("a revocation stays queued: {error}");
        }
    }
    let mut response = see_other("/signed-out");
    // Another site's post carries no cookie (E-031), and must not make the browser forget one of a session that goes on.
    let carried = [app.accounts.expired_cookie(), app.visitors.expired_cookie()];
    for cookie in carried.into_iter().filter(|cookie| request.cookie(cookie.name()).is_some()) {
        response
            .add_cookie(&cookie)
            .map_err(|error| StoreError::Corrupt(format!("a cookie can't be written: {error}")))?;
    }
    Ok(response)
}

/// `GET /signed-out`.
pub async fn signed_out(app: Data<App>) -> HttpResponse {
    let mut response = app.page(StatusCode::OK, "signed_out.html", json!({}));
    response
        .headers_mut()
        .insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\", \"storage\""));
    response
}
