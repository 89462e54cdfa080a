//! Changed settings of a client.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::clock;

use super::super::{Admin, Answer, answer, version};
use super::form::{self, ClientForm, Shown, by_field};
use super::{ClientLine, Credentials, find, weaknesses};
use crate::accounts;
use crate::app::App;
use crate::client_metadata::ClientMetadata;
use crate::directory::Replaced;

/// GET /management/clients/{id}/edit.
pub async fn edit(app: web::Data<App>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let client = find(&app, &id).await?;
        let form = ClientForm::from(&ClientMetadata::from(&client));
        let shown = Shown { client: Some(&client), ..Shown::default() };
        Ok(form::page(&app, &admin, StatusCode::OK, &form, shown).await?)
    })
    .await
}

/// POST /management/clients/{id}/edit.
pub async fn update(
    app: web::Data<App>,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Payload,
) -> HttpResponse {
    answer(&app, try_update(&app, &request, &id, body)).await
}

async fn try_update(app: &App, request: &HttpRequest, id: &str, body: web::Payload) -> Answer {
    let (admin, fields) = Admin::posting(app, request, body).await?;
    let form = ClientForm::read(&fields)?;
    let before = find(app, id).await?;
    let with = |status, shown| form::page(app, &admin, status, &form, Shown { client: Some(&before), ..shown });
    if version(&fields)? != before.version {
        return Ok(with(StatusCode::CONFLICT, Shown { overtaken: true, ..Shown::default() }).await?);
    }
    let refuse = |faults| with(StatusCode::BAD_REQUEST, Shown { faults, ..Shown::default() });
    let metadata = match form.metadata() {
        Ok(metadata) => metadata,
        Err(faults) => return Ok(refuse(faults).await?),
    };
    let mut faults: Vec<_> = accounts::unknown_scopes(app, &metadata.scope).await?.into_iter().collect();
    faults.extend(accounts::short_lived(app, &metadata));
    let mut after = before.clone();
    if let Err(list) = metadata.write_to(&mut after) {
        faults.extend(list);
    }
    if !faults.is_empty() {
        return Ok(refuse(by_field(faults)).await?);
    }
    let known = weaknesses(&before);
    let confirm: Vec<_> = weaknesses(&after).into_iter().filter(|new| !known.contains(new)).collect();
    if !confirm.is_empty() && fields.one("confirm")?.is_none() {
        return Ok(with(StatusCode::BAD_REQUEST, Shown { confirm, ..Shown::default() }).await?);
    }
    // A public client that is to keep a secret from now on needs one.
    let secret = (!after.is_public() && after.secrets.is_empty()).then(|| after.add_secret(clock::now()));
    if app.clients.replace(&after, &admin.author()).await? != Replaced::Done {
        let now = find(app, id).await?;
        let shown = Shown { client: Some(&now), overtaken: true, ..Shown::default() };
        return Ok(form::page(app, &admin, StatusCode::CONFLICT, &form, shown).await?);
    }
    let Some(secret) = secret else {
        return Ok(admin.lead(app, &format!("/clients/{id}?done=changed")));
    };
    let credentials = Credentials {
        client: ClientLine::from(&after),
        told: format!("{} is a confidential client now.", after.name),
        secret: Some(secret.expose().to_owned()),
        overlap: String::new(),
    };
    Ok(admin.show_credentials(app, StatusCode::OK, credentials))
}
