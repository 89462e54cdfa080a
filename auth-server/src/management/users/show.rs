//! One user: the account, its sessions, the apps that act for it, and what happened lately.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::{ParameterError, encode};
use shared::store::StoreError;

use super::super::audit::{self, EventLine};
use super::super::grants::{self, GrantLine};
use super::super::listing::PAGE;
use super::super::times::Time;
use super::super::{Admin, answer};
use super::actions::session_name;
use super::{SECTION, UserLine, find};
use crate::app::App;
use crate::audit::EventFilter;
use crate::browser_form;
use crate::tokens::GrantsOf;
use crate::user::User;

#[derive(Serialize)]
struct SessionLine {
    /// For the address that ends it.
    name: String,
    /// The one in which this page is seen.
    current: bool,
    since: Time,
    seen: Time,
    ip: String,
    agent: String,
}

#[derive(Serialize)]
struct UserPage {
    user: UserLine,
    /// For the query of links.
    encoded_id: String,
    done: &'static str,
    /// What made the stored password hash; empty without one.
    password_scheme: String,
    declared: bool,
    /// Too many failures closed the account to strangers' browsers (F-043).
    closed: bool,
    is_self: bool,
    last_admin: bool,
    sessions: Vec<SessionLine>,
    more_sessions: bool,
    grants: Vec<GrantLine>,
    more_grants: bool,
    events: Vec<EventLine>,
}

/// What was done just now, in words: by a parameter of the address, which stands for fixed sentences only.
pub fn done(request: &HttpRequest) -> Result<&'static str, ParameterError> {
    Ok(match browser_form::query(request)?.one("done")?.unwrap_or_default() {
        "changed" => "The changes are saved.",
        "disable" => "The account is disabled.",
        "enable" => "The account is enabled.",
        "demand-password" => "A new password must be chosen at the next sign-in.",
        "end-sessions" => "All sessions are ended.",
        "session-ended" => "The session is ended.",
        "revoke-grants" => "All app access is revoked.",
        "grant-revoked" => "The app's access is revoked.",
        "reopen" => "Earlier failures are forgotten.",
        "deleted" => "The user is deleted.",
        _ => "",
    })
}

/// GET /management/users/{id}.
pub async fn show(app: web::Data<App>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let user = find(&app, &id).await?;
        let page = page(&app, &admin, &user, done(&request)?).await?;
        Ok(admin.page(&app, StatusCode::OK, SECTION, "management_user.html", page))
    })
    .await
}

async fn page(app: &App, admin: &Admin, user: &User, done: &'static str) -> Result<UserPage, StoreError> {
    let mut sessions = sessions(app, admin, user).await?;
    let more_sessions = sessions.len() > PAGE;
    sessions.truncate(PAGE);
    let of = GrantsOf::User(&user.id);
    let mut listed = app.tokens.list(of, None, PAGE + 1).await?;
    let more_grants = listed.len() > PAGE;
    listed.truncate(PAGE);
    let about = EventFilter { who: Some(user.id.clone()), ..EventFilter::default() };
    Ok(UserPage {
        user: UserLine::from(user),
        encoded_id: encode(&user.id),
        done,
        password_scheme: user.password_scheme().unwrap_or_default().to_owned(),
        declared: user.declared,
        closed: app.attempts.is_closed(&user.username).await?,
        is_self: user.id == admin.user.id,
        last_admin: app.users.is_last_admin(user).await?,
        sessions,
        more_sessions,
        grants: grants::lines(app, listed).await?,
        more_grants,
        events: audit::newest(app, &about).await?,
    })
}

async fn sessions(app: &App, admin: &Admin, user: &User) -> Result<Vec<SessionLine>, StoreError> {
    let own = app.sessions.key(&admin.visitor.session);
    let mut listed = app.sessions.list(&user.sessions_owner(), None, PAGE + 1).await?;
    listed.sort_by_key(|session| std::cmp::Reverse(session.seen_at));
    let lines = listed.into_iter().map(|session| {
        let origin = session.data.signed_in.and_then(|signed_in| signed_in.origin);
        SessionLine {
            name: session_name(session.key),
            current: session.key == own,
            since: Time::of(session.created_at),
            seen: Time::of(session.seen_at),
            ip: origin.as_ref().map(|origin| origin.ip.to_string()).unwrap_or_default(),
            agent: origin.and_then(|origin| origin.agent).unwrap_or_default(),
        }
    });
    Ok(lines.collect())
}
