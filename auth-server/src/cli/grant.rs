//! `grant …`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use super::client::Which;
use super::output::{self, Failure, line};
use super::user::Who;
use crate::app::App;
use crate::audit::{Author, Event, EventKind};
use crate::tokens::{GrantId, GrantsOf, ListedGrant};

#[derive(Debug, Subcommand)]
pub enum GrantCommand {
    /// List what a person allowed applications, or what an application was allowed, the last used first
    List {
        #[command(flatten)]
        whose: Whose,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke one grant with all its tokens, or all of a person, of a client, or of both together
    Revoke {
        /// The grant's id, as `grant list` shows it; otherwise --user, --client, or both
        #[arg(value_name = "GRANT", conflicts_with_all = ["user", "client"])]
        id: Option<GrantId>,
        #[command(flatten)]
        whose: Whose,
    },
}

/// Whose grants a command is about.
#[derive(Debug, Args)]
pub struct Whose {
    /// Given by this person: the user name, or the id (u_…)
    #[arg(long)]
    user: Option<String>,
    /// Given to this client: its id
    #[arg(long)]
    client: Option<String>,
}

/// The same, found.
struct Found {
    user: Option<String>,
    client: Option<String>,
}

impl GrantCommand {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let app = context.open().await?;
        match self {
            Self::List { whose, json } => list(&app, &whose.find(&app).await?, json).await,
            Self::Revoke { id: Some(id), .. } => {
                let gone = || Failure::new("there is no such grant: it has ended, or was revoked before");
                let listed = app.tokens.find_grant(id).await?.ok_or_else(gone)?;
                // Written down first: what the log would not know of does not happen (F-065).
                let event = Event::new(EventKind::TokenRevoked).by(&Author::command_line()).of_grant(&listed.grant);
                app.audit.record(event).await?;
                app.tokens.revoke_grant(id).await?;
                line("revoked one grant with all its tokens")
            }
            Self::Revoke { id: None, whose } => {
                if whose.is_nobodys() {
                    return Err(Failure::usage(
                        "say which: a grant's id (`grant list` shows it), --user, --client, or both",
                    ));
                }
                let found = whose.find(&app).await?;
                let grants = found.grants(&app).await?.len();
                let mut event = Event::new(EventKind::GrantsRevoked).by(&Author::command_line());
                event.subject.clone_from(&found.user);
                event.client.clone_from(&found.client);
                app.audit.record(event).await?;
                match (&found.user, &found.client) {
                    (Some(user), Some(client)) => app.tokens.revoke_given(user, client).await?,
                    (Some(user), None) => app.tokens.revoke_all(GrantsOf::User(user)).await?,
                    (None, Some(client)) => app.tokens.revoke_all(GrantsOf::Client(client)).await?,
                    (None, None) => {}
                }
                line(format!("revoked {grants} grant{} with all tokens", if grants == 1 { "" } else { "s" }))
            }
        }
    }
}

impl Whose {
    fn is_nobodys(&self) -> bool {
        self.user.is_none() && self.client.is_none()
    }

    async fn find(&self, app: &App) -> Result<Found, Failure> {
        let user = match &self.user {
            Some(name) => Some(Who::named(name).find(app).await?.id),
            None => None,
        };
        let client = match &self.client {
            Some(id) => Some(Which::of(id).find(app).await?.id),
            None => None,
        };
        if self.is_nobodys() {
            return Err(Failure::usage("say whose: --user, --client, or both"));
        }
        Ok(Found { user, client })
    }
}

impl Found {
    async fn grants(&self, app: &App) -> Result<Vec<ListedGrant>, Failure> {
        let Self { user, client } = self;
        let mut grants = match (user, client) {
            (Some(user), _) => app.tokens.list_all(GrantsOf::User(user)).await?,
            (None, Some(client)) => app.tokens.list_all(GrantsOf::Client(client)).await?,
            (None, None) => Vec::new(),
        };
        grants.retain(|listed| client.as_ref().is_none_or(|client| listed.grant.client == *client));
        Ok(grants)
    }
}

async fn list(app: &App, found: &Found, as_json: bool) -> Result<(), Failure> {
    let grants = found.grants(app).await?;
    if as_json {
        return output::json(&grants.iter().map(described).collect::<Value>());
    }
    let rows = grants.iter().map(|listed| {
        let grant = &listed.grant;
        [
            listed.id.to_string(),
            grant.user.as_ref().map_or_else(|| "-".to_owned(), |user| user.username.clone()),
            grant.client.clone(),
            grant.grant_type.to_string(),
            output::time(listed.used_at()),
            output::time(listed.expires_at),
            grant.scopes.to_string(),
        ]
    });
    output::table(["GRANT", "USER", "CLIENT", "BY", "LAST USED", "ENDS", "SCOPES"], rows)
}

/// Never a token (H-009).
fn described(listed: &ListedGrant) -> Value {
    let grant = &listed.grant;
    json!({
        "id": listed.id.to_string(),
        "user": grant.user.as_ref().map(|user| &user.id),
        "username": grant.user.as_ref().map(|user| &user.username),
        "client_id": grant.client,
        "grant_type": grant.grant_type.as_str(),
        "scope": grant.scopes,
        "resources": grant.resources,
        "created_at": grant.created_at,
        "used_at": listed.used_at(),
        "expires_at": listed.expires_at,
    })
}
