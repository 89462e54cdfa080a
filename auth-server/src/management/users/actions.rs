//! What can be done to an account, each after a question: disabled, deleted, its password set, its sessions ended (H-004).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::expiring::Key;
use shared::form::Parameters;

use super::super::confirm::Question;
use super::super::{Admin, Answer, Instead, answer, version};
use super::{Password, SECTION, UserLine, find};
use crate::accounts::{self, NewUserFault};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::directory::{Deleted, Replaced};
use crate::error_page::PageError;
use crate::state;
use crate::tokens::GrantsOf;
use crate::user::User;

const LAST_ADMIN: &str = "This is the last account that can open the console. Give another user the role admin first.";
const OVERTAKEN: &str =
    "Somebody else changed this user meanwhile, so nothing was done. Look again, and repeat it if you still want it.";

/// The last part of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Disable,
    Enable,
    /// A new password must be chosen at the next sign-in.
    DemandPassword,
    /// A generated one, good for one sign-in (F-014).
    SetPassword,
    EndSessions,
    RevokeGrants,
    /// Earlier failures no longer hold up sign-ins (F-043).
    Reopen,
    Delete,
}

impl std::str::FromStr for Action {
    type Err = Instead;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "disable" => Action::Disable,
            "enable" => Action::Enable,
            "demand-password" => Action::DemandPassword,
            "set-password" => Action::SetPassword,
            "end-sessions" => Action::EndSessions,
            "revoke-grants" => Action::RevokeGrants,
            "reopen" => Action::Reopen,
            "delete" => Action::Delete,
            _ => return Err(Instead::not_found()),
        })
    }
}

impl Action {
    fn takes_something_away(self) -> bool {
        !matches!(self, Action::Enable | Action::DemandPassword | Action::Reopen)
    }

    fn question(self, user: &User, action: &str) -> Question {
        let name = &user.username;
        let (title, button, consequences): (_, _, &[&str]) = match self {
            Action::Disable => (
                format!("Disable {name}?"),
                "Disable",
                &[
                    "Nobody can sign in with this account until it is enabled again.",
                    "All its sessions end, and all apps lose their access, at once.",
                ],
            ),
            Action::Enable => {
                (format!("Enable {name}?"), "Enable", &["The person can sign in again, with the password of before."])
            }
            Action::DemandPassword => (
                format!("Demand a new password of {name}?"),
                "Demand a new password",
                &[
                    "At the next sign-in the present password is accepted once more, and a new one must be chosen before anything else.",
                ],
            ),
            Action::SetPassword => (
                format!("Set a one-time password for {name}?"),
                "Set a one-time password",
                &[
                    "A password is generated and shown to you once, to be handed over. It is good for one sign-in, in which the person chooses a new one.",
                    "The present password no longer works. All sessions end, and all apps lose their access, at once.",
                ],
            ),
            Action::EndSessions => (
                format!("End all sessions of {name}?"),
                "End all sessions",
                &["The person must sign in again in every browser. Apps keep their access."],
            ),
            Action::RevokeGrants => (
                format!("Revoke all app access of {name}?"),
                "Revoke all app access",
                &["Every app that acts for this person must send him here to sign in again."],
            ),
            Action::Reopen => (
                format!("Reset the sign-in throttle of {name}?"),
                "Reset",
                &["Failed sign-ins of before are forgotten: the next one need not wait."],
            ),
            Action::Delete => (
                format!("Delete {name}?"),
                "Delete for good",
                &[
                    "The account, its sessions, its consents and all app access go, for good.",
                    "The user name becomes free; the id is never given to anybody else.",
                ],
            ),
        };
        Question {
            title,
            button: button.to_owned(),
            consequences: consequences.iter().map(|line| (*line).to_owned()).collect(),
            danger: self.takes_something_away(),
            action: format!("/users/{}/{action}", user.id),
            cancel: format!("/users/{}", user.id),
            hidden: vec![("version", user.version.to_string())],
            choice: None,
        }
    }
}

/// GET /management/users/{id}/{action}.
pub async fn ask(app: web::Data<App>, request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let (id, name) = &*path;
        let action: Action = name.parse()?;
        let user = find(&app, id).await?;
        Ok(admin.ask_whether(&app, SECTION, action.question(&user, name)))
    })
    .await
}

