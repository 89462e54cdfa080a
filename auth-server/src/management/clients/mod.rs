//! The console's clients: listed, found, created, shown and changed (H-003, H-005).

mod actions;
mod create;
mod edit;
mod form;
mod secrets;
mod show;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::listing::{Links, Listing, cut};
use super::{Admin, Instead, answer};
use crate::app::App;
use crate::client::{Client, GrantType};

pub use actions::{act, ask};
pub use create::{create, new};
pub use edit::{edit, update};
pub use secrets::{ask_to_retire, retire};
pub use show::show;

const SECTION: &str = "clients";

#[derive(Serialize)]
struct ClientLine {
    id: String,
    name: String,
    public: bool,
    grants: Vec<&'static str>,
    scopes: String,
    disabled: bool,
    weaknesses: Vec<&'static str>,
}

impl From<&Client> for ClientLine {
    fn from(client: &Client) -> Self {
        Self {
            id: client.id.clone(),
            name: client.name.clone(),
            public: client.is_public(),
            grants: client.grant_types.iter().map(|grant| grant.as_str()).collect(),
            scopes: client.scopes.to_string(),
            disabled: client.disabled,
            weaknesses: weaknesses(client),
        }
    }
}

/// The client whose page it is.
async fn find(app: &App, id: &str) -> Result<Client, Instead> {
    app.clients.read(id).await?.ok_or_else(Instead::not_found)
}

#[derive(Serialize)]
struct ClientList<'a> {
    q: &'a str,
    done: &'static str,
    clients: Vec<ClientLine>,
    links: Links,
}

/// GET /management/clients.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let listing = Listing::of(&app, &request, SECTION, &[])?;
        let mut clients = app.clients.list(&listing.page()).await?;
        let last = cut(&mut clients, |client| client.id.clone());
        let content = ClientList {
            q: &listing.search,
            done: show::done(&request)?,
            clients: clients.iter().map(ClientLine::from).collect(),
            links: listing.links(last.as_deref()),
        };
        Ok(admin.page(&app, StatusCode::OK, SECTION, "management_client_list.html", content))
    })
    .await
}

/// A client's id and secret, shown this once.
#[derive(Serialize)]
struct Credentials {
    client: ClientLine,
    /// What happened, in a sentence.
    told: String,
    /// `None` for a public client (B-030).
    secret: Option<String>,
    /// Until when the old secret goes on, in words; empty: there is none that does.
    overlap: String,
}

impl Admin {
    fn show_credentials(&self, app: &App, status: StatusCode, credentials: Credentials) -> HttpResponse {
        self.page(app, status, SECTION, "management_client_credentials.html", credentials)
    }
}

/// Words for a client's settings that make it weaker than it need be (A-024, H-006).
pub fn weaknesses(client: &Client) -> Vec<&'static str> {
    let localhost = |uri: &str| {
        let host = url::Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.as_deref() == Some("localhost")
    };
    let mut found = Vec::new();
    if !client.needs_pkce() && client.permits(GrantType::AuthorizationCode) {
        found.push("no PKCE");
    }
    if client.permits(GrantType::Password) {
        found.push("password grant");
    }
    if client.flags.allow_localhost || client.redirect_uris.iter().any(|uri| localhost(uri.as_str())) {
        found.push("localhost");
    }
    if !client.rotates_refresh_tokens() {
        found.push("no rotation");
    }
    if client.access_ttl.is_some_and(|seconds| seconds > 3600) {
        found.push("long-lived tokens");
    }
    found
}
