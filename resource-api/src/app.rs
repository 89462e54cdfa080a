//! The parts endpoints may use, put together once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use shared::expiring::{self, ExpiringStore};
use shared::http_client::HttpClientError;
use shared::metrics::Metrics;
use shared::store::StoreError;

use crate::auth::{Caller, Gate};
use crate::config::{AuthMode, Config, Limits};
use crate::domain::{Domain, DomainError, Resource};
use crate::endpoints::{InFlight, may_need_vacancies};
use crate::error::Challenge;
use crate::hooks::Hooks;
use crate::introspection::{Introspector, IntrospectorError};
use crate::metadata;
use crate::migration;
use crate::query::{Fields, Query, QueryError};
use crate::rate_limits::RateLimits;
use crate::representation::json::JsonStyle;
use crate::representation::layout::{Layout, lay_out};
use crate::representation::shape::Shape;
use crate::routes::Router;
use crate::store::{Connected, DocumentStore, Nowhere, Places};

/// The database, and the prefix of keys, where the URL of `ephemeral` names none.
const NAME: &str = "resource_api";

/// One API over one store.
pub struct App {
    pub domain: Domain,
    pub router: Router,
    /// Each resource's documents where its own connection leads.
    pub documents: Arc<dyn DocumentStore>,
    /// By prefix, for callers whose token names a connection.
    of_callers: HashMap<String, Arc<dyn DocumentStore>>,
    pub gate: Gate,
    /// What is told of all this.
    pub metrics: Metrics,
    pub challenge: Challenge,
    /// Where clients reach the service, without a slash at the end.
    pub public_url: String,
    pub limits: Limits,
    /// `None`: nobody calls too often.
    pub rate_limits: Option<RateLimits>,
    /// Writes with an `Idempotency-Key` that are being done here.
    pub in_flight: InFlight,
    /// `None`: the domain has none.
    pub hooks: Option<Hooks>,
    /// The protected resource metadata (RFC 9728) and the path they are at.
    pub metadata: Bytes,
    pub metadata_path: String,
    /// By resource key.
    plain: HashMap<String, Plain>,
}

/// What most requests of a resource ask for, understood once.
pub struct Plain {
    /// An empty query string.
    pub query: Query,
    /// Documents without a client's projection.
    pub shape: Shape,
    /// Documents in the answers to writes; `None`: as the query says (POST-05).
    pub answer: Option<Shape>,
    /// See [`may_need_vacancies`].
    pub vacancies: bool,
}

