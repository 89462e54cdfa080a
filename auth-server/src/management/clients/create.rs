//! New clients.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::{Admin, answer};
use super::form::{self, ClientForm, Shown, by_field};
use super::{ClientLine, Credentials, weaknesses};
use crate::accounts::{self, NewClientFault};
use crate::app::App;
use crate::client_metadata::ClientMetadata;

/// GET /management/clients/new.
pub async fn new(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let form = ClientForm::from(&ClientMetadata::default());
        Ok(form::page(&app, &admin, StatusCode::OK, &form, Shown::default()).await?)
    })
    .await
}

/// POST /management/clients.
pub async fn create(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let form = ClientForm::read(&fields)?;
        let refuse = |shown| form::page(&app, &admin, StatusCode::BAD_REQUEST, &form, shown);
        let metadata = match form.metadata() {
            Ok(metadata) => metadata,
            Err(faults) => return Ok(refuse(Shown { faults, ..Shown::default() }).await?),
        };
        if let Ok(client) = metadata.clone().declare("c_".to_owned(), 0) {
            let confirm = weaknesses(&client);
            if !confirm.is_empty() && fields.one("confirm")?.is_none() {
                return Ok(refuse(Shown { confirm, ..Shown::default() }).await?);
            }
        }
        match accounts::create_client(&app, metadata, &admin.author()).await {
            Ok((client, secret)) => {
                let credentials = Credentials {
                    client: ClientLine::from(&client),
                    told: format!("{} is registered.", client.name),
                    secret: secret.map(|secret| secret.expose().to_owned()),
                    overlap: String::new(),
                };
                Ok(admin.show_credentials(&app, StatusCode::CREATED, credentials))
            }
            Err(NewClientFault::Metadata(list)) => {
                Ok(refuse(Shown { faults: by_field(list), ..Shown::default() }).await?)
            }
            Err(NewClientFault::Store(error)) => Err(error.into()),
        }
    })
    .await
}
