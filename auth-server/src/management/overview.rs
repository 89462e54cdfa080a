//! The console's first page: how much there is, what happened lately, and what is not as safe as it could be (H-006, B-061).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::store::StoreError;

use super::audit::{self, EventLine};
use super::clients::weaknesses;
use super::times::length;
use super::{Admin, answer};
use crate::app::App;
use crate::audit::{EventFilter, Outcome};
use crate::config::Config;
use crate::directory::Page;
use crate::user::ADMIN;

/// Clients looked through for weak settings, at most.
const LOOKED_THROUGH: usize = 2000;
/// Weak clients named.
const NAMED: usize = 10;

#[derive(Serialize)]
struct WeakClient {
    id: String,
    name: String,
    weaknesses: Vec<&'static str>,
}

#[derive(Serialize)]
struct Overview {
    users: u64,
    admins: u64,
    clients: u64,
    scopes: usize,
    /// Settings of the server that make it weaker than it need be.
    warnings: Vec<String>,
    weak_clients: Vec<WeakClient>,
    /// Beside those named.
    more_weak_clients: usize,
    events: Vec<EventLine>,
    facts: Vec<(&'static str, String)>,
    lifetimes: Vec<(&'static str, String)>,
}

/// GET /management.
pub async fn show(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, async {
        let admin = Admin::visiting(&app, &request).await?;
        let overview = overview(&app).await?;
        Ok(admin.page(&app, StatusCode::OK, "overview", "management_overview.html", overview))
    })
    .await
}

async fn overview(app: &App) -> Result<Overview, StoreError> {
    let mut weak_clients = weak_clients(app).await?;
    let more_weak_clients = weak_clients.len().saturating_sub(NAMED);
    weak_clients.truncate(NAMED);
    let roles = app.users.roles().await?;
    Ok(Overview {
        users: app.users.count().await?,
        admins: roles.into_iter().find(|(role, _)| role == ADMIN).map_or(0, |(_, holders)| holders),
        clients: app.clients.count().await?,
        scopes: app.scopes.registry().await?.iter().count(),
        warnings: warnings(&app.config),
        weak_clients,
        more_weak_clients,
        events: audit::newest(app, &EventFilter { outcome: Some(Outcome::Failure), ..EventFilter::default() }).await?,
        facts: facts(&app.config),
        lifetimes: lifetimes(&app.config),
    })
}

async fn weak_clients(app: &App) -> Result<Vec<WeakClient>, StoreError> {
    let mut found = Vec::new();
    let mut page = Page { limit: 200, ..Page::default() };
    for _ in 0..LOOKED_THROUGH / page.limit {
        let clients = app.clients.list(&page).await?;
        found.extend(clients.iter().filter_map(|client| {
            let weaknesses = weaknesses(client);
            let weak = !weaknesses.is_empty() && !client.disabled;
            weak.then(|| WeakClient { id: client.id.clone(), name: client.name.clone(), weaknesses })
        }));
        let Some(last) = clients.last() else { break };
        page.after = Some(last.id.clone());
    }
    Ok(found)
}

/// What of the settings is unsafe, in plain words (B-061).
fn warnings(config: &Config) -> Vec<String> {
    let (lifetimes, hour, day) = (&config.lifetimes, 3600, 86_400);
    let mut warnings = Vec::new();
    if config.password_grant {
        warnings.push("The password grant is switched on: apps that use it see people's passwords.".to_owned());
    }
    if config.dev {
        warnings.push("This server runs with dev = true: plain http and very short lifetimes are allowed.".to_owned());
    }
    if config.issuer.is_loopback() {
        warnings.push("The issuer is on localhost: only apps on this machine can use it.".to_owned());
    }
    if config.passwords.minimum_length < 15 {
        let least = config.passwords.minimum_length;
        warnings
            .push(format!("Passwords of {least} characters are accepted; 15 are recommended without a second factor."));
    }
    for (name, seconds, most) in [
        ("Access tokens", lifetimes.access, hour),
        ("Unused refresh tokens", lifetimes.refresh_idle, 30 * day),
        ("Refresh tokens", lifetimes.refresh_absolute, 90 * day),
        ("Sign-ins", lifetimes.sso_absolute, day),
    ] {
        if seconds > most {
            warnings
                .push(format!("{name} live for {}: whoever gets hold of one can use it that long.", length(seconds)));
        }
    }
    warnings
}

fn facts(config: &Config) -> Vec<(&'static str, String)> {
    let (origin, path) = (config.issuer.origin(), config.issuer.path());
    vec![
        ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ("Issuer", config.issuer.as_str().to_owned()),
        ("Metadata", format!("{origin}/.well-known/oauth-authorization-server{path}")),
        ("Authorization endpoint", config.url("/authorize")),
        ("Token endpoint", config.url("/token")),
        ("Default resource", config.default_resource.clone()),
        ("Store", config.store.to_string()),
    ]
}

fn lifetimes(config: &Config) -> Vec<(&'static str, String)> {
    let lifetimes = &config.lifetimes;
    [
        ("Access token", lifetimes.access),
        ("Refresh token, unused", lifetimes.refresh_idle),
        ("Refresh token, at most", lifetimes.refresh_absolute),
        ("Sign-in, unused", lifetimes.sso_idle),
        ("Sign-in, at most", lifetimes.sso_absolute),
        ("Audit log", lifetimes.audit),
    ]
    .map(|(name, seconds)| (name, length(seconds)))
    .to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// B-061, H-006: each setting that makes the server weaker is named, and nothing else is.
    #[test]
    fn what_is_unsafe_is_named() {
        let safe = "server.tls = false\nissuer = 'https://auth.example'\n";
        let told = |more: &str| warnings(&shared::config::parse(&format!("{safe}{more}")).unwrap());
        assert_eq!(told(""), Vec::<String>::new());
        for (setting, word) in [
            ("password_grant = true", "password grant"),
            ("passwords.minimum_length = 8", "8 characters"),
            ("lifetimes.access = 7200", "Access tokens live for 2 hours"),
            ("lifetimes.refresh_absolute = 31536000", "Refresh tokens live for 365 days"),
            ("lifetimes = { sso_absolute = 2592000 }", "Sign-ins live for 30 days"),
        ] {
            let told = told(setting);
            assert!(told.len() == 1 && told[0].contains(word), "{setting}: {told:?}");
        }
        let local = shared::config::parse("server.tls = false\ndev = true\nissuer = 'http://127.0.0.1:5001'").unwrap();
        assert_eq!(warnings(&local).len(), 2);
    }
}
