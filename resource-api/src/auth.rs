//! Who calls, and what he may do: bearer tokens (D-001 to D-015), Eve's roles and owners (AUTH, URRA).

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use bson::Bson;

use crate::domain::{Claims, Method, Resource, Settings};
use crate::introspection::{ActiveToken, Fault, IntrospectionError, Introspector};
use crate::query::{Filter, Test};

/// Why a request is not allowed. The challenge and the status are in `error.rs`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// No bearer token (D-002).
    #[error("no bearer token was sent")]
    Missing,
    /// D-003, D-004.
    #[error("{0}")]
    Malformed(&'static str),
    /// D-005, D-010.
    #[error("the token is unknown, expired, revoked or meant for another service")]
    Invalid,
    /// D-011; everything the route needs, separated by spaces.
    #[error("the token lacks a scope of {0}")]
    InsufficientScope(String),
    #[error("none of the caller's roles is allowed here")]
    Role,
    /// URRA-06.
    #[error("the token does not say who owns its documents")]
    NoOwner,
    /// Of the datasource's filter.
    #[error("the token lacks a claim that decides what its holder sees")]
    NoClaim,
    /// Of `set_mongo_prefix()`'s claim.
    #[error("the token names a connection that there is not")]
    NoConnection,
    /// URRA-03.
    #[error("the query asks for another owner's documents")]
    ForeignOwner,
    /// D-031, D-032.
    #[error(transparent)]
    Unavailable(#[from] Fault),
}

/// The caller of one request.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// `None` where no token was needed.
    pub token: Option<Arc<ActiveToken>>,
    /// Who owns what this caller writes and sees; `None` where access is not restricted (URRA-01).
    pub owner: Option<Owner>,
}

impl Caller {
    /// What the token says of its holder; `None`: there is no token.
    pub fn claims(&self) -> Option<&Claims> {
        self.token.as_ref().map(|token| &token.claims)
    }

    /// The connection that the token names, in capitals.
    pub fn connection(&self) -> Option<&str> {
        self.token.as_ref()?.connection.as_deref()
    }
}

/// URRA: the field that names a document's owner, and the caller's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    pub field: String,
    pub value: Bson,
}

