//! The form of a client's settings, new or changed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use shared::form::{ParameterError, Parameters};
use shared::oauth::Scopes;
use shared::store::StoreError;

use super::super::{Admin, Faults, text};
use super::SECTION;
use crate::app::App;
use crate::client::{AuthMethod, Client, GrantType};
use crate::client_metadata::{ClientMetadata, MetadataFault};

/// The form as typed, so that a refused one keeps everything.
#[derive(Serialize, Clone)]
pub struct ClientForm {
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

impl From<&ClientMetadata> for ClientForm {
    fn from(metadata: &ClientMetadata) -> Self {
        let flags = [
            ("first_party", metadata.first_party),
            ("require_pkce", metadata.require_pkce),
            ("allow_localhost", metadata.allow_localhost),
            ("allow_empty_scope", metadata.allow_empty_scope),
            ("lenient_basic", metadata.lenient_basic),
            ("rotate_refresh_tokens", metadata.rotate_refresh_tokens),
            ("revoke_cascade", metadata.revoke_cascade),
        ];
        Self {
            client_name: metadata.client_name.clone(),
            client_uri: metadata.client_uri.clone().unwrap_or_default(),
            token_endpoint_auth_method: metadata
                .token_endpoint_auth_method
                .map(|method| method.as_str().to_owned())
                .unwrap_or_default(),
            redirect_uris: metadata.redirect_uris.join("\n"),
            grant_types: metadata.grant_types.iter().map(ToString::to_string).collect(),
            scope: metadata.scope.to_string(),
            default_scope: metadata.default_scope.to_string(),
            resources: metadata.resources.join("\n"),
            introspects: metadata.introspects.join("\n"),
            access_ttl: metadata.access_ttl.map(|seconds| seconds.to_string()).unwrap_or_default(),
            flags: flags.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

impl ClientForm {
    pub fn read(fields: &Parameters) -> Result<Self, ParameterError> {
        let all = |name| fields.all(name).map(str::to_owned).collect();
        Ok(Self {
            client_name: text(fields, "client_name")?,
            client_uri: text(fields, "client_uri")?,
            token_endpoint_auth_method: text(fields, "token_endpoint_auth_method")?,
            redirect_uris: text(fields, "redirect_uris")?,
            grant_types: all("grant_types"),
            scope: text(fields, "scope")?,
            default_scope: text(fields, "default_scope")?,
            resources: text(fields, "resources")?,
            introspects: text(fields, "introspects")?,
            access_ttl: text(fields, "access_ttl")?,
            flags: all("flags"),
        })
    }

    /// What can't even be read is told by field; the rules are [`ClientMetadata`]'s.
    pub fn metadata(&self) -> Result<ClientMetadata, Faults> {
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
            lenient_basic: flag("lenient_basic"),
            rotate_refresh_tokens: flag("rotate_refresh_tokens"),
            revoke_cascade: flag("revoke_cascade"),
        };
        if faults.is_empty() { Ok(metadata) } else { Err(faults) }
    }
}

/// Broken rules by field.
pub fn by_field(list: Vec<MetadataFault>) -> Faults {
    let mut faults = Faults::new();
    for fault in list {
        let told = faults.entry(fault.field).or_default();
        if !told.is_empty() {
            told.push_str("; ");
        }
        told.push_str(&fault.message);
    }
    faults
}

/// What stands in the form besides what was typed.
#[derive(Default)]
pub struct Shown<'a> {
    /// The client as stored; `None`: a new one.
    pub client: Option<&'a Client>,
    pub faults: Faults,
    /// Settings that make the client weaker, to be confirmed (H-006).
    pub confirm: Vec<&'static str>,
    /// Somebody else changed the client since the form was opened.
    pub overtaken: bool,
}

#[derive(Serialize)]
struct FormPage<'a> {
    form: &'a ClientForm,
    /// Empty for a new client.
    id: &'a str,
    name: &'a str,
    declared: bool,
    version: u64,
    faults: Faults,
    scopes_known: String,
    default_resource: &'a str,
    confirm: Vec<&'static str>,
    overtaken: bool,
}

pub async fn page(
    app: &App,
    admin: &Admin,
    status: StatusCode,
    form: &ClientForm,
    shown: Shown<'_>,
) -> Result<HttpResponse, StoreError> {
    let registry = app.scopes.registry().await?;
    let content = FormPage {
        form,
        id: shown.client.map_or("", |client| &client.id),
        name: shown.client.map_or("", |client| &client.name),
        declared: shown.client.is_some_and(|client| client.declared),
        version: shown.client.map_or(0, |client| client.version),
        faults: shown.faults,
        scopes_known: registry.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>().join(", "),
        default_resource: &app.config.default_resource,
        confirm: shown.confirm,
        overtaken: shown.overtaken,
    };
    Ok(admin.page(app, status, SECTION, "management_client_form.html", content))
}