impl Plain {
    fn new(domain: &Domain, resource: &Resource) -> Result<Self, QueryError> {
        let query = Query::parse_item(domain, resource, "")?;
        let names = &domain.settings.names;
        let automatic = [&resource.id_field, &names.last_updated, &names.date_created, &names.etag];
        let said = automatic.into_iter().chain(&resource.extra_response_fields).map(String::as_str);
        let answer = match (domain.settings.bandwidth_saver, resource.projection) {
            (true, _) => Some(Shape::new(domain, resource, Fields::only(said))),
            (false, false) => Some(Shape::new(domain, resource, Fields::all())),
            (false, true) => None,
        };
        let vacancies = may_need_vacancies(resource);
        Ok(Self { shape: Shape::new(domain, resource, query.fields.clone()), query, answer, vacancies })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Domain(#[from] DomainError),
    #[error("{0}: the resource's own settings make no query: {1}")]
    Query(String, QueryError),
    #[error("{0}: datasource.filter asks for claims of a token, which auth.mode = \"none\" does not take")]
    Claims(String),
    #[error("AUTH_MONGO_PREFIX_CLAIM asks for a claim of a token, which auth.mode = \"none\" does not take")]
    Connection,
    #[error(transparent)]
    Nowhere(#[from] Nowhere),
    #[error("documents: {0}")]
    Store(#[from] StoreError),
    #[error("hooks: {0}")]
    Hooks(#[from] HttpClientError),
    #[error("ephemeral: {0}")]
    Counters(StoreError),
    #[error("introspection: {0}")]
    Introspection(#[from] IntrospectorError),
}

impl App {
    /// Opens the store, makes its collections and indexes, and learns all URLs. `address` is where the service listens.
    pub async fn open(config: &Config, domain: Domain, address: SocketAddr) -> Result<Self, AppError> {
        let places = Places::of(&config.store, &config.stores, &domain)?;
        let connected = places.connect(config.limits.query_time()).await?;
        for store in &connected.each {
            if let Some(mark) = migration::mark(&**store).await? {
                return Err(mark.refusal().into());
            }
        }
        let metrics = Metrics::new(&config.metrics);
        connected.documents.measure(&metrics);
        connected.documents.prepare(&domain).await?;
        let counters = match &config.ephemeral {
            // Nobody is counted, so nobody waits for it.
            Some(url) if !domain.settings.rate_limits.is_empty() => {
                Some(expiring::open(url, NAME).await.map_err(AppError::Counters)?)
            }
            _ => None,
        };
        Self::new(config, domain, connected, counters, metrics, address)
    }

    fn new(
        config: &Config,
        domain: Domain,
        connected: Connected,
        counters: Option<Arc<dyn ExpiringStore>>,
        metrics: Metrics,
        address: SocketAddr,
    ) -> Result<Self, AppError> {
        let router = Router::new(&domain).map_err(DomainError::Faults)?;
        let public_url = config.public_url_at(address);
        let resource = config.resource.clone().unwrap_or_else(|| public_url.clone());
        let introspector = match config.auth.mode {
            AuthMode::Introspection => Some(Introspector::new(config, &domain, &metrics)?),
            AuthMode::None if domain.connections.claim.is_some() => return Err(AppError::Connection),
            AuthMode::None => {
                let by_claims = domain.resources.values().find(|it| it.datasource.filter.claims().next().is_some());
                match by_claims {
                    Some(resource) => return Err(AppError::Claims(resource.key.clone())),
                    None => None,
                }
            }
        };
        let plain = domain.resources.values().map(|resource| match Plain::new(&domain, resource) {
            Ok(plain) => Ok((resource.key.clone(), plain)),
            Err(error) => Err(AppError::Query(resource.key.clone(), error)),
        });
        let plain = plain.collect::<Result<_, _>>()?;
        let metadata_path = metadata::path(&resource);
        let challenge = Challenge {
            realm: config.name.clone(),
            metadata_url: format!("{}{metadata_path}", metadata::origin(&public_url)),
        };
        let issuer = introspector.as_ref().map(Introspector::issuer);
        let metadata = metadata::document(&domain, &config.name, &resource, issuer);
        Ok(Self {
            router,
            gate: Gate::new(introspector, resource, connected.of_callers.keys().cloned().collect()),
            documents: connected.documents,
            of_callers: connected.of_callers,
            challenge,
            public_url,
            limits: config.limits.clone(),
            rate_limits: RateLimits::new(&domain.settings.rate_limits, counters),
            in_flight: InFlight::default(),
            hooks: Hooks::new(config, &domain, &metrics)?,
            metadata,
            metadata_path,
            plain,
            metrics,
            domain,
        })
    }

    /// What most requests of a resource of this domain ask for.
    pub fn plain(&self, resource: &Resource) -> &Plain {
        self.plain.get(&resource.key).expect("`new` has an entry for every resource of the domain")
    }

    /// The store of a caller's requests: the one that his token names, or each resource's own.
    pub fn documents_of(&self, caller: &Caller) -> &dyn DocumentStore {
        let named = caller.connection().and_then(|connection| self.of_callers.get(connection));
        named.unwrap_or(&self.documents).as_ref()
    }

    /// The store of all documents behind a connection that callers may name.
    pub fn documents_at(&self, prefix: &str) -> Option<Arc<dyn DocumentStore>> {
        self.of_callers.get(&prefix.to_ascii_uppercase()).cloned()
    }

    pub fn style(&self) -> JsonStyle<'_> {
        JsonStyle { dates: &self.domain.settings.date_format }
    }

    /// A finished body as the domain and the request want it laid out.
    pub fn lay_out(&self, body: Vec<u8>, pretty: bool) -> Vec<u8> {
        let sort_keys = self.domain.settings.json_sort_keys;
        if sort_keys || pretty { lay_out(&body, Layout { sort_keys, pretty }) } else { body }
    }
}