/// What is asked for, as far as permission depends on it.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// Home and the list of schemas (AUTH-06).
    Home(&'a Settings),
    Collection(&'a Resource),
    Item(&'a Resource),
}

/// The gate in front of every endpoint but OPTIONS, health and metadata (D-052).
#[derive(Debug)]
pub struct Gate {
    /// `None`: auth.mode = "none".
    introspector: Option<Introspector>,
    /// The identifier tokens must be meant for (D-010).
    audience: String,
    /// Connections that tokens may name, in capitals.
    connections: BTreeSet<String>,
}

impl Gate {
    pub fn new(introspector: Option<Introspector>, audience: String, connections: BTreeSet<String>) -> Self {
        Self { introspector, audience, connections }
    }

    pub fn introspector(&self) -> Option<&Introspector> {
        self.introspector.as_ref()
    }

    /// Lets a caller through to `place`, or says why not.
    pub async fn enter(&self, request: &HttpRequest, method: Method, place: Place<'_>) -> Result<Caller, AuthError> {
        let token = self.identify(request, method, place).await?;
        self.admit(token, method, place)
    }

    /// The good token of a request, whatever it allows; `None` where none is needed.
    pub async fn identify(
        &self,
        request: &HttpRequest,
        method: Method,
        place: Place<'_>,
    ) -> Result<Option<Arc<ActiveToken>>, AuthError> {
        // AUTH-07: where none is needed, what was sent is not looked at.
        let Some(introspector) = self.introspector.as_ref().filter(|_| !place.is_public(method)) else {
            return Ok(None);
        };
        let token = bearer(request.headers(), request.query_string())?;
        let token = introspector.introspect(token).await.map_err(|error| match error {
            IntrospectionError::Inactive => AuthError::Invalid,
            IntrospectionError::Fault(fault) => AuthError::Unavailable(fault),
        })?;
        if !token.audience.contains(&self.audience) {
            return Err(AuthError::Invalid);
        }
        Ok(Some(token))
    }

    /// Whether what [`Gate::identify`] found suffices for `place`.
    pub fn admit(
        &self,
        token: Option<Arc<ActiveToken>>,
        method: Method,
        place: Place<'_>,
    ) -> Result<Caller, AuthError> {
        let Some(token) = token else { return Ok(Caller::default()) };
        permit(&token, method, place)?;
        if token.connection.as_ref().is_some_and(|connection| !self.connections.contains(connection)) {
            return Err(AuthError::NoConnection);
        }
        let owner = match place {
            Place::Home(_) => None,
            Place::Collection(resource) | Place::Item(resource) => owner(resource, &token)?,
        };
        Ok(Caller { token: Some(token), owner })
    }
}

impl Gate {
    /// Whether a caller who is in already may do this too.
    pub fn permits(&self, caller: &Caller, method: Method, place: Place<'_>) -> bool {
        let allowed = caller.token.as_ref().is_some_and(|token| permit(token, method, place).is_ok());
        self.introspector.is_none() || place.is_public(method) || allowed
    }

    /// Whose documents of a resource a caller who is in already sees by their ids; `None`: everybody's (URRA-05).
    pub fn owner_seen(&self, caller: &Caller, resource: &Resource) -> Result<Option<Owner>, AuthError> {
        let public = Place::Item(resource).is_public(Method::Get);
        if self.introspector.is_none() || public || resource.auth_field.is_none() {
            return Ok(None);
        }
        owner(resource, caller.token.as_ref().ok_or(AuthError::Missing)?)
    }
}

impl Place<'_> {
    /// HEAD counts as GET everywhere (AUTH-01).
    fn is_public(&self, method: Method) -> bool {
        match self {
            Place::Home(settings) => settings.public_methods.contains(&method),
            Place::Collection(resource) => resource.public_methods.contains(&method),
            Place::Item(resource) => resource.public_item_methods.contains(&method),
        }
    }

    /// AUTH-04: one of them suffices; none listed: anybody.
    fn roles(&self, method: Method) -> impl Iterator<Item = &String> {
        let (first, second): (&[String], &[String]) = match (self, method) {
            (Place::Home(settings), Method::Get) => (&settings.allowed_roles, &settings.allowed_read_roles),
            (Place::Home(settings), _) => (&settings.allowed_roles, &settings.allowed_write_roles),
            (Place::Collection(resource), Method::Get) => (&resource.roles.resource_read, &[]),
            (Place::Collection(resource), _) => (&resource.roles.resource_write, &[]),
            (Place::Item(resource), Method::Get) => (&resource.roles.item_read, &[]),
            (Place::Item(resource), _) => (&resource.roles.item_write, &[]),
        };
        first.iter().chain(second)
    }

    /// D-012.
    fn scopes(&self, method: Method) -> &[String] {
        match self {
            Place::Home(_) => &[],
            Place::Collection(resource) | Place::Item(resource) if method == Method::Get => {
                &resource.required_scopes.read
            }
            Place::Collection(resource) | Place::Item(resource) => &resource.required_scopes.write,
        }
    }
}

/// Scope, then role.
fn permit(token: &ActiveToken, method: Method, place: Place<'_>) -> Result<(), AuthError> {
    let scopes = place.scopes(method);
    if !scopes.iter().all(|scope| token.scopes.contains(scope)) {
        return Err(AuthError::InsufficientScope(scopes.join(" ")));
    }
    let mut roles = place.roles(method).peekable();
    if roles.peek().is_some() && !roles.any(|role| token.roles.contains(role)) {
        return Err(AuthError::Role);
    }
    Ok(())
}

fn owner(resource: &Resource, token: &ActiveToken) -> Result<Option<Owner>, AuthError> {
    let Some(field) = &resource.auth_field else { return Ok(None) };
    let value = token.owner.clone().ok_or(AuthError::NoOwner)?;
    Ok(Some(Owner { field: field.clone(), value }))
}

/// D-001 to D-004: the one bearer token of a request.
fn bearer<'a>(headers: &'a HeaderMap, query: &str) -> Result<&'a str, AuthError> {
    let mut sent = headers.get_all(AUTHORIZATION);
    let Some(header) = sent.next() else { return Err(AuthError::Missing) };
    if sent.next().is_some() {
        return Err(AuthError::Malformed("more than one Authorization header"));
    }
    let Ok(header) = header.to_str() else { return Err(AuthError::Malformed("illegal characters")) };
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::Missing);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() {
        return Err(AuthError::Malformed("the token is missing"));
    }
    // RFC 6750 2.1: b64token.
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    if body.is_empty() || !body.bytes().all(legal) {
        return Err(AuthError::Malformed("illegal characters"));
    }
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
        return Err(AuthError::Malformed("the token was sent twice"));
    }
    Ok(token)
}

