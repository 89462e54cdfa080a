//! The console's grants: what a user allowed, or a client was allowed; metadata only, and revoked one by one (H-009).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::Parameters;
use shared::store::StoreError;

use super::listing::{Links, Listing, cut};
use super::names::{Names, Party};
use super::times::Time;
use super::{Admin, Answer, Instead, answer};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::tokens::{GrantId, GrantsOf, ListedGrant};

/// One grant.
#[derive(Serialize)]
pub struct GrantLine {
    /// Opens nothing.
    id: String,
    client: Party,
    /// `None`: the client acts for itself.
    user: Option<Party>,
    kind: &'static str,
    scopes: String,
    resources: Vec<String>,
    since: Time,
    used: Time,
    /// Unless it is renewed.
    ends: Time,
    ip: String,
}

/// Grants in words.
pub async fn lines(app: &App, listed: Vec<ListedGrant>) -> Result<Vec<GrantLine>, StoreError> {
    let mut names = Names::new(app);
    let mut lines = Vec::new();
    for one in listed {
        let used = one.used_at();
        let grant = one.grant;
        let user = match &grant.user {
            Some(user) => Some(names.of(&user.id).await?),
            None => None,
        };
        lines.push(GrantLine {
            id: one.id.to_string(),
            client: names.of(&grant.client).await?,
            user,
            kind: grant.grant_type.as_str(),
            scopes: grant.scopes.to_string(),
            resources: grant.resources,
            since: Time::of(grant.created_at),
            used: Time::of(used),
            ends: Time::of(one.expires_at),
            ip: grant.origin.map(|origin| origin.ip.to_string()).unwrap_or_default(),
        });
    }
    Ok(lines)
}

/// Whose grants a page is about.
enum Whose {
    User(String),
    Client(String),
}

impl Whose {
    fn of(user: Option<&str>, client: Option<&str>) -> Result<Self, Instead> {
        match (user, client) {
            (Some(user), None) => Ok(Whose::User(user.to_owned())),
            (None, Some(client)) => Ok(Whose::Client(client.to_owned())),
            _ => Err(Instead::not_found()),
        }
    }

    fn grants(&self) -> GrantsOf<'_> {
        match self {
            Whose::User(id) => GrantsOf::User(id),
            Whose::Client(id) => GrantsOf::Client(id),
        }
    }

    fn id(&self) -> &str {
        match self {
            Whose::User(id) | Whose::Client(id) => id,
        }
    }

    /// His page, below /management.
    fn path(&self) -> String {
        match self {
            Whose::User(id) => format!("/users/{id}"),
            Whose::Client(id) => format!("/clients/{id}"),
        }
    }

    fn section(&self) -> &'static str {
        match self {
            Whose::User(_) => "users",
            Whose::Client(_) => "clients",
        }
    }
}

#[derive(Serialize)]
struct GrantList {
    whose: Party,
    of_user: bool,
    grants: Vec<GrantLine>,
    links: Links,
}

/// GET /management/grants?user=… or ?client=….
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let listing = Listing::of(&app, &request, "grants", &["user", "client"])?;
        let whose = Whose::of(listing.kept("user"), listing.kept("client"))?;
        let after = listing.after.as_deref().and_then(|id| id.parse::<GrantId>().ok());
        let mut listed = app.tokens.list(whose.grants(), after, listing.page().limit).await?;
        let last = cut(&mut listed, |grant| grant.id.to_string());
        let mut party = Names::new(&app).of(whose.id()).await?;
        party.path = whose.path();
        let content = GrantList {
            whose: party,
            of_user: matches!(whose, Whose::User(_)),
            grants: lines(&app, listed).await?,
            links: listing.links(last.as_deref()),
        };
        Ok(admin.page(&app, StatusCode::OK, whose.section(), "management_grant_list.html", content))
    })
    .await
}

/// POST /management/grants/{id}: revokes it.
pub async fn revoke(
    app: web::Data<App>,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Payload,
) -> HttpResponse {
    answer(&app, async {
        let (admin, fields) = Admin::posting(&app, &request, body).await?;
        let id: GrantId = id.parse().map_err(|_| Instead::not_found())?;
        let whose = Whose::of(fields.one("user")?, fields.one("client")?)?;
        let admin = admin.prove(&app, &request, &fields).await?;
        revoked(&app, &admin, id, &whose, &fields).await
    })
    .await
}

async fn revoked(app: &App, admin: &Admin, id: GrantId, whose: &Whose, fields: &Parameters) -> Answer {
    // One that has ended by itself meanwhile is as good as revoked.
    if let Some(listed) = app.tokens.find_grant(id).await? {
        let event = Event::new(EventKind::TokenRevoked).by(&admin.author()).of_grant(&listed.grant);
        app.audit.record(event.reason("grant")).await?;
        app.tokens.revoke_grant(id).await?;
    }
    let back = match (fields.one("back")?, whose) {
        (Some("list"), Whose::User(id)) => format!("/grants?user={id}"),
        (Some("list"), Whose::Client(id)) => format!("/grants?client={id}"),
        _ => format!("{}?done=grant-revoked", whose.path()),
    };
    Ok(admin.lead(app, &back))
}
