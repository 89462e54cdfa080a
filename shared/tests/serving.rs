//! The common part of every server, over real sockets.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::StatusCode;
use shared::metrics::{Metrics, MetricsConfig};
use shared::serve::{Server, ServerConfig, Service, Tls, bind, client_ip, serve};

/// Requests of `/slow` that have begun.
static SLOW_ONES: AtomicUsize = AtomicUsize::new(0);

fn config(more: &str) -> ServerConfig {
    let text = format!("listen = '127.0.0.1:0'\ntls = false\n{more}");
    shared::config::parse::<Wrapped>(&text).unwrap().0
}

#[derive(serde::Deserialize)]
struct Wrapped(ServerConfig);

impl shared::config::Settings for Wrapped {
    fn faults(&self) -> Vec<String> {
        self.0.faults()
    }
}

fn start(more: &str, ready: Arc<AtomicBool>, hsts: bool) -> Server {
    start_measured(more, ready, hsts, &MetricsConfig::default())
}

fn start_measured(more: &str, ready: Arc<AtomicBool>, hsts: bool, metrics: &MetricsConfig) -> Server {
    let config = config(more);
    let listener = bind(&config).unwrap();
    let service = Service {
        name: "sample",
        ready: Arc::new(move || {
            let ready = ready.load(Ordering::SeqCst);
            Box::pin(async move { if ready { Ok(()) } else { Err("store secret-host is down".to_owned()) } })
        }),
        hsts,
        metrics: Metrics::new(metrics),
    };
    serve(listener, &config, service, |routes| {
        routes
            .route("/item/{id}", web::get().to(HttpResponse::NoContent))
            .route("/ip", web::get().to(|request: HttpRequest| async move { client_ip(&request).to_string() }))
            .route(
                "/id",
                web::get().to(|| async { HttpResponse::Ok().body(shared::request_id::current().unwrap_or_default()) }),
            )
            .route(
                "/slow",
                web::get().to(|| async {
                    SLOW_ONES.fetch_add(1, Ordering::SeqCst);
                    actix_rt::time::sleep(Duration::from_millis(400)).await;
                    "done"
                }),
            );
    })
    .unwrap()
}

fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address())
}

fn ready() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(true))
}

/// X-015: a caller's id is kept when it is one, otherwise a new one is made; handler and response agree.
#[actix_rt::test]
async fn every_response_carries_the_request_id_its_handler_saw() {
    let server = start("", ready(), false);
    let client = reqwest::Client::new();
    for (sent, kept) in [(None, false), (Some("abc-1.2_Z"), true), (Some("two words"), false), (Some("ä"), false)] {
        let mut request = client.get(url(&server, "/id"));
        if let Some(id) = sent {
            request = request.header("x-request-id", id);
        }
        let response = request.send().await.unwrap();
        let id = String::from_utf8(response.headers()["x-request-id"].as_bytes().to_vec()).unwrap();
        assert_eq!(sent == Some(&id), kept, "{sent:?} {id}");
        assert!(!id.is_empty());
        assert_eq!(response.text().await.unwrap(), id);
    }
    let missing = client.get(url(&server, "/nowhere")).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert!(missing.headers().contains_key("x-request-id"));
    assert_eq!(missing.headers()["x-content-type-options"], "nosniff");
}