impl Owner {
    pub fn filter(&self) -> Filter {
        Filter::equal(self.field.as_str(), self.value.clone())
    }

    /// URRA-03: whether the query asks for somebody else at its top level.
    pub fn allows(&self, filter: &Filter) -> bool {
        match filter {
            Filter::And(filters) => filters.iter().all(|filter| match filter {
                Filter::Field { .. } => self.allows(filter),
                _ => true,
            }),
            Filter::Field { path, test } if *path == self.field => *test == Test::Eq(self.value.clone()),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn read<'a>(headers: &'a mut HeaderMap, sent: &[&'static str], query: &str) -> Result<&'a str, AuthError> {
        for value in sent {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(headers, query)
    }

    /// D-001 to D-004.
    #[test]
    fn exactly_one_bearer_token_is_taken_from_the_header() {
        for fine in ["Bearer abc.DEF-1_~+/==", "bearer  abc.DEF-1_~+/==", "BEARER abc.DEF-1_~+/=="] {
            assert_eq!(read(&mut HeaderMap::new(), &[fine], "").unwrap(), "abc.DEF-1_~+/==", "{fine}");
        }
        for missing in [&[][..], &["Basic dTpw"], &["Token abc"], &["abc"], &[""]] {
            assert!(matches!(read(&mut HeaderMap::new(), missing, ""), Err(AuthError::Missing)), "{missing:?}");
        }
        for bad in
            [&["Bearer"][..], &["Bearer "], &["Bearer a b"], &["Bearer ="], &["Bearer a\"b"], &["Bearer a", "Bearer a"]]
        {
            assert!(matches!(read(&mut HeaderMap::new(), bad, ""), Err(AuthError::Malformed(_))), "{bad:?}");
        }
        assert!(matches!(read(&mut HeaderMap::new(), &[], "access_token=a"), Err(AuthError::Missing)));
        for query in ["page=1&access_token=a", "access_token", "access%5Ftoken=a", "%61ccess_token=a"] {
            let twice = read(&mut HeaderMap::new(), &["Bearer a"], query).map(str::to_owned);
            assert!(matches!(twice, Err(AuthError::Malformed(_))), "{query}");
        }
    }

    /// URRA-03: only what must hold for every match can contradict the owner.
    #[test]
    fn a_query_for_another_owner_is_seen_at_the_top_level_only() {
        let owner = Owner { field: "owner".to_owned(), value: Bson::from("u_1") };
        let mine = || Filter::equal("owner", "u_1");
        let theirs = || Filter::equal("owner", "u_2");
        let other = || Filter::equal("name", "x");
        for fine in [Filter::All, mine(), other().and(mine()), Filter::Or(vec![theirs(), other()])] {
            assert!(owner.allows(&fine), "{fine:?}");
        }
        let greater = Filter::field("owner", Test::Gt(Bson::from("u_1")));
        for foreign in [theirs(), other().and(theirs()), greater] {
            assert!(!owner.allows(&foreign), "{foreign:?}");
        }
    }
}
