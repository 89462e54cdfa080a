//! Every URL of the app.

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpResponse, Route, guard};

use crate::app::App;
use crate::error::{self, SiteError};
use crate::{forms, login, resources, sign_out};

/// GET, and HEAD beside it.
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

pub fn configure(routes: &mut ServiceConfig, app: &Data<App>) {
    routes.app_data(app.clone()).app_data(PayloadConfig::new(forms::LARGEST)).service(
        web::scope("")
            .wrap(from_fn(error::pages))
            .service(web::resource("/").route(get().to(resources::home)))
            .service(web::resource("/login").route(web::get().to(login::start)))
            .service(web::resource("/callback").route(web::get().to(login::callback)))
            .service(web::resource("/missing-scope").route(get().to(login::missing_scope)))
            .service(web::resource("/logout").route(web::post().to(sign_out::sign_out)))
            .service(web::resource("/signed-out").route(get().to(sign_out::signed_out)))
            .service(web::resource("/data/{path:.+}").route(get().to(resources::show)))
            .service(
                web::resource("/new/{path:.+}")
                    .route(get().to(resources::new_form))
                    .route(web::post().to(resources::create)),
            )
            .service(
                web::resource("/edit/{path:.+}")
                    .route(get().to(resources::edit_form))
                    .route(web::post().to(resources::update)),
            )
            .service(
                web::resource("/delete/{path:.+}")
                    .route(get().to(resources::delete_form))
                    .route(web::post().to(resources::delete)),
            )
            .service(web::resource(app.style_path()).route(get().to(style)))
            .default_service(web::to(unknown)),
    );
}

async fn style(app: Data<App>) -> HttpResponse {
    app.style()
}

async fn unknown() -> Result<HttpResponse, SiteError> {
    Err(SiteError::NotFound)
}
