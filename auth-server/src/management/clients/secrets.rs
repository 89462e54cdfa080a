//! A client's secrets: two may live, so that a new one can be brought in without an outage (B-031).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::clock;
use shared::form::Parameters;

use super::super::confirm::{Choice, Question};
use super::super::times::{Time, length};
use super::super::{Admin, Instead, answer, version};
use super::actions::OVERTAKEN;
use super::{ClientLine, Credentials, SECTION, find};
use crate::app::App;
use crate::client::Client;
use crate::directory::Replaced;

/// How long the old secret may go on, in seconds.
const OVERLAPS: [i64; 5] = [86_400, 3600, 7 * 86_400, 30 * 86_400, 0];

pub(super) fn overlaps() -> Choice {
    let told = |seconds: i64| match seconds {
        0 => "It ends now".to_owned(),
        seconds => length(seconds.unsigned_abs()),
    };
    let options = OVERLAPS.map(|seconds| (seconds.to_string(), told(seconds)));
    Choice { name: "overlap", label: "How long the present secret goes on", options: options.to_vec() }
}

/// Adds a new secret and shows it. `None`: somebody else changed the client meanwhile.
pub(super) async fn rotate(
    app: &App,
    admin: &Admin,
    client: &Client,
    fields: &Parameters,
) -> Result<Option<HttpResponse>, Instead> {
    if client.is_public() {
        return Err(Instead::not_found());
    }
    let chosen = fields.one("overlap")?.and_then(|text| text.parse().ok());
    // What is not in the list was not sent by our form: the usual overlap does no harm.
    let overlap = chosen.filter(|seconds| OVERLAPS.contains(seconds)).unwrap_or(OVERLAPS[0]);
    let mut after = client.clone();
    let secret = after.rotate_secret(overlap, clock::now());
    if app.clients.replace(&after, &admin.author()).await? != Replaced::Done {
        return Ok(None);
    }
    let until = after.secrets.iter().filter_map(|held| held.until).max();
    let credentials = Credentials {
        client: ClientLine::from(&after),
        told: format!("{} has a new secret.", after.name),
        secret: Some(secret.expose().to_owned()),
        overlap: until.map(|until| Time::of(until).minute).unwrap_or_default(),
    };
    Ok(Some(admin.show_credentials(app, StatusCode::OK, credentials)))
}

fn question(client: &Client, id: &str) -> Result<Question, Instead> {
    let secret = client.secrets.iter().find(|secret| secret.id == id && !id.is_empty());
    let secret = secret.ok_or_else(Instead::not_found)?;
    let others = client.secrets.iter().any(|other| other.id != id && other.is_live(clock::now()));
    let consequence = if others || !secret.is_live(clock::now()) {
        "Whoever still uses this secret is refused at once. The other one goes on."
    } else {
        "This is the only secret: until you make a new one, the client can prove itself no more."
    };
    Ok(Question {
        title: format!("Retire this secret of {} now?", client.name),
        button: "Retire it now".to_owned(),
        consequences: vec![consequence.to_owned()],
        danger: true,
        action: format!("/clients/{}/secrets/{id}", client.id),
        cancel: format!("/clients/{}", client.id),
        hidden: vec![("version", client.version.to_string())],
        choice: None,
    })
}

/// GET /management/clients/{id}/secrets/{secret}.
pub async fn ask_to_retire(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let (id, secret) = &*path;
        let question = question(&find(&app, id).await?, secret)?;
        Ok(admin.ask_whether(&app, SECTION, question))
    })
    .await
}

/// POST /management/clients/{id}/secrets/{secret}: takes it out.
pub async fn retire(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Payload,
) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let (id, secret) = &*path;
        let client = find(&app, id).await?;
        let asked = question(&client, secret)?;
        let admin = admin.prove(&app, &request, &fields).await?;
        let mut after = client.clone();
        after.secrets.retain(|held| held.id != *secret);
        let current = version(&fields)? == client.version;
        if !current || app.clients.replace(&after, &admin.author()).await? != Replaced::Done {
            return Ok(admin.refuse(&app, SECTION, StatusCode::CONFLICT, asked, OVERTAKEN));
        }
        Ok(admin.lead(&app, &format!("/clients/{id}?done=retired")))
    })
    .await
}
