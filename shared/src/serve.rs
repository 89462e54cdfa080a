//! Routes and a listener become a running server: TLS with HTTP/2, common headers, limits, /healthz and /readyz, an access
//! line a request, and a stop that lets running requests finish.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    HeaderName, HeaderValue, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use ipnet::IpNet;
use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslFiletype, SslMethod};
use serde::Deserialize;

use crate::drain::{Guard, Guarded, Running};
use crate::metrics::{Listener, Metrics, Requests};
use crate::{access_log, request_id};

/// A header block larger than this is refused with 431 (X-012), in bytes.
const LONGEST_HEADERS: usize = 16 * 1024;
/// How long a stopping server waits for running requests (X-038).
const DRAIN: Duration = Duration::from_secs(30);

/// Where a service listens. Part of each service's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub tls: Tls,
    /// TLS ends at a proxy in front, so plain http is allowed on any address.
    pub behind_tls_proxy: bool,
    /// Proxies whose `X-Forwarded-For` is believed (X-003): addresses or networks.
    pub trusted_proxies: Vec<Network>,
    /// Threads that serve requests; 0: one per core.
    pub workers: usize,
}

/// `tls = false`, or `{ certificate = "…pem", key = "…pem" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Tls {
    Switch(bool),
    #[serde(rename_all = "snake_case")]
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
}

/// An address or a network.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Network {
    Net(IpNet),
    Address(IpAddr),
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: Tls::Switch(true),
            behind_tls_proxy: false,
            trusted_proxies: Vec::new(),
            workers: 0,
        }
    }
}

impl ServerConfig {
    /// X-004: plain http only on loopback or behind a proxy.
    pub fn faults(&self) -> Vec<String> {
        match &self.tls {
            Tls::Switch(true) if !self.behind_tls_proxy => {
                vec!["server.tls: give { certificate = \"…\", key = \"…\" }, or false on a loopback address".to_owned()]
            }
            Tls::Switch(false) if !self.behind_tls_proxy && !self.listen.ip().is_loopback() => {
                vec![format!(
                    "server.tls: {} is not a loopback address: give a certificate, or say behind_tls_proxy = true",
                    self.listen
                )]
            }
            _ => Vec::new(),
        }
    }

    /// Whether a proxy stands in front whose word about its clients is not believed.
    pub fn clients_share_an_address(&self) -> bool {
        self.behind_tls_proxy && self.trusted_proxies.is_empty()
    }

    /// Whether this listener itself speaks TLS.
    pub fn has_tls(&self) -> bool {
        matches!(self.tls, Tls::Files { .. })
    }
}

/// Asked by /readyz: what the service needs is there.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>>>> + Send + Sync>;

