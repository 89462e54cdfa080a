//! What can be done to a client, each after a question: disabled, deleted, its access revoked, its secret rotated (H-005).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use shared::form::Parameters;

use super::super::confirm::Question;
use super::super::{Admin, Answer, Instead, answer, version};
use super::{SECTION, find, secrets};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::client::Client;
use crate::directory::Replaced;
use crate::tokens::GrantsOf;

pub(super) const OVERTAKEN: &str =
    "Somebody else changed this client meanwhile, so nothing was done. Look again, and repeat it if you still want it.";

/// The last part of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Disable,
    Enable,
    RevokeGrants,
    RotateSecret,
    Delete,
}

impl std::str::FromStr for Action {
    type Err = Instead;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "disable" => Action::Disable,
            "enable" => Action::Enable,
            "revoke-grants" => Action::RevokeGrants,
            "rotate-secret" => Action::RotateSecret,
            "delete" => Action::Delete,
            _ => return Err(Instead::not_found()),
        })
    }
}

impl Action {
    fn question(self, client: &Client, action: &str) -> Question {
        let name = &client.name;
        let (title, button, consequences): (_, _, &[&str]) = match self {
            Action::Disable => (
                format!("Disable {name}?"),
                "Disable",
                &[
                    "It gets no tokens until it is enabled again.",
                    "All that people allowed it, and all its tokens, end at once.",
                ],
            ),
            Action::Enable => (
                format!("Enable {name}?"),
                "Enable",
                &["It can get tokens again, with the secrets and settings of before."],
            ),
            Action::RevokeGrants => (
                format!("Revoke all access of {name}?"),
                "Revoke all access",
                &["All its tokens end at once. People must sign in to it again; what they agreed to stays remembered."],
            ),
            Action::RotateSecret => (
                format!("Make a new secret for {name}?"),
                "Make a new secret",
                &[
                    "The new secret works at once, and is shown to you once.",
                    "The present one goes on for as long as you choose, so that the client can be changed over without an outage. An older one ends now.",
                ],
            ),
            Action::Delete => (
                format!("Delete {name}?"),
                "Delete for good",
                &[
                    "The client, its secrets and settings go, for good; nothing can use its id any more.",
                    "All that people allowed it, and all its tokens, end at once.",
                ],
            ),
        };
        Question {
            title,
            button: button.to_owned(),
            consequences: consequences.iter().map(|line| (*line).to_owned()).collect(),
            danger: !matches!(self, Action::Enable | Action::RotateSecret),
            action: format!("/clients/{}/{action}", client.id),
            cancel: format!("/clients/{}", client.id),
            hidden: vec![("version", client.version.to_string())],
            choice: (self == Action::RotateSecret).then(secrets::overlaps),
        }
    }
}

/// GET /management/clients/{id}/{action}.
pub async fn ask(app: web::Data<App>, request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let (id, name) = &*path;
        let action: Action = name.parse()?;
        let client = find(&app, id).await?;
        if action == Action::RotateSecret && client.is_public() {
            return Err(Instead::not_found());
        }
        Ok(admin.ask_whether(&app, SECTION, action.question(&client, name)))
    })
    .await
}

/// POST /management/clients/{id}/{action}.
pub async fn act(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Payload,
) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let (id, name) = &*path;
        let action: Action = name.parse()?;
        let client = find(&app, id).await?;
        let admin = if action == Action::Enable { admin } else { admin.prove(&app, &request, &fields).await? };
        done(&app, admin, &fields, client, (action, name)).await
    })
    .await
}

async fn done(app: &App, admin: Admin, fields: &Parameters, client: Client, (action, name): (Action, &str)) -> Answer {
    let by = admin.author();
    let overtaken = || admin.refuse(app, SECTION, StatusCode::CONFLICT, action.question(&client, name), OVERTAKEN);
    if version(fields)? != client.version {
        return Ok(overtaken());
    }
    match action {
        Action::RotateSecret => {
            let rotated = secrets::rotate(app, &admin, &client, fields).await?;
            return Ok(rotated.unwrap_or_else(overtaken));
        }
        Action::RevokeGrants => {
            app.audit.record(Event::new(EventKind::GrantsRevoked).by(&by).client(&client.id)).await?;
            app.tokens.revoke_all(GrantsOf::Client(&client.id)).await?;
        }
        Action::Delete => {
            app.clients.delete(&client, &by).await?;
            return Ok(admin.lead(app, "/clients?done=deleted"));
        }
        Action::Disable | Action::Enable => {
            let after = Client { disabled: action == Action::Disable, ..client.clone() };
            if app.clients.replace(&after, &by).await? != Replaced::Done {
                return Ok(overtaken());
            }
        }
    }
    Ok(admin.lead(app, &format!("/clients/{}?done={name}", client.id)))
}
