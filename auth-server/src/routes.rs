//! Every URL of the service.

use actix_web::{HttpResponse, Resource, web};

use crate::app::App;
use crate::authorize::{self, consent};
use crate::error::OAuthError;
use crate::{account, discovery, home, introspect, login, logout, management, revoke, token};

/// All routes, below the issuer's path and the configured prefix.
pub fn configure(app: web::Data<App>) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    move |service| {
        let (root, issuer_path) = (app.config.root(), app.config.issuer.path().to_owned());
        service.app_data(app.clone());
        service.service(machine_get(
            &format!("/.well-known/oauth-authorization-server{issuer_path}"),
            web::get().to(discovery::endpoint),
        ));
        for (name, route) in [
            ("/token", web::post().to(token::endpoint)),
            ("/introspect", web::post().to(introspect::endpoint)),
            ("/revoke", web::post().to(revoke::endpoint)),
        ] {
            service.service(machine_post(&format!("{root}{name}"), route));
            service.service(web::resource(format!("{root}{name}/{{below}}*")).to(not_found));
        }
        if !root.is_empty() {
            for path in ["/", root.as_str()] {
                service.service(web::resource(path).get(home::lead_home).default_service(web::to(home::only_get)));
            }
        }
        pages(service, &root, &app.pages.style_path());
        service.default_service(web::to(home::not_found));
    }
}

/// What people see.
fn pages(service: &mut web::ServiceConfig, root: &str, style: &str) {
    let page = |path: &str| web::resource(format!("{root}{path}")).default_service(web::to(home::only_get));
    let form = |path: &str| web::resource(format!("{root}{path}")).default_service(web::to(home::only_get_or_post));
    service
        .service(page("/").get(home::show))
        .service(web::resource(style).get(home::style).default_service(web::to(home::only_get)))
        .service(form("/authorize").get(authorize::get).post(authorize::post))
        .service(page("/authorize/continue").get(authorize::go_on))
        .service(form("/login").get(login::show).post(login::submit))
        .service(form("/consent").get(consent::show).post(consent::submit))
        .service(form("/logout").get(logout::show).post(logout::submit))
        .service(form("/account/password").get(account::password::show).post(account::password::submit))
        .service(page("/management").get(management::overview))
        .service(form("/management/users").get(management::users::list).post(management::users::create))
        .service(page("/management/users/new").get(management::users::new))
        .service(form("/management/clients").get(management::clients::list).post(management::clients::create))
        .service(page("/management/clients/new").get(management::clients::new))
        .service(page("/management/scopes").get(management::scopes));
}

/// POST only; anything else is told so in JSON (X-008, B-005).
fn machine_post(path: &str, route: actix_web::Route) -> Resource {
    web::resource(path).route(route).default_service(web::to(|| async { only("POST") }))
}

fn machine_get(path: &str, route: actix_web::Route) -> Resource {
    web::resource(path).route(route).default_service(web::to(|| async { only("GET") }))
}

fn only(allow: &'static str) -> Result<HttpResponse, OAuthError> {
    Err(OAuthError::Method { allow })
}

async fn not_found() -> Result<HttpResponse, OAuthError> {
    Err(OAuthError::NotFound)
}
