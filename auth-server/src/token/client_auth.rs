//! Who calls a machine endpoint: client_secret_basic, client_secret_post, or a public client's bare id (B-020 to B-036).

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use shared::Secret;
use shared::clock;
use shared::expiring::ExpiringStore;
use shared::form::{Parameters, decode};
use shared::serve::client_ip;
use zeroize::Zeroizing;

use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::client::{AuthMethod, Client, ClientSecret, Digest32, SecretForm};
use crate::client_metadata::LONGEST_ID;
use crate::error::OAuthError;
use crate::origin::Origin;
use crate::passwords::Verdict;
use crate::throttle::{Throttle, WINDOW, network};

/// What a request shows of its client.
pub struct Presented {
    id: String,
    proof: Proof,
}

enum Proof {
    Basic(Basic),
    Post(Secret),
    IdOnly,
}

impl Proof {
    fn method(&self) -> AuthMethod {
        match self {
            Proof::Basic(_) => AuthMethod::ClientSecretBasic,
            Proof::Post(_) => AuthMethod::ClientSecretPost,
            Proof::IdOnly => AuthMethod::None,
        }
    }
}

/// The secret of a Basic header.
struct Basic {
    /// Form-decoded; `None` where it can't be.
    decoded: Option<Secret>,
    /// As it came (B-022).
    plain: Secret,
}

