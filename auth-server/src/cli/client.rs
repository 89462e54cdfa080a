//! `client …`.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use serde::Serialize;
use shared::{Secret, clock};

use super::output::{self, Failure, line};
use super::{Context, PAGE};
use crate::accounts;
use crate::app::App;
use crate::audit::Author;
use crate::client::{AuthMethod, Client, GrantType};
use crate::client_metadata::ClientMetadata;
use crate::directory::{Page, Replaced};

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client and print it, with its new secret, as JSON: from options, or without --name from RFC 7591
    /// metadata as JSON on standard input
    Create(Box<NewClient>),
    /// List clients by name
    List {
        /// Only those whose name or id contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one client
    Show {
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret and print it; the old one stays good for a while, so that nothing stops working
    RotateSecret {
        #[command(flatten)]
        which: Which,
        /// How long the old secret stays good: 30m, 24h, 7d; 0s ends it now
        #[arg(long, default_value = "24h", value_parser = output::parse_duration)]
        overlap: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Disable a client: its tokens are revoked and it gets no new ones
    Disable(Which),
    /// Enable a disabled client
    Enable(Which),
    /// Delete a client with its tokens and consents
    Delete {
        #[command(flatten)]
        which: Which,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// The client a command is about.
#[derive(Debug, Args)]
pub struct Which {
    /// The client's id
    #[arg(value_name = "CLIENT")]
    id: String,
}

/// The commonest members of a client's metadata; the others are given as JSON.
#[derive(Debug, Args)]
pub struct NewClient {
    /// What people see on the consent page
    #[arg(long)]
    name: Option<String>,
    /// Where codes are sent; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI", requires = "name")]
    redirect_uris: Vec<String>,
    /// authorization_code, refresh_token, client_credentials or password; may be given several times [default: the first two
    /// with --redirect-uri, otherwise none]
    #[arg(long = "grant", value_name = "GRANT", requires = "name", value_parser = grant_type)]
    grants: Vec<GrantType>,
    /// All it may ask for, and what it gets when it asks for nothing
    #[arg(long, value_name = "SCOPES", requires = "name")]
    scope: Option<String>,
    /// What it gets when it asks for nothing, where that is less than --scope
    #[arg(long, value_name = "SCOPES", requires = "scope")]
    default_scope: Option<String>,
    /// A resource it may introspect tokens for, being that API; may be given several times
    #[arg(long, value_name = "URI", requires = "name")]
    introspects: Vec<String>,
    /// Without a secret: an app on people's devices or in their browsers
    #[arg(long, requires = "name")]
    public: bool,
    /// Yours: people are not asked for their consent
    #[arg(long, requires = "name")]
    first_party: bool,
}

impl ClientCommand {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Create(new) => {
                let metadata = new.metadata()?;
                let (client, secret) =
                    accounts::create_client(&context.open().await?, metadata, &Author::command_line()).await?;
                line(serde_json::to_string_pretty(&ClientInformation::of(&client, secret.as_ref()))?)
            }
            Self::List { search, json } => list(&context.open().await?, search, json).await,
            Self::Show { which, json } => show(&which.find(&context.open().await?).await?, json),
            Self::RotateSecret { which, overlap, json } => {
                let mut secret = None;
                let client = which
                    .change(&context.open().await?, |client| {
                        if client.is_public() {
                            return Err(Failure::new(format!("client {} is public: it has no secret", client.id)));
                        }
                        secret = Some(client.rotate_secret(overlap, clock::now()));
                        Ok(())
                    })
                    .await?;
                tell_secret(&client, secret.as_ref(), json)
            }
            Self::Disable(which) => {
                which.set_disabled(&context.open().await?, true).await?;
                line(format!("client {} is disabled", which.id))
            }
            Self::Enable(which) => {
                which.set_disabled(&context.open().await?, false).await?;
                line(format!("client {} is enabled", which.id))
            }
            Self::Delete { which, yes } => {
                let app = context.open().await?;
                let client = which.find(&app).await?;
                let question = format!(
                    "Delete client {} ({}) with all tokens and consents? This can't be undone.",
                    client.id, client.name
                );
                output::confirm(yes, &question)?;
                app.clients.delete(&client, &Author::command_line()).await?;
                line(format!("deleted client {}", client.id))
            }
        }
    }
}

impl Which {
    pub fn of(id: &str) -> Self {
        Self { id: id.to_owned() }
    }

    pub async fn find(&self, app: &App) -> Result<Client, Failure> {
        let found = app.clients.read(&self.id).await?;
        found.ok_or_else(|| Failure::new(format!("there is no client {}; `client list` shows all", self.id)))
    }

    /// Changes the client as it is now; whoever writes it meanwhile is not overwritten.
    async fn change(
        &self,
        app: &App,
        mut change: impl FnMut(&mut Client) -> Result<(), Failure>,
    ) -> Result<Client, Failure> {
        for _ in 0..3 {
            let mut client = self.find(app).await?;
            change(&mut client)?;
            if app.clients.replace(&client, &Author::command_line()).await? == Replaced::Done {
                return Ok(client);
            }
        }
        Err(Failure::new(format!("client {} is being changed by somebody else: try again", self.id)))
    }

    async fn set_disabled(&self, app: &App, disabled: bool) -> Result<(), Failure> {
        let set = |client: &mut Client| {
            client.disabled = disabled;
            Ok(())
        };
        self.change(app, set).await.map(drop)
    }
}

impl NewClient {
    fn metadata(self) -> Result<ClientMetadata, Failure> {
        let Some(client_name) = self.name else {
            if std::io::stdin().is_terminal() {
                return Err(Failure::usage("give --name and other options, or metadata as JSON on standard input"));
            }
            return serde_json::from_str(&output::read_input()?).map_err(|error| {
                Failure::new(format!("standard input is not client metadata (RFC 7591 2) as JSON: {error}"))
            });
        };
        let grant_types = match (self.grants.is_empty(), self.redirect_uris.is_empty()) {
            (true, false) => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            _ => self.grants,
        };
        let scope = self.scope.as_deref().unwrap_or_default().parse()?;
        Ok(ClientMetadata {
            client_name,
            redirect_uris: self.redirect_uris,
            grant_types,
            default_scope: self.default_scope.map_or_else(|| Ok(Clone::clone(&scope)), |scope| scope.parse())?,
            scope,
            introspects: self.introspects,
            token_endpoint_auth_method: self.public.then_some(AuthMethod::None),
            first_party: self.first_party,
            ..ClientMetadata::default()
        })
    }
}

fn grant_type(name: &str) -> Result<GrantType, String> {
    GrantType::ALL
        .into_iter()
        .find(|grant| grant.as_str() == name)
        .ok_or_else(|| format!("grants are {}", GrantType::ALL.map(GrantType::as_str).join(", ")))
}

/// A client as RFC 7591 3.2.1 tells it; the secret only right after it was made.
#[derive(Serialize)]
struct ClientInformation<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    client_id_issued_at: i64,
    /// 0: never. Absent without a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    disabled: bool,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

impl<'a> ClientInformation<'a> {
    fn of(client: &'a Client, secret: Option<&'a Secret>) -> Self {
        Self {
            client_id: &client.id,
            client_secret: secret.map(Secret::expose),
            client_id_issued_at: client.created_at,
            client_secret_expires_at: secret.map(|_| 0),
            disabled: client.disabled,
            metadata: client.into(),
        }
    }
}

fn tell_secret(client: &Client, secret: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&ClientInformation::of(client, secret));
    }
    if let Some(secret) = secret {
        line(format!("client_secret: {}", secret.expose()))?;
    }
    match client.secrets.iter().filter_map(|held| held.until).max() {
        Some(until) => line(format!("the old secret is good until {}", output::time(until))),
        None => line("the old secret is good no more"),
    }
}

