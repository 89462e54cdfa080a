//! Asking the auth-server about tokens (RFC 7662, D-030 to D-039): cached by the token's digest, one flight per token,
//! until the feed of revocations ends what is known.

mod feed;
mod follow;
mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::Bson;
use moka::Expiry;
use serde_json::Value;
use sha2::{Digest, Sha256};
use shared::clock;
use shared::http_client::HttpClientError;
use shared::metrics::{Counter, Counters, Histogram, Metrics};
use shared::oauth::{Audience, Introspection, Scopes};
use shared::store::StoreError;

use crate::config::{Config, RevocationFeed};
use crate::domain::{Claims, Domain, usable_claims};
use feed::{Feed, Standing};
use server::{AuthServer, accepted, send};

pub use follow::Following;
pub use server::reason;

/// Answers kept at most; the least used go first.
const LARGEST_CACHE: u64 = 100_000;
/// Refusals kept at most: a flood of garbage only replaces garbage.
const LARGEST_NEGATIVE_CACHE: u64 = 10_000;

/// SHA-256 of a token: no cache holds the token itself.
type TokenKey = [u8; 32];

/// What the auth-server says of a live token. Whether it suffices is decided at each request (D-038).
#[derive(Debug)]
pub struct ActiveToken {
    pub scopes: Scopes,
    pub subject: String,
    pub client_id: String,
    pub audience: Audience,
    pub roles: Vec<String>,
    /// Epoch seconds.
    pub expires: i64,
    /// What `auth_field` is compared with (decisions 5); `None`: the token lacks the claim.
    pub owner: Option<Bson>,
    /// Those that the domain's filters ask for (contract 2.4).
    pub claims: Claims,
    /// What the token says of the connection its holder's documents are in, in capitals; empty: nothing of use.
    pub connection: Option<String>,
    standing: Standing,
}

/// Why there is no [`ActiveToken`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntrospectionError {
    /// Unknown, expired, revoked or issued by another (D-005, D-010).
    #[error("the token is not active")]
    Inactive,
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The auth-server can't tell: nobody is let through and nobody is told to drop a token (D-031, D-032).
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    #[error("the auth-server can't be reached: {0}")]
    Unreachable(String),
    #[error("the auth-server refuses this service's credentials with {0}")]
    Refused(u16),
    #[error("the auth-server answers {0}")]
    Status(u16),
    #[error("the auth-server's answer can't be understood: {0}")]
    Unreadable(String),
    #[error("the metadata of issuer {issuer} {reason}")]
    Metadata { issuer: String, reason: String },
}

#[derive(Debug, thiserror::Error)]
pub enum IntrospectorError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error(transparent)]
    Client(#[from] HttpClientError),
}

/// Asks, remembers, and forgets in time. Cheap to share between workers.
#[derive(Debug)]
pub struct Introspector {
    server: Arc<AuthServer>,
    feed: Arc<Feed>,
    /// The claim that names an owner; `None`: the subject.
    owner_claim: Option<String>,
    /// Claims that the domain's filters ask for.
    claims: BTreeSet<String>,
    /// The claim that names a connection.
    connection_claim: Option<String>,
    active: moka::future::Cache<TokenKey, Arc<ActiveToken>>,
    inactive: moka::sync::Cache<TokenKey, ()>,
    counts: Counts,
}

/// What is told of it all.
struct Counts {
    hits: Counter,
    misses: Counter,
    questions: Counters<1>,
    seconds: Histogram,
}

impl Counts {
    fn new(metrics: &Metrics) -> Self {
        let looks = |result| {
            let help = "Tokens looked up, by whether what is known of them was enough";
            metrics.counter("evergate_introspection_cache_total", help, &[("result", result)])
        };
        let help = "Questions to the auth-server, by its answer: active, inactive or fault";
        Self {
            hits: looks("hit"),
            misses: looks("miss"),
            questions: metrics.counters("evergate_introspection_questions_total", help, ["outcome"]),
            seconds: metrics.histogram(
                "evergate_introspection_question_seconds",
                "How long the auth-server's answers took, in seconds",
                &[],
            ),
        }
    }

    fn note(&self, answer: &Result<ActiveToken, IntrospectionError>, took: Duration) {
        self.questions.count([match answer {
            Ok(_) => "active",
            Err(IntrospectionError::Inactive) => "inactive",
            Err(IntrospectionError::Fault(_)) => "fault",
        }]);
        self.seconds.record(took.as_secs_f64());
    }
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counts")
    }
}

