//! The schemas of all resources a caller may read, and of one (HOME-05, HOME-06).

use actix_web::{HttpRequest, HttpResponse};

use super::home::answer;
use crate::app::App;
use crate::auth::{Caller, Place};
use crate::domain::Method;
use crate::error::ApiError;
use crate::representation::json::write_string;

pub fn list(app: &App, request: &HttpRequest, caller: &Caller) -> HttpResponse {
    let mut out = vec![b'{'];
    for resource in app.domain.resources.values().filter(|resource| !resource.internal) {
        if !app.gate.permits(caller, Method::Get, Place::Collection(resource)) {
            continue;
        }
        if out.len() > 1 {
            out.extend_from_slice(b", ");
        }
        write_string(&resource.key, &mut out);
        out.extend_from_slice(b": ");
        app.style().write_document(&resource.written_schema, &mut out);
    }
    out.push(b'}');
    answer(app, request, caller, out)
}

pub async fn get(app: &App, request: &HttpRequest, key: &str) -> Result<HttpResponse, ApiError> {
    let resource = app.domain.resource(key).filter(|resource| !resource.internal).ok_or(ApiError::Missing)?;
    let caller = app.gate.enter(request, Method::Get, Place::Collection(resource)).await?;
    let mut out = Vec::with_capacity(1024);
    app.style().write_document(&resource.written_schema, &mut out);
    Ok(answer(app, request, &caller, out))
}