impl Proof {
    /// What it may be the secret by, for this client.
    fn secrets(&self, client: Option<&Client>) -> impl Iterator<Item = &Secret> {
        let (first, second) = match self {
            Proof::Basic(Basic { decoded, plain }) => {
                let lenient = client.is_some_and(|client| client.flags.lenient_basic)
                    && !decoded.as_ref().is_some_and(|decoded| decoded.matches(plain.expose()));
                (decoded.as_ref(), lenient.then_some(plain))
            }
            Proof::Post(secret) => (Some(secret), None),
            Proof::IdOnly => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// Slows guessing (B-036): after too many failures in a minute nothing is tried.
pub struct Failures {
    /// Of one client id from one network.
    of_client: Throttle,
    /// Of any client id from one network, so that inventing ids doesn't fill the store.
    of_network: Throttle,
}

impl Failures {
    pub fn new(counters: &Arc<dyn ExpiringStore>) -> Self {
        Self {
            of_client: Throttle::new(counters.clone(), "client_failures", 10),
            of_network: Throttle::new(counters.clone(), "network_failures", 100),
        }
    }

    fn key(client: &str, ip: IpAddr) -> String {
        format!("{} {client}", network(ip))
    }

    fn check(&self, client: &str, ip: IpAddr) -> Result<(), OAuthError> {
        let closed =
            self.of_client.is_closed(|| Self::key(client, ip)) || self.of_network.is_closed(|| network(ip).to_string());
        if closed { Err(OAuthError::Throttled { retry_after: WINDOW }) } else { Ok(()) }
    }

    async fn note(&self, client: &str, ip: IpAddr) -> Result<(), OAuthError> {
        let within = self.of_network.count(network(ip).to_string()).await?
            && self.of_client.count(Self::key(client, ip)).await?;
        if within { Ok(()) } else { Err(OAuthError::Throttled { retry_after: WINDOW }) }
    }
}

/// The client that sent the request, proved by its registered method.
pub async fn authenticate(app: &App, request: &HttpRequest, form: &Parameters) -> Result<Arc<Client>, OAuthError> {
    let presented = Presented::read(request, form)?;
    if presented.id.len() > LONGEST_ID {
        return Err(OAuthError::invalid_client());
    }
    let ip = client_ip(request);
    app.client_failures.check(&presented.id, ip)?;
    let client = app.clients.find(&presented.id).await?;
    if presented.proves(client.as_deref(), app).await?
        && let Some(client) = &client
    {
        return Ok(client.clone());
    }
    let reason = presented.fault(client.as_deref());
    log::warn!("client authentication failed: {reason}");
    let event = Event::new(EventKind::ClientRefused).reason(reason).client(&presented.id);
    app.audit.note(event.sent_from(&Origin::of(request))).await;
    app.client_failures.note(&presented.id, ip).await?;
    Err(OAuthError::invalid_client())
}

impl Presented {
    /// Exactly one way of authentication, or none but the id (B-025).
    fn read(request: &HttpRequest, form: &Parameters) -> Result<Self, OAuthError> {
        let (id, secret) = (form.one("client_id")?, form.one("client_secret")?);
        let assertion = form.one("client_assertion")?.or(form.one("client_assertion_type")?);
        let mut headers = request.headers().get_all(AUTHORIZATION);
        let header = headers.next();
        if headers.next().is_some() {
            return Err(OAuthError::invalid_request("Authorization is given more than once"));
        }
        let ways = [header.is_some(), secret.is_some(), assertion.is_some()];
        if ways.into_iter().filter(|used| *used).count() > 1 {
            return Err(OAuthError::invalid_request("the client authenticates in more than one way"));
        }
        if assertion.is_some() {
            return Err(OAuthError::invalid_client());
        }
        let Some(header) = header else {
            let id = id.ok_or_else(OAuthError::invalid_client)?.to_owned();
            return Ok(match secret {
                Some(secret) => Self { id, proof: Proof::Post(Secret::new(secret)) },
                None => Self { id, proof: Proof::IdOnly },
            });
        };
        let (basic_id, basic) = basic(header.as_bytes()).ok_or_else(OAuthError::invalid_client)?;
        if id.is_some_and(|id| id != basic_id) {
            return Err(OAuthError::invalid_request("client_id differs from the one in the Authorization header"));
        }
        Ok(Self { id: basic_id, proof: Proof::Basic(basic) })
    }

    /// Why it proves nothing: for the log, never for the caller (B-027).
    fn fault(&self, client: Option<&Client>) -> &'static str {
        match client {
            None => "unknown_client",
            Some(client) if client.disabled => "disabled",
            Some(client) if !client.authenticates_by(self.proof.method()) => "wrong_method",
            Some(_) => "wrong_secret",
        }
    }

    /// Whether this is that client; the same work for one that is unknown (B-027).
    async fn proves(&self, client: Option<&Client>, app: &App) -> Result<bool, OAuthError> {
        let method = self.proof.method();
        if matches!(self.proof, Proof::IdOnly) {
            return Ok(client.is_some_and(|client| !client.disabled && client.authenticates_by(method)));
        }
        let form = SecretForm::Sha256(Digest32([0; 32]));
        let nobodys = [ClientSecret { id: String::new(), form, created_at: 0, until: None }];
        let secrets = client.map_or(nobodys.as_slice(), |client| &client.secrets);
        let mut proved_by = None;
        let now = clock::now();
        for secret in self.proof.secrets(client) {
            let digest = Digest32::of(secret.expose());
            for held in secrets.iter().filter(|held| held.is_live(now)) {
                let right = match &held.form {
                    SecretForm::Sha256(stored) => stored.matches(&digest),
                    SecretForm::Argon2id(stored) => {
                        matches!(app.passwords.verify(Some(stored), secret.clone()).await?.verdict, Verdict::Right(_))
                    }
                };
                if right {
                    proved_by = Some(held);
                }
            }
        }
        let may = client.is_some_and(|client| !client.disabled && client.authenticates_by(method));
        if let Some(secret) = proved_by.filter(|_| may) {
            app.secret_uses.note(secret);
        }
        Ok(may && proved_by.is_some())
    }
}

/// Id and secret of a Basic header: base64, split at the first colon, both parts form-decoded (B-020). The id needs no decoding
/// in any client (`ClientMetadata::declare`), so only the secret is kept as it came.
fn basic(header: &[u8]) -> Option<(String, Basic)> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let encoded = rest.trim_ascii();
    let bytes = Zeroizing::new(STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok()?);
    let middle = bytes.iter().position(|byte| *byte == b':')?;
    let id = decode(&bytes[..middle]).ok().filter(|id| !id.is_empty())?;
    let secret = &bytes[middle + 1..];
    let plain = Secret::new(std::str::from_utf8(secret).ok()?);
    Some((id, Basic { decoded: decode(secret).ok().map(Secret::new), plain }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// B-020: the contract's vector, and what is malformed.
    #[test]
    fn basic_credentials_are_decoded_after_they_are_split() {
        let (id, secret) = basic(b"Basic YysxJTNBeDphJTJCYiUyNWMlMkZkJTNEJUMzJUE5").unwrap();
        assert_eq!((id.as_str(), secret.decoded.unwrap().expose()), ("c 1:x", "a+b%c/d=\u{e9}"));
        let header = |text: &str| format!("basic {}", STANDARD.encode(text));
        let (id, secret) = basic(header("id:a:b").as_bytes()).unwrap();
        assert_eq!((id.as_str(), secret.decoded.unwrap().expose()), ("id", "a:b"));
        assert!(basic(header("a:%zz").as_bytes()).unwrap().1.decoded.is_none());
        for bad in ["Basic", "Basic ", "Basic !!!", "Bearer YTpi", &header("nocolon"), &header(":x")] {
            assert!(basic(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