/// An answer lives no longer than its token.
#[derive(Debug)]
struct UntilExpiry {
    longest: Duration,
}

impl Expiry<TokenKey, Arc<ActiveToken>> for UntilExpiry {
    fn expire_after_create(&self, _: &TokenKey, token: &Arc<ActiveToken>, _: Instant) -> Option<Duration> {
        let left = u64::try_from(token.expires - clock::now()).unwrap_or(0);
        Some(self.longest.min(Duration::from_secs(left)))
    }
}

impl Introspector {
    pub fn new(config: &Config, domain: &Domain, metrics: &Metrics) -> Result<Self, IntrospectorError> {
        let filters = domain.resources.values().flat_map(|resource| resource.datasource.filter.claims());
        let longest = Duration::from_secs_f64(config.introspect_cache_positive());
        Ok(Self {
            server: Arc::new(AuthServer::new(config)?),
            feed: if config.revocation_feed.follow { Feed::new(metrics) } else { Feed::none() },
            owner_claim: domain.settings.auth_value_claim.clone(),
            claims: filters.cloned().collect(),
            connection_claim: domain.connections.claim.clone(),
            active: moka::future::Cache::builder()
                .max_capacity(LARGEST_CACHE)
                .expire_after(UntilExpiry { longest })
                .build(),
            inactive: moka::sync::Cache::builder()
                .max_capacity(LARGEST_NEGATIVE_CACHE)
                .time_to_live(Duration::from_secs_f64(config.introspect_cache_negative))
                .build(),
            counts: Counts::new(metrics),
        })
    }

    /// Who the auth-server issues tokens as.
    pub fn issuer(&self) -> &str {
        self.server.issuer()
    }

    /// Listens to what ends, as configured; until then nothing is remembered.
    pub fn follow(&self, config: &RevocationFeed) -> Result<Following, StoreError> {
        follow::start(&self.server, &self.feed, config)
    }

    /// What stands behind `token`. Concurrent callers with one unknown token share one question (D-037).
    pub async fn introspect(&self, token: &str) -> Result<Arc<ActiveToken>, IntrospectionError> {
        let key: TokenKey = Sha256::digest(token.as_bytes()).into();
        let known = match self.active.get(&key).await {
            Some(known) if self.feed.trusts(&known.standing, Instant::now()) => {
                self.counts.hits.increment(1);
                known
            }
            None if self.inactive.contains_key(&key) => {
                self.counts.hits.increment(1);
                return Err(IntrospectionError::Inactive);
            }
            remembered => {
                self.counts.misses.increment(1);
                self.learn(key, token, remembered.is_some()).await?
            }
        };
        // D-034: the cache's clock is not the token's.
        if known.expires <= clock::now() { Err(IntrospectionError::Inactive) } else { Ok(known) }
    }

    /// Asks, or waits for the answer to another's question. `outdated`: what is remembered is not to be used.
    async fn learn(
        &self,
        key: TokenKey,
        token: &str,
        mut outdated: bool,
    ) -> Result<Arc<ActiveToken>, IntrospectionError> {
        loop {
            if outdated {
                self.active.invalidate(&key).await;
            }
            let ask = async {
                let start = Instant::now();
                let answer = self.ask(token).await;
                self.counts.note(&answer, start.elapsed());
                if matches!(answer, Err(IntrospectionError::Inactive)) {
                    self.inactive.insert(key, ());
                }
                answer.map(Arc::new)
            };
            let known = self.active.try_get_with(key, ask).await;
            let known = known.map_err(|error| IntrospectionError::clone(&error))?;
            // D-036: it may have been revoked after the auth-server looked, and before its answer came.
            outdated = self.feed.ended_since(&known.standing);
            if !outdated {
                return Ok(known);
            }
        }
    }

    async fn ask(&self, token: &str) -> Result<ActiveToken, IntrospectionError> {
        let stamp = self.feed.stamp();
        let endpoint = self.server.introspection_endpoint().await?;
        let form = [("token", token), ("token_type_hint", "access_token")];
        let request = || self.server.post(endpoint.clone(), &form).header("accept", "application/json");
        let response = accepted(send(request).await?)?;
        let unreadable = |error: reqwest::Error| Fault::Unreadable(error.without_url().to_string());
        let answer: Value = response.json().await.map_err(unreadable)?;
        self.read(answer, stamp)
    }