/// X-012.
#[actix_rt::test]
async fn a_header_block_over_16_kib_is_refused_with_431() {
    let server = start("", ready(), false);
    let client = reqwest::Client::new();
    let with = |bytes: usize| client.get(url(&server, "/ip")).header("x-large", "x".repeat(bytes)).send();
    assert_eq!(with(15 * 1024).await.unwrap().status(), StatusCode::OK);
    assert_eq!(with(17 * 1024).await.unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

/// X-003: without trusted proxies the header changes nothing; with them the right-most stranger is the client.
#[actix_rt::test]
async fn a_forwarded_address_is_believed_only_from_a_trusted_proxy() {
    let open = start("", ready(), false);
    let behind = start("trusted_proxies = ['127.0.0.1', '10.0.0.0/8']", ready(), false);
    let client = reqwest::Client::new();
    let ip = |server: &Server, forwarded: &'static str| {
        let request = client.get(url(server, "/ip")).header("x-forwarded-for", forwarded);
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    assert_eq!(ip(&open, "6.6.6.6").await, "127.0.0.1");
    assert_eq!(ip(&behind, "6.6.6.6, 8.8.8.8, 10.1.2.3").await, "8.8.8.8");
    assert_eq!(ip(&behind, "nonsense").await, "127.0.0.1");
    assert_eq!(ip(&behind, "10.0.0.1").await, "10.0.0.1");
}

/// X-004.
#[test]
fn plain_http_is_allowed_only_on_loopback_or_behind_a_proxy() {
    let faults = |listen: &str, tls: Tls, behind_tls_proxy: bool| {
        let config = ServerConfig { listen: listen.parse().unwrap(), tls, behind_tls_proxy, ..ServerConfig::default() };
        config.faults().len()
    };
    assert_eq!(faults("127.0.0.1:1", Tls::Switch(false), false), 0);
    assert_eq!(faults("[::1]:1", Tls::Switch(false), false), 0);
    assert_eq!(faults("0.0.0.0:1", Tls::Switch(false), false), 1);
    assert_eq!(faults("0.0.0.0:1", Tls::Switch(false), true), 0);
    assert_eq!(faults("0.0.0.0:1", Tls::Switch(true), false), 1);
    assert_eq!(faults("0.0.0.0:1", Tls::Files { certificate: "a".into(), key: "b".into() }, false), 0);
}

/// X-005, X-038: health tells no secrets; readiness follows the store.
#[actix_rt::test]
async fn health_is_the_process_and_readiness_the_store() {
    let state = ready();
    let server = start("", state.clone(), true);
    let get = |path: &str| {
        let url = url(&server, path);
        async move {
            let response = reqwest::get(url).await.unwrap();
            assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    assert_eq!((get("/healthz").await.0, get("/readyz").await.0), (200, 200));
    state.store(false, Ordering::SeqCst);
    assert_eq!(get("/healthz").await.0, 200);
    let (status, text) = get("/readyz").await;
    assert_eq!(status, 503);
    assert!(!text.contains("secret-host"), "{text}");
}

/// X-038.
#[actix_rt::test]
async fn a_stop_lets_a_running_request_finish() {
    let server = start("", ready(), false);
    let slow = url(&server, "/slow");
    let running = actix_rt::spawn(async move { reqwest::get(slow).await.unwrap().text().await.unwrap() });
    while SLOW_ONES.load(Ordering::SeqCst) == 0 {
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
    let begun = Instant::now();
    server.stop().await;
    assert_eq!(running.await.unwrap(), "done");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// X-039: requests by route, method and status, on a listener of their own; what strangers make up is counted as one.
#[actix_rt::test]
async fn requests_are_counted_by_route_on_a_listener_of_their_own() {
    let metrics = MetricsConfig { listen: Some(([127, 0, 0, 1], 0).into()), open_to_network: false };
    let server = start_measured("", ready(), false, &metrics);
    let http = reqwest::Client::new();
    for path in ["/item/1", "/item/2", "/ip", "/made/up", "/made/up/too", "/metrics"] {
        http.get(url(&server, path)).send().await.unwrap();
    }
    http.post(url(&server, "/ip")).send().await.unwrap();
    let address = format!("http://{}/metrics", server.metrics_address().unwrap());
    let answer = http.get(&address).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let told = answer.text().await.unwrap();
    for (count, labels) in [
        (2, r#"method="GET",route="/item/{id}",status="204""#),
        (1, r#"method="GET",route="/ip",status="200""#),
        (3, r#"method="GET",route="unmatched",status="404""#),
    ] {
        let line = format!("evergate_http_requests_total{{{labels}}} {count}");
        assert!(told.lines().any(|told| told == line), "{line} is missing in:\n{told}");
    }
    let count = r#"evergate_http_request_duration_seconds_count{method="GET",route="/item/{id}"} 2"#;
    assert!(told.contains(count) && !told.contains("made"), "{told}");
    assert_eq!(http.get(address.replace("/metrics", "/")).send().await.unwrap().status(), 404);
    server.stop().await;
    // Anew, as the connection so far may outlive its listener by a moment. Another program may have been given the port since.
    if let Ok(answer) = reqwest::Client::new().get(&address).send().await {
        let told = answer.text().await.unwrap_or_default();
        assert!(!told.contains(r#"route="/item/{id}""#), "the listener ends with its server");
    }
    assert_eq!(start("", ready(), false).metrics_address(), None);
}
