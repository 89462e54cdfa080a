//! GET /.well-known/oauth-authorization-server: what this server can do (RFC 8414, C-040 to C-045). Only what works is
//! listed (C-042).

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::client::{AuthMethod, GrantType};
use crate::error::OAuthError;
use crate::scope::ScopeRegistry;

#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    /// Of our own: where resource servers follow what ends.
    revocation_feed_endpoint: String,
    scopes_supported: Vec<&'a str>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: Vec<GrantType>,
    token_endpoint_auth_methods_supported: &'static [AuthMethod],
    introspection_endpoint_auth_methods_supported: &'static [AuthMethod],
    revocation_endpoint_auth_methods_supported: &'static [AuthMethod],
    service_documentation: String,
    ui_locales_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
}

/// Introspection is for those who can prove themselves (C-001).
const WITH_SECRET: [AuthMethod; 2] = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];

pub async fn endpoint(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, OAuthError> {
    let registry = app.scopes.registry().await?;
    let body = serde_json::to_vec(&metadata(&app, &registry)).expect("strings can be written as JSON");
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..16]));
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((CACHE_CONTROL, "public, max-age=300")).insert_header((ETAG, tag));
    Ok(if unchanged { response.finish() } else { response.content_type("application/json").body(body) })
}

fn metadata<'a>(app: &'a App, registry: &'a ScopeRegistry) -> Metadata<'a> {
    let config = &app.config;
    let grants = GrantType::ALL.into_iter().filter(|grant| *grant != GrantType::Password || config.password_grant);
    Metadata {
        issuer: config.issuer.as_str(),
        authorization_endpoint: config.url("/authorize"),
        token_endpoint: config.url("/token"),
        introspection_endpoint: config.url("/introspect"),
        revocation_endpoint: config.url("/revoke"),
        revocation_feed_endpoint: config.url("/revocations"),
        scopes_supported: registry.iter().map(|scope| scope.name.as_str()).collect(),
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        grant_types_supported: grants.collect(),
        token_endpoint_auth_methods_supported: &AuthMethod::ALL,
        introspection_endpoint_auth_methods_supported: &WITH_SECRET,
        revocation_endpoint_auth_methods_supported: &AuthMethod::ALL,
        service_documentation: config
            .service_documentation
            .as_ref()
            .map_or_else(|| config.url("/"), ToString::to_string),
        ui_locales_supported: ["en"],
        code_challenge_methods_supported: ["S256"],
        authorization_response_iss_parameter_supported: true,
    }
}
