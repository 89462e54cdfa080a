//! The listener on which metrics are read: plain http, one thread, one path.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{App, HttpResponse, HttpServer, web};

use super::{Kept, Metrics};

/// How often what was measured is put together, so that it takes no room while nobody reads.
const UPKEEP: Duration = Duration::from_secs(5);

/// A running listener.
pub struct Listener {
    address: SocketAddr,
    handle: ServerHandle,
    running: actix_rt::task::JoinHandle<std::io::Result<()>>,
}

impl Listener {
    /// Listens where the configuration says; `None` where it says nothing. The error names the address.
    pub fn start(metrics: &Metrics) -> Result<Option<Self>, (SocketAddr, std::io::Error)> {
        let Some(kept) = &metrics.kept else { return Ok(None) };
        Self::listen(kept).map(Some).map_err(|error| (kept.listen, error))
    }

    fn listen(kept: &Arc<Kept>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(kept.listen)?;
        let address = listener.local_addr()?;
        let held = Arc::downgrade(kept);
        actix_rt::spawn(async move {
            loop {
                actix_rt::time::sleep(UPKEEP).await;
                let Some(kept) = held.upgrade() else { return };
                kept.handle.run_upkeep();
            }
        });
        let kept = web::Data::from(kept.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(kept.clone())
                .route("/metrics", web::get().to(tell))
                .route("/metrics", web::head().to(tell))
                .default_service(web::to(HttpResponse::NotFound))
        });
        let server = server.workers(1).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        log::info!("metrics are read at http://{address}/metrics");
        Ok(Self { address, handle, running: actix_rt::spawn(server) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
        if let Ok(Err(error)) = self.running.await {
            log::warn!("the listener of metrics: {error}");
        }
    }
}

async fn tell(kept: web::Data<Kept>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(kept.render())
}
