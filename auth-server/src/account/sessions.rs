//! GET and POST /account/sessions: the browsers a person is signed in with, and ending them (F-053).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use shared::expiring::Key;
use shared::form::ParameterError;
use shared::session::ListedSession;
use shared::store::StoreError;

use super::{Member, onward};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::authorize::session_digest;
use crate::browser::BrowserSession;
use crate::error_page::PageError;
use crate::state;
use crate::times::Moment;
use crate::tokens::{GrantsOf, revoke_ops};
use crate::user::User;

/// Sessions read at a time.
const PAGE: usize = 200;

#[derive(Serialize)]
struct SessionList {
    sessions: Vec<SessionLine>,
}

#[derive(Serialize)]
struct SessionLine {
    id: String,
    /// The browser that asks.
    is_this: bool,
    device: String,
    /// The whole `User-Agent`.
    agent: String,
    address: String,
    signed_in: Moment,
    seen: Moment,
}

/// All sessions of a person.
pub async fn of(app: &App, user: &User) -> Result<Vec<ListedSession<BrowserSession>>, StoreError> {
    let mut all: Vec<ListedSession<BrowserSession>> = Vec::new();
    loop {
        let last = all.last().map(|last| last.key);
        let page = app.sessions.list(&user.sessions_owner(), last.as_ref(), PAGE).await?;
        let more = page.len() == PAGE;
        all.extend(page);
        if !more {
            return Ok(all);
        }
    }
}

/// GET /account/sessions.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_show(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_show(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let member = Member::visiting(app, request).await?;
    let this = app.sessions.key(&member.visitor.session);
    let mut sessions = of(app, &member.user).await?;
    sessions.sort_by_key(|session| (session.key != this, std::cmp::Reverse(session.seen_at)));
    let sessions = sessions.into_iter().map(|session| line(session, this)).collect();
    Ok(member.page(app, request, "sessions", "account_sessions.html", SessionList { sessions }))
}

fn line(session: ListedSession<BrowserSession>, this: Key) -> SessionLine {
    let signed_in = session.data.signed_in.as_ref();
    let origin = signed_in.and_then(|signed_in| signed_in.origin.as_ref());
    SessionLine {
        id: session.key.to_string(),
        is_this: session.key == this,
        device: origin.map_or_else(|| "Unknown browser".to_owned(), |origin| origin.device()),
        agent: origin.and_then(|origin| origin.agent.clone()).unwrap_or_default(),
        address: origin.map(|origin| origin.address()).unwrap_or_default(),
        signed_in: Moment::at(signed_in.map_or(session.created_at, |signed_in| signed_in.auth_time)),
        seen: Moment::at(session.seen_at),
    }
}

/// POST /account/sessions: with `end` one browser, with `elsewhere` all but this one and the apps used there.
pub async fn submit(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_submit(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_submit(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (member, form) = Member::posting(app, request, body).await?;
    if form.one("elsewhere")?.is_some() {
        end_elsewhere(app, &member).await?;
        return Ok(onward(app, "/sessions", "elsewhere"));
    }
    let key: Key = form.one("end")?.and_then(|text| text.parse().ok()).ok_or(ParameterError::Encoding)?;
    // Ended meanwhile, or another's: there is nothing to end.
    let found = app.sessions.find_listed(key).await?.and_then(|session| session.data.signed_in);
    if found.is_some_and(|signed_in| signed_in.user == member.user.id) {
        app.audit.record(ended(&member)).await?;
        state::apply_all(&**app.state.durable(), vec![app.sessions.end_listed_op(key)]).await?;
    }
    Ok(onward(app, "/sessions", "session"))
}

/// Ends every other session, and every grant that was not given in this one.
async fn end_elsewhere(app: &App, member: &Member) -> Result<(), StoreError> {
    let session = &member.visitor.session;
    let (this, digest) = (app.sessions.key(session), session_digest(session.id()));
    let others: Vec<Key> =
        of(app, &member.user).await?.into_iter().map(|session| session.key).filter(|key| *key != this).collect();
    let grants = app.tokens.list_all(GrantsOf::User(&member.user.id)).await?;
    let grants: Vec<_> = grants.into_iter().filter(|listed| listed.grant.session.as_ref() != Some(&digest)).collect();
    let detail = json!({"sessions": others.len(), "grants": grants.len()});
    app.audit.record(ended(member).reason("everywhere_else").detail(detail)).await?;
    let mut ops: Vec<_> = others.into_iter().map(|key| app.sessions.end_listed_op(key)).collect();
    ops.extend(revoke_ops(&grants));
    state::apply_all(&**app.state.durable(), ops).await
}

fn ended(member: &Member) -> Event {
    Event::new(EventKind::SessionEnded).own(&member.user.id).sent_from(&member.visitor.origin)
}
