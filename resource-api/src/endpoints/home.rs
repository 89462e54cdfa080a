//! The home page: links to all resources (HOME-01 to HOME-04).

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse};

use super::reply::set_cache;
use crate::app::App;
use crate::auth::Caller;
use crate::error::is_pretty;
use crate::representation::json::write_string;
use crate::routes::shown;

/// Eve's clients look for its name and version (HOME-04).
const SERVER: &str = "{\"server\": \"Eve\", \"version\": \"2.3.1\"";

pub fn get(app: &App, request: &HttpRequest, caller: &Caller) -> HttpResponse {
    let settings = &app.domain.settings;
    let mut out = vec![b'{'];
    if let Some(name) = &settings.info {
        write_string(name, &mut out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(SERVER.as_bytes());
        if !settings.api_version.is_empty() {
            out.extend_from_slice(b", \"api_version\": ");
            write_string(&settings.api_version, &mut out);
        }
        out.push(b'}');
    }
    if settings.hateoas {
        if out.len() > 1 {
            out.extend_from_slice(b", ");
        }
        write_string(&settings.names.links, &mut out);
        out.extend_from_slice(b": {\"child\": [");
        let resources = app.domain.resources.values().filter(|resource| !resource.internal);
        let schemas = settings.schema_endpoint.iter().map(|path| (path.clone(), path.as_str()));
        let children = resources.map(|resource| (shown(resource.url.trim_matches('/')), resource.title.as_str()));
        for (index, (href, title)) in children.chain(schemas).enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"href\": " } else { b", {\"href\": " });
            write_string(&href, &mut out);
            out.extend_from_slice(b", \"title\": ");
            write_string(title, &mut out);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b'}');
    answer(app, request, caller, out)
}

/// Pages that belong to no resource have the global cache headers (RESP-07).
pub fn answer(app: &App, request: &HttpRequest, caller: &Caller, body: Vec<u8>) -> HttpResponse {
    let settings = &app.domain.settings;
    let mut response = HttpResponse::Ok();
    set_cache(&mut response, &settings.cache_control, settings.cache_expires, caller.token.is_some());
    response.insert_header((CONTENT_TYPE, "application/json")).body(app.lay_out(body, is_pretty(request)))
}
