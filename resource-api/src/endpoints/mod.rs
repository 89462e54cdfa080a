//! What happens at each kind of URL. `endpoint` is the one way in: method override, route, gate, then the endpoint.
//!
//! A new kind of URL is a variant of [`Target`], an arm in `serve` and a file here.

mod collection;
mod context;
mod cors;
mod create;
mod home;
mod hooked;
mod idempotency;
mod insertion;
mod item;
mod item_writes;
mod jsonp;
mod limits;
mod multipart;
pub mod payload;
pub mod reply;
mod rules;
mod schemas;

pub use idempotency::{IdempotencyError, InFlight};
pub use insertion::Insertion;
pub use rules::{Settled, Vacancy, late_duplicate, may_need_vacancies, values_at};

use std::borrow::Cow;

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use shared::metrics::MatchedRoute;

use crate::app::App;
use crate::auth::Place;
use crate::domain::Method;
use crate::error::ApiError;
use crate::routes::{Action, Target};
use context::Context;

const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// Every request of the API.
pub async fn endpoint(app: web::Data<App>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let name = method(&app, &request);
    let action = Action::from_name(&name);
    let (answered, callback) = match jsonp::callback(&app.domain.settings, &request) {
        Ok(callback) => (serve(&app, &request, payload, &name, action).await, callback),
        Err(error) => (Err(error), None),
    };
    let (mut response, failed) = match answered {
        Ok(response) => (response, false),
        Err(error) => {
            let read = matches!(action, Some(Action::Do(Method::Get)));
            (error.respond(&app, &request, read), !error.is_about_documents())
        }
    };
    if app.hooks.is_some() {
        response = hooked::answered(&app, &request, &name, failed, response);
    }
    if let Some(callback) = callback {
        response = jsonp::wrap(response, &callback);
    }
    cors::answer(&app, &request, &mut response);
    if app.rate_limits.is_some() {
        limits::tell(&request, &mut response);
    }
    // The server itself leaves out the body of a HEAD that was sent as one.
    if name == "HEAD" && request.method() != "HEAD" { response.drop_body().map_into_boxed_body() } else { response }
}

/// REQ-01: what is to be done, whatever the request's own method is.
fn method<'r>(app: &App, request: &'r HttpRequest) -> Cow<'r, str> {
    match request.headers().get(METHOD_OVERRIDE).filter(|_| app.domain.settings.allow_override_http_method) {
        Some(name) => name.to_str().unwrap_or_default().to_ascii_uppercase().into(),
        None => request.method().as_str().into(),
    }
}

async fn serve(
    app: &App,
    request: &HttpRequest,
    payload: web::Payload,
    name: &str,
    action: Option<Action>,
) -> Result<HttpResponse, ApiError> {
    let matched = app.router.find(action, request.uri().path())?;
    if app.metrics.are_on() {
        request.extensions_mut().insert(MatchedRoute(matched.route.pattern.clone()));
    }
    let Some(Action::Do(method)) = action else {
        // URL-14.
        let mut response = HttpResponse::Ok();
        response.insert_header((ALLOW, matched.route.allow.as_str()));
        return Ok(response.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(""));
    };
    match &matched.route.target {
        Target::Home => {
            let caller = limits::enter(app, request, name, method, Place::Home(&app.domain.settings)).await?;
            if app.hooks.is_some() {
                hooked::note(request, &caller, None);
            }
            Ok(home::get(app, request, &caller))
        }
        Target::Schemas => {
            let caller = app.gate.enter(request, method, Place::Home(&app.domain.settings)).await?;
            Ok(schemas::list(app, request, &caller))
        }
        Target::Schema => schemas::get(app, request, matched.values.first().map_or("", |value| &value.text)).await,
        Target::Collection(resource) => {
            let place = Place::Collection(resource);
            let caller = match method {
                // RATE-04.
                Method::Delete => app.gate.enter(request, method, place).await?,
                _ => limits::enter(app, request, name, method, place).await?,
            };
            let mut context = Context::new(app, request, resource, caller, method, &matched, None);
            context.enter().await?;
            match method {
                Method::Get => collection::list(&context).await,
                Method::Post => create::post(&context, payload).await,
                _ => collection::clear(&context).await,
            }
        }
        Target::Item { resource, field } => {
            let caller = limits::enter(app, request, name, method, Place::Item(resource)).await?;
            let mut context = Context::new(app, request, resource, caller, method, &matched, Some(field));
            context.enter().await?;
            match method {
                Method::Get => item::get(&context).await,
                Method::Patch => item_writes::patch(&context, payload).await,
                Method::Put => item_writes::put(&context, payload).await,
                _ => item_writes::delete(&context).await,
            }
        }
        Target::Lookup { resource, field } => {
            let caller = limits::enter(app, request, name, method, Place::Item(resource)).await?;
            let mut context = Context::new(app, request, resource, caller, method, &matched, Some(field));
            context.enter().await?;
            item::get(&context).await
        }
    }
}

/// The path that links begin with at an item: that of its collection (LINK-01). The item's own part may hold slashes.
fn resource_path<'p>(path: &'p str, item: &str) -> &'p str {
    path.strip_suffix(item).map_or(path, |path| path.trim_end_matches('/'))
}
