//! One client: its settings, its secrets, who allowed it what, and what happened lately.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::clock;
use shared::form::{ParameterError, encode};
use shared::store::StoreError;

use super::super::audit::{self, EventLine};
use super::super::grants::{self, GrantLine};
use super::super::listing::PAGE;
use super::super::times::{Time, length};
use super::super::{Admin, answer};
use super::{ClientLine, SECTION, find};
use crate::app::App;
use crate::audit::EventFilter;
use crate::browser_form;
use crate::client::{Client, ClientSecret, SecretForm};
use crate::tokens::GrantsOf;

#[derive(Serialize)]
struct SecretLine {
    id: String,
    /// The newest one.
    current: bool,
    ended: bool,
    /// An imported one is hashed like a password.
    imported: bool,
    /// `None`: made before this was kept.
    created: Option<Time>,
    /// `None`: not since this is kept.
    used: Option<Time>,
    /// `None`: until it is taken out.
    until: Option<Time>,
}

#[derive(Serialize)]
struct ClientPage {
    client: ClientLine,
    /// For the query of links.
    encoded_id: String,
    done: &'static str,
    uri: String,
    auth_methods: Vec<&'static str>,
    redirect_uris: Vec<String>,
    default_scopes: String,
    resources: Vec<String>,
    introspects: Vec<String>,
    access_life: String,
    /// Settings that are not as usual.
    flags: Vec<&'static str>,
    declared: bool,
    created: Time,
    secrets: Vec<SecretLine>,
    grants: Vec<GrantLine>,
    more_grants: bool,
    events: Vec<EventLine>,
}

/// What was done just now, in words: by a parameter of the address, which stands for fixed sentences only.
pub fn done(request: &HttpRequest) -> Result<&'static str, ParameterError> {
    Ok(match browser_form::query(request)?.one("done")?.unwrap_or_default() {
        "changed" => "The changes are saved.",
        "disable" => "The client is disabled.",
        "enable" => "The client is enabled.",
        "revoke-grants" => "All its access is revoked.",
        "grant-revoked" => "The access is revoked.",
        "retired" => "The secret is good no more.",
        "deleted" => "The client is deleted.",
        _ => "",
    })
}

/// GET /management/clients/{id}.
pub async fn show(app: web::Data<App>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let client = find(&app, &id).await?;
        let page = page(&app, &client, done(&request)?).await?;
        Ok(admin.page(&app, StatusCode::OK, SECTION, "management_client.html", page))
    })
    .await
}

async fn page(app: &App, client: &Client, done: &'static str) -> Result<ClientPage, StoreError> {
    let mut listed = app.tokens.list(GrantsOf::Client(&client.id), None, PAGE + 1).await?;
    let more_grants = listed.len() > PAGE;
    listed.truncate(PAGE);
    let about = EventFilter { client: Some(client.id.clone()), ..EventFilter::default() };
    let access = client.access_ttl.unwrap_or(app.config.lifetimes.access);
    Ok(ClientPage {
        client: ClientLine::from(client),
        encoded_id: encode(&client.id),
        done,
        uri: client.uri.clone().unwrap_or_default(),
        auth_methods: client.auth_methods.iter().map(|method| method.as_str()).collect(),
        redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
        default_scopes: client.default_scopes.to_string(),
        resources: client.resources.clone(),
        introspects: client.introspects.clone(),
        access_life: length(access),
        flags: flags(client),
        declared: client.declared,
        created: Time::of(client.created_at),
        secrets: secrets(app, client).await?,
        grants: grants::lines(app, listed).await?,
        more_grants,
        events: audit::newest(app, &about).await?,
    })
}

async fn secrets(app: &App, client: &Client) -> Result<Vec<SecretLine>, StoreError> {
    let now = clock::now();
    let used = app.secret_uses.last(&client.secrets).await?;
    let line = |(number, (secret, used)): (usize, (&ClientSecret, Option<i64>))| SecretLine {
        id: secret.id.clone(),
        current: number == 0,
        ended: !secret.is_live(now),
        imported: matches!(secret.form, SecretForm::Argon2id(_)),
        created: (secret.created_at > 0).then(|| Time::of(secret.created_at)),
        used: used.map(Time::of),
        until: secret.until.map(Time::of),
    };
    Ok(client.secrets.iter().zip(used).rev().enumerate().map(line).collect())
}

fn flags(client: &Client) -> Vec<&'static str> {
    let flags = client.flags;
    let told = [
        (flags.first_party, "First party: people are not asked to allow it"),
        (!client.needs_pkce(), "PKCE is not required"),
        (flags.allow_localhost, "localhost on any port"),
        (flags.allow_empty_scope, "Tokens without scopes"),
        (flags.lenient_basic, "The secret may be sent unencoded in a Basic header"),
        (!client.rotates_refresh_tokens(), "Refresh tokens stay the same"),
        (flags.revoke_cascade, "Revoking one token revokes all of its grant"),
    ];
    told.into_iter().filter(|(on, _)| *on).map(|(_, told)| told).collect()
}
