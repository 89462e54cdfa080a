#![allow(clippy::unwrap_used)]
use super::*;
use crate::client::AuthMethod;
use crate::client_metadata::ClientMetadata;
use crate::scope::Scope;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const URI: &str = "https://shop.example/cb";
const DEFAULT_RESOURCE: &str = "https://api.example";

fn shop() -> ClientMetadata {
    ClientMetadata {
        client_name: "Shop".to_owned(),
        redirect_uris: vec![URI.to_owned()],
        scope: "read write".parse().unwrap(),
        resources: vec!["https://files.example".to_owned()],
        ..ClientMetadata::default()
    }
}

fn made(metadata: ClientMetadata) -> Client {
    metadata.declare("shop".to_owned(), 0).unwrap()
}

fn registry() -> ScopeRegistry {
    let known = ["read", "write", "delete"];
    known.iter().map(|name| Scope { name: (*name).to_owned(), text: String::new(), role: None }).collect()
}

/// A good request with these parameters changed; an empty value takes one out.
fn query(changes: &[(&str, &str)]) -> Parameters {
    let mut pairs: Vec<(&str, &str)> = vec![
        ("client_id", "shop"),
        ("response_type", "code"),
        ("redirect_uri", URI),
        ("scope", "read"),
        ("state", "xyz"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, _) in changes {
        pairs.retain(|(key, _)| key != name);
    }
    pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let text: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", shared::form::encode(value))).collect();
    Parameters::parse(text.join("&").as_bytes()).unwrap()
}

fn read(client: &Client, changes: &[(&str, &str)]) -> Result<AuthorizationRequest, Refusal> {
    let parameters = query(changes);
    let target = target(&parameters, client).unwrap();
    check(&parameters, client, &registry(), DEFAULT_RESOURCE, target)
}

fn error(client: &Client, changes: &[(&str, &str)]) -> ErrorCode {
    read(client, changes).expect_err("a refusal").error
}

/// A-020 to A-033: what is taken over from a good request.
#[test]
fn a_good_request_is_read_whole() {
    let request = read(&made(shop()), &[("scope", "write read"), ("state", "a b&c")]).unwrap();
    assert_eq!(request.target, Target { redirect_uri: URI.to_owned(), state: Some("a b&c".to_owned()) });
    assert!(request.redirect_uri_sent);
    assert_eq!(request.scopes, "read write".parse().unwrap());
    assert_eq!(request.resources, [DEFAULT_RESOURCE]);
    assert_eq!(request.code_challenge.as_deref(), Some(CHALLENGE));
}

/// A-001.
#[test]
fn without_one_client_id_nothing_is_redirected() {
    assert_eq!(client_id(&query(&[("client_id", "")])), Err(PageFault::NoClientId));
    let twice = query(&[("client_id", "shop"), ("client_id", "shop")]);
    assert!(matches!(client_id(&twice), Err(PageFault::Unreadable(ParameterError::Repeated(_)))));
}

/// A-002, A-004.
#[test]
fn a_redirect_uri_that_is_repeated_or_not_registered_is_not_followed() {
    let client = made(shop());
    for uri in ["https://evil.example/cb", "https://shop.example/cb/", "https://SHOP.example/cb", "/cb", "%"] {
        assert_eq!(target(&query(&[("redirect_uri", uri)]), &client), Err(PageFault::RedirectUri), "{uri}");
    }
    let twice = query(&[("redirect_uri", URI), ("redirect_uri", URI)]);
    assert!(matches!(target(&twice, &client), Err(PageFault::Unreadable(_))));
}

/// A-003.
#[test]
fn without_redirect_uri_the_only_registered_one_is_used() {
    let request = read(&made(shop()), &[("redirect_uri", "")]).unwrap();
    assert_eq!((request.target.redirect_uri.as_str(), request.redirect_uri_sent), (URI, false));
    let two = made(ClientMetadata { redirect_uris: vec![URI.into(), "https://shop.example/2".into()], ..shop() });
    assert_eq!(target(&query(&[("redirect_uri", "")]), &two), Err(PageFault::NoRedirectUri));
}

/// A-011.
#[test]
fn a_state_too_long_to_echo_is_shown_to_the_user() {
    let client = made(shop());
    assert!(target(&query(&[("state", &"x".repeat(4096))]), &client).is_ok());
    assert_eq!(target(&query(&[("state", &"x".repeat(4097))]), &client), Err(PageFault::LongState));
}

/// A-020, A-021, A-030, A-031, A-032: each fault has its code, and the answer keeps state but for a repeated one.
#[test]
fn faults_of_the_protocol_have_their_codes() {
    let client = made(shop());
    for (changes, expected) in [
        (vec![("response_type", "")], ErrorCode::InvalidRequest),
        (vec![("response_type", "token")], ErrorCode::UnsupportedResponseType),
        (vec![("response_type", "code id_token")], ErrorCode::UnsupportedResponseType),
        (vec![("response_type", "none")], ErrorCode::UnsupportedResponseType),
        (vec![("response_mode", "fragment")], ErrorCode::InvalidRequest),
        (vec![("response_mode", "form_post")], ErrorCode::InvalidRequest),
        (vec![("response_mode", "other")], ErrorCode::InvalidRequest),
        (vec![("request", "x")], ErrorCode::RequestNotSupported),
        (vec![("request_uri", "https://shop.example/r")], ErrorCode::RequestUriNotSupported),
        (vec![("registration", "{}")], ErrorCode::RegistrationNotSupported),
        (vec![("scope", "read"), ("scope", "read")], ErrorCode::InvalidRequest),
        (vec![("response_type", "code"), ("response_type", "code")], ErrorCode::InvalidRequest),
    ] {
        let refusal = read(&client, &changes).unwrap_err();
        assert_eq!(refusal.error, expected, "{changes:?}");
        assert_eq!(refusal.target.state.as_deref(), Some("xyz"));
    }
    let repeated = read(&client, &[("state", "a"), ("state", "b")]).unwrap_err();
    assert_eq!((repeated.error, repeated.target.state), (ErrorCode::InvalidRequest, None));
    let machine = ClientMetadata { grant_types: vec![GrantType::AuthorizationCode], ..shop() };
    let mut machine = made(machine);
    machine.grant_types = vec![GrantType::ClientCredentials];
    assert_eq!(error(&machine, &[]), ErrorCode::UnauthorizedClient);
    assert!(read(&client, &[("response_mode", "query"), ("unknown", "x")]).is_ok());
}

/// A-022, A-034: scopes are never dropped silently; openid is unknown.
#[test]
fn scopes_are_known_allowed_and_asked_for_or_default() {
    let client = made(shop());
    for scope in ["read  write", "read delete", "nothing", "openid read", "READ", "re\"ad"] {
        assert_eq!(error(&client, &[("scope", scope)]), ErrorCode::InvalidScope, "{scope}");
    }
    assert_eq!(error(&client, &[("scope", "")]), ErrorCode::InvalidScope);
    let with_default = made(ClientMetadata { default_scope: "write".parse().unwrap(), ..shop() });
    assert_eq!(read(&with_default, &[("scope", "")]).unwrap().scopes, "write".parse().unwrap());
}

/// A-023, A-024, A-025, A-026, A-027.
#[test]
fn pkce_is_required_and_s256() {
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    let public = made(ClientMetadata { token_endpoint_auth_method: Some(AuthMethod::None), ..shop() });
    let relaxed = made(ClientMetadata { require_pkce: false, ..shop() });
    assert_eq!(error(&public, &none), ErrorCode::InvalidRequest);
    assert_eq!(error(&made(shop()), &none), ErrorCode::InvalidRequest);
    assert_eq!(read(&relaxed, &none).unwrap().code_challenge, None);
    for client in [&public, &relaxed] {
        for bad in [
            vec![("code_challenge_method", "")],
            vec![("code_challenge_method", "plain")],
            vec![("code_challenge", "")],
            vec![("code_challenge", &CHALLENGE[1..])],
            vec![("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")],
        ] {
            assert_eq!(error(client, &bad), ErrorCode::InvalidRequest, "{bad:?}");
        }
    }
    let refusal = read(&public, &[("code_challenge_method", "")]).unwrap_err();
    assert!(refusal.description.contains("S256 required"));
}

/// A-033.
#[test]
fn resources_are_absolute_known_and_few() {
    let client = made(shop());
    let asked = read(&client, &[("resource", "https://files.example"), ("resource", DEFAULT_RESOURCE)]).unwrap();
    assert_eq!(asked.resources, ["https://files.example", DEFAULT_RESOURCE]);
    for bad in ["files", "https://files.example#x", "https://other.example"] {
        assert_eq!(error(&client, &[("resource", bad)]), ErrorCode::InvalidTarget, "{bad}");
    }
    assert_eq!(error(&client, &[("resource", DEFAULT_RESOURCE); 6]), ErrorCode::InvalidTarget);
}

/// A-035: descriptions name the check, not what the user sent.
#[test]
fn descriptions_hold_nothing_of_the_user() {
    let refusal = read(&made(shop()), &[("resource", "https://secret.example")]).unwrap_err();
    assert!(refusal.description.starts_with("resource") && !refusal.description.contains("secret"));
}
