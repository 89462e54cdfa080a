//! Stopping in good order: requests that run are finished, connections that idle are not waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The requests of one server that are not answered to the end.
#[derive(Clone, Default)]
pub struct Running(Arc<AtomicUsize>);

/// Counts as one request until it is dropped.
pub struct Guard(Arc<AtomicUsize>);

impl Running {
    pub fn begin(&self) -> Guard {
        self.0.fetch_add(1, Ordering::AcqRel);
        Guard(self.0.clone())
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Returns when nothing has been running for a moment, or after `limit`.
    pub async fn finished(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut quiet = 0;
        // The moment lets a finished answer leave, and a request on an open connection come in.
        while quiet < 4 && Instant::now() < end {
            quiet = if self.count() == 0 { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

pin_project! {
    /// A response body; its request runs until it is sent.
    pub struct Guarded<B> {
        #[pin]
        body: B,
        guard: Guard,
    }
}

impl<B> Guarded<B> {
    pub fn new(body: B, guard: Guard) -> Self {
        Self { body, guard }
    }
}

impl<B: MessageBody> MessageBody for Guarded<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(context)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Guarded { body, guard } = self;
        body.try_into_bytes().map_err(|body| Guarded { body, guard })
    }
}

/// The operating system's wish that the process ends: SIGTERM or SIGINT. Received from the moment it is made.
pub struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