/// What the common part of a server must know of its service.
#[derive(Clone)]
pub struct Service {
    /// For logs.
    pub name: &'static str,
    pub ready: Ready,
    /// Send `Strict-Transport-Security`: public https origins only (decisions 15).
    pub hsts: bool,
    /// Counted here; told on a listener of their own.
    pub metrics: Metrics,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("can't listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("TLS with {file}: {source}")]
    Tls { file: String, source: openssl::error::ErrorStack },
    #[error("the server can't start: {0}")]
    Start(#[from] std::io::Error),
}

/// A running server.
pub struct Server {
    name: &'static str,
    address: SocketAddr,
    handle: ServerHandle,
    requests: Running,
    metrics: Option<Listener>,
    running: actix_rt::task::JoinHandle<std::io::Result<()>>,
    at_stop: Option<Box<dyn FnOnce()>>,
    last: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Binds the address a configuration names.
pub fn bind(config: &ServerConfig) -> Result<TcpListener, ServeError> {
    TcpListener::bind(config.listen).map_err(|source| ServeError::Listen { address: config.listen, source })
}

/// Starts serving `routes` on `listener`.
pub fn serve(
    listener: TcpListener,
    config: &ServerConfig,
    service: Service,
    routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> Result<Server, ServeError> {
    let address = listener.local_addr()?;
    let name = service.name;
    let proxies = TrustedProxies(Arc::new(config.trusted_proxies.clone()));
    let requests = Running::default();
    let metrics =
        Listener::start(&service.metrics).map_err(|(address, source)| ServeError::Listen { address, source })?;
    let running = requests.clone();
    let help = "Requests that are being answered";
    service.metrics.watch("evergate_http_requests_in_flight", help, move || running.count() as f64);
    let counted = requests.clone();
    let server = HttpServer::new(move || {
        let counted = counted.clone();
        let hsts = service.hsts;
        let ready = service.ready.clone();
        let noted = Requests::new(&service.metrics).map(Rc::new);
        App::new()
            .app_data(proxies.clone())
            .app_data(web::Data::new(ready))
            .wrap(from_fn(move |request, next| common(request, next, counted.begin(), hsts, noted.clone())))
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
            .configure(routes.clone())
    })
    .disable_signals();
    let server = if config.workers > 0 { server.workers(config.workers) } else { server };
    let server = match &config.tls {
        Tls::Files { certificate, key } => server.listen_openssl(listener, tls(certificate, key)?)?,
        Tls::Switch(_) => server.listen(listener)?,
    };
    let server = server.run();
    let handle = server.handle();
    log::info!("{name} listens on {address}{}", if config.has_tls() { " with TLS" } else { "" });
    Ok(Server { name, address, handle, requests, metrics, running: actix_rt::spawn(server), at_stop: None, last: None })
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are read, if anywhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Listener::address)
    }

    /// Calls `tell` when the server is to stop: for answers that end only when they are told to.
    pub fn at_stop(mut self, tell: impl FnOnce() + 'static) -> Self {
        self.at_stop = Some(Box::new(tell));
        self
    }

    /// Does `last` when the last request is done, before [`Server::stop`] returns.
    pub fn finally(mut self, last: impl Future<Output = ()> + 'static) -> Self {
        self.last = Some(Box::pin(last));
        self
    }

    /// Takes no new requests and waits up to 30 s for running ones.
    pub async fn stop(self) {
        self.handle.pause().await;
        if let Some(tell) = self.at_stop {
            tell();
        }
        self.requests.finished(DRAIN).await;
        self.handle.stop(false).await;
        if let Some(last) = self.last {
            last.await;
        }
        if let Some(metrics) = self.metrics {
            metrics.stop().await;
        }
        match self.running.await {
            Ok(Ok(())) => log::info!("{} stopped", self.name),
            Ok(Err(error)) => log::error!("{} stopped: {error}", self.name),
            Err(error) => log::error!("{} stopped: {error}", self.name),
        }
    }
}

fn tls(certificate: &PathBuf, key: &PathBuf) -> Result<SslAcceptorBuilder, ServeError> {
    let fault = |file: &PathBuf| {
        let file = file.display().to_string();
        move |source| ServeError::Tls { file, source }
    };
    // Mozilla's intermediate profile: TLS 1.2 and newer (X-004).
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(fault(certificate))?;
    acceptor.set_private_key_file(key, SslFiletype::PEM).map_err(fault(key))?;
    acceptor.set_certificate_chain_file(certificate).map_err(fault(certificate))?;
    acceptor.check_private_key().map_err(fault(key))?;
    Ok(acceptor)
}

/// In an answer's extensions: browsers may run it as a script whatever its type says, which `nosniff` would forbid.
pub struct Script;

async fn common<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
    running: Guard,
    hsts: bool,
    noted: Option<Rc<Requests>>,
) -> Result<ServiceResponse<Guarded<EitherBody<B>>>, actix_web::Error> {
    let start = Instant::now();
    let id = request_id::accept_or_mint(request.headers().get(request_id::HEADER));
    let header_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut response = request_id::scope(id.clone(), async {
        if header_bytes > LONGEST_HEADERS {
            let refusal = HttpResponse::RequestHeaderFieldsTooLarge().finish();
            let response = request.into_response(refusal);
            if let Some(noted) = &noted {
                noted.note(&response, start.elapsed());
            }
            return Ok(response.map_into_right_body());
        }
        let response = next.call(request).await.map(ServiceResponse::map_into_left_body)?;
        let (method, path) = (response.request().method(), response.request().path());
        let took = start.elapsed();
        access_log::note(method.as_str(), path, response.status().as_u16(), took);
        if let Some(noted) = &noted {
            noted.note(&response, took);
        }
        Ok::<_, actix_web::Error>(response)
    })
    .await?;
    let script = response.response().extensions().contains::<Script>();
    let headers = response.headers_mut();
    headers.insert(request_id::HEADER, id);
    if !script {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    if hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    Ok(response.map_body(|_, body| Guarded::new(body, running)))
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ok"}"#)
}

async fn readyz(ready: web::Data<Ready>) -> HttpResponse {
    match ready().await {
        Ok(()) => HttpResponse::Ok().content_type("application/json").body(r#"{"status":"ready"}"#),
        Err(reason) => {
            log::warn!("not ready: {reason}");
            HttpResponse::ServiceUnavailable()
                .insert_header((RETRY_AFTER, "1"))
                .content_type("application/json")
                .body(r#"{"status":"not ready"}"#)
        }
    }
}

#[derive(Clone)]
struct TrustedProxies(Arc<Vec<Network>>);

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match self {
            Network::Net(net) => net.contains(&address),
            Network::Address(one) => *one == address,
        }
    }
}

/// The caller's address: the peer, or behind trusted proxies the right-most hop that is not one (X-003).
pub fn client_ip(request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    let Some(TrustedProxies(proxies)) = request.app_data::<TrustedProxies>() else { return peer };
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if !trusted(peer) {
        return peer;
    }
    let forwarded: Vec<&str> = request
        .headers()
        .get_all(HeaderName::from_static("x-forwarded-for"))
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut client = peer;
    for hop in forwarded.iter().rev() {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        client = address;
        if !trusted(address) {
            break;
        }
    }
    client
}
