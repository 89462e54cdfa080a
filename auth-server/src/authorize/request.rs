//! Parameters of /authorize become an [`AuthorizationRequest`], or the reason they can't. Pure.
//!
//! Two stages: until the client and its redirect URI are proved, a fault is shown to the user and nothing is redirected
//! afterwards it is told to the client.

use serde::{Deserialize, Serialize};
use shared::form::{ParameterError, Parameters};
use shared::oauth::{ErrorCode, MalformedScope, Scopes};

use crate::client::{Client, GrantType};
use crate::scope::ScopeRegistry;
use crate::{pkce, resource};

/// A longer `state` can't be echoed, in bytes.
const LONGEST_STATE: usize = 4096;

/// A request that may be granted: everything in it is checked against the client and the registries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client: String,
    pub target: Target,
    /// Whether the request named `redirect_uri`; the token request must then name it too (B-041).
    pub redirect_uri_sent: bool,
    pub scopes: Scopes,
    /// Never empty: the default resource where none was asked for.
    pub resources: Vec<String>,
    /// S256; `None` only for a client with `require_pkce = false`.
    pub code_challenge: Option<String>,
}

/// Where the answer goes, success or error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub redirect_uri: String,
    /// Echoed byte by byte.
    pub state: Option<String>,
}

/// A fault shown to the user: nothing may be sent to where the request asks. The text is for the client's developer and
/// never tells what is registered (G-008).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    #[error("the request can't be read: {0}")]
    Unreadable(#[from] ParameterError),
    #[error("client_id is missing")]
    NoClientId,
    #[error("client_id is not that of a registered and enabled client")]
    UnknownClient,
    #[error(
        "redirect_uri is not registered for this client; it must equal a registered one byte by byte: scheme, host, port, \
         path and query"
    )]
    RedirectUri,
    #[error("redirect_uri is missing, and this client has not exactly one registered")]
    NoRedirectUri,
    #[error("state is longer than {LONGEST_STATE} bytes")]
    LongState,
}

/// A fault told to the client by redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub target: Target,
    pub error: ErrorCode,
    /// Names the failed check, never user data.
    pub description: String,
}

/// Whose request it is.
pub fn client_id(parameters: &Parameters) -> Result<&str, PageFault> {
    parameters.one("client_id")?.ok_or(PageFault::NoClientId)
}

/// Where the answer to this client may go, and whether the request named it.
pub fn target(parameters: &Parameters, client: &Client) -> Result<(Target, bool), PageFault> {
    let sent = parameters.one("redirect_uri")?;
    let redirect_uri = match (sent, client.redirect_uris.as_slice()) {
        (Some(sent), _) if client.redirect_uri(sent).is_some() => sent,
        (Some(_), _) => return Err(PageFault::RedirectUri),
        (None, [only]) => only.as_str(),
        (None, _) => return Err(PageFault::NoRedirectUri),
    };
    // A repeated one is refused by `check`, and then there is none to echo.
    let state = parameters.one("state").unwrap_or_default();
    if state.is_some_and(|state| state.len() > LONGEST_STATE) {
        return Err(PageFault::LongState);
    }
    let target = Target { redirect_uri: redirect_uri.to_owned(), state: state.map(str::to_owned) };
    Ok((target, sent.is_some()))
}

/// The checks whose failure the client is told.
pub fn check(
    parameters: &Parameters,
    client: &Client,
    scopes: &ScopeRegistry,
    default_resource: &str,
    (target, redirect_uri_sent): (Target, bool),
) -> Result<AuthorizationRequest, Refusal> {
    match checked(parameters, client, scopes, default_resource) {
        Ok((scopes, resources, code_challenge)) => Ok(AuthorizationRequest {
            client: client.id.clone(),
            target,
            redirect_uri_sent,
            scopes,
            resources,
            code_challenge,
        }),
        Err((error, description)) => Err(Refusal { target, error, description }),
    }
}

type Fault = (ErrorCode, String);

fn fault<T>(error: ErrorCode, description: impl Into<String>) -> Result<T, Fault> {
    Err((error, description.into()))
}

fn checked(
    parameters: &Parameters,
    client: &Client,
    registry: &ScopeRegistry,
    default_resource: &str,
) -> Result<(Scopes, Vec<String>, Option<String>), Fault> {
    use ErrorCode::{InvalidRequest, UnauthorizedClient, UnsupportedResponseType};
    let one = |name: &str| parameters.one(name).map_err(|error| (InvalidRequest, error.to_string()));
    one("state")?;
    for (name, error) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if one(name)?.is_some() {
            return fault(error, format!("{name} is not supported"));
        }
    }
    match one("response_type")? {
        None => return fault(InvalidRequest, "response_type is missing"),
        Some("code") => {}
        Some(_) => return fault(UnsupportedResponseType, "response_type must be code"),
    }
    if !matches!(one("response_mode")?, None | Some("query")) {
        return fault(InvalidRequest, "response_mode must be query");
    }
    if !client.permits(GrantType::AuthorizationCode) {
        return fault(UnauthorizedClient, "this client may not use the authorization_code grant");
    }
    let challenge = code_challenge(one("code_challenge")?, one("code_challenge_method")?, client)?;
    let asked = one("scope")?.map(str::parse).transpose().map_err(|error: MalformedScope| invalid_scope(&error))?;
    let scopes = client.scopes_for(asked.as_ref(), registry).map_err(|error| invalid_scope(&error))?;
    let resources = resource::choose(
        parameters.all("resource"),
        |asked| client.may_ask_for(asked, default_resource),
        &[default_resource.to_owned()],
    )
    .map_err(|error| (ErrorCode::InvalidTarget, format!("resource: {error}")))?;
    Ok((scopes, resources, challenge))
}

fn invalid_scope(error: &dyn std::error::Error) -> Fault {
    (ErrorCode::InvalidScope, error.to_string())
}

///
fn code_challenge(challenge: Option<&str>, method: Option<&str>, client: &Client) -> Result<Option<String>, Fault> {
    let Some(challenge) = challenge else {
        return match method {
            Some(_) => fault(ErrorCode::InvalidRequest, "code_challenge_method without code_challenge"),
            None if client.needs_pkce() => {
                fault(ErrorCode::InvalidRequest, "code_challenge is missing (PKCE, RFC 7636)")
            }
            None => Ok(None),
        };
    };
    if method != Some("S256") {
        return fault(ErrorCode::InvalidRequest, "S256 required as code_challenge_method");
    }
    if !pkce::is_challenge(challenge) {
        return fault(ErrorCode::InvalidRequest, "code_challenge must be 43 base64url characters");
    }
    Ok(Some(challenge.to_owned()))
}

#[cfg(test)]
mod tests;
