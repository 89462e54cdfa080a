//! Every URL of the console, below /management.

use actix_web::{Resource, Route, Scope, guard, web};

use super::{audit, clients, grants, overview, roles, scopes, users};
use crate::home;

/// The console; `path` is where it hangs. Plain paths before patterns.
pub fn scope(path: &str) -> Scope {
    web::scope(path)
        .service(page("", read().to(overview::show)))
        .service(form("/users", read().to(users::list), web::post().to(users::create)))
        .service(page("/users/new", read().to(users::new)))
        .service(form("/clients", read().to(clients::list), web::post().to(clients::create)))
        .service(page("/clients/new", read().to(clients::new)))
        .service(page("/roles", read().to(roles::list)))
        .service(form("/scopes", read().to(scopes::list), web::post().to(scopes::create)))
        .service(page("/scopes/new", read().to(scopes::new)))
        .service(form("/scopes/edit", read().to(scopes::edit), web::post().to(scopes::update)))
        .service(form("/scopes/delete", read().to(scopes::ask_to_delete), web::post().to(scopes::delete)))
        .service(page("/grants", read().to(grants::list)))
        .service(page("/audit", read().to(audit::list)))
        .service(page("/audit/export", read().to(audit::export)))
        .service(post("/grants/{id}", web::post().to(grants::revoke)))
        .service(page("/users/{id}", read().to(users::show)))
        .service(form("/users/{id}/edit", read().to(users::edit), web::post().to(users::update)))
        .service(post("/users/{id}/sessions/{session}", web::post().to(users::end_session)))
        .service(form("/users/{id}/{action}", read().to(users::ask), web::post().to(users::act)))
        .service(page("/clients/{id}", read().to(clients::show)))
        .service(form("/clients/{id}/edit", read().to(clients::edit), web::post().to(clients::update)))
        .service(form(
            "/clients/{id}/secrets/{secret}",
            read().to(clients::ask_to_retire),
            web::post().to(clients::retire),
        ))
        .service(form("/clients/{id}/{action}", read().to(clients::ask), web::post().to(clients::act)))
        .default_service(web::to(home::not_found))
}

/// Whoever may GET may ask by HEAD (RFC 9110 9.1).
fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn page(path: &str, show: Route) -> Resource {
    web::resource(path).route(show).default_service(web::to(home::only_get))
}

fn form(path: &str, show: Route, submit: Route) -> Resource {
    web::resource(path).route(show).route(submit).default_service(web::to(home::only_get_or_post))
}

fn post(path: &str, submit: Route) -> Resource {
    web::resource(path).route(submit).default_service(web::to(home::only_post))
}