fn kind_and_state(client: &Client) -> String {
    let kind = if client.is_public() { "public" } else { "confidential" };
    let state = if client.disabled { "disabled" } else { "active" };
    format!("{kind}, {state}")
}

async fn list(app: &App, search: Option<String>, as_json: bool) -> Result<(), Failure> {
    let mut page = Page { after: None, search, limit: PAGE };
    let mut all = Vec::new();
    loop {
        let clients = app.clients.list(&page).await?;
        let Some(last) = clients.last() else { break };
        page.after = Some(last.id.clone());
        all.extend(clients);
    }
    if as_json {
        return output::json(&all.iter().map(|client| ClientInformation::of(client, None)).collect::<Vec<_>>());
    }
    let rows = all
        .iter()
        .map(|client| [client.name.clone(), client.id.clone(), kind_and_state(client), client.scopes.to_string()]);
    output::table(["NAME", "CLIENT ID", "STATE", "SCOPES"], rows)
}

fn show(client: &Client, as_json: bool) -> Result<(), Failure> {
    let information = ClientInformation::of(client, None);
    if as_json {
        return output::json(&information);
    }
    let metadata = &information.metadata;
    let words = |words: Vec<&str>| Some(words.join(" ")).filter(|text| !text.is_empty());
    let flags = [
        (metadata.first_party, "first_party"),
        (!metadata.require_pkce, "no PKCE"),
        (metadata.allow_localhost, "allow_localhost"),
        (metadata.allow_empty_scope, "allow_empty_scope"),
        (metadata.lenient_basic, "lenient_basic"),
        (!metadata.rotate_refresh_tokens, "refresh tokens stay the same"),
        (metadata.revoke_cascade, "revoke_cascade"),
    ];
    let secrets = client.secrets.iter().map(|held| match held.until {
        Some(until) if held.is_live(clock::now()) => format!("one until {}", output::time(until)),
        Some(_) => "one that ended".to_owned(),
        None => "one".to_owned(),
    });
    output::fields(&[
        ("name", Some(client.name.clone())),
        ("client id", Some(client.id.clone())),
        ("state", Some(kind_and_state(client))),
        ("home page", client.uri.clone()),
        ("authenticates", words(client.auth_methods.iter().map(|method| method.as_str()).collect())),
        ("secrets", Some(secrets.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())),
        ("grants", words(client.grant_types.iter().map(|grant| grant.as_str()).collect())),
        ("redirect URIs", words(metadata.redirect_uris.iter().map(String::as_str).collect())),
        ("scopes", words(client.scopes.iter().collect())),
        ("default scopes", words(client.default_scopes.iter().collect())),
        ("resources", words(client.resources.iter().map(String::as_str).collect())),
        ("introspects", words(client.introspects.iter().map(String::as_str).collect())),
        ("access tokens", client.access_ttl.map(|seconds| format!("live for {seconds} s"))),
        ("flags", words(flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect())),
        ("declared", client.declared.then(|| "in a file that `apply` read".to_owned())),
        ("created", Some(output::time(client.created_at))),
    ])
}
