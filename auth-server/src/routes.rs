//! Every URL of the service.

use actix_web::{HttpResponse, Resource, Route, guard, web};

use crate::app::App;
use crate::authorize::{self, consent};
use crate::error::OAuthError;
use crate::revocations::stream;
use crate::{account, discovery, home, introspect, login, logout, management, revoke, setup, token};

/// What a listener serves (H-015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    All,
    /// Without the console.
    Public,
    /// The console, and the pages on which an admin signs in and looks after his own account.
    Console,
}

/// The routes of a listener, below the issuer's path and the configured prefix.
pub fn configure(app: web::Data<App>, part: Part) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    move |service| {
        let (root, issuer_path) = (app.config.root(), app.config.issuer.path().to_owned());
        service.app_data(app.clone());
        if part != Part::Console {
            machines(service, &root, &issuer_path);
        }
        if !root.is_empty() {
            for path in ["/", root.as_str()] {
                service.service(web::resource(path).get(home::lead_home).default_service(web::to(home::only_get)));
            }
        }
        pages(service, &root, &app.pages.style_path());
        if part != Part::Public {
            console(service, &root);
        }
        // Patterns come last: routes are tried in order, and each of these costs more than all plain paths together.
        if part != Part::Console {
            for name in ["/introspect", "/token", "/revoke"] {
                service.service(web::resource(format!("{root}{name}/{{below}}*")).to(not_found));
            }
        }
        service.default_service(web::to(home::not_found));
    }
}

/// What clients and resource servers call.
fn machines(service: &mut web::ServiceConfig, root: &str, issuer_path: &str) {
    service.service(
        web::resource(format!("/.well-known/oauth-authorization-server{issuer_path}"))
            .route(web::get().to(discovery::endpoint))
            .route(web::head().to(discovery::endpoint))
            .default_service(web::to(|| async { only("GET, HEAD") })),
    );
    for (name, route) in [
        ("/introspect", web::post().to(introspect::endpoint)),
        ("/token", web::post().to(token::endpoint)),
        ("/revoke", web::post().to(revoke::endpoint)),
        ("/revocations", web::post().to(stream::endpoint)),
    ] {
        service.service(machine_post(&format!("{root}{name}"), route));
    }
}

/// What admins see, and whoever becomes the first (H-002).
fn console(service: &mut web::ServiceConfig, root: &str) {
    let read = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    service
        .service(
            web::resource(format!("{root}/setup"))
                .route(read.to(setup::show))
                .route(web::post().to(setup::submit))
                .default_service(web::to(home::only_get_or_post)),
        )
        .service(management::scope(&format!("{root}/management")));
}

/// What people see.
fn pages(service: &mut web::ServiceConfig, root: &str, style: &str) {
    let at = |path: &str| web::resource(format!("{root}{path}"));
    // Whoever may GET may ask by HEAD (RFC 9110 9.1).
    let read = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    let page = |path: &str, show: Route| at(path).route(show).default_service(web::to(home::only_get));
    let form = |path: &str, show: Route, submit: Route| {
        at(path).route(show).route(submit).default_service(web::to(home::only_get_or_post))
    };
    let post = |path: &str, submit: Route| at(path).route(submit).default_service(web::to(home::only_post));
    service
        .service(page("/", read().to(home::show)))
        .service(web::resource(style).route(read().to(home::style)).default_service(web::to(home::only_get)))
        .service(form("/authorize", read().to(authorize::get), web::post().to(authorize::post)))
        .service(page("/authorize/continue", read().to(authorize::go_on)))
        .service(form("/login", read().to(login::show), web::post().to(login::submit)))
        .service(form("/consent", read().to(consent::show), web::post().to(consent::submit)))
        .service(form("/logout", read().to(logout::show), web::post().to(logout::submit)))
        .service(page("/account", read().to(account::overview::show)))
        .service(post("/account/notices", web::post().to(account::overview::dismiss)))
        .service(form(
            "/account/sessions",
            read().to(account::sessions::show),
            web::post().to(account::sessions::submit),
        ))
        .service(form("/account/apps", read().to(account::apps::show), web::post().to(account::apps::submit)))
        .service(form(
            "/account/password",
            read().to(account::password::show),
            web::post().to(account::password::submit),
        ));
}

/// POST only; anything else is told so in JSON (X-008, B-005).
fn machine_post(path: &str, route: Route) -> Resource {
    web::resource(path).route(route).default_service(web::to(|| async { only("POST") }))
}

fn only(allow: &'static str) -> Result<HttpResponse, OAuthError> {
    Err(OAuthError::Method { allow })
}

async fn not_found() -> Result<HttpResponse, OAuthError> {
    Err(OAuthError::NotFound)
}
