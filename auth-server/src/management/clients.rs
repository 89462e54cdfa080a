//! The console's clients: listed, found, created (H-003, H-005).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use shared::form::Parameters;
use shared::oauth::Scopes;

use super::{Admin, Faults, Listing, cut, weaknesses};
use crate::accounts::{self, NewClientFault};
use crate::app::App;
use crate::client::{AuthMethod, Client, GrantType};
use crate::client_metadata::ClientMetadata;
use crate::error_page::PageError;

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

#[derive(Serialize)]
struct ClientList {
    q: String,
    clients: Vec<ClientLine>,
    first: String,
    next: String,
}

/// GET /management/clients.
pub async fn list(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    try_list(&app, &request).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_list(app: &App, request: &HttpRequest) -> Result<HttpResponse, PageError> {
    let admin = Admin::visiting(app, request).await?;
    let listing = Listing::of(app, request, "clients")?;
    let mut clients = app.clients.list(&listing.page()).await?;
    let last = cut(&mut clients, |client| &client.id);
    let (first, next) = listing.links(last.as_deref());
    let clients = clients.iter().map(ClientLine::from).collect();
    let content = ClientList { q: listing.search, clients, first, next };
    Ok(admin.page(app, StatusCode::OK, "clients", "management_client_list.html", content))
}

/// The form as typed, so that a refused one keeps everything.
#[derive(Serialize)]
struct ClientForm {
    client_name: String,
    client_uri: String,
    /// A method's name, or empty for both ways of a secret.
    token_endpoint_auth_method: String,
    redirect_uris: String,
    grant_types: Vec<String>,
    scope: String,
    default_scope: String,
    resources: String,
    introspects: String,
    access_ttl: String,
    flags: Vec<String>,
}

impl Default for ClientForm {
    fn default() -> Self {
        let metadata = ClientMetadata::default();
        let flags = [
            ("require_pkce", metadata.require_pkce),
            ("rotate_refresh_tokens", metadata.rotate_refresh_tokens),
            ("first_party", metadata.first_party),
        ];
        Self {
            client_name: String::new(),
            client_uri: String::new(),
            token_endpoint_auth_method: String::new(),
            redirect_uris: String::new(),
            grant_types: metadata.grant_types.iter().map(ToString::to_string).collect(),
            scope: String::new(),
            default_scope: String::new(),
            resources: String::new(),
            introspects: String::new(),
            access_ttl: String::new(),
            flags: flags.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

impl ClientForm {
    fn read(fields: &Parameters) -> Result<Self, PageError> {
        let text = |name: &str| Ok::<_, PageError>(fields.one(name)?.unwrap_or_default().trim().to_owned());
        let all = |name| fields.all(name).map(str::to_owned).collect();
        Ok(Self {
            client_name: text("client_name")?,
            client_uri: text("client_uri")?,
            token_endpoint_auth_method: text("token_endpoint_auth_method")?,
            redirect_uris: text("redirect_uris")?,
            grant_types: all("grant_types"),
            scope: text("scope")?,
            default_scope: text("default_scope")?,
            resources: text("resources")?,
            introspects: text("introspects")?,
            access_ttl: text("access_ttl")?,
            flags: all("flags"),
        })
    }

    /// What can't even be read is told by field; the rules are [`ClientMetadata`]'s.
    fn metadata(&self) -> Result<ClientMetadata, Faults> {
        let mut faults = Faults::new();
        let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut scopes = |field, text: &str| {
            let one_space = text.split_whitespace().collect::<Vec<_>>().join(" ");
            one_space.parse::<Scopes>().unwrap_or_else(|error| {
                faults.insert(field, error.to_string());
                Scopes::default()
            })
        };
        let (scope, default_scope) = (scopes("scope", &self.scope), scopes("default_scope", &self.default_scope));
        let auth_method = match self.token_endpoint_auth_method.as_str() {
            "" => None,
            name => AuthMethod::ALL.into_iter().find(|method| method.as_str() == name).or_else(|| {
                faults.insert("token_endpoint_auth_method", "choose one of the list".to_owned());
                None
            }),
        };
        let access_ttl = match self.access_ttl.as_str() {
            "" => None,
            text => text.parse().ok().or_else(|| {
                faults.insert("access_ttl", "must be a number of seconds".to_owned());
                None
            }),
        };
        let flag = |name: &str| self.flags.iter().any(|flag| flag == name);
        let metadata = ClientMetadata {
            client_name: self.client_name.clone(),
            client_uri: (!self.client_uri.is_empty()).then(|| self.client_uri.clone()),
            token_endpoint_auth_method: auth_method,
            redirect_uris: lines(&self.redirect_uris),
            grant_types: GrantType::ALL
                .into_iter()
                .filter(|grant| self.grant_types.iter().any(|name| name == grant.as_str()))
                .collect(),
            response_types: Vec::new(),
            scope,
            default_scope,
            resources: lines(&self.resources),
            introspects: lines(&self.introspects),
            access_ttl,
            first_party: flag("first_party"),
            require_pkce: flag("require_pkce"),
            allow_localhost: flag("allow_localhost"),
            allow_empty_scope: flag("allow_empty_scope"),
            rotate_refresh_tokens: flag("rotate_refresh_tokens"),
            revoke_cascade: flag("revoke_cascade"),
        };
        if faults.is_empty() { Ok(metadata) } else { Err(faults) }
    }
}

#[derive(Serialize)]
struct ClientFormPage<'a> {
    form: ClientForm,
    faults: Faults,
    scopes_known: String,
    default_resource: &'a str,
    /// Settings that make the client weaker, to be confirmed (H-006).
    confirm: Vec<&'static str>,
}

/// GET /management/clients/new.
pub async fn new(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let page = async {
        let admin = Admin::visiting(&app, &request).await?;
        form_page(&app, &admin, StatusCode::OK, ClientForm::default(), Faults::new(), Vec::new()).await
    };
    page.await.unwrap_or_else(|error: PageError| error.respond(&app))
}

async fn form_page(
    app: &App,
    admin: &Admin,
    status: StatusCode,
    form: ClientForm,
    faults: Faults,
    confirm: Vec<&'static str>,
) -> Result<HttpResponse, PageError> {
    let registry = app.scopes.registry().await?;
    let content = ClientFormPage {
        form,
        faults,
        scopes_known: registry.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>().join(", "),
        default_resource: &app.config.default_resource,
        confirm,
    };
    Ok(admin.page(app, status, "clients", "management_client_new.html", content))
}

#[derive(Serialize)]
struct ClientCreated {
    client: ClientLine,
    /// Shown this once (B-030).
    secret: Option<String>,
}

/// POST /management/clients.
pub async fn create(app: web::Data<App>, request: HttpRequest, body: web::Payload) -> HttpResponse {
    try_create(&app, &request, body).await.unwrap_or_else(|error| error.respond(&app))
}

async fn try_create(app: &App, request: &HttpRequest, body: web::Payload) -> Result<HttpResponse, PageError> {
    let (admin, fields) = Admin::posting(app, request, body).await?;
    let form = ClientForm::read(&fields)?;
    let metadata = match form.metadata() {
        Ok(metadata) => metadata,
        Err(faults) => return form_page(app, &admin, StatusCode::BAD_REQUEST, form, faults, Vec::new()).await,
    };
    if let Ok(client) = metadata.clone().declare("c_".to_owned(), 0) {
        let weak = weaknesses(&client);
        if !weak.is_empty() && fields.one("confirm")?.is_none() {
            return form_page(app, &admin, StatusCode::BAD_REQUEST, form, Faults::new(), weak).await;
        }
    }
    match accounts::create_client(app, metadata, &admin.author()).await {
        Ok((client, secret)) => {
            let secret = secret.map(|secret| secret.expose().to_owned());
            let content = ClientCreated { client: ClientLine::from(&client), secret };
            Ok(admin.page(app, StatusCode::CREATED, "clients", "management_client_created.html", content))
        }
        Err(NewClientFault::Metadata(list)) => {
            let mut faults = Faults::new();
            for fault in list {
                let told = faults.entry(fault.field).or_default();
                if !told.is_empty() {
                    told.push_str("; ");
                }
                told.push_str(&fault.message);
            }
            form_page(app, &admin, StatusCode::BAD_REQUEST, form, faults, Vec::new()).await
        }
        Err(NewClientFault::Store(error)) => Err(error.into()),
    }
}