/// POST /management/users/{id}/{action}.
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
        let user = find(&app, id).await?;
        let admin = if action.takes_something_away() { admin.prove(&app, &request, &fields).await? } else { admin };
        done(&app, admin, &fields, user, (action, name)).await
    })
    .await
}

async fn done(app: &App, admin: Admin, fields: &Parameters, user: User, (action, name): (Action, &str)) -> Answer {
    let by = admin.author();
    let refuse = |told| admin.refuse(app, SECTION, StatusCode::CONFLICT, action.question(&user, name), told);
    if version(fields)? != user.version {
        return Ok(refuse(OVERTAKEN));
    }
    let mut after = user.clone();
    match action {
        Action::EndSessions => app.users.end_sessions(&user, &by).await?,
        Action::RevokeGrants => {
            app.audit.record(Event::new(EventKind::GrantsRevoked).by(&by).subject(&user.id)).await?;
            app.tokens.revoke_all(GrantsOf::User(&user.id)).await?;
        }
        Action::Reopen => {
            accounts::reopen(app, &user, &by).await?;
        }
        Action::Delete => {
            return Ok(match app.users.delete(&user, &by).await? {
                Deleted::LastAdmin => refuse(LAST_ADMIN),
                Deleted::Done | Deleted::Missing => admin.lead(app, "/users?done=deleted"),
            });
        }
        Action::Disable => after.disabled = true,
        Action::Enable => after.disabled = false,
        Action::DemandPassword => after.must_change = true,
        Action::SetPassword => {
            let new = match accounts::hash_password(app, &user.username, None).await {
                Ok(new) => new,
                Err(NewUserFault::Store(error)) => return Err(error.into()),
                Err(fault) => return Err(PageError::Unavailable(fault.to_string()).into()),
            };
            (after.password_hash, after.must_change) = (Some(new.hash), true);
            if let Err(told) = replace(app, &admin, &after).await? {
                return Ok(refuse(told));
            }
            // A new password is the reset that opens an account after too many failures (F-043).
            app.attempts.forget(&user.username).await?;
            let password = new.generated.map(|password| password.expose().to_owned()).unwrap_or_default();
            let content = Password { user: UserLine::from(&after), created: false, password };
            return Ok(admin.page(app, StatusCode::OK, SECTION, "management_user_password.html", content));
        }
    }
    if matches!(action, Action::Disable | Action::Enable | Action::DemandPassword)
        && let Err(told) = replace(app, &admin, &after).await?
    {
        return Ok(refuse(told));
    }
    Ok(admin.lead(app, &format!("/users/{}?done={name}", user.id)))
}

async fn replace(app: &App, admin: &Admin, user: &User) -> Result<Result<(), &'static str>, Instead> {
    Ok(match app.users.replace(user, &admin.author()).await? {
        Replaced::Done => Ok(()),
        Replaced::Changed => Err(OVERTAKEN),
        Replaced::LastAdmin => Err(LAST_ADMIN),
    })
}

/// POST /management/users/{id}/sessions/{session}: ends one.
pub async fn end_session(
    app: web::Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Payload,
) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let (id, session) = &*path;
        let user = find(&app, id).await?;
        let key = session_key(session).ok_or_else(Instead::not_found)?;
        let admin = admin.prove(&app, &request, &fields).await?;
        let found = app.sessions.find_listed(key).await?;
        let is_his = |data: &crate::browser::BrowserSession| {
            data.signed_in.as_ref().is_some_and(|signed_in| signed_in.user == user.id)
        };
        if found.is_some_and(|found| is_his(&found.data)) {
            app.audit.record(Event::new(EventKind::SessionEnded).by(&admin.author()).subject(&user.id)).await?;
            state::apply_all(&**app.state.durable(), vec![app.sessions.end_listed_op(key)]).await?;
        }
        Ok(admin.lead(&app, &format!("/users/{id}?done=session-ended")))
    })
    .await
}

/// How a session is named in an address: by the hash it is kept under, which opens nothing.
pub(super) fn session_name(key: Key) -> String {
    URL_SAFE_NO_PAD.encode(key.0)
}

fn session_key(name: &str) -> Option<Key> {
    Some(Key(URL_SAFE_NO_PAD.decode(name).ok()?.try_into().ok()?))
}