    /// D-033: only `true` is active. `stamp`: the feed's before the question.
    fn read(&self, answer: Value, stamp: u64) -> Result<ActiveToken, IntrospectionError> {
        let Value::Object(claims) = &answer else {
            return Err(Fault::Unreadable("not an object".to_owned()).into());
        };
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(IntrospectionError::Inactive);
        }
        let claim = self.owner_claim.as_ref().map(|name| claims.get(name).filter(|value| !value.is_null()).cloned());
        let connection = self.connection_claim.as_ref().and_then(|name| claims.get(name)).filter(|it| !it.is_null());
        let connection = connection.map(|value| value.as_str().unwrap_or_default().to_ascii_uppercase());
        let claims = usable_claims(&answer, &self.claims);
        let token: Introspection =
            serde_json::from_value(answer).map_err(|error| Fault::Unreadable(error.to_string()))?;
        if token.iss != self.issuer() {
            log::warn!("a token of another issuer was presented");
            return Err(IntrospectionError::Inactive);
        }
        // D-014: no user stands behind it.
        let machine = token.sub == token.client_id;
        let owner = match claim {
            // Decisions 17: a machine owns what carries its client id.
            None => Some(Bson::String(token.sub.clone())),
            Some(_) if machine => Some(Bson::String(token.client_id.clone())),
            Some(value) => value.and_then(|value| Bson::try_from(value).ok()),
        };
        let family = token.family.and_then(|family| family.parse().ok());
        Ok(ActiveToken {
            standing: Standing::new(stamp, family, &token.sub, &token.client_id),
            scopes: token.scope,
            subject: token.sub,
            client_id: token.client_id,
            audience: token.aud,
            roles: token.roles,
            expires: token.exp,
            owner,
            claims,
            connection,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;
    use shared::Secret;

    use super::*;

    fn introspector(owner_claim: Option<&str>) -> Introspector {
        let config = Config {
            issuer: Some("https://auth.test".to_owned()),
            client_id: Some("api".to_owned()),
            client_secret: Some(Secret::new("secret")),
            ..Config::default()
        };
        let domain = json!({ "AUTH_VALUE_CLAIM": owner_claim, "DOMAIN": {} }).to_string();
        let domain = crate::domain::parse(crate::domain::Format::Json, &domain).unwrap();
        Introspector::new(&config, &domain, &Metrics::default()).unwrap()
    }

    fn answer() -> Value {
        json!({
            "active": true, "scope": "people:read", "client_id": "shop", "sub": "u_1", "aud": "https://api.test",
            "iss": "https://auth.test", "exp": 4_000_000_000_i64, "iat": 1, "jti": "j", "department": "sales"
        })
    }

    /// D-033: only the JSON value true.
    #[actix_rt::test]
    async fn anything_but_true_is_inactive() {
        let asked = introspector(None);
        for value in [json!("true"), json!(1), json!(null), json!(false)] {
            let mut answer = answer();
            answer["active"] = value.clone();
            assert!(matches!(asked.read(answer, 1), Err(IntrospectionError::Inactive)), "{value}");
        }
        assert!(matches!(asked.read(json!({}), 1), Err(IntrospectionError::Inactive)));
        assert!(matches!(asked.read(json!([]), 1), Err(IntrospectionError::Fault(Fault::Unreadable(_)))));
        assert!(matches!(asked.read(json!({"active": true}), 1), Err(IntrospectionError::Fault(Fault::Unreadable(_)))));
    }

    /// Decisions 5 and 17: the subject, the claim the domain names, or a machine's client id.
    #[actix_rt::test]
    async fn the_owner_is_the_subject_the_claim_or_the_machine() {
        let owner = |claim, answer| introspector(claim).read(answer, 1).unwrap().owner;
        assert_eq!(owner(None, answer()), Some(Bson::from("u_1")));
        assert_eq!(owner(Some("department"), answer()), Some(Bson::from("sales")));
        assert_eq!(owner(Some("team"), answer()), None);
        let mut machine = answer();
        machine["sub"] = json!("shop");
        assert_eq!(owner(Some("team"), machine), Some(Bson::from("shop")));
    }
}
